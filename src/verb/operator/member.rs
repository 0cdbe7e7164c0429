//! `tallyman operator member`: replicas are added, promoted, replaced and removed.

use super::replica_id;
use crate::client::{Client, Request, text};
use crate::exit::Failure;
use crate::output::{OutputOptions, or_dash};
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use reqwest::Method;
use serde_json::{Value, json};

const MEMBERS: &str = "/operator/members";

const AFTER_HELP: &str = "\
Examples:
  tallyman operator member list
  tallyman operator member add tallyman-3.example.com:7101 --voter
  tallyman operator member replace r2 tallyman-3.example.com:7101
  tallyman operator member remove r2

What is asked for is recorded at once; the leader does it one step at a time, as soon as that is safe, and a new leader
goes on with it. `member list` shows how far it is. From three to five replicas: start two more with the configuration
of the others in which `peers` lists all five, and add both.";
const LIST_HELP: &str = "\
Examples:
  tallyman operator member list
  tallyman operator member list -o json | jq '.members[] | select(.votes) | .id'

STATE is what a replica is to be: a Voter; a Learner, which gets everything and does not vote; Joining, which votes once
it has caught up; Leaving, which is removed once the others can do without it; Expected, which may join.";
const ADD_HELP: &str = "\
Examples:
  tallyman operator member add tallyman-3.example.com:7101
  tallyman operator member add tallyman-3.example.com:7101 --voter

A blank replica that advertises this peer address may join from now on, under a new id. One that lost its data directory
and comes back at its old address needs no word: it gets the part that it had.

Exit codes: 1 it is no address, or there are too many replicas, 4 a replica is reached there already";
const PROMOTE_HELP: &str = "\
Examples:
  tallyman operator member promote r7

Also takes back a removal that is not done yet.

Exit codes: 3 there is no such replica, 4 it has not caught up, or too few voters would answer";
const REMOVE_HELP: &str = "\
Examples:
  tallyman operator member remove r2
  tallyman operator member remove tallyman-3.example.com:7101

The replica stops itself with exit code 0 once it is removed; its data directory is of no use any more. A leader hands
over first. An address is that of a replica that has not joined yet.

Exit codes: 3 there is no such replica, 4 too few of the other voters answer to do without it";
const REPLACE_HELP: &str = "\
Examples:
  tallyman operator member replace r2 tallyman-3.example.com:7101
  tallyman operator member replace r2 r7

The new one joins as a learner; when it has caught up it gets the vote of the old one in one step, and the old one stops
itself.

Exit codes: 1 it is no address, 3 there is no such replica, 4 the old one does not vote, or the new one does";
const PREFER_HELP: &str = "\
Examples:
  tallyman operator member prefer frankfurt
  tallyman operator member prefer --none

The leader hands over to a voter there that has been fit to lead for ten seconds; after each time for twice as long, up to
some minutes, until an hour has passed. Wherever else a leader is elected meanwhile, it serves.

Exit codes: 1 no replica is there";

/// Add, promote, replace and remove replicas
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Member {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the replicas of the group, and those that may join
    #[command(after_help = LIST_HELP)]
    List {
        /// Answer at once from the asked server's own state, also without a leader
        #[arg(long)]
        stale: bool,
        #[command(flatten)]
        output: OutputOptions,
    },
    /// Let a blank replica join, as a learner
    #[command(after_help = ADD_HELP)]
    Add {
        /// host:port under which its peers reach it, as its configuration advertises it
        #[arg(value_name = "HOST:PORT")]
        address: String,
        /// It is to vote as soon as it has caught up
        #[arg(long)]
        voter: bool,
        #[command(flatten)]
        change: ChangeOptions,
    },
    /// Let a learner vote
    #[command(after_help = PROMOTE_HELP)]
    Promote {
        /// The learner
        #[arg(value_name = "rN", value_parser = replica_id)]
        id: String,
        #[command(flatten)]
        change: ChangeOptions,
    },
    /// Have a replica leave the group
    #[command(after_help = REMOVE_HELP)]
    Remove {
        /// The replica, or the address of one that has not joined yet
        #[arg(value_name = "rN|HOST:PORT", value_parser = id_or_address)]
        member: String,
        #[command(flatten)]
        change: ChangeOptions,
    },
    /// Have another replica take the place of one
    #[command(after_help = REPLACE_HELP)]
    Replace {
        /// The one that goes
        #[arg(value_name = "OLD", value_parser = replica_id)]
        old: String,
        /// The one that comes: a learner, or the address of a blank replica
        #[arg(value_name = "NEW", value_parser = id_or_address)]
        new: String,
        #[command(flatten)]
        change: ChangeOptions,
    },
    /// Say in which datacenter the leader is to be
    #[command(after_help = PREFER_HELP)]
    Prefer {
        /// As the replicas name theirs
        #[arg(value_name = "DATACENTER", required_unless_present = "none")]
        datacenter: Option<String>,
        /// Anywhere
        #[arg(long, conflicts_with = "datacenter")]
        none: bool,
        #[command(flatten)]
        change: ChangeOptions,
    },
}

