//! `tallyman lock ...`: locks and semaphores with fencing tokens.

mod hold;

use super::kept::{Apply, Delete, Get, List, Sort};
use crate::client::{Client, text};
use crate::exit::Failure;
use crate::output::{Columns, age, or_dash};
use serde_json::Value;

const AFTER_HELP: &str = "\
Examples:
  tallyman lock apply leaf-7.yaml
  tallyman lock acquire risk/leaf-7 --owner upgrader --ttl 5m
  tallyman lock release risk/leaf-7 --token 4711";
const APPLY_HELP: &str = "\
Examples:
  tallyman lock apply leaf-7.yaml
  tallyman lock apply leaf-7.yaml -n risk --dry-run -o yaml

A file holds one Lock or several; spec.permits makes a semaphore.

Exit codes: 1 refused, 4 more permits are held than it would have, 7 unknown (repeat it with the key that is named)";
const LIST_HELP: &str = "\
Examples:
  tallyman lock list -A
  tallyman lock list -n risk -o name";
const GET_HELP: &str = "\
Examples:
  tallyman lock get risk/leaf-7
  tallyman lock get leaf-7 -n risk -o yaml

Exit codes: 3 not found";
const DELETE_HELP: &str = "\
Examples:
  tallyman lock delete risk/leaf-7

Exit codes: 3 not found, 4 it is held, 7 unknown (repeat it with the key that is named)";

/// Work with locks and semaphores, and their fencing tokens
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct LockCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make locks, or change how many permits they have
    #[command(after_help = APPLY_HELP)]
    Apply(Apply),
    /// List locks, and who holds them
    #[command(after_help = LIST_HELP)]
    List(List),
    /// Read locks by name
    #[command(after_help = GET_HELP)]
    Get(Get),
    Acquire(hold::Acquire),
    Renew(hold::Renew),
    Release(hold::Release),
    /// Remove locks that nobody holds
    #[command(after_help = DELETE_HELP)]
    Delete(Delete),
}

const LOCKS: Sort = Sort {
    kind: "Lock",
    plural: "locks",
    word: "lock",
    columns: &Columns {
        resource: "lock",
        headings: &["NAMESPACE", "NAME", "PERMITS", "FREE", "HOLDERS", "AGE"],
        narrow: 6,
        cells: |lock: &Value| {
            let number = |pointer: &str| lock.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
            let holders = lock.pointer("/status/holders").and_then(Value::as_array);
            let owners: Vec<&str> = holders.into_iter().flatten().map(|hold| text(hold, "/owner")).collect();
            vec![
                text(lock, "/metadata/namespace").to_owned(),
                text(lock, "/metadata/name").to_owned(),
                number("/spec/permits").to_string(),
                number("/status/free").to_string(),
                or_dash(&owners.join(",")),
                age(text(lock, "/metadata/creationTimestamp")),
            ]
        },
    },
};

impl LockCommand {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self.verb {
            Verb::Apply(apply) => apply.run(client, LOCKS).await,
            Verb::List(list) => list.run(client, LOCKS).await,
            Verb::Get(get) => get.run(client, LOCKS).await,
            Verb::Acquire(acquire) => acquire.run(client).await,
            Verb::Renew(renew) => renew.run(client).await,
            Verb::Release(release) => release.run(client).await,
            Verb::Delete(delete) => delete.run(client, LOCKS, "removed").await,
        }
    }
}
