//! `tallyman server`: one replica, from its configuration to its end.

mod descriptors;
mod end;
pub(crate) mod wiring;

use crate::config::{Config, Overrides};
use crate::exit::{Exit, Failure};
use crate::telemetry;
pub(crate) use end::input_ended;
use end::{End, Ending};
use std::path::PathBuf;
use wiring::{Options, Replica};

/// Exit words of a replica that found something it cannot live with.
const FATAL_HINT: &str = "look at the lines above; if its disk is well and its data is not, start it once with \
                          --replace-damaged: it joins again under a new id";

const AFTER_HELP: &str = "\
Examples:
  tallyman server --config /etc/tallyman/config.toml
  tallyman server --config /etc/tallyman/config.toml --replace-damaged

The configuration is the same file on all replicas; TALLYMAN_ADVERTISE and TALLYMAN_DATACENTER say where this one is.
Blank replicas wait until one of them is told: tallyman operator init --expect N. One that is started later waits until
it is added: tallyman operator member add HOST:PORT

Exit codes: 0 it was told to stop, or is removed from the group, 1 it did not start or cannot go on";

/// Run one replica
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Server {
    /// The configuration, the same on all replicas
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// If the data directory is damaged, move what is in it aside, inside it, and join the group again under a new id;
    /// nothing happens to one that is not
    #[arg(long)]
    replace_damaged: bool,
    /// Stop when standard input ends: it is a pipe from whoever started this
    #[arg(long, hide = true)]
    parent_pipe: bool,
    /// Where the `tallyman dev` that runs this takes what drills do
    #[arg(long, hide = true, value_name = "SOCKET")]
    dev_control: Option<PathBuf>,
}

impl Server {
    /// Runs until it is told to stop, or cannot go on.
    ///
    /// # Errors
    /// It did not start, or cannot go on.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.config, &Overrides::from_environment())?;
        telemetry::start();
        abort_on_panic();
        let mut end = End::watch(self.parent_pipe)?;
        if self.parent_pipe {
            thaw_without_parent();
        }
        let options = Options { replace_damaged: self.replace_damaged, dev_control: self.dev_control };
        let replica = tokio::select! {
            replica = Replica::start(&config, end.on_fatal(), options) => replica?,
            ending = end.wait() => return stopped_early(ending),
        };
        tracing::info!(group = config.group, api = %config.api_listen, peer = %config.peer_listen, "started");
        match end.wait().await {
            Ending::Asked => {
                tracing::info!("stopping: hands over first");
                replica.stop().await;
                Ok(())
            }
            Ending::ParentGone => {
                tracing::info!("stopping: whoever started this replica is gone");
                replica.abandon().await;
                Ok(())
            }
            Ending::Removed(why) => {
                replica.abandon().await;
                removed(&why);
                Ok(())
            }
            Ending::Fatal(why) => {
                tracing::error!(why, "cannot go on");
                replica.abandon().await;
                Err(Failure::new(Exit::Failed, format!("the replica cannot go on: {why}"), FATAL_HINT))
            }
        }
    }
}

/// A replica that a drill froze goes on when its parent is gone, and so sees that it is, and ends.
fn thaw_without_parent() {
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::CONT))
    {
        tracing::warn!(%error, "nobody thaws this replica if its parent ends while it is frozen");
    }
}

/// Its end is a success, so that whoever starts it again after a failure does not; started again it ends again.
fn removed(why: &str) {
    tracing::info!(
        why,
        "stopped: it is no longer of the group, and its data directory is not needed any more"
    );
}

fn stopped_early(ending: Ending) -> Result<(), Failure> {
    match ending {
        Ending::Asked | Ending::ParentGone => Ok(()),
        Ending::Removed(why) => {
            removed(&why);
            Ok(())
        }
        Ending::Fatal(why) => {
            Err(Failure::new(Exit::Failed, format!("the replica cannot start: {why}"), FATAL_HINT))
        }
    }
}

/// Half a replica would be worse than none: a panic anywhere ends the process, after it was told.
fn abort_on_panic() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!(%panic, "a broken invariant ends this replica");
        usual(panic);
        std::process::abort();
    }));
}
