use super::*;
use crate::engine::id::BranchName;
use crate::git::scratch::ScratchRepository;
use crate::git::{GitExecutable, Remote};

/// A small generator, so that every run tries the same histories.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        // Knuth's MMIX constants.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

const PATH: &str = "environments/tags.yaml";

fn text(tags: &[String]) -> String {
    tags.iter().enumerate().map(|(number, tag)| format!("service-{number:03}: {tag}\n")).collect()
}

fn mirror(path: &std::path::Path) -> Mirror {
    let remote = Remote { url: "file:///nowhere".to_owned(), branch: BranchName::new("main"), credentials: None };
    Mirror::open(path, remote, GitExecutable::find().unwrap()).unwrap()
}

fn asked(onto: CommitId, commit: CommitId, before: CommitId) -> UndoQuestion {
    let paths = PathSet { include: vec!["environments/**".to_owned()], exclude: Vec::new() };
    UndoQuestion {
        onto,
        changes: vec![Undo { commit, before: Some(before) }],
        scope: Scope::Commit,
        of: vec![PolicyName::new("checkout")],
        services: vec![ServicePaths { name: PolicyName::new("checkout"), paths }],
        good: Some(before),
        later: Vec::new(),
        never_back_to: Vec::new(),
        protect: Vec::new(),
    }
}

/// One line for each of 20 to 200 services, and 5 to 40 later bumps of others: every revert ends in a plan that gives the one line back and
/// touches nothing else, and where Git is clean, restored values are what Git writes.
#[test]
fn every_bump_of_a_tag_file_can_be_undone() {
    let (mut clean, mut conflicts) = (0, 0);
    for seed in 0..24_u64 {
        let mut random = Random(seed);
        let services = 20 + random.below(181);
        let mut tags: Vec<String> = (0..services).map(|number| format!("1.{number}.0")).collect();
        let bad = random.below(services);
        let mut versions = vec![text(&tags)];
        tags[bad] = "9.9.9".to_owned();
        versions.push(text(&tags));
        for bump in 0..5 + random.below(36) {
            // In every other history half of them are close by; in the rest none is next to it.
            let near = (bad + 1 + random.below(4)).min(services - 1);
            let other = if bump % 2 == 0 && seed % 2 == 0 { near } else { random.below(services) };
            if other != bad && (seed % 2 == 0 || other.abs_diff(bad) > 1) {
                tags[other] = format!("2.{bump}.0");
                versions.push(text(&tags));
            }
        }
        tags[bad] = format!("1.{bad}.0");
        let expected = text(&tags);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tags.git");
        let scratch = ScratchRepository::init(&path, "main").unwrap();
        let mut stream = String::new();
        for (number, version) in versions.iter().enumerate() {
            let at = 1_700_000_000 + number;
            stream.push_str(&format!("commit refs/heads/main\ncommitter Robin <robin@shop.example> {at} +0000\ndata 4\nstep\n"));
            stream.push_str(&format!("M 100644 inline {PATH}\ndata {}\n{version}\n", version.len()));
        }
        scratch.fast_import(stream.as_bytes()).unwrap();
        let id = |revision: &str| scratch.text(&["rev-parse", revision]).unwrap().trim().parse::<CommitId>().unwrap();
        let (head, change) = (id("main"), id(&format!("main~{}", versions.len() - 2)));
        let before = id(&format!("main~{}", versions.len() - 1));
        let mirror = mirror(&path);
        let answer = mirror.undo(&asked(head, change, before)).unwrap();
        let Inverse::Clean(found) = answer else { unreachable!("seed {seed}: {answer:?}") };
        let shown = |tree: &str| scratch.text(&["show", &format!("{tree}:{PATH}")]).unwrap();
        assert_eq!(shown(&found.tree.to_string()), expected, "seed {seed}");
        assert_eq!(found.paths.len(), 1);
        let by_values = {
            let repository = mirror.repository();
            let tree = |commit| trees::tree_of(&repository, Some(oid(commit))).unwrap();
            let step = Step { undo: Undo { commit: change, before: Some(before) }, changed: tree(change), before: tree(before) };
            restore_values(&repository, tree(head).as_ref(), &step).unwrap().unwrap().0.unwrap().to_string()
        };
        assert_eq!(shown(&by_values), expected, "seed {seed}: values and Git agree");
        match mirror.inverse(head, &[Undo { commit: change, before: Some(before) }]).unwrap() {
            Inverse::Clean(git) => {
                clean += 1;
                assert_eq!((found.tree, found.kind), (git.tree, PlanKind::Revert), "seed {seed}");
            }
            Inverse::Conflict { .. } => {
                conflicts += 1;
                assert_eq!(found.kind, PlanKind::Values, "seed {seed}");
                assert!(found.account.unwrap().left.is_empty());
            }
            Inverse::AlreadyUndone => unreachable!("seed {seed}: nothing to undo"),
        }
    }
    assert!(clean >= 8 && conflicts >= 8, "{clean} clean and {conflicts} conflicts");
}
