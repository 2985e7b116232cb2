//! A world for stories: a real bare repository, a person with a clone, scripted probes and a clock that is moved by hand. The agent in it
//! is the real one: only the measurements and the time are written down beforehand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use revertd::agent::{ManualClock, Measured, Reconciler, Syncing, control_series, series_in};
use revertd::config::{self, Loaded};
use revertd::demo::forge::{FakeGithub, FakeSettings, Fault, FaultKind, GithubState, Pull, Role};
use revertd::engine::approval::{Approval, ApprovalSource};
use revertd::engine::fact::{Event, Fact};
use revertd::engine::id::{IncidentId, InstanceName, PolicyName, SloName};
use revertd::engine::incident::{Incident, Phase, Proposal};
use revertd::engine::round::{Outcome, Round, Unknown};
use revertd::engine::time::Timestamp;
use revertd::engine::versions::{ToldVersions, VersionRounds};
use revertd::git::scratch::ScratchRepository;
use revertd::journal::{Journal, SqliteJournal};
use revertd::web::{AgentStatus, Metrics};

/// What a probe finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Good,
    Bad,
    Unknown,
}

/// The versions of a service, as a metrics server tells them with a bad round.
#[derive(Default)]
struct Versions {
    /// What each of them is now; one that is not there any more is absent.
    health: BTreeMap<String, Health>,
    told: Vec<VersionRounds>,
    /// Why the server does not tell.
    silent: Option<String>,
}

/// Whether something answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Answers,
    IsDown,
}

pub struct World {
    _directory: tempfile::TempDir,
    pub root: PathBuf,
    pub clock: Arc<ManualClock>,
    pub journal: Arc<SqliteJournal>,
    agent: Option<Reconciler>,
    twin: Option<Reconciler>,
    syncing: Option<Syncing>,
    texts: (String, Vec<(String, String)>),
    loaded: Loaded,
    health: BTreeMap<String, Health>,
    versions: BTreeMap<String, Versions>,
    control: Health,
    commits: i64,
    github: Option<FakeGithub>,
    runtime: tokio::runtime::Runtime,
    status: AgentStatus,
    metrics: Metrics,
}

/// The token that the agent uses on GitHub.
pub const TOKEN: &str = "github_pat_canary_5f1d0c";
/// The moment at which every story begins.
const BEGIN: Timestamp = Timestamp::from_secs(1_795_230_000);
/// A delivery on this host takes much less.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time from one round to the next, as the policies of [`policy`] say.
const EVERY: Duration = Duration::from_secs(1);

/// A policy for a service in `apps/<name>`, with more lines under `spec` where a story needs them. Stories are short: what ran healthy for three
/// seconds is a state that a merge may lead to, unless the story says otherwise.
pub fn policy(name: &str, mode: &str, more: &str) -> String {
    let more = match more.contains("healthyFor:") {
        true => more.to_owned(),
        false if more.contains("  guardrails: {") => more.replace("  guardrails: {", "  guardrails: {healthyFor: 3s, "),
        false => format!("{more}  guardrails: {{healthyFor: 3s}}\n"),
    };
    format!(
        "apiVersion: revertd.dev/v1alpha1\nkind: RevertPolicy\nmetadata: {{name: {name}}}\nspec:\n  repository: manifests\n  \
         paths: [\"apps/{name}/**\"]\n  sync: {{lag: 2s}}\n  slos:\n    - name: up\n      indicator: {{http: {{url: \"http://127.0.0.1:1/{name}\", \
         every: 1s, timeout: 500ms, unreachable: unknown}}}}\n      alerts: [{{failing: {{count: 3, of: 5}}}}]\n  \
         revert: {{mode: {mode}, settle: 1s}}\n  verify: {{recoverWithin: 30s, holdFor: 4s}}\n{more}"
    )
}

/// A manifest of a Deployment.
pub fn deployment(name: &str, tag: &str) -> String {
    format!("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: 2\n  image: shop/{name}:{tag}\n")
}

