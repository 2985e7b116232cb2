//! The proposal's title and text, in the order in which a reviewer asks (design §15): what broke, why this change, what merging does, what
//! happens if nobody acts, how to approve it and how to stop it.
//!
//! Blameless: it speaks of changes and what they did. What comes from commits, services and policies goes through [`super::neutral`].

use std::collections::BTreeMap;

use serde::Serialize;

use super::back::{self, BackView};
use super::candidate::CandidateContext;
use super::neutral::{self, Markdown, cut};
use super::templates::{TemplateError, Templates};
use crate::engine::attribution::Candidate;
use crate::engine::broken_sync::Broke;
use crate::engine::consent::{ApprovalSource, ConsentRules, Role};
use crate::engine::decision::DecisionRecord;
use crate::engine::id::CommitId;
use crate::engine::incident::{Incident, Proposal};
use crate::engine::object::{ObjectChange, Place, sentences};
use crate::engine::policy::{Mode, Policy};
use crate::engine::time::{Interval, spoken};

/// The template of the title.
pub(super) const TITLE_TEMPLATE: &str = "title.txt";
/// The template of the text.
pub(super) const TEMPLATE: &str = "proposal.md";
/// The longest title (GitHub: 256 characters).
const LONGEST_TITLE: usize = 256;
/// Digits of the plan in the command: short enough for a phone, and more than the least that counts.
const PLAN_DIGITS: usize = 12;
/// The most other candidates that are named.
const MOST_OTHERS: usize = 20;
/// The most suspects that are named.
const MOST_SUSPECTS: usize = 20;

/// What a proposal's text is made from.
#[derive(Clone, Debug)]
pub struct ProposalView<'a> {
    /// The proposal.
    pub proposal: &'a Proposal,
    /// The services that it is for, in the order in which their incidents joined.
    pub services: Vec<ServiceView<'a>>,
    /// Who wrote each suspected commit.
    pub authors: BTreeMap<CommitId, Author>,
    /// What the plan changes, object by object.
    pub objects: Vec<ObjectChange>,
    /// How often each of the policies was right before, a sentence each without a full stop.
    pub record: Vec<String>,
    /// What it brings back; `None` for a revert.
    pub back: Option<BackView<'a>>,
}

/// One service of a proposal.
#[derive(Clone, Debug)]
pub struct ServiceView<'a> {
    /// Its story.
    pub incident: &'a Incident,
    /// The policy that the story opened with.
    pub policy: &'a Policy,
    /// Its rounds, as a plot.
    pub plot: Option<Markdown>,
    /// When it was seen healthy before the suspect landed.
    pub healthy: Option<Interval>,
    /// What its story has spent of the error budgets, a sentence each.
    pub budgets: Vec<String>,
}

/// Who wrote a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The name in the commit. Untrusted.
    pub name: String,
    /// The account on the forge, where the forge has named it.
    pub login: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct TitleContext {
    subject: String,
    services: String,
}

#[derive(Debug, Serialize)]
pub(super) struct ProposalContext {
    services: Vec<ServiceContext>,
    suspects: Vec<AuthoredContext>,
    others: Vec<AuthoredContext>,
    objects: Vec<Markdown>,
    way: Vec<Markdown>,
    restores: Markdown,
    files: Markdown,
    if_nothing: Markdown,
    approve: ApproveContext,
    why_not_merged: Option<Markdown>,
    record: Vec<Markdown>,
    reverted: Markdown,
    why: Markdown,
    links: Vec<Markdown>,
    incidents: Vec<Markdown>,
    plan: Markdown,
}

#[derive(Debug, Serialize)]
struct ServiceContext {
    name: Markdown,
    what: Markdown,
    onset: Markdown,
    detected: Markdown,
    arithmetic: Vec<Markdown>,
    plot: Option<Markdown>,
    budgets: Vec<Markdown>,
}

#[derive(Debug, Serialize)]
struct AuthoredContext {
    #[serde(flatten)]
    candidate: CandidateContext,
    author: Markdown,
}

#[derive(Debug, Serialize)]
struct ApproveContext {
    who: Markdown,
    command: Markdown,
    expires: Markdown,
}

