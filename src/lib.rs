//! revertd: a GitOps reconciler that reverts via commits.
//!
//! ```text
//!              observe                assess         attribute          decide              execute            record
//!   Git head               ┐
//!   rounds                 ├─► SLO windows ─► change × onset ─► two gates ─► effects ─► git · (forge · chat) ─► journal ─┐
//!   proposals, approvals   ┘   Healthy…       suspects          Refuse/      (idempotent)                               │
//!         ▲                                   or "none"         Propose/Merge                                           │
//!         └─────────────────────────── the next pass starts from the journal and from what is really there ◄────────────┘
//! ```
//!
//! | stage | where |
//! |---|---|
//! | observe | `agent/observe.rs`, `agent/probing.rs`, over `git/` and `probe/` |
//! | assess | `engine/slo.rs`, `engine/window.rs` |
//! | attribute | `engine/attribution.rs` |
//! | decide | `engine/guardrail.rs`, `engine/decision.rs` |
//! | execute | `agent/execute.rs`, `agent/proposals.rs`, over `git/` |
//! | record | `engine/fact.rs`, `engine/incident.rs`, `journal/` |
//! | verify | `engine/verification.rs` |
//! | in what order | `agent/reconcile.rs` |
//!
//! The rules that `tests/architecture.rs` checks:
//!
//! 1. `engine` imports nothing of ours, and no async, file, network, clock or log. Every function takes `now`.
//! 2. `render` and `config` may import `engine`. The ports (`git`, `forge`, `probe`, `sync`, `notify`, `journal`) may import `engine` and `net`,
//!    never one another, and show no foreign type in a public signature.
//! 3. `agent` may import all of those; `web` imports `engine`, `render`, `journal`; nothing imports `cli` or `demo` but `main` and `cli`.
//! 4. A `MergeGrant` is made in `engine::approval` only; pushing to a watched branch takes it by value.
pub mod agent;
pub mod cli;
pub mod config;
pub mod demo;
pub mod engine;
pub mod forge;
pub mod git;
pub mod journal;
pub mod net;
pub mod notify;
pub mod probe;
pub mod render;
pub mod sync;
pub mod web;
