//! Arguments, tracing, and from an error to an exit code; nothing else.

use std::io::{self, Write};
use std::process::ExitCode;

use revertd::cli::{Cli, Exit, print_failure};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::from_command_line();
    let filter = EnvFilter::try_new(cli.log_filter()).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .with_target(false)
        .init();
    // Not locked: the stories of the demo are told from several threads.
    let mut out = io::stdout();
    let result = cli.run(&mut out).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    match result {
        Ok(exit) => exit.into(),
        // Whoever reads our output has gone; that is their right.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) => Exit::Done.into(),
        Err(error) => print_failure(&error, &mut io::stderr().lock()).unwrap_or(Exit::Error).into(),
    }
}
