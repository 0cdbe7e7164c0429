//! The directory of `dev`.
//!
//! ```text
//!  DIR/dev.json, kubeconfig        for scripts, and for kubectl
//!  DIR/control                     a socket that takes what `tallyman drill` does
//!  DIR/rN/config.toml, server.log  what a replica is told, and what it logs
//!  DIR/rN/data/                    all that the replica keeps; may be removed to lose it
//!  DIR/clusters/NAME/              a simulated cluster: kubeconfig and objects
//! ```

use super::ports::{self, Held};
use crate::config::{Config, Overrides};
use crate::exit::{Exit, Failure};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The group's name; data of another group is refused.
const GROUP: &str = "dev";
/// Replicas when nobody says.
const REPLICAS_DEFAULT: u16 = 3;

/// A directory that is ours while this lives.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) dir: PathBuf,
    pub(super) slots: Vec<Slot>,
    /// The slots' addresses, until their replicas take them; none if the directory was there already.
    pub(super) held: Vec<Held>,
    /// It was there already.
    pub(super) is_resumed: bool,
    _lock: File,
}

/// The place of one replica.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) home: PathBuf,
    pub(super) config: Config,
}

impl Slot {
    /// The URL of its API.
    pub(super) fn url(&self) -> String {
        self.config.advertise_api()
    }

    /// Its configuration.
    pub(super) fn config_path(&self) -> PathBuf {
        self.home.join("config.toml")
    }

    /// Its log.
    pub(super) fn log_path(&self) -> PathBuf {
        self.home.join("server.log")
    }

    /// Where `dev` takes what drills do.
    pub(super) fn control_path(&self) -> PathBuf {
        control_path(self.home.parent().unwrap_or(&self.home))
    }

    /// Makes what is missing: a drill may have removed the whole directory.
    pub(super) fn prepare(&self) -> std::io::Result<()> {
        fs::create_dir_all(&self.home)?;
        if self.config_path().exists() { Ok(()) } else { write(&self.config_path(), &toml(&self.config)) }
    }
}

impl Layout {
    /// Opens the directory, or lays it out for `replicas` whose APIs begin at `api_port`.
    ///
    /// # Errors
    /// It is in use, laid out for another number of replicas or other ports, or cannot be written; or a port is in use.
    pub(super) fn open(dir: &Path, replicas: Option<u16>, api_port: Option<u16>) -> Result<Self, Failure> {
        let lock = lock(dir)?;
        let found = found(dir)?;
        let is_resumed = !found.is_empty();
        let (slots, held) = match replicas {
            Some(asked) if is_resumed && found.len() != usize::from(asked) => {
                let message =
                    format!("{} was laid out for {} replicas, not {asked}", dir.display(), found.len());
                return Err(Failure::new(
                    Exit::Usage,
                    message,
                    "leave --replicas out, or name another directory",
                ));
            }
            _ if is_resumed => (found, Vec::new()),
            asked => lay_out(dir, asked.unwrap_or(REPLICAS_DEFAULT), api_port)?,
        };
        let first = slots.first().map(|slot| slot.config.api_listen.port());
        if let Some(asked) = api_port
            && first != Some(asked)
        {
            let message = format!("{} was laid out for other ports than {asked}", dir.display());
            return Err(Failure::new(
                Exit::Usage,
                message,
                "leave --api-port out, or name another directory",
            ));
        }
        for slot in &slots {
            slot.prepare().map_err(|error| unusable(&slot.home, &error))?;
        }
        Ok(Self { dir: dir.to_owned(), slots, held, is_resumed, _lock: lock })
    }
}

/// Where `dev` takes what drills do.
pub(super) fn control_path(dir: &Path) -> PathBuf {
    dir.join("control")
}

fn lock(dir: &Path) -> Result<File, Failure> {
    let path = dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| unusable(&path, &error))?;
    file.try_lock().map_err(|_| {
        let message = format!("{} is in use by another `tallyman dev`", dir.display());
        Failure::new(Exit::Conflict, message, "stop that one, or name another directory")
    })?;
    Ok(file)
}