/// The title: Git's own for the revert, and the services.
///
/// # Errors
/// The template does not fit, which is excluded when it is loaded.
pub fn title(templates: &Templates, view: &ProposalView<'_>) -> Result<String, TemplateError> {
    let subject = view.proposal.latest_commit.as_ref().and_then(|commit| commit.message.lines().next()).unwrap_or("Revert");
    let services: Vec<String> = view.services.iter().map(|service| service.incident.service()).collect();
    let services = match services.as_slice() {
        [] => "no service".to_owned(),
        [one] => one.clone(),
        [one, others @ ..] => format!("{one} and {} more", others.len()),
    };
    // What the services are must not be lost when the subject is long.
    let context = TitleContext { subject: neutral::title(subject, LONGEST_TITLE - 80), services: neutral::title(&services, 60) };
    Ok(neutral::title(templates.render(TITLE_TEMPLATE, &context)?.trim(), LONGEST_TITLE))
}

/// The text, at most 65,536 characters.
///
/// # Errors
/// The template does not fit, which is excluded when it is loaded.
pub fn body(templates: &Templates, view: &ProposalView<'_>) -> Result<String, TemplateError> {
    let context = ProposalContext::new(view);
    Ok(super::within_limit(&templates.render(TEMPLATE, &context)?, ""))
}

/// What to type to allow a plan.
pub(super) fn approve_command(proposal: &Proposal) -> Option<String> {
    let plan = proposal.plan_digest()?;
    Some(format!("/revertd approve {}", plan.as_str().get(..PLAN_DIGITS).unwrap_or(plan.as_str())))
}

/// Who may allow a plan, in a sentence.
pub(super) fn who_approves(rules: &[&ConsentRules]) -> Markdown {
    let mut said: Vec<String> = rules.iter().map(|rules| who(rules)).collect();
    said.dedup();
    Markdown::trusted(said.join(" And: "))
}

fn who(rules: &ConsentRules) -> String {
    let sources: Vec<String> = rules
        .from
        .iter()
        .map(|source| match source {
            ApprovalSource::Role(role) => format!("somebody with the role `{}` or more", role_name(*role)),
            ApprovalSource::Team(team) => format!("a member of {}", neutral::code(team).as_str()),
            ApprovalSource::User(login) => neutral::code(login).as_str().to_owned(),
            ApprovalSource::Codeowners => "an owner of every path by CODEOWNERS".to_owned(),
        })
        .collect();
    let many = if rules.count > 1 {
        format!("{} different people approve; each is one of these: ", rules.count)
    } else {
        "Who approves: ".to_owned()
    };
    format!("{many}{}.", if sources.is_empty() { "nobody".to_owned() } else { sources.join(", or ") })
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::None | Role::Read | Role::Triage => "triage",
        Role::Write => "write",
        Role::Maintain => "maintain",
        Role::Admin => "admin",
    }
}

// === impl ProposalView, TitleContext, ProposalContext ===

impl ProposalView<'_> {
    /// The newest decisions about it: one of its own where it brings something back, else those of its incidents.
    pub(super) fn decisions(&self) -> Vec<&DecisionRecord> {
        match &self.back {
            Some(back) => back.decision.into_iter().collect(),
            None => self.services.iter().filter_map(|service| service.incident.decision.as_ref()).collect(),
        }
    }
}

impl TitleContext {
    /// For trying a template out.
    pub(super) fn samples() -> Vec<Self> {
        vec![Self { subject: "Revert \"checkout: 1.5.0\"".to_owned(), services: "checkout".to_owned() }]
    }
}

impl ProposalContext {
    /// For trying a template out: with everything, and with as little as there can be.
    pub(super) fn samples() -> Vec<Self> {
        let word = || Markdown::trusted("x");
        let candidate = || AuthoredContext { candidate: CandidateContext::sample(), author: word() };
        let service = |plot: Option<Markdown>| ServiceContext {
            name: word(),
            what: word(),
            onset: word(),
            detected: word(),
            arithmetic: vec![word()],
            budgets: plot.iter().cloned().collect(),
            plot,
        };
        let sample = |services, others, why_not_merged, links| Self {
            services,
            suspects: vec![candidate()],
            others,
            objects: vec![word()],
            way: vec![word()],
            restores: word(),
            files: word(),
            if_nothing: word(),
            approve: ApproveContext { who: word(), command: word(), expires: word() },
            why_not_merged,
            record: vec![word()],
            reverted: word(),
            why: word(),
            links,
            incidents: vec![word()],
            plan: word(),
        };
        vec![
            sample(vec![service(Some(word()))], vec![candidate()], Some(word()), vec![word()]),
            sample(vec![service(None)], Vec::new(), None, Vec::new()),
        ]
    }

