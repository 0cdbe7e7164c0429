//! From the command line to numbers.

use super::inventory::{Anywhere, Ask, Fill};
use super::scripts::{Mixed, Reads, Writer, Writes};
use super::{Bench, Workload, watchers};
use crate::client::{Client, Request, request};
use crate::env::Machine;
use crate::exit::{Exit, Failure};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tallyman_chaos::load::{self, Histogram, Outcome, Script, Target};
use tallyman_model::Env as _;

/// Runnables that reads are spread over.
const READ_FROM: u64 = 64;

/// What was asked of whom, and what came of it.
pub(super) struct Measured {
    /// The servers that were asked.
    pub(super) servers: Vec<String>,
    pub(super) outcome: Outcome,
    /// What the watchers saw.
    pub(super) seen: Option<Seen>,
}

/// What the watchers saw.
pub(super) struct Seen {
    /// From when a submission was to be sent until a watcher had it, in µs.
    pub(super) latency: Histogram,
    /// Events that should have come and did not.
    pub(super) missed: u64,
}

/// Runs the load.
///
/// # Errors
/// It could not begin: no server answers, or what is to be read could not be written.
pub(super) async fn measure(bench: &Bench, client: &Client) -> Result<Measured, Failure> {
    let servers = match bench.workload {
        Workload::Reads | Workload::Gets | Workload::Lists => followers(client).await?,
        _ => client.servers().to_vec(),
    };
    let targets: Vec<Target> = servers.iter().map(|url| client.load_target(url)).collect::<Result<_, _>>()?;
    let uid = Machine.uid();
    let writer = Writer::new(bench.namespace(), bench.bytes, &uid.to_string());
    if bench.workload == Workload::Watch {
        let (outcome, seen) = watchers::run(bench, client, targets, writer).await?;
        return Ok(Measured { servers, outcome, seen: Some(seen) });
    }
    let query = match bench.workload {
        Workload::Linearizable => Some(String::new()),
        Workload::Stale => Some("?consistency=stale".to_owned()),
        Workload::Reads => Some("?resourceVersionMatch=NotOlderThan&resourceVersion=".to_owned()),
        _ => None,
    };
    let paths = match query {
        Some(query) => prepare(client, &writer, &query, bench.workload == Workload::Reads).await?,
        None => Vec::new(),
    };
    let plan = bench.plan(targets);
    let (writes, rows, next) = (bench.writes, bench.rows, Arc::new(AtomicU64::new(bench.rows)));
    let seed = uid.0.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    let anywhere = |ask, number| Box::new(Anywhere::new(ask, rows, number, seed));
    let outcome = load::run(plan, |number| -> Box<dyn Script> {
        match bench.workload {
            Workload::Writes | Workload::Watch => Box::new(Writes::new(writer.clone(), number)),
            Workload::Mixed => Box::new(Mixed::new(writer.clone(), number, writes)),
            Workload::Fill => Box::new(Fill::new(writer.clone(), Arc::clone(&next), number)),
            Workload::Gets => anywhere(Ask::Get, number),
            Workload::Lists => anywhere(Ask::List, number),
            Workload::Churn => anywhere(Ask::Churn, number),
            Workload::Reads | Workload::Linearizable | Workload::Stale => {
                Box::new(Reads::new(paths.clone(), number))
            }
        }
    })
    .await;
    Ok(Measured { servers, outcome, seen: None })
}

/// Writes what is to be read; the paths of reads that find it, with the newest revision as their token.
async fn prepare(
    client: &Client,
    writer: &Writer,
    query: &str,
    with_token: bool,
) -> Result<Vec<String>, Failure> {
    let (mut names, mut revision) = (Vec::new(), 0);
    for number in 0..READ_FROM {
        let name = writer.name("read", number);
        let mut request = Request::new(reqwest::Method::POST, request::runnables(Some(writer.namespace())))
            .header("content-type", "application/json".to_owned());
        request.body = Some(writer.body(&name, ""));
        revision = client.change(request, "tallyman bench").await?.revision();
        names.push(name);
    }
    let token = if with_token { revision.to_string() } else { String::new() };
    let path = |name: &String| format!("{}{query}{token}", request::runnable(writer.namespace(), name));
    Ok(names.iter().map(path).collect())
}

/// The servers that do not lead.
async fn followers(client: &Client) -> Result<Vec<String>, Failure> {
    let mut followers = Vec::new();
    for server in client.servers() {
        let asked = Request::get(request::runnables(None)).query("limit", 1).query("consistency", "stale");
        let answer = client.at(server).read(&asked).await?;
        if answer.header("tallyman-served-by") != answer.header("tallyman-leader") {
            followers.push(server.clone());
        }
    }
    if followers.is_empty() {
        let message = "none of the servers is a follower";
        return Err(Failure::new(Exit::Usage, message, "name all servers in TALLYMAN_SERVER"));
    }
    Ok(followers)
}
