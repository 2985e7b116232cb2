//! `revertd backtest` with the real program, over the blocks that promtool makes of three weeks and the Git history of the same time: a bad
//! deploy that a person reverted, an outage of something shared, and a quiet rest.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use revertd::engine::change::Person;
use revertd::engine::id::CommitId;
use revertd::engine::time::Timestamp;
use revertd::git::scratch::{FileEdit, ScratchRepository, Signed};
use revertd::net::address::AddressRules;
use revertd::net::client::{Client, Request};
use serde_json::Value;
use tempfile::TempDir;

use crate::binary::text;
use crate::support::{ChildGuard, eventually, find_program, free_port, skip_or_fail};

const SERVICES: [&str; 3] = ["checkout", "payments", "search"];
const SCRAPE: i64 = 60;
const MINUTE: i64 = 60;
const DAY: i64 = 24 * 3600;
const DAYS: i64 = 21;
/// Requests between two scrapes.
const REQUESTS: u64 = 60;

/// The history, in seconds since its beginning.
const BAD_DEPLOY: i64 = 8 * DAY + 10 * 3600;
/// A person reverts it this much later, and the service is well two minutes after that.
const REVERT: i64 = BAD_DEPLOY + 47 * MINUTE;
/// An innocent deploy, and minutes later everything fails for half an hour.
const INNOCENT: i64 = 14 * DAY + 3 * 3600;
const OUTAGE: i64 = INNOCENT + 4 * MINUTE;
const OUTAGE_END: i64 = OUTAGE + 30 * MINUTE;

/// A clone, a Prometheus and policies.
struct World {
    folder: TempDir,
    port: u16,
    bad: CommitId,
    revert: CommitId,
    _server: ChildGuard,
}

/// Midnight three weeks ago, so that everything lies within what is asked for.
fn beginning() -> i64 {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    now - now.rem_euclid(DAY) - DAYS * DAY
}

fn deployment(service: &str, version: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {service}}}\nspec:\n  replicas: 3\n  template:\n    spec:\n      \
         containers:\n        - name: {service}\n          image: registry.shop.example/{service}:{version}\n"
    )
}

fn policy(service: &str) -> String {
    format!(
        r#"apiVersion: revertd.dev/v1alpha1
kind: RevertPolicy
metadata: {{name: {service}}}
spec:
  repository: manifests
  paths: ["apps/{service}/**"]
  sync: {{lag: 2m}}
  slos:
    - name: availability
      indicator:
        prometheus:
          server: main
          every: 4m
          good: 'sum(increase(http_requests_total{{app="{service}",code!~"5.."}}[$window]))'
          total: 'sum(increase(http_requests_total{{app="{service}"}}[$window]))'
          freshness: 'http_requests_total{{app="{service}"}}'
      objective: {{target: 99%, timeWindow: 30d}}
      alerts: [{{burnRate: {{factor: 10, long: 12m, short: 4m, sinceChange: true}}, minEvents: 100}}]
    - name: journey
      indicator: {{http: {{url: 'https://{service}.shop.example/', unreachable: bad}}}}
  revert: {{mode: merge}}
"#
    )
}

/// The line: a bump of some service every eight hours, and the events of the story.
fn history(repository: &ScratchRepository, begin: i64) -> (CommitId, CommitId) {
    let robin = Person { name: "Robin".to_owned(), email: "robin@shop.example".to_owned() };
    let commit = |at: i64, message: &str, edits: &[(&str, String)]| {
        let edits: Vec<FileEdit> = edits
            .iter()
            .map(|(service, version)| FileEdit::Write {
                path: format!("apps/{service}/deployment.yaml"),
                content: deployment(service, version).into_bytes(),
            })
            .collect();
        repository.commit("main", Signed { person: &robin, at: Timestamp::from_secs(begin + at), message }, &edits).unwrap()
    };
    let first: Vec<(&str, String)> = SERVICES.map(|service| (service, "1.0.0".to_owned())).into();
    commit(-DAY, "Add the services", &first);
    let mut events: Vec<(i64, &str, String)> = (1..DAYS * 3 - 1)
        .map(|number| (number * 8 * 3600, SERVICES[usize::try_from(number % 3).unwrap()], format!("1.0.{number}")))
        .filter(|(at, ..)| (at - BAD_DEPLOY).abs() > 4 * 3600)
        .collect();
    events.push((BAD_DEPLOY, "checkout", "1.5.0".to_owned()));
    events.push((INNOCENT, "payments", "1.4.0".to_owned()));
    events.sort();
    let mut found = None;
    for (at, service, version) in events {
        let made = commit(at, &format!("Bump {service} to {version}"), &[(service, version)]);
        if at == BAD_DEPLOY {
            let message = format!("Revert \"Bump checkout to 1.5.0\"\n\nThis reverts commit {made}.\n");
            let signed = Signed { person: &robin, at: Timestamp::from_secs(begin + REVERT), message: &message };
            found = Some((made, repository.revert("main", made, signed).unwrap()));
        }
    }
    found.unwrap()
}

