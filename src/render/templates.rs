//! The templates: those that are built in, and the ones that an operator puts in their place, file by file.
//!
//! Strict: what a template names must be there. That is found out when the templates are loaded, by rendering each with samples, and not at
//! night. A context holds text that is harmless already ([`super::neutral`]), so a template cannot let somebody else's markup through. Reading
//! files is the caller's.

use std::collections::BTreeSet;
use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Serialize;

use super::{back, commit, postmortem, proposal, sticky};

/// Every template by its file name, with the text that is built in.
const BUILT_IN: [(&str, &str); 6] = [
    (commit::TEMPLATE, include_str!("../../templates/commit.txt")),
    (proposal::TITLE_TEMPLATE, include_str!("../../templates/title.txt")),
    (proposal::TEMPLATE, include_str!("../../templates/proposal.md")),
    (back::TEMPLATE, include_str!("../../templates/reapply.md")),
    (postmortem::TEMPLATE, include_str!("../../templates/report.md")),
    (sticky::TEMPLATE, include_str!("../../templates/sticky.md")),
];

/// A template that an operator wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnTemplate {
    /// Where it was read, for messages.
    pub path: String,
    /// Its file name, which says what it stands for.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no template of that name.
    #[error("{path}: there is no template of this name; there are {}", names())]
    UnknownName {
        /// Where it was read.
        path: String,
    },
    /// It is no template, or names what is not there.
    #[error("{path}:{line}: {why}")]
    Broken {
        /// Where it was read.
        path: String,
        /// The line, counted from 1.
        line: usize,
        /// Why, in one sentence.
        why: String,
    },
    /// It leaves out what revertd itself reads later.
    #[error("{path}: {what} is left out, and revertd finds its own work by it")]
    LeftOut {
        /// Where it was read.
        path: String,
        /// What.
        what: &'static str,
    },
}

fn names() -> String {
    BUILT_IN.map(|(name, _)| format!("`{name}`")).join(", ")
}

