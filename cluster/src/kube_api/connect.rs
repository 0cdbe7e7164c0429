//! From credentials on disk to a [`KubeApi`].

use super::{KubeApi, client, kubeconfig};
use crate::limits;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// How to reach a cluster.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Path of a kubeconfig. Relative paths inside it are relative to its folder.
    pub kubeconfig: PathBuf,
    /// The context to use; `None`: its current one.
    pub context: Option<String>,
    /// Deadlines.
    pub timing: Timing,
}

impl ConnectOptions {
    /// The file's current context with the usual deadlines.
    #[must_use]
    pub fn new(kubeconfig: impl Into<PathBuf>) -> Self {
        Self { kubeconfig: kubeconfig.into(), context: None, timing: Timing::default() }
    }
}

/// The deadlines of each kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// DNS, TCP and TLS together.
    pub connect: Duration,
    /// A create, delete or patch, from the first byte to the last.
    pub write: Duration,
    /// A read of one object.
    pub read: Duration,
    /// One page of a listing.
    pub list: Duration,
    /// The head of a watch's answer.
    pub watch_open: Duration,
    /// The shortest and longest time that a watch asks to be kept open.
    pub watch_s: (u64, u64),
    /// How much longer than that it may be silent.
    pub watch_grace: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_millis(limits::CONNECT_DEADLINE_MS),
            write: Duration::from_millis(limits::CALL_DEADLINE_MS),
            read: Duration::from_millis(limits::READ_DEADLINE_MS),
            list: Duration::from_millis(limits::LIST_DEADLINE_MS),
            watch_open: Duration::from_millis(limits::WATCH_OPEN_DEADLINE_MS),
            watch_s: (limits::WATCH_TIMEOUT_S_MIN, limits::WATCH_TIMEOUT_S_MAX),
            watch_grace: Duration::from_millis(limits::WATCH_GRACE_MS),
        }
    }
}

/// Why a kubeconfig cannot be used. Never carries its contents.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The file cannot be read.
    #[error("failed to read kubeconfig {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a regular one, or too long.
    #[error(
        "failed to read kubeconfig {path}: it is not a file of at most {} bytes",
        limits::KUBECONFIG_BYTES_MAX
    )]
    NoFile {
        /// The file.
        path: PathBuf,
    },
    /// The file is no kubeconfig.
    #[error("failed to read kubeconfig {path}: not a kubeconfig at line {line}, column {column}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where, from 1; 0 if not known.
        line: u64,
        /// Where, from 1; 0 if not known.
        column: u64,
    },
    /// The file lacks something that is needed.
    #[error("failed to use kubeconfig {path}: {field} is missing")]
    Missing {
        /// The file.
        path: PathBuf,
        /// What is missing.
        field: String,
    },
    /// The file asks for something that a server does not do: start programs, trust anybody, use a proxy.
    #[error("failed to use kubeconfig {path}: {field} is refused: {why}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// Why.
        why: &'static str,
    },
    /// A certificate, key or token that the file names cannot be used.
    #[error("failed to use the credentials of kubeconfig {path}: {what}")]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Which of them.
        what: &'static str,
        /// What the layer below said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Reading took too long, as it does on a file system that hangs.
    #[error("failed to read kubeconfig {path} in {} ms", limits::BUILD_DEADLINE_MS)]
    Deadline {
        /// The file.
        path: PathBuf,
    },
}

/// Files are read on a thread of their own: they may lie on a file system that hangs.
pub(super) async fn connect(options: ConnectOptions) -> Result<KubeApi, ConnectError> {
    let path = options.kubeconfig.clone();
    let runtime = tokio::runtime::Handle::current();
    let work = tokio::task::spawn_blocking(move || runtime.block_on(build(&options)));
    let deadline = Duration::from_millis(limits::BUILD_DEADLINE_MS);
    match tokio::time::timeout(deadline, work).await {
        Ok(Ok(built)) => built,
        Ok(Err(panicked)) => {
            Err(ConnectError::Credentials { path, what: "reading them failed", source: panicked.into() })
        }
        Err(_) => Err(ConnectError::Deadline { path }),
    }
}

async fn build(options: &ConnectOptions) -> Result<KubeApi, ConnectError> {
    let path = &options.kubeconfig;
    let config = kubeconfig::load(path, options.context.as_deref()).await?;
    let transport = || {
        client::transport(&config, options.timing.connect).map_err(|source| ConnectError::Credentials {
            path: path.clone(),
            what: "certificate, key or token",
            source,
        })
    };
    Ok(KubeApi {
        watch: transport()?,
        write: transport()?,
        timing: options.timing,
        server: config.cluster_url.to_string(),
        served: Arc::default(),
    })
}
