//! The watch of one kind on one cluster, as a pure function.
//!
//! ```text
//!            stored cursor
//!   Cold ───────────────────────────────► Watching ◄──────────┐
//!     │ none                               │  ▲  │ 410, rewind │ committed
//!     └────► Listing ── last page ─► Sweep ┼──┼──┘             │
//!              ▲  │ 410 on a page     │    │  └── end, silence │
//!              └──┴───────────────────┼────┘                   │
//!                     Waiting ◄───────┴── failures ────────────┘
//! ```
//!
//! Rules:
//! - The cursor that goes out with events is the resourceVersion of the last of them: never ahead.
//! - 410, in the stream or as status, means list anew; a `continue` that is no longer known starts the listing over
//!   under a new generation. Only a listing that came to its end says what is no longer there.
//! - A watch that ends, or is silent, resumes where it was, without penalty. Delays shrink again only after a
//!   healthy minute or a bookmark.
//! - A server that is behind our cursor is waited for, and asked for a listing only after several answers.
//! - A resourceVersion that goes backwards is a restored etcd: every cursor is void and a new timeline begins.
//! - Where reading is not allowed, or the kind does not exist, one slow probe goes on.
//! - What the log did not take is asked for again, from the last cursor that it took.

mod delay;
mod failure;
mod input;
mod listing;
mod state;
mod step;
mod watching;

pub use failure::Failure;
pub use input::{Action, Change, Emission, Input, Stored};
pub use state::State;
pub use step::step;

#[cfg(test)]
mod rules;
