//! `tallyman audit verify`: computes the ledger's hashes again, through the API or from files.

use super::files::{self, Wrong};
use crate::chain;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::OutputOptions;
use crate::screen::Screen;
use serde_json::json;
use std::path::{Path, PathBuf};
use tallyman_model::Digest;

const AFTER_HELP: &str = "\
Examples:
  tallyman audit verify
  tallyman audit verify --server http://127.0.0.1:7003 -o json
  tallyman audit verify --dir /var/lib/tallyman
  tallyman audit verify --file ledger.jsonl

Exit codes: 0 every hash is right, 1 it is broken or empty, 5 no server answers";

/// Check every record's hash against the record and the one before it
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Verify {
    /// A replica's data directory, what it is in, or its ledger directory: needs no server
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    dir: Option<PathBuf>,
    /// A file that tallyman audit export wrote: needs no server
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    output: OutputOptions,
}

impl Verify {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (len, head) = match (&self.dir, &self.file) {
            (Some(dir), _) => of_directory(dir)?,
            (None, Some(file)) => files::verify_file(file).map_err(|wrong| told(wrong, file))?,
            (None, None) => {
                let chain = chain::verify(client, |_| Ok(())).await?;
                if chain.len == 0 {
                    return Err(empty("the ledger", "submit something first"));
                }
                (chain.len, chain.head())
            }
        };
        let document = json!({"records": len, "head": head.to_string(), "verified": true});
        self.output.print_plain(&document, |_| {
            Screen::stdout().line(&format!("ledger   {len} records, chain verified, head {head}"));
        })
    }
}

/// Reads the segments and changes nothing.
fn of_directory(dir: &Path) -> Result<(u64, Digest), Failure> {
    // Also from the folder that a replica's data directory is in, as `tallyman dev --dir` makes it.
    let inside = [dir.join("ledger"), dir.join("data").join("ledger")];
    let dir = inside.into_iter().find(|inside| inside.is_dir()).unwrap_or_else(|| dir.to_owned());
    files::verify(&dir).map_err(|wrong| told(wrong, &dir))
}

fn told(wrong: Wrong, at: &Path) -> Failure {
    match wrong {
        Wrong::Broken(why) => Failure::new(
            Exit::Failed,
            format!("the ledger in {} cannot be verified: {why}", at.display()),
            "name a replica's data directory or an export; compare with another replica's",
        ),
        Wrong::Unfinished(why) => Failure::new(
            Exit::Failed,
            why,
            "verify again when the replica is stopped; it mends itself when it starts",
        ),
        Wrong::Empty => empty(
            &format!("the ledger in {}", at.display()),
            "name the data directory of a replica of a group, or an export",
        ),
    }
}

fn empty(what: &str, attempt: &str) -> Failure {
    Failure::new(Exit::Failed, format!("{what} holds no records: nothing was verified"), attempt)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::of_directory;
    use std::fs;

    #[test]
    fn the_ledger_is_found_from_any_folder_that_it_may_be_called_by() {
        let replica = tempfile::tempdir().unwrap();
        let data = replica.path().join("data");
        let ledger = data.join("ledger");
        fs::create_dir_all(&ledger).unwrap();
        for dir in [replica.path(), &data, &ledger] {
            let message = of_directory(dir).unwrap_err().message;
            assert!(
                message.starts_with(&format!("the ledger in {} holds no", ledger.display())),
                "{message}"
            );
        }
    }
}
