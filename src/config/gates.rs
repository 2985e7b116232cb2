//! What vouches for a merge and what stops it, where more than one value matters: `healthyFor`, `render`, `ask` and `stop.issueLabel`.
//!
//! What is run and who signs is the operator's alone: a policy names a command, and never says what it is.

use crate::engine::assurance::{Ask, Assurance};
use crate::engine::id::RenderName;

use super::agent::RenderCommand;
use super::agent_file::Names;
use super::check::nearest;
use super::diagnostic::{Findings, quoted};
use super::view::View;

/// The part of a policy's guardrails that is about the state that a merge leads to and about who is asked.
pub fn assurance(guardrails: &View<'_>, names: Option<&Names>, findings: &mut Findings<'_>) -> Option<Assurance> {
    let render = guardrails.text("render");
    if let (Some(name), Some(names)) = (&render, names)
        && !names.renders.contains(name)
    {
        let hint = match nearest(name, names.renders.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "only the agent file can say what is run: `render: [{name: …, command: […]}]`".to_owned(),
        };
        findings.error(guardrails.span("render"), format!("the agent file has no render command {}", quoted(name)), hint);
    }
    let ask = match guardrails.object("ask") {
        None => None,
        Some(ask) => {
            if names.is_some_and(|names| !names.signs_questions) {
                let message = "the agent file has no `ask`, so that nothing could sign the question";
                findings.error(guardrails.span("ask"), message, "write `ask: {secretFile: …}` into the agent file".to_owned());
            }
            Some(Ask { url: ask.text("url")?, timeout: ask.duration("timeout")? })
        }
    };
    Some(Assurance { healthy_for: guardrails.duration("healthyFor")?, render: render.map(RenderName::new), ask })
}

/// The commands that policies may name.
pub fn renders(spec: &View<'_>) -> Option<Vec<RenderCommand>> {
    let command = |view: &View<'_>| {
        Some(RenderCommand {
            name: RenderName::new(view.text("name")?),
            command: view.texts("command")?,
            timeout: view.duration("timeout")?,
        })
    };
    spec.objects("render").iter().map(command).collect()
}

/// The label of the issue that is a kill switch. One that no forge could be asked for would be a switch that is not there.
pub fn issue_label(spec: &View<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let stop = spec.object("stop")?;
    let label = stop.text("issueLabel")?;
    if label.contains(',') || label.chars().count() > 50 {
        let message = "`issueLabel` is the name of a label: at most 50 characters, without a comma";
        findings.error(stop.span("issueLabel"), message, None);
    }
    let has_issues = |repository: &View<'_>| repository.object("forge").is_some_and(|forge| forge.object("github").is_some());
    if !spec.objects("repositories").iter().any(has_issues) {
        let message = "no repository has a forge with issues: nobody could stop it by `issueLabel`";
        findings.error(stop.span("issueLabel"), message, "remove it; `.revertd/STOP` on the branch stops it anywhere".to_owned());
    }
    Some(label)
}