impl World {
    /// A world with these policies, whose repository holds a first manifest for each of `services`.
    pub fn new(services: &[&str], policies: &[String]) -> Self {
        Self::with_agent(services, policies, "")
    }

    /// The same with more lines under the repository of the agent file.
    pub fn with_agent(services: &[&str], policies: &[String], repository: &str) -> Self {
        let mut world = Self::without_agent(services, policies, repository, &[]);
        world.restart();
        world
    }

    /// The same with more lines in the agent file, after something was done to the world's directory (`ROOT` in the lines).
    pub fn with_agent_file(services: &[&str], policies: &[String], more: &str, before: impl FnOnce(&Path)) -> Self {
        let mut world = Self::without_agent(services, policies, more, &[]);
        before(&world.root);
        world.restart();
        world
    }

    /// The same with an agent that has not been started yet, on a remote made by `git init` with more arguments.
    pub fn without_agent(services: &[&str], policies: &[String], repository: &str, init: &[&str]) -> Self {
        Self::with_forge(services, policies, repository, init, |_, _| ("plain: {}".to_owned(), None))
    }

    /// The same over GitHub: a fake one with the real bare repository behind it, asked by the real client. The agent is `revertd`, the people
    /// are `dana` (who maintains), `robin` (who writes) and `mallory` (who only reads).
    pub fn on_github(services: &[&str], policies: &[String]) -> Self {
        Self::on_github_with(services, policies, "")
    }

    /// The same with more lines in the agent file.
    pub fn on_github_with(services: &[&str], policies: &[String], more: &str) -> Self {
        Self::on_github_by(services, policies, more, "10s")
    }

    /// The same with so much time for an answer.
    pub fn on_github_by(services: &[&str], policies: &[String], more: &str, timeout: &str) -> Self {
        let mut world = Self::with_forge(services, policies, more, &[], |root, clock| {
            let clock = clock.clone();
            let people = [("revertd", Role::Write), ("dana", Role::Maintain), ("robin", Role::Write), ("mallory", Role::Read)];
            let settings = FakeSettings {
                repository: ScratchRepository::init(&root.join("remote.git"), "main").unwrap(),
                owner: "shop".to_owned(),
                name: "manifests".to_owned(),
                default_branch: "main".to_owned(),
                clock: Arc::new(move || revertd::agent::Clock::now(&*clock)),
                people: people.map(|(login, role)| (login.to_owned(), role)).into(),
                tokens: BTreeMap::from([(TOKEN.to_owned(), "revertd".to_owned())]),
                app: None,
            };
            let github = FakeGithub::start(settings).unwrap();
            std::fs::write(root.join("token"), TOKEN).unwrap();
            let forge = format!(
                "github: {{url: \"{}\", repository: shop/manifests, timeout: {timeout}, tokenFile: \"{}/token\"}}",
                github.url(),
                root.display()
            );
            (forge, Some(github))
        });
        world.restart();
        world
    }

    /// A world on GitHub in which checkout broke after a bump, and the pull request with the revert waits for an approval.
    pub fn with_pull_request() -> Self {
        Self::with_pull_request_by("", |_| {})
    }

    /// The same with more lines under the policy, after something was done to the repository.
    pub fn with_pull_request_by(more: &str, before: impl FnOnce(&mut Self)) -> Self {
        let mut world = Self::on_github(&["checkout"], &[policy("checkout", "propose", more)]);
        before(&mut world);
        world.break_checkout();
        world.until(15, Self::is_told);
        world
    }

    /// The same with the pull request's policy under a ceiling of the repository.
    pub fn with_pull_request_under(repository: &str, more: &str) -> Self {
        let mut world = Self::on_github_with(&["checkout"], &[policy("checkout", "propose", more)], &format!("      {repository}\n"));
        world.break_checkout();
        world.until(15, Self::is_told);
        world
    }

    /// A world on GitHub with the pull request open, and one more thing in the policy.
    pub fn with_pull_request_and(more: &str) -> Self {
        Self::with_pull_request_by(more, |_| {})
    }