    pub(super) fn new(view: &ProposalView<'_>) -> Self {
        let (suspects, others) = candidates(view);
        let rules: Vec<&ConsentRules> = view.services.iter().map(|service| &service.policy.approval).collect();
        let paths = view.proposal.plan.as_ref().map_or(&[][..], |plan| plan.paths.as_slice());
        Self {
            services: view.services.iter().map(ServiceContext::new).collect(),
            suspects,
            others,
            objects: sentences(&view.objects, Place::Proposal).iter().map(|sentence| neutral::sentence(sentence)).collect(),
            way: way(view),
            restores: restores(view),
            files: files(paths.iter().map(|path| path.path.as_str())),
            if_nothing: if_nothing(view),
            approve: ApproveContext {
                who: who_approves(&rules),
                command: Markdown::trusted(approve_command(view.proposal).unwrap_or_default()),
                expires: expires(&rules),
            },
            why_not_merged: view
                .services
                .iter()
                .find_map(|service| service.incident.decision.as_ref())
                .and_then(|decision| decision.refusals.first())
                .map(|refusal| neutral::sentence(&refusal.sentence)),
            record: back::record(view),
            reverted: back::reverted(view),
            why: back::why(view),
            links: links(view),
            incidents: view.services.iter().map(|service| neutral_id(service.incident.id.as_str())).collect(),
            plan: Markdown::trusted(view.proposal.plan_digest().map(|plan| plan.to_string()).unwrap_or_default()),
        }
    }
}

impl ServiceContext {
    fn new(service: &ServiceView<'_>) -> Self {
        let incident = service.incident;
        Self {
            name: neutral::code(&service.incident.service()),
            what: Markdown::trusted(match incident.broke() {
                Broke::Objectives => "has missed its objectives",
                Broke::Sync => "runs on with what was applied before, and its sync has failed",
            }),
            onset: since(incident.onset),
            detected: Markdown::trusted(incident.detected_at.to_string()),
            arithmetic: incident.arithmetic.iter().take(20).map(|sentence| neutral::sentence(sentence)).collect(),
            plot: service.plot.clone(),
            budgets: service.budgets.iter().map(|sentence| neutral::sentence(sentence)).collect(),
        }
    }
}

/// With a capital at its begin and a full stop.
pub(super) fn as_sentence(text: &str) -> String {
    let mut sentence = text.to_owned();
    if let Some(first) = sentence.get(..1).map(str::to_uppercase) {
        sentence.replace_range(..1, &first);
    }
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}

fn since(onset: Interval) -> Markdown {
    Markdown::trusted(match onset.after {
        Some(after) if after != onset.by => format!("some time between {after} and {}", onset.by),
        _ => onset.by.to_string(),
    })
}

/// Ids hold a policy's name; nothing else is in them.
fn neutral_id(id: &str) -> Markdown {
    Markdown::trusted(
        id.chars().filter(|character| character.is_ascii_alphanumeric() || "-_.".contains(*character)).take(200).collect::<String>(),
    )
}

/// The suspects, and everything else that was looked at; each commit once.
fn candidates(view: &ProposalView<'_>) -> (Vec<AuthoredContext>, Vec<AuthoredContext>) {
    let (mut suspects, mut others) = (BTreeMap::new(), BTreeMap::new());
    for attribution in view.services.iter().filter_map(|service| service.incident.attribution.as_ref()) {
        for candidate in &attribution.candidates {
            let side = if attribution.suspects.contains(&candidate.commit) { &mut suspects } else { &mut others };
            side.entry(candidate.commit).or_insert(candidate);
        }
    }
    others.retain(|commit, _| !suspects.contains_key(commit));
    let mut mentioned = Vec::new();
    let mut told = |candidates: BTreeMap<CommitId, &Candidate>, most: usize| {
        let mut candidates: Vec<&Candidate> = candidates.into_values().collect();
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.landed.by));
        candidates.into_iter().take(most).map(|candidate| authored(view, candidate, &mut mentioned)).collect::<Vec<_>>()
    };
    (told(suspects, MOST_SUSPECTS), told(others, MOST_OTHERS))
}

fn authored(view: &ProposalView<'_>, candidate: &Candidate, mentioned: &mut Vec<String>) -> AuthoredContext {
    let author = view.authors.get(&candidate.commit).map(|author| named(author, mentioned));
    AuthoredContext {
        candidate: CandidateContext::new(candidate, &candidate.words()),
        author: author.unwrap_or_else(|| Markdown::trusted("an unknown author")),
    }
}

