//! The forge of the demo: a fake GitHub over the world's repository, with the people of the shop and the account of the agent.
//!
//! The agent is a person's account with a token, because making an App's key would take longer than a story. What people may do is what the
//! forge's roles say; nothing here knows about approvals.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::git::scratch::ScratchRepository;

use super::forge::{FakeGithub, FakeSettings, Role, StartError};
use super::history::{PEOPLE, login};
use super::repository::BRANCH;
use super::world::clock;

/// The login of the agent.
pub const AGENT: &str = "revertd";
/// The agent's token. It opens nothing but this fake.
pub const TOKEN: &str = "github_pat_demo";
/// The repository on the forge.
pub const FULL_NAME: (&str, &str) = ("shop", "manifests");
/// Somebody who may read and not approve, for who wants to see a refusal.
const READER: &str = "guest";

/// Starts the fake over a repository, with everybody who has commits in its history.
///
/// # Errors
/// No port, no thread, or a repository that cannot be read.
pub fn start(repository: &ScratchRepository) -> Result<FakeGithub, StartError> {
    let (owner, name) = FULL_NAME;
    let people = (0..PEOPLE.len()).filter(|number| !is_bot(*number)).map(|number| {
        // The first of them looks after the repository.
        (login(number), if number == 0 { Role::Maintain } else { Role::Write })
    });
    let github = FakeGithub::start(FakeSettings {
        repository: repository.clone(),
        owner: owner.to_owned(),
        name: name.to_owned(),
        default_branch: BRANCH.to_owned(),
        clock: Arc::new(clock),
        people: people.chain([(AGENT.to_owned(), Role::Write), (READER.to_owned(), Role::Read)]).collect(),
        tokens: BTreeMap::from([(TOKEN.to_owned(), AGENT.to_owned())]),
        app: None,
    })?;
    for (number, (_, email)) in PEOPLE.iter().enumerate() {
        if is_bot(number) {
            github.state().set_bot(&login(number), Role::Write);
        }
        github.state().set_email(&login(number), email);
    }
    Ok(github)
}

fn is_bot(number: usize) -> bool {
    login(number).ends_with("-bot")
}
