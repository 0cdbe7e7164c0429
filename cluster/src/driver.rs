//! Runs the [`machine`](crate::machine) of one kind on one cluster and hands what it saw to a [`Sink`].
//!
//! One task, no locks. A page is read while the one before it is committed; a watch is not read while the sink has
//! more than a batch to take, so that a slow log slows the cluster's sending and nothing piles up here.

mod batch;
mod io;
mod pace;
mod run;
mod sink;
mod turns;

pub use batch::Batch;
pub use pace::Tide;
pub use run::{WatchOptions, run};
pub use sink::{Sink, SinkError};
pub use turns::Turns;

#[cfg(test)]
mod property;
