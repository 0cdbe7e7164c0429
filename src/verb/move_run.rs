//! `tallyman move`: takes runs off their clusters; they go on elsewhere.

use super::ChangeOptions;
use super::many::{Many, Outcomes, Target};
use super::reason::Reason;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::OutputOptions;
use crate::runnable;
use crate::screen::Screen;

const AFTER_HELP: &str = "\
Examples:
  tallyman move risk/nightly-report-x7k2p --reason 'east burned down'
  tallyman move -A --field-selector status.phase=Lost --yes

Exit codes: 3 not found, 4 it has no cluster, has ended, or cannot be moved, 7 unknown (repeat it with the key that is
            named)";

/// Have runnables go on elsewhere, as one more attempt
///
/// If the cluster can be reached, the run's object is deleted there and seen to be gone before it goes on. A run that
/// is Lost goes on at once, by your word: nobody can see whether it still runs on the lost cluster. If it does, it runs
/// twice until that cluster is back and the object there is deleted.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Move {
    #[command(flatten)]
    many: Many,
    #[command(flatten)]
    reason: Reason,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl Move {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let targets = self.many.targets(client, "move", |run| !runnable::has_ended(run)).await?;
        let mut outcomes = Outcomes::default();
        for target in &targets {
            outcomes.add(&target.reference(), self.one(client, target).await);
        }
        outcomes.conclude()
    }

    async fn one(&self, client: &Client, target: &Target) -> Result<(), Failure> {
        let Some(answer) = self.reason.ask(client, "move", target, &self.change, false).await? else {
            return Ok(());
        };
        if self.output.output.is_table() {
            let line = format!("{}   moving   rev {}", target.reference(), answer.revision());
            Screen::stdout().line(&line);
            return Ok(());
        }
        self.output.print(&answer.body, &runnable::COLUMNS)
    }
}
