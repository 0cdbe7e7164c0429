//! `tallyman operator recover`: a group that lost its quorum for good goes on with one replica.

use super::snapshot::restore;
use crate::config::{Config, Overrides};
use crate::env::Machine;
use crate::exit::Failure;
use crate::server::wiring::group_options;
use std::path::PathBuf;
use std::sync::Arc;
use tallyman_raft::lineage;

const AFTER_HELP: &str = "\
Examples:
  tallyman operator recover --config /etc/tallyman/server.toml

Only when more than half of the voters are lost for good, and with the replica that has the most: the highest COMMITTED
of `tallyman operator status -o wide`, or the longest log. Its server must not run, and the others must never start
again with what they have. What they had and this one has not is lost. It goes on as after a restore: with a new
lineage, a gap in the revisions, and nothing is sent to clusters before `tallyman operator confirm`. That it was done
is in the ledger.

Exit codes: 1 the directory is blank, in use or damaged; nothing was changed";

/// Go on with one replica when the quorum is lost for good
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Recover {
    /// The configuration of the replica's server
    #[arg(long, value_name = "CONFIG")]
    config: PathBuf,
}

impl Recover {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.config, &Overrides::from_environment())?;
        let options = group_options(&config, Arc::new(Machine), None);
        let begun = lineage::recover(&options).map_err(|error| {
            Failure::of(&error, "check `data_dir` in the configuration, and that its server does not run")
        })?;
        restore::tell(&begun, &self.config);
        Ok(())
    }
}
