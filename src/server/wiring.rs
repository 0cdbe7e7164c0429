//! The parts of one replica, and the order in which they start and stop.
//!
//! ```text
//!   start:  group (disk, peers) ──► leader's work, waiting for the leadership ──► API
//!   stop:   unready ──► hands over ──► leader's work ends ──► API drains ──► group closes its files
//! ```

use crate::config::Config;
use crate::env::Machine;
use crate::environment;
use crate::exit::{Exit, Failure};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tallyman_api::identity::Tokens;
use tallyman_api::{ApiOptions, Identity, ServeOptions, Tls, listen, router, serve};
use tallyman_cluster::{Access, Plugins};
use tallyman_leader::{Leader, Sockets};
use tallyman_model::{Env, GROUP_VERSION};
use tallyman_raft::{Backend, Group, GroupOptions, OnFatal, PeerTls, Role, StartError, Timing};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long handing over may take.
const HAND_OVER_S_MAX: u64 = 4;
/// How long requests that are under way are given to end.
const DRAIN_S_MAX: u64 = 5;
/// How long closing the files may take.
const CLOSE_S_MAX: u64 = 10;

/// A running replica.
pub(super) struct Replica {
    group: Group,
    leader: Leader,
    api: JoinHandle<()>,
    /// True: not ready any more, and streams end.
    drain: watch::Sender<bool>,
    /// True: no request is taken any more.
    close: watch::Sender<bool>,
}

/// What the command line says beside the configuration.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// A damaged data directory is moved aside.
    pub(super) replace_damaged: bool,
    /// Where the `tallyman dev` that runs it takes what drills do.
    pub(super) dev_control: Option<PathBuf>,
}

impl Replica {
    /// Starts all parts.
    ///
    /// # Errors
    /// What could not be used. Nothing runs.
    pub(super) async fn start(config: &Config, on_fatal: OnFatal, asked: Options) -> Result<Self, Failure> {
        let env: Arc<dyn Env> = Arc::new(Machine);
        let identity = identity(config)?;
        let tls = config.tls.as_ref().map(|tls| Tls::load(&tls.cert, &tls.key)).transpose();
        let tls = tls.map_err(|error| Failure::of(&error, "check tls.cert and tls.key"))?;
        // The port first: a replica that nobody can ask must not join.
        let listener = listen(config.api_listen).map_err(|error| {
            let message = format!("failed to listen on {}: {error}", config.api_listen);
            Failure::new(Exit::Failed, message, listen_hint(config.api_listen, "api_listen", &error))
        })?;
        let options = group_options(config, Arc::clone(&env), Some(on_fatal));
        let group = match Group::start(options.clone()).await {
            Err(error) if asked.replace_damaged && error.is_damage() => {
                set_aside(&error, &config.data_dir)?;
                Group::start(options).await
            }
            group => group,
        };
        let group = group.map_err(|error| Failure::of(&error, &start_hint(&error, &config.data_dir)))?;
        let options = tallyman_leader::Options::new(Arc::clone(&env));
        let (limits, bounds, relays_max) = super::descriptors::bounds();
        let sockets =
            Sockets { access: access(config, &env), group: Some(group.clone()), ..Sockets::default() };
        let sockets = Arc::new(sockets);
        group.relay_to(Arc::clone(&sockets) as _, relays_max);
        let leader = Leader::start(Arc::new(group.clone()), sockets, options);
        let (drain, close) = (watch::Sender::new(false), watch::Sender::new(false));
        let options = ApiOptions::new(Arc::new(group.clone()), env, identity, drain.subscribe());
        let dev_control = asked.dev_control.map(|path| path.display().to_string());
        let api = router(ApiOptions { bounds, group: config.group.clone(), dev_control, ..options });
        let api = serve(listener, api, ServeOptions { tls, limits }, close.subscribe());
        Ok(Self { group, leader, api, drain, close })
    }

    /// Stops so that nobody misses it: others take over first, and requests that are under way are answered.
    pub(super) async fn stop(self) {
        self.drain.send_replace(true);
        let status = self.group.status().borrow().clone();
        if status.role == Role::Leader && status.voters.len() > 1 {
            let handed =
                timeout(Duration::from_secs(HAND_OVER_S_MAX), self.group.transfer_leader(None)).await;
            match handed {
                Ok(Ok(to)) => tracing::info!(%to, "handed over"),
                Ok(Err(error)) => tracing::warn!(%error, "did not hand over"),
                Err(_) => tracing::warn!("did not hand over in time"),
            }
        }
        self.leader.shutdown().await;
        self.close.send_replace(true);
        let _ = timeout(Duration::from_secs(DRAIN_S_MAX), self.api).await;
        if timeout(Duration::from_secs(CLOSE_S_MAX), self.group.shutdown()).await.is_err() {
            tracing::warn!("did not close in time");
        }
    }

