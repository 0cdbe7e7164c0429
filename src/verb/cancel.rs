//! `tallyman cancel`: stops runs and keeps their records.

use super::ChangeOptions;
use super::many::{Many, Outcomes, Target};
use super::reason::Reason;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::OutputOptions;
use crate::runnable;
use crate::screen::Screen;
use crate::waiting::{For, wait_one};

const AFTER_HELP: &str = "\
Examples:
  tallyman cancel risk/nightly-report-x7k2p --reason 'wrong input'
  tallyman cancel nightly-report-x7k2p -n risk --wait
  tallyman cancel -n risk -l desk=rates --yes

Exit codes: 3 not found, 4 it has ended already, 7 unknown (repeat it with the key that is named)";

/// Stop runnables and keep their records
///
/// The objects are stopped on their clusters; a run is Cancelled only when that is seen. What happened stays in the
/// ledger.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Cancel {
    #[command(flatten)]
    many: Many,
    #[command(flatten)]
    reason: Reason,
    /// Wait until they are seen to have stopped
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl Cancel {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let targets = self.many.targets(client, "cancel", |run| !runnable::has_ended(run)).await?;
        let mut outcomes = Outcomes::default();
        for target in &targets {
            outcomes.add(&target.reference(), self.one(client, target).await);
        }
        outcomes.conclude()
    }

    async fn one(&self, client: &Client, target: &Target) -> Result<(), Failure> {
        let reference = target.reference();
        let asked = self.reason.ask(client, "cancel", target, &self.change, self.wait).await?;
        let Some(answer) = asked else { return Ok(()) };
        let mut run = answer.body.clone();
        let screen = Screen::stdout();
        if self.wait {
            let ended = wait_one(client, (&target.namespace, &target.name), &For::Finished, None).await;
            match ended {
                Ok(state) => run = state,
                // Cancelled is what was asked for, not a failure.
                Err(failure) if failure.exit == Exit::Unsuccessful => {
                    run = runnable::read(client, &target.namespace, &target.name).await?;
                }
                Err(failure) => return Err(failure),
            }
        }
        match self.output.output.is_table() {
            true if self.wait => screen.line(&format!("{reference}   stopped")),
            true => screen.line(&format!("{reference}   stopping   rev {}", answer.revision())),
            false => self.output.print(&run, &runnable::COLUMNS)?,
        }
        Ok(())
    }
}
