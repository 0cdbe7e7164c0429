//! The peer transport: one TCP listener, mutual TLS, and frames with checksums.
//!
//! ```text
//!  dialler                                         listener
//!  Hello (version, group, replica, directory, ...) ──►
//!                                                  ◄── Welcome, or Refused and why
//!  Request(id), Append(session, id), Chunk(id)     ──►
//!                                                  ◄── Response(id), Appended(id)
//! ```
//! A connection serves one [`Lane`], so that neither a snapshot nor a full pipeline holds up a heartbeat. Requests
//! are told apart by their id; appends of one session are answered in the order in which they were sent. One that begins
//! with the question for a [`relay`] carries nothing else.

pub(crate) mod append;
pub(crate) mod client;
pub(crate) mod frame;
pub(crate) mod incoming;
pub(crate) mod link;
pub(crate) mod peers;
pub(crate) mod relay;
pub(crate) mod server;
pub(crate) mod tls;
pub(crate) mod wire;

pub(crate) use client::CallError;
pub(crate) use peers::Peers;
pub(crate) use wire::{Hello, Lane, Refused, Request, Response, Welcome};
