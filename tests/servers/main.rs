//! The stories against real servers, one test binary. A test whose server is not installed says that it was skipped, and fails
//! instead when `REVERTD_REQUIRE_SERVERS=1`, which continuous integration sets.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "the helpers of tests fail as tests do")]

mod alerts;
mod backtest;
mod binary;
mod browser;
mod canary;
mod commands;
mod crash;
mod crash_on_github;
mod git_http;
mod journals;
mod plan_command;
mod prometheus_health;
mod prometheus_story;
mod revert_command;
mod signals;
mod slack;
mod ssh;
mod support;
mod web;
