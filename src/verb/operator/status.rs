//! `tallyman operator status`: what each replica says of itself, and what that means for the group.

use super::{STATUS, STATUS_S_MAX};
use crate::client::{Client, Request, request, text};
use crate::exit::{Exit, Failure};
use crate::output::{Form, OutputOptions, items, or_dash};
use crate::screen::Screen;
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A URL, and what the replica there said of itself.
type Answered = (String, Result<Value, Failure>);

/// Asks every replica: those that are named, and those that they know of.
pub(super) async fn show(client: &Client, output: &OutputOptions) -> Result<(), Failure> {
    let limit = Duration::from_secs(STATUS_S_MAX);
    let listing = Request::get(format!("{}/replicas", request::API)).query("consistency", "stale");
    let known = match client.within(limit).read(&listing).await {
        Err(failure) if failure.is_printed() => {
            for server in client.servers() {
                let _ = client.at(server).read(&Request::get(STATUS)).await;
            }
            client.remark("and the same of each other .spec.apiURL that is listed");
            return Err(failure);
        }
        known => known.map(|answer| answer.body).unwrap_or_default(),
    };
    let mut urls = client.servers().to_vec();
    let mut datacenters = BTreeMap::new();
    for item in known.get("items").map(|_| items(&known)).into_iter().flatten() {
        let url = text(item, "/spec/apiURL").trim_end_matches('/').to_owned();
        datacenters
            .insert(text(item, "/metadata/name").to_owned(), text(item, "/spec/datacenter").to_owned());
        if !url.is_empty() && !urls.contains(&url) {
            urls.push(url);
        }
    }
    let ask = async |url: &String| {
        let answer = client.at(url).within(limit).read(&Request::get(STATUS)).await;
        (url.clone(), answer.map(|answer| answer.body))
    };
    let mut answers: Vec<Answered> = Vec::new();
    for answered in join_all(urls.iter().map(ask)).await {
        if !is_known(&answers, &answered.1) {
            answers.push(answered);
        }
    }
    let group = Group { answers: &answers, datacenters: &datacenters };
    group.print(output)?;
    group.verdict()
}

/// A URL may lead to a replica that has answered under another one.
fn is_known(answers: &[Answered], answer: &Result<Value, Failure>) -> bool {
    let id = answer.as_ref().map_or("", |body| text(body, "/id"));
    let is_same = |known: &Answered| known.1.as_ref().is_ok_and(|body| text(body, "/id") == id);
    !id.is_empty() && answers.iter().any(is_same)
}

/// The group, as its replicas tell of it.
struct Group<'a> {
    answers: &'a [Answered],
    datacenters: &'a BTreeMap<String, String>,
}

