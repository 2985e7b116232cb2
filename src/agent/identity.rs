//! Which repository of the forge stands under the configured name. A renamed one is followed; another one under the old name stops everything,
//! because an approval there, or a push, would be somebody else's.
//!
//! The forge's client compares the numeric id itself before it does anything. Here it is remembered over restarts.

use anyhow::Result;
use tracing::info;

use super::Reconciler;
use super::observe::open_repositories;
use crate::engine::fact::Event;
use crate::engine::id::RepositoryName;
use crate::engine::incident::ForgeRepository;
use crate::engine::landing::Stop;
use crate::engine::time::Timestamp;
use crate::forge::{Call, ForgeError};

impl Reconciler {
    /// Asks each forge once which repository it is.
    pub(super) fn identify(&mut self, now: Timestamp) -> Result<()> {
        for index in 0..self.repositories.len() {
            let name = self.repositories[index].config.name.clone();
            let known = self.state.forges.get(&name).cloned();
            let Some(conversation) = &self.repositories[index].conversation else { continue };
            if conversation.is_quiet(now) || conversation.identified && known.is_some() || self.is_replaced(&name) {
                continue;
            }
            if conversation.identified {
                // A person has accepted what is there now, and the client still expects the one before.
                self.repositories = open_repositories(&self.config, &self.state.forges, &self.clock, now)?;
            }
            self.identify_one(index, known, now)?;
        }
        Ok(())
    }

    fn identify_one(&mut self, index: usize, known: Option<ForgeRepository>, now: Timestamp) -> Result<()> {
        let repository = self.repositories[index].config.name.clone();
        let Some(conversation) = self.repositories[index].conversation.as_mut() else { return Ok(()) };
        match conversation.forge.identity(Call::act(now)) {
            Ok(identity) => {
                conversation.identified = true;
                let found = ForgeRepository { id: identity.id.0, name: format!("{}/{}", identity.owner, identity.name) };
                if known.as_ref() == Some(&found) {
                    return Ok(());
                }
                info!(%repository, id = found.id, name = %found.name, "the forge said which repository it is");
                self.record(now, vec![Event::ForgeIdentified { repository, id: found.id, name: found.name }])
            }
            Err(error) => self.note_forge_failure(&repository, &error, now),
        }
    }

    /// Whether the repository is stopped because another one stands under its name.
    pub(super) fn is_replaced(&self, repository: &RepositoryName) -> bool {
        matches!(self.state.stops.get(repository), Some(Stop::Replaced { .. }))
    }

    /// Stops a repository whose forge says that another one stands under its name.
    pub(super) fn stop_if_replaced(&mut self, repository: &RepositoryName, error: &ForgeError, now: Timestamp) -> Result<()> {
        let ForgeError::Replaced { expected, found } = error else { return Ok(()) };
        let index = self.repositories.iter().position(|known| known.config.name == *repository);
        let Some(index) = index.filter(|_| !self.is_replaced(repository)) else { return Ok(()) };
        self.stop(index, Stop::Replaced { expected: expected.0, found: found.0 }, now)
    }
}
