use proptest::prelude::*;

use super::*;

struct Files(BTreeMap<String, String>);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    fn closure(&self, include: &[&str], exclude: &[&str], addresses: &[String]) -> Closure {
        let read = |path: &str| self.0.get(path).map(|text| Cow::Owned(text.clone()));
        let list = |directory: &str| {
            let inside = |path: &&String| directory.is_empty() || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
            self.0.keys().filter(inside).cloned().collect()
        };
        closure(&paths(include, exclude), Tree { read: &read, list: &list, addresses }).unwrap()
    }

    fn pulled(&self, include: &[&str]) -> Vec<String> {
        self.closure(include, &[], &[]).pulled.into_keys().collect()
    }
}

fn paths(include: &[&str], exclude: &[&str]) -> PathSet {
    let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect();
    PathSet { include: owned(include), exclude: owned(exclude) }
}

#[test]
fn every_field_of_a_kustomization_is_followed() {
    let kustomization = "resources: [../../bases/web, ../../shared/ns.yaml, https://example.com/x?ref=v1]
components: [../../components/metrics]
bases: [../../old]
patches: [{path: ../../p/a.yaml}, {patch: \"- op: remove\\n  path: /x\\n\"}]
patchesStrategicMerge: [../../p/b.yaml, \"kind: A\\nmetadata: {name: x}\\n\"]
patchesJson6902: [{target: {kind: A}, path: ../../p/c.yaml}]
configMapGenerator: [{name: c, files: [key=../../gen/a.conf, ../../gen/b.conf], envs: [../../gen/c.env], env: ../../gen/d.env}]
secretGenerator: [{name: s, files: [../../gen/s.txt]}]
helmGlobals: {chartHome: ../../charts}
helmCharts: [{name: local, valuesFile: ../../values/v.yaml, additionalValuesFiles: [../../values/w.yaml]}, {name: far, repo: https://charts.example.com}]
replacements: [{path: ../../p/r.yaml}]
generators: [../../g/g.yaml]
transformers: [../../g/t.yaml]
validators: [../../g/v.yaml]
crds: [../../s/crd.json]
configurations: [../../s/c.yaml]
openapi: {path: ../../s/o.json}
";
    let leaves = [
        "shared/ns.yaml",
        "p/a.yaml",
        "p/b.yaml",
        "p/c.yaml",
        "gen/a.conf",
        "gen/b.conf",
        "gen/c.env",
        "gen/d.env",
        "gen/s.txt",
        "values/v.yaml",
        "values/w.yaml",
        "p/r.yaml",
        "g/g.yaml",
        "g/t.yaml",
        "g/v.yaml",
        "s/crd.json",
        "s/c.yaml",
        "s/o.json",
        "bases/web/deployment.yaml",
        "charts/local/Chart.yaml",
        "charts/local/templates/deployment.yaml",
    ];
    let mut files: Vec<(&str, &str)> = leaves.iter().map(|path| (*path, "a: 1\n")).collect();
    let inner = ["bases/web/kustomization.yaml", "components/metrics/kustomization.yml", "old/Kustomization"];
    files.push(("apps/checkout/kustomization.yaml", kustomization));
    files.push((inner[0], "resources: [deployment.yaml]\n"));
    files.extend([(inner[1], "kind: Component\n"), (inner[2], "resources: []\n"), ("other/x.yaml", "a: 1\n")]);
    let files = Files::new(&files);
    let closure = files.closure(&["apps/checkout/**"], &[], &[]);
    let mut expected: Vec<String> = leaves.iter().chain(&inner).map(|path| (*path).to_owned()).collect();
    expected.sort();
    assert_eq!(closure.pulled.keys().cloned().collect::<Vec<_>>(), expected);
    let elsewhere: Vec<(&str, Why)> = closure.not_followed.iter().map(|found| (found.reference.as_str(), found.why)).collect();
    assert_eq!(elsewhere, [("far of https://charts.example.com", Why::Elsewhere), ("https://example.com/x?ref=v1", Why::Elsewhere)]);
}

#[test]
fn releases_and_applications_lead_to_charts_and_values() {
    let files = Files::new(&[
        (
            "apps/a/release.yaml",
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a}\nspec:\n  chart:\n    spec:\n      chart: ./charts/web\n      \
             sourceRef: {kind: GitRepository, name: flux-system}\n      valuesFiles: [charts/web/values-prod.yaml, values/a.yaml]\n",
        ),
        (
            "apps/b/release.yaml",
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: b}\nspec:\n  chart: {spec: {chart: redis, sourceRef: {kind: HelmRepository, name: bitnami}}}\n",
        ),
        (
            "apps/c/application.yaml",
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: c}\nspec:\n  sources:\n  - {repoURL: 'https://git.example.com/acme/m.git', path: charts/web, \
             helm: {valueFiles: [values-prod.yaml, $v/values/c.yaml, /values/a.yaml]}}\n  - {repoURL: 'git@git.example.com:acme/m', ref: v}\n  - {repoURL: 'https://other.example.com/x', path: charts/web}\n",
        ),
        (
            "apps/d/set.yaml",
            "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: d}\nspec: {template: {spec: {source: {repoURL: 'https://git.example.com/acme/m', path: 'apps/{{path}}'}}}}\n",
        ),
        ("apps/e/ks.yaml", "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: e}\nspec: {path: ./plain}\n"),
        (
            "charts/web/Chart.yaml",
            "name: web\ndependencies:\n- {name: lib, repository: 'file://../lib'}\n- {name: far, repository: 'oci://r.example.com/c'}\n- {name: inner}\n",
        ),
        ("charts/web/values.yaml", "a: 1\n"),
        ("charts/web/values-prod.yaml", "a: 1\n"),
        ("charts/web/templates/d.yaml", "{{ .x }}\n"),
        ("charts/lib/Chart.yaml", "name: lib\ndependencies: [{name: web, repository: 'file://../web'}]\n"),
        ("charts/lib/templates/_x.tpl", "x"),
        ("values/a.yaml", "a: 1\n"),
        ("values/c.yaml", "a: 1\n"),
        ("plain/sub/x.yaml", "a: 1\n"),
    ]);
    let chart = [
        "charts/lib/Chart.yaml",
        "charts/lib/templates/_x.tpl",
        "charts/web/Chart.yaml",
        "charts/web/templates/d.yaml",
        "charts/web/values-prod.yaml",
        "charts/web/values.yaml",
    ];
    assert_eq!(files.pulled(&["apps/a/**"]), [&chart[..], &["values/a.yaml"]].concat());
    assert_eq!(
        files.closure(&["apps/b/*"], &[], &[]).not_followed.first().unwrap().sentence(),
        "apps/b/release.yaml installs the chart of redis of bitnami, which is in another repository or registry"
    );
    let here = ["https://bot@git.example.com/acme/m.git".to_owned()];
    let closure = files.closure(&["apps/c/**"], &[], &here);
    assert_eq!(closure.pulled.keys().map(String::as_str).collect::<Vec<_>>(), [&chart[..], &["values/a.yaml", "values/c.yaml"]].concat());
    assert!(closure.not_followed.iter().any(|found| found.reference == "charts/web of https://other.example.com/x"));
    assert_eq!(files.closure(&["apps/d/**"], &[], &here).not_followed.first().unwrap().why, Why::Template);
    assert_eq!(files.pulled(&["apps/e/*.yaml"]), ["plain/sub/x.yaml"]);
}

#[test]
fn cycles_end_and_depth_is_bounded() {
    let ring = Files::new(&[
        ("a/kustomization.yaml", "resources: [../b]\n"),
        ("b/kustomization.yaml", "resources: [../c, ../../out, gone.yaml, .]\n"),
        ("c/kustomization.yaml", "resources: [../b, ../a, x]\n"),
        ("c/x/y.yaml", "a: 1\n"),
    ]);
    let closure = ring.closure(&["a/**"], &[], &[]);
    assert_eq!(closure.pulled.keys().map(String::as_str).collect::<Vec<_>>(), ["b/kustomization.yaml", "c/kustomization.yaml"]);
    let why: Vec<Why> = closure.not_followed.iter().map(|found| found.why).collect();
    assert_eq!(why, [Why::Outside, Why::NotThere, Why::NoKustomization]);
    let deep: Vec<(String, String)> =
        (0..60).map(|level| (format!("d{level}/kustomization.yaml"), format!("resources: [../d{}]\n", level + 1))).collect();
    let deep = Files(deep.into_iter().collect());
    let closure = deep.closure(&["d0/**"], &[], &[]);
    assert_eq!(closure.pulled.len(), MOST_STEPS);
    assert!(closure.not_followed.iter().any(|found| found.why == Why::TooMuch));
}

#[test]
fn owners_are_told_with_the_chain_and_the_side() {
    let before = Files::new(&[
        ("apps/a/kustomization.yaml", "resources: [../../base]\n"),
        ("base/kustomization.yaml", "resources: [d.yaml]\n"),
        ("base/d.yaml", "a: 1\n"),
    ]);
    let after = Files::new(&[
        ("apps/a/kustomization.yaml", "configMapGenerator: [{name: x, files: [../../c.conf, own.yaml]}]\n"),
        ("apps/a/own.yaml", "x"),
        ("c.conf", "x"),
        ("base/d.yaml", "a: 1\n"),
    ]);
    let mut ownership = Ownership::default();
    let service = PolicyName::new("a");
    let own = paths(&["apps/a/**"], &[]);
    ownership.add(service.clone(), &own, before.closure(&["apps/a/**"], &[], &[]), after.closure(&["apps/a/**"], &[], &[])).unwrap();
    let sentences = |path: &str| ownership.owners(path).iter().map(Owner::sentence).collect::<Vec<_>>();
    assert_eq!(sentences("apps/a/gone.yaml"), ["a: by its paths"]);
    assert_eq!(
        sentences("base/d.yaml"),
        [
            "a: apps/a/kustomization.yaml lists as a resource base/kustomization.yaml, which lists as a resource base/d.yaml (only before the change)"
        ]
    );
    assert_eq!(sentences("c.conf"), ["a: apps/a/kustomization.yaml generates a ConfigMap or Secret from c.conf (only since the change)"]);
    assert!(sentences("x").is_empty());
    assert!(
        ownership.is_taken_as_bytes("c.conf")
            && ownership.is_taken_as_bytes("apps/a/own.yaml")
            && !ownership.is_taken_as_bytes("base/d.yaml")
    );
    assert_eq!(ownership.services_of(["base/d.yaml", "x"]), [service].into());
}

#[test]
fn what_a_policy_excludes_it_does_not_own_through_others_either() {
    let files = Files::new(&[
        ("apps/a/kustomization.yaml", "resources: [../../base, ../../vendor/x.yaml]\n"),
        ("base/kustomization.yaml", "{}\n"),
        ("vendor/x.yaml", "a: 1\n"),
    ]);
    assert_eq!(
        files.closure(&["apps/a/**"], &["vendor/**"], &[]).pulled.keys().map(String::as_str).collect::<Vec<_>>(),
        ["base/kustomization.yaml"]
    );
    assert_eq!(literal_directory("apps/{a,b}/**"), "apps");
    assert_eq!(literal_directory("apps/a/x.yaml"), "apps/a");
    assert_eq!(literal_directory("**/x.yaml"), "");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_web_of_kustomizations_ends_with_chains_that_hold(links in proptest::collection::vec((0usize..8, 0usize..8), 0..30)) {
        let mut files = BTreeMap::new();
        for directory in 0..8 {
            let targets: Vec<String> = links.iter().filter(|(from, _)| *from == directory).map(|(_, to)| format!("../d{to}")).collect();
            files.insert(format!("d{directory}/kustomization.yaml"), format!("resources: [{}]\n", targets.join(", ")));
        }
        let closure = Files(files).closure(&["d0/**"], &[], &[]);
        // Reachable by hand.
        let mut reached = BTreeSet::from([0]);
        for _ in 0..8 {
            reached.extend(links.iter().filter(|(from, _)| reached.contains(from)).map(|(_, to)| *to).collect::<Vec<_>>());
        }
        reached.remove(&0);
        prop_assert_eq!(closure.pulled.len(), reached.len());
        for (path, chain) in &closure.pulled {
            prop_assert_eq!(&chain[0].by, "d0/kustomization.yaml");
            prop_assert!(chain.windows(2).all(|pair| pair[0].path == pair[1].by));
            prop_assert_eq!(&chain.last().unwrap().path, path);
        }
    }
}
