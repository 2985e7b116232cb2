//! How a cluster's API is reached: from inside, as a service account, or by a kubeconfig file.
//!
//! Both are read again at every look, so that rotated tokens and certificates are picked up. Only what authenticates by itself is taken:
//! a kubeconfig that would run a program for its credentials, switch verification off or go over a proxy is refused with a sentence,
//! because an agent must not do at night what nobody saw it do by day.
//!
//! Source of the formats: the Kubernetes documentation, "Accessing the Kubernetes API from a Pod" and "kubeconfig (v1)".

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::secret::Secret;
use super::server::{Material, Server};

/// Where Kubernetes puts a pod's token and the cluster's certificate authority.
pub const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The longest kubeconfig that is read, in bytes.
const LONGEST_KUBECONFIG: u64 = 4 * 1024 * 1024;

/// How one cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubernetesAccess {
    /// From inside.
    InCluster {
        /// `KUBERNETES_SERVICE_HOST`.
        host: String,
        /// `KUBERNETES_SERVICE_PORT`.
        port: u16,
        /// The folder with `token` and `ca.crt`: [`SERVICE_ACCOUNT`] but for a test.
        folder: PathBuf,
    },
    /// By a kubeconfig.
    Kubeconfig {
        /// The file. Relative paths in it are relative to it.
        path: PathBuf,
        /// One of its contexts; its `current-context` without it.
        context: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kubeconfig {
    current_context: Option<String>,
    #[serde(default)]
    contexts: Vec<NamedContext>,
    #[serde(default)]
    clusters: Vec<NamedCluster>,
    #[serde(default)]
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Deserialize)]
struct Context {
    cluster: String,
    user: Option<String>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    insecure_skip_tls_verify: Option<bool>,
    tls_server_name: Option<String>,
    proxy_url: Option<String>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    exec: Option<IgnoredAny>,
    auth_provider: Option<IgnoredAny>,
    username: Option<IgnoredAny>,
    #[serde(rename = "as")]
    impersonated: Option<IgnoredAny>,
}

// === impl KubernetesAccess ===

impl KubernetesAccess {
    /// The server.
    ///
    /// # Errors
    /// Why it cannot be asked, as a sentence without a full stop.
    pub fn server(&self) -> Result<Server, String> {
        match self {
            Self::InCluster { host, port, folder } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                Ok(Server::new(&format!("https://{host}:{port}"))
                    .with_token(Some(Material::File(folder.join("token"))))
                    .with_authorities(Some(Material::File(folder.join("ca.crt")))))
            }
            Self::Kubeconfig { path, context } => {
                let say = |why: String| format!("the kubeconfig {}: {why}", path.display());
                let text = read(path).map_err(say)?;
                // What the parser says may quote the file.
                let config: Kubeconfig = serde_yaml::from_str(text.expose()).map_err(|_| say("it is no kubeconfig in YAML".into()))?;
                config.server(context.as_deref(), path.parent().unwrap_or(Path::new("."))).map_err(say)
            }
        }
    }
}

fn read(path: &Path) -> Result<Secret, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > LONGEST_KUBECONFIG {
        return Err("it is longer than 4 MiB".into());
    }
    std::fs::read_to_string(path).map(Secret::new).map_err(|error| error.to_string())
}

// === impl Kubeconfig ===

