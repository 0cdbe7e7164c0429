//! One Kubernetes cluster as Tallyman sees it: requests, what is certain about them, and watches.
//!
//! - [`ClusterApi`] is the seam: all that is asked of a cluster. [`KubeApi`] is it over a socket; simulations have
//!   their own. Every call has a deadline, and every failure says whether the request [was not sent, was refused, or
//!   may have taken effect](CallError).
//! - [`Guarded`] puts a write limiter, a breaker and the fence of the leadership before any of them.
//! - [`rights`] is all that is ever asked; what is not in it is not sent.
//! - [`machine`] is the watch as a pure function over its inputs; [`driver`] runs it and hands what it saw to a
//!   [`Sink`](driver::Sink), each batch with the cursor behind its last event.
//!
//! ```text
//!   driver ──► machine::step (pure)
//!     │  ▲
//!     │  └── pages, events ──── ClusterApi ◄── Guarded { limiter, breaker, fence } ──► KubeApi
//!     └──► Sink::commit(batch, cursor)
//! ```

mod access;
mod api;
mod breaker;
mod budget;
mod denials;
pub mod driver;
mod error;
mod guarded;
mod kube_api;
mod limiter;
pub mod limits;
pub mod machine;
mod pages;
mod plugins;
mod rights;
mod version;

pub use access::Access;
pub use api::{
    Apply, Call, ClusterApi, Deleted, Identity, Look, ObjectKey, Objects, Page, WatchEvent, WatchStream,
};
pub use breaker::Breaker;
pub use budget::ListBudget;
pub use denials::Denials;
pub use error::{CallError, NotSent, Refused, RefusedKind, Unknown, words};
pub use guarded::{Fence, Guarded};
pub use kube_api::{
    ConnectError, ConnectOptions, Dial, Imported, Inline, KubeApi, Origin, Stream, Timing, address, import,
};
pub use limiter::{Limiter, Slot};
pub use pages::Pages;
pub use plugins::{PluginError, Plugins};
pub use rights::{
    IDENTITY_NAMESPACE, Right, Scope, VERSION_PATH, hub_rights, right_to_observe, rights, rights_of,
};
pub use version::is_older;
