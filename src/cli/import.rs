//! `revertd import`: policies from the SLO documents of other tools.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::config::import::{self, Format, Options};

use super::exit::Exit;

/// Print policies that say what the SLO documents of another tool say
///
/// Sloth's and Pyrra's documents and OpenSLO v1 are read. Each service becomes one policy (with Pyrra, each objective). What cannot be
/// carried over is said on standard error and stands as a comment in the policy. Such documents name no repository, no paths and no
/// metrics server: the options do.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// Whose documents they are
    #[arg(value_enum, value_name = "FORMAT")]
    pub format: ImportFormat,

    /// The files
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// The repository of the policies, by the agent's name for it
    #[arg(long, default_value = "manifests", value_name = "NAME")]
    pub repository: String,

    /// A glob for the paths of each service; `{service}` stands for its name
    #[arg(long = "path", default_value = "apps/{service}/**", value_name = "GLOB")]
    pub paths: Vec<String>,

    /// The metrics server of the indicators, by the agent's name for it
    #[arg(long, default_value = "main", value_name = "NAME")]
    pub server: String,
}

/// Whose documents they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ImportFormat {
    /// `kind: PrometheusServiceLevel`, or `version: prometheus/v1`
    Sloth,
    /// `kind: ServiceLevelObjective`
    Pyrra,
    /// `apiVersion: openslo/v1`
    Openslo,
}

/// Reads the files and prints the policies to `out`, the findings to `err`.
///
/// # Errors
/// A file cannot be read, or an output cannot be written to.
pub fn run(args: &ImportArgs, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Exit> {
    let format = match args.format {
        ImportFormat::Sloth => Format::Sloth,
        ImportFormat::Pyrra => Format::Pyrra,
        ImportFormat::Openslo => Format::OpenSlo,
    };
    let options = Options { repository: args.repository.clone(), paths: args.paths.clone(), server: args.server.clone() };
    if let Some(why) = import::refused(&options) {
        bail!("{why}");
    }
    let mut exit = Exit::Done;
    for file in &args.files {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let imported = import::import(format, &file.display().to_string(), &bytes, &options);
        for finding in &imported.findings {
            writeln!(err, "{finding}").context("cannot write the findings")?;
            if finding.is_error() {
                exit = Exit::InvalidConfiguration;
            }
        }
        out.write_all(imported.text.as_bytes()).context("cannot write the policies")?;
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::super::check::{self, CheckArgs};
    use super::super::output::Output;
    use super::*;

    const SLO: &str = "version: prometheus/v1\nservice: checkout\nslos:\n  - name: errors\n    objective: 99.9\n    sli:\n      events:\n        \
                       error_query: sum(rate(bad[5m]))\n        total_query: sum(rate(all[{{.window}}]))\n    \
                       alerting: {ticket_alert: {labels: {severity: slack}}}\n";

    fn args(file: PathBuf, repository: &str) -> ImportArgs {
        ImportArgs {
            format: ImportFormat::Sloth,
            files: vec![file],
            repository: repository.to_owned(),
            paths: vec!["services/{service}/**".to_owned()],
            server: "thanos".to_owned(),
        }
    }

    #[test]
    fn what_is_printed_passes_the_check() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("slo.yaml");
        std::fs::write(&file, SLO).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        assert_eq!(run(&args(file, "manifests"), &mut out, &mut err).unwrap(), Exit::Done);
        let said = String::from_utf8(err).unwrap();
        assert!(said.starts_with("warning: a fixed range of its queries became `$window`\n"), "{said}");
        let policies = directory.path().join("policies.yaml");
        std::fs::write(&policies, &out).unwrap();
        let mut checked = Vec::new();
        let exit = check::run(&CheckArgs { paths: vec![policies], output: Output::Text }, &mut checked).unwrap();
        assert_eq!((exit, String::from_utf8(checked).unwrap().as_str()), (Exit::Done, "0 errors, 0 warnings\n"));
        assert!(String::from_utf8(out).unwrap().contains("paths: ['services/checkout/**']"));
    }

    #[test]
    fn options_that_no_policy_can_have_are_refused() {
        let error = run(&args(PathBuf::from("none.yaml"), "No Such"), &mut Vec::new(), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with("`repository` is a name"), "{error}");
    }
}
