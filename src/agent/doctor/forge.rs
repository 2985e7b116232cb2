//! Asks one repository's remote and forge, and has what they say judged. Everything here blocks.

use std::sync::Arc;
use std::time::Duration;

use super::landing::{self, Landing, Signing};
use super::people;
use super::permissions::{self, Teams};
use super::report::{Finding, Section};
use crate::agent::observe::{credentials, forge_of, token_of};
use crate::agent::{Clock, templates};
use crate::config::Loaded;
use crate::config::agent::Repository;
use crate::engine::id::BranchName;
use crate::engine::policy::{Mode, Policy};
use crate::engine::time::{Timestamp, spoken};
use crate::forge::{Account, AccountKind, BranchRules, Call, Forge, ForgeError, Identity};
use crate::git::survey::{Survey, survey};
use crate::git::{Credentials, GitExecutable, Remote, Signer};
use crate::render;

/// A clock that is off by more makes comments look as if they came from the future, and an App's signatures fail.
const SKEW_WARNED: Duration = Duration::from_secs(30);
/// GitHub takes no signature of an App from further in the future.
const SKEW_REFUSED: Duration = Duration::from_secs(60);
/// The branch of a proposal, for asking after its rules. No proposal has this key.
const OWN_BRANCH: &str = "revertd/000000000000";
/// The part of the hourly budget under which polls are shed: one in this many.
const KEPT_FOR_ACTING: u64 = 5;

/// What one repository is looked at with.
struct Look<'a> {
    config: &'a Repository,
    policies: Vec<&'a Policy>,
    loaded: &'a Loaded,
    clock: &'a Arc<dyn Clock>,
    findings: Vec<Finding>,
}

/// Looks at the repository of this index.
pub(super) fn examine(loaded: &Loaded, index: usize, clock: &Arc<dyn Clock>) -> Section {
    let Some(config) = loaded.agent.repositories.get(index) else { return Section::new("a repository that is not configured") };
    let policies = loaded.policies.iter().filter(|policy| policy.repository == config.name).collect();
    let mut look = Look { config, policies, loaded, clock, findings: Vec::new() };
    let forge = match forge_of(config, None) {
        Ok(forge) => forge,
        Err(error) => {
            look.note(Finding::problem("credentials", format!("{error:#}"), "put the key or the token where the agent file says"));
            None
        }
    };
    look.git(forge.as_ref());
    look.signing_key();
    match (&forge, &config.forge) {
        (Some(forge), _) => look.forge(&**forge),
        (None, crate::config::agent::Forge::Plain) => look.plain(),
        (None, _) => {}
    }
    look.unseen();
    Section { about: format!("repository {}", config.name), findings: look.findings }
}