    /// Stops as if it had crashed, but for closing its files: nobody is there to take over, or it must not go on.
    pub(super) async fn abandon(self) {
        self.drain.send_replace(true);
        self.leader.shutdown().await;
        self.api.abort();
        if timeout(Duration::from_secs(CLOSE_S_MAX), self.group.abort()).await.is_err() {
            tracing::warn!("did not close in time");
        }
    }
}

fn identity(config: &Config) -> Result<Identity, Failure> {
    match &config.tokens_file {
        // The configuration was refused if it listens elsewhere than on loopback without one.
        None => Ok(Identity::Dev),
        Some(path) => match Tokens::load(path) {
            Ok(tokens) => Ok(Identity::Tokens(tokens)),
            Err(error) => Err(Failure::of(&error, "lines of: token,user,uid,\"group1,group2\"")),
        },
    }
}

/// What of this machine clusters' records may refer to.
fn access(config: &Config, env: &Arc<dyn Env>) -> Access {
    let plugins = |file: &PathBuf| {
        let inherited = environment::for_plugins();
        Arc::new(Plugins::new(file.clone(), Arc::clone(env), inherited))
    };
    Access {
        dir: config.cluster_credentials_dir.clone(),
        plugins: config.cluster_provider_file.as_ref().map(plugins),
    }
}

/// Makes room for a blank replica.
fn set_aside(damage: &StartError, data_dir: &Path) -> Result<(), Failure> {
    let aside = Group::set_aside(data_dir)
        .map_err(|error| Failure::of(&error, &format!("check that {} can be written", data_dir.display())))?;
    let why = Failure::of(damage, "").message;
    tracing::warn!(why, aside = %aside.display(), "what is damaged was moved aside; the replica joins as a new one");
    Ok(())
}

/// What the group's part of a replica is started with.
pub(crate) fn group_options(config: &Config, env: Arc<dyn Env>, on_fatal: Option<OnFatal>) -> GroupOptions {
    GroupOptions {
        dir: (&config.data_dir).into(),
        group: config.group.clone(),
        datacenter: config.datacenter.clone(),
        peer_listen: config.peer_listen,
        advertise_peer: config.advertise_peer(),
        advertise_api: config.advertise_api(),
        peers: config.peers.clone(),
        tls: config.tls.as_ref().map(|tls| PeerTls {
            cert: tls.cert.clone(),
            key: tls.key.clone(),
            ca: tls.ca.clone(),
        }),
        env,
        backend: Backend::default(),
        timing: timing(config),
        on_fatal,
        understands: GROUP_VERSION,
        flush_gate: None,
    }
}

/// Bytes of the log for each entry that is kept behind a snapshot, so that what is kept is a small part of it.
const LOG_BYTES_PER_KEPT: u64 = 4096;

fn timing(config: &Config) -> Timing {
    let usual = Timing::default();
    let snapshot_log_bytes_min = config.snapshot_log_bytes.unwrap_or(usual.snapshot_log_bytes_min);
    let log_kept_entries = (snapshot_log_bytes_min / LOG_BYTES_PER_KEPT).min(usual.log_kept_entries);
    Timing { snapshot_log_bytes_min, log_kept_entries, ..usual }
}

/// What may help when the group's part did not start.
fn start_hint(error: &StartError, data_dir: &Path) -> String {
    let dir = data_dir.display();
    match error {
        StartError::Listen { listen, source } => listen_hint(*listen, "peer_listen", source),
        StartError::TooOld { .. } => {
            "start the build that ran here last, or a later one; the directory is as it was".to_owned()
        }
        error if error.is_damage() => format!(
            "start it once with --replace-damaged: what is in {dir} is moved aside and the replica joins again under a \
             new id, with a majority of the others running"
        ),
        StartError::Log(_) | StartError::Inventory(_) | StartError::Io { .. } => {
            format!("check that {dir} can be read and written, and that its disk is not full")
        }
        _ => "check data_dir, group, peer_listen and peers".to_owned(),
    }
}

fn listen_hint(address: SocketAddr, key: &str, error: &std::io::Error) -> String {
    if error.kind() == ErrorKind::AddrInUse {
        format!("something else listens on {address}: stop it, or change {key}")
    } else {
        format!("check {key}: it must be an address of this machine that may be listened on")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_says_that_something_else_listens_or_that_the_replica_is_to_be_replaced() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 7001));
        let error = StartError::Listen { listen, source: ErrorKind::AddrInUse.into() };
        let hint = start_hint(&error, Path::new("/d"));
        assert!(hint.starts_with("something else listens on 127.0.0.1:7001"), "{hint}");
        let damaged = tallyman_store::log::OpenError::WatermarkMissing { path: "/d/log".into() };
        let hint = start_hint(&StartError::Log(damaged), Path::new("/d"));
        assert!(hint.starts_with("start it once with --replace-damaged"), "{hint}");
        assert!(hint.contains("joins again under a new id"), "{hint}");
    }
}
