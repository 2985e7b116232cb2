//! The kustomize base: that its objects fit each other, the image and the agent, and that the pod has no rights that it does not need.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use revertd::config::agent::Credentials;
use revertd::config::{check_paths, check_texts, load_agent, schema};
use revertd::net::address::AddressRules;
use serde_json::{Value, json};

use super::{Served, at, image, items, repository, succeeded, text, where_installed, yaml};

const BASE: &str = "deploy/kustomize/base";

fn kustomization() -> Value {
    yaml(&format!("{BASE}/kustomization.yaml"))
}

/// The objects of the base by kind.
fn objects() -> BTreeMap<String, Value> {
    let kustomization = kustomization();
    let files = items(at(&kustomization, "/resources"));
    files
        .iter()
        .map(|file| {
            let object = yaml(&format!("{BASE}/{}", file.as_str().unwrap()));
            (at(&object, "/kind").as_str().unwrap().to_owned(), object)
        })
        .collect()
}

fn pod() -> Value {
    at(&objects()["Deployment"], "/spec/template/spec").clone()
}

fn container() -> Value {
    at(&pod(), "/containers/0").clone()
}

/// Where each volume of the pod is mounted, by the volume's name.
fn mounts() -> BTreeMap<String, String> {
    let mounts = container()["volumeMounts"].clone();
    items(&mounts)
        .iter()
        .map(|mount| (mount["name"].as_str().unwrap().to_owned(), mount["mountPath"].as_str().unwrap().to_owned()))
        .collect()
}

fn volume(name: &str) -> Value {
    items(at(&pod(), "/volumes")).iter().find(|volume| volume["name"] == name).unwrap_or_else(|| panic!("no volume {name}")).clone()
}

/// The files of a generated ConfigMap, by the name under which they stand in it.
fn generated(name: &str) -> BTreeMap<String, String> {
    let kustomization = kustomization();
    let generator = items(at(&kustomization, "/configMapGenerator")).iter().find(|generator| generator["name"] == name).unwrap();
    let files = items(&generator["files"]).iter().map(|file| file.as_str().unwrap());
    files.map(|file| (Path::new(file).file_name().unwrap().to_str().unwrap().to_owned(), text(&format!("{BASE}/{file}")))).collect()
}

#[test]
fn the_objects_are_those_that_it_needs_and_carry_one_label() {
    let objects = objects();
    let kinds: Vec<&str> = objects.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["Deployment", "NetworkPolicy", "PersistentVolumeClaim", "Service", "ServiceAccount"]);
    let label = json!({"app.kubernetes.io/name": "revertd"});
    for (kind, object) in &objects {
        assert_eq!((at(object, "/metadata/name"), at(object, "/metadata/labels")), (&json!("revertd"), &label), "{kind}");
        assert!(at(object, "/metadata").get("namespace").is_none(), "{kind}: the namespace is the overlay's");
    }
    assert_eq!(at(&objects["Deployment"], "/spec/selector/matchLabels"), &label);
    assert_eq!(at(&objects["Deployment"], "/spec/template/metadata/labels"), &label);
    assert_eq!(at(&objects["Service"], "/spec/selector"), &label);
    // An empty selector would be every pod of the namespace.
    assert_eq!(at(&objects["NetworkPolicy"], "/spec/podSelector/matchLabels"), &label);
    let listed: BTreeSet<String> = items(at(&kustomization(), "/resources")).iter().map(|file| file.as_str().unwrap().to_owned()).collect();
    let files = std::fs::read_dir(repository(BASE)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let there: BTreeSet<String> = files.filter(|name| name.ends_with(".yaml") && name != "kustomization.yaml").collect();
    assert_eq!(listed, there);
}

#[test]
fn there_is_one_agent_and_it_keeps_its_journal() {
    let objects = objects();
    assert_eq!(at(&objects["Deployment"], "/spec/replicas"), 1);
    assert_eq!(at(&objects["Deployment"], "/spec/strategy/type"), "Recreate");
    assert_eq!(at(&volume("journal"), "/persistentVolumeClaim/claimName"), at(&objects["PersistentVolumeClaim"], "/metadata/name"));
    let agent = load_agent(&repository(&format!("{BASE}/agent/agent.yaml"))).unwrap().agent;
    assert_eq!(agent.journal.parent().unwrap(), Path::new(&mounts()["journal"]));
    assert_eq!(mounts()["journal"], image::volume());
}

