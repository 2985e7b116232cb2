//! The agent file and policy files: from what was typed to values that cannot be wrong.

pub mod agent;
