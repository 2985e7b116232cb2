//! `revertd schema`: the JSON Schema of what people write.

use std::io::Write;

use anyhow::Context;

use crate::config;

use super::exit::Exit;

/// Print the JSON Schema of agent files and policies
///
/// It describes one document (draft 2020-12). Editors use it to complete and check keys:
/// `# yaml-language-server: $schema=./revertd.schema.json` as the first line of a file.
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {}

/// Prints the schema.
///
/// # Errors
/// When `out` cannot be written to.
pub fn run(_args: &SchemaArgs, out: &mut dyn Write) -> anyhow::Result<Exit> {
    serde_json::to_writer_pretty(&mut *out, &config::schema())
        .map_err(std::io::Error::from)
        .and_then(|()| writeln!(out))
        .context("cannot write the schema")?;
    Ok(Exit::Done)
}
