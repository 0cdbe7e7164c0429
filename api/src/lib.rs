//! The HTTP API of a replica, in the shape of Kubernetes.
//!
//! A request becomes a command or a read; every rule that two clients can race on is decided where the command is
//! applied, never here. What this crate needs of the replica behind it is [`backend::Backend`].
//!
//! ```text
//!   connection ──► server: deadlines, TLS ──► route ──► Ask: who, how fresh ──┬─► propose ──► answer
//!                                                                              ├─► list, get ─► render or table
//!                                                                              └─► watch ────► lines
//! ```
//!
//! | answers | with |
//! |---|---|
//! | every failure | a Kubernetes `Status`, made in `status` |
//! | every answer | its revision, who gave it, how far that replica lags, the age of the oldest cluster picture in it |

mod answer;
mod api;
mod ask;
mod audit;
pub mod backend;
mod body;
mod cluster_body;
mod delete_options;
mod discovery;
mod filter;
mod global_head;
mod group;
mod health;
pub mod identity;
mod k8s;
mod list;
mod listed;
mod metadata;
mod metrics;
mod noun;
mod openapi;
mod overload;
mod params;
mod patch;
mod prefer;
mod proto;
mod render;
mod route;
mod server;
mod status;
mod status_rule_body;
mod table;
mod tls;
mod token;
mod view;
mod wait;
mod watch;

pub use api::ApiOptions;
pub use body::BodyTimes;
pub use identity::Identity;
pub use overload::Bounds;
pub use render::CONDITIONS;
pub use route::{ROUTES, router};
pub use server::{ExposureError, Limits, ServeOptions, check_exposure, listen, serve};
pub use tls::{Tls, TlsError};
