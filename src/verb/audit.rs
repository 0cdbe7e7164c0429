//! `tallyman audit verify`: computes the ledger's hashes again, through the API or from the files of a replica.

mod files;

use crate::chain;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::screen::Screen;
use files::Wrong;
use std::path::{Path, PathBuf};
use tallyman_model::Digest;

#[derive(Debug, clap::Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Check every record's hash against the record and the one before it
    Verify {
        /// A replica's data directory, or its ledger directory: needs no server
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

impl Audit {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let Verb::Verify { dir } = self.verb;
        let (len, head) = match dir {
            Some(dir) => offline(&dir)?,
            None => {
                let chain = chain::verify(client).await?;
                if chain.len == 0 {
                    return Err(empty("the ledger", "submit something first"));
                }
                (chain.len, chain.head())
            }
        };
        Screen::stdout().line(&format!("ledger   {len} records, chain verified, head {head}"));
        Ok(())
    }
}

/// Reads the segments and changes nothing.
fn offline(dir: &Path) -> Result<(u64, Digest), Failure> {
    let inside = dir.join("ledger");
    let dir = if inside.is_dir() { inside } else { dir.to_owned() };
    files::verify(&dir).map_err(|wrong| match wrong {
        Wrong::Broken(why) => Failure::new(
            Exit::Failed,
            format!("the ledger in {} cannot be verified: {why}", dir.display()),
            "name a replica's data directory; compare with another replica's",
        ),
        Wrong::Unfinished(why) => Failure::new(
            Exit::Failed,
            why,
            "verify again when the replica is stopped; it mends itself when it starts",
        ),
        Wrong::Empty => empty(
            &format!("the ledger in {}", dir.display()),
            "name the data directory of a replica of a group",
        ),
    })
}

fn empty(what: &str, attempt: &str) -> Failure {
    Failure::new(Exit::Failed, format!("{what} holds no records: nothing was verified"), attempt)
}