/// The replicas that the directory was laid out for, in their order.
fn found(dir: &Path) -> Result<Vec<Slot>, Failure> {
    let mut slots = Vec::new();
    for number in 1..=super::REPLICAS_MAX {
        let home = dir.join(format!("r{number}"));
        let path = home.join("config.toml");
        if path.exists() {
            slots.push(Slot { config: Config::load(&path, &Overrides::default())?, home });
        } else if slots.first().is_some_and(|first: &Slot| usize::from(number) <= first.config.peers.len()) {
            return Err(Failure::new(
                Exit::Failed,
                format!("{} is missing; the other replicas' directories are there", path.display()),
                "to lose a replica's data remove its data/ only",
            ));
        }
    }
    Ok(slots)
}

fn lay_out(dir: &Path, count: u16, api_port: Option<u16>) -> Result<(Vec<Slot>, Vec<Held>), Failure> {
    let held = ports::free(count, api_port)?;
    let address = |port: &ports::Port| {
        port.address().map_err(|error| Failure::new(Exit::Failed, error.to_string(), ""))
    };
    let peers = held.iter().map(|held| address(&held.peer)).collect::<Result<Vec<SocketAddr>, _>>()?;
    let mut slots = Vec::new();
    for (i, held) in held.iter().enumerate() {
        let home = dir.join(format!("r{}", i + 1));
        let config = Config {
            group: GROUP.to_owned(),
            datacenter: format!("dc{}", i + 1),
            data_dir: home.join("data"),
            api_listen: address(&held.api)?,
            peer_listen: address(&held.peer)?,
            advertise: "127.0.0.1".to_owned(),
            peers: peers.iter().map(ToString::to_string).collect(),
            tls: None,
            tokens_file: None,
            cluster_credentials_dir: None,
            cluster_provider_file: None,
            snapshot_log_bytes: None,
        };
        slots.push(Slot { home, config });
    }
    Ok((slots, held))
}

fn toml(config: &Config) -> String {
    let mut table = toml::Table::new();
    let mut set = |key: &str, value: String| table.insert(key.to_owned(), toml::Value::String(value));
    set("group", config.group.clone());
    set("datacenter", config.datacenter.clone());
    set("data_dir", config.data_dir.display().to_string());
    set("api_listen", config.api_listen.to_string());
    set("peer_listen", config.peer_listen.to_string());
    set("advertise", config.advertise.clone());
    let peers = config.peers.iter().cloned().map(toml::Value::String).collect();
    table.insert("peers".to_owned(), toml::Value::Array(peers));
    table.to_string()
}

/// Replaces a file as a whole: readers see the old or the new one.
pub(super) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    fs::write(&fresh, text)?;
    fs::rename(&fresh, path)
}

/// A file that cannot be used.
pub(super) fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("failed to use {}: {error}", path.display()), "tallyman dev --dir DIR")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_directory_resumes_with_the_same_ports_and_is_used_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = Layout::open(dir.path(), Some(3), None).unwrap();
        assert!(!first.is_resumed);
        assert_eq!(Layout::open(dir.path(), None, None).unwrap_err().exit, Exit::Conflict);
        let configs: Vec<Config> = first.slots.iter().map(|slot| slot.config.clone()).collect();
        drop(first);
        let again = Layout::open(dir.path(), None, None).unwrap();
        assert!(again.is_resumed);
        assert_eq!(again.slots.iter().map(|slot| slot.config.clone()).collect::<Vec<_>>(), configs);
        drop(again);
        assert_eq!(Layout::open(dir.path(), Some(5), None).unwrap_err().exit, Exit::Usage);
        assert_eq!(Layout::open(dir.path(), None, Some(1024)).unwrap_err().exit, Exit::Usage);
    }
}
