//! From manifests to behaviour: what a cluster would read out of a service's files, and how the service then answers.
//!
//! Pure, so that the rules of the demo's world can be read in one place: which image is broken, which setting makes a service slow, what
//! keeps it from starting.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::catalogue::Blueprint;

/// What a service's manifests ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// The tag of the container's image.
    pub tag: String,
    /// The container's arguments.
    pub args: Vec<String>,
    /// How many replicas.
    pub replicas: u64,
    /// The data of its ConfigMap.
    pub settings: BTreeMap<String, String>,
}

/// Why a service's manifests cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A file is no YAML.
    #[error("{path} does not parse: {reason}")]
    Syntax {
        /// Which file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Something that every service has is not there.
    #[error("apps/{service} has no {what}")]
    Missing {
        /// Which service.
        service: String,
        /// What.
        what: &'static str,
    },
}

/// How a service answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// 200.
    Healthy,
    /// 500 at once; the text says why.
    Broken(String),
    /// 503 after [`SLOW_ANSWER`]; the text says why.
    Slow(String),
    /// Nobody listens; the text says why.
    Down(String),
}

/// How long a slow service takes: longer than the timeout of the demo's probes.
pub const SLOW_ANSWER: Duration = Duration::from_millis(900);
/// With fewer connections than this to its database, a service waits for one.
pub const SMALLEST_POOL: u32 = 4;
/// A service that waits longer than this for others runs out of workers.
pub const LONGEST_UPSTREAM_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest warm-up that is played; a longer one would outlast the demo.
const LONGEST_WARM_UP: Duration = Duration::from_secs(30);

/// Reads what a service's manifests ask for out of the files of a revision.
///
/// # Errors
/// A file of the service is no YAML, or there is no Deployment with an image.
pub fn desired(service: &str, files: &[(String, Vec<u8>)]) -> Result<Desired, ManifestError> {
    let directory = format!("apps/{service}/");
    let mut deployment = None;
    let mut settings = BTreeMap::new();
    for (path, content) in files.iter().filter(|(path, _)| path.starts_with(&directory) && path.ends_with(".yaml")) {
        for document in documents(path, content)? {
            match document.get("kind").and_then(Value::as_str) {
                Some("Deployment") => deployment = Some(document),
                Some("ConfigMap") => settings.extend(strings(document.get("data"))),
                _ => {}
            }
        }
    }
    let missing = |what| ManifestError::Missing { service: service.to_owned(), what };
    let deployment = deployment.ok_or_else(|| missing("Deployment"))?;
    let container = deployment.pointer("/spec/template/spec/containers/0").ok_or_else(|| missing("container"))?;
    let image = container.get("image").and_then(Value::as_str).ok_or_else(|| missing("image"))?;
    let args = container.get("args").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(Desired {
        tag: image.rsplit_once(':').map_or("latest", |(_, tag)| tag).to_owned(),
        args: args.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        replicas: deployment.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1),
        settings,
    })
}

fn documents(path: &str, content: &[u8]) -> Result<Vec<Value>, ManifestError> {
    let syntax = |reason: String| ManifestError::Syntax { path: path.to_owned(), reason };
    let text = std::str::from_utf8(content).map_err(|error| syntax(error.to_string()))?;
    serde_yaml::from_multiple(text).map_err(|error| syntax(error.to_string().lines().next().unwrap_or_default().to_owned()))
}

fn strings(data: Option<&Value>) -> impl Iterator<Item = (String, String)> {
    let entries = data.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
}

// === impl Desired ===