    /// Whether the proposal has its comment.
    pub fn proposal_is_told(&self) -> bool {
        self.is_told()
    }

    fn is_told(&self) -> bool {
        self.agent.as_ref().unwrap().state().proposals.values().any(|proposal| proposal.sticky.is_some())
    }

    /// Checkout is healthy for a while, gets a new image, and breaks.
    pub fn break_checkout(&mut self) {
        self.seconds(8);
        self.bump("checkout", "1.5.0");
        self.seconds(1);
        self.set_health("checkout", Health::Bad);
    }

    fn with_forge(
        services: &[&str],
        policies: &[String],
        repository: &str,
        init: &[&str],
        forge: impl FnOnce(&Path, &Arc<ManualClock>) -> (String, Option<FakeGithub>),
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_owned();
        let clock = Arc::new(ManualClock::at(BEGIN));
        git(&root, 0, &[&["init", "--quiet", "--bare", "-b", "main"], init, &["remote.git"]].concat());
        let (forge, github) = forge(&root, &clock);
        git(&root, 0, &["clone", "--quiet", "remote.git", "person"]);
        let agent = format!(
            "apiVersion: revertd.dev/v1alpha1\nkind: Agent\nspec:\n  journal: {{sqlite: \"{}/state/journal.db\"}}\n  maxMode: merge\n  \
             network: {{allow: [127.0.0.0/8]}}\n  controls: [{{http: {{url: \"http://127.0.0.1:1/control\"}}}}]\n  repositories:\n    - name: manifests\n      \
             url: \"file://{}/remote.git\"\n      branch: main\n      poll: 1s\n      forge: {{{forge}}}\n{repository}",
            root.display(),
            root.display()
        );
        let agent = agent.replace("ROOT", &root.display().to_string());
        let policies: Vec<(String, String)> =
            policies.iter().enumerate().map(|(number, text)| (format!("policy-{number}.yaml"), text.clone())).collect();
        let loaded = config::load_texts(("agent.yaml", &agent), &policies).unwrap();
        let journal = Arc::new(SqliteJournal::open_for_agent(&loaded.agent.journal).unwrap());
        let health = services.iter().map(|name| ((*name).to_owned(), Health::Good)).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut world = Self {
            _directory: directory,
            root,
            clock,
            journal,
            agent: None,
            twin: None,
            syncing: None,
            texts: (agent, policies),
            loaded,
            health,
            versions: BTreeMap::new(),
            control: Health::Good,
            commits: 0,
            github,
            runtime,
            status: AgentStatus::default(),
            metrics: Metrics::new(),
        };
        for name in services {
            world.write(&format!("apps/{name}/deployment.yaml"), &deployment(name, "1.0.0"));
        }
        world.commit("Add the services");
        world
    }

    /// Ends the agent, as a crash would, and starts it on the same journal.
    pub fn restart(&mut self) {
        self.try_restart().unwrap();
    }

    /// The same with other policies.
    pub fn restart_with(&mut self, policies: &[String]) {
        self.texts.1 = policies.iter().enumerate().map(|(number, text)| (format!("policy-{number}.yaml"), text.clone())).collect();
        self.loaded = config::load_texts(("agent.yaml", &self.texts.0), &self.texts.1).unwrap();
        self.restart();
    }

    /// The same, or the sentence that says why it does not start.
    pub fn try_restart(&mut self) -> Result<(), String> {
        self.restart_on(self.journal.clone())
    }

    /// The same on another journal.
    pub fn restart_on(&mut self, journal: Arc<dyn Journal>) -> Result<(), String> {
        self.agent = None;
        let _entered = self.runtime.enter();
        self.status = AgentStatus::default();
        self.metrics = Metrics::new();
        let agent = Reconciler::new(self.loaded.clone(), journal, self.metrics.clone(), self.status.clone(), self.clock.clone());
        self.agent = Some(agent.map_err(|error| format!("{error:#}"))?);
        self.syncing = Some(Syncing::new(&self.loaded.agent, &self.loaded.policies, self.now()).map_err(|error| format!("{error:#}"))?);
        Ok(())
    }

