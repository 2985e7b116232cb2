//! The small world of `revertd demo`: a repository that people commit to, a sync tool, and services whose health follows the manifests.
//!
//! ```text
//! people ─► repository ─► sync_tool ─► services ◄─ traffic (customers) and the agent's probes
//!    │          ▲                                         │
//!    │          ├──────────────── the agent ◄─────────────┘        setting: its files · story: what must come of it · picture: what is shown
//!    └──────► github (a forge over that repository)
//! ```
//!
//! Nothing here decides anything about a revert. The agent that watches a [`world::World`] is the real one, or in tests a puppet.

pub mod catalogue;
pub mod forge;
pub mod github;
pub mod history;
pub mod picture;
pub mod repository;
pub mod services;
pub mod setting;
pub mod story;
pub mod sync_tool;
pub mod traffic;
pub mod workload;
pub mod world;
