use proptest::prelude::*;

use super::*;

fn text(path: &'static str, before: &'static str, after: &'static str) -> Grade {
    graded(&[PlannedFile { path, before: Content::Text(before), after: Content::Text(after) }])
}

fn file<'a>(path: &'a str, before: Content<'a>, after: Content<'a>) -> PlannedFile<'a> {
    PlannedFile { path, before, after }
}

fn graded(files: &[PlannedFile<'_>]) -> Grade {
    grade(&Question { files, ..Question::default() })
}

/// The codes of all reasons.
fn codes(grade: &Grade) -> BTreeSet<ReasonCode> {
    grade.reasons.iter().map(|reason| reason.code).collect()
}

fn workload(kind: &str, spec: &str) -> String {
    format!("apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: checkout, namespace: shop}}\nspec:\n{spec}")
}

fn pod(image: &str, more: &str) -> String {
    format!("  replicas: 3\n  template:\n    spec:\n      containers:\n      - name: app\n        image: {image}\n{more}")
}

/// Grades one object that changes from one text to another.
fn between(before: &str, after: &str) -> Grade {
    graded(&[PlannedFile { path: "a.yaml", before: Content::Text(before), after: Content::Text(after) }])
}

/// Checks the one reason that a change must have, beside its level.
#[track_caller]
fn expect(before: &str, after: &str, level: Level, code: ReasonCode) {
    let grade = between(before, after);
    assert_eq!(grade.level, level, "{}", grade.words());
    assert!(codes(&grade).contains(&code), "{}", grade.words());
}

#[track_caller]
fn safe(before: &str, after: &str) {
    let grade = between(before, after);
    assert_eq!(grade.level, Level::Safe, "{}", grade.words());
}

#[test]
fn the_usual_revert_is_safe() {
    let (before, after) =
        (workload("Deployment", &pod("shop/checkout:1.4.2", "")), workload("Deployment", &pod("shop/checkout:1.4.1", "")));
    safe(&before, &after);
    assert_eq!(between(&before, &after).objects, 1);
    safe("images:\n- {name: shop/checkout, newTag: 1.4.2}\n", "images:\n- {name: shop/checkout, newTag: 1.4.1}\n");
    safe("image: {tag: 1.4.2}\n", "image: {tag: 1.4.1}\n");
    safe(
        "kind: ConfigMap\nmetadata: {name: a}\ndata: {replicas: '3', image: 'x:latest', x: '{{ y }}'}\n",
        "kind: ConfigMap\nmetadata: {name: a}\ndata: {replicas: '2', image: 'x:main', x: '{{ z }}'}\n",
    );
    let (env, other) = ("        env: [{name: LEVEL, value: debug}]\n", "        env: [{name: LEVEL, value: info}]\n");
    safe(&workload("Deployment", &pod("a:1", env)), &workload("Deployment", &pod("a:1", other)));
}

#[test]
fn deleting_needs_a_human_and_deleting_data_is_refused() {
    let deployment = workload("Deployment", &pod("a:1", ""));
    let one = graded(&[file("a.yaml", Content::Text(&deployment), Content::Absent)]);
    assert_eq!((one.level, codes(&one)), (Level::Human, [ReasonCode::DeletesObject].into()));
    assert_eq!(one.reasons[0].sentence, "Deployment shop/checkout is deleted, where the sync tool prunes.");
    for gone in [
        "kind: Namespace\nmetadata: {name: a}\n".to_owned(),
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\n".to_owned(),
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n".to_owned(),
        "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: a}\n".to_owned(),
        workload("StatefulSet", "  volumeClaimTemplates: [{metadata: {name: data}}]\n"),
    ] {
        let grade = graded(&[file("a.yaml", Content::Text(&gone), Content::Absent)]);
        assert_eq!((grade.level, codes(&grade)), (Level::Refuse, [ReasonCode::DeletesData].into()), "{gone}");
    }
    // Moved to another file is not deleted; it counts once where it also changed.
    let moved =
        graded(&[file("a.yaml", Content::Text(&deployment), Content::Absent), file("b.yaml", Content::Absent, Content::Text(&deployment))]);
    assert_eq!((moved.level, moved.objects), (Level::Safe, 0));
    let values = graded(&[file("values.yaml", Content::Text("a: 1\n"), Content::Absent)]);
    assert_eq!(codes(&values), [ReasonCode::DeletesObject].into());
}

#[test]
fn what_keeps_state_does_not_go_back_alone() {
    let image = |kind: &str, from: &str, to: &str| (workload(kind, &pod(from, "")), workload(kind, &pod(to, "")));
    for (kind, from, to, code) in [
        ("StatefulSet", "shop/ledger:1.4.2", "shop/ledger:1.4.1", ReasonCode::StatefulSetImage),
        ("StatefulSet", "shop/ledger:main-1", "shop/ledger:main-2", ReasonCode::StatefulSetImage),
        ("StatefulSet", "shop/ledger:1.5", "shop/other:1.6", ReasonCode::StatefulSetImage),
        ("Deployment", "quay.io/acme/cache-operator:2.1", "quay.io/acme/cache-operator:2.0", ReasonCode::OperatorImage),
        ("Deployment", "docker.io/library/postgres:16-alpine", "docker.io/library/postgres:15-alpine", ReasonCode::DataStore),
        ("Deployment", "shop/checkout:1.4.2", "shop/checkout:latest", ReasonCode::ImageNotPinned),
        ("Deployment", "shop/checkout:1.4.2", "shop/checkout", ReasonCode::ImageNotPinned),
    ] {
        let (before, after) = image(kind, from, to);
        expect(&before, &after, Level::Human, code);
    }
    let (before, after) = image("StatefulSet", "shop/ledger:1.4.1", "shop/ledger:1.4.2");
    safe(&before, &after);
    let (before, after) = image("Deployment", "prom/redis-exporter:1.4.2", "prom/redis-exporter:1.4.1");
    safe(&before, &after);
    let cluster = |version| {
        format!("apiVersion: kafka.strimzi.io/v1beta2\nkind: Kafka\nmetadata: {{name: a}}\nspec: {{kafka: {{version: {version}}}}}\n")
    };
    expect(&cluster("3.8.0"), &cluster("3.7.0"), Level::Human, ReasonCode::DataStore);
}

#[test]
fn a_definition_moves_with_a_human_and_never_loses_its_stored_version() {
    let definition = |versions: &str| {
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: a}}\nspec: {{versions: [{versions}]}}\n"
        )
    };
    let (one, both) = ("{name: v1, storage: true}", "{name: v1, storage: false}, {name: v2, storage: true}");
    expect(&definition(one), &definition(both), Level::Human, ReasonCode::CustomResourceDefinition);
    expect(&definition(both), &definition(one), Level::Refuse, ReasonCode::CustomResourceDefinition);
}

