//! A simulated cluster from start to stop.

use crate::counts::{Counter, RequestCounts};
use crate::faults::Faults;
use crate::kind::Kind;
use crate::refusal::Refusal;
use crate::state::{State, Store, new_namespace};
use crate::{argo, controller, listener, meta, state};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

/// What a simulated cluster is like.
#[derive(Debug, Clone)]
pub struct SimulatedClusterOptions {
    /// What it is called in its kubeconfig.
    pub name: String,
    /// Where it listens; port 0 takes a free one. A cluster that is started again can ask for its former port.
    pub listen: SocketAddr,
    /// Where objects, resourceVersion and the UID of kube-system are kept; none: they go with the process.
    pub dir: Option<PathBuf>,
    /// A missing namespace is an error, as in a real cluster; else it is made when it is first used.
    pub strict: bool,
    /// Argo's kinds are defined in it, Workflow and WorkflowTemplate; if they are not yet, when it starts. A cluster
    /// without them runs Workflows as well, once somebody defines them.
    pub argo: bool,
    /// How many changes of each kind watches can go back.
    pub history_events_max: usize,
    /// How often a watch that wants bookmarks gets one.
    pub bookmark_interval: Duration,
}

impl SimulatedClusterOptions {
    /// A cluster on a free loopback port, in memory, which makes namespaces when they are first used.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            dir: None,
            strict: false,
            argo: true,
            history_events_max: 20_000,
            bookmark_interval: Duration::from_secs(2),
        }
    }
}

/// Failed to start a simulated cluster; nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or not ours.
    #[error("failed to listen on {address}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process keeps a cluster there.
    #[error("failed to use {}: it is in use", dir.display())]
    DirInUse {
        /// What was asked for.
        dir: PathBuf,
    },
    /// The directory cannot be used, or what is in it cannot be read.
    #[error("failed to read the cluster kept in {}", dir.display())]
    Dir {
        /// What was asked for.
        dir: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The first objects could not be made.
    #[error("failed to make the first objects: {message}")]
    FirstObjects {
        /// What went wrong.
        message: String,
    },
}

/// What requests, watches and controllers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) faults: Faults,
    pub(crate) counts: Counter,
    pub(crate) bookmark_interval: Duration,
    closing: watch::Sender<bool>,
}

impl Shared {
    /// Waits until the cluster is stopped.
    pub(crate) async fn closed(&self) {
        // The sender is in self, so that waiting cannot fail.
        let _ = self.closing.subscribe().wait_for(|is_closing| *is_closing).await;
    }
}

/// All objects of a cluster at one time.
#[derive(Debug, Clone)]
pub struct Checkpoint(state::Checkpoint);

/// A running simulated cluster; dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct SimulatedCluster {
    name: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    controller: JoinHandle<()>,
    /// None while the listener is paused.
    listening: Mutex<Option<JoinHandle<()>>>,
}

