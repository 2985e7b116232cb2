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
pub struct SchemaArgs {
    /// Of what: a document of a configuration file, or a line that `revertd judge` reads
    #[arg(value_enum, default_value_t)]
    of: Of,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    /// A document of an agent or policy file
    #[default]
    Config,
    /// A line that `revertd judge` reads
    Judge,
}

/// Prints the schema.
///
/// # Errors
/// When `out` cannot be written to.
pub fn run(args: &SchemaArgs, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let schema = match args.of {
        Of::Config => config::schema(),
        Of::Judge => config::judge_file::judge_schema(),
    };
    serde_json::to_writer_pretty(&mut *out, &schema)
        .map_err(std::io::Error::from)
        .and_then(|()| writeln!(out))
        .context("cannot write the schema")?;
    Ok(Exit::Done)
}
