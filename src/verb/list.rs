//! `tallyman list`: runnables as a table.

use super::watch;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::OutputOptions;
use crate::runnable;
use crate::select::{Select, list};

const AFTER_HELP: &str = "\
Examples:
  tallyman list -A
  tallyman list -n risk -l desk=rates -o wide
  tallyman list -A --field-selector status.phase=Failed,status.cluster=east
  tallyman list -A --field-selector status.deadLetter=true
  tallyman list -n risk --field-selector status.parent=patch     # the runs of a fan-out
  tallyman list -A --field-selector status.reason=NeedsOperator
  tallyman list -n risk -o jsonpath='{range .items[*]}{.metadata.name}{\"\\n\"}{end}'
  tallyman list -A --watch

Exit codes: 5 no leader or server (--stale needs no leader)";

/// List runnables
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct List {
    #[command(flatten)]
    select: Select,
    /// Go on and show every change, as tallyman watch does
    #[arg(short, long)]
    watch: bool,
    /// Include this revision at least: the one that a write answered with
    #[arg(long, value_name = "REV")]
    token: Option<u64>,
    /// Answer at once from the asked server's own state, also without a leader
    #[arg(long, conflicts_with_all = ["token", "watch"])]
    stale: bool,
    #[command(flatten)]
    output: OutputOptions,
}

impl List {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        if self.watch {
            return watch::show(client, self.select.scope(&[])?, &self.output).await;
        }
        let mut request = self.select.request().query_some("consistency", self.stale.then_some("stale"));
        if let Some(token) = self.token {
            request = request.token(token);
        }
        self.output.print(&list(client, &request).await?, &runnable::COLUMNS)
    }
}