#[test]
fn kinds_that_guard_or_keep_something_need_a_human() {
    for (version, kind, code, security) in [
        ("v1", "Secret", ReasonCode::Secret, true),
        ("bitnami.com/v1alpha1", "SealedSecret", ReasonCode::Secret, true),
        ("external-secrets.io/v1", "ExternalSecret", ReasonCode::Secret, true),
        ("networking.k8s.io/v1", "NetworkPolicy", ReasonCode::NetworkPolicy, true),
        ("cilium.io/v2", "CiliumNetworkPolicy", ReasonCode::NetworkPolicy, true),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", ReasonCode::Rbac, true),
        ("v1", "ServiceAccount", ReasonCode::Rbac, true),
        ("security.istio.io/v1", "AuthorizationPolicy", ReasonCode::Security, true),
        ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", ReasonCode::Security, true),
        ("v1", "PersistentVolumeClaim", ReasonCode::VolumeClaim, false),
        ("batch/v1", "Job", ReasonCode::Migration, false),
        ("source.toolkit.fluxcd.io/v1", "GitRepository", ReasonCode::Deployment, false),
        ("example.com/v1", "Widget", ReasonCode::UnknownKind, false),
    ] {
        let object = |value| format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{x: {value}}}\n");
        let grade = between(&object(1), &object(2));
        assert_eq!((grade.level, codes(&grade).contains(&code), grade.is_security_change()), (Level::Human, true, security), "{kind}");
        let back = graded(&[PlannedFile { path: "a.yaml", before: Content::Absent, after: Content::Text(&object(1)) }]);
        assert!(codes(&back).contains(&code), "{kind} brought back");
    }
    assert!(
        !between("kind: Secret\nmetadata: {name: a}\ndata: {p: hunter2}\n", "kind: Secret\nmetadata: {name: a}\ndata: {p: other}\n")
            .words()
            .contains("hunter2")
    );
    expect("a: x\nsops: {mac: 1}\n", "a: y\nsops: {mac: 2}\n", Level::Human, ReasonCode::Secret);
}