/// The templates in use.
pub struct Templates {
    environment: Environment<'static>,
    paths: Vec<(&'static str, String)>,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl Templates {
    /// Those that are built in.
    ///
    /// # Errors
    /// None that a test has not excluded.
    pub fn built_in() -> Result<Self, TemplateError> {
        Self::with(&[])
    }

    /// Those that are built in, with some replaced.
    ///
    /// # Errors
    /// A name that no template has, a template that does not parse or names what is not there, one that leaves out what revertd needs.
    pub fn with(own: &[OwnTemplate]) -> Result<Self, TemplateError> {
        if let Some(unknown) = own.iter().find(|own| BUILT_IN.iter().all(|(name, _)| *name != own.name)) {
            return Err(TemplateError::UnknownName { path: unknown.path.clone() });
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_syntax(
            SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(|error| broken("templates", &error))?,
        );
        let mut paths = Vec::new();
        for (name, text) in BUILT_IN {
            let replaced = own.iter().find(|own| own.name == name);
            let path = replaced.map_or_else(|| format!("templates/{name}"), |own| own.path.clone());
            let text = replaced.map_or_else(|| text.to_owned(), |own| own.text.clone());
            paths.push((name, path));
            environment.add_template_owned(name, text).map_err(|error| broken(path_of(&paths, name), &error))?;
        }
        let templates = Self { environment, paths };
        templates.try_out()?;
        Ok(templates)
    }

    /// Renders a template of this name.
    pub(super) fn render(&self, name: &str, context: &impl Serialize) -> Result<String, TemplateError> {
        let broken = |error: minijinja::Error| broken(path_of(&self.paths, name), &error);
        let template = self.environment.get_template(name).map_err(broken)?;
        template.render(Serde(context)).map_err(broken)
    }

    fn try_out(&self) -> Result<(), TemplateError> {
        for sample in commit::CommitContext::samples() {
            let text = self.try_one(commit::TEMPLATE, &sample)?;
            let left_out = |what| TemplateError::LeftOut { path: path_of(&self.paths, commit::TEMPLATE).to_owned(), what };
            if !text.contains(&sample.reverts) {
                return Err(left_out("`{{ reverts }}` on lines of its own"));
            }
            if !text.trim_end().ends_with(&format!("\n\n{}", sample.trailers)) {
                return Err(left_out("`{{ trailers }}` as the last paragraph"));
            }
        }
        for sample in proposal::TitleContext::samples() {
            self.try_one(proposal::TITLE_TEMPLATE, &sample)?;
        }
        for sample in proposal::ProposalContext::samples() {
            self.try_one(proposal::TEMPLATE, &sample)?;
            self.try_one(back::TEMPLATE, &sample)?;
        }
        for sample in postmortem::ReportContext::samples() {
            self.try_one(postmortem::TEMPLATE, &sample)?;
        }
        for sample in sticky::StickyContext::samples() {
            self.try_one(sticky::TEMPLATE, &sample)?;
        }
        Ok(())
    }

    /// Renders a sample, and looks for unknown names in the branches that the sample does not take.
    fn try_one(&self, name: &'static str, sample: &impl Serialize) -> Result<String, TemplateError> {
        let path = path_of(&self.paths, name);
        let text = self.render(name, sample)?;
        let template = self.environment.get_template(name).map_err(|error| broken(path, &error))?;
        let context = Value::from(Serde(sample));
        let known: BTreeSet<String> =
            context.try_iter().map(|keys| keys.map(|key| key.to_string()).collect()).map_err(|error| broken(path, &error))?;
        let built_in: BTreeSet<&str> = self.environment.globals().map(|(name, _)| name).collect();
        let mut unknown: Vec<String> = template
            .undeclared_variables(false)
            .into_iter()
            .filter(|name| !known.contains(name) && !built_in.contains(name.as_str()))
            .collect();
        unknown.sort_unstable();
        match unknown.first() {
            None => Ok(text),
            Some(unknown) => Err(TemplateError::Broken {
                path: path.to_owned(),
                line: template.source().lines().position(|line| line.contains(unknown.as_str())).map_or(1, |line| line + 1),
                why: format!("there is no `{unknown}` in this template; there are {}", listed(&known)),
            }),
        }
    }
}

fn listed(known: &BTreeSet<String>) -> String {
    known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn path_of<'a>(paths: &'a [(&'static str, String)], name: &'a str) -> &'a str {
    paths.iter().find(|(known, _)| *known == name).map_or(name, |(_, path)| path.as_str())
}

fn broken(path: &str, error: &minijinja::Error) -> TemplateError {
    let why = match (error.kind(), error.detail()) {
        (minijinja::ErrorKind::UndefinedError, None) => "a value that this template names is not there".to_owned(),
        (kind, None) => kind.to_string(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
    };
    TemplateError::Broken { path: path.to_owned(), line: error.line().unwrap_or(1), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, text: &str) -> String {
        let own = OwnTemplate { path: format!("/etc/revertd/templates/{name}"), name: name.to_owned(), text: text.to_owned() };
        Templates::with(&[own]).unwrap_err().to_string()
    }

    #[test]
    fn those_that_are_built_in_can_be_used() {
        Templates::built_in().unwrap();
    }

    #[test]
    fn an_unknown_variable_is_named_with_file_and_line() {
        let message = refused("title.txt", "Revert\n{{ subjekt }}");
        assert!(message.starts_with("/etc/revertd/templates/title.txt:2: "), "{message}");
        // In a branch that no sample takes, too.
        let message = refused("title.txt", "{% if false %}\n\n{{ subjekt }}{% endif %}");
        assert!(message.starts_with("/etc/revertd/templates/title.txt:3: there is no `subjekt`"), "{message}");
        let message = refused("proposal.md", "{% for suspect in suspects %}\n{{ suspect.naem }}\n{% endfor %}");
        assert!(message.starts_with("/etc/revertd/templates/proposal.md:2: "), "{message}");
    }

    #[test]
    fn what_is_no_template_is_named_with_file_and_line() {
        let message = refused("sticky.md", "a\n{% if %}");
        assert!(message.starts_with("/etc/revertd/templates/sticky.md:2: "), "{message}");
        let message = refused("stiky.md", "");
        assert!(message.contains("there are `commit.txt`"), "{message}");
    }

    #[test]
    fn a_commit_keeps_what_git_and_revertd_read() {
        assert!(refused("commit.txt", "{{ subject }}\n\n{{ reason }}\n\n{{ trailers }}").contains("reverts"));
        assert!(refused("commit.txt", "{{ subject }}\n\n{{ reverts }}\n\n{{ trailers }}\n\n{{ reason }}").contains("trailers"));
    }

    #[test]
    fn one_file_is_replaced_and_the_rest_stays() {
        let own = OwnTemplate { path: "t/title.txt".into(), name: "title.txt".into(), text: "ops: {{ subject }}".into() };
        let templates = Templates::with(&[own]).unwrap();
        let sample = proposal::TitleContext::samples().remove(0);
        assert!(templates.render(proposal::TITLE_TEMPLATE, &sample).unwrap().starts_with("ops: "));
    }
}
