//! Sync tools on this host: what Argo CD's API and that of a cluster with Flux answer, as a story sets it. The agent asks them with the real
//! client.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// What it says.
#[derive(Clone, Debug)]
enum Says {
    /// Nothing: it answers 503.
    Nothing,
    /// This application.
    Application(Box<Value>),
}

pub struct ArgoCd {
    says: Arc<Mutex<Says>>,
    others: Arc<Mutex<BTreeMap<String, Value>>>,
    runtime: Option<tokio::runtime::Runtime>,
    url: String,
    directory: tempfile::TempDir,
}

/// Whether it syncs by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Automation {
    On,
    Off,
}

impl ArgoCd {
    /// Answers nothing yet.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("token"), "canary-argo-51d2\n").unwrap();
        let says = Arc::new(Mutex::new(Says::Nothing));
        let answers = says.clone();
        let others: Arc<Mutex<BTreeMap<String, Value>>> = Arc::default();
        let told = others.clone();
        let router = Router::new().fallback(move |request: Request| {
            let authorized = request.headers().get("authorization").is_some_and(|value| value == "Bearer canary-argo-51d2");
            let says = answers.lock().unwrap().clone();
            let other = request.uri().path().strip_prefix("/api/v1/applications/").and_then(|name| told.lock().unwrap().get(name).cloned());
            let answer = match says {
                _ if !authorized => (StatusCode::UNAUTHORIZED, String::new()),
                _ if other.is_some() => (StatusCode::OK, other.unwrap_or_default().to_string()),
                _ if request.uri() != "/api/v1/applications/checkout" => (StatusCode::NOT_FOUND, String::new()),
                Says::Nothing => (StatusCode::SERVICE_UNAVAILABLE, json!({"message": "it is being upgraded"}).to_string()),
                Says::Application(application) => (StatusCode::OK, application.to_string()),
            };
            async move { answer }
        });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { says, others, runtime: Some(runtime), url, directory }
    }

    /// The lines of the agent file.
    pub fn lines(&self) -> String {
        format!("  sync: [{}]\n", self.named("argo"))
    }

    /// One sync source of the agent file.
    pub fn named(&self, name: &str) -> String {
        let token = self.directory.path().join("token");
        format!("{{name: {name}, argocd: {{url: \"{}\", tokenFile: \"{}\"}}}}", self.url, token.display())
    }

    /// A policy that follows it instead of assuming a lag.
    pub fn followed(policy: &str) -> String {
        assert!(policy.contains("sync: {lag: 2s}"), "{policy}");
        policy.replace("sync: {lag: 2s}", "sync: {source: argo, application: checkout}")
    }

    /// The same for a policy of another service, which follows an application of its name.
    pub fn followed_too(policy: &str, name: &str) -> String {
        policy.replace("sync: {lag: 2s}", &format!("sync: {{source: argo, application: {name}}}"))
    }

    /// It has synced this commit, and everything runs.
    pub fn runs(&self, commit: &str, automation: Automation) {
        *self.says.lock().unwrap() = Says::Application(Box::new(synced("checkout", commit, automation)));
    }

    /// Another application has synced this commit.
    pub fn runs_too(&self, name: &str, commit: &str) {
        self.others.lock().unwrap().insert(name.to_owned(), synced(name, commit, Automation::On));
    }

    /// It has tried this commit and failed, and runs what it had synced before.
    pub fn fails(&self, tried: &str, before: &str, message: &str) {
        *self.says.lock().unwrap() = Says::Application(Box::new(failed("checkout", tried, before, message)));
    }

    /// Another application has.
    pub fn fails_too(&self, name: &str, tried: &str, before: &str, message: &str) {
        self.others.lock().unwrap().insert(name.to_owned(), failed(name, tried, before, message));
    }

    /// It answers nothing any more.
    pub fn goes_down(&self) {
        *self.says.lock().unwrap() = Says::Nothing;
    }
}

fn application(name: &str, automation: Automation, status: Value) -> Value {
    let automated = if automation == Automation::On { json!({"prune": true, "selfHeal": true}) } else { Value::Null };
    json!({
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "shop",
            "source": {"repoURL": "https://github.com/shop/manifests.git", "path": format!("apps/{name}"), "targetRevision": "main"},
            "syncPolicy": {"automated": automated},
        },
        "status": status,
    })
}

fn synced(name: &str, commit: &str, automation: Automation) -> Value {
    let status = json!({
        "sync": {"status": "Synced", "revision": commit},
        "health": {"status": "Healthy"},
        "operationState": {
            "phase": "Succeeded",
            "message": "successfully synced (all tasks run)",
            "operation": {"sync": {"revision": commit}},
            "syncResult": {"revision": commit},
        },
    });
    application(name, automation, status)
}

fn failed(name: &str, tried: &str, before: &str, message: &str) -> Value {
    let status = json!({
        "sync": {"status": "OutOfSync", "revision": tried},
        "health": {"status": "Healthy"},
        "history": [{"id": 3, "revision": before, "deployedAt": "2026-11-21T03:00:00Z"}],
        "operationState": {
            "phase": "Failed",
            "message": message,
            "operation": {"sync": {"revision": tried}},
            "syncResult": {"revision": tried},
        },
    });
    application(name, Automation::On, status)
}

