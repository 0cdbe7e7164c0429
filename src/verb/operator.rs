//! `tallyman operator ...`: the group of replicas.

mod confirm_stops;
mod init;
mod lineage;
mod member;
mod pause;
mod recover;
mod snapshot;
mod status;

pub(crate) use snapshot::SNAPSHOT;

use super::ChangeOptions;
use crate::client::{Client, Request, text};
use crate::exit::{Exit, Failure};
use crate::output::{OutputOptions, or_dash};
use crate::runnable;
use crate::screen::Screen;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tallyman_model::ReplicaId;

/// What one replica knows of itself and its group, without asking anybody.
pub(crate) const STATUS: &str = "/operator/status";
/// Makes a group of blank replicas.
pub(crate) const INIT: &str = "/operator/init";
/// Hands the leadership over.
pub(crate) const TRANSFER: &str = "/operator/transfer-leader";
/// How long a replica is given to say how it is.
const STATUS_S_MAX: u64 = 2;

const AFTER_HELP: &str = "\
Examples:
  tallyman operator status
  tallyman operator init --expect 3
  tallyman operator transfer-leader --to r2
  tallyman operator member list
  tallyman operator snapshot save night.tallyman";
const INIT_HELP: &str = "\
Examples:
  tallyman operator init --expect 3
  tallyman operator init --expect 3 --wait 5m

Exit codes: 4 refused: a replica is not blank, not there, or the group exists, 7 unknown: tallyman operator status";
const STATUS_HELP: &str = "\
Examples:
  tallyman operator status
  tallyman operator status -o json | jq '.[].status.applied'

Every named server is asked, and every replica that they know of. The last lines say what may still be lost, and
whether anything can be written.

Exit codes: 0 a leader answers and reaches a quorum, 1 replicas differ that must not, 5 nothing can be written, as far
            as is known here: no replica answers, the leader does not, or it reaches no quorum";
const TRANSFER_HELP: &str = "\
Examples:
  tallyman operator transfer-leader
  tallyman operator transfer-leader --to r2

Exit codes: 3 there is no such replica, 4 it cannot lead now, 7 unknown: tallyman operator status";

/// Work with the group of replicas
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Operator {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a group of blank replicas, once
    #[command(after_help = INIT_HELP)]
    Init {
        /// How many replicas the configuration lists; refused unless all of them answer that they are blank
        #[arg(long, value_name = "N")]
        expect: usize,
        /// Repeat it for this long, as 5m, until the group is there; one that was made before is a success
        #[arg(long, value_parser = runnable::duration, value_name = "TIME")]
        wait: Option<Duration>,
    },
    /// Show the replicas, as each of them sees itself; works without a leader
    #[command(after_help = STATUS_HELP)]
    Status {
        #[command(flatten)]
        output: OutputOptions,
    },
    /// Hand the leadership over
    #[command(after_help = TRANSFER_HELP)]
    TransferLeader {
        /// To this replica (default: the one that is furthest)
        #[arg(long, value_name = "rN", value_parser = replica_id)]
        to: Option<String>,
        #[command(flatten)]
        change: ChangeOptions,
    },
    /// Send nothing to any cluster, for the group or for one tenant
    #[command(after_help = pause::PAUSE_HELP)]
    Pause(pause::Which),
    /// Send again, for the group or for one tenant
    #[command(after_help = pause::RESUME_HELP)]
    Resume(pause::Which),
    Member(member::Member),
    Snapshot(snapshot::Snapshot),
    Recover(recover::Recover),
    Report(lineage::Report),
    Confirm(lineage::Confirm),
    ConfirmStops(confirm_stops::ConfirmStops),
}

impl Operator {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self.verb {
            Verb::Init { expect, wait: None } => init::once(client, expect).await,
            Verb::Init { expect, wait: Some(limit) } => init::until_made(client, expect, limit).await,
            Verb::Status { output } => status::show(client, &output).await,
            Verb::TransferLeader { to, change } => transfer(client, to, &change).await,
            Verb::Pause(which) => which.run(client, "pause").await,
            Verb::Resume(which) => which.run(client, "resume").await,
            Verb::Member(member) => member.run(client).await,
            Verb::Snapshot(snapshot) => snapshot.run(client).await,
            Verb::Recover(recover) => recover.run(),
            Verb::Report(report) => report.run(client).await,
            Verb::Confirm(confirm) => confirm.run(client).await,
            Verb::ConfirmStops(confirm) => confirm.run(client).await,
        }
    }
}

async fn transfer(client: &Client, to: Option<String>, change: &ChangeOptions) -> Result<(), Failure> {
    let request = Request::send(Method::POST, TRANSFER, &json!({"to": to})).keyed(change.key());
    let repeat = to.iter().map(|to| format!(" --to {to}")).collect::<String>();
    let answer =
        match (client.change(request, &format!("tallyman operator transfer-leader{repeat}")).await, to) {
            (Err(failure), Some(to)) if failure.exit == Exit::Conflict => {
                return Err(cannot_lead(client, &to).await.unwrap_or(failure));
            }
            (answer, _) => answer?,
        };
    Screen::stdout().line(&format!("{} leads now", or_dash(text(&answer.body, "/leader"))));
    Ok(())
}

/// Why a replica was not taken as the next leader, if the group's members say it.
async fn cannot_lead(client: &Client, to: &str) -> Option<Failure> {
    let status = client.within(Duration::from_secs(STATUS_S_MAX)).read(&Request::get(STATUS)).await.ok()?;
    why_not(&status.body, to)
        .map(|(exit, message)| Failure::new(exit, message, "tallyman operator status shows who votes"))
}

fn why_not(status: &Value, to: &str) -> Option<(Exit, String)> {
    let listed = |pointer: &str| {
        let ids = status.pointer(pointer).and_then(Value::as_array);
        ids.into_iter().flatten().any(|id| id.as_str() == Some(to))
    };
    match (listed("/voters"), listed("/learners")) {
        (true, _) if text(status, "/leader") == to => Some((Exit::Conflict, format!("{to} leads already"))),
        (true, _) => None,
        (false, true) => Some((Exit::Conflict, format!("{to} does not vote yet, so it cannot lead"))),
        (false, false) => Some((Exit::NotFound, format!("there is no replica {to} in the group"))),
    }
}

/// A replica's id, as `r2`.
fn replica_id(text: &str) -> Result<String, String> {
    match ReplicaId::parse(text) {
        Some(id) if text == id.to_string() => Ok(text.to_owned()),
        _ => Err("it must be a replica's id, as r2".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_replica_that_cannot_lead_is_told_apart_from_one_that_is_not_there() {
        let status = json!({"leader": "r1", "voters": ["r1", "r2"], "learners": ["r3"]});
        assert_eq!(why_not(&status, "r9").unwrap().0, Exit::NotFound);
        assert_eq!(why_not(&status, "r3").unwrap().0, Exit::Conflict);
        assert_eq!(why_not(&status, "r1").unwrap().1, "r1 leads already");
        assert_eq!(why_not(&status, "r2"), None);
        assert_eq!(replica_id("r2").as_deref(), Ok("r2"));
        for wrong in ["2", "r", "r+2", "r02", "east"] {
            assert!(replica_id(wrong).is_err(), "{wrong}");
        }
    }
}