    /// What keeps the agent from being ready.
    pub fn problems(&self) -> Vec<String> {
        self.status.problems()
    }

    /// How often an effect was tried since the last restart, by how it ended.
    pub fn effects(&self, action: &str) -> Vec<String> {
        let begin = format!("revertd_effects_total{{action=\"{action}\",");
        self.metrics.encode().lines().filter_map(|line| line.strip_prefix(&begin)).map(str::to_owned).collect()
    }

    /// What happens on GitHub beside the agent.
    pub fn github(&self) -> &GithubState {
        self.github.as_ref().unwrap().state()
    }

    /// What `revertd doctor` finds.
    pub fn doctor(&self) -> revertd::agent::doctor::Report {
        self.runtime.block_on(revertd::agent::doctor::examine(self.loaded.clone(), self.clock.clone())).unwrap()
    }

    /// One section of that as people read it, without the names of temporary directories.
    pub fn examined(&self, about: &str) -> String {
        let mut report = self.doctor();
        report.sections.retain(|section| section.about == about);
        let mut out = Vec::new();
        revertd::cli::doctor::text(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap().replace(&self.root.display().to_string(), "ROOT");
        text.split("\n\n").next().unwrap().to_owned()
    }

    /// Something goes wrong with the next requests to GitHub that match.
    pub fn fault(&self, method: &str, path: &str, times: u32, kind: FaultKind) {
        self.github().arm(Fault { method: method.to_owned(), path: format!("/repos/*/*{path}"), times, kind }).unwrap();
    }

    /// Somebody writes on the one pull request, and the comment gets its number.
    pub fn comment(&self, login: &str, text: &str) -> u64 {
        self.github().comment(login, self.pull().number, text).unwrap()
    }

    /// `robin` approves on the one pull request as the sticky comment says.
    pub fn approve_on_github(&self) -> u64 {
        self.comment("robin", &self.approve_command())
    }

    /// How many requests of this method went to paths with this end.
    pub fn asked(&self, method: &str, end: &str) -> usize {
        self.github().requests().iter().filter(|request| request.method == method && request.path.ends_with(end)).count()
    }

    /// From now on a second agent with a journal and a mirror of its own works beside the first, as after a network was cut in two.
    pub fn add_twin(&mut self) {
        let agent = self.texts.0.replace("/state/", "/twin/");
        let loaded = config::load_texts(("agent.yaml", &agent), &self.texts.1).unwrap();
        let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open_for_agent(&loaded.agent.journal).unwrap());
        let _entered = self.runtime.enter();
        let twin = Reconciler::new(loaded, journal, Metrics::new(), AgentStatus::default(), self.clock.clone());
        self.twin = Some(twin.unwrap());
    }

    /// The one pull request.
    pub fn pull(&self) -> Pull {
        let pulls = self.github().pulls().unwrap();
        assert_eq!(pulls.len(), 1, "{pulls:#?}");
        pulls.into_iter().next().unwrap()
    }

    /// What the sticky comment says to type.
    pub fn approve_command(&self) -> String {
        self.written()[0].lines().find(|line| line.starts_with("/revertd approve ")).unwrap().to_owned()
    }

    /// The answers among what revertd wrote.
    pub fn replies(&self) -> Vec<String> {
        self.written().into_iter().filter(|text| text.contains("<!-- revertd:reply ")).collect()
    }

    /// How often something of revertd landed. A merge commit tells the plan of the commit that it brings again.
    pub fn landings(&self) -> usize {
        self.remote(&["log", "--first-parent", "--format=%H", "--grep=^Revertd-Plan: ", "main"]).lines().count()
    }

    /// What revertd wrote on the one pull request, oldest first.
    pub fn written(&self) -> Vec<String> {
        let number = self.pull().number;
        self.github().comments(number).into_iter().filter(|comment| comment.author == "revertd").map(|comment| comment.body).collect()
    }