#[test]
fn fields_that_cannot_change_need_a_human() {
    let deployment = |selector: &str| workload("Deployment", &format!("  selector: {{matchLabels: {{app: {selector}}}}}\n"));
    expect(&deployment("a"), &deployment("b"), Level::Human, ReasonCode::Immutable);
    let stateful = |size: &str| {
        workload(
            "StatefulSet",
            &format!("  volumeClaimTemplates: [{{metadata: {{name: d}}, spec: {{resources: {{requests: {{storage: {size}}}}}}}}}]\n"),
        )
    };
    expect(&stateful("2Gi"), &stateful("3Gi"), Level::Human, ReasonCode::VolumeClaim);
    let service = |address: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: a}}\nspec: {{clusterIP: {address}}}\n");
    expect(&service("10.0.0.1"), &service("None"), Level::Human, ReasonCode::Immutable);
    let job = |image: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: a}}\nspec: {{template: {{spec: {{containers: [{{name: a, image: '{image}'}}]}}}}}}\n"
        )
    };
    expect(&job("a:2"), &job("a:1"), Level::Human, ReasonCode::Immutable);
    let map = |value: u8| format!("kind: ConfigMap\nmetadata: {{name: a}}\nimmutable: true\ndata: {{x: '{value}'}}\n");
    expect(&map(1), &map(2), Level::Human, ReasonCode::Immutable);
    let claim = |size: &str| {
        format!(
            "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: a}}\nspec: {{resources: {{requests: {{storage: {size}}}}}}}\n"
        )
    };
    expect(&claim("10Gi"), &claim("20Gi"), Level::Human, ReasonCode::VolumeClaim);
    expect(&claim("20Gi"), &claim("10Gi"), Level::Refuse, ReasonCode::VolumeClaim);
}

#[test]
fn fewer_replicas_or_resources_need_a_human() {
    let replicas = |text: &str| workload("Deployment", text);
    expect(&replicas("  replicas: 4\n"), &replicas("  replicas: 2\n"), Level::Human, ReasonCode::FewerReplicas);
    expect(&replicas("  replicas: 4\n"), &replicas("  x: 1\n"), Level::Human, ReasonCode::FewerReplicas);
    expect(&replicas("  x: 1\n"), &replicas("  replicas: 4\n"), Level::Human, ReasonCode::FewerReplicas);
    safe(&replicas("  replicas: 2\n"), &replicas("  replicas: 4\n"));
    let limits = |text: &str| workload("Deployment", &pod("a:1", &format!("        resources: {text}\n")));
    for (before, after) in [
        ("{limits: {memory: 1Gi}}", "{limits: {memory: 512Mi}}"),
        ("{requests: {cpu: 1}}", "{requests: {cpu: 500m}}"),
        ("{requests: {cpu: 1}}", "{}"),
        ("{}", "{limits: {cpu: 1}}"),
        ("{limits: {memory: 1Gi}}", "{limits: {memory: lots}}"),
    ] {
        expect(&limits(before), &limits(after), Level::Human, ReasonCode::FewerResources);
    }
    safe(&limits("{limits: {memory: 512Mi}, requests: {cpu: 100m}}"), &limits("{requests: {cpu: 0.2}}"));
    let scaler = |least: u8| {
        format!("apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: a}}\nspec: {{minReplicas: {least}}}\n")
    };
    expect(&scaler(3), &scaler(2), Level::Human, ReasonCode::FewerReplicas);
    // Of what runs now, not only of what the head says.
    let (before, after) = (replicas("  replicas: 2\n"), replicas("  replicas: 4\n"));
    let files = [PlannedFile { path: "a.yaml", before: Content::Text(&before), after: Content::Text(&after) }];
    let running = [Running { kind: "Deployment".into(), name: "checkout".into(), replicas: 9 }];
    let grade = grade(&Question { files: &files, running: &running, ..Question::default() });
    assert_eq!(grade.reasons[0].sentence, "Deployment shop/checkout: spec.replicas becomes 4, and 9 run now.");
}

