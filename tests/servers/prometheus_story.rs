//! The story with an SLO that a real Prometheus measures: good and total requests, a burn rate since the change, and the versions side by side.

use crate::binary::{Beside, Running, Setting, World, text};
use crate::support::{ChildGuard, eventually, prometheus_of};

/// A real Prometheus that scrapes the service every second, and an agent that has seen it healthy for a while. Each version is told apart where the
/// queries have it.
struct Story {
    world: World,
    running: Running,
    _server: ChildGuard,
}

impl Story {
    async fn begin(indicator: &str) -> Option<Self> {
        let world = World::new().await;
        let (server, port) = prometheus_of(&world.file(""), "checkout", world.port())?;
        eventually("Prometheus listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()).await;

        let mut setting = Setting::of("merge");
        setting.agent = format!("  metrics: [{{name: main, prometheus: {{url: 'http://127.0.0.1:{port}'}}}}]\n");
        setting.slos = Some(format!(
            "    - name: availability\n      indicator:\n        prometheus:\n          server: main\n          every: 4s\n{indicator}          \
             freshness: http_requests_total\n          maxStaleness: 4s\n      objective: {{target: 99%, timeWindow: 30d}}\n      \
             alerts: [{{burnRate: {{factor: 10, long: 20s, short: 4s, sinceChange: true}}, minEvents: 10}}]\n"
        ));
        world.configure(&setting);
        let running = world.start();
        // Each scrape is one answer of ten requests. The first rounds have no data yet and count as whatever speaks against a merge, so that some
        // twenty of four seconds are needed before them.
        world.healthy_answers(300).await;
        world.healthy_answers(300).await;
        Some(Self { world, running, _server: server })
    }
}

/// Good and total requests of every version together.
const WHOLE: &str = r#"          good: sum(increase(http_requests_total{code!~"5.."}[$window]))
          total: sum(increase(http_requests_total[$window]))
"#;

/// The same, told apart by version.
const TOLD_APART: &str = r#"          good: sum(increase(http_requests_total{code!~"5..",version=~"$version"}[$window]))
          total: sum(increase(http_requests_total{version=~"$version"}[$window]))
          versionLabel: version
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_story_with_an_slo_of_prometheus() {
    let Some(story) = Story::begin(WHOLE).await else { return };
    story.world.break_service_after(300).await;
    story.world.assert_recovered().await;
}

/// Both at once, since most of it is waiting.
#[tokio::test(flavor = "multi_thread")]
async fn the_version_from_before_is_well_or_fails_beside_the_bad_one() {
    tokio::join!(it_is_well_and_the_bad_one_is_merged_away(), it_fails_as_well_and_people_merge());
}

async fn it_is_well_and_the_bad_one_is_merged_away() {
    let Some(mut story) = Story::begin(TOLD_APART).await else { return };
    story.world.runs_beside(Beside::Well);
    let doctor = text(&story.world.command(&["doctor"]).stdout);
    assert!(doctor.contains("versions of slo availability"), "{doctor}");
    assert!(doctor.contains("told apart in the last two hours: 1.4.2"), "{doctor}");
    story.world.break_service_after(300).await;
    story.world.until("the revert lands", || story.world.reverts() == 1).await;
    let told = explained(&story.world);
    assert!(told.contains("stood still: version `1.4.2`"), "{told}");
    assert!(!story.running.has_ended());
}

async fn it_fails_as_well_and_people_merge() {
    let Some(story) = Story::begin(TOLD_APART).await else { return };
    story.world.runs_beside(Beside::Failing);
    story.world.break_service_after(300).await;
    story.world.phase("proposed").await;
    let told = explained(&story.world);
    assert!(told.contains("Version `1.4.2`, which ran before"), "{told}");
    assert_eq!(story.world.reverts(), 0);
    story.world.approve().await;
    story.world.until("the revert lands", || story.world.reverts() == 1).await;
}

fn explained(world: &World) -> String {
    let id = world.incidents()[0]["id"].as_str().unwrap().to_owned();
    text(&world.command(&["explain", &id]).stdout)
}
