//! `revertd judge`: decides incidents from a file, one JSON object a line, with the very engine that runs live.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use serde_json::json;

use super::{Exit, Output};
use crate::agent::{Answer, DecideAt, JudgedAction, judge};
use crate::config::judge_file::CaseReader;

/// A line on standard error after this many incidents.
const TOLD_EVERY: u64 = 1000;

/// Editors and spreadsheets write it at the start of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Decide incidents from a file
///
/// One JSON object a line; `revertd schema judge` describes it. Ends with 0 when every line was decided, 1 when one could not be read.
#[derive(Debug, Args)]
pub struct JudgeArgs {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// When each incident is decided: at its `now`, or at the end of every round until something would be done
    #[arg(long, value_enum, default_value_t)]
    at: At,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum At {
    /// At its `now`
    #[default]
    Now,
    /// At the end of every round
    Each,
}

/// Runs the command.
pub(super) fn run(args: &JudgeArgs, out: &mut dyn Write) -> Result<Exit> {
    if args.file.as_os_str() == "-" {
        return lines(args, &mut std::io::stdin().lock(), out);
    }
    // Not as a cause: the hint for files that are not there is about agent files.
    let file = File::open(&args.file).map_err(|error| anyhow!("cannot read {}: {error}", args.file.display()))?;
    lines(args, &mut BufReader::new(file), out)
}

fn lines(args: &JudgeArgs, input: &mut dyn BufRead, out: &mut dyn Write) -> Result<Exit> {
    let at = match args.at {
        At::Now => DecideAt::Now,
        At::Each => DecideAt::Each,
    };
    let mut reader = CaseReader::default();
    let (mut decided, mut exit) = (0_u64, Exit::Done);
    let tells = std::io::stderr().is_terminal();
    for (number, line) in (1_u64..).zip(input.split(b'\n')) {
        let line = line.context("cannot read the file")?;
        let line = if number == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line) } else { &line };
        let read = match std::str::from_utf8(line).map(str::trim) {
            Ok("") => continue,
            Ok(text) => reader.read(text).map_err(|error| error.to_string()),
            Err(error) => Err(format!("this is no UTF-8, from byte {} on", error.valid_up_to() + 1)),
        };
        match read {
            Ok(case) => print(&judge(&case, at), args.output, out)?,
            Err(error) => {
                exit = Exit::Error;
                writeln!(out, "{}", json!({"id": null, "error": format!("line {number}: {error}")}))?;
            }
        }
        decided += 1;
        if tells && decided.is_multiple_of(TOLD_EVERY) {
            tracing::info!("{decided} incidents");
        }
    }
    Ok(exit)
}

fn print(answer: &Answer, output: Output, out: &mut dyn Write) -> Result<()> {
    match output {
        Output::Json => writeln!(out, "{}", serde_json::to_string(answer)?)?,
        Output::Text => {
            let action = match answer.action {
                JudgedAction::None => "none",
                JudgedAction::Propose => "propose",
                JudgedAction::Merge => "merge",
            };
            let suspects: Vec<String> = answer.suspects.iter().map(|suspect| suspect.short()).collect();
            writeln!(out, "{}  {action}  {}  {}", answer.id, suspects.join(" "), answer.why)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> (Exit, String) {
        let args = JudgeArgs { file: PathBuf::from("-"), at: At::Now, output: Output::Json };
        let mut out = Vec::new();
        let exit = lines(&args, &mut text.as_bytes(), &mut out).unwrap();
        (exit, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_bad_line_is_answered_and_the_others_are_decided() {
        let (exit, out) = judged("{\"id\":\"x\",\"now\":5,\"policies\":[]}\nnonsense\n\n");
        let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(exit, Exit::Error);
        assert_eq!((lines.len(), &lines[0]["action"], &lines[0]["suspects"]), (2, &json!("none"), &json!([])));
        assert_eq!(lines[1]["id"], json!(null));
        assert_eq!(lines[1]["error"], json!("line 2: this is no JSON: expected ident at byte 2"));
    }

    #[test]
    fn a_byte_order_mark_and_windows_line_ends_are_no_mistake() {
        let (exit, out) = judged("\u{feff}{\"id\":\"x\",\"now\":5,\"policies\":[]}\r\n\r\n");
        assert_eq!((exit, out.lines().count()), (Exit::Done, 1), "{out}");
    }

    #[test]
    fn bytes_that_are_no_text_are_a_bad_line_and_are_not_guessed_at() {
        let args = JudgeArgs { file: PathBuf::from("-"), at: At::Now, output: Output::Json };
        let mut out = Vec::new();
        let exit = lines(&args, &mut &b"{\"id\":\"\xff\",\"now\":5,\"policies\":[]}\n"[..], &mut out).unwrap();
        assert_eq!(exit, Exit::Error);
        assert_eq!(String::from_utf8(out).unwrap(), "{\"error\":\"line 1: this is no UTF-8, from byte 8 on\",\"id\":null}\n");
    }

    #[test]
    fn every_line_decided_is_a_success() {
        assert_eq!(judged("{\"id\":\"x\",\"now\":5,\"policies\":[]}").0, Exit::Done);
    }
}