impl Drop for ArgoCd {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A Kubernetes API with one Kustomization of Flux: TLS by the `openssl` command, which serves a folder of whole HTTP answers.
pub struct Flux {
    folder: tempfile::TempDir,
    process: Child,
    url: String,
}

/// Whether Flux reconciles the Kustomization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciling {
    Goes,
    IsSuspended,
}

const KUSTOMIZATION: &str = "apis/kustomize.toolkit.fluxcd.io/v1/namespaces/shop/kustomizations/checkout";
const SOURCE: &str = "apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/manifests";

impl Flux {
    /// `None` where `openssl` is not installed.
    pub fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let made = Command::new("openssl")
            .args([
                "req",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-x509",
                "-days",
                "2",
                "-subj",
                "/CN=cluster",
            ])
            .args([
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-addext",
                "basicConstraints=CA:FALSE",
                "-keyout",
                "key.pem",
                "-out",
                "ca.pem",
            ])
            .current_dir(at)
            .stdin(Stdio::null())
            .output();
        let Ok(made) = made else {
            assert!(std::env::var_os("REVERTD_REQUIRE_SERVERS").is_none_or(|value| value != "1"), "openssl is not installed");
            println!("skipped: openssl is not installed");
            return None;
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut process = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert", "ca.pem", "-key", "key.pem", "-HTTP"])
            .current_dir(at)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = format!("https://{}", lines.find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned)).unwrap());
        // It writes on about every request, and must not wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: prod\n\
             clusters: [{{name: c, cluster: {{server: \"{url}\", certificate-authority: ca.pem}}}}]\n\
             users: [{{name: u, user: {{token: canary-flux-77}}}}]\ncontexts: [{{name: prod, context: {{cluster: c, user: u}}}}]\n"
        );
        std::fs::write(at.join("kubeconfig"), kubeconfig).unwrap();
        let flux = Self { folder, process, url };
        let ready = json!([{"type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1}]);
        flux.serve(SOURCE, &json!({"metadata": {"generation": 1}, "spec": {}, "status": {"observedGeneration": 1, "conditions": ready}}));
        Some(flux)
    }

    /// The lines of the agent file.
    pub fn lines(&self) -> String {
        assert!(!self.url.is_empty());
        format!("  sync: [{{name: cluster, flux: {{kubeconfig: \"{}\"}}}}]\n", self.folder.path().join("kubeconfig").display())
    }

    /// A policy that follows it instead of assuming a lag.
    pub fn followed(policy: &str) -> String {
        policy.replace("sync: {lag: 2s}", "sync: {source: cluster, kustomization: {namespace: shop, name: checkout}}")
    }

    /// It has applied this commit, and everything runs.
    pub fn runs(&self, commit: &str, reconciling: Reconciling) {
        let revision = format!("main@sha1:{commit}");
        let ready = json!([{"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded", "message": "Applied revision", "observedGeneration": 3}]);
        self.serve(
            KUSTOMIZATION,
            &json!({
                "metadata": {"name": "checkout", "namespace": "shop", "generation": 3},
                "spec": {
                    "interval": "10m0s", "path": "./apps/checkout", "prune": true, "wait": true,
                    "suspend": reconciling == Reconciling::IsSuspended,
                    "sourceRef": {"kind": "GitRepository", "name": "manifests", "namespace": "flux-system"},
                },
                "status": {"observedGeneration": 3, "lastAttemptedRevision": revision, "lastAppliedRevision": revision, "conditions": ready},
            }),
        );
    }

    fn serve(&self, path: &str, object: &Value) {
        let (path, body) = (self.folder.path().join(path), object.to_string());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        // Whole at once: the server may be reading.
        let new = path.with_extension("new");
        std::fs::write(&new, answer).unwrap();
        std::fs::rename(new, path).unwrap();
    }
}

impl Drop for Flux {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A metrics server that knows one thing: the commit that runs, in the label `revision`.
pub struct Builds {
    runs: Arc<Mutex<String>>,
    runtime: Option<tokio::runtime::Runtime>,
    url: String,
}

impl Builds {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let runs = Arc::new(Mutex::new(String::new()));
        let running = runs.clone();
        let router = Router::new().fallback(move || {
            let series = json!([{"metric": {"revision": running.lock().unwrap().clone()}, "value": [1, "2"]}]);
            let answer = json!({"status": "success", "data": {"resultType": "vector", "result": series}}).to_string();
            async move { answer }
        });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { runs, runtime: Some(runtime), url }
    }

    /// The lines of the agent file.
    pub fn lines(&self) -> String {
        format!(
            "  metrics: [{{name: main, prometheus: {{url: \"{}\"}}}}]\n  sync: [{{name: builds, revisionMetric: {{server: main}}}}]\n",
            self.url
        )
    }

    /// A policy that follows it instead of assuming a lag.
    pub fn followed(policy: &str) -> String {
        policy.replace("sync: {lag: 2s}", "sync: {source: builds, query: \"count by (revision) (build_info)\"}")
    }

    /// This commit runs.
    pub fn run(&self, commit: &str) {
        commit.clone_into(&mut self.runs.lock().unwrap());
    }
}

impl Drop for Builds {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
