//! What revertd decides and why. Pure and synchronous: values in, effects out, `now` as an argument.
//!
//! Nothing here does I/O, reads a clock or logs: the same rules run live, in `plan` and in tests, and a stored situation decides the same
//! way again. `tests/architecture.rs` checks that this module imports nothing of ours.

pub mod afterwards;
pub mod alert_source;
pub mod approval;
pub mod assurance;
pub mod attribution;
pub mod backtest;
pub mod broken_sync;
pub mod budget;
pub mod change;
pub mod channel;
pub mod coherence;
pub mod command;
pub mod compare;
pub mod consent;
pub mod cosmetic;
pub mod decision;
pub mod elsewhere;
pub mod fact;
pub mod fate;
pub mod grade;
pub mod guardrail;
pub mod human_revert;
pub mod id;
pub mod incident;
pub mod irrevertible;
pub mod landing;
pub mod likelihood;
pub mod lookalike;
pub mod manifest;
pub mod message;
pub mod object;
pub mod onset;
pub mod owners;
pub mod ownership;
pub mod plan;
pub mod policy;
pub mod rank;
pub mod reading;
pub mod reapply;
pub mod round;
pub mod schedule;
pub mod situation;
pub mod slo;
pub mod spread;
pub mod switch;
pub mod sync;
pub mod telling;
pub mod time;
pub mod values;
pub mod variables;
pub mod verification;
pub mod window;
pub mod workload;
