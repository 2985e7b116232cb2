//! The house rules that can be checked: which module may name which, on the syntax tree, because a full path escapes a search for `use`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a file that cannot be read or parsed is a failure")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// The paths that one file names, each as its segments.
#[derive(Default)]
struct Paths {
    found: BTreeSet<Vec<String>>,
    public: BTreeSet<Vec<String>>,
    depth: Vec<String>,
}

impl Paths {
    fn of(source: &str, module: &[String]) -> Self {
        let file = syn::parse_file(source).unwrap();
        let mut paths = Self { depth: module.to_vec(), ..Self::default() };
        paths.visit_file(&file);
        paths
    }

    fn add(&mut self, segments: Vec<String>) {
        let resolved = self.resolve(segments);
        self.found.insert(resolved);
    }

    /// Turns `super::` and `self::` into `crate::…`.
    fn resolve(&self, segments: Vec<String>) -> Vec<String> {
        let mut base = self.depth.clone();
        let mut rest = segments.as_slice();
        match rest.first().map(String::as_str) {
            Some("self") => rest = &rest[1..],
            Some("super") => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            _ => return segments,
        }
        ["crate".to_owned()].into_iter().chain(base).chain(rest.iter().cloned()).collect()
    }

    fn tree(&mut self, prefix: &mut Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.tree(prefix, &path.tree);
                prefix.pop();
            }
            syn::UseTree::Name(name) => self.add([prefix.as_slice(), &[name.ident.to_string()]].concat()),
            syn::UseTree::Rename(name) => self.add([prefix.as_slice(), &[name.ident.to_string()]].concat()),
            syn::UseTree::Glob(_) => self.add(prefix.clone()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(prefix, tree)),
        }
    }

    /// Paths in macro arguments are tokens only.
    fn tokens(&mut self, tokens: proc_macro2::TokenStream) {
        let mut current: Vec<String> = Vec::new();
        let mut joined = false;
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Ident(ident) => {
                    if !joined && !current.is_empty() {
                        self.add(std::mem::take(&mut current));
                    }
                    current.push(ident.to_string());
                    joined = false;
                }
                proc_macro2::TokenTree::Punct(punct) if punct.as_char() == ':' => joined = true,
                other => {
                    if !current.is_empty() {
                        self.add(std::mem::take(&mut current));
                    }
                    joined = false;
                    if let proc_macro2::TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        if !current.is_empty() {
            self.add(current);
        }
    }

    fn signature(&mut self, visibility: &syn::Visibility, visit: impl FnOnce(&mut Self)) {
        let before = self.found.clone();
        visit(self);
        if matches!(visibility, syn::Visibility::Public(_)) {
            let after = std::mem::take(&mut self.found);
            self.public.extend(after.difference(&before).cloned());
            self.found = after;
        }
    }
}

fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|ident| ident == "test"))
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        // Tests may name what they like.
        if is_test_only(&module.attrs) {
            return;
        }
        self.depth.push(module.ident.to_string());
        syn::visit::visit_item_mod(self, module);
        self.depth.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&mut Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        self.tokens(item.tokens.clone());
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {
        // `pub(in crate::engine)` imports nothing.
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.signature(&item.vis, |paths| paths.visit_signature(&item.sig));
        self.visit_block(&item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.signature(&item.vis, |paths| paths.visit_signature(&item.sig));
        self.visit_block(&item.block);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.signature(&field.vis, |paths| syn::visit::visit_field(paths, field));
    }
}