#[test]
fn protections_are_security_changes() {
    for (before, after) in [
        ("        securityContext: {runAsNonRoot: true}\n", ""),
        ("        securityContext: {privileged: false}\n", "        securityContext: {privileged: true}\n"),
        ("      hostNetwork: false\n", "      hostNetwork: true\n"),
        ("      serviceAccountName: a\n", "      serviceAccountName: b\n"),
        ("      volumes: [{name: a, emptyDir: {}}]\n", "      volumes: [{name: a, hostPath: {path: /}}]\n"),
    ] {
        let grade = between(&workload("Deployment", &pod("a:1", before)), &workload("Deployment", &pod("a:1", after)));
        assert!(grade.level == Level::Human && grade.is_security_change(), "{before} {}", grade.words());
    }
    let ingress = |range: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: a\n  annotations: {{nginx.ingress.kubernetes.io/whitelist-source-range: {range}}}\n"
        )
    };
    expect(&ingress("10.0.0.0/8"), &ingress("0.0.0.0/0"), Level::Human, ReasonCode::Security);
    let annotated =
        |value: &str| format!("kind: ConfigMap\nmetadata: {{name: a, annotations: {{argocd.argoproj.io/sync-options: '{value}'}}}}\n");
    expect(&annotated("Prune=false"), &annotated("Prune=true"), Level::Human, ReasonCode::Deployment);
    let init = |tag: u8| workload("Deployment", &pod("a:1", &format!("      initContainers: [{{name: db-migrate, image: 'a:{tag}'}}]\n")));
    expect(&init(2), &init(1), Level::Human, ReasonCode::Migration);
}

#[test]
fn values_of_charts_are_read_by_their_names() {
    for (before, after, code) in [
        ("replicaCount: 3\n", "replicaCount: 2\n", ReasonCode::FewerReplicas),
        ("autoscaling: {enabled: true}\n", "autoscaling: {enabled: false}\n", ReasonCode::FewerReplicas),
        ("web: {resources: {limits: {cpu: 2}}}\n", "web: {resources: {limits: {cpu: 1}}}\n", ReasonCode::FewerResources),
        ("postgresql: {image: {tag: '16'}}\n", "postgresql: {image: {tag: '15'}}\n", ReasonCode::DataStore),
        ("image: {tag: 1.2.3}\n", "image: {tag: latest}\n", ReasonCode::ImageNotPinned),
        ("persistence: {size: 2Gi}\n", "persistence: {size: 1Gi}\n", ReasonCode::VolumeClaim),
        ("networkPolicy: {enabled: true}\n", "networkPolicy: {enabled: false}\n", ReasonCode::NetworkPolicy),
        ("rbac: {create: true}\n", "rbac: {create: false}\n", ReasonCode::Rbac),
        ("podSecurityContext: {fsGroup: 1}\n", "podSecurityContext: {fsGroup: 0}\n", ReasonCode::Security),
        ("db: {password: a}\n", "db: {password: b}\n", ReasonCode::Secret),
        ("a: '{{ x }}'\n", "a: '{{ y }}'\n", ReasonCode::Unreadable),
    ] {
        expect(before, after, Level::Human, code);
    }
    let release = |values: &str, version: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: a}}\nspec: {{interval: 5m, values: {values}, chart: {{spec: {{version: {version}}}}}}}\n"
        )
    };
    safe(&release("{image: {tag: 1.2}}", "1.0.0"), &release("{image: {tag: 1.1}}", "1.0.0"));
    expect(&release("{replicas: 2}", "1.0.0"), &release("{replicas: 1}", "1.0.0"), Level::Human, ReasonCode::FewerReplicas);
    expect(&release("{}", "1.1.0"), &release("{}", "1.0.0"), Level::Human, ReasonCode::Chart);
    let application = |helm: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a}}\nspec:\n  source:\n    helm: {helm}\n  syncPolicy: {{}}\n"
        )
    };
    safe(&application("{parameters: [{name: image.tag, value: '1.2'}]}"), &application("{parameters: [{name: image.tag, value: '1.1'}]}"));
    expect(&application("{values: \"replicas: 3\"}"), &application("{values: \"replicas: 2\"}"), Level::Human, ReasonCode::FewerReplicas);
    expect(&application("{releaseName: a}"), &application("{releaseName: b}"), Level::Human, ReasonCode::Deployment);
}

