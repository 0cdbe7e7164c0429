//! Manifests: what is taken, and what is sent.

mod accept;
mod approvals;
mod compare;
mod deadline;
mod deployable;
mod duration;
mod fields;
pub mod generated;
mod keeping;
mod kinds;
mod lock;
pub mod marks;
mod materialise;
pub mod names;
mod object;
pub(crate) mod placeholder;
mod placement;
pub mod pods;
mod pool;
mod requires;
mod slice;
mod sync;

pub use accept::accept;
pub use compare::differences;
pub use deployable::{Read, read};
pub use duration::{parse as parse_duration, write as write_duration};
pub use kinds::not_observed;
pub use lock::{ReadAcquire, ReadLock, read_acquire, read_lock, read_token};
pub use materialise::{Marks, as_sent, materialise};
pub use pool::{ReadAllocation, ReadPool, Titled, read_allocation, read_pool};
pub(crate) use slice::slice;
pub use sync::{as_applied, in_bundle, to_sync};
