//! The approvals corpus: what people and attackers write on a proposal, as data, each case with the guard that it is about.
//!
//! `tests/approvals/a01.yaml` to `a16.yaml` hold hostile cases, a file for each way of attack; `honest.yaml` holds what must work. A hostile
//! case may hold an honest comment too, as the one that must not be lost; what is approved in the end is always part of the expectation.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a corpus that cannot be read is a failure")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use revertd::engine::consent::{
    Answer, ApprovalSource, Author, AuthorKind, ConsentRules, Edit, Form, FourEyes, Head, HeadWriter, Hold, Lookup, Membership, Ownership,
    Permission, ProposalNow, ProposalNumber, Publication, RepositoryId, ReviewState, Role, Said, SaidId, UserId, Verdict, Visibility,
    evaluate,
};
use revertd::engine::id::{CommitId, PlanDigest};
use revertd::engine::time::Timestamp;
use serde::Deserialize;

/// When the proposal of every case was opened; times in cases are whole or broken seconds since then.
const OPENED: i64 = 1_795_230_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    id: String,
    guard: String,
    #[serde(default)]
    now: Option<f64>,
    #[serde(default)]
    rules: Rules,
    #[serde(default)]
    proposal: Situation,
    said: Vec<Comment>,
    verdicts: Vec<String>,
    #[serde(default)]
    approved: Vec<String>,
    #[serde(default)]
    held_by: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Rules {
    from: Option<Vec<String>>,
    count: Option<u32>,
    four_eyes: bool,
    force: Vec<String>,
    expires: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Situation {
    state: Option<String>,
    head: Option<u8>,
    head_by: Option<String>,
    plan: Option<String>,
    published: Option<Vec<(f64, String, u8)>>,
    authors: Option<Vec<String>>,
    authors_unknown: bool,
    holds: Vec<(String, f64, u64)>,
    accepted: Vec<u64>,
    refused: Vec<u64>,
    replies_left: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Comment {
    by: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    repeat: Option<usize>,
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    at: Option<f64>,
    #[serde(default)]
    on: Option<u64>,
    #[serde(default)]
    repository: Option<u64>,
    #[serde(default)]
    form: Option<String>,
    #[serde(default)]
    head: Option<u8>,
    #[serde(default)]
    through: Option<String>,
    #[serde(default)]
    login: Option<String>,
    #[serde(default)]
    edit: Option<String>,
    #[serde(default)]
    visibility: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    role_of: Option<String>,
    #[serde(default)]
    team: BTreeMap<String, String>,
    #[serde(default)]
    owner: Option<String>,
}

/// Name, account, role, whether it owns the paths, its teams.
type Person = (&'static str, u64, &'static str, &'static str, &'static [&'static str]);

const PEOPLE: &[Person] = &[
    ("revertd", 1, "write", "notOwner", &[]),
    ("alice", 11, "write", "owner", &["acme/sre"]),
    ("bob", 12, "maintain", "notOwner", &["acme/sre"]),
    ("carol", 13, "triage", "notOwner", &[]),
    ("dave", 14, "read", "notOwner", &["acme/oncall"]),
    ("erin", 15, "write", "owner", &["acme/sre"]),
    ("oscar", 16, "none", "notOwner", &[]),
    ("mallory", 17, "read", "notOwner", &[]),
    ("frank", 19, "admin", "notOwner", &["acme/incident"]),
    ("renovate", 20, "write", "owner", &["acme/sre"]),
];

fn person(name: &str) -> Person {
    *PEOPLE.iter().find(|person| person.0 == name).unwrap_or_else(|| panic!("nobody is called {name}"))
}

fn moment(seconds: f64) -> Timestamp {
    Timestamp(OPENED + (seconds * 1000.0) as i64)
}

/// `a` stands for a plan of 64 `a`s.
fn plan(text: &str) -> PlanDigest {
    PlanDigest::new(text.repeat(64 / text.len()))
}

fn role(text: &str) -> Role {
    serde_json::from_value(text.into()).unwrap()
}

fn lookup<T: serde::de::DeserializeOwned>(text: &str) -> Lookup<T> {
    if text == "unknown" { Lookup::Unknown("503".to_owned()) } else { Lookup::Known(serde_json::from_value(text.into()).unwrap()) }
}

fn source(text: &str) -> ApprovalSource {
    match text.split_once(':') {
        Some(("team", team)) => ApprovalSource::Team(team.to_owned()),
        Some(("user", login)) => ApprovalSource::User(login.to_owned()),
        Some(("role", least)) => ApprovalSource::Role(role(least)),
        _ => ApprovalSource::Codeowners,
    }
}

fn rules(rules: &Rules) -> ConsentRules {
    let default = ConsentRules::default();
    ConsentRules {
        from: rules.from.as_ref().map_or(default.from, |from| from.iter().map(|text| source(text)).collect()),
        count: rules.count.unwrap_or(1),
        four_eyes: if rules.four_eyes { FourEyes::Needed } else { FourEyes::NotNeeded },
        force: rules.force.iter().map(|text| source(text)).collect(),
        if_silent: None,
        expires: rules.expires.map_or(default.expires, Duration::from_secs),
    }
}

fn proposal(situation: &Situation) -> ProposalNow {
    let commit = |byte: u8| CommitId([byte; 20]);
    let published = situation.published.clone().unwrap_or_else(|| vec![(0.0, "a".to_owned(), 1)]);
    let head = match situation.head_by.as_deref() {
        Some("unknown") => Lookup::Unknown("timed out".to_owned()),
        Some(_) => Lookup::Known(Head { commit: commit(situation.head.unwrap_or(1)), writer: HeadWriter::SomebodyElse }),
        None => Lookup::Known(Head { commit: commit(situation.head.unwrap_or(1)), writer: HeadWriter::Revertd }),
    };
    let authors = situation.authors.clone().unwrap_or_else(|| vec!["erin".to_owned()]);
    let accepted = situation.accepted.iter().map(|id| (SaidId::Comment(*id), Answer::Accepted));
    let refused = situation.refused.iter().map(|id| (SaidId::Comment(*id), Answer::Refused));
    ProposalNow {
        repository: RepositoryId(7),
        number: ProposalNumber(42),
        state: serde_json::from_value(situation.state.as_deref().unwrap_or("open").into()).unwrap(),
        head,
        plan: plan(situation.plan.as_deref().unwrap_or("a")),
        published: published
            .iter()
            .map(|(at, text, head)| Publication { at: moment(*at), plan: plan(text), head: commit(*head) })
            .collect(),
        change_authors: if situation.authors_unknown {
            Lookup::Unknown("no account for that address".to_owned())
        } else {
            Lookup::Known(authors.iter().map(|name| UserId(person(name).1)).collect())
        },
        own: UserId(1),
        answered: accepted.chain(refused).collect(),
        holds: situation
            .holds
            .iter()
            .map(|(by, at, id)| Hold { said: SaidId::Comment(*id), by: UserId(person(by).1), login: by.clone(), at: moment(*at) })
            .collect(),
        replies_left: situation.replies_left.unwrap_or(10),
    }
}

fn said(position: usize, comment: &Comment) -> Said {
    let (name, id, person_role, owner, teams) = person(&comment.by);
    let number = comment.id.unwrap_or(position as u64 + 1);
    let head = CommitId([comment.head.unwrap_or(1); 20]);
    let review = |state| (SaidId::Review(number), Form::Review { state, head });
    let (id_said, form) = match comment.form.as_deref() {
        None => (SaidId::Comment(number), Form::Comment),
        Some("approved") => review(ReviewState::Approved),
        Some("changesRequested") => review(ReviewState::ChangesRequested),
        Some("commented") => review(ReviewState::Commented),
        Some("dismissed") => review(ReviewState::Dismissed),
        Some(_) => (SaidId::Comment(number), Form::Other),
    };
    let kind = match comment.through.as_deref() {
        Some("app") => AuthorKind::ThroughApp,
        Some(_) => AuthorKind::Bot,
        None if name == "renovate" => AuthorKind::Bot,
        None => AuthorKind::Person,
    };
    let permission = match comment.role.as_deref() {
        Some("unknown") => Lookup::Unknown("503".to_owned()),
        text => Lookup::Known(Permission {
            user: UserId(comment.role_of.as_deref().map_or(id, |name| person(name).1)),
            role: role(text.unwrap_or(person_role)),
        }),
    };
    let membership = |team: &str| {
        let own = if teams.contains(&team) { "active" } else { "no" };
        lookup::<Membership>(comment.team.get(team).map_or(own, String::as_str))
    };
    Said {
        id: id_said,
        repository: RepositoryId(comment.repository.unwrap_or(7)),
        proposal: ProposalNumber(comment.on.unwrap_or(42)),
        form,
        author: Author { id: UserId(id), login: comment.login.clone().unwrap_or_else(|| name.to_owned()), kind },
        body: comment.body.repeat(comment.repeat.unwrap_or(1)),
        at: moment(comment.at.unwrap_or(10.0 + position as f64)),
        edit: lookup::<Edit>(comment.edit.as_deref().unwrap_or("never")),
        visibility: lookup::<Visibility>(comment.visibility.as_deref().unwrap_or("shown")),
        permission,
        teams: ["acme/sre", "acme/oncall", "acme/incident"].map(|team| (team.to_owned(), membership(team))).into(),
        codeowner: lookup::<Ownership>(comment.owner.as_deref().unwrap_or(owner)),
    }
}

/// `None` where everything is as expected.
fn wrong(case: &Case) -> Option<String> {
    let comments: Vec<Said> = case.said.iter().enumerate().map(|(position, comment)| said(position, comment)).collect();
    let consent = evaluate(&rules(&case.rules), &proposal(&case.proposal), &comments, moment(case.now.unwrap_or(600.0)));
    let verdicts: Vec<&str> = consent
        .judged
        .iter()
        .map(|judged| match judged.verdict {
            Verdict::Accepted => "accepted",
            Verdict::Refused(_) => "refused",
            Verdict::Ignored => "ignored",
        })
        .collect();
    let approved: Vec<String> =
        consent.approved.iter().flat_map(|approved| approved.by.iter().map(|approver| approver.login.clone())).collect();
    let held_by = consent.held_by().map(|hold| hold.login.clone());
    let is_right = verdicts == case.verdicts && approved == case.approved && held_by == case.held_by;
    (!is_right).then(|| {
        let sentences: Vec<String> = consent
            .judged
            .iter()
            .filter_map(|judged| if let Verdict::Refused(why) = &judged.verdict { Some(why.to_string()) } else { None })
            .collect();
        format!(
            "{} ({}): got {verdicts:?}, approved by {approved:?}, held by {held_by:?}; expected {:?}, {:?}, {:?}. {sentences:?}",
            case.id, case.guard, case.verdicts, case.approved, case.held_by
        )
    })
}

fn read(name: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/approvals").join(name);
    serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn check(name: &str, least: usize) -> Vec<Case> {
    let cases = read(name);
    assert!(cases.len() >= least, "{name} holds {} cases and must hold {least}", cases.len());
    let failures: Vec<String> = cases.iter().filter_map(wrong).collect();
    assert!(failures.is_empty(), "{} of {} cases of {name}:\n{}", failures.len(), cases.len(), failures.join("\n"));
    cases
}

macro_rules! hostile {
    ($($test:ident $file:literal;)*) => {
        $(#[test]
        fn $test() {
            check($file, 12);
        })*

        #[test]
        fn every_case_has_a_name_of_its_own_and_a_guard() {
            let mut ids = BTreeSet::new();
            for case in [$($file),*, "honest.yaml"].iter().flat_map(|file| read(file)) {
                assert!(!case.guard.is_empty(), "{}", case.id);
                assert!(ids.insert(case.id.clone()), "{} is there twice", case.id);
            }
        }
    };
}

hostile! {
    a01_no_permission_now "a01.yaml";
    a02_edited "a02.yaml";
    a03_deleted_or_minimised "a03.yaml";
    a04_not_a_person "a04.yaml";
    a05_not_said "a05.yaml";
    a06_not_what_it_seems "a06.yaml";
    a07_replayed "a07.yaml";
    a08_pushed_after_the_approval "a08.yaml";
    a09_not_four_eyes "a09.yaml";
    a10_not_a_comment_on_the_proposal "a10.yaml";
    a11_flood "a11.yaml";
    a12_links "a12.yaml";
    a13_impersonation "a13.yaml";
    a14_force "a14.yaml";
    a15_order "a15.yaml";
    a16_reading_gaps "a16.yaml";
}

#[test]
fn honest_comments_count() {
    check("honest.yaml", 60);
}
