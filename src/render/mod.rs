//! Engine values → text for people. Pure: what is said depends on the values alone.

pub mod commit;
pub mod report;
