//! `tallyman config check`: what is wrong with a replica's configuration, before a replica finds out.

use crate::config::{Config, Overrides};
use crate::exit::Failure;
use crate::screen::Screen;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  tallyman config check /etc/tallyman/config.toml";
const CHECK_HELP: &str = "\
Examples:
  tallyman config check /etc/tallyman/config.toml
  env TALLYMAN_ADVERTISE=r2.example.com tallyman config check config.toml

All that is wrong is told at once, each with its line. The files that it names are looked at too.

Exit codes: 1 it is not as it must be";

/// Check the configuration of a replica
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ConfigCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Tell all that is wrong with a configuration
    #[command(after_help = CHECK_HELP)]
    Check {
        /// The configuration
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

impl ConfigCommand {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let Verb::Check { file } = &self.verb;
        let config = Config::load(file, &Overrides::from_environment())?;
        Screen::stdout().line(&format!(
            "{} is right: group {}, datacenter {}, advertised as {}, API on {}, peers on {}, {} replicas",
            file.display(),
            config.group,
            config.datacenter,
            config.advertise,
            config.api_listen,
            config.peer_listen,
            config.peers.len()
        ));
        Ok(())
    }
}
