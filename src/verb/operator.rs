//! `tallyman operator ...`: the group of replicas.

mod init;

use super::ChangeOptions;
use crate::client::{Client, Request, request, text};
use crate::exit::{Exit, Failure};
use crate::output::{Form, OutputOptions, or_dash, table, yaml};
use crate::runnable;
use crate::screen::Screen;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// What one replica knows of itself and its group, without asking anybody.
pub(crate) const STATUS: &str = "/operator/status";
/// Makes a group of blank replicas.
pub(crate) const INIT: &str = "/operator/init";
/// Hands the leadership over.
const TRANSFER: &str = "/operator/transfer-leader";
/// How long a replica is given to say how it is.
const STATUS_S_MAX: u64 = 2;

/// A URL, and what the replica there said of itself.
type Answered = (String, Result<Value, Failure>);

#[derive(Debug, clap::Args)]
pub(crate) struct Operator {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a group of blank replicas, once
    Init {
        /// How many replicas the configuration lists; refused unless all of them answer that they are blank
        #[arg(long, value_name = "N")]
        expect: usize,
        /// Repeat it for this long, as 5m, until the group is there; one that was made before is a success
        #[arg(long, value_parser = runnable::duration, value_name = "TIME")]
        wait: Option<Duration>,
    },
    /// Show the replicas, as each of them sees itself; works without a leader
    Status {
        #[command(flatten)]
        output: OutputOptions,
    },
    /// Hand the leadership over
    TransferLeader {
        /// To this replica (default: the one that is furthest)
        #[arg(long, value_name = "rN", value_parser = replica_id)]
        to: Option<String>,
        #[command(flatten)]
        change: ChangeOptions,
    },
}

impl Operator {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self.verb {
            Verb::Init { expect, wait: None } => init::once(client, expect).await,
            Verb::Init { expect, wait: Some(limit) } => init::until_made(client, expect, limit).await,
            Verb::Status { output } => status(client, output.output).await,
            Verb::TransferLeader { to, change } => transfer(client, to, &change).await,
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
    let number = text.strip_prefix('r').and_then(|digits| digits.parse::<u64>().ok());
    match number {
        Some(number) if text == format!("r{number}") => Ok(text.to_owned()),
        _ => Err("it must be a replica's id, as r2".to_owned()),
    }
}

/// Asks every replica: those that are named, and those that they know of.
async fn status(client: &Client, form: Form) -> Result<(), Failure> {
    let mut urls = client.servers().to_vec();
    let listing = Request::get(format!("{}/replicas", request::API)).query("consistency", "stale");
    if let Ok(answer) = client.within(Duration::from_secs(STATUS_S_MAX)).read(&listing).await {
        for item in crate::output::items(&answer.body) {
            let url = text(item, "/spec/apiURL").trim_end_matches('/').to_owned();
            if !url.is_empty() && !urls.contains(&url) {
                urls.push(url);
            }
        }
    }
    let mut answers: Vec<Answered> = Vec::new();
    for url in urls {
        let one = client.at(&url).within(Duration::from_secs(STATUS_S_MAX));
        let answer = one.read(&Request::get(STATUS)).await.map(|answer| answer.body);
        if !is_known(&answers, &answer) {
            answers.push((url, answer));
        }
    }
    show(&answers, form)?;
    if answers.iter().any(|(_, answer)| answer.as_ref().is_ok_and(|body| !text(body, "/leader").is_empty())) {
        return Ok(());
    }
    Err(match answers.into_iter().find_map(|(_, answer)| answer.err()) {
        Some(failure) if failure.exit != Exit::Unavailable => failure,
        _ => Failure::new(
            Exit::Unavailable,
            "no replica knows of a leader",
            "start the others: more than half of the voters must run; a new group needs `tallyman operator init`",
        ),
    })
}

/// A URL may lead to a replica that has answered under another one.
fn is_known(answers: &[Answered], answer: &Result<Value, Failure>) -> bool {
    let id = answer.as_ref().map_or("", |body| text(body, "/id"));
    let is_same = |known: &Answered| known.1.as_ref().is_ok_and(|body| text(body, "/id") == id);
    !id.is_empty() && answers.iter().any(is_same)
}

fn show(answers: &[Answered], form: Form) -> Result<(), Failure> {
    let screen = Screen::stdout();
    let document = || {
        let one = |(url, answer): &Answered| match answer {
            Ok(body) => json!({"url": url, "status": body}),
            Err(failure) => json!({"url": url, "error": failure.message}),
        };
        Value::Array(answers.iter().map(one).collect())
    };
    match form {
        Form::Json => screen.line(&document().to_string()),
        Form::Yaml => screen.text(&yaml(&document())?),
        Form::Name => answers.iter().filter_map(|(_, answer)| answer.as_ref().ok()).for_each(|body| {
            screen.line(&format!("replica.tallyman.dev/{}", text(body, "/id")));
        }),
        Form::Table => {
            let headings = ["ID", "ROLE", "TERM", "LEADER", "APPLIED", "COMMITTED", "LAG", "URL", "MESSAGE"];
            table(screen, &headings, &answers.iter().map(row).collect::<Vec<_>>());
        }
    }
    Ok(())
}

fn row((url, answer): &Answered) -> Vec<String> {
    let body = match answer {
        Ok(body) => body,
        Err(failure) => {
            let mut row = vec!["-".to_owned(); 7];
            row.extend([url.clone(), failure.message.lines().next().unwrap_or_default().to_owned()]);
            return row;
        }
    };
    let number = |pointer: &str| {
        body.pointer(pointer).and_then(Value::as_u64).map_or("-".to_owned(), |n| n.to_string())
    };
    let lag = body.pointer("/lagMs").and_then(Value::as_u64).map_or("-".to_owned(), |ms| format!("{ms} ms"));
    let message = [text(body, "/fatal"), text(body, "/waitingFor")].into_iter().find(|text| !text.is_empty());
    vec![
        or_dash(text(body, "/id")),
        or_dash(text(body, "/role")),
        number("/term"),
        or_dash(text(body, "/leader")),
        number("/applied"),
        number("/committed"),
        lag,
        url.clone(),
        message.unwrap_or_default().to_owned(),
    ]
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

    #[test]
    fn a_replica_under_two_urls_is_one_replica() {
        let known = [("http://a".to_owned(), Ok(json!({"id": "r1"})))];
        assert!(is_known(&known, &Ok(json!({"id": "r1"}))));
        assert!(!is_known(&known, &Ok(json!({"id": "r2"}))));
        // Blank replicas have no ids yet.
        assert!(!is_known(&[("http://a".to_owned(), Ok(json!({})))], &Ok(json!({}))));
    }
}