impl Kubeconfig {
    fn server(self, context: Option<&str>, folder: &Path) -> Result<Server, String> {
        let wanted = context.map(str::to_owned).or(self.current_context).filter(|name| !name.is_empty());
        let wanted = wanted.ok_or("it has no `current-context`, and no context is named")?;
        let context = self.contexts.into_iter().find(|context| context.name == wanted);
        let context = context.ok_or_else(|| format!("it has no context `{wanted}`"))?.context;
        let cluster = self.clusters.into_iter().find(|cluster| cluster.name == context.cluster);
        let cluster = cluster.ok_or_else(|| format!("it has no cluster `{}`", context.cluster))?.cluster;
        let user = match context.user {
            Some(name) => {
                let user = self.users.into_iter().find(|user| user.name == name);
                user.ok_or_else(|| format!("it has no user `{name}`"))?.user
            }
            None => User::default(),
        };
        cluster.check()?;
        user.check()?;
        let authorities = material("certificate-authority", cluster.certificate_authority, cluster.certificate_authority_data, folder)?;
        let certificate = material("client-certificate", user.client_certificate, user.client_certificate_data, folder)?;
        let key = material("client-key", user.client_key, user.client_key_data, folder)?;
        let token = match (user.token_file, user.token.filter(|token| !token.is_empty())) {
            (Some(path), _) => Some(Material::File(folder.join(path))),
            (None, token) => token.map(|token| Material::Text(Secret::new(token))),
        };
        let server = Server::new(&cluster.server).with_authorities(authorities);
        match (certificate, key, token) {
            (Some(certificate), Some(key), token) => Ok(server.with_identity(certificate, key).with_token(token)),
            (None, None, Some(token)) => Ok(server.with_token(Some(token))),
            (None, None, None) => Err("its user has neither a token nor a client certificate".into()),
            _ => Err("its user has a client certificate without a key, or a key without a certificate".into()),
        }
    }
}

impl Cluster {
    fn check(&self) -> Result<(), String> {
        if self.insecure_skip_tls_verify == Some(true) {
            return Err("`insecure-skip-tls-verify` is not supported: name the cluster's `certificate-authority`".into());
        }
        if self.tls_server_name.is_some() {
            return Err("`tls-server-name` is not supported: use an address that the certificate names".into());
        }
        if self.proxy_url.is_some() {
            return Err("`proxy-url` is not supported: the cluster must be reached directly".into());
        }
        if !self.server.starts_with("https://") {
            return Err("`server` is no https address".into());
        }
        Ok(())
    }
}

impl User {
    fn check(&self) -> Result<(), String> {
        let service_account = "use a service account's token or a client certificate";
        let unsupported = [
            (self.exec.is_some(), "it runs a program for its credentials (`exec`)"),
            (self.auth_provider.is_some(), "it uses an `auth-provider`"),
            (self.username.is_some(), "it uses a user name and a password"),
            (self.impersonated.is_some(), "it impersonates another user (`as`)"),
        ];
        match unsupported.iter().find(|(is, _)| *is) {
            Some((_, what)) => Err(format!("{what}, which is not supported: {service_account}")),
            None => Ok(()),
        }
    }
}

