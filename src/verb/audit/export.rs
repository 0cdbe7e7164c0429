//! `tallyman audit export`: the ledger as a file that can be verified without any server.

use super::list::Which;
use crate::chain::{pages, verify};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::screen::complain;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  tallyman audit export ledger.jsonl
  tallyman audit export | gzip > ledger.jsonl.gz
  tallyman audit export --user ann > ann.jsonl

One record a line, byte for byte as it was hashed: {\"hash\":\"...\",\"record\":{...}}. The whole ledger is verified while
it is written, and tallyman audit verify --file verifies the file again. A selection cannot be verified.";

/// Write the ledger to a file, or to standard output
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Export {
    /// Where to (default: standard output). A file that is there already is left alone
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
}

impl Export {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let mut out: Box<dyn Write> = match &self.file {
            None => Box::new(std::io::stdout()),
            Some(path) => Box::new(BufWriter::new(File::create_new(path).map_err(|error| {
                let message = format!("failed to make {}: {error}", path.display());
                Failure::new(Exit::Failed, message, "name a file that is not there yet")
            })?)),
        };
        let mut count = 0_u64;
        let mut write = |hash: &str, record: &str| {
            count += 1;
            let hash = hash.strip_prefix("sha256:").unwrap_or(hash);
            writeln!(out, "{{\"hash\":\"{hash}\",\"record\":{record}}}").map_err(|error| unwritten(&error))
        };
        match self.which.selector() {
            None => {
                verify(client, |item| write(item.hash(), item.bytes())).await?;
            }
            Some(selector) => {
                pages(client, Some(&selector), |item| write(item.hash(), item.bytes()).map(|()| true))
                    .await?;
            }
        }
        out.flush().map_err(|error| unwritten(&error))?;
        if let Some(path) = &self.file {
            let verified = if self.which.selector().is_none() { ", chain verified" } else { "" };
            complain(&format!("{count} records{verified}, in {}\n", path.display()));
        }
        Ok(())
    }
}

fn unwritten(error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("failed to write the ledger: {error}"),
        "repeat it where there is room",
    )
}
