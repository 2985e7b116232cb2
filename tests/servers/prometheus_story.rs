//! The story with an SLO that a real Prometheus measures: good and total requests, and a burn rate since the change.

use std::process::Command;

use crate::binary::{Setting, World};
use crate::support::{ChildGuard, eventually, find_program, free_port, skip_or_fail};

#[tokio::test(flavor = "multi_thread")]
async fn the_story_with_an_slo_of_prometheus() {
    let Some(prometheus) = find_program("prometheus") else {
        skip_or_fail("prometheus");
        return;
    };
    let world = World::new().await;
    let (target, port) = (world.port(), free_port());
    let configuration = format!(
        "scrape_configs:\n  - job_name: checkout\n    scrape_interval: 1s\n    scrape_timeout: 1s\n    \
         static_configs: [{{targets: ['127.0.0.1:{target}']}}]\n"
    );
    std::fs::write(world.file("prometheus.yml"), configuration).unwrap();
    let mut command = Command::new(prometheus);
    command
        .arg(format!("--config.file={}", world.file("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", world.file("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let _server = ChildGuard::start(&mut command);
    eventually("Prometheus listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()).await;

    let mut setting = Setting::of("merge");
    setting.agent = format!("  metrics: [{{name: main, prometheus: {{url: 'http://127.0.0.1:{port}'}}}}]\n");
    setting.slos = Some(
        r#"    - name: availability
      indicator:
        prometheus:
          server: main
          every: 4s
          good: sum(increase(http_requests_total{code!~"5.."}[$window]))
          total: sum(increase(http_requests_total[$window]))
          freshness: http_requests_total
          maxStaleness: 4s
      objective: {target: 99%, timeWindow: 30d}
      alerts: [{burnRate: {factor: 10, long: 20s, short: 4s, sinceChange: true}, minEvents: 10}]
"#
        .to_owned(),
    );
    world.configure(&setting);
    let _running = world.start();
    // Each scrape is one answer of ten requests. The first rounds have no data yet and count as whatever speaks against a merge, so that some
    // twenty of four seconds are needed before them.
    world.healthy_answers(300).await;
    world.healthy_answers(300).await;
    world.break_service_after(300).await;
    world.assert_recovered().await;
}
