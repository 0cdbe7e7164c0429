//! `tallyman audit ...`: the ledger, read, kept elsewhere, and verified.

mod export;
mod files;
mod list;
mod verify;

use crate::client::Client;
use crate::exit::Failure;

const AFTER_HELP: &str = "\
Examples:
  tallyman audit list --submission risk/nightly-report-x7k2p
  tallyman audit verify
  tallyman audit export ledger.jsonl && tallyman audit verify --file ledger.jsonl";

/// Read, export and verify the ledger
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    List(list::List),
    Export(export::Export),
    Verify(verify::Verify),
}

impl Audit {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self.verb {
            Verb::List(list) => list.run(client).await,
            Verb::Export(export) => export.run(client).await,
            Verb::Verify(verify) => verify.run(client).await,
        }
    }
}
