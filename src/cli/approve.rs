//! `revertd approve`: appends an approval to the journal of the running agent.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::{Exit, Output, store};
use crate::engine::approval::{Approval, ApprovalSource};
use crate::engine::fact::{Event, ProposalClosing};
use crate::engine::id::{PlanDigest, ProposalKey};
use crate::engine::incident::{Incident, Phase, State};
use crate::journal::{Journal, SqliteJournal};

/// Approve the open proposal of an incident
///
/// The approval counts for the plan that is published now, once, until it expires. Whoever may write the journal may approve; the approval
/// names the operating system's user.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The incident, or the beginning of its id
    incident: String,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Runs the command.
pub(super) fn run(args: &ApproveArgs, config: &Path, out: &mut dyn Write) -> Result<Exit> {
    let loaded = store::load(config)?;
    let state = store::fold(&store::facts(&loaded)?);
    let id = store::find_incident(&state, &args.incident)?;
    let Some(incident) = state.incidents.get(&id) else { bail!("there is no incident `{id}`") };
    let (proposal, plan) = approvable(&state, incident)?;
    let expires_after = loaded.policies.iter().find(|policy| policy.name == incident.policy).map(|policy| policy.approval.expires);
    let Some(expires_after) = expires_after else { bail!("the policy `{}` of the incident is not configured any more", incident.policy) };
    let now = store::now();
    let approval = Approval {
        incident: id,
        proposal,
        plan,
        by: store::operating_system_user(),
        source: ApprovalSource::CommandLine,
        force: None,
        at: now,
        expires: now + expires_after,
    };
    let journal = SqliteJournal::open_shared(&loaded.agent.journal).context("cannot write to the journal")?;
    journal.append(now, vec![Event::Approved { approval: approval.clone() }]).context("cannot write the approval")?;
    let (agent_runs, again) = (store::agent_runs(&loaded), incident.phase == Phase::Approved);
    match args.output {
        Output::Json => {
            let said = json!({"approval": approval, "approvedBefore": again, "agentRuns": agent_runs});
            writeln!(out, "{}", serde_json::to_string_pretty(&said)?)?;
        }
        Output::Text => show(&approval, again, agent_runs, out)?,
    }
    Ok(Exit::Done)
}

/// The incident's open proposal and the digest of its plan.
fn approvable(state: &State, incident: &Incident) -> Result<(ProposalKey, PlanDigest)> {
    let id = &incident.id;
    let explain = format!("`revertd explain {id}` tells how it came");
    let back = state.proposals.values().find(|proposal| proposal.brings_back() && proposal.is_open() && proposal.incidents.contains(id));
    if let Some((key, plan)) = back.and_then(|back| Some((back.key.clone(), back.plan_digest()?))) {
        return Ok((key, plan));
    }
    if incident.ending.is_some() || incident.landed.is_some() {
        return Err(Failure::new(format!("the incident `{id}` is past approving: it is {}", incident.phase.words()), explain).into());
    }
    let proposal = incident.proposal.as_ref().and_then(|key| state.proposals.get(key)).filter(|proposal| proposal.head.is_some());
    let Some((proposal, plan)) = proposal.and_then(|proposal| Some((proposal, proposal.plan_digest()?))) else {
        return Err(
            Failure::new(format!("the incident `{id}` has no proposal to approve: it is {}", incident.phase.words()), explain).into()
        );
    };
    let closed = match &proposal.closing {
        None => return Ok((proposal.key.clone(), plan)),
        Some(ProposalClosing::Vetoed) => "somebody deleted its branch, which is a veto".to_owned(),
        Some(ProposalClosing::Disowned { head }) => format!("its branch holds {head}, which revertd did not write"),
        Some(ProposalClosing::Withdrawn) => "it was withdrawn, because the service recovered by itself".to_owned(),
        Some(ProposalClosing::Superseded) => "it is not needed any more".to_owned(),
    };
    Err(Failure::new(format!("the proposal {} cannot be approved: {closed}", proposal.key), explain).into())
}

fn show(approval: &Approval, again: bool, agent_runs: bool, out: &mut dyn Write) -> Result<()> {
    let Approval { incident, proposal, plan, by, expires, .. } = approval;
    writeln!(out, "{by} approved the plan {} of the proposal {proposal} for {incident}; it counts until {expires}.", &plan.as_str()[..12])?;
    if again {
        writeln!(out, "It had been approved before.")?;
    }
    if !agent_runs {
        writeln!(out, "No agent runs on this journal: the approval takes effect when one is started, if it has not expired by then.")?;
    }
    Ok(())
}
