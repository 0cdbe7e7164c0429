//! The client's commands, one file each.

pub(crate) mod approve;
pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod cancel;
pub(crate) mod cluster;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod delete;
pub(crate) mod deployable;
pub(crate) mod drill;
pub(crate) mod get;
pub(crate) mod history;
mod kept;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod man;
pub(crate) mod many;
pub(crate) mod move_run;
pub(crate) mod operator;
pub(crate) mod pool;
pub(crate) mod reason;
pub(crate) mod retry;
pub(crate) mod statusrule;
pub(crate) mod submit;
pub(crate) mod version;
pub(crate) mod wait;
pub(crate) mod watch;

/// What every command that changes something takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ChangeOptions {
    /// Makes repeating safe: the same key and content never do it twice (default: a random key for each call)
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
}

impl ChangeOptions {
    /// The user's key, if any.
    pub(crate) fn key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}
