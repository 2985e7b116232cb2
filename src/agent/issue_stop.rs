//! The kill switch on the forge: an open issue with the operator's label, put on by somebody who may write (`stop.issueLabel`).
//!
//! It is looked at as often as the repository is polled, and once more right before anything is merged. What cannot be read counts as a stop
//! (promise P9); what somebody labels who may not write counts for nothing, or any visitor could stop the automation.

use anyhow::Result;

use super::{Reconciler, Repository};
use crate::engine::id::RepositoryName;
use crate::engine::switch::{IssueLook, KillSwitch};
use crate::engine::telling::IMPAIRED_AFTER;
use crate::engine::time::Timestamp;
use crate::forge::{Answered, Call, Forge, ForgeError, Role};

/// What the last look at the issues found.
#[derive(Clone, Debug)]
pub(super) struct IssueWatch {
    at: Timestamp,
    look: IssueLook,
    /// Since when it cannot be read.
    unreadable: Option<Timestamp>,
}

impl Reconciler {
    /// Looks at the issues of every repository that is due.
    pub(super) fn look_at_issues(&mut self, now: Timestamp) -> Result<()> {
        if self.config.stop_issue_label.is_none() {
            return Ok(());
        }
        let is_due = |repository: &&Repository| {
            repository.conversation.as_ref().is_some_and(|conversation| {
                let poll = repository.config.poll;
                !conversation.is_quiet(now) && conversation.issues.as_ref().is_none_or(|watch| now.since(watch.at) >= poll)
            })
        };
        let due: Vec<RepositoryName> = self.repositories.iter().filter(is_due).map(|repository| repository.config.name.clone()).collect();
        due.iter().try_for_each(|name| self.look_at_issues_of(name, now))
    }

    pub(super) fn look_at_issues_of(&mut self, name: &RepositoryName, now: Timestamp) -> Result<()> {
        let Some(label) = self.config.stop_issue_label.clone() else { return Ok(()) };
        let Some(conversation) = self.conversation_mut(name) else { return Ok(()) };
        let (look, failed) = match look(&*conversation.forge.clone(), &label, now) {
            Ok(look) => (look, None),
            Err(error) => (IssueLook::Unreadable(error.to_string()), Some(error)),
        };
        let before = conversation.issues.take().and_then(|watch| watch.unreadable);
        let unreadable = matches!(look, IssueLook::Unreadable(_)).then(|| before.unwrap_or(now));
        conversation.issues = Some(IssueWatch { at: now, look, unreadable });
        match failed {
            Some(error) if !concerns_one_request(&error) => self.note_forge_failure(name, &error, now),
            _ => Ok(()),
        }
    }

    /// The switch of a repository, as last looked at. One that nobody has looked at yet cannot be read.
    pub(super) fn issue_switch(&self, repository: &Repository) -> Option<KillSwitch> {
        let label = self.config.stop_issue_label.as_deref()?;
        let not_yet = IssueLook::Unreadable("the forge has not been asked yet".to_owned());
        let look = repository.conversation.as_ref()?.issues.as_ref().map_or(&not_yet, |watch| &watch.look);
        KillSwitch::issue(label, look)
    }

    /// The same once it is worth telling: a forge that fails for a moment is no news.
    pub(super) fn told_issue_switch(&self, repository: &Repository, now: Timestamp) -> Option<KillSwitch> {
        let watch = repository.conversation.as_ref()?.issues.as_ref()?;
        let is_news = watch.unreadable.is_none_or(|since| now.since(since) >= IMPAIRED_AFTER);
        self.issue_switch(repository).filter(|_| is_news)
    }
}

/// The forge answered, and it is this request that it did not like: everything else is still asked of it.
pub(super) fn concerns_one_request(error: &ForgeError) -> bool {
    matches!(error, ForgeError::NotFound { .. } | ForgeError::Forbidden { .. } | ForgeError::Invalid { .. } | ForgeError::Conflict { .. })
}

fn look(forge: &dyn Forge, label: &str, now: Timestamp) -> Answered<IssueLook> {
    let call = Call::act(now);
    let mut found = IssueLook::Off;
    for issue in forge.labelled_issues(call, label)? {
        let number = issue.number;
        let unreadable = |why: String| Ok(IssueLook::Unreadable(format!("the issue #{number} has the label, and {why}")));
        let Some(by) = issue.labelled_by else { return unreadable("who put it on is not known".to_owned()) };
        let permission = match forge.permission(call, &by.login) {
            Ok(permission) => permission,
            Err(error) if concerns_one_request(&error) => return unreadable(format!("what `{}` may do cannot be read: {error}", by.login)),
            Err(error) => return Err(error),
        };
        if permission.user != by.id {
            return unreadable(format!("the name `{}` of who put it on has changed hands", by.login));
        }
        match permission.role {
            Role::Admin | Role::Maintain | Role::Write => found = IssueLook::On { number, by: by.login },
            Role::Triage | Role::Read | Role::None => {}
            Role::Unknown(role) => return unreadable(format!("what the role `{role}` of `{}` may do is not known", by.login)),
        }
    }
    Ok(found)
}
