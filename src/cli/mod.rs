//! The command line: one file per subcommand; the doc comment of its arguments is its help.

pub mod check;
pub mod exit;
pub mod output;
pub mod schema;
