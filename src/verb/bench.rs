//! `tallyman bench`: how much a group takes, and how fast it answers.

mod inventory;
mod measure;
mod report;
mod scripts;
mod watchers;

use crate::client::{Client, Where};
use crate::exit::{Exit, Failure};
use crate::output::OutputOptions;
use crate::runnable;
use std::time::Duration;
use tallyman_chaos::load::{Pace, Plan, Target};

/// The tenant of what is submitted, when nobody says.
const NAMESPACE_DEFAULT: &str = "bench";
/// Clients at the same time.
const CLIENTS_MAX: u64 = 10_000;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Workload {
    /// Submissions, to all servers in turn
    Writes,
    /// Reads of one runnable with a token, on followers only
    Reads,
    /// Linearizable reads of one runnable, on all servers
    Linearizable,
    /// Reads of one runnable from the asked server's own state
    Stale,
    /// Submissions, and how soon each of many watchers has seen them
    Watch,
    /// Submissions, and reads of one's own last one with its token on another server
    Mixed,
    /// Submissions of 20 namespaces with labels, of which one in five is cancelled; they go on behind --rows
    Fill,
    /// Reads of any of the first --rows that `fill` made, on followers only
    Gets,
    /// Pages of 50 by namespace, label and phase of the first --rows that `fill` made, on followers only
    Lists,
    /// Retries and cancels of any of the first --rows that `fill` made
    Churn,
}

/// Measure how much a group takes and how fast it answers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tallyman bench writes --clients 128 --duration 10s --server http://a:7001,http://b:7001
  tallyman bench mixed --rate 500 --clients 64 -o json

What is submitted is a Job that is held until somebody of the group bench approves it, so that
no cluster is measured. Submissions stay: use a group and a namespace that you can do without.")]
pub(crate) struct Bench {
    /// What is asked
    #[arg(value_enum, value_name = "WORKLOAD")]
    workload: Workload,
    /// Clients, each with one request under way at most
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=CLIENTS_MAX))]
    clients: u64,
    /// Requests a second over all clients, sent whether or not the servers keep up; times count from when a request
    /// was due (default: a client sends the next one when it has its answer)
    #[arg(long, value_name = "N", value_parser = positive)]
    rate: Option<f64>,
    /// How long, as 10s or 1m
    #[arg(long, default_value = "10s", value_parser = runnable::duration, value_name = "TIME")]
    duration: Duration,
    /// Not more requests than these
    #[arg(long, value_name = "N")]
    requests: Option<u64>,
    /// Bytes of a submission
    #[arg(long, default_value_t = 512, value_name = "N", value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    bytes: u64,
    /// Of `mixed`: how many of 100 requests are submissions
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=99))]
    writes: u64,
    /// Of `watch`: how many watch, spread over all servers
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=CLIENTS_MAX))]
    watchers: u64,
    /// Of `fill`, `gets`, `lists` and `churn`: how many rows `fill` has made so far
    #[arg(long, default_value_t = 0, value_name = "N")]
    rows: u64,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    output: OutputOptions,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && f64::is_finite(rate) => Ok(rate),
        _ => Err("not a rate: a number above 0, in requests a second".to_owned()),
    }
}

impl Bench {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        self.output.refuse_name()?;
        let measured = measure::measure(&self, client).await?;
        report::print(&self, &measured)?;
        if measured.outcome.operations.values().any(|tally| tally.latency.count() > 0) {
            Ok(())
        } else {
            Err(Failure::new(Exit::Failed, "no request was granted", "tallyman operator status"))
        }
    }

    fn namespace(&self) -> &str {
        self.place.namespace.as_deref().unwrap_or(NAMESPACE_DEFAULT)
    }

    fn plan(&self, targets: Vec<Target>) -> Plan {
        Plan {
            targets,
            clients: usize::try_from(self.clients).unwrap_or(usize::MAX),
            pace: self.rate.map_or(Pace::Closed, Pace::PerSecond),
            duration: self.duration,
            requests_max: self.requests.unwrap_or(u64::MAX),
        }
    }
}
