//! revertd: a GitOps reconciler that reverts via commits.
pub mod agent;
pub mod cli;
pub mod config;
pub mod demo;
pub mod engine;
pub mod forge;
pub mod git;
pub mod journal;
pub mod net;
pub mod probe;
pub mod render;
pub mod sync;
pub mod web;
