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

use crate::binary::{Setting, World};
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
        Self::with(RULES, "").await
    }

    /// The same with other rules, and with what is scraped.
    async fn with(rules: &str, scrapes: &str) -> Option<Self> {
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
        let rules = file("rules.yml", rules);
        let configuration = file(
            "prometheus.yml",
            &format!(
                "global: {{evaluation_interval: 1s}}\nrule_files: ['{}']\nalerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]}}\n{scrapes}",
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

/// The alert of the story, and one that always fires.
const STORY: &str = r#"
groups:
  - name: story
    interval: 1s
    rules:
      - {alert: CheckoutErrors, expr: 'increase(http_requests_total{code=~"5.."}[4s]) > 0', labels: {app: checkout}}
      - {alert: Watchdog, expr: 'vector(1)'}
"#;

impl Servers {
    fn amtool(&self, args: &[&str]) -> String {
        let output = Command::new(&self.amtool)
            .arg(format!("--alertmanager.url=http://127.0.0.1:{}", self.alertmanager))
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A world whose one SLO is the alert, asked of the server of this name.
    async fn story(&self, world: &World, server: &str, mode: &'static str) {
        let mut setting = Setting::of(mode);
        setting.agent = format!(
            "  metrics:\n    - {{name: alerts, alertmanager: {{url: 'http://127.0.0.1:{}'}}}}\n    - {{name: main, prometheus: {{url: 'http://127.0.0.1:{}'}}}}\n",
            self.alertmanager, self.prometheus
        );
        setting.slos = Some(format!(
            "    - name: alert\n      indicator: {{alert: {{server: {server}, name: CheckoutErrors, labels: {{app: checkout}}, every: 1s}}}}\n      \
             alerts: [{{failing: {{count: 3, of: 5}}}}]\n"
        ));
        world.configure(&setting);
        eventually("the watchdog is there", async || (!self.amtool(&["alert", "query", "Watchdog"]).is_empty()).then_some(())).await;
    }
}

fn scrapes(world: &World) -> String {
    format!(
        "scrape_configs:\n  - job_name: checkout\n    scrape_interval: 1s\n    scrape_timeout: 1s\n    \
         static_configs: [{{targets: ['127.0.0.1:{}']}}]\n",
        world.port()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_of_prometheus_is_reverted_and_recovers() {
    let world = World::new().await;
    let Some(servers) = Servers::with(STORY, &scrapes(&world)).await else { return };
    servers.story(&world, "main", "merge").await;
    let _running = world.start();
    world.break_service_after(200).await;
    world.assert_recovered().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silenced_alert_opens_nothing_until_the_silence_ends() {
    let world = World::new().await;
    let Some(servers) = Servers::with(STORY, &scrapes(&world)).await else { return };
    servers.story(&world, "alerts", "propose").await;
    let _running = world.start();
    world.healthy_answers(200).await;
    let silence = servers.amtool(&["silence", "add", "--author=ops", "--comment=known", "--duration=1h", "alertname=CheckoutErrors"]);
    world.commit(crate::binary::BAD);
    eventually("the alert is silenced", async || {
        (!servers.amtool(&["alert", "query", "--silenced", "CheckoutErrors"]).is_empty()).then_some(())
    })
    .await;
    let status = || String::from_utf8(world.command(&["status"]).stdout).unwrap();
    world.until("the rounds are unknown", || status().matches("silenced by").count() >= 4).await;
    assert_eq!((world.proposals(), world.incidents().len()), (String::new(), 0), "{}", world.log());
    servers.amtool(&["silence", "expire", &silence]);
    world.until("it is proposed", || !world.proposals().is_empty()).await;
}
