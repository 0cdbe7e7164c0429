//! `tallyman audit list`: who did what, when.

use crate::bundle::API_VERSION;
use crate::chain::pages;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Form, OutputOptions};
use crate::screen::Screen;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};
use std::collections::VecDeque;
use tallyman_model::ledger::{LedgerRecord, Subject};
use tallyman_model::{Command, time};

/// Records that are shown unless more are asked for.
const LIMIT: usize = 100;

const AFTER_HELP: &str = "\
Examples:
  tallyman audit list
  tallyman audit list --submission risk/nightly-report-x7k2p
  tallyman audit list --user ann --verb cancel --limit 1000
  tallyman audit list --cluster east -o json

The newest records are shown, oldest first. What people did is shown; --all adds what the leader did by itself.";

/// List records of the ledger
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct List {
    #[command(flatten)]
    which: Which,
    /// Also what the leader did by itself
    #[arg(long)]
    all: bool,
    /// At most so many, the newest
    #[arg(long, default_value_t = LIMIT, value_name = "N")]
    limit: usize,
    #[command(flatten)]
    output: OutputOptions,
}

/// Which records.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Which {
    /// Of this submission, also of one that is gone
    #[arg(long, value_name = "NS/NAME")]
    submission: Option<String>,
    /// Of the runnable, cluster or replica with this UID
    #[arg(long, value_name = "UID")]
    uid: Option<String>,
    /// By this person or program
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Of this verb, as submit, place, intend, conclude, cancel
    #[arg(long, value_name = "VERB", value_parser = PossibleValuesParser::new(Command::VERBS), hide_possible_values = true)]
    verb: Option<String>,
    /// Of this cluster, and of runs on it
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
}

impl Which {
    /// The field selector that asks for them; `None`: all.
    pub(super) fn selector(&self) -> Option<String> {
        let terms = [
            ("spec.submission", &self.submission),
            ("spec.uid", &self.uid),
            ("spec.user", &self.user),
            ("spec.verb", &self.verb),
            ("spec.cluster", &self.cluster),
        ];
        let terms: Vec<String> =
            terms.iter().filter_map(|(field, value)| Some(format!("{field}={}", value.as_ref()?))).collect();
        (!terms.is_empty()).then(|| terms.join(","))
    }

    /// True if it says whose or what kind of doings are wanted.
    fn is_about_doing(&self) -> bool {
        self.user.is_some() || self.verb.is_some() || self.submission.is_some() || self.uid.is_some()
    }
}

impl List {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let is_wanted = |record: &LedgerRecord| {
            self.all || self.which.is_about_doing() || !record.user.starts_with("system:")
        };
        let mut found: VecDeque<Found> = VecDeque::new();
        let mut left_out = 0_usize;
        pages(client, self.which.selector().as_deref(), |item| {
            let record = item.record()?;
            if is_wanted(&record) {
                found.push_back(Found { record, hash: item.hash().to_owned() });
                if found.len() > self.limit {
                    found.pop_front();
                    left_out += 1;
                }
            }
            Ok(true)
        })
        .await?;
        if self.output.output == Form::Name {
            let screen = Screen::stdout();
            found
                .iter()
                .for_each(|found| screen.line(&format!("auditrecord.tallyman.dev/{}", found.record.seq)));
            return Ok(());
        }
        self.output.print_plain(&document(&found), |output| {
            let rows: Vec<Vec<String>> = found.iter().map(|found| row(&found.record)).collect();
            output.table(&["RECORD", "TIME", "WHO", "VERB", "WHAT", "REV", "DETAIL"], &rows);
            if left_out > 0 {
                let screen = Screen::stdout();
                screen.line(&screen.dim(&format!("{left_out} older ones are not shown (--limit)")));
            }
        })
    }
}

/// A record and its hash.
struct Found {
    record: LedgerRecord,
    hash: String,
}

/// The records as the API lists them.
fn document(all: &VecDeque<Found>) -> Value {
    let item = |Found { record, hash }: &Found| {
        let metadata = json!({"name": record.seq.to_string(), "resourceVersion": record.revision.to_string(),
            "creationTimestamp": time::format(record.at_ms)});
        json!({"apiVersion": API_VERSION, "kind": "AuditRecord", "metadata": metadata, "spec": record,
            "status": {"hash": hash}})
    };
    let items: Vec<Value> = all.iter().map(item).collect();
    json!({"apiVersion": API_VERSION, "kind": "AuditRecordList", "metadata": {}, "items": items})
}

fn row(record: &LedgerRecord) -> Vec<String> {
    vec![
        record.seq.to_string(),
        time::format(record.at_ms),
        record.user.clone(),
        record.verb.clone(),
        subjects(record),
        record.revision.to_string(),
        record.detail.clone(),
    ]
}

/// What was changed: the first record, and how many others.
fn subjects(record: &LedgerRecord) -> String {
    let name = |subject: &Subject| match subject.namespace.as_str() {
        "" => format!("{}/{}", subject.resource, subject.name),
        namespace => format!("{namespace}/{}", subject.name),
    };
    match (record.subjects.first(), record.subjects_count) {
        (None, _) => "-".to_owned(),
        (Some(first), 0 | 1) => name(first),
        (Some(first), count) => format!("{} and {} more", name(first), count - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::Which;

    #[test]
    fn what_is_asked_for_is_one_selector() {
        assert_eq!(Which::default().selector(), None);
        let which =
            Which { user: Some("ann".to_owned()), cluster: Some("east".to_owned()), ..Which::default() };
        assert_eq!(which.selector().as_deref(), Some("spec.user=ann,spec.cluster=east"));
    }
}
