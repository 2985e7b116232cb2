//! What a real Prometheus says in the situations that fool a health check, and which rounds come of it.
//!
//! Most stories are told in blocks that promtool writes, at fixed times, so that they are the same on every run; what only a live
//! scrape shows (markers of a target that went away) is scraped every second and waited for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use revertd::agent::Probing;
use revertd::config;
use revertd::engine::id::MetricsName;
use revertd::engine::policy::{PrometheusIndicator, PrometheusQuery};
use revertd::engine::round::{Outcome, Round, Unknown};
use revertd::engine::time::Timestamp;
use revertd::engine::versions::ToldVersions;
use revertd::net::address::AddressRules;
use revertd::net::client::{Client, Request};
use revertd::net::prometheus::{Evaluated, PrometheusClient};
use revertd::probe::Probe;
use revertd::probe::prometheus::{PrometheusProbe, last_end};
use tempfile::TempDir;

use crate::support::{ChildGuard, eventually, find_program, free_port, skip_or_fail};

/// The beginning of every story, in Unix seconds: a multiple of five minutes.
const BEGIN: i64 = 1_700_000_100;
const MINUTE: Duration = Duration::from_secs(60);
const FIVE_MINUTES: Duration = Duration::from_secs(300);
const SCRAPE: i64 = 15;

/// The programs of the Debian package.
struct Programs {
    prometheus: PathBuf,
    promtool: PathBuf,
}

/// A data folder and, while it runs, the server on it.
struct Prometheus {
    programs: Programs,
    folder: TempDir,
    port: u16,
    running: Option<ChildGuard>,
}

/// A history in the OpenMetrics text format, one series after the other.
#[derive(Default)]
struct History {
    text: String,
}

fn programs() -> Option<Programs> {
    let found = find_program("prometheus").zip(find_program("promtool"));
    if found.is_none() {
        skip_or_fail("prometheus");
    }
    found.map(|(prometheus, promtool)| Programs { prometheus, promtool })
}

fn minutes(after_begin: i64) -> Timestamp {
    Timestamp::from_secs(BEGIN + 60 * after_begin)
}

impl History {
    /// A counter that is scraped every 15 seconds of `minutes` (from, to) and counts `per_scrape` events between scrapes.
    fn counter(mut self, labels: &str, (from, to): (i64, i64), first: u64, per_scrape: u64) -> Self {
        let mut value = first;
        for at in (BEGIN + 60 * from..=BEGIN + 60 * to).step_by(usize::try_from(SCRAPE).unwrap()) {
            writeln!(self.text, "http_requests_total{{{labels}}} {value} {at}").unwrap();
            value += per_scrape;
        }
        self
    }
}

impl Prometheus {
    /// A server over blocks made of a history.
    async fn over(programs: Programs, history: History) -> Self {
        let server = Self { programs, folder: tempfile::tempdir().unwrap(), port: free_port(), running: None };
        let input = server.folder.path().join("history.txt");
        std::fs::write(&input, format!("# TYPE http_requests counter\n{}# EOF\n", history.text)).unwrap();
        let made = Command::new(&server.programs.promtool)
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&input, &server.data()])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.started("").await
    }

    /// A server that scrapes `target` every second.
    async fn scraping(programs: Programs, target: &str) -> Self {
        let server = Self { programs, folder: tempfile::tempdir().unwrap(), port: free_port(), running: None };
        let jobs = format!(
            "- job_name: checkout\n    scrape_interval: 1s\n    scrape_timeout: 1s\n    static_configs: [{{targets: ['{target}']}}]"
        );
        server.started(&jobs).await
    }

    async fn started(mut self, jobs: &str) -> Self {
        std::fs::write(self.configuration(), format!("scrape_configs:\n  {jobs}\n")).unwrap();
        self.start().await;
        self
    }

    async fn start(&mut self) {
        let mut command = Command::new(&self.programs.prometheus);
        command
            .arg(flag("--config.file", &self.configuration()))
            .arg(flag("--storage.tsdb.path", &self.data()))
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address=127.0.0.1:{}", self.port));
        self.running = Some(ChildGuard::start(&mut command));
        let client = Client::new(AddressRules::for_operator()).unwrap();
        let ready = Request::get(format!("{}/-/ready", self.url()), Duration::from_secs(5));
        eventually("Prometheus is ready", async || client.send(&ready).await.ok().filter(|answer| answer.status == 200)).await;
    }

    fn stop(&mut self) {
        self.running = None;
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("prometheus.yml")
    }

    fn client(&self) -> PrometheusClient {
        PrometheusClient::new(&self.url(), Vec::new(), None, AddressRules::for_operator(), Duration::from_secs(30)).unwrap()
    }

    /// The probe of good and total requests, as the README's policy has it.
    fn ratio(&self, every: Duration, max_staleness: Duration) -> PrometheusProbe {
        let query = PrometheusQuery::Ratio {
            good: r#"sum(increase(http_requests_total{code!~"5.."}[$window]))"#.into(),
            total: "sum(increase(http_requests_total[$window]))".into(),
        };
        self.probe(every, max_staleness, query, Some("http_requests_total"))
    }

    fn probe(&self, every: Duration, max_staleness: Duration, query: PrometheusQuery, freshness: Option<&str>) -> PrometheusProbe {
        let indicator = PrometheusIndicator {
            server: MetricsName::new("main"),
            every,
            query,
            freshness: freshness.map(Into::into),
            max_staleness,
            targets: None,
            version_label: None,
        };
        PrometheusProbe::new(self.client(), &indicator)
    }

    async fn number(&self, query: &str, at: Timestamp) -> Option<f64> {
        match self.client().instant(query, at).await.unwrap() {
            Evaluated::Number(number) => Some(number),
            Evaluated::Nothing => None,
            Evaluated::Unusable(what) => panic!("{query}: {what}"),
        }
    }
}

