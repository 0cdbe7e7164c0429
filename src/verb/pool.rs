//! `tallyman pool ...`: values that are given out, each to one at a time.

mod allocate;

use super::kept::{Apply, Delete, Get, List, Sort};
use crate::client::{Client, text};
use crate::exit::Failure;
use crate::output::{Columns, age, or_dash};
use serde_json::Value;

const AFTER_HELP: &str = "\
Examples:
  tallyman pool apply vlans.yaml
  tallyman pool allocate risk/vlans --key desk-7
  tallyman pool allocations -n risk
  tallyman pool release risk/vlans.desk-7";
const APPLY_HELP: &str = "\
Examples:
  tallyman pool apply vlans.yaml
  tallyman pool apply vlans.yaml -n risk --dry-run -o yaml

A file holds one Pool or several. One may grow, and shrink to what is allocated.

Exit codes: 1 refused, 4 it would not hold what is allocated, or overlap with another; 7 unknown (repeat it with the key that is named)";
const LIST_HELP: &str = "\
Examples:
  tallyman pool list -A
  tallyman pool list -n risk -l fabric=a -o name";
const GET_HELP: &str = "\
Examples:
  tallyman pool get risk/vlans
  tallyman pool get vlans -n risk -o yaml

Exit codes: 3 not found";
const ALLOCATIONS_HELP: &str = "\
Examples:
  tallyman pool allocations -n risk
  tallyman pool allocations -n risk -l tallyman.dev/pool=vlans -o yaml";
const RELEASE_HELP: &str = "\
Examples:
  tallyman pool release risk/vlans.desk-7
  tallyman pool release vlans.desk-7 vlans.desk-8 -n risk

Exit codes: 3 not found, 4 it is a runnable's own, 7 unknown (repeat it with the key that is named)";
const DELETE_HELP: &str = "\
Examples:
  tallyman pool delete risk/vlans

Exit codes: 3 not found, 4 something of it is allocated, 7 unknown (repeat it with the key that is named)";

/// Work with pools: values that are given out, each to one at a time
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct PoolCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make pools, or change them
    #[command(after_help = APPLY_HELP)]
    Apply(Apply),
    /// List pools, and how much of each is given out
    #[command(after_help = LIST_HELP)]
    List(List),
    /// Read pools by name
    #[command(after_help = GET_HELP)]
    Get(Get),
    Allocate(allocate::Allocate),
    /// List what is given out
    #[command(after_help = ALLOCATIONS_HELP)]
    Allocations(List),
    /// Give values back, by POOL.KEY
    #[command(after_help = RELEASE_HELP)]
    Release(Delete),
    /// Remove pools of which nothing is allocated
    #[command(after_help = DELETE_HELP)]
    Delete(Delete),
}

const POOLS: Sort = Sort {
    kind: "Pool",
    plural: "pools",
    word: "pool",
    columns: &Columns {
        resource: "pool",
        headings: &["NAMESPACE", "NAME", "SIZE", "ALLOCATED", "FREE", "AGE"],
        narrow: 6,
        cells: |pool: &Value| {
            let number = |pointer: &str| pool.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
            vec![
                text(pool, "/metadata/namespace").to_owned(),
                text(pool, "/metadata/name").to_owned(),
                number("/status/size").to_string(),
                number("/status/allocated").to_string(),
                number("/status/free").to_string(),
                age(text(pool, "/metadata/creationTimestamp")),
            ]
        },
    },
};

const ALLOCATIONS: Sort = Sort {
    kind: "Allocation",
    plural: "allocations",
    word: "pool",
    columns: &Columns {
        resource: "allocation",
        headings: &["NAMESPACE", "NAME", "VALUE", "FENCE", "RUNNABLE", "EXPIRES", "AGE"],
        narrow: 7,
        cells: |one: &Value| {
            vec![
                text(one, "/metadata/namespace").to_owned(),
                text(one, "/metadata/name").to_owned(),
                text(one, "/status/value").to_owned(),
                one.pointer("/status/fence").and_then(Value::as_u64).unwrap_or_default().to_string(),
                or_dash(text(one, "/status/runnable")),
                or_dash(text(one, "/status/expiresAt")),
                age(text(one, "/metadata/creationTimestamp")),
            ]
        },
    },
};

impl PoolCommand {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self.verb {
            Verb::Apply(apply) => apply.run(client, POOLS).await,
            Verb::List(list) => list.run(client, POOLS).await,
            Verb::Get(get) => get.run(client, POOLS).await,
            Verb::Allocate(allocate) => allocate.run(client).await,
            Verb::Allocations(list) => list.run(client, ALLOCATIONS).await,
            Verb::Release(release) => release.run(client, ALLOCATIONS, "released").await,
            Verb::Delete(delete) => delete.run(client, POOLS, "removed").await,
        }
    }
}