impl Look<'_> {
    fn note(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The most that any policy may do here, after every ceiling.
    fn mode(&self) -> Mode {
        let ceiling = self.config.max_mode.unwrap_or(Mode::Merge).min(self.loaded.agent.max_mode);
        let environment = |policy: &Policy| {
            let named = policy.environment.as_ref();
            let known = self.loaded.agent.environments.iter().find(|environment| Some(&environment.name) == named);
            known.and_then(|environment| environment.max_mode).unwrap_or(Mode::Merge)
        };
        self.policies.iter().map(|policy| policy.revert.mode.min(environment(policy)).min(ceiling)).max().unwrap_or(Mode::Observe)
    }

    fn git(&mut self, forge: Option<&Arc<dyn Forge>>) {
        // The machine's own section says what is wrong with git.
        let Ok(git) = GitExecutable::find() else { return };
        let forges = forge.filter(|_| self.config.url.starts_with("http"));
        let forges = forges.map(|forge| Credentials::Supplied(token_of(forge.clone(), self.clock.clone())));
        let ours = self.config.credentials.as_ref().map(credentials);
        let remote = Remote { url: self.config.url.clone(), branch: self.config.branch.clone(), credentials: ours.or(forges) };
        match survey(&git, &remote) {
            Ok(found) => self.remote(&found),
            Err(error) => {
                self.note(Finding::problem(
                    "remote",
                    error.to_string(),
                    "check `url` and `credentials`, and that this machine reaches the host",
                ));
            }
        }
    }

    fn remote(&mut self, found: &Survey) {
        let branch = &self.config.branch;
        self.note(match found.listing.head {
            Some(head) => Finding::ok("remote", format!("`{branch}` is at {}", head.short())),
            None => Finding::problem("remote", format!("there is no branch `{branch}`"), "set `branch` to the one that is deployed"),
        });
        self.note(match &found.push {
            Ok(()) => Finding::ok("push", "the remote talks to these credentials about pushes"),
            Err(_) if self.mode() == Mode::Observe => Finding::ok("push", "these credentials may not push, and every policy only observes"),
            Err(error) => Finding::problem("push", error.clone(), "give the credentials write access, or set the mode `observe`"),
        });
    }

    fn signing_key(&mut self) {
        let Some(file) = &self.config.commit.signing_key_file else { return };
        let finding = match Signer::from_openssh_file(file) {
            Ok(_) => Finding::ok("signing key", format!("{} can be used", file.display())),
            Err(error) => {
                Finding::problem("signing key", error.to_string(), "give an ed25519 or RSA key in OpenSSH's form, without a passphrase")
            }
        };
        self.note(finding);
    }

    fn plain(&mut self) {
        self.note(Finding::ok("forge", "plain Git: a proposal is a branch, and `revertd approve` approves it"));
    }

    fn forge(&mut self, forge: &dyn Forge) {
        let call = Call::act(self.now());
        let identity = match forge.identity(call) {
            Ok(identity) => identity,
            Err(error) => return self.note(refused(&error)),
        };
        self.identity(&identity);
        self.access(forge, &identity.own, call);
        self.rules(forge, &identity, call);
        let teams = people::teams(self.policies.iter().copied());
        let found = people::judge_teams(&teams, |team| forge.team(call, team));
        self.findings.extend(found);
        if let Some(rate) = forge.rate() {
            let sentence = format!("{} of {} requests are left until {}", rate.remaining, rate.limit, rate.reset);
            let fix = "find who else asks with these credentials, or raise `poll`";
            self.note(match rate.remaining {
                0 => Finding::problem("rate budget", sentence, fix),
                left if left.saturating_mul(KEPT_FOR_ACTING) < rate.limit => {
                    Finding::warning("rate budget", format!("{sentence}: polls are shed"), fix)
                }
                _ => Finding::ok("rate budget", sentence),
            });
        }
    }

    fn identity(&mut self, identity: &Identity) {
        let crate::config::agent::Forge::Github(github) = &self.config.forge else { return };
        let Identity { id, owner, name, .. } = identity;
        let same = github.owner.eq_ignore_ascii_case(owner) && github.name.eq_ignore_ascii_case(name);
        self.note(if same {
            Finding::ok("identity", format!("{owner}/{name} is repository {id}; revertd acts as {}", identity.own.user.login))
        } else {
            let sentence = format!("{}/{} is called {owner}/{name} now", github.owner, github.name);
            Finding::warning("identity", sentence, "write the new name into the agent file: somebody else can take the old one")
        });
    }

    fn access(&mut self, forge: &dyn Forge, own: &Account, call: Call) {
        let teams = if people::teams(self.policies.iter().copied()).is_empty() { Teams::None } else { Teams::Named };
        let access = match forge.access(call, &self.config.branch) {
            Ok(access) => access,
            Err(error) => return self.note(Finding::not_seen("permissions", error.to_string(), "run this again")),
        };
        let now = self.now();
        self.findings.extend(permissions::judge(&access, own.kind, teams, now));
        let finding = clock(access.clock, own.kind, now);
        self.note(finding);
    }

    fn rules(&mut self, forge: &dyn Forge, identity: &Identity, call: Call) {
        let own_branch = BranchName::new(OWN_BRANCH);
        let told = forge.branch_rules(call, &self.config.branch).and_then(|rules| Ok((rules, forge.branch_rules(call, &own_branch)?)));
        let (rules, own) = match told {
            Ok((Some(rules), own)) => (rules, own.unwrap_or_default()),
            Ok((None, _)) => {
                let fix = "ask an administrator what the branch demands; a merge that is refused falls back to a proposal";
                return self.note(Finding::not_seen("rules", "this forge is too old to tell the rules of a branch", fix));
            }
            Err(error) => return self.note(Finding::not_seen("rules", error.to_string(), "run this again")),
        };
        self.landing(identity, &rules, &own, &own_branch);
        match forge.owners_file(call, &self.config.branch) {
            Ok(file) => self.note(people::judge_owners(&file, &rules, self.policies.iter().copied())),
            Err(error) => self.note(Finding::not_seen("CODEOWNERS", error.to_string(), "look at it on the forge's page")),
        }
        if rules.bypass != crate::forge::Bypass::NothingToPass {
            let fix = "with an administrator's token: `gh api repos/OWNER/NAME/rulesets/ID --jq .bypass_actors`";
            self.note(Finding::not_seen("bypass", "who else may pass the rules: the forge tells it to administrators only", fix));
        }
    }

    fn landing(&mut self, identity: &Identity, rules: &BranchRules, own: &BranchRules, own_branch: &BranchName) {
        let specimen = templates(self.loaded.agent.templates.as_deref())
            .and_then(|templates| Ok(render::commit::specimen(&templates, "checkout: 1.5.0")?));
        // What is wrong with a template is said in the machine's own section.
        let message = specimen.unwrap_or_default();
        let signing = if self.config.commit.signing_key_file.is_some() { Signing::Key } else { Signing::None };
        let found = landing::judge(&Landing {
            branch: &self.config.branch,
            rules,
            own,
            own_branch,
            methods: identity.methods,
            mode: self.mode(),
            signing,
            message: &message,
            email: &self.config.commit.email,
        });
        self.findings.extend(found);
    }

    /// What nobody can see from here is said, so that silence is not taken for an answer.
    fn unseen(&mut self) {
        if self.mode() > Mode::Observe {
            let sentence = "pre-receive hooks and push rules of the server: they judge a push when it comes";
            let fix = "have one harmless change proposed: `revertd revert SHA --dry-run` shows what would be pushed";
            self.note(Finding::not_seen("hooks", sentence, fix));
        }
    }
}

