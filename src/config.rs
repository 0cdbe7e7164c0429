//! What one replica is told: a TOML file, the same for all replicas of a group but for two values, which the
//! environment may set: `TALLYMAN_ADVERTISE` and `TALLYMAN_DATACENTER`.
//!
//! ```toml
//! group = "research"
//! datacenter = "paris"
//! data_dir = "/var/lib/tallyman"
//! api_listen = "0.0.0.0:7001"
//! peer_listen = "0.0.0.0:7002"
//! advertise = "r1.tallyman.example"     # host only; its ports are those of the two listeners
//! peers = ["r1.tallyman.example:7002", "r2.tallyman.example:7002", "r3.tallyman.example:7002"]
//! tokens_file = "/etc/tallyman/tokens"
//! cluster_credentials_dir = "/etc/tallyman/clusters"     # what clusters' records may refer to
//! cluster_provider_file = "/etc/tallyman/providers.json" # programs that give credentials
//! tls = { cert = "/etc/tallyman/tls.crt", key = "/etc/tallyman/tls.key", ca = "/etc/tallyman/ca.crt" }
//! ```
//!
//! Relative paths start at the file's own directory. There are no ids and no timeouts: the former are given by the
//! group, the latter are measured.

mod check;
mod file;
mod hint;

use crate::environment;
use crate::exit::{Exit, Failure};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Every key of the file.
pub(crate) const KEYS: [&str; 11] = [
    "group",
    "datacenter",
    "data_dir",
    "api_listen",
    "peer_listen",
    "advertise",
    "peers",
    "tls",
    "tokens_file",
    "cluster_credentials_dir",
    "cluster_provider_file",
];
/// Every key of its `tls` table.
pub(crate) const TLS_KEYS: [&str; 3] = ["cert", "key", "ca"];

/// The configuration of one replica, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// The group's name; replicas of another group are refused.
    pub(crate) group: String,
    /// Where the replica is.
    pub(crate) datacenter: String,
    /// Where it keeps everything.
    pub(crate) data_dir: PathBuf,
    /// Where its API listens.
    pub(crate) api_listen: SocketAddr,
    /// Where it listens for its peers.
    pub(crate) peer_listen: SocketAddr,
    /// The host by which peers and clients reach it.
    pub(crate) advertise: String,
    /// `host:port` of the peer listeners of all replicas, its own among them.
    pub(crate) peers: Vec<String>,
    /// Certificates, for both listeners.
    pub(crate) tls: Option<Tls>,
    /// Who may call the API.
    pub(crate) tokens_file: Option<PathBuf>,
    /// Where the files are that clusters' records may refer to.
    pub(crate) cluster_credentials_dir: Option<PathBuf>,
    /// The programs that give credentials of clusters.
    pub(crate) cluster_provider_file: Option<PathBuf>,
    /// How long its log may be before a snapshot is taken, in bytes; `None`: as it is usual.
    pub(crate) snapshot_log_bytes: Option<u64>,
}

/// Paths of PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The replica's certificate and those between it and the authority.
    pub(crate) cert: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
    /// The authority that signs the replicas' certificates.
    pub(crate) ca: PathBuf,
}

/// What the environment sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) advertise: Option<String>,
    pub(crate) datacenter: Option<String>,
    pub(crate) snapshot_log_bytes: Option<String>,
}

impl Overrides {
    /// Those of this process.
    pub(crate) fn from_environment() -> Self {
        Self {
            advertise: environment::read(environment::ADVERTISE),
            datacenter: environment::read(environment::DATACENTER),
            snapshot_log_bytes: environment::read(environment::SNAPSHOT_LOG_BYTES),
        }
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line.
    pub(crate) fn load(path: &Path, overrides: &Overrides) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("failed to read the configuration {}: {error}", path.display()),
                "tallyman server --config FILE; `tallyman dev` needs no file",
            )
        })?;
        let dir = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned));
        let parsed = Self::parse(&text, &dir.unwrap_or_default(), overrides);
        let problems = match parsed {
            Ok(config) => match check::files(&config) {
                problems if problems.is_empty() => return Ok(config),
                problems => problems,
            },
            Err(problems) => problems,
        };
        let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
        Err(Failure::new(
            Exit::Failed,
            format!("the configuration {} cannot be used\n{}", path.display(), lines.join("\n")),
            "correct the lines above and start again",
        ))
    }

    /// Reads and checks the text of a file in the directory `dir`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn parse(text: &str, dir: &Path, overrides: &Overrides) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let raw = file::read(text, &mut problems);
        let config = raw.and_then(|raw| check::build(raw, dir, overrides, &mut problems));
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems),
        }
    }

    /// `host:port` of its peer listener, as its peers reach it.
    pub(crate) fn advertise_peer(&self) -> String {
        join(&self.advertise, self.peer_listen.port())
    }

    /// The URL of its API, as clients reach it.
    pub(crate) fn advertise_api(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", join(&self.advertise, self.api_listen.port()))
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where, from 1.
    pub(crate) line: Option<usize>,
    /// What, and what would be right.
    pub(crate) message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// A host and a port; an IPv6 address gets its brackets.
pub(crate) fn join(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests;