impl Group<'_> {
    fn bodies(&self) -> impl Iterator<Item = &Value> {
        self.answers.iter().filter_map(|(_, answer)| answer.as_ref().ok())
    }

    fn print(&self, output: &OutputOptions) -> Result<(), Failure> {
        let screen = Screen::stdout();
        let one = |(url, answer): &Answered| match answer {
            Ok(body) => json!({"url": url, "status": body}),
            Err(failure) => json!({"url": url, "error": failure.message}),
        };
        if output.output == Form::Name {
            self.bodies()
                .for_each(|body| screen.line(&format!("replica.tallyman.dev/{}", text(body, "/id"))));
            return Ok(());
        }
        output.print_plain(&Value::Array(self.answers.iter().map(one).collect()), |output| {
            let all = [
                "ID",
                "ROLE",
                "DATACENTER",
                "TERM",
                "APPLIED",
                "LAG",
                "URL",
                "MESSAGE",
                "COMMITTED",
                "LEDGER",
                "STATE HASH",
                "DISK LEFT",
                "FLUSH",
                "UNDERSTANDS",
            ];
            let headings =
                if output.output == Form::Wide { all.as_slice() } else { all.get(..8).unwrap_or_default() };
            let rows: Vec<Vec<String>> = self.answers.iter().map(|answered| self.row(answered)).collect();
            output.table(headings, &rows);
            if !output.no_headers {
                self.words().iter().for_each(|line| screen.line(line));
            }
        })
    }

    fn leader(&self) -> Option<&Value> {
        self.bodies().find(|body| text(body, "/role") == "leader")
    }

    /// Why nothing can be written, as far as the replicas that answer know; `None` if it can.
    fn hindrance(&self) -> Option<String> {
        let Some(leader) = self.leader() else {
            let named = self.bodies().map(|body| text(body, "/leader")).find(|id| !id.is_empty());
            return Some(match named {
                Some(id) => format!("{id}, which is said to lead, does not answer"),
                None => "no replica knows of a leader".to_owned(),
            });
        };
        let voters = ids(leader, "/voters");
        let answering = self.bodies().filter(|body| voters.contains(&text(body, "/id"))).count();
        let id = text(leader, "/id");
        match (text(leader, "/waitingFor"), answering > voters.len() / 2) {
            ("", true) => None,
            ("", false) => Some("no quorum answers".to_owned()),
            (wanted, _) => Some(format!("{id}, which leads, waits for {wanted}")),
        }
    }

    /// What it means: who leads, what may still be lost, and whether anything can be written.
    fn words(&self) -> Vec<String> {
        let mut lines = self.words_of_loss();
        if let Some(lineage) = self.bodies().find_map(|body| body.get("lineage")?.as_object())
            && lineage.get("confirmed") == Some(&Value::Bool(false))
        {
            let origin = lineage.get("origin").and_then(Value::as_str).unwrap_or("restored");
            lines.push(format!(
                "sends: no (the group is {origin}: tallyman operator report, then tallyman operator confirm)"
            ));
        }
        lines.extend(self.words_of_pause());
        lines.push(match self.hindrance() {
            None => "writes: yes".to_owned(),
            Some(why) => format!("writes: no ({why})"),
        });
        lines.extend(self.words_of_version());
        match self.leader().map_or("", |leader| text(leader, "/refusesSubmissions")) {
            "" => {}
            why => lines.push(format!("submissions: no ({why})")),
        }
        lines
    }

    /// That nothing is sent, or nothing more is stopped, for whom, and why.
    fn words_of_pause(&self) -> Vec<String> {
        let Some(body) = self.leader().or_else(|| self.bodies().next()) else { return Vec::new() };
        let why = |pause: &Value| {
            let (by, at, reason) = (text(pause, "/by"), text(pause, "/at"), text(pause, "/reason"));
            let reason = if reason.is_empty() { String::new() } else { format!(", {reason}") };
            format!("paused by {by} at {at}{reason}")
        };
        let group = body.get("paused").filter(|pause| pause.is_object());
        let group = group.map(|pause| format!("sends: no ({}: tallyman operator resume)", why(pause)));
        let tenants = body.get("pausedTenants").and_then(Value::as_array).into_iter().flatten();
        let tenants = tenants.map(|pause| {
            let tenant = text(pause, "/tenant");
            format!("sends for {tenant}: no ({}: tallyman operator resume --tenant {tenant})", why(pause))
        });
        let brakes = body.get("brakes").and_then(Value::as_array).into_iter().flatten();
        let brakes = brakes.map(|brake| {
            let name = [text(brake, "/cluster"), text(brake, "/tenant")].concat();
            format!("stops for {name}: no ({})", text(brake, "/message"))
        });
        group.into_iter().chain(tenants).chain(brakes).collect()
    }

    /// That the group could go further, and which replicas hold it.
    fn words_of_version(&self) -> Option<String> {
        let version = |body: &Value, pointer: &str| body.pointer(pointer).and_then(Value::as_u64);
        let known = self.bodies().map(|body| (text(body, "/id"), version(body, "/version/understands")));
        let known: Vec<(&str, u64)> =
            known.filter_map(|(id, understands)| Some((id, understands?))).collect();
        let at = self.bodies().filter_map(|body| version(body, "/version/group")).max()?;
        let most = known.iter().map(|(_, understands)| *understands).max().filter(|most| *most > at)?;
        let old = known.iter().filter(|(_, understands)| *understands < most).map(|(id, _)| *id);
        let old = old.collect::<Vec<_>>().join(", ");
        Some(match old.as_str() {
            "" => format!("group version {at}: it is raised to {most} when every replica has answered"),
            old => {
                format!("group version {at}: it is raised when a build that understands {most} runs on {old}")
            }
        })
    }

    fn words_of_loss(&self) -> Vec<String> {
        let Some(leader) = self.leader() else { return Vec::new() };
        let voters = ids(leader, "/voters");
        let answering: BTreeSet<&str> =
            self.bodies().map(|body| text(body, "/id")).filter(|id| voters.contains(id)).collect();
        let quorum = voters.len() / 2 + 1;
        let mut lines = vec![format!(
            "{} leads in term {}; {} of {} voters answer, {quorum} are needed",
            text(leader, "/id"),
            leader.get("term").and_then(Value::as_u64).unwrap_or_default(),
            answering.len(),
            voters.len()
        )];
        lines.push(match answering.len().checked_sub(quorum) {
            None => "more are lost already than may be".to_owned(),
            Some(0) => "not one more may be lost".to_owned(),
            Some(spare) => {
                format!(
                    "{spare} more may be lost{}",
                    if self.survives_datacenter(&answering, quorum) { ", or any one datacenter" } else { "" }
                )
            }
        });
        lines
    }

    fn survives_datacenter(&self, answering: &BTreeSet<&str>, quorum: usize) -> bool {
        let place = |id: &str| self.datacenters.get(id).map_or("", String::as_str);
        let all: BTreeSet<&str> = answering.iter().map(|id| place(id)).collect();
        let left = |lost: &str| answering.iter().filter(|id| place(id) != lost).count();
        all.len() > 1 && all.iter().all(|lost| left(lost) >= quorum)
    }

    fn row(&self, (url, answer): &Answered) -> Vec<String> {
        let body = match answer {
            Ok(body) => body,
            Err(failure) => {
                let mut row = vec!["-".to_owned(); 6];
                // The first line says only that nobody answered.
                let why = failure.message.lines().last().unwrap_or_default().trim();
                row.extend([
                    url.clone(),
                    why.trim_start_matches(url.as_str()).trim_start_matches(": ").to_owned(),
                ]);
                row.extend(vec!["-".to_owned(); 6]);
                return row;
            }
        };
        let number = |pointer: &str| {
            body.pointer(pointer).and_then(Value::as_u64).map_or("-".to_owned(), |n| n.to_string())
        };
        let ms = |pointer: &str| {
            body.pointer(pointer).and_then(Value::as_u64).map_or("-".to_owned(), |ms| format!("{ms} ms"))
        };
        let words = ["/fatal", "/refusedByPeer", "/waitingFor"].map(|pointer| text(body, pointer));
        let message = words.into_iter().find(|words| !words.is_empty()).map(str::to_owned);
        let message = message.or_else(|| pressed(body)).unwrap_or_default();
        let id = text(body, "/id");
        let hash = text(body, "/stateHash/hash");
        vec![
            or_dash(id),
            or_dash(text(body, "/role")),
            or_dash(self.datacenters.get(id).map_or("", String::as_str)),
            number("/term"),
            number("/applied"),
            ms("/lagMs"),
            url.clone(),
            message,
            number("/committed"),
            number("/ledger/records"),
            format!("{}@{}", hash.get(..8).unwrap_or(hash), number("/stateHash/index")),
            disk_left(body).unwrap_or_else(|| "-".to_owned()),
            ms("/disk/flushMs"),
            number("/version/understands"),
        ]
    }

    /// An error if the group does not serve, or if replicas differ that must not.
    fn verdict(&self) -> Result<(), Failure> {
        let mut hashes: BTreeMap<u64, &str> = BTreeMap::new();
        for body in self.bodies() {
            let index = body.pointer("/stateHash/index").and_then(Value::as_u64).unwrap_or_default();
            let hash = text(body, "/stateHash/hash");
            if !hash.is_empty() && *hashes.entry(index).or_insert(hash) != hash {
                return Err(Failure::new(
                    Exit::Failed,
                    format!("the replicas' states differ at log index {index}"),
                    "tallyman operator status -o wide; replace the one that differs by a blank replica",
                ));
            }
        }
        let Some(why) = self.hindrance() else { return Ok(()) };
        let refused = self.answers.iter().find_map(|(_, answer)| answer.as_ref().err());
        Err(match refused {
            Some(failure) if failure.exit != Exit::Unavailable => failure.clone(),
            Some(failure) if self.bodies().next().is_none() => failure.clone(),
            _ => Failure::new(
                Exit::Unavailable,
                format!("nothing can be written: {why}"),
                "start the others: more than half of the voters must run; a new group needs `tallyman operator init`",
            ),
        })
    }
}

