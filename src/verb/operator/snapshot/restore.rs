//! `tallyman operator snapshot restore`.

use crate::config::{Config, Overrides};
use crate::env::Machine;
use crate::exit::Failure;
use crate::screen::Screen;
use crate::server::wiring::group_options;
use std::path::PathBuf;
use std::sync::Arc;
use tallyman_raft::lineage::{self, Begun};

const AFTER_HELP: &str = "\
Examples:
  tallyman operator snapshot restore night.tallyman --config /etc/tallyman/server.toml

Makes the blank data directory of one replica, whose server must not run, that of a group which goes on from the
backup. Start that server, then the others with empty directories: they join it. The group takes submissions and
watches its clusters, and sends them nothing before `tallyman operator confirm`. Replicas that were left from before
never join it. Revisions go on behind a gap: a token from after the backup is answered with 410.

Exit codes: 1 the backup is damaged, or the directory is not blank; nothing was changed";

/// Go on from a backup, with one replica
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Restore {
    /// The backup
    file: PathBuf,
    /// The configuration of the replica's server
    #[arg(long, value_name = "CONFIG")]
    config: PathBuf,
}

impl Restore {
    pub(super) fn run(self) -> Result<(), Failure> {
        let config = Config::load(&self.config, &Overrides::from_environment())?;
        let options = group_options(&config, Arc::new(Machine), None);
        let begun = lineage::restore(&options, &self.file).map_err(|error| {
            let attempt = match error {
                lineage::LineageError::Backup(_) => "another backup",
                lineage::LineageError::Taken { .. } => "stop its server and move the directory away",
                _ => "check `data_dir` and `group` in the configuration, and that its server does not run",
            };
            Failure::of(&error, attempt)
        })?;
        tell(&begun, &self.config);
        Ok(())
    }
}

/// Says what has begun, and what comes next.
pub(in crate::verb::operator) fn tell(begun: &Begun, config: &std::path::Path) {
    let screen = Screen::stdout();
    let Begun { lineage, replica, last_kept, base, last, before } = begun;
    let index = last.map_or(0, |last| last.index);
    screen.line(&format!("lineage {lineage} begins with {replica}, from log index {index}"));
    screen.line(&format!("revision {last_kept} is followed by {base}"));
    if let Some(before) = before {
        screen.line(&format!("what was there before is in {}", before.display()));
    }
    screen.line(&format!("next: tallyman server --config {}", config.display()));
    screen.line("      start the other replicas with empty data directories: they join it");
    screen.line("      tallyman operator report, then tallyman operator confirm: until then no cluster is sent anything");
}