fn refused(error: &ForgeError) -> Finding {
    let fix = match error {
        ForgeError::Unauthorized { .. } => {
            "make a new token or key, and put it where the agent file says; an App's key needs a clock that is right"
        }
        ForgeError::NotFound { .. } => "check the repository's name, that the App is installed on it, or that the token covers it",
        ForgeError::Forbidden { .. } => "look at the App's installation, or at the token's page",
        ForgeError::RateLimited { .. } => "wait, and find who else asks with these credentials",
        ForgeError::Replaced { .. } => "write the name of the repository that is meant into the agent file",
        _ => "check `forge.github.url`, the proxy, and that this machine reaches the host",
    };
    Finding::problem("forge", error.to_string(), fix)
}

fn clock(theirs: Option<Timestamp>, kind: AccountKind, now: Timestamp) -> Finding {
    let subject = "clock";
    let Some(theirs) = theirs else {
        return Finding::not_seen(subject, "the forge's time: its answer has no date", "compare `date` with another machine's");
    };
    let (ahead, behind) = (now.since(theirs), theirs.since(now));
    let (skew, direction) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
    let sentence = format!("this machine is {} {direction} the forge", spoken(skew));
    match kind {
        _ if skew <= SKEW_WARNED => Finding::ok(subject, format!("within {} of the forge's", spoken(SKEW_WARNED))),
        AccountKind::App { .. } if skew > SKEW_REFUSED => Finding::problem(
            subject,
            format!("{sentence}, and GitHub refuses an App's signature that is off by more than a minute"),
            "set the clock, as with NTP",
        ),
        _ => Finding::warning(subject, format!("{sentence}: approvals and onsets are compared by time"), "set the clock, as with NTP"),
    }
}
