//! Whether everything that the agent needs is in order, found out by reading alone: for the day before the night that it matters.
//!
//! Reading and judging are apart. `machine`, `forge`, `measuring` ask the ports; `permissions`, `landing` and `people` are pure and turn what was
//! told into findings. Nothing is written, locked, pushed or fetched anywhere: requests are reads (but for the token that an App has to ask
//! for), the journal's file is looked at and not opened as a database, and the push that Git is asked for is one that it does not carry out.

mod forge;
mod landing;
mod machine;
mod measuring;
mod people;
mod permissions;
mod report;

use std::sync::Arc;

use anyhow::{Context, Result};

pub use self::report::{Finding, Report, Section, Verdict};
use super::Clock;
use crate::config::Loaded;

/// Looks at everything that the configuration names. Must be called within a runtime that has threads of its own.
///
/// # Errors
/// Only where the examination itself cannot be run; what is wrong outside is a finding.
pub async fn examine(loaded: Loaded, clock: Arc<dyn Clock>) -> Result<Report> {
    let loaded = Arc::new(loaded);
    let mut sections = vec![machine::examine(&loaded)];
    for index in 0..loaded.agent.repositories.len() {
        let (loaded, clock) = (loaded.clone(), clock.clone());
        // Git and the forge's client block.
        let section = tokio::task::spawn_blocking(move || forge::examine(&loaded, index, &clock));
        sections.push(section.await.context("a look at a repository ended unexpectedly")?);
    }
    sections.extend(measuring::examine(&loaded, &*clock).await);
    Ok(Report { sections })
}

#[cfg(test)]
mod tests;