#[test]
fn a_chart_that_makes_a_stateful_set_keeps_state() {
    let files =
        [PlannedFile { path: "values.yaml", before: Content::Text("image: {tag: 1.2}\n"), after: Content::Text("image: {tag: 1.1}\n") }];
    let around = [("chart/templates/s.yaml", "kind: StatefulSet\nspec: {{ .Values.x }}\n")];
    let grade = grade(&Question { files: &files, around: &around, ..Question::default() });
    assert_eq!(codes(&grade), [ReasonCode::StatefulSetImage].into());
}

#[test]
fn kustomizations_are_read_field_by_field() {
    let case = |before: &'static str, after: &'static str| text("apps/a/kustomization.yaml", before, after);
    for (before, after, code) in [
        ("resources: [a.yaml, pvc.yaml]\n", "resources: [a.yaml]\n", ReasonCode::DeletesObject),
        ("components: [../x]\n", "{}\n", ReasonCode::DeletesObject),
        ("resources: ['https://e.com/x?ref=v2']\n", "resources: ['https://e.com/x?ref=v1']\n", ReasonCode::Chart),
        ("images: [{name: postgres, newTag: '16'}]\n", "images: [{name: postgres, newTag: '15'}]\n", ReasonCode::DataStore),
        ("images: [{name: a, newTag: '16'}]\n", "images: [{name: a}]\n", ReasonCode::ImageNotPinned),
        ("replicas: [{name: a, count: 3}]\n", "replicas: [{name: a, count: 2}]\n", ReasonCode::FewerReplicas),
        ("namespace: a\n", "namespace: b\n", ReasonCode::DeletesObject),
        ("commonLabels: {a: x}\n", "commonLabels: {a: y}\n", ReasonCode::Immutable),
        (
            "labels: [{includeSelectors: true, pairs: {a: x}}]\n",
            "labels: [{includeSelectors: true, pairs: {a: y}}]\n",
            ReasonCode::Immutable,
        ),
        ("secretGenerator: [{name: s, literals: [a=1]}]\n", "secretGenerator: [{name: s, literals: [a=2]}]\n", ReasonCode::Secret),
        ("helmCharts: [{name: a, version: 2.0.0}]\n", "helmCharts: [{name: a, version: 1.0.0}]\n", ReasonCode::Chart),
        ("generatorOptions: {a: 1}\n", "generatorOptions: {a: 2}\n", ReasonCode::Deployment),
        ("patches: [{path: a.yaml}]\n", "patches: [{path: b.yaml}]\n", ReasonCode::Deployment),
        (
            "patches: [{target: {kind: Deployment, name: a}, patch: \"- op: replace\\n  path: /spec/replicas\\n  value: 3\"}]\n",
            "patches: [{target: {kind: Deployment, name: a}, patch: \"- op: replace\\n  path: /spec/replicas\\n  value: 2\"}]\n",
            ReasonCode::FewerReplicas,
        ),
        (
            "patches: [{patch: \"{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a}, spec: {serviceName: x}}\"}]\n",
            "patches: [{patch: \"{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a}, spec: {serviceName: y}}\"}]\n",
            ReasonCode::Immutable,
        ),
    ] {
        let grade = case(before, after);
        assert!(grade.level == Level::Human && codes(&grade).contains(&code), "{before} {}", grade.words());
    }
    for (before, after) in [
        ("resources: [a.yaml]\n", "resources: [b.yaml, a.yaml]\n"),
        ("configMapGenerator: [{name: c, literals: [a=1, b=1]}]\n", "configMapGenerator: [{name: c, literals: [a=2]}]\n"),
        ("images: [{name: a, digest: 'sha256:11'}]\n", "images: [{name: a, digest: 'sha256:00'}]\n"),
    ] {
        assert_eq!(case(before, after).level, Level::Safe, "{before} {}", case(before, after).words());
    }
    let files = [PlannedFile {
        path: "k/kustomization.yaml",
        before: Content::Text("images: [{name: shop/ledger, newTag: '2'}]\n"),
        after: Content::Text("images: [{name: shop/ledger, newTag: '1'}]\n"),
    }];
    let stateful = workload("StatefulSet", &pod("shop/ledger:9", ""));
    let grade = grade(&Question { files: &files, around: &[("s.yaml", &stateful)], ..Question::default() });
    assert_eq!(codes(&grade), [ReasonCode::StatefulSetImage].into());
}