#[test]
fn the_pod_has_no_rights() {
    let (pod, container) = (pod(), container());
    let (user, group) = image::user();
    for (pointer, value) in [
        ("/serviceAccountName", json!("revertd")),
        ("/automountServiceAccountToken", json!(false)),
        ("/securityContext/runAsNonRoot", json!(true)),
        ("/securityContext/runAsUser", json!(user)),
        ("/securityContext/runAsGroup", json!(group)),
        ("/securityContext/fsGroup", json!(group)),
        ("/securityContext/seccompProfile/type", json!("RuntimeDefault")),
    ] {
        assert_eq!(at(&pod, pointer), &value, "{pointer}");
    }
    let expected =
        json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "privileged": false, "capabilities": {"drop": ["ALL"]}});
    assert_eq!(at(&container, "/securityContext"), &expected);
    assert_eq!(items(&pod["containers"]).len(), 1);
    for name in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
        assert!(pod.get(name).is_none(), "{name}");
    }
    assert_eq!(at(&objects()["ServiceAccount"], "/automountServiceAccountToken"), false);
    for pointer in ["/resources/requests/cpu", "/resources/requests/memory", "/resources/limits/memory"] {
        at(&container, pointer);
    }
    // What is written goes to the journal's volume and to a temporary one.
    let written: Vec<Value> =
        items(&container["volumeMounts"]).iter().filter(|mount| mount["readOnly"] != true).map(|mount| mount["name"].clone()).collect();
    assert_eq!(written, ["journal", "temporary"]);
}

#[test]
fn secrets_are_only_named() {
    assert_eq!(at(&volume("secrets"), "/secret/secretName"), "revertd");
    assert!(at(&kustomization(), "").get("secretGenerator").is_none());
    let environment = container()["env"].clone();
    assert!(items(&environment).iter().all(|variable| variable.get("valueFrom").is_none()), "secrets are files");
    let agent = load_agent(&repository(&format!("{BASE}/agent/agent.yaml"))).unwrap().agent;
    for repository in &agent.repositories {
        let Some(Credentials::Password { password_file, .. }) = &repository.credentials else { panic!("{repository:?}") };
        assert_eq!(password_file.parent().unwrap(), Path::new(&mounts()["secrets"]));
    }
}

#[test]
fn the_agent_file_passes_the_check_as_it_stands_in_the_pod() {
    let found = check_paths(&[repository(&format!("{BASE}/agent/agent.yaml"))]);
    assert!(found.is_empty(), "{found:#?}");

    // The same below a root of its own, where the pod mounts it.
    let root = tempfile::tempdir().unwrap();
    for (volume, generator) in [("agent", "revertd-agent"), ("policies", "revertd-policies")] {
        assert_eq!(at(&self::volume(volume), "/configMap/name"), generator);
        let folder = root.path().join(mounts()[volume].trim_start_matches('/'));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, content) in generated(generator) {
            std::fs::write(folder.join(name), content).unwrap();
        }
    }
    let named = items(&container()["env"]).iter().find(|variable| variable["name"] == "REVERTD_CONFIG").unwrap()["value"].clone();
    let loaded = load_agent(&root.path().join(named.as_str().unwrap().trim_start_matches('/'))).unwrap();
    assert_eq!(loaded.policies.len(), generated("revertd-policies").len());
    let policies = std::fs::read_dir(repository(&format!("{BASE}/policies"))).unwrap().count();
    assert_eq!(policies, loaded.policies.len(), "a policy that the ConfigMap leaves out");
}

#[test]
fn the_forge_that_it_offers_passes_the_check_too() {
    let agent = &generated("revertd-agent")["agent.yaml"];
    let (offered, credentials) = ("      # forge: {github:", "      credentials: {passwordFile:");
    assert!(agent.contains(offered) && agent.contains(credentials));
    let without = agent.lines().filter(|line| !line.starts_with(credentials)).map(|line| format!("{line}\n")).collect::<String>();
    assert_is_valid(&without.replace(offered, "      forge: {github:"));
}