/// What a file's paths break, as sentences.
fn violations(file: &str, source: &str) -> Vec<String> {
    let module = module_of(file);
    let top = module.first().cloned().unwrap_or_default();
    let paths = Paths::of(source, &module);
    let mut broken = Vec::new();
    for path in &paths.found {
        let text = path.join("::");
        let first = path[0].as_str();
        if matches!(first, "crate" | "revertd")
            && let Some(other) = path.get(1)
            && is_module(other)
            && *other != top
            && !allowed(&top).contains(&other.as_str())
        {
            broken.push(format!("{file}: `{top}` must not import `{text}`"));
        }
        for (name, homes) in FOREIGN {
            if path_names(path, name) && !homes.iter().any(|home| file.starts_with(home)) {
                broken.push(format!("{file}: only {homes:?} may name `{name}` (`{text}`)"));
            }
        }
        if top == "engine"
            && let Some(name) = IMPURE.iter().find(|name| path_names(path, name))
        {
            broken.push(format!("{file}: the engine is pure and must not name `{name}` (`{text}`)"));
        }
        if text.ends_with("MergeGrant::new") && top != "engine" {
            broken.push(format!("{file}: a MergeGrant is made in engine only"));
        }
    }
    if ["git", "forge", "probe", "sync", "notify", "journal", "net"].contains(&top.as_str()) {
        for path in paths.public.iter().filter(|path| ["git2", "octocrab", "reqwest", "rusqlite"].contains(&path[0].as_str())) {
            broken.push(format!("{file}: a public signature shows `{}`", path.join("::")));
        }
    }
    broken
}

/// Crates and functions, and the files that alone may name them.
const FOREIGN: &[(&str, &[&str])] = &[
    ("git2", &["git/"]),
    // The operator's render command is the one other program that is run, and `agent/rendering.rs` runs nothing else.
    ("std::process::Command", &["git/", "agent/rendering.rs"]),
    ("tokio::process", &["git/"]),
    ("reqwest", &["net/"]),
    ("octocrab", &["forge/github"]),
    ("rusqlite", &["journal/"]),
    ("SystemTime::now", &["agent/", "cli/", "demo/"]),
    ("Utc::now", &["agent/"]),
    ("Local::now", &[]),
    ("Instant::now", &["agent/", "net/", "probe/", "demo/", "cli/", "git/"]),
];

/// What the engine must not name.
const IMPURE: &[&str] = &[
    "tokio",
    "git2",
    "octocrab",
    "reqwest",
    "rusqlite",
    "tracing",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "Utc::now",
    "Local::now",
    "axum",
];

const MODULES: &[&str] =
    &["agent", "cli", "config", "demo", "engine", "forge", "git", "journal", "net", "notify", "probe", "render", "sync", "web"];

fn is_module(name: &str) -> bool {
    MODULES.contains(&name)
}

fn allowed(top: &str) -> &'static [&'static str] {
    match top {
        "engine" => &[],
        "render" | "config" => &["engine"],
        "net" => &["engine"],
        "git" | "forge" | "probe" | "sync" | "notify" | "journal" => &["engine", "net"],
        "web" => &["engine", "render", "journal"],
        "agent" => &["engine", "render", "config", "net", "git", "forge", "probe", "sync", "notify", "journal", "web"],
        "demo" => &["engine", "render", "config", "net", "git", "forge", "probe", "sync", "notify", "journal", "web", "agent"],
        "cli" => MODULES,
        "main" => &["cli"],
        // The crate's root declares the modules and imports none.
        _ => &[],
    }
}

/// Whether a path is, begins with or ends in the segments of `name`.
fn path_names(path: &[String], name: &str) -> bool {
    let wanted: Vec<&str> = name.split("::").collect();
    let begins = path.len() >= wanted.len() && path.iter().zip(&wanted).all(|(segment, wanted)| segment == wanted);
    let contains_call =
        wanted.len() > 1 && path.windows(wanted.len()).any(|window| window.iter().zip(&wanted).all(|(segment, wanted)| segment == wanted));
    let is_type = wanted.len() == 1 && name.starts_with(char::is_uppercase) && path.iter().any(|segment| segment == name);
    begins || contains_call || is_type
}

fn module_of(file: &str) -> Vec<String> {
    let mut parts: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

fn sources() -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.iter().map(|path| (path.strip_prefix(&root).unwrap().display().to_string(), std::fs::read_to_string(path).unwrap())).collect()
}

