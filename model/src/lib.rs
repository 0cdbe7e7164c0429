//! The rules of Tallyman, without input or output.
//!
//! A replica's state is a set of rows. [`apply()`] takes a view of the rows and one committed [`Entry`] and
//! answers with the rows that change: no clock, no randomness, no async, no iteration over a hash map. The same
//! entries therefore give the same rows on every replica. Work that is still to be done is part of a record;
//! [`index()`] derives from it the [`Lane`] entries that the leader's reconcilers take their work from.
//!
//! ```text
//!   Entry ──► apply(view, ctx, entry) ──► Applied { reply, writes, ledger }
//!                  ▲                                   │
//!                  └────────── View ◄──── rows + lookups (index of each record)
//! ```

mod apply;
pub mod brake;
pub mod bytes;
pub mod command;
mod env;
mod explain;
mod id;
mod index;
mod key;
pub mod ledger;
pub mod limits;
pub mod log_link;
mod lookup;
pub mod loss;
pub mod manifest;
mod phase;
pub mod query;
pub mod quorum;
pub mod record;
mod refusal;
mod retry;
pub mod rollout;
mod row;
pub mod rule;
pub mod selector;
pub mod time;
mod txn;
pub mod version;
mod view;

pub use apply::{Applied, Ctx, Done, apply};
pub use command::{Command, Entry, IdempotencyKey, Principal};
pub use env::Env;
pub use explain::explain;
pub use id::{Digest, GroupId, Ordinal, ReplicaId, Revision, Uid};
pub use index::{Index, index};
pub use key::{Key, Lane, Tag};
pub use lookup::name_hash;
pub use phase::{Class, Phase, Reason};
pub use record::Record;
pub use refusal::{Cause, Gone, Refusal, RefusalKind};
pub use row::{Row, Write, Writes};
pub use txn::Txn;
pub use version::GROUP_VERSION;
pub use view::{Damaged, Layer, MemoryView, View};
