//! What each kind is to the grade. A kind that is not here is unknown, and unknown needs a human.

use super::super::manifest::Identity;

/// What a kind is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It runs containers and can be changed in place.
    Workload,
    /// A StatefulSet.
    StatefulSet,
    /// A Job, which cannot be changed and runs when it is made.
    Job,
    /// A ConfigMap.
    ConfigMap,
    /// A Secret, or what makes one.
    Secret,
    /// Who may do what.
    Rbac,
    /// Who may talk to whom.
    NetworkPolicy,
    /// What the cluster admits, or another protection.
    Security,
    /// A volume claim, a volume or a storage class.
    Volume,
    /// A CustomResourceDefinition.
    Definition,
    /// A Namespace.
    Namespace,
    /// A data store, by its operator's kind.
    DataStore,
    /// A KServe model.
    Model,
    /// A Flux HelmRelease.
    HelmRelease,
    /// An Argo CD Application.
    Application,
    /// A Flux Kustomization.
    FluxKustomization,
    /// A source, a project, or what else says where manifests come from.
    Source,
    /// What says how health is measured: reverting it changes the judge and not the service (E13).
    Health,
    /// A Service.
    Service,
    /// Something known without fields that are dangerous beyond the general ones.
    Plain,
    /// Nobody here knows.
    Unknown,
}

/// What an object is, by its group and kind.
pub fn class(identity: &Identity) -> Class {
    let (group, kind) = (identity.group.as_str(), identity.kind.as_str());
    if is_data_store_group(group) {
        return Class::DataStore;
    }
    match (group, kind) {
        ("apps", "Deployment" | "DaemonSet" | "ReplicaSet") | ("batch", "CronJob") | ("", "Pod" | "ReplicationController") => {
            Class::Workload
        }
        ("argoproj.io", "Rollout") => Class::Workload,
        ("apps", "StatefulSet") => Class::StatefulSet,
        ("batch", "Job") | ("argoproj.io", "Workflow" | "WorkflowTemplate" | "CronWorkflow") => Class::Job,
        ("", "ConfigMap") => Class::ConfigMap,
        ("", "Secret") | ("bitnami.com", "SealedSecret") | ("external-secrets.io" | "secrets.hashicorp.com", _) => Class::Secret,
        ("secrets-store.csi.x-k8s.io" | "isindir.github.com", _) => Class::Secret,
        ("rbac.authorization.k8s.io", _) | ("", "ServiceAccount") => Class::Rbac,
        ("networking.k8s.io", "NetworkPolicy") | ("cilium.io" | "crd.projectcalico.org" | "projectcalico.org", _) => Class::NetworkPolicy,
        ("policy.networking.k8s.io", _) => Class::NetworkPolicy,
        ("security.istio.io" | "policy.linkerd.io" | "admissionregistration.k8s.io" | "kyverno.io", _) => Class::Security,
        ("templates.gatekeeper.sh" | "constraints.gatekeeper.sh" | "cert-manager.io" | "apiregistration.k8s.io", _) => Class::Security,
        ("policy", "PodSecurityPolicy") | ("", "ResourceQuota" | "LimitRange") | ("networking.istio.io", "EnvoyFilter") => Class::Security,
        ("", "PersistentVolumeClaim" | "PersistentVolume") | ("storage.k8s.io" | "snapshot.storage.k8s.io", _) => Class::Volume,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Class::Definition,
        ("", "Namespace") => Class::Namespace,
        ("serving.kserve.io", _) => Class::Model,
        ("helm.toolkit.fluxcd.io", "HelmRelease") => Class::HelmRelease,
        ("argoproj.io", "Application") => Class::Application,
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => Class::FluxKustomization,
        ("source.toolkit.fluxcd.io" | "image.toolkit.fluxcd.io", _) | ("argoproj.io", "ApplicationSet" | "AppProject") => Class::Source,
        ("", "Service") => Class::Service,
        ("networking.k8s.io", "Ingress") | ("gateway.networking.k8s.io", "HTTPRoute" | "GRPCRoute" | "TCPRoute" | "TLSRoute") => {
            Class::Plain
        }
        ("networking.istio.io", "VirtualService" | "DestinationRule") | ("traefik.io", "IngressRoute") => Class::Plain,
        ("autoscaling" | "autoscaling.k8s.io", _) | ("keda.sh", "ScaledObject") | ("policy", "PodDisruptionBudget") => Class::Plain,
        ("monitoring.coreos.com", _) | ("openslo" | "openslo.com", _) | ("sloth.slok.dev", _) | ("pyrra.dev", _) => Class::Health,
        ("flagger.app", "MetricTemplate") | ("argoproj.io", "AnalysisTemplate" | "ClusterAnalysisTemplate") => Class::Health,
        ("flagger.app", "Canary") => Class::Plain,
        _ => Class::Unknown,
    }
}

/// The groups of well-known operators of data stores.
fn is_data_store_group(group: &str) -> bool {
    const GROUPS: [&str; 22] = [
        "postgresql.cnpg.io",
        "acid.zalan.do",
        "postgres-operator.crunchydata.com",
        "kafka.strimzi.io",
        "elasticsearch.k8s.elastic.co",
        "opensearch.opster.io",
        "psmdb.percona.com",
        "pxc.percona.com",
        "pgv2.percona.com",
        "mongodb.com",
        "mongodbcommunity.mongodb.com",
        "mysql.oracle.com",
        "k8s.mariadb.com",
        "rabbitmq.com",
        "redis.redis.opstreelabs.in",
        "databases.spotahome.com",
        "clickhouse.altinity.com",
        "cassandra.datastax.com",
        "scylla.scylladb.com",
        "crdb.cockroachlabs.com",
        "etcd.database.coreos.com",
        "minio.min.io",
    ];
    GROUPS.contains(&group)
}

/// Whether the repository of an image, or a word of a path in values, names a data store.
pub fn is_data_store(name: &str) -> bool {
    const NAMES: [&str; 26] = [
        "postgres",
        "postgresql",
        "timescaledb",
        "mysql",
        "mariadb",
        "percona",
        "mongo",
        "mongodb",
        "redis",
        "valkey",
        "memcached",
        "elasticsearch",
        "opensearch",
        "kafka",
        "zookeeper",
        "cassandra",
        "scylla",
        "clickhouse",
        "cockroach",
        "etcd",
        "rabbitmq",
        "minio",
        "influxdb",
        "neo4j",
        "couchdb",
        "vault",
    ];
    let last = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let mut words = last.split(|character: char| !character.is_ascii_alphanumeric());
    // An exporter or a client of a data store holds no data.
    let is_beside =
        ["exporter", "proxy", "client", "ui", "console", "admin", "sentinel"].iter().any(|word| last.split('-').any(|part| part == *word));
    !is_beside && words.any(|word| NAMES.contains(&word))
}

/// Whether the repository of an image names an operator or a controller, which may not understand what a newer one wrote.
pub fn is_operator(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    last.contains("operator") || last.contains("controller")
}

/// Whether a name says that something migrates data.
pub fn is_migration(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["migrat", "flyway", "liquibase", "alembic", "db-init", "dbinit", "schema-update"].iter().any(|word| lower.contains(word))
}