/// As `kubectl` does, inline data wins over a file.
fn material(name: &str, path: Option<PathBuf>, data: Option<String>, folder: &Path) -> Result<Option<Material>, String> {
    if let Some(data) = data.filter(|data| !data.is_empty()) {
        let decoded = STANDARD.decode(data.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        return match decoded {
            Some(text) => Ok(Some(Material::Text(Secret::new(text)))),
            None => Err(format!("its `{name}-data` is no base64 of a PEM text")),
        };
    }
    Ok(path.map(|path| Material::File(folder.join(path))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &str = "{server: 'https://10.0.0.1:6443', certificate-authority: ca.crt}";

    fn kubeconfig(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: prod\npreferences: {{}}\n\
             contexts: [{{name: prod, context: {{cluster: c, user: u, namespace: shop}}}}, {{name: gone, context: {{cluster: x, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {cluster}}}]\nusers: [{{name: u, user: {user}}}]\n"
        )
    }

    fn server(text: &str, context: Option<&str>) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, text).unwrap();
        let access = KubernetesAccess::Kubeconfig { path, context: context.map(str::to_owned) };
        let shown = |text: String| text.replace(&folder.path().display().to_string(), "…");
        access.server().map(|server| shown(format!("{server:?}"))).map_err(shown)
    }

    #[test]
    fn a_token_or_a_client_certificate_is_taken_and_not_shown() {
        let pem = STANDARD.encode("canary-7f3a");
        let cases = [
            ("{token: canary-7f3a}".to_owned(), "token: Some(Text([redacted]))"),
            ("{tokenFile: token}".to_owned(), "token: Some(File(\"…/token\"))"),
            ("{client-certificate: c.pem, client-key: /k.pem}".to_owned(), "identity: Some((File(\"…/c.pem\"), File(\"/k.pem\")))"),
            (
                format!("{{client-certificate-data: {pem}, client-key-data: {pem}, token: ''}}"),
                "token: None, authorities: Some(File(\"…/ca.crt\")), identity: Some((Text([redacted]), Text([redacted])))",
            ),
        ];
        for (user, expected) in cases {
            let shown = server(&kubeconfig(CLUSTER, &user), None).unwrap();
            assert!(shown.contains(expected) && !shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_with_a_sentence() {
        let token = "{token: canary-7f3a}";
        let with = "use a service account's token or a client certificate";
        let cases = [
            (
                CLUSTER,
                "{exec: {command: aws, args: [eks, get-token]}}",
                format!("it runs a program for its credentials (`exec`), which is not supported: {with}"),
            ),
            (CLUSTER, "{auth-provider: {name: gcp}}", format!("it uses an `auth-provider`, which is not supported: {with}")),
            (
                CLUSTER,
                "{username: canary-7f3a, password: canary-7f3a}",
                format!("it uses a user name and a password, which is not supported: {with}"),
            ),
            (CLUSTER, "{token: canary-7f3a, as: root}", format!("it impersonates another user (`as`), which is not supported: {with}")),
            (CLUSTER, "{}", "its user has neither a token nor a client certificate".into()),
            (
                CLUSTER,
                "{client-key: k.pem, token: canary-7f3a}",
                "its user has a client certificate without a key, or a key without a certificate".into(),
            ),
            (CLUSTER, "{client-key-data: 'canary-7f3a?'}", "its `client-key-data` is no base64 of a PEM text".into()),
            (
                "{server: 'https://c', insecure-skip-tls-verify: true}",
                token,
                "`insecure-skip-tls-verify` is not supported: name the cluster's `certificate-authority`".into(),
            ),
            (
                "{server: 'https://c', tls-server-name: d}",
                token,
                "`tls-server-name` is not supported: use an address that the certificate names".into(),
            ),
            (
                "{server: 'https://c', proxy-url: 'http://p'}",
                token,
                "`proxy-url` is not supported: the cluster must be reached directly".into(),
            ),
            ("{server: 'http://c'}", token, "`server` is no https address".into()),
        ];
        for (cluster, user, sentence) in cases {
            assert_eq!(server(&kubeconfig(cluster, user), None).unwrap_err(), format!("the kubeconfig …/config: {sentence}"));
        }
        let whole = kubeconfig(CLUSTER, token);
        let cases = [
            (whole.clone(), Some("nowhere"), "it has no context `nowhere`"),
            (whole.clone(), Some("gone"), "it has no cluster `x`"),
            (whole.replace("name: u,", "name: other,"), None, "it has no user `u`"),
            (whole.replace("current-context: prod", "current-context: ''"), None, "it has no `current-context`, and no context is named"),
            ("[canary-7f3a".into(), None, "it is no kubeconfig in YAML"),
            (String::new(), None, "it has no `current-context`, and no context is named"),
        ];
        for (text, context, sentence) in cases {
            let error = server(&text, context).unwrap_err();
            assert!(error.ends_with(sentence) && !error.contains("canary"), "{error}");
        }
        let absent = KubernetesAccess::Kubeconfig { path: "/nonexistent/config".into(), context: None };
        assert!(absent.server().unwrap_err().starts_with("the kubeconfig /nonexistent/config: No such file"));
    }

    #[test]
    fn inside_a_cluster_the_service_account_is_used() {
        let inside = |host: &str| {
            let access = KubernetesAccess::InCluster { host: host.into(), port: 443, folder: SERVICE_ACCOUNT.into() };
            format!("{:?}", access.server().unwrap())
        };
        let shown = inside("10.96.0.1");
        assert!(
            shown.contains("https://10.96.0.1:443") && shown.contains("serviceaccount/token") && shown.contains("serviceaccount/ca.crt")
        );
        assert!(inside("fd00::1").contains("https://[fd00::1]:443"));
    }
}
