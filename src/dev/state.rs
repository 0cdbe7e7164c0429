//! What scripts read: `dev.json` and the kubeconfig for Tallyman, replaced as a whole at each change.

use super::clusters::Clusters;
use super::kubeconfig;
use super::layout::{self, Layout};
use crate::exit::Failure;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file, and whether it may be written: not before the group serves, so that whoever waits for the file can use
/// what it names.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: DevFile,
    is_open: bool,
    leader: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct DevFile {
    replicas: Vec<Replica>,
    clusters: Vec<Cluster>,
}

/// A replica, as scripts see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Replica {
    /// As in the headers; none before it has one.
    pub(super) id: Option<String>,
    pub(super) url: String,
    pub(super) peer_url: String,
    /// Its process; while it is down the last one, so that whoever waits for another number does not see none.
    pub(super) pid: u32,
    /// All that it keeps.
    pub(super) dir: PathBuf,
    #[serde(skip)]
    pub(super) is_up: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Cluster {
    name: String,
    server: String,
    kubeconfig: PathBuf,
    simulated: bool,
}

impl State {
    /// The state before anything runs. A file that an earlier `dev` left stays until [`open`](Self::open) replaces it:
    /// if this one does not come up, scripts still find where the replicas keep what they have.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub(super) fn new(layout: &Layout, clusters: &Clusters) -> Result<Self, Failure> {
        let path = layout.dir.join("dev.json");
        let replicas = layout.slots.iter().map(|slot| Replica {
            url: slot.url(),
            peer_url: format!("tcp://{}", slot.config.advertise_peer()),
            dir: slot.config.data_dir.clone(),
            ..Replica::default()
        });
        let clusters = clusters.0.iter().map(|cluster| Cluster {
            name: cluster.name.clone(),
            server: cluster.server.clone(),
            kubeconfig: cluster.kubeconfig.clone(),
            simulated: cluster.is_simulated(),
        });
        let file = DevFile { replicas: replicas.collect(), clusters: clusters.collect() };
        let names: Vec<String> = file.clusters.iter().map(|cluster| cluster.name.clone()).collect();
        let named = (1..).zip(&file.replicas).map(|(n, replica)| (format!("r{n}"), replica.url.clone()));
        let kubeconfig = kubeconfig::of_replicas(&named.collect::<Vec<_>>(), &names);
        let kubeconfig_path = layout.dir.join("kubeconfig");
        layout::write(&kubeconfig_path, &crate::output::yaml(&kubeconfig)?)
            .map_err(|error| layout::unusable(&kubeconfig_path, &error))?;
        Ok(Self { path, inner: Mutex::new(Inner { file, is_open: false, leader: None }) })
    }

    /// From now on the file is there.
    pub(super) fn open(&self) {
        self.change(|inner| !std::mem::replace(&mut inner.is_open, true));
    }

    /// A replica's process started.
    pub(super) fn set_up(&self, slot: usize, pid: u32) {
        self.change(|inner| match inner.file.replicas.get_mut(slot) {
            Some(replica) => {
                replica.is_up = true;
                std::mem::replace(&mut replica.pid, pid) != pid
            }
            None => false,
        });
    }

    /// A replica's process ended.
    pub(super) fn set_down(&self, slot: usize) {
        if let Some(replica) = self.lock().file.replicas.get_mut(slot) {
            replica.is_up = false;
        }
    }

    /// A replica said its id.
    pub(super) fn set_id(&self, slot: usize, id: &str) {
        self.change(|inner| match inner.file.replicas.get_mut(slot) {
            Some(replica) if replica.id.as_deref() != Some(id) => {
                replica.id = Some(id.to_owned());
                true
            }
            _ => false,
        });
    }

    /// Somebody leads.
    pub(super) fn set_leader(&self, id: &str) {
        self.lock().leader = Some(id.to_owned());
    }

    /// Who led last.
    pub(super) fn leader(&self) -> Option<String> {
        self.lock().leader.clone()
    }

    /// A replica as it is now.
    pub(super) fn replica(&self, slot: usize) -> Replica {
        self.lock().file.replicas.get(slot).cloned().unwrap_or_default()
    }

    /// A replica's id, or what it will probably be.
    pub(super) fn id(&self, slot: usize) -> String {
        self.replica(slot).id.unwrap_or_else(|| format!("r{}", slot + 1))
    }

    /// The replica of that id.
    pub(super) fn slot_of(&self, id: &str) -> Option<usize> {
        self.lock().file.replicas.iter().position(|replica| replica.id.as_deref() == Some(id))
    }

    fn change(&self, change: impl FnOnce(&mut Inner) -> bool) {
        let mut inner = self.lock();
        if !change(&mut inner) || !inner.is_open {
            return;
        }
        let written = serde_json::to_string_pretty(&inner.file).map_err(std::io::Error::from);
        if let Err(error) = written.and_then(|text| layout::write(&self.path, &(text + "\n"))) {
            crate::screen::complain(&format!("failed to write {}: {error}\n", self.path.display()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn scripts_see_whole_files_with_the_published_names() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::open(dir.path(), Some(1), None).unwrap();
        let path = dir.path().join("dev.json");
        std::fs::write(&path, "of an earlier dev").unwrap();
        let state = State::new(&layout, &Clusters(Vec::new())).unwrap();
        state.set_up(0, 7);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "of an earlier dev", "until the group serves");
        state.open();
        state.set_id(0, "r1");
        let read: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let replica = &read["replicas"][0];
        assert_eq!((replica["id"].as_str(), replica["pid"].as_u64()), (Some("r1"), Some(7)));
        assert_eq!(replica["url"].as_str().unwrap(), layout.slots[0].url());
        assert!(replica["peerUrl"].as_str().unwrap().starts_with("tcp://127.0.0.1:"));
        assert!(replica["dir"].as_str().unwrap().starts_with('/'));
        assert!(read["clusters"].as_array().unwrap().is_empty());
        assert!(dir.path().join("kubeconfig").exists());
    }
}
