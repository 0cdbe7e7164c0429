//! The environment of the process, read here only.

use std::env;
use std::path::PathBuf;

/// The place of a replica, where it differs from the configuration file.
pub(crate) const ADVERTISE: &str = "TALLYMAN_ADVERTISE";
/// The datacenter of a replica, where it differs from the configuration file.
pub(crate) const DATACENTER: &str = "TALLYMAN_DATACENTER";
/// How many bytes the log of a replica may have before a snapshot is taken, for rehearsals on little data.
pub(crate) const SNAPSHOT_LOG_BYTES: &str = "TALLYMAN_SNAPSHOT_LOG_BYTES";
/// The servers of the client, separated by commas or spaces.
pub(crate) const SERVER: &str = "TALLYMAN_SERVER";
/// A file with the client's token.
pub(crate) const TOKEN_FILE: &str = "TALLYMAN_TOKEN_FILE";
/// A file with the authorities that sign the servers' certificates.
pub(crate) const CA_FILE: &str = "TALLYMAN_CA_FILE";
/// The namespace of the client.
pub(crate) const NAMESPACE: &str = "TALLYMAN_NAMESPACE";
/// What is logged, as `info` or `info,openraft=debug`.
pub(crate) const LOG: &str = "TALLYMAN_LOG";
/// Set by people who want no colour (<https://no-color.org>).
pub(crate) const NO_COLOR: &str = "NO_COLOR";

/// The value of a variable; `None` if it is not set, empty, or not UTF-8.
pub(crate) fn read(name: &str) -> Option<String> {
    env::var_os(name)?.into_string().ok().filter(|value| !value.is_empty())
}

/// The path in a variable; `None` if it is not set or empty.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// What programs that give credentials of clusters get of this process's environment: nothing that may be secret.
pub(crate) fn for_plugins() -> Vec<(String, String)> {
    let needed = ["PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR"];
    needed.iter().filter_map(|name| Some(((*name).to_owned(), read(name)?))).collect()
}
