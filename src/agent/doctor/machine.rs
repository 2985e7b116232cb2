//! What is on this machine: git, the journal, the templates, the address to listen on.

use std::net::TcpListener;

use super::report::{Finding, Section};
use crate::agent::templates;
use crate::config::Loaded;
use crate::git::GitExecutable;
use crate::journal::sight::{Holder, JournalSight, look};

/// Looks at this machine.
pub(super) fn examine(loaded: &Loaded) -> Section {
    let mut section = Section::new("this machine");
    section.findings.push(configuration(loaded));
    section.findings.push(match GitExecutable::find() {
        Ok(git) => {
            let (major, minor) = git.version();
            Finding::ok("git", format!("version {major}.{minor}"))
        }
        Err(error) => Finding::problem("git", error.to_string(), "install git 2.45 or newer, and put it first on PATH"),
    });
    let sight = look(&loaded.agent.journal);
    section.findings.push(journal(&sight, &loaded.agent.journal.display().to_string()));
    section.findings.push(match templates(loaded.agent.templates.as_deref()) {
        Ok(_) if loaded.agent.templates.is_none() => Finding::ok("templates", "those that are built in"),
        Ok(_) => Finding::ok("templates", "your own can be used"),
        Err(error) => {
            Finding::problem("templates", format!("{error:#}"), "mend the file, or remove it: the one that is built in stands in")
        }
    });
    if let Some(address) = loaded.agent.listen {
        // Opened and closed again at once: nobody is answered.
        section.findings.push(match (TcpListener::bind(address), &sight) {
            (Ok(_), _) => Finding::ok("listen", format!("{address} is free")),
            (Err(_), JournalSight::Ready(Holder::Agent)) => Finding::ok("listen", format!("{address} is taken, as the agent runs")),
            (Err(error), _) => Finding::problem(
                "listen",
                format!("cannot listen on {address}: {error}"),
                "end what listens there, or set another `listen`",
            ),
        });
    }
    section
}

fn configuration(loaded: &Loaded) -> Finding {
    let count = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let sentence = format!(
        "valid, with {} and {}",
        count(loaded.agent.repositories.len(), "repository", "repositories"),
        count(loaded.policies.len(), "policy", "policies")
    );
    match (loaded.policies.is_empty(), loaded.warnings.len()) {
        (true, _) => Finding::problem("configuration", "there is no policy, so nothing is watched", "name policy files under `policies`"),
        (false, 0) => Finding::ok("configuration", sentence),
        (false, warnings) => {
            let sentence = format!("{sentence}, and {}", count(warnings, "warning", "warnings"));
            Finding::warning("configuration", sentence, "`revertd check FILE` shows what does not do what it seems to")
        }
    }
}

fn journal(sight: &JournalSight, path: &str) -> Finding {
    match sight {
        JournalSight::Ready(Holder::Nobody) => Finding::ok("journal", format!("{path} can be written, and no agent runs on it")),
        JournalSight::Ready(Holder::Agent) => Finding::ok("journal", format!("an agent runs on {path}")),
        JournalSight::NotMade => Finding::ok("journal", format!("{path} is not there yet; its directory can be written")),
        JournalSight::NoDirectory => Finding::warning(
            "journal",
            format!("the directory of {path} is not there"),
            "make it, and let the agent's user write to it; what is in it must outlive the agent",
        ),
        JournalSight::Foreign => {
            Finding::problem("journal", format!("{path} is no journal of revertd"), "set `journal.sqlite` to another path")
        }
        JournalSight::Unusable { why } => {
            Finding::problem("journal", why.clone(), "run this as the agent's user, and let that user write to the file and its directory")
        }
    }
}
