//! `tallyman history`: what became of a run, from the ledger.

use crate::chain;
use crate::client::{Client, Where, text};
use crate::exit::{Exit, Failure};
use crate::output::{Form, OutputOptions};
use crate::runnable::{self, short};
use crate::screen::Screen;
use crate::timeline::{self, Rank, Step};
use serde_json::{Value, json};
use tallyman_model::ledger::LedgerRecord;
use tallyman_model::time;

const AFTER_HELP: &str = "\
Examples:
  tallyman history risk/nightly-report-x7k2p
  tallyman history nightly-report-x7k2p -n risk --all --time utc
  tallyman history risk/nightly-report-x7k2p -o json

It is told from the ledger, also when the run's record is gone. Shown are changes of phase, what people did, and every
request to a cluster with its answer; --all (or -o wide) adds intents, observations and numbers, -o json gives the
ledger records.

Exit codes: 3 not even the ledger knows it";

/// Tell from the ledger what became of a runnable
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct History {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
    /// Also intents, observations and numbers
    #[arg(long)]
    all: bool,
    /// How times are written
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    time: Times,
    /// Of several submissions that had the name: the one with this UID (default: the last)
    #[arg(long, value_name = "UID")]
    uid: Option<String>,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Times {
    /// Since the first step
    #[default]
    Relative,
    /// Date and time, UTC
    Utc,
}

impl Times {
    fn write(self, at_ms: u64, start_ms: u64) -> String {
        let since_ms = at_ms.saturating_sub(start_ms);
        match self {
            Times::Utc => time::format(at_ms).replace('Z', &format!(".{:03}Z", at_ms % 1000)),
            Times::Relative if since_ms < 60_000 => {
                format!("+{}.{:03} s", since_ms / 1000, since_ms % 1000)
            }
            Times::Relative if since_ms < 3_600_000 => {
                format!("+{}m{:02}s", since_ms / 60_000, since_ms / 1000 % 60)
            }
            Times::Relative => format!("+{}h{:02}m", since_ms / 3_600_000, since_ms / 60_000 % 60),
        }
    }
}

impl History {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (namespace, name) = self.place.split(&self.name)?;
        let records = match &self.uid {
            Some(uid) => chain::of(client, &format!("spec.uid={uid}")).await,
            None => chain::of_submission(client, &format!("{namespace}/{name}")).await,
        };
        let records = match records {
            Err(failure) if failure.is_printed() => Vec::new(),
            records => records?,
        };
        // The ledger remembers what the inventory has forgotten.
        let now = match runnable::read(client, namespace, name).await {
            Err(failure) if failure.exit == Exit::NotFound => Err(failure),
            read => Ok(read?),
        };
        let current = now.as_ref().map_or("", |run| text(run, "/metadata/uid")).to_owned();
        let uid = match &self.uid {
            Some(uid) => uid.clone(),
            None if !current.is_empty() => current.clone(),
            None => last_uid(&records, namespace, name).unwrap_or_default(),
        };
        let run = now.clone().ok().filter(|_| uid == current).unwrap_or_default();
        let steps = timeline::steps(&uid, &run, &records);
        if steps.is_empty() {
            let unknown = || {
                let message = format!("the ledger knows nothing of {namespace}/{name} with UID {uid}");
                Failure::new(Exit::NotFound, message, format!("tallyman history {namespace}/{name}"))
            };
            return Err(now.err().unwrap_or_else(unknown));
        }
        let is_of_it = |record: &&LedgerRecord| record.subjects.iter().any(|subject| subject.uid == uid);
        let records: Vec<&LedgerRecord> = records.iter().filter(is_of_it).collect();
        if self.output.output == Form::Name {
            let screen = Screen::stdout();
            records
                .iter()
                .for_each(|record| screen.line(&format!("auditrecord.tallyman.dev/{}", record.seq)));
            return Ok(());
        }
        self.output.print_plain(&json!(records), |_| {
            self.show(&format!("{namespace}/{name}"), &run, &steps);
        })
    }

    fn show(&self, reference: &str, run: &Value, steps: &[Step]) {
        let screen = Screen::stdout();
        let start_ms = steps.first().map_or(0, |step| step.at_ms);
        let state = match run.is_null() {
            true => "its record is gone".to_owned(),
            false => format!(
                "{}   {}",
                screen.phase(text(run, "/status/phase"), 0),
                short(text(run, "/status/digest"))
            ),
        };
        let since = screen.dim(&format!("since {}", time::format(start_ms)));
        screen.line(&format!("{}   {state}   {since}", screen.bold(reference)));
        let is_all = self.all || self.output.output == Form::Wide;
        let shown: Vec<&Step> = steps.iter().filter(|step| is_all || step.rank > Rank::Detail).collect();
        let rows: Vec<Vec<String>> = shown.iter().map(|step| self.row(step, start_ms, is_all)).collect();
        let headings: &[&str] = match is_all {
            true => &["TIME", "WHAT", "WHO", "LED BY", "TERM", "REV", "RECORD", "DETAIL"],
            false => &["TIME", "WHAT", "WHO", "LED BY", "DETAIL"],
        };
        self.output.table(headings, &rows);
    }

    fn row(&self, step: &Step, start_ms: u64, is_all: bool) -> Vec<String> {
        let mut row = vec![
            self.time.write(step.at_ms, start_ms),
            step.word.clone(),
            step.user.clone(),
            if is_all { step.leader.clone() } else { format!("{} term {}", step.leader, step.term) },
        ];
        if is_all {
            row.extend([step.term.to_string(), step.revision.to_string(), step.seq.to_string()]);
        }
        row.push(step.words.clone());
        row
    }
}

/// The UID of the last submission of that name that the records know.
fn last_uid(records: &[LedgerRecord], namespace: &str, name: &str) -> Option<String> {
    let subjects = records.iter().rev().flat_map(|record| &record.subjects);
    let mut named = subjects.filter(|subject| subject.namespace == namespace && subject.name == name);
    named.next().map(|subject| subject.uid.clone())
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn times_are_short_or_whole() {
        let relative = |ms: u64| Times::Relative.write(1000 + ms, 1000);
        assert_eq!(
            [15, 3_122, 61_000, 3_700_000].map(relative),
            ["+0.015 s", "+3.122 s", "+1m01s", "+1h01m"]
        );
        assert_eq!(Times::Utc.write(951_868_800_007, 0), "2000-03-01T00:00:00.007Z");
    }
}
