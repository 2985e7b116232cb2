//! revertd: a GitOps reconciler that reverts via commits.
pub mod agent;
pub mod cli;
pub mod config;
pub mod engine;
pub mod git;
pub mod journal;
pub mod net;
pub mod probe;
pub mod render;
pub mod web;