/// Files that hold tests only.
fn is_test_file(file: &str) -> bool {
    file.ends_with("tests.rs") || file.contains("/tests/")
}

#[test]
fn every_file_keeps_to_its_imports() {
    let broken: Vec<String> =
        sources().iter().filter(|(file, _)| !is_test_file(file)).flat_map(|(file, source)| violations(file, source)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    for (file, source) in sources() {
        assert!(is_test_file(&file) || source.starts_with("//!"), "{file} has no header");
    }
}

#[test]
fn the_top_level_is_what_it_should_be() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "src",
        "policies",
        "templates",
        "tests",
        "deploy",
        "benches",
        "target",
    ];
    for entry in std::fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(name.starts_with('.') || known.contains(&name.as_str()), "`{name}` has no place at the top");
    }
    for needed in ["README.md", "CHANGELOG.md", "LICENSE", "src", "policies", "templates", "tests", "deploy"] {
        assert!(root.join(needed).exists(), "`{needed}` is missing");
    }
}

#[test]
fn pushing_to_a_watched_branch_takes_the_grant_by_value() {
    let mut seen = 0;
    for (file, source) in sources() {
        if source.contains("fn push_watched") {
            seen += 1;
            let compact: String = source.split_whitespace().collect();
            assert!(compact.contains("fnpush_watched(&self,new:CommitId,grant:MergeGrant)"), "{file}");
        }
    }
    assert_eq!(seen, 1, "there is one way to push to a watched branch");
}

#[test]
fn planted_violations_are_seen() {
    for (file, source, expected) in [
        ("engine/slo.rs", "fn f() { crate::git::Mirror::open(); }", "must not import `crate::git::Mirror::open`"),
        ("engine/slo.rs", "use super::super::config::Agent;", "must not import"),
        ("engine/slo.rs", "fn f() { let _ = std::time::SystemTime::now(); }", "the engine is pure"),
        ("engine/slo.rs", "fn f() { println!(\"{}\", std::fs::read(\"x\")); }", "the engine is pure"),
        ("render/report.rs", "use crate::journal::Journal;", "must not import"),
        ("probe/http.rs", "use crate::git::Mirror;", "must not import"),
        ("probe/http.rs", "fn f() { reqwest::get(1); }", "only [\"net/\"] may name `reqwest`"),
        ("agent/run.rs", "use git2::Repository;", "only [\"git/\"]"),
        ("cli/run.rs", "fn f() { std::process::Command::new(\"git\"); }", "std::process::Command"),
        ("git/mod.rs", "pub struct M { pub inner: git2::Repository }", "a public signature shows"),
        ("git/mod.rs", "impl M { pub fn f(&self) -> git2::Oid { loop {} } }", "a public signature shows"),
        ("git/push.rs", "fn f() { crate::engine::approval::MergeGrant::new(1, 2); }", "made in engine only"),
        ("web/mod.rs", "use crate::agent::Reconciler;", "must not import"),
        ("agent/mod.rs", "use crate::demo::World;", "must not import"),
        ("journal/mod.rs", "use crate::{git::Mirror, engine::id};", "must not import"),
    ] {
        let found = violations(file, source);
        assert!(found.iter().any(|sentence| sentence.contains(expected)), "{file}: {source}\n{found:?}");
    }
    assert!(violations("git/mod.rs", "#[cfg(test)] mod tests { use crate::cli::Cli; } pub(crate) fn f(r: git2::Oid) {}").is_empty());
}

#[test]
fn the_paths_of_a_module_are_resolved() {
    let resolved = Paths::of("use super::x::Y; use self::z;", &["git".into(), "push".into()]).found;
    if !resolved.contains(["crate", "git", "x", "Y"].map(str::to_owned).as_slice()) {
        panic!("{resolved:?}");
    }
}
