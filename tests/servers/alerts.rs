//! A real Prometheus whose rules fire at once, and a real Alertmanager with a silence.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use revertd::engine::alert_source::AlertSelector;
use revertd::engine::round::{Outcome, Unknown};
use revertd::engine::time::Timestamp;
use revertd::net::address::AddressRules;
use revertd::net::client::{Client, Request};
use revertd::probe::Probe;
use revertd::probe::alert::{AlertApi, AlertProbe, AlertServer};
use tempfile::TempDir;

use crate::support::{ChildGuard, eventually, find_program, free_port, skip_or_fail};

/// Two rules that fire, one that waits, one that has nothing to say and one that cannot be evaluated.
const RULES: &str = r#"
groups:
  - name: shop
    interval: 1s
    rules:
      - {alert: Errors, expr: 'vector(1)', labels: {app: checkout, severity: page}}
      - {alert: Errors, expr: 'vector(1)', labels: {app: payments, severity: page}}
      - {alert: Slow, expr: 'vector(1)', for: 1h, labels: {app: checkout}}
      - {alert: Quiet, expr: 'vector(1) > 2', labels: {app: checkout}}
      - {alert: Broken, expr: 'label_replace(vector(1), "9", "x", "", "")', labels: {app: checkout}}
"#;

struct Servers {
    folder: TempDir,
    amtool: PathBuf,
    prometheus: u16,
    alertmanager: u16,
    running: Vec<ChildGuard>,
}

fn flag(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

fn client() -> Client {
    Client::new(AddressRules::for_operator()).unwrap()
}

impl Servers {
    async fn start() -> Option<Self> {
        let manager = find_program("prometheus-alertmanager").or_else(|| find_program("alertmanager"));
        let (Some(prometheus), Some(manager), Some(amtool)) = (find_program("prometheus"), manager, find_program("amtool")) else {
            skip_or_fail("prometheus, prometheus-alertmanager and amtool");
            return None;
        };
        let mut servers =
            Self { folder: tempfile::tempdir().unwrap(), amtool, prometheus: free_port(), alertmanager: free_port(), running: Vec::new() };
        let file = |name: &str, text: &str| {
            let path = servers.folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let rules = file("rules.yml", RULES);
        let configuration = file(
            "prometheus.yml",
            &format!(
                "global: {{evaluation_interval: 1s}}\nrule_files: ['{}']\nalerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]}}\n",
                rules.display(),
                servers.alertmanager
            ),
        );
        let routes = file("alertmanager.yml", "route: {receiver: none, group_wait: 1s}\nreceivers: [{name: none}]\n");
        let mut command = Command::new(manager);
        command
            .arg(flag("--config.file", &routes))
            .arg(flag("--storage.path", &servers.folder.path().join("alertmanager")))
            .arg(format!("--web.listen-address=127.0.0.1:{}", servers.alertmanager))
            .arg("--cluster.listen-address=");
        let alertmanager = ChildGuard::start(&mut command);
        let mut command = Command::new(prometheus);
        command
            .arg(flag("--config.file", &configuration))
            .arg(flag("--storage.tsdb.path", &servers.folder.path().join("data")))
            // It sends alerts before it has found the Alertmanager, and again after a minute unless told otherwise.
            .arg("--rules.alert.resend-delay=1s")
            .arg(format!("--web.listen-address=127.0.0.1:{}", servers.prometheus));
        let prometheus = ChildGuard::start(&mut command);
        servers.running = vec![alertmanager, prometheus];
        for port in [servers.alertmanager, servers.prometheus] {
            let ready = Request::get(format!("http://127.0.0.1:{port}/-/ready"), Duration::from_secs(5));
            let client = client();
            eventually("the server is ready", async || client.send(&ready).await.ok().filter(|answer| answer.status == 200)).await;
        }
        Some(servers)
    }

    fn probe(&self, api: AlertApi, name: &str) -> AlertProbe {
        let port = if api == AlertApi::Prometheus { self.prometheus } else { self.alertmanager };
        let server = AlertServer { url: format!("http://127.0.0.1:{port}"), api, headers: Vec::new(), bearer_token_file: None };
        let labels = BTreeMap::from([("app".to_owned(), "checkout".to_owned())]);
        let selector = AlertSelector { name: name.to_owned(), labels };
        AlertProbe::new(client(), server, selector, Duration::from_secs(60), Duration::from_secs(10))
    }

    async fn outcome(&self, api: AlertApi, name: &str) -> Outcome {
        self.probe(api, name).round(now()).await.outcome
    }
}

fn manager() -> AlertApi {
    AlertApi::Alertmanager { watchdog: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_makes_a_firing_alert_unknown_and_nothing_else() {
    let Some(servers) = Servers::start().await else { return };
    eventually("the alert fires", async || matches!(servers.outcome(manager(), "Errors").await, Outcome::Bad(_)).then_some(())).await;
    let silenced = Command::new(&servers.amtool)
        .arg(format!("--alertmanager.url=http://127.0.0.1:{}", servers.alertmanager))
        .args(["silence", "add", "--author=ops", "--comment=known", "--duration=1h", "alertname=Errors", "app=checkout"])
        .output()
        .unwrap();
    assert!(silenced.status.success(), "{}", String::from_utf8_lossy(&silenced.stderr));
    let id = String::from_utf8(silenced.stdout).unwrap().trim().to_owned();
    let expected = Outcome::Unknown(Unknown::Undecided { detail: format!("`Errors` is silenced by {id}") });
    eventually("the silence counts", async || (servers.outcome(manager(), "Errors").await == expected).then_some(())).await;
    // The same alert of another service is not silenced, and an absent watchdog makes everything unknown.
    let watchdog = |app: &str| {
        let labels = BTreeMap::from([("app".to_owned(), app.to_owned())]);
        AlertApi::Alertmanager { watchdog: Some(AlertSelector { name: "Errors".to_owned(), labels }) }
    };
    assert!(matches!(servers.outcome(watchdog("payments"), "Quiet").await, Outcome::Good(_)));
    assert!(matches!(servers.outcome(watchdog("search"), "Quiet").await, Outcome::Unknown(Unknown::Undecided { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_knows_its_rules() {
    let Some(servers) = Servers::start().await else { return };
    let outcome = async |name: &str| servers.outcome(AlertApi::Prometheus, name).await;
    eventually("the alert fires", async || matches!(outcome("Errors").await, Outcome::Bad(_)).then_some(())).await;
    let pending = Unknown::Undecided { detail: "`Slow` is pending".to_owned() };
    eventually("the alert waits", async || (outcome("Slow").await == Outcome::Unknown(pending.clone())).then_some(())).await;
    eventually("the alert is quiet", async || matches!(outcome("Quiet").await, Outcome::Good(_)).then_some(())).await;
    assert_eq!(outcome("NoSuchRule").await, Outcome::Unknown(Unknown::NoData));
    eventually("the rule fails", async || match outcome("Broken").await {
        Outcome::Unknown(Unknown::ServerError { detail }) => detail.contains("invalid destination label name").then_some(()),
        _ => None,
    })
    .await;
}