/// A mention the first time, if the forge says who it is: the author is told once.
fn named(author: &Author, mentioned: &mut Vec<String>) -> Markdown {
    let is_login =
        |login: &str| !login.is_empty() && login.len() <= 39 && login.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match author.login.as_ref().filter(|login| is_login(login)) {
        Some(login) if mentioned.contains(login) => neutral::plain(login),
        Some(login) => {
            mentioned.push(login.clone());
            Markdown::trusted(format!("@{login}"))
        }
        None => neutral::plain(&cut(&author.name, 80)),
    }
}

/// What the plan restores and leaves, and what else it undoes, where it is not what `git revert` would write.
fn way(view: &ProposalView<'_>) -> Vec<Markdown> {
    let (Some(plan), Some(account)) = (&view.proposal.plan, &view.proposal.account) else { return Vec::new() };
    let mut lines = vec![account.sentence(plan.kind)];
    lines.extend(account.restored.iter().map(|what| format!("It restores {what}.")));
    lines.extend(account.left.iter().cloned());
    lines.extend(
        account.also_undone.iter().map(|also| format!("It also undoes what {} (`{}`) did to the same paths.", also.commit, also.subject)),
    );
    lines.iter().map(|line| neutral::sentence(line)).collect()
}

fn restores(view: &ProposalView<'_>) -> Markdown {
    let healthy: Vec<String> = view
        .services
        .iter()
        .filter_map(|service| {
            let healthy = service.healthy?;
            let name = neutral::code(service.policy.name.as_str());
            Some(format!("{} was measured healthy from {} to {} with what this restores.", name.as_str(), healthy.earliest(), healthy.by))
        })
        .collect();
    Markdown::trusted(if healthy.is_empty() {
        "How long the service ran healthy with what this restores is not known.".to_owned()
    } else {
        healthy.join(" ")
    })
}

fn files<'a>(paths: impl ExactSizeIterator<Item = &'a str>) -> Markdown {
    const MOST: usize = 5;
    let count = paths.len();
    let mut named: Vec<String> = paths.take(MOST).map(|path| neutral::code(path).as_str().to_owned()).collect();
    if count > MOST {
        named.push(format!("{} more", count - MOST));
    }
    Markdown::trusted(if count == 1 { format!("one file, {}", named.join("")) } else { format!("{count} files: {}", named.join(", ")) })
}

fn if_nothing(view: &ProposalView<'_>) -> Markdown {
    let hold = view.services.iter().map(|service| service.policy.verify.hold_for).max().unwrap_or_default();
    let merges = !view.services.is_empty() && view.services.iter().all(|service| service.policy.revert.mode == Mode::Merge);
    let first = if merges {
        "It is merged without an approval as soon as every gate allows that; until then it waits."
    } else {
        "It stays open and is not merged."
    };
    let of_sync = |service: &ServiceView<'_>| service.incident.broke() == Broke::Sync;
    let taken_back = match !view.services.is_empty() && view.services.iter().all(of_sync) {
        true => "If the sync succeeds again without it, revertd takes it back. Until then nothing that is merged reaches the cluster."
            .to_owned(),
        false => format!("If the service is healthy again by itself for {}, revertd takes it back.", spoken(hold)),
    };
    Markdown::trusted(format!("{first} {taken_back}"))
}

fn expires(rules: &[&ConsentRules]) -> Markdown {
    let expires = rules.iter().map(|rules| rules.expires).min().unwrap_or_default();
    Markdown::trusted(format!("an approval counts for {}.", spoken(expires)))
}

/// Links that people put into policies. Only web addresses become one.
fn links(view: &ProposalView<'_>) -> Vec<Markdown> {
    let links: BTreeMap<&String, &String> = view.services.iter().flat_map(|service| &service.policy.links).collect();
    links_of(links.into_iter())
}