    /// `service` is a policy, one of its instances (`checkout/eu`), or one SLO there (`checkout/default/backlog`).
    pub fn set_health(&mut self, service: &str, health: Health) {
        self.health.insert(service.to_owned(), health);
    }

    /// A version of a service runs from now on, and is well or not; `None`: it does not any more.
    pub fn set_version(&mut self, service: &str, version: &str, health: Option<Health>) {
        let versions = &mut self.versions.entry(service.to_owned()).or_default().health;
        match health {
            Some(health) => versions.insert(version.to_owned(), health),
            None => versions.remove(version),
        };
    }

    /// The metrics server does not tell the versions of a service.
    pub fn silence_versions(&mut self, service: &str, why: &str) {
        self.versions.entry(service.to_owned()).or_default().silent = Some(why.to_owned());
    }

    pub fn set_control(&mut self, health: Health) {
        self.control = health;
    }

    /// Lets seconds pass: in each, every probe gives a round and the agent makes a pass.
    pub fn seconds(&mut self, seconds: u32) {
        for _ in 0..seconds {
            let start = self.now();
            let end = start + EVERY;
            self.clock.set(end);
            let said = self.syncing.as_mut().map(|syncing| {
                self.runtime.block_on(async {
                    syncing.start_due(end);
                    syncing.finish().await
                })
            });
            for (place, report) in said.into_iter().flatten() {
                self.agent.as_mut().unwrap().reports.add(place, report);
            }
            for versions in self.versions.values_mut() {
                versions.measure(start, end);
            }
            let _entered = self.runtime.enter();
            for agent in self.agent.iter_mut().chain(&mut self.twin) {
                agent.rounds.add(control_series("control-1"), round(start, end, self.control));
                for (service, health) in &self.health {
                    let mut parts = service.split('/');
                    let mut next = |usual| parts.next().unwrap_or(usual);
                    let (policy, instance, slo) = (next(""), next("default"), next("up"));
                    let series = series_in(&PolicyName::new(policy), &InstanceName::new(instance), &SloName::new(slo));
                    let versions = self.versions.get(service).filter(|_| *health == Health::Bad).map(Versions::told);
                    agent.rounds.take(Measured { series, round: round(start, end, *health), versions });
                }
                agent.pass(end).unwrap();
            }
        }
    }