impl SimulatedCluster {
    /// Starts a cluster and its controllers; it answers when this returns.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(options: SimulatedClusterOptions) -> Result<Self, StartError> {
        let store = open(&options)?;
        let bound = listener::bind(options.listen).await;
        let failed = |source| StartError::Listen { address: options.listen, source };
        let listener = bound.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared {
            store,
            faults: Faults::new(),
            counts: Counter::default(),
            bookmark_interval: options.bookmark_interval,
            closing: watch::Sender::new(false),
        });
        let controller = tokio::spawn(controller::run(Arc::clone(&shared)));
        let listening = tokio::spawn(listener::run(listener, Arc::clone(&shared)));
        Ok(Self { name: options.name, address, shared, controller, listening: Mutex::new(Some(listening)) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its API.
    #[must_use]
    pub fn server(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig file, as YAML, whose current context is this cluster.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        let (name, server) = (&self.name, self.server());
        format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters:\n\
             - name: {name}\n\
             \x20 cluster:\n\
             \x20   server: {server}\n\
             contexts:\n\
             - name: {name}\n\
             \x20 context:\n\
             \x20   cluster: {name}\n\
             \x20   user: {name}\n\
             \x20   namespace: default\n\
             users:\n\
             - name: {name}\n\
             \x20 user: {{}}\n\
             current-context: {name}\n"
        )
    }

    /// The identity of the cluster: the UID of its kube-system namespace.
    #[must_use]
    pub fn uid(&self) -> String {
        let state = self.shared.store.lock();
        state.get(&Kind::Namespace, "kube-system").map(|namespace| namespace.uid.clone()).unwrap_or_default()
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> RequestCounts {
        self.shared.counts.read()
    }

    /// Forgets all history, as etcd's compaction does: watches that start, and pages that go on, from before
    /// now get 410. Watches that are open and up to date go on.
    pub fn compact(&self) {
        self.shared.store.lock().compact();
    }

    /// What the cluster is now, to go back to with [`SimulatedCluster::rewind`]; cheap.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint(self.shared.store.lock().checkpoint())
    }

    /// Goes back, as a cluster does whose etcd is restored from a backup: what was made since is gone, what was
    /// deleted since is back, resourceVersions are given out a second time. All watches end; one that starts
    /// from a version of the former future stays silent until it is passed, as in a real cluster.
    ///
    /// # Errors
    /// It has happened, but is not on file in the directory of the cluster.
    pub fn rewind(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let restored = self.shared.store.lock().restore(&checkpoint.0);
        self.shared.faults.close_watches();
        restored
    }

    /// Says something of a Job, as the controller does that its `spec.managedBy` names; gives its resourceVersion
    /// afterwards, or 0 if there is no such Job.
    ///
    /// # Errors
    /// It is not on file in the directory of the cluster; nothing changed.
    pub fn set_job_status(&self, namespace: &str, name: &str, status: &serde_json::Value) -> io::Result<u64> {
        let key = format!("{namespace}/{name}");
        let mut state = self.shared.store.lock();
        let set = |job: &mut serde_json::Value| meta::set(job, &["status"], status.clone());
        state.edit(&Kind::Job, &key, set).map_err(|refusal| io::Error::other(refusal.message))?;
        Ok(state.get(&Kind::Job, &key).map_or(0, |job| job.version))
    }

    /// What can go wrong.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Closes all connections and refuses new ones. The controllers go on.
    pub async fn pause_listener(&self) {
        if let Some(task) = self.listening.lock().await.take() {
            task.abort();
            // The only error is that it was aborted.
            let _ = task.await;
        }
    }

    /// Listens again, on the same port.
    ///
    /// # Errors
    /// The port was taken meanwhile; the listener is still paused.
    pub async fn resume_listener(&self) -> io::Result<()> {
        let mut listening = self.listening.lock().await;
        if listening.is_none() {
            let listener = listener::bind(self.address).await?;
            *listening = Some(tokio::spawn(listener::run(listener, Arc::clone(&self.shared))));
        }
        Ok(())
    }

    /// Stops it: connections are closed, held requests are lost, and what it kept is on file.
    pub async fn stop(mut self) {
        self.shared.closing.send_replace(true);
        self.pause_listener().await;
        // The only error would be a panic, which the log has.
        let _ = (&mut self.controller).await;
        self.shared.store.lock().close();
    }
}

impl Drop for SimulatedCluster {
    fn drop(&mut self) {
        self.shared.closing.send_replace(true);
        self.controller.abort();
        if let Some(task) = self.listening.get_mut().take() {
            task.abort();
        }
        self.shared.store.lock().close();
    }
}

fn open(options: &SimulatedClusterOptions) -> Result<Store, StartError> {
    let opened = Store::open(options.dir.as_deref(), options.history_events_max, !options.strict);
    let store = opened.map_err(|source| {
        let dir = options.dir.clone().unwrap_or_default();
        match source.kind() {
            io::ErrorKind::WouldBlock => StartError::DirInUse { dir },
            _ => StartError::Dir { dir, source },
        }
    })?;
    first_objects(&mut store.lock(), options.argo)
        .map_err(|refusal| StartError::FirstObjects { message: refusal.message })?;
    store.lock().mark_all();
    Ok(store)
}

/// Makes what every cluster has, where it is not there yet.
fn first_objects(state: &mut State, has_argo: bool) -> Result<(), Refusal> {
    for name in ["default", "kube-system"] {
        if state.get(&Kind::Namespace, name).is_none() {
            state.insert(&Kind::Namespace, new_namespace(name))?;
        }
    }
    for definition in argo::definitions().into_iter().filter(|_| has_argo) {
        let name = meta::text(&definition, "/metadata/name").to_owned();
        if state.get(&Kind::CustomResourceDefinition, &name).is_none() {
            state.insert(&Kind::CustomResourceDefinition, definition)?;
            controller::definition::look_at(state, &name)?;
        }
    }
    Ok(())
}
