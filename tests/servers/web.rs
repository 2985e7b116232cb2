//! What a running agent serves: health, readiness and metrics, as a probe, a scraper and a linter see them.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::binary::{Running, Setting, World, text as printed};
use crate::support::{eventually, find_program, free_port, prometheus_of, skip_or_fail};

/// What a request was answered.
struct Answer {
    status: u16,
    content_type: String,
    body: String,
}

async fn get(port: u16, path: &str) -> Option<Answer> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await.ok()?;
    let content_type = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    Some(Answer { status: answer.status().as_u16(), content_type, body: answer.text().await.ok()? })
}

/// Waits until a path is answered with a status.
async fn answered(port: u16, path: &str, status: u16) -> Answer {
    eventually(&format!("{path} answers {status}"), async || get(port, path).await.filter(|answer| answer.status == status)).await
}

/// An agent that listens.
async fn listening() -> (World, Running, u16) {
    let (world, port) = (World::new().await, free_port());
    let mut setting = Setting::of("merge");
    setting.agent = format!("  listen: 127.0.0.1:{port}\n");
    world.configure(&setting);
    let running = world.start();
    (world, running, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_says_why_not() {
    let (world, running, port) = listening().await;
    for path in ["/healthz", "/readyz"] {
        let answer = answered(port, path, 200).await;
        assert_eq!(answer.content_type, "text/plain; charset=utf-8");
        assert!(answer.body.ends_with('\n'));
    }
    std::fs::rename(world.bare(), world.file("away.git")).unwrap();
    let answer = answered(port, "/readyz", 503).await;
    assert!(answer.body.starts_with("the repository `manifests` cannot be read: "), "{}", answer.body);
    // A restart would not bring the repository back.
    assert_eq!(answered(port, "/healthz", 200).await.status, 200);
    std::fs::rename(world.file("away.git"), world.bare()).unwrap();
    assert_eq!(answered(port, "/readyz", 200).await.body, "ready\n");
    assert_eq!(get(port, "/nothing").await.unwrap().status, 404);
    let posted = reqwest::Client::new().post(format!("http://127.0.0.1:{port}/metrics")).send().await.unwrap();
    assert_eq!(posted.status().as_u16(), 405);
    assert!(running.terminate().await.success());
    assert!(get(port, "/healthz").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_follow_the_conventions() {
    let (world, _running, port) = listening().await;
    world.break_service().await;
    world.phase("recovered").await;
    let answer = answered(port, "/metrics", 200).await;
    assert_eq!(answer.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = answer.body;
    well_formed(&text);
    for series in [
        "revertd_build_info{version=\"",
        "revertd_decisions_total{verdict=\"merge\"} 1\n",
        "revertd_effects_total{action=\"merge\",outcome=\"pushed\"} 1\n",
        "revertd_incidents_open 0\n",
        "revertd_repository_stopped{repository=\"manifests\"} 0\n",
        "revertd_repository_last_poll_timestamp_seconds{repository=\"manifests\"} 1",
        "revertd_slo_state{policy=\"checkout\",slo=\"up\",verdict=\"healthy\"} 1\n",
        "revertd_rounds_total{policy=\"checkout\",slo=\"up\",outcome=\"bad\"} ",
    ] {
        assert!(text.contains(series), "{series}\n{text}");
    }
    lint(&text);
}

/// The rules of the OpenMetrics text format that a scraper relies on: each family is described before its samples and once, counters
/// end in `_total`, and the text ends where it says.
fn well_formed(text: &str) {
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
    let (mut family, mut seen) = (("", ""), Vec::new());
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(described) = line.strip_prefix("# TYPE ") {
            family = described.split_once(' ').unwrap();
            assert!(!seen.contains(&family.0) && family.0.starts_with("revertd_"), "{line}");
            seen.push(family.0);
        } else if !line.starts_with("# ") {
            let name = line.split(['{', ' ']).next().unwrap();
            let suffixes: &[&str] = match family.1 {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                "info" => &["_info"],
                _ => &[""],
            };
            assert!(suffixes.iter().any(|suffix| name == format!("{}{suffix}", family.0)), "{line} under {family:?}");
            line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap();
        }
    }
}

/// The linter reads the older format, where a counter is described with its `_total` and there is no type `info`.
fn lint(text: &str) {
    let Some(promtool) = find_program("promtool") else {
        skip_or_fail("promtool");
        return;
    };
    let kind = |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap_or_default().to_owned();
    let older = |line: &str| {
        let mut words: Vec<String> = line.splitn(4, ' ').map(str::to_owned).collect();
        if line.starts_with("# HELP ") || line.starts_with("# TYPE ") {
            match kind(&words[2]).as_str() {
                "counter" => words[2].push_str("_total"),
                "info" => words[2].push_str("_info"),
                _ => {}
            }
        }
        words.join(" ").replace(" info", " gauge")
    };
    let lines: Vec<String> = text.lines().filter(|line| !line.starts_with("# UNIT") && *line != "# EOF").map(older).collect();
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("{}\n", lines.join("\n")).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}{}\n{lines:#?}", printed(&output.stdout), printed(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_scrapes_it() {
    let (world, _running, port) = listening().await;
    let Some((_server, own)) = prometheus_of(&world.file(""), "revertd", port) else { return };
    for query in ["up==1", "revertd_passes_total", "revertd_pass_duration_seconds_bucket", "revertd_build_info", "revertd_paused==0"] {
        let path = format!("/api/v1/query?query={query}");
        eventually(query, async || {
            let answer: Value = serde_json::from_str(&get(own, &path).await?.body).ok()?;
            answer["data"]["result"].as_array().filter(|found| !found.is_empty()).map(|_| ())
        })
        .await;
    }
    let path = "/api/v1/metadata?metric=revertd_passes";
    eventually("its metadata", async || get(own, path).await?.body.contains("counter").then_some(())).await;
}