    /// The same, and after each second what is on its way to the chats arrives or fails.
    pub fn told_seconds(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.seconds(1);
            self.agent.as_mut().unwrap().await_deliveries(PATIENCE).unwrap();
        }
    }

    /// The same, at most so many seconds, until the condition holds.
    pub fn told_until(&mut self, seconds: u32, condition: impl Fn(&Self) -> bool) {
        for _ in 0..seconds {
            if condition(self) {
                return;
            }
            self.told_seconds(1);
        }
        assert!(condition(self), "it did not come true within {seconds} seconds");
    }

    /// In how many worlds the newest pass judged incidents of one plan.
    pub fn worlds(&self) -> usize {
        self.agent.as_ref().unwrap().worlds()
    }

    /// How many rounds of an SLO or a control are kept in memory and in the journal.
    pub fn rounds_kept(&self, slo: &str) -> (usize, usize) {
        let rounds = &self.agent.as_ref().unwrap().rounds;
        let series = rounds.series().filter(|series| series.slo.as_str() == slo);
        let in_memory = series.map(|series| rounds.since(series, Timestamp(i64::MIN)).len()).sum();
        let stored = self.journal.rounds_since(Timestamp(i64::MIN)).unwrap();
        (in_memory, stored.iter().filter(|stored| stored.series.slo.as_str() == slo).count())
    }

    /// One pass at another time, without rounds: what it came to.
    pub fn pass_after(&mut self, time: Duration) -> Result<(), String> {
        let now = self.now() + time;
        self.clock.set(now);
        let ended = self.agent.as_mut().unwrap().pass(now).map_err(|error| format!("{error:#}"));
        self.agent.as_mut().unwrap().await_deliveries(PATIENCE).unwrap();
        ended
    }

    /// Takes the remote away, or brings it back.
    pub fn set_remote(&self, reach: Reach) {
        let (there, away) = (self.root.join("remote.git"), self.root.join("away.git"));
        let (from, to) = if reach == Reach::Answers { (away, there) } else { (there, away) };
        std::fs::rename(from, to).unwrap();
    }

    /// Lets time pass, at most so many seconds, until the condition holds.
    pub fn until(&mut self, seconds: u32, condition: impl Fn(&Self) -> bool) {
        for _ in 0..seconds {
            if condition(self) {
                return;
            }
            self.seconds(1);
        }
        assert!(condition(self), "it did not come true within {seconds} seconds");
    }

    pub fn now(&self) -> Timestamp {
        revertd::agent::Clock::now(&*self.clock)
    }

    // === what people do ===

    pub fn write(&self, path: &str, content: &str) {
        let path = self.root.join("person").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Commits everything in the person's clone on top of the remote's main, and pushes.
    pub fn commit(&mut self, message: &str) -> String {
        self.commits += 1;
        self.person(&["add", "--all"]);
        self.person(&["commit", "--quiet", "--message", message]);
        if self.remote_head().is_some() {
            self.person(&["pull", "--quiet", "--rebase", "origin", "main"]);
        }
        self.person(&["push", "--quiet", "origin", "HEAD:main"]);
        self.person(&["rev-parse", "HEAD"])
    }

    /// Bumps the image of a service and pushes.
    pub fn bump(&mut self, service: &str, tag: &str) -> String {
        self.person(&["fetch", "--quiet", "origin"]);
        self.person(&["reset", "--quiet", "--hard", "origin/main"]);
        self.write(&format!("apps/{service}/deployment.yaml"), &deployment(service, tag));
        self.commit(&format!("{service}: {tag}"))
    }

    /// Runs git in the person's clone.
    pub fn person(&self, args: &[&str]) -> String {
        git(&self.root.join("person"), self.commits, args)
    }

    /// Runs git on the remote.
    pub fn remote(&self, args: &[&str]) -> String {
        git(&self.root.join("remote.git"), self.commits, args)
    }

    pub fn remote_head(&self) -> Option<String> {
        let found = self.remote(&["for-each-ref", "--format=%(objectname)", "refs/heads/main"]);
        (!found.is_empty()).then_some(found)
    }

    /// The proposals' branches on the remote.
    pub fn branches(&self) -> Vec<String> {
        self.remote(&["for-each-ref", "--format=%(refname:short)", "refs/heads/revertd"]).lines().map(str::to_owned).collect()
    }

    /// Subjects on main, newest first.
    pub fn subjects(&self) -> Vec<String> {
        self.remote(&["log", "--format=%s", "main"]).lines().map(str::to_owned).collect()
    }

    /// How many commits on main are reverts by revertd.
    pub fn reverts(&self) -> usize {
        self.remote(&["log", "--format=%H", "--grep=^Revertd-Plan: ", "main"]).lines().count()
    }

    /// Approves the proposal of the one incident, as `revertd approve` does.
    pub fn approve(&self) {
        self.incident();
        self.approve_proposal();
    }

    /// Approves the one proposal, for the first of its incidents.
    pub fn approve_proposal(&self) {
        self.approve_plan_of(&self.proposal());
    }

    /// Approves the plan of a proposal, as `revertd approve` does.
    pub fn approve_plan_of(&self, proposal: &Proposal) {
        let approval = Approval {
            incident: proposal.incidents[0].clone(),
            proposal: proposal.key.clone(),
            plan: proposal.plan_digest().unwrap(),
            by: "dana".into(),
            source: ApprovalSource::CommandLine,
            force: None,
            at: self.now(),
            expires: self.now() + Duration::from_secs(3600),
        };
        self.journal.append(self.now(), vec![Event::Approved { approval }]).unwrap();
    }

    /// Every proposal.
    pub fn proposals(&self) -> Vec<Proposal> {
        self.agent.as_ref().unwrap().state().proposals.values().cloned().collect()
    }

    /// What the facts add up to.
    pub fn state(&self) -> revertd::engine::incident::State {
        self.agent.as_ref().unwrap().state().clone()
    }

    /// The metrics as they are scraped.
    pub fn metrics(&self) -> String {
        self.metrics.encode()
    }

    pub fn say(&self, event: Event) {
        self.journal.append(self.now(), vec![event]).unwrap();
    }

    // === what is there afterwards ===

    pub fn facts(&self) -> Vec<Fact> {
        self.journal.verify().unwrap();
        self.journal.facts_after(0).unwrap()
    }

    pub fn incidents(&self) -> BTreeMap<IncidentId, Incident> {
        self.agent.as_ref().unwrap().state().incidents.clone()
    }

    /// The one incident.
    pub fn incident(&self) -> Incident {
        let incidents = self.incidents();
        assert_eq!(incidents.len(), 1, "{incidents:#?}");
        incidents.into_values().next().unwrap()
    }

    pub fn phase(&self) -> Phase {
        self.incident().phase
    }

    /// The one proposal.
    pub fn proposal(&self) -> Proposal {
        let proposals = &self.agent.as_ref().unwrap().state().proposals;
        assert_eq!(proposals.len(), 1, "{proposals:#?}");
        proposals.values().next().cloned().unwrap()
    }

    /// The codes of the guardrails that the newest decision of the one incident names.
    pub fn refusals(&self) -> Vec<String> {
        self.incident().decision.unwrap().refusals.iter().map(|refusal| refusal.code.label()).collect()
    }
}

