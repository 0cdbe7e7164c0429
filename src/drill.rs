//! Failover drills: something is broken on purpose while a small load goes on, and what the group promised is held
//! against what was measured.
//!
//! ```text
//!   scenario (breaks, waits, heals) ─┐
//!   load (writers, readers) ──► book ┴─► promises judged ──► report ──► seal
//! ```
//!
//! `book`, `page`, `plot`, `promise` and `report` are pure; the others act.

pub(crate) mod book;
pub(crate) mod group;
mod lease;
pub(crate) mod load;
pub(crate) mod page;
mod plot;
pub(crate) mod promise;
mod readback;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod scenario;
pub(crate) mod seal;
mod stage;