/// Names with addresses, as links where they are ones.
pub(super) fn links_of<'a>(links: impl Iterator<Item = (&'a String, &'a String)>) -> Vec<Markdown> {
    let is_address = |url: &str| {
        (url.starts_with("https://") || url.starts_with("http://"))
            && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>()\"'`\\".contains(&byte))
    };
    links
        .take(20)
        .map(|(name, url)| {
            let name = neutral::plain(name);
            if is_address(url) {
                Markdown::trusted(format!("[{}](<{url}>)", name.as_str()))
            } else {
                Markdown::trusted(format!("{}: {}", name.as_str(), neutral::code(url).as_str()))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples::{OTHER, SUSPECT, Story, Words};
    use super::*;

    #[test]
    fn a_reviewer_reads_it_in_the_order_of_the_questions() {
        let templates = Templates::built_in().unwrap();
        let story = Story::proposed(Words::honest());
        assert_eq!(title(&templates, &story.view()).unwrap(), "Revert \"checkout: 1.5.0\" (checkout)");
        insta::assert_snapshot!(body(&templates, &story.view()).unwrap(), @r"
        ## What broke

        `checkout` has missed its objectives since some time between 2026-11-21T03:01:40Z and 2026-11-21T03:01:41Z (seen at 2026-11-21T03:01:43Z):

        * `up` 5 of 5 rounds failed (HTTP 500)

        This incident has spent 3.1% of the 30d error budget of `up`; 62% is left.

        ## Why this change

        * abababababababababababababababababababab `checkout: 1.5.0` by Dana Doe, landed between 2026-11-21T03:01:30Z and 2026-11-21T03:01:31Z: it changed apps/checkout/deployment.yaml right before the breach

        Looked at as well:

        * cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd `checkout: 1.5.0`: ruled out, it changed apps/checkout/deployment.yaml right before the breach

        ## What merging does

        * Deployment apps/checkout/deployment.yaml: env LEVEL CANARY1 → CANARY2
        * Deployment apps/checkout/deployment.yaml: image shop/checkout 1.5.0 → 1.4.2

        `checkout` was measured healthy from 2026-11-21T03:00:00Z to 2026-11-21T03:01:30Z with what this restores. It changes one file, `apps/checkout/deployment.yaml`, and nothing else.

        It does not undo what was written to databases, messages that were sent, or migrations that ran.

        ## If nobody acts

        It stays open and is not merged. If the service is healthy again by itself for 5m, revertd takes it back.

        ## How to approve, and how to stop it

        Who approves: somebody with the role `write` or more, or a member of `shop/sre`. Write this in a comment, on a line of its own:

        ```text
        /revertd approve 5df0fac76b93
        ```

        It allows exactly this plan; an approval counts for 4h. Or merge this pull request yourself.

        To stop it, write `/revertd hold` (nothing is merged until `/revertd resume`), or close this pull request: then it stays closed.

        It was not merged at once: The mode of `checkout` is propose.

        ## How often this policy was right

        * This is the first revert for `checkout` here; how often they are right is not known yet.

        ## Links

        * [runbook](<https://wiki.shop.example/checkout>)

        ---

        Incident `checkout-0123456789` · `revertd explain checkout-0123456789`  
        Plan `5df0fac76b936419b2fb16a4c76451aec89235bb6aa160b2fda46d4ed2b0db61`
        ");
    }

    #[test]
    fn the_author_is_mentioned_once_and_only_by_a_login() {
        let templates = Templates::built_in().unwrap();
        let story = Story::proposed(Words::honest());
        let mentions = |login: &str| {
            let mut view = story.view();
            for commit in [SUSPECT, OTHER] {
                view.authors.insert(commit, Author { name: "Dana".to_owned(), login: Some(login.to_owned()) });
            }
            body(&templates, &view).unwrap().matches("@").count()
        };
        assert_eq!(mentions("dana"), 1);
        for no_login in ["shop/sre", "dana\n@robin", "", "dependabot[bot]"] {
            assert_eq!(mentions(no_login), 0, "{no_login:?}");
        }
    }

    #[test]
    fn it_fits_whatever_is_in_it() {
        let templates = Templates::built_in().unwrap();
        let story = Story::proposed(Words::all(&"🦀 @x ".repeat(50_000)));
        let mut view = story.view();
        let change = view.objects[0].clone();
        view.objects = vec![change; 5000];
        assert!(body(&templates, &view).unwrap().chars().count() <= super::super::LONGEST_BODY);
        assert!(title(&templates, &view).unwrap().chars().count() <= LONGEST_TITLE);
    }

    #[test]
    fn only_web_addresses_become_links() {
        let mut story = Story::proposed(Words::honest());
        for (name, url) in [
            ("script", "javascript:alert(1)"),
            ("break", "https://x/>) [y](https://evil"),
            ("[x](https://evil)", "https://fine.example/a?b=c"),
        ] {
            story.policy.links.insert(name.to_owned(), url.to_owned());
        }
        let links: Vec<String> = links(&story.view()).iter().map(|link| link.as_str().replace('\u{200b}', "~")).collect();
        insta::assert_debug_snapshot!(links, @r#"
        [
            "[\\[x\\](https:~//evil)](<https://fine.example/a?b=c>)",
            "break: `https://x/>) [y](https://evil`",
            "[runbook](<https://wiki.shop.example/checkout>)",
            "script: `javascript:alert(1)`",
        ]
        "#);
    }
}