#[test]
fn models_are_read_too() {
    let model = |uri: &str, least: u8| {
        format!(
            "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {{name: a}}\nspec: {{predictor: {{minReplicas: {least}, model: {{storageUri: '{uri}', resources: {{limits: {{cpu: {least}}}}}}}}}}}\n"
        )
    };
    safe(&model("s3://m/churn/v7", 1), &model("s3://m/churn/v6", 1));
    expect(&model("s3://m/churn/v7", 1), &model("s3://m/churn/latest", 1), Level::Human, ReasonCode::ImageNotPinned);
    expect(&model("s3://m/churn/v7", 2), &model("s3://m/churn/v7", 1), Level::Human, ReasonCode::FewerReplicas);
    expect(&model("s3://m/churn/v7", 2), &model("s3://m/churn/v7", 1), Level::Human, ReasonCode::FewerResources);
}

#[test]
fn a_config_map_that_changed_later_needs_a_human() {
    let uses = |name: &str, tag: u8| {
        workload("Deployment", &pod(&format!("a:{tag}"), &format!("        envFrom: [{{configMapRef: {{name: {name}}}}}]\n")))
    };
    let map = |value: u8| format!("kind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{x: '{value}'}}\n");
    let (then, now) = (map(1), map(2));
    let later = [LaterFile { path: "c.yaml", then: Content::Text(&then), now: Content::Text(&now), used: Use::Parsed }];
    let with = |before: &str, after: &str, path: &str, later: &[LaterFile<'_>]| {
        let files = [PlannedFile { path, before: Content::Text(before), after: Content::Text(after) }];
        codes(&grade(&Question { files: &files, later, ..Question::default() })).contains(&ReasonCode::ConfigMapChangedLater)
    };
    assert!(with(&uses("settings", 2), &uses("settings", 1), "a.yaml", &later));
    assert!(!with(&uses("other", 2), &uses("other", 1), "a.yaml", &later));
    assert!(with("images: [{name: a, newTag: '2'}]\n", "images: [{name: a, newTag: '1'}]\n", "kustomization.yaml", &later));
    assert!(with("image: {tag: '2'}\n", "image: {tag: '1'}\n", "values.yaml", &later));
    let bytes = [LaterFile { path: "app.conf", then: Content::Text("a"), now: Content::Text("b"), used: Use::Bytes }];
    assert!(with(&uses("other", 2), &uses("other", 1), "a.yaml", &bytes));
    let same = [LaterFile { path: "c.yaml", then: Content::Text(&then), now: Content::Text(&then), used: Use::Parsed }];
    assert!(!with(&uses("settings", 2), &uses("settings", 1), "a.yaml", &same));
    let generator = |value: u8| format!("configMapGenerator: [{{name: settings, literals: [x={value}]}}]\n");
    let (then, now) = (generator(1), generator(2));
    let generated = [LaterFile { path: "kustomization.yaml", then: Content::Text(&then), now: Content::Text(&now), used: Use::Parsed }];
    assert!(with(&uses("settings", 2), &uses("settings", 1), "a.yaml", &generated));
}

