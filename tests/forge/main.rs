//! The real GitHub client against the stateful fake over a real bare repository, over loopback: every method of the port, in its good
//! case and in its failures. Each request and each answer is checked against GitHub's own OpenAPI description when a world ends.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "the helpers of tests fail as tests do")]

mod access;
mod app;
mod comments;
mod commits;
mod grant;
mod identity;
mod limits;
mod merging;
#[path = "../support/openapi.rs"]
mod openapi;
mod people;
mod proposals;
mod rules;
mod secrecy;
mod statuses;
mod world;
