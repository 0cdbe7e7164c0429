//! `tallyman retry`: starts ended runs again, as one more attempt.

use super::ChangeOptions;
use super::many::{Many, Outcomes, Target};
use super::reason::Reason;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::OutputOptions;
use crate::runnable;
use crate::screen::Screen;
use crate::waiting::{For, wait_one};
use serde_json::Value;
use tallyman_model::Phase;

const AFTER_HELP: &str = "\
Examples:
  tallyman retry risk/nightly-report-x7k2p --reason 'input is there now'
  tallyman retry risk/nightly-report-x7k2p --wait
  tallyman retry -A --field-selector status.phase=Failed --yes
  tallyman retry -A --field-selector status.deadLetter=true,status.cluster=east --reason 'the role is there now'

Of a fan-out all runs that failed or were cancelled start again, also while others are under way; one of them alone is
named itself.

Dead letters are runs that failed before a cluster took them: refused for good, or not taken by startBy. A run that has
changed since it was selected is left alone, so two people who do this at once do nothing twice.

Exit codes: 3 not found, 4 it has not ended or ended well, 7 unknown (repeat it with the key that is named),
            8 with --wait: it ended without success again";

/// Start ended runnables again, as one more attempt
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Retry {
    #[command(flatten)]
    many: Many,
    #[command(flatten)]
    reason: Reason,
    /// Wait for the end; the exit code is 8 if it ends without success
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    change: ChangeOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl Retry {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let suits = |run: &Value| matches!(runnable::phase(run), Some(Phase::Failed | Phase::Cancelled));
        let targets = self.many.targets(client, "retry", suits).await?;
        let mut outcomes = Outcomes::default();
        for target in &targets {
            outcomes.add(&target.reference(), self.one(client, target).await);
        }
        outcomes.conclude()
    }

    async fn one(&self, client: &Client, target: &Target) -> Result<(), Failure> {
        let reference = target.reference();
        let asked = self.reason.ask(client, "retry", target, &self.change, self.wait).await?;
        let Some(answer) = asked else { return Ok(()) };
        let screen = Screen::stdout();
        let is_table = self.output.output.is_table();
        if is_table {
            screen.line(&format!("{reference}   accepted again   rev {}", answer.revision()));
        }
        let mut run = answer.body.clone();
        if self.wait {
            run = wait_one(client, (&target.namespace, &target.name), &For::Finished, None).await?;
        }
        match is_table {
            true if self.wait => screen.line(&format!("{reference}   succeeded")),
            true => {}
            false => self.output.print(&run, &runnable::COLUMNS)?,
        }
        Ok(())
    }
}