#[test]
fn what_cannot_be_read_needs_a_human() {
    for (path, before, after) in [
        ("a.yaml", Content::Text("image: {{ .x }}\n"), Content::Text("image: {{ .y }}\n")),
        ("a.yaml", Content::Text("a: ["), Content::Absent),
        ("run.sh", Content::Text("a"), Content::Text("b")),
        ("a.yaml", Content::Unreadable("it is a symbolic link"), Content::Text("a: 1\n")),
    ] {
        let grade = graded(&[PlannedFile { path, before, after }]);
        assert_eq!((grade.level, codes(&grade), grade.objects), (Level::Human, [ReasonCode::Unreadable].into(), 1), "{path}");
    }
}

#[test]
fn services_and_objects_are_counted() {
    let (before, after) = ("a: 1\n".to_owned(), "a: 2\n".to_owned());
    let paths: Vec<String> = (0..21).map(|number| format!("v{number}.yaml")).collect();
    let files: Vec<PlannedFile<'_>> =
        paths.iter().map(|path| PlannedFile { path, before: Content::Text(&before), after: Content::Text(&after) }).collect();
    let services = ["cart", "checkout"].map(PolicyName::new).into();
    let grade = grade(&Question { files: &files, services, ..Question::default() });
    assert_eq!(grade.over(1, 20), ["It touches 2 services (cart, checkout); the limit is 1.", "It changes 21 objects; the limit is 20."]);
    assert!(grade.over(2, 21).is_empty());
}

#[test]
fn reasons_are_bounded_and_the_gravest_come_first() {
    let many: String = (0..80).map(|number| format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s{number}}}\n")).collect();
    let files = [
        PlannedFile { path: "a.yaml", before: Content::Text(&many), after: Content::Absent },
        PlannedFile { path: "z.yaml", before: Content::Text("kind: Namespace\nmetadata: {name: z}\n"), after: Content::Absent },
    ];
    let grade = graded(&files);
    assert_eq!((grade.level, grade.reasons.len(), grade.objects), (Level::Refuse, MOST_REASONS, 81));
    assert_eq!(grade.reasons[0].code, ReasonCode::DeletesData);
    assert!(grade.words().starts_with("refuse (Namespace z is deleted, and with it what it holds; "));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Adding a dangerous file to a plan never lowers its grade.
    #[test]
    fn more_files_never_make_it_safer(
        choice in proptest::collection::vec(0usize..5, 1..6),
        more in 0usize..5,
    ) {
        const SIDES: [(&str, &str); 5] = [
            ("image: {tag: '2'}\n", "image: {tag: '1'}\n"),
            ("replicaCount: 3\n", "replicaCount: 2\n"),
            ("kind: Namespace\nmetadata: {name: z}\n", "# gone\n"),
            ("a: [", "a: 1\n"),
            ("kind: ConfigMap\nmetadata: {name: z}\ndata: {a: x}\n", "kind: ConfigMap\nmetadata: {name: z}\ndata: {a: y}\n"),
        ];
        let paths: Vec<String> = (0..7).map(|number| format!("f{number}.yaml")).collect();
        let file = |number: usize, kind: usize| PlannedFile { path: &paths[number], before: Content::Text(SIDES[kind].0), after: Content::Text(SIDES[kind].1) };
        let mut files: Vec<_> = choice.iter().enumerate().map(|(number, kind)| file(number, *kind)).collect();
        let fewer = graded(&files);
        files.push(file(6, more));
        prop_assert!(graded(&files).level >= fewer.level);
    }

    /// No text makes it panic, and a plan that changes nothing is safe.
    #[test]
    fn any_text_is_graded(before in "[a-c:\\-\\[\\]{}'\" \n]{0,60}", after in "[a-c:\\-\\[\\]{}'\" \n]{0,60}") {
        between(&before, &after);
        prop_assert_eq!(between(&before, &before).level, Level::Safe);
    }
}