impl Drop for World {
    /// Every request of every story is one that GitHub describes.
    fn drop(&mut self) {
        if let Some(github) = self.github.as_ref().filter(|_| !std::thread::panicking()) {
            crate::openapi::assert_valid(&github.state().requests());
        }
    }
}

impl World {
    /// The codes of the guardrails that the newest decision about a policy names.
    pub fn refusals_of(&self, policy: &str) -> Vec<String> {
        let incident = self.incidents().into_values().find(|incident| incident.policy.as_str() == policy).unwrap();
        incident.decision.unwrap().refusals.iter().map(|refusal| refusal.code.label()).collect()
    }
}

impl Versions {
    fn measure(&mut self, start: Timestamp, end: Timestamp) {
        for (name, health) in &self.health {
            let round = round(start, end, *health);
            match self.told.iter_mut().find(|version| version.version == *name) {
                Some(version) => version.rounds.push(round),
                None => self.told.push(VersionRounds { version: name.clone(), rounds: vec![round] }),
            }
        }
    }

    fn told(&self) -> ToldVersions {
        match &self.silent {
            Some(why) => ToldVersions::Unknown { why: why.clone() },
            None => ToldVersions::Known(self.told.clone()),
        }
    }
}

fn round(start: Timestamp, end: Timestamp, health: Health) -> Round {
    let outcome = match health {
        Health::Good => Outcome::Good("200".into()),
        Health::Bad => Outcome::Bad("500".into()),
        Health::Unknown => Outcome::Unknown(Unknown::Unreachable { detail: "timed out after 500ms".into() }),
    };
    // The probe starts a moment after the pass, and is done before the next one.
    Round { start: start + Duration::from_millis(1), end: end - Duration::from_millis(1), outcome }
}

fn git(directory: &Path, commits: i64, args: &[&str]) -> String {
    let date = format!("{} +0000", BEGIN.secs() + commits);
    let output = Command::new("git")
        .current_dir(directory)
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", directory)
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C")])
        .envs([("GIT_AUTHOR_NAME", "Robin"), ("GIT_AUTHOR_EMAIL", "robin@shop.example"), ("GIT_AUTHOR_DATE", &date)])
        .envs([("GIT_COMMITTER_NAME", "Robin"), ("GIT_COMMITTER_EMAIL", "robin@shop.example"), ("GIT_COMMITTER_DATE", &date)])
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
