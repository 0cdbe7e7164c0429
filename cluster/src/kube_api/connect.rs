//! From credentials to a [`KubeApi`].

use super::dial::{Dial, Dialler, address_of};
use super::{KubeApi, link, source};
use crate::plugins::PluginError;
use crate::{Access, limits};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::record::Credentials;
use tallyman_model::rule::Rules;
use thiserror::Error;
use tokio::sync::watch;

/// How to reach a cluster.
#[derive(Clone)]
pub struct ConnectOptions {
    /// Where the credentials are. Relative paths inside a kubeconfig are relative to its folder.
    pub credentials: Credentials,
    /// What of this machine they may refer to.
    pub access: Access,
    /// Deadlines.
    pub timing: Timing,
    /// The way to the server; `None`: TCP connections from here.
    pub dial: Option<Arc<dyn Dial>>,
    /// The status rules that users have made, as they are now: what the cluster says is read by them.
    pub rules: watch::Receiver<Arc<Rules>>,
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("credentials", &self.credentials)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

impl ConnectOptions {
    /// A kubeconfig's current context with the usual deadlines, and no rules of users.
    #[must_use]
    pub fn new(kubeconfig: impl AsRef<Path>) -> Self {
        let credentials = Credentials::kubeconfig(kubeconfig.as_ref().to_string_lossy(), None);
        let (_, rules) = watch::channel(Arc::default());
        Self { credentials, access: Access::default(), timing: Timing::default(), dial: None, rules }
    }

    /// The same with another context, if one is given.
    pub fn context(mut self, context: Option<String>) -> Self {
        self.credentials.context = context;
        self
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

/// What refers to credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The kubeconfig of this path.
    Kubeconfig(PathBuf),
    /// A server of this URL, as a record has it.
    Server(String),
}

impl Origin {
    pub(super) fn of(credentials: &Credentials) -> Self {
        match &credentials.server {
            Some(server) => Self::Server(server.url.clone()),
            None => Self::Kubeconfig(PathBuf::from(&credentials.kubeconfig)),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kubeconfig(path) => write!(f, "kubeconfig {}", path.display()),
            Self::Server(url) => write!(f, "server {url}"),
        }
    }
}

/// Why credentials cannot be used. Never carries what is in a file, or what a program said.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be read.
    #[error("failed to read kubeconfig {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The kubeconfig is not a regular file, or too long.
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
    /// Something that is needed is not there.
    #[error("failed to use {of}: {field} is missing")]
    Missing {
        /// Of what.
        of: Origin,
        /// What is missing.
        field: String,
    },
    /// It asks for something that a server does not do: start programs, trust anybody, use a proxy.
    #[error("failed to use {of}: {field} is refused: {why}")]
    Refused {
        /// What does.
        of: Origin,
        /// The field.
        field: String,
        /// Why.
        why: &'static str,
    },
    /// A file of a credential cannot be read.
    #[error("failed to read the {what} {path}")]
    File {
        /// Which of them.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// It is not a regular file, or too long.
    #[error(
        "failed to read the {what} {path}: it is not a file of at most {} bytes",
        limits::CREDENTIAL_BYTES_MAX
    )]
    NoCredential {
        /// Which of them.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The file is not where the operator lets credentials be.
    #[error(
        "failed to use {path}: it is not in {dir}, the directory that the server's configuration names as cluster_credentials_dir"
    )]
    Outside {
        /// The file.
        path: PathBuf,
        /// Where it would have to be.
        dir: PathBuf,
    },
    /// The operator lets no files of credentials be used beside kubeconfigs.
    #[error(
        "failed to use the {what} {path}: the server's configuration names no directory of such files as cluster_credentials_dir"
    )]
    NoDirectory {
        /// Which of them.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A certificate, key or token cannot be used.
    #[error("failed to use the credentials of {of}: {what}")]
    Credentials {
        /// Whose.
        of: Origin,
        /// Which of them.
        what: &'static str,
        /// What the layer below said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The operator has given no provider file.
    #[error(
        "failed to ask a provider for credentials: the server's configuration names no provider file as cluster_provider_file"
    )]
    NoProviders,
    /// A program gave no credentials.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// Reading took too long, as it does on a file system that hangs.
    #[error("failed to read the credentials of {of} in {} ms", limits::BUILD_DEADLINE_MS)]
    Deadline {
        /// Whose.
        of: Origin,
    },
}

/// Reads the credentials, and keeps them as they are on disk as long as the client is there.
pub(super) async fn connect(options: ConnectOptions) -> Result<KubeApi, ConnectError> {
    let (timing, rules) = (options.timing, options.rules.clone());
    let of = Origin::of(&options.credentials);
    let given = source::give(&options).await?;
    let Some(first) = source::read(&options, given.clone(), None).await? else {
        return Err(ConnectError::Deadline { of });
    };
    let (url, dial) = (&first.config.cluster_url, options.dial.clone().map(Dialler));
    let (server, address) = (url.to_string(), address_of(url));
    let (watch, write, keeper) = link::open(options, first, given)?;
    Ok(KubeApi {
        watch,
        write,
        timing,
        server,
        address,
        dial,
        served: Arc::default(),
        rules,
        _keeper: Arc::new(keeper),
    })
}
