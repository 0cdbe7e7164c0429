//! `tallyman drill ...`: failover drills, and their reports.

mod list;
mod run;
mod show;

use crate::client::Client;
use crate::exit::Failure;

const AFTER_HELP: &str = "\
Examples:
  tallyman drill list
  tallyman drill run leader-loss --report drill.json
  tallyman drill show drill.json";

/// Break something on purpose, and measure what was promised
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Drill {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    List(list::List),
    Run(run::Run),
    Show(show::Show),
}

impl Drill {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self.verb {
            Verb::List(list) => list.run(),
            Verb::Run(run) => Box::pin(run.run(client)).await,
            Verb::Show(show) => show.run(),
        }
    }
}