fn flag(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

/// Good and total, rounded, because `increase` extrapolates.
fn counted(round: &Round) -> (f64, f64) {
    match &round.outcome {
        Outcome::Counts { good, total } => (good.0.round(), total.0.round()),
        other => panic!("{} to {}: {other:?}", round.start, round.end),
    }
}

/// Each live round equals the one that a range query gives for the same end.
async fn assert_backfill_equals_live(probe: &PrometheusProbe, from: Timestamp, to: Timestamp) -> Vec<Round> {
    let past = probe.backfill(from, to).await;
    assert!(!past.is_empty());
    for round in &past {
        assert_eq!(&probe.round(round.end).await, round);
    }
    past
}

#[tokio::test]
async fn after_a_target_dies_the_ratio_reads_100_percent_and_the_rounds_are_stale() {
    let Some(programs) = programs() else { return };
    let died = 27;
    let history = History::default().counter(r#"code="200",pod="a""#, (0, died), 0, 15);
    let server = Prometheus::over(programs, history).await;

    let ratio = r#"sum(increase(http_requests_total{code!~"5.."}[5m])) / sum(increase(http_requests_total[5m]))"#;
    for later in [1, 4] {
        assert_eq!(server.number(ratio, minutes(died + later)).await, Some(1.0), "{later} minutes after");
    }

    let probe = server.ratio(FIVE_MINUTES, MINUTE);
    let (good, total) = counted(&probe.round(minutes(25)).await);
    assert_eq!((good, total), (300.0, 300.0));
    let dead = probe.round(minutes(30)).await;
    assert_eq!(dead.outcome, Outcome::Unknown(Unknown::Stale { age: Duration::from_secs(180) }));
    assert_eq!(probe.round(minutes(35)).await.outcome, Outcome::Unknown(Unknown::NoData));

    // Without a freshness selector the dead service would have been perfect.
    let query = PrometheusQuery::Ratio {
        good: "sum(increase(http_requests_total[5m]))".into(),
        total: "sum(increase(http_requests_total[5m]))".into(),
    };
    let blind = server.probe(FIVE_MINUTES, MINUTE, query, None).round(minutes(30)).await;
    assert!(matches!(blind.outcome, Outcome::Counts { good, total } if good == total), "{blind:?}");

    let past = assert_backfill_equals_live(&probe, minutes(10), minutes(40)).await;
    assert_eq!(past.len(), 6);
}

#[tokio::test]
async fn a_live_target_that_is_killed_stops_being_known() {
    let Some(programs) = programs() else { return };
    let scrapes = Arc::new(AtomicU64::new(0));
    let exporter = Router::new().route("/metrics", get(metrics)).with_state(scrapes);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move { axum::serve(listener, exporter).await });

    let server = Prometheus::scraping(programs, &target).await;
    let every = Duration::from_secs(5);
    let probe = server.ratio(every, Duration::from_secs(3));
    let newest = || async { probe.round(last_end(now(), every, Duration::ZERO)).await };
    eventually("a round with requests", async || {
        let round = newest().await;
        matches!(&round.outcome, Outcome::Counts { good, total } if total.0 > 0.0 && good.0 > 0.0).then_some(round)
    })
    .await;

    serving.abort();
    eventually("the target is down", async || server.number("up", now()).await.filter(|up| *up == 0.0)).await;
    let round = eventually("a round that knows nothing", async || Some(newest().await).filter(|round| !round.is_known())).await;
    assert!(matches!(round.outcome, Outcome::Unknown(Unknown::NoData | Unknown::Stale { .. })), "{round:?}");
    let ratio = r#"sum(increase(http_requests_total{code!~"5.."}[1m])) / sum(increase(http_requests_total[1m]))"#;
    assert_eq!(server.number(ratio, now()).await, Some(1.0));
}

/// Ten more good requests at each scrape. The connection is closed, so that the exporter is gone when it is killed.
async fn metrics(State(scrapes): State<Arc<AtomicU64>>) -> ([(&'static str, &'static str); 1], String) {
    let total = 10 * scrapes.fetch_add(1, Ordering::Relaxed);
    ([("connection", "close")], format!("# TYPE http_requests_total counter\nhttp_requests_total{{code=\"200\"}} {total}\n"))
}

fn now() -> Timestamp {
    Timestamp(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap())
}

#[tokio::test]
async fn answers_of_only_errors_are_zero_good() {
    let Some(programs) = programs() else { return };
    // The new version's pods have never answered anything but 500, so there is no other series of theirs.
    let history = History::default().counter(r#"code="200",pod="old""#, (0, 10), 0, 15).counter(r#"code="500",pod="new""#, (10, 20), 0, 15);
    let server = Prometheus::over(programs, history).await;
    let good = r#"sum(increase(http_requests_total{code!~"5.."}[60s]))"#;
    assert_eq!(server.number(good, minutes(15)).await, None);

    let probe = server.ratio(MINUTE, MINUTE);
    assert_eq!(counted(&probe.round(minutes(9)).await), (60.0, 60.0));
    assert_eq!(counted(&probe.round(minutes(15)).await), (0.0, 60.0));
    assert_backfill_equals_live(&probe, minutes(5), minutes(20)).await;
}

#[tokio::test]
async fn a_gap_is_a_gap() {
    let Some(programs) = programs() else { return };
    let labels = r#"code="200",pod="a""#;
    let history = History::default().counter(labels, (0, 10), 0, 15).counter(labels, (20, 30), 2400, 15);
    let server = Prometheus::over(programs, history).await;
    let past = assert_backfill_equals_live(&server.ratio(MINUTE, MINUTE), minutes(5), minutes(30)).await;
    let known: Vec<i64> = past.iter().filter(|round| round.is_known()).map(|round| (round.end.secs() - BEGIN) / 60).collect();
    assert_eq!(past.len(), 25);
    // The round that ends with the first scrape after the gap has one sample, and no increase can be read from one.
    assert_eq!(known, (6..=10).chain(21..=30).collect::<Vec<_>>());
    assert!(past.iter().filter(|round| round.is_known()).all(|round| counted(round) == (60.0, 60.0)));
}

#[tokio::test]
async fn a_restarted_counter_is_no_burst_and_never_negative() {
    let Some(programs) = programs() else { return };
    let labels = r#"code="200",pod="a""#;
    let mut history = History::default().counter(labels, (0, 10), 1_000_000, 15);
    // The process starts again between two scrapes and counts from zero.
    for scrape in 1..=40 {
        writeln!(history.text, "http_requests_total{{{labels}}} {} {}", 15 * scrape, BEGIN + 600 + SCRAPE * scrape).unwrap();
    }
    let server = Prometheus::over(programs, history).await;
    let past = assert_backfill_equals_live(&server.ratio(MINUTE, MINUTE), minutes(5), minutes(20)).await;
    assert_eq!(past.len(), 15);
    assert!(past.iter().all(|round| counted(round) == (60.0, 60.0)), "{past:?}");
}

#[tokio::test]
async fn a_server_that_is_down_is_unknown_and_is_asked_again_later() {
    let Some(programs) = programs() else { return };
    let history = History::default().counter(r#"code="200",pod="a""#, (0, 20), 0, 15);
    let mut server = Prometheus::over(programs, history).await;
    let probe = server.ratio(MINUTE, MINUTE);
    let before = probe.round(minutes(10)).await;
    assert_eq!(counted(&before), (60.0, 60.0));

    server.stop();
    let down = probe.round(minutes(10)).await;
    assert_eq!(down.outcome, Outcome::Unknown(Unknown::ServerError { detail: "connection refused".into() }));
    assert_eq!(probe.backfill(down.start, down.end).await, std::slice::from_ref(&down));

    server.start().await;
    assert_eq!(probe.backfill(down.start, down.end).await, [before]);
}

#[tokio::test]
async fn sixty_rounds_of_a_minute_are_the_increase_of_an_hour() {
    let Some(programs) = programs() else { return };
    let history = History::default().counter(r#"code="200",pod="a""#, (0, 70), 0, 14).counter(r#"code="500",pod="a""#, (0, 70), 0, 1);
    let server = Prometheus::over(programs, history).await;
    let rounds = server.ratio(MINUTE, MINUTE).backfill(minutes(5), minutes(65)).await;
    assert_eq!(rounds.len(), 60);
    let summed: f64 = rounds.iter().map(|round| if let Outcome::Counts { total, .. } = &round.outcome { total.0 } else { f64::NAN }).sum();
    let hour = server.number("sum(increase(http_requests_total[1h]))", minutes(65)).await.unwrap();
    assert!((summed / hour - 1.0).abs() < 0.001, "{summed} and {hour}");
}

#[tokio::test]
async fn what_is_no_number_or_no_query_says_so() {
    let Some(programs) = programs() else { return };
    let history = History::default().counter(r#"code="200""#, (0, 10), 0, 15).counter(r#"code="500""#, (0, 10), 0, 1);
    let server = Prometheus::over(programs, history).await;
    let probe = |query: &str| server.probe(MINUTE, MINUTE, PrometheusQuery::Value(query.into()), Some("http_requests_total"));
    let share = r#"sum(increase(http_requests_total{code="500"}[$window])) / sum(increase(http_requests_total[$window]))"#;
    let cases = [
        (share, "0.0625"),
        ("vector(0) / 0", "unknown: not a number (NaN)"),
        ("1 / vector(0)", "unknown: not a number (inf)"),
        ("http_requests_total", "unknown: not a number (2 series where one is meant)"),
        ("absent_series", "unknown: no data"),
    ];
    for (query, words) in cases {
        assert_eq!(probe(query).round(minutes(8)).await.outcome.words(), words, "{query}");
        assert_backfill_equals_live(&probe(query), minutes(5), minutes(10)).await;
    }
    let range_vector = probe("http_requests_total[1m]").round(minutes(8)).await;
    assert_eq!(range_vector.outcome.words(), "unknown: not a number (a range vector)");
    let wrong = probe("sum(").round(minutes(8)).await.outcome.words();
    assert!(wrong.starts_with("unknown: metrics server (HTTP status 400, bad_data: "), "{wrong}");
}

/// One policy with two instances: its one query, with `$cluster` put in, measures each cluster of a real server on its own.
#[tokio::test]
async fn one_query_measures_each_cluster_on_its_own() {
    let Some(programs) = programs() else { return };
    let history = History::default()
        .counter(r#"cluster="eu-1",code="200""#, (0, 30), 0, 15)
        .counter(r#"cluster="eu-1",code="500""#, (0, 30), 0, 5)
        .counter(r#"cluster="us-1",code="200""#, (0, 30), 0, 30);
    let server = Prometheus::over(programs, history).await;
    let agent = format!(
        "apiVersion: revertd.dev/v1alpha1\nkind: Agent\nspec:\n  journal: {{sqlite: journal.db}}\n  repositories: [{{name: manifests, url: \"file:///m\", \
         branch: main}}]\n  metrics: [{{name: main, prometheus: {{url: \"{}\"}}}}]\n",
        server.url()
    );
    let policy = r#"apiVersion: revertd.dev/v1alpha1
kind: RevertPolicy
metadata: {name: checkout}
spec:
  repository: manifests
  paths: ["apps/checkout/**"]
  instances:
    - {name: eu, cluster: eu-1}
    - {name: us, cluster: us-1}
    - {name: quoted, cluster: us-1, labels: {code: '200"} or http_requests_total{code="500'}}
  slos:
    - name: errors
      indicator:
        prometheus:
          server: main
          every: 5m
          good: 'sum(increase(http_requests_total{cluster="$cluster",code!~"5.."}[$window]))'
          total: 'sum(increase(http_requests_total{cluster="$cluster"}[$window]))'
          freshness: 'http_requests_total{cluster="$cluster"}'
      objective: {target: 99%}
      alerts: [{burnRate: {factor: 10, long: 1h, short: 5m}}]
"#;
    let measured = async |policy: String| {
        let loaded = config::load_texts(("agent.yaml", &agent), &[("policy.yaml".to_owned(), policy)]).unwrap();
        let mut probing = Probing::new(&loaded.agent, &loaded.policies, minutes(20)).unwrap();
        probing.start_due(minutes(20));
        let rounds = probing.finish().await;
        rounds.into_iter().map(|measured| (measured.series.instance.to_string(), measured.round)).collect::<BTreeMap<String, Round>>()
    };
    let rounds = measured(policy.to_owned()).await;
    assert_eq!(counted(&rounds["eu"]), (300.0, 400.0));
    assert_eq!(counted(&rounds["us"]), (600.0, 600.0));
    // A label's value stays inside its string, whatever is in it: no series has such a code.
    let labels = policy.replace("cluster=\"$cluster\"", "cluster=\"$cluster\",code=\"$code\"");
    let labels = labels
        .replace("cluster: eu-1}", "cluster: eu-1, labels: {code: '500'}}")
        .replace("name: us, cluster: us-1}", "name: us, cluster: us-1, labels: {code: '200'}}");
    let rounds = measured(labels).await;
    assert_eq!(counted(&rounds["eu"]), (0.0, 100.0));
    assert_eq!(counted(&rounds["us"]), (600.0, 600.0));
    assert_eq!(rounds["quoted"].outcome, Outcome::Unknown(Unknown::NoData));
}

/// What each version did comes from the label, and from nothing that the server did not tell.
#[tokio::test]
async fn versions_are_told_apart_by_their_label() {
    let Some(programs) = programs() else { return };
    let history = History::default()
        .counter(r#"version="v1.4",code="200""#, (0, 60), 0, 15)
        .counter(r#"version="v1.5",code="200""#, (40, 60), 0, 5)
        .counter(r#"version="v1.5",code="500""#, (40, 60), 0, 10)
        // A regular expression of `v1.4` matches it too, and the version does not.
        .counter(r#"version="v1x4",code="500""#, (0, 19), 0, 9);
    let mut server = Prometheus::over(programs, history).await;
    let probe = |label: &str| {
        let matched = format!(r#"http_requests_total{{{label}=~"$version"}}"#);
        let indicator = PrometheusIndicator {
            server: MetricsName::new("main"),
            every: FIVE_MINUTES,
            query: PrometheusQuery::Ratio {
                good: format!(r#"sum(increase(http_requests_total{{{label}=~"$version",code!~"5.."}}[$window]))"#),
                total: format!("sum(increase({matched}[$window]))"),
            },
            freshness: Some(matched),
            max_staleness: MINUTE,
            targets: None,
            version_label: Some(label.to_owned()),
        };
        PrometheusProbe::new(server.client(), &indicator)
    };
    let whole = probe("version").round(minutes(55)).await;
    assert_eq!(counted(&whole), (400.0, 600.0), "every version together");
    let Some(ToldVersions::Known(versions)) = probe("version").versions(minutes(55)).await else { panic!("it tells them") };
    let told: BTreeMap<&str, &Vec<Round>> = versions.iter().map(|version| (version.version.as_str(), &version.rounds)).collect();
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), ["v1.4", "v1.5", "v1x4"]);
    assert_eq!((told["v1.4"].last().unwrap().end, counted(told["v1.4"].last().unwrap())), (minutes(55), (300.0, 300.0)));
    assert_eq!((told["v1.5"].last().unwrap().end, counted(told["v1.5"].last().unwrap())), (minutes(55), (100.0, 300.0)));
    assert_eq!(told["v1.5"].first().unwrap().end, minutes(40), "it came then");
    assert_eq!(told["v1x4"].last().unwrap().end, minutes(20), "it went then, and five minutes later nothing of it is seen");
    // Not one word of it where the label is another's, and where nobody answers.
    let unknown = probe("release").versions(minutes(55)).await;
    assert_eq!(unknown, Some(ToldVersions::Unknown { why: "no series of `freshness` has the label `release`".to_owned() }));
    let probe = probe("version");
    server.stop();
    assert!(matches!(probe.versions(minutes(55)).await, Some(ToldVersions::Unknown { .. })));
}