/// What a replica with too little space on its disk says of it.
fn pressed(body: &Value) -> Option<String> {
    let is_pressed = body.pointer("/disk/pressed") == Some(&Value::Bool(true));
    let left = disk_left(body).filter(|_| is_pressed)?;
    Some(format!("only {left} left on its disk"))
}

fn disk_left(body: &Value) -> Option<String> {
    let available = body.pointer("/disk/availableBytes").and_then(Value::as_u64)?;
    Some(format!("{} MiB", available / (1024 * 1024)))
}

fn ids<'a>(body: &'a Value, pointer: &str) -> Vec<&'a str> {
    body.pointer(pointer).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(answering: &[&str]) -> Vec<Answered> {
        let voters = ["r1", "r2", "r3", "r4", "r5"];
        let body = |id: &&str| {
            let role = if *id == "r1" { "leader" } else { "follower" };
            (
                format!("http://{id}"),
                Ok(json!({"id": id, "role": role, "term": 3, "leader": "r1", "voters": voters})),
            )
        };
        answering.iter().map(body).collect()
    }

    fn words(answering: &[&str]) -> String {
        let places = [("r1", "a"), ("r2", "a"), ("r3", "b"), ("r4", "b"), ("r5", "c")];
        let datacenters = places.map(|(id, place)| (id.to_owned(), place.to_owned())).into();
        let answers = group(answering);
        Group { answers: &answers, datacenters: &datacenters }.words().join("; ")
    }

    #[test]
    fn what_may_still_be_lost_is_said() {
        assert!(
            words(&["r1", "r2", "r3", "r4", "r5"])
                .ends_with("2 more may be lost, or any one datacenter; writes: yes")
        );
        assert!(words(&["r1", "r2", "r3", "r4"]).contains("3 are needed; 1 more may be lost;"));
        assert!(words(&["r1", "r2", "r5"]).ends_with("not one more may be lost; writes: yes"));
        assert!(words(&["r1", "r5"]).ends_with("writes: no (no quorum answers)"));
        assert_eq!(words(&["r2", "r3", "r4"]), "writes: no (r1, which is said to lead, does not answer)");
    }

    #[test]
    fn a_full_disk_and_what_follows_from_it_are_said() {
        let mut answers = group(&["r1", "r2", "r3"]);
        let Some((_, Ok(body))) = answers.first_mut() else { return };
        body["refusesSubmissions"] = json!("disks are full: r1 has 5 MiB left");
        body["disk"] = json!({"availableBytes": 5 << 20, "pressed": true, "flushMs": 7});
        let places = BTreeMap::new();
        let group = Group { answers: &answers, datacenters: &places };
        let words = group.words().join("; ");
        assert!(
            words.ends_with("writes: yes; submissions: no (disks are full: r1 has 5 MiB left)"),
            "{words}"
        );
        let row = group.row(&answers[0]);
        assert_eq!(row[7], "only 5 MiB left on its disk");
        assert_eq!(row[11..], ["5 MiB", "7 ms", "-"]);
    }

    #[test]
    fn which_replicas_hold_the_groups_version_is_said() {
        let mut answers = group(&["r1", "r2", "r3"]);
        for ((_, answer), understands) in answers.iter_mut().zip([3, 2, 3]) {
            let Ok(body) = answer else { continue };
            body["version"] = json!({"group": 2, "understands": understands});
        }
        let places = BTreeMap::new();
        let words = |answers: &[Answered]| Group { answers, datacenters: &places }.words_of_version();
        let held = "group version 2: it is raised when a build that understands 3 runs on r2";
        assert_eq!(words(&answers).as_deref(), Some(held));
        answers.retain(|(url, _)| url != "http://r2");
        let asked = "group version 2: it is raised to 3 when every replica has answered";
        assert_eq!(words(&answers).as_deref(), Some(asked));
        assert_eq!(words(&group(&["r1"])), None, "a build of before says nothing of it");
    }

    #[test]
    fn states_that_differ_at_one_index_are_an_error() {
        let answer = |hash: &str, index: u64| {
            let body = json!({"id": hash, "role": "leader", "leader": hash, "voters": [hash], "stateHash": {"index": index, "hash": hash}});
            (format!("http://{hash}"), Ok(body))
        };
        let verdict = |answers: &[Answered]| {
            Group { answers, datacenters: &BTreeMap::new() }.verdict().map_err(|failure| failure.exit)
        };
        assert_eq!(verdict(&[answer("a", 1), answer("b", 2)]), Ok(()));
        assert_eq!(verdict(&[answer("a", 1), answer("b", 1)]), Err(Exit::Failed));
    }

    #[test]
    fn it_ends_well_only_where_something_can_be_written() {
        let places = BTreeMap::new();
        let verdict = |answers: &[Answered]| {
            let group = Group { answers, datacenters: &places };
            group.verdict().map_err(|failure| (failure.exit, failure.message))
        };
        assert_eq!(verdict(&group(&["r1", "r2", "r3"])), Ok(()));
        let no = |why: &str| Err((Exit::Unavailable, format!("nothing can be written: {why}")));
        assert_eq!(verdict(&group(&["r2", "r3", "r4"])), no("r1, which is said to lead, does not answer"));
        let mut answers = group(&["r1", "r2", "r3"]);
        if let Some((_, Ok(body))) = answers.first_mut() {
            body["waitingFor"] = json!("a quorum");
        }
        assert_eq!(verdict(&answers), no("r1, which leads, waits for a quorum"));
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
