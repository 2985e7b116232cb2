//! Errors as people see them: `error:`, then each cause once, then a hint where one is known.

use std::io::Write;

use super::Exit;
use crate::config::diagnostic::Diagnostics;

/// Prints an error to `err` and says with which code to end.
///
/// # Errors
/// When `err` cannot be written to.
pub fn print(error: &anyhow::Error, err: &mut dyn Write) -> std::io::Result<Exit> {
    if let Some(diagnostics) = error.downcast_ref::<Diagnostics>() {
        // Each diagnostic has its own `error:` line, position and hint.
        writeln!(err, "{diagnostics}")?;
        return Ok(Exit::InvalidConfiguration);
    }
    writeln!(err, "error: {error}")?;
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        // Some errors repeat their source in their own text.
        if !said.contains(&text) {
            writeln!(err, "caused by: {text}")?;
        }
        said = text;
    }
    if let Some(hint) = hint(error) {
        writeln!(err, "hint: {hint}")?;
    }
    Ok(Exit::Error)
}

fn hint(error: &anyhow::Error) -> Option<&'static str> {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>())?;
    match io.kind() {
        std::io::ErrorKind::NotFound => Some("name another agent file with --config FILE, or try `revertd demo`, which needs none"),
        std::io::ErrorKind::PermissionDenied => Some("run it as the user that the agent runs as"),
        _ => None,
    }
}
