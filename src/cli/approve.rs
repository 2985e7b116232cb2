//! `revertd approve`: appends an approval to the journal of the running agent.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::{Exit, store};
use crate::engine::approval::Approval;
use crate::engine::fact::Event;
use crate::engine::incident::Phase;
use crate::journal::{Journal, SqliteJournal};

/// Approve the open proposal of an incident
///
/// The approval counts for the plan that is published now, once, until it expires. Whoever may write the journal may approve; the approval
/// names the operating system's user.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The incident, or the beginning of its id
    incident: String,
}

impl ApproveArgs {
    /// To approve an incident from within.
    pub(super) fn of(incident: &str) -> Self {
        Self { incident: incident.to_owned() }
    }
}

/// Runs the command.
pub(super) fn run(args: &ApproveArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let loaded = store::load(config)?;
    let facts = store::facts(&loaded)?;
    let state = store::fold(&facts);
    let id = store::find_incident(&state, &args.incident)?;
    let Some(incident) = state.incidents.get(&id) else { bail!("there is no incident `{id}`") };
    if incident.ending.is_some() || incident.landed.is_some() {
        bail!("the incident `{id}` is past approving: it is {}", incident.phase.words());
    }
    let proposal = incident.proposal.as_ref().and_then(|key| state.proposals.get(key)).filter(|proposal| proposal.head.is_some());
    let Some((proposal, plan)) = proposal.and_then(|proposal| Some((proposal, proposal.plan_digest()?))) else {
        bail!("the incident `{id}` has no proposal yet: {}", incident.phase.words());
    };
    if let Some(closing) = &proposal.closing {
        bail!("the proposal {} is closed ({closing:?}); it cannot be approved", proposal.key);
    }
    let expires_after = loaded.policies.iter().find(|policy| policy.name == incident.policy).map(|policy| policy.approval.expires);
    let Some(expires_after) = expires_after else { bail!("the policy `{}` of the incident is not configured any more", incident.policy) };
    let now = store::now();
    let by = store::operating_system_user();
    let approval = Approval {
        incident: id.clone(),
        proposal: proposal.key.clone(),
        plan: plan.clone(),
        by: by.clone(),
        at: now,
        expires: now + expires_after,
    };
    let expires = approval.expires;
    let journal = SqliteJournal::open_shared(&loaded.agent.journal).context("cannot write to the journal")?;
    journal.append(now, vec![Event::Approved { approval }]).context("cannot write the approval")?;
    writeln!(out, "{by} approved the plan {} of the proposal {} for {id}; it counts until {expires}.", &plan.as_str()[..12], proposal.key)?;
    if incident.phase == Phase::Approved {
        writeln!(out, "It had been approved before.")?;
    }
    if !SqliteJournal::agent_is_running(&loaded.agent.journal) {
        writeln!(out, "No agent runs on this journal: the approval takes effect when one is started, if it has not expired by then.")?;
    }
    Ok(Exit::Done)
}