impl Desired {
    /// How a service that is asked to be like this answers. What keeps it from starting comes before what is wrong once it runs.
    pub fn behaviour(&self, blueprint: &Blueprint) -> Behaviour {
        if self.replicas == 0 {
            return Behaviour::Down("it is scaled to nothing".to_owned());
        }
        if !blueprint.is_published(&self.tag) {
            return Behaviour::Down(format!("ImagePullBackOff: the registry has no {}:{}", blueprint.name, self.tag));
        }
        if let [command, ..] = &self.args[..]
            && command != "serve"
        {
            return Behaviour::Down(format!("CrashLoopBackOff: unknown command \"{command}\""));
        }
        let pool = match self.settings.get("DB_POOL_SIZE").map(|size| size.parse::<u32>()) {
            Some(Err(_)) => return Behaviour::Down("CrashLoopBackOff: DB_POOL_SIZE is no number".to_owned()),
            Some(Ok(size)) => size,
            None => SMALLEST_POOL,
        };
        let timeout = match self.settings.get("UPSTREAM_TIMEOUT").map(|timeout| humantime::parse_duration(timeout)) {
            Some(Err(_)) => return Behaviour::Down("CrashLoopBackOff: UPSTREAM_TIMEOUT is no duration".to_owned()),
            Some(Ok(timeout)) => timeout,
            None => Duration::ZERO,
        };
        if blueprint.broken.contains(&self.tag.as_str()) {
            Behaviour::Broken(format!("{} panics on every request", self.tag))
        } else if pool < SMALLEST_POOL {
            Behaviour::Slow(format!("every request waits for one of {pool} database connections"))
        } else if timeout > LONGEST_UPSTREAM_TIMEOUT {
            Behaviour::Slow(format!("workers wait up to {} for others", humantime::format_duration(timeout)))
        } else {
            Behaviour::Healthy
        }
    }

    /// How long it answers 503 after a rollout, until its caches are warm; at most half a minute.
    pub fn warm_up(&self) -> Duration {
        let warm_up = self.settings.get("WARM_UP").and_then(|time| humantime::parse_duration(time).ok());
        warm_up.unwrap_or_default().min(LONGEST_WARM_UP)
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::SHOP;
    use super::*;

    fn files(change: impl Fn(&str) -> String) -> Vec<(String, Vec<u8>)> {
        let manifests = SHOP[0].first_manifests().files();
        manifests.into_iter().map(|(path, text)| (path, change(&text).into_bytes())).collect()
    }

    fn behaviour(old: &str, new: &str) -> Behaviour {
        assert!(files(str::to_owned).iter().any(|(_, text)| String::from_utf8_lossy(text).contains(old)), "{old} is in no file");
        desired("checkout", &files(|text| text.replace(old, new))).unwrap().behaviour(&SHOP[0])
    }

    #[test]
    fn manifests_are_read_as_a_cluster_would() {
        let desired = desired("checkout", &files(str::to_owned)).unwrap();
        assert_eq!((desired.tag.as_str(), desired.replicas, desired.args.as_slice()), ("1.3.2", 2, &["serve".to_owned()][..]));
        assert_eq!(desired.settings["DB_POOL_SIZE"], "20");
        assert_eq!(desired.behaviour(&SHOP[0]), Behaviour::Healthy);
        assert_eq!(desired.warm_up(), Duration::ZERO);
    }

    #[test]
    fn each_mistake_fails_in_its_own_way() {
        assert!(matches!(behaviour("1.3.2", "1.4.3"), Behaviour::Healthy));
        assert!(matches!(behaviour("1.3.2", "1.5.0"), Behaviour::Broken(_)));
        assert!(matches!(behaviour("1.3.2", "1.3.3"), Behaviour::Down(why) if why.starts_with("ImagePullBackOff")));
        assert!(matches!(behaviour("\"serve\"", "\"server\""), Behaviour::Down(why) if why.starts_with("CrashLoopBackOff")));
        assert!(matches!(behaviour("DB_POOL_SIZE: \"20\"", "DB_POOL_SIZE: \"1\""), Behaviour::Slow(_)));
        assert!(matches!(behaviour("DB_POOL_SIZE: \"20\"", "DB_POOL_SIZE: many"), Behaviour::Down(_)));
        assert!(matches!(behaviour("UPSTREAM_TIMEOUT: \"2s\"", "UPSTREAM_TIMEOUT: \"2m\""), Behaviour::Slow(_)));
        assert!(matches!(behaviour("replicas: 2", "replicas: 0"), Behaviour::Down(_)));
    }

    #[test]
    fn what_cannot_be_applied_says_so() {
        let broken = desired("checkout", &files(|text| text.replace("kind: Deployment", "kind: [")));
        assert!(matches!(broken, Err(ManifestError::Syntax { path, .. }) if path == "apps/checkout/deployment.yaml"));
        let none = desired("orders", &files(str::to_owned)).unwrap_err();
        assert_eq!(none.to_string(), "apps/orders has no Deployment");
    }
}