/// Counters of all services: one failure in ten scrapes, half of all requests while the bad version runs, all of them in the outage.
fn samples(begin: i64) -> String {
    let mut written = "# TYPE http_requests counter\n".to_owned();
    for service in SERVICES {
        let (mut good, mut failed) = (0, 0);
        let mut series = [String::new(), String::new()];
        for at in (0..DAYS * DAY).step_by(usize::try_from(SCRAPE).unwrap()) {
            let broken = service == "checkout" && (BAD_DEPLOY + MINUTE..REVERT + 2 * MINUTE).contains(&at);
            let failures = match at {
                OUTAGE..OUTAGE_END => REQUESTS,
                _ if broken => REQUESTS / 2,
                _ => u64::from(at % (10 * SCRAPE) == 0),
            };
            good += REQUESTS - failures;
            failed += failures;
            for (text, (code, count)) in series.iter_mut().zip([("200", good), ("500", failed)]) {
                writeln!(text, "http_requests_total{{app=\"{service}\",code=\"{code}\"}} {count} {}", begin + at).unwrap();
            }
        }
        written.extend(series);
    }
    written + "# EOF\n"
}

impl World {
    async fn new() -> Option<Self> {
        let (Some(prometheus), Some(promtool)) = (find_program("prometheus"), find_program("promtool")) else {
            skip_or_fail("prometheus");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let begin = beginning();
        let repository = ScratchRepository::init(&folder.path().join("manifests.git"), "main").unwrap();
        let (bad, revert) = history(&repository, begin);
        std::fs::create_dir(folder.path().join("policies")).unwrap();
        for service in SERVICES {
            // One names where it runs.
            let place = if service == "search" { "  sync: {lag: 2m}\n  instances: [{cluster: eu-1}]\n" } else { "  sync: {lag: 2m}\n" };
            let policy = policy(service).replace("  sync: {lag: 2m}\n", place);
            std::fs::write(folder.path().join(format!("policies/{service}.yaml")), policy).unwrap();
        }
        let (input, data) = (folder.path().join("samples.txt"), folder.path().join("data"));
        std::fs::write(&input, samples(begin)).unwrap();
        let made = Command::new(promtool).args(["tsdb", "create-blocks-from", "openmetrics"]).args([&input, &data]).output().unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
        let configuration = folder.path().join("prometheus.yml");
        std::fs::write(&configuration, "scrape_configs: []\n").unwrap();
        let port = free_port();
        let mut command = Command::new(prometheus);
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let server = ChildGuard::start(&mut command);
        let client = Client::new(AddressRules::for_operator()).unwrap();
        let ready = Request::get(format!("http://127.0.0.1:{port}/-/ready"), Duration::from_secs(5));
        eventually("Prometheus is ready", async || client.send(&ready).await.ok().filter(|answer| answer.status == 200)).await;
        Some(Self { folder, port, bad, revert, _server: server })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn backtest(&self, more: &[&str]) -> Output {
        let url = format!("http://127.0.0.1:{}", self.port);
        run(&self.file("manifests.git"), &url, &self.file("policies"), more)
    }

    /// Every file of the clone with its size.
    fn clone_files(&self) -> Vec<(PathBuf, u64)> {
        fn walk(folder: &std::path::Path, found: &mut Vec<(PathBuf, u64)>) {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true => walk(&entry.path(), found),
                    false => found.push((entry.path(), entry.metadata().unwrap().len())),
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.file("manifests.git"), &mut found);
        found.sort();
        found
    }
}

fn run(repo: &std::path::Path, url: &str, policies: &std::path::Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_revertd"));
    command.arg("backtest").arg("--repo").arg(repo).arg("--prometheus").arg(url).arg("--policy").arg(policies).args(more);
    // Without a home and an identity: it commits nothing.
    command.env("HOME", "/nonexistent").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    command.output().unwrap()
}

/// The incidents of a policy in an answer.
fn incidents<'a>(report: &'a Value, policy: &str) -> Vec<&'a Value> {
    report["incidents"].as_array().unwrap().iter().filter(|incident| incident["policy"] == policy).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bad_deploy_is_found_sooner_than_by_people_and_the_outage_is_not_merged() {
    let Some(world) = World::new().await else { return };
    let before = world.clone_files();
    let output = world.backtest(&["--since", "22d", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // Standard error is no terminal, so there is no bar.
    assert_eq!(text(&output.stderr), "");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let begin = beginning();

    let of_checkout = incidents(&report, "checkout");
    let found = of_checkout.first().unwrap_or_else(|| panic!("{report:#}"));
    assert_eq!(found["suspects"][0]["commit"], world.bad.to_string(), "{found:#}");
    assert_eq!((found["suspects"].as_array().map(Vec::len), &found["deed"]), (Some(1), &Value::from("merge")), "{found:#}");
    let acted = found["proposedAt"].as_i64().unwrap() / 1000 - begin;
    assert!((BAD_DEPLOY..BAD_DEPLOY + 20 * MINUTE).contains(&acted), "{acted} {found:#}");
    let people = &found["people"];
    assert_eq!((&people["did"], &people["commit"]), (&Value::from("revertedSuspect"), &Value::from(world.revert.to_string())));
    assert_eq!(people["laterMillis"], (REVERT - acted) * 1000);

    let outage: Vec<&Value> =
        report["incidents"].as_array().unwrap().iter().filter(|one| one["began"].as_i64() >= Some((begin + OUTAGE) * 1000)).collect();
    assert_eq!(outage.len(), 3, "{report:#}");
    assert!(outage.iter().all(|incident| incident["deed"] != "merge"), "{outage:#?}");
    let places: Vec<&Value> = outage.iter().map(|incident| &incident["instance"]).filter(|place| !place.is_null()).collect();
    assert_eq!(places, [&Value::from("eu-1")], "{outage:#?}");
    assert_eq!(report["incidents"].as_array().map(Vec::len), Some(4), "{report:#}");

    let summary = &report["summary"];
    assert_eq!((&summary["incidents"], &summary["merged"], &summary["agreed"]), (&4.into(), &1.into(), &1.into()), "{summary:#}");
    assert_eq!((&summary["wrong"], &summary["mergedAgainstPeople"]), (&0.into(), &0.into()), "{summary:#}");
    assert_eq!((&summary["humanReverts"], &summary["humanRevertsFound"]), (&1.into(), &1.into()), "{summary:#}");
    assert_eq!(summary["medianSoonerMillis"], (REVERT - acted) * 1000);
    assert_eq!((&report["scope"]["branch"], &report["scope"]["landingTimes"]), (&"main".into(), &"commitDates".into()));
    let left_out = report["scope"]["leftOut"].as_array().unwrap();
    assert_eq!((left_out.len(), &left_out[0]["slo"]), (3, &"journey".into()));
    assert_eq!(world.clone_files(), before, "nothing is written into the clone");

    let shown = text(&world.backtest(&["--since", "22d"]).stdout);
    for part in [
        "Commit dates stand in for landing times",
        "Left out: the SLO `journey` of `search`",
        "People made 1 of them by hand, which it would have done ",
        "IT WOULD HAVE",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    bad_input_is_answered(&world);
}

/// What cannot be meant ends with a sentence, a cause and a hint.
fn bad_input_is_answered(world: &World) {
    let said = |output: Output, code: i32, parts: &[&str]| {
        let stderr = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{stderr}");
        assert!(stderr.starts_with("error: ") && parts.iter().all(|part| stderr.contains(part)), "{parts:?}\n{stderr}");
    };
    let (url, clone, policies) = (format!("http://127.0.0.1:{}", world.port), world.file("manifests.git"), world.file("policies"));
    said(run(&world.file("none"), &url, &policies, &[]), 1, &["cannot read the clone", "\ncaused by: ", "\nhint: "]);
    said(run(&clone, &url, &policies, &["--branch", "nowhere"]), 1, &["\ncaused by: `nowhere` names no commit", "\nhint: "]);
    let nobody = format!("http://127.0.0.1:{}", free_port());
    said(run(&clone, &nobody, &policies, &[]), 1, &["cannot ask the metrics server", "\ncaused by: connection refused", "\nhint: "]);
    said(run(&clone, "prometheus:9090", &policies, &[]), 1, &["cannot ask the metrics server", "\ncaused by: ", "\nhint: "]);
    said(run(&clone, &format!("{url}/graph"), &policies, &[]), 1, &["no Prometheus", "HTTP status 404", "\nhint: "]);
    said(run(&clone, &url, &policies, &["--since", "soon"]), 2, &["write a duration such as `90d`"]);
    said(run(&clone, &url, &policies, &["--repository", "other"]), 2, &["no policy is of the repository `other`", "\nhint: "]);
    said(run(&clone, &url, &world.file("no-policies"), &[]), 1, &["no-policies"]);
    let write = |name: &str, content: &str| {
        std::fs::write(world.file(name), content).unwrap();
        world.file(name)
    };
    said(run(&clone, &url, &write("broken.yaml", "kind: RevertPolicy\n"), &[]), 5, &["broken.yaml"]);
    let probed = policy("checkout");
    let start = probed.find("    - name: availability").unwrap();
    let end = probed.find("    - name: journey").unwrap();
    let probed = write("probed.yaml", &format!("{}{}", &probed[..start], &probed[end..]));
    said(run(&clone, &url, &probed, &[]), 1, &["no SLO of the policies has a history", "\nhint: "]);
    let other = write("other.yaml", &policy("checkout").replace("http_requests_total", "no_such_metric"));
    said(run(&clone, &url, &other, &[]), 1, &["has no value for any SLO", "\nhint: "]);
    let nonsense = write("nonsense.yaml", &policy("checkout").replace("sum(increase(", "sum(no_such_function("));
    said(run(&clone, &url, &nonsense, &[]), 1, &["the SLO `availability` of the policy `checkout`", "\nhint: "]);
}
