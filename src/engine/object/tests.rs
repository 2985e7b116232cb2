use super::*;

fn said(path: &str, before: &str, after: &str, place: Place) -> Vec<String> {
    sentences(&changes(&[FileChange { path, before: Some(before), after: Some(after) }]), place)
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout, namespace: shop}
spec:
  replicas: 3
  template:
    spec:
      containers:
        - name: web
          image: registry.example:5000/shop/checkout:1.4.2
          args: [--verbose, --port=80]
          env:
            - {name: LOG_LEVEL, value: debug}
            - {name: DB_PASSWORD, value: hunter2}
          resources: {limits: {memory: 1Gi}}
        - name: proxy
          image: proxy@sha256:aaa
";

#[test]
fn a_deployment_is_read_field_by_field() {
    let after = DEPLOYMENT
        .replace("checkout:1.4.2", "checkout:1.4.1")
        .replace("replicas: 3", "replicas: 2")
        .replace("value: debug", "value: info")
        .replace("hunter2", "hunter3")
        .replace("--verbose, ", "")
        .replace("1Gi", "2Gi")
        .replace("sha256:aaa", "sha256:bbb");
    assert_eq!(
        said("a.yaml", DEPLOYMENT, &after, Place::Proposal),
        [
            "Deployment shop/checkout: replicas 3 → 2",
            "Deployment shop/checkout: container proxy image proxy sha256:aaa → sha256:bbb",
            "Deployment shop/checkout: container web args [\"--verbose\",\"--port=80\"] → [\"--port=80\"]",
            "Deployment shop/checkout: container web env DB_PASSWORD changes (value not shown)",
            "Deployment shop/checkout: container web env LOG_LEVEL debug → info",
            "Deployment shop/checkout: container web image registry.example:5000/shop/checkout 1.4.2 → 1.4.1",
            "Deployment shop/checkout: container web resources.limits.memory 1Gi → 2Gi",
        ]
    );
    let chat = said("a.yaml", DEPLOYMENT, &after, Place::Chat).join("\n");
    assert!(chat.contains("1.4.2 → 1.4.1") && !chat.contains("debug") && !chat.contains("verbose"), "{chat}");
}

#[test]
fn one_container_needs_no_name() {
    let before = "kind: Deployment\nmetadata: {name: checkout}\nspec: {template: {spec: {containers: [{name: web, image: 'shop/checkout:1.4.2'}]}}}\n";
    let after = before.replace("1.4.2", "1.4.1");
    assert_eq!(said("a.yaml", before, &after, Place::Chat), ["Deployment checkout: image shop/checkout 1.4.2 → 1.4.1"]);
}

#[test]
fn values_of_secrets_are_in_no_sentence_and_in_no_value() {
    for (path, before) in [
        ("a.yaml", "kind: Secret\nmetadata: {name: db}\ndata: {user: CANARY1}\nstringData: {x: CANARY1}\n"),
        ("a.yaml", "kind: Secret\nmetadata: {name: db, annotations: {last-applied: CANARY1}}\n"),
        ("kustomization.yaml", "secretGenerator: [{name: db, literals: [password=CANARY1]}]\n"),
        ("values.yaml", "db: {password: CANARY1}\napiKey: CANARY1\n"),
        ("values.yaml", "auth: {tokens: [CANARY1, b]}\n"),
        ("a.yaml", "kind: List\nitems: [{kind: Secret, metadata: {name: a}, data: {k: CANARY1}}]\n"),
    ] {
        let after = before.replace("CANARY1", "CANARY2");
        let changed = changes(&[FileChange { path, before: Some(before), after: Some(&after) }]);
        assert!(!changed.is_empty() && !format!("{changed:?}").contains("CANARY"), "{changed:?}");
        let gone = changes(&[FileChange { path, before: Some(before), after: None }]);
        assert!(!gone.is_empty() && !format!("{gone:?}").contains("CANARY"), "{gone:?}");
    }
}

#[test]
fn other_kinds_are_read_by_what_they_are() {
    let release = "kind: HelmRelease\nmetadata: {name: web}\nspec: {chart: {spec: {chart: web, version: 2.0.0}}, values: {image: {tag: a}, greeting: hi}}\n";
    let older = release.replace("2.0.0", "1.9.0").replace("tag: a", "tag: b").replace("hi", "ho");
    assert_eq!(
        said("a.yaml", release, &older, Place::Chat),
        [
            "HelmRelease web: chart version 2.0.0 → 1.9.0",
            "HelmRelease web: value greeting changes (value not shown)",
            "HelmRelease web: value image.tag a → b"
        ]
    );
    let kustomization = "images: [{name: shop/web, newTag: '2'}]\nreplicas: [{name: web, count: 3}]\nresources: [a.yaml, b.yaml]\n";
    let older = kustomization.replace("'2'", "'1'").replace('3', "2").replace(", b.yaml", "");
    assert_eq!(
        said("k/kustomization.yaml", kustomization, &older, Place::Chat),
        [
            "kustomization k/kustomization.yaml: image shop/web newTag 2 → 1",
            "kustomization k/kustomization.yaml: replicas web 3 → 2",
            "kustomization k/kustomization.yaml: resources [\"a.yaml\",\"b.yaml\"] → [\"a.yaml\"]"
        ]
    );
    let map = "kind: ConfigMap\nmetadata: {name: c}\ndata: {a: x, gone: w}\n";
    let older = map.replace(": x, gone: w", ": z");
    assert_eq!(said("a.yaml", map, &older, Place::Proposal), ["ConfigMap c: key a x → z", "ConfigMap c: key gone is removed (was w)"]);
    assert_eq!(
        said("a.yaml", map, &older, Place::Chat),
        ["ConfigMap c: key a changes (value not shown)", "ConfigMap c: key gone is removed (value not shown)"]
    );
    assert_eq!(said("values.yaml", "a: {b: 1}\n", "a: {}\n", Place::Proposal).len(), 2);
}

#[test]
fn objects_come_and_go_and_long_texts_are_named() {
    let one = "kind: Service\nmetadata: {name: a}\n";
    let two = "kind: Service\nmetadata: {name: a}\n---\nkind: Service\nmetadata: {name: b}\n";
    assert_eq!(said("a.yaml", one, two, Place::Chat), ["Service b is added"]);
    assert_eq!(said("a.yaml", two, one, Place::Chat), ["Service b is removed"]);
    let map = |text: &str| format!("kind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  app.ini: |\n    a\n    {text}\n");
    let texts = said("a.yaml", &map("b"), &map("c"), Place::Proposal);
    assert!(texts[0].starts_with("ConfigMap c: key app.ini 2 lines (") && !texts[0].contains('\n'), "{texts:?}");
    assert_eq!(said("run.sh", "a\n", "b\nc\n", Place::Chat), ["File run.sh: text (not readable as YAML) 1 line → 2 lines"]);
    let long = said("v.yaml", "a: 1\n", &format!("a: {}\n", "x".repeat(500)), Place::Proposal);
    assert!(long[0].chars().count() < 120, "{long:?}");
}

#[test]
fn many_lines_are_counted() {
    let values = |value: usize| (0..62).map(|number| format!("k{number}: {value}\n")).collect::<String>();
    let lines = said("values.yaml", &values(1), &values(2), Place::Proposal);
    assert_eq!((lines.len(), lines.last().map(String::as_str)), (51, Some("and 12 more")));
}
