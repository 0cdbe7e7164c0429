//! `tallyman history`: what became of a run, from the ledger.

use crate::chain;
use crate::client::{Client, Where, text};
use crate::exit::{Exit, Failure};
use crate::output::{Form, yaml};
use crate::runnable;
use crate::screen::Screen;
use crate::timeline;
use serde_json::{Value, json};
use tallyman_model::ledger::LedgerRecord;

#[derive(Debug, clap::Args)]
pub(crate) struct History {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
    /// How to print
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

impl History {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (namespace, name) = self.place.split(&self.name)?;
        let reference = format!("{namespace}/{name}");
        let records = chain::of_submission(client, &reference).await?;
        // The ledger remembers what the inventory has forgotten.
        let (uid, run) = match runnable::read(client, namespace, name).await {
            Ok(run) => (text(&run, "/metadata/uid").to_owned(), run),
            Err(failure) if failure.exit == Exit::NotFound => match last_uid(&records, namespace, name) {
                Some(uid) => (uid, Value::Null),
                None => return Err(failure),
            },
            Err(failure) => return Err(failure),
        };
        let screen = Screen::stdout();
        match self.output {
            Form::Table => {
                let digest = text(&run, "/status/digest");
                let state = if run.is_null() { "its record is gone".to_owned() } else { short(digest) };
                screen.line(&format!("{}   {state}", screen.bold(&reference)));
                let steps = timeline::steps(&uid, &run, &records);
                let start_ms = steps.first().map_or(0, |step| step.at_ms);
                steps.iter().for_each(|step| screen.line(&step.line(start_ms, screen)));
                screen.line(&screen.dim(&format!("since {}", tallyman_model::time::format(start_ms))));
            }
            Form::Json => screen.line(&json!(records).to_string()),
            Form::Yaml => screen.text(&yaml(&json!(records))?),
            Form::Name => records
                .iter()
                .for_each(|record| screen.line(&format!("auditrecord.tallyman.dev/{}", record.seq))),
        }
        Ok(())
    }
}

/// The UID of the last submission of that name that the records know.
fn last_uid(records: &[LedgerRecord], namespace: &str, name: &str) -> Option<String> {
    let subjects = records.iter().rev().flat_map(|record| &record.subjects);
    let mut named = subjects.filter(|subject| subject.namespace == namespace && subject.name == name);
    named.next().map(|subject| subject.uid.clone())
}

/// The beginning of a digest: enough to tell two apart by eye.
pub(crate) fn short(digest: &str) -> String {
    if digest.len() > 19 { format!("{}...", digest.get(..13).unwrap_or(digest)) } else { digest.to_owned() }
}