impl Member {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (verb, body, words, change) = match self.verb {
            Verb::List { stale, output } => return list(client, stale, &output).await,
            Verb::Add { address, voter, change } => {
                let words = format!("{address}{}", if voter { " --voter" } else { "" });
                ("add", json!({"address": address, "voter": voter}), words, change)
            }
            Verb::Promote { id, change } => ("promote", json!({"id": id}), id, change),
            Verb::Remove { member, change } => ("remove", json!({"member": member}), member, change),
            Verb::Replace { old, new, change } => {
                ("replace", json!({"old": old, "new": new}), format!("{old} {new}"), change)
            }
            Verb::Prefer { datacenter, none: _, change } => {
                let words = datacenter.clone().unwrap_or_else(|| "--none".to_owned());
                ("prefer", json!({"datacenter": datacenter}), words, change)
            }
        };
        let request = Request::send(Method::POST, format!("{MEMBERS}/{verb}"), &body).keyed(change.key());
        let answer = client.change(request, &format!("tallyman operator member {verb} {words}")).await?;
        Screen::stdout().line(&said(verb, &body, &answer.body));
        Ok(())
    }
}

/// What was decided, in words.
fn said(verb: &str, asked: &Value, answer: &Value) -> String {
    let (id, address) = (text(answer, "/id"), text(answer, "/peerAddress"));
    match verb {
        "prefer" if asked["datacenter"].is_null() => "the leader may be anywhere".to_owned(),
        "prefer" => format!("the leader is to be in {}", text(asked, "/datacenter")),
        "remove" if id.is_empty() => format!("{} may join no more", text(asked, "/member")),
        "remove" => format!("{id} leaves as soon as the others can do without it, and stops itself then"),
        "promote" if text(answer, "/state") == "Voter" => format!("{id} votes already"),
        "promote" => format!("{id} votes as soon as it has caught up"),
        "replace" if id.is_empty() => {
            format!("start a blank replica at {address}: it takes the place of {}", text(asked, "/old"))
        }
        "replace" => format!("{id} takes the place of {} as soon as it has caught up", text(asked, "/old")),
        _ => {
            let part = if text(answer, "/joinsAs") == "Voter" {
                "votes once it has caught up"
            } else {
                "is a learner"
            };
            format!("start a blank replica at {address}: it may join, and {part}")
        }
    }
}

async fn list(client: &Client, stale: bool, output: &OutputOptions) -> Result<(), Failure> {
    let request = Request::get(MEMBERS).query_some("consistency", stale.then_some("stale"));
    let document = client.read(&request).await?.body;
    output.print_plain(&document, |output| {
        output.table(&["ID", "STATE", "VOTES", "DATACENTER", "PEER", "URL"], &rows(&document));
        let preferred = text(&document, "/preferredDatacenter");
        if !output.no_headers && !preferred.is_empty() {
            Screen::stdout().line(&format!("the leader is to be in {preferred}"));
        }
    })
}

fn rows(document: &Value) -> Vec<Vec<String>> {
    let listed = |key: &str| document.get(key).and_then(Value::as_array).into_iter().flatten();
    let leader = text(document, "/leader");
    let mut rows: Vec<Vec<String>> = Vec::new();
    for member in listed("members") {
        let id = text(member, "/id");
        let votes = match member.get("votes") {
            Some(Value::Bool(true)) if id == leader => "leads",
            Some(Value::Bool(true)) => "yes",
            _ => "no",
        };
        let state = in_place(text(member, "/state"), text(member, "/replaces"));
        let places = ["/datacenter", "/peerAddress", "/apiURL"].map(|pointer| or_dash(text(member, pointer)));
        rows.push([vec![id.to_owned(), state, votes.to_owned()], places.to_vec()].concat());
    }
    for expected in listed("expected") {
        let part = text(expected, "/joinsAs");
        let state = in_place(&format!("Expected {part}"), text(expected, "/replaces"));
        let address = text(expected, "/peerAddress");
        rows.push(["-", &state, "no", "-", address, "-"].map(str::to_owned).to_vec());
    }
    rows
}

/// The state, and whose place it takes.
fn in_place(state: &str, replaces: &str) -> String {
    if replaces.is_empty() { state.to_owned() } else { format!("{state} for {replaces}") }
}

/// A replica's id, or where one is reached.
fn id_or_address(text: &str) -> Result<String, String> {
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    match port {
        Some((_, port)) if port.parse::<u16>().is_ok_and(|port| port != 0) => Ok(text.to_owned()),
        _ => replica_id(text).map_err(|_| "it must be a replica's id, as r2, or host:port".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_those_that_may_join_are_listed_with_what_they_are_to_be() {
        let member = |id: &str, state: &str, replaces: Value| {
            json!({"id": id, "state": state, "votes": id != "r7", "replaces": replaces,
                "datacenter": "a", "peerAddress": "h:1", "apiURL": "http://h:2"})
        };
        let document = json!({
            "members": [member("r1", "Voter", json!(null)), member("r7", "Joining", json!("r2"))],
            "expected": [{"peerAddress": "m:1", "joinsAs": "Learner", "replaces": null}],
            "leader": "r1",
        });
        let lines: Vec<String> = rows(&document).into_iter().map(|row| row.join("|")).collect();
        assert_eq!(
            lines,
            [
                "r1|Voter|leads|a|h:1|http://h:2",
                "r7|Joining for r2|no|a|h:1|http://h:2",
                "-|Expected Learner|no|-|m:1|-"
            ]
        );
    }

    #[test]
    fn a_member_is_named_by_id_or_address() {
        for right in ["r2", "m:1", "[::1]:7101", "r2:7101"] {
            assert_eq!(id_or_address(right).as_deref(), Ok(right));
        }
        for wrong in ["2", "m", "m:0", ":1", "m:x", "r02"] {
            assert!(id_or_address(wrong).is_err(), "{wrong}");
        }
    }
}