/// Checks an agent file that uses the forge `github`, as far as this program has it.
pub fn assert_is_valid(agent: &str) {
    if !schema().to_string().contains("\"privateKeyFile\"") {
        return;
    }
    let found = check_texts(&[("agent.yaml".to_owned(), agent.as_bytes().to_vec())]);
    assert!(!found.iter().any(revertd::config::diagnostic::Diagnostic::is_error), "{found:#?}\n{agent}");
}

#[test]
fn probes_and_the_service_ask_what_the_agent_serves() {
    let served = Served::start();
    assert_eq!(served.get("/no-such-route"), 404);
    let container = container();
    for (probe, path) in [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        assert_eq!(at(&container, &format!("/{probe}/httpGet")), &json!({"path": path, "port": "metrics"}));
        // Before the first pass.
        assert_eq!(served.get(path), 503, "{probe}");
    }
    served.status.pass_ended(super::NOW);
    assert_eq!((served.get("/healthz"), served.get("/readyz"), served.get("/metrics")), (200, 200, 200));

    let listen = load_agent(&repository(&format!("{BASE}/agent/agent.yaml"))).unwrap().agent.listen.unwrap();
    assert!(listen.ip().is_unspecified(), "probes come to the pod's address");
    assert_eq!(listen.port(), image::port());
    assert_eq!(at(&container, "/ports"), &json!([{"name": "metrics", "containerPort": listen.port()}]));
    let service = objects()["Service"].clone();
    assert_eq!(at(&service, "/spec/ports"), &json!([{"name": "metrics", "port": listen.port(), "targetPort": "metrics"}]));
    assert_eq!(at(&service, "/spec/publishNotReadyAddresses"), true, "metrics matter most while the agent is not ready");
    assert_eq!(at(&objects()["NetworkPolicy"], "/spec/ingress/0/ports"), &json!([{"protocol": "TCP", "port": "metrics"}]));
    assert_eq!(items(at(&objects()["NetworkPolicy"], "/spec/ingress")).len(), 1);
}

#[test]
fn only_names_and_https_go_out_and_no_metadata_service_is_reached() {
    let policy = objects()["NetworkPolicy"].clone();
    assert_eq!(at(&policy, "/spec/policyTypes"), &json!(["Ingress", "Egress"]));
    let [names, https] = items(at(&policy, "/spec/egress")) else { panic!("{policy:#}") };
    assert_eq!(at(names, "/ports"), &json!([{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]));
    assert!(!items(&names["to"]).is_empty(), "names are asked of the cluster's own servers");
    assert_eq!(at(https, "/ports"), &json!([{"protocol": "TCP", "port": 443}]));
    let mut left_out: Vec<IpNet> = Vec::new();
    for block in items(&https["to"]) {
        let around: IpNet = at(block, "/ipBlock/cidr").as_str().unwrap().parse().unwrap();
        let except = items(at(block, "/ipBlock/except")).iter().map(|text| text.as_str().unwrap().parse::<IpNet>().unwrap());
        left_out.extend(except.inspect(|inner| assert!(around.contains(inner), "{inner} is not within {around}")));
    }
    let rules = AddressRules::for_operator();
    for range in &left_out {
        assert!(rules.check_address(range.addr()).is_err(), "the agent itself would ask {range}");
    }
    for address in ["169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254", "fe80::1"] {
        let address: IpAddr = address.parse().unwrap();
        assert!(rules.check_address(address).is_err() && left_out.iter().any(|range| range.contains(&address)), "{address}");
    }
}

#[test]
fn the_image_has_the_version_of_this_program() {
    let kustomization = kustomization();
    assert_eq!(at(&kustomization, "/images"), &json!([{"name": "revertd", "newTag": env!("CARGO_PKG_VERSION")}]));
    assert_eq!(at(&container(), "/image"), "revertd");
    assert_eq!(at(&container(), "/args"), &json!(["run"]));
}

#[test]
fn kustomize_builds_it() {
    let Some(built) = where_installed("kubectl", &["kustomize", repository(BASE).to_str().unwrap()]) else { return };
    let built = succeeded(&built);
    assert_eq!(built.split("\n---\n").count(), objects().len() + 2, "{built}");
    // What refers to a ConfigMap follows its generated name.
    assert!(!built.contains("name: revertd-agent\n") && !built.contains("name: revertd-policies\n"), "{built}");
}
