//! `tallyman wait`: until runs have ended, run, exist or are gone.

use crate::client::{Client, text};
use crate::exit::{Exit, Failure};
use crate::output::OutputOptions;
use crate::runnable;
use crate::screen::{Screen, complain};
use crate::select::{Scope, Select};
use crate::waiting::{For, Waited, wait};
use std::time::Duration;

const AFTER_HELP: &str = "\
Examples:
  tallyman wait risk/nightly-report-x7k2p --timeout 10m
  tallyman wait risk/a risk/b --for=Running
  tallyman wait -n risk -l desk=rates --for=Finished
  tallyman wait risk/nightly-report-x7k2p --for=condition=Placed
  tallyman wait risk/nightly-report-x7k2p --for=deleted

It follows a watch, over failures of servers and of the leader. With selectors it waits for what is selected when it
starts.

Exit codes: 0 all are as wanted, 3 not found or deleted meanwhile, 5 no server answers, 7 the time is over (it says how
            to wait on), 8 a run ended without success";

/// Wait until runnables have ended, run, exist or are gone
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Wait {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    select: Select,
    /// Finished, Succeeded, Running, Created, deleted, condition=NAME or condition=NAME=STATUS
    #[arg(long = "for", default_value = "Finished", value_parser = For::parse, value_name = "STATE")]
    until: For,
    /// How long, for all together, as 90s or 2h (default: as long as it takes)
    #[arg(long, value_parser = runnable::duration, value_name = "TIME")]
    timeout: Option<Duration>,
    #[command(flatten)]
    output: OutputOptions,
}

impl Wait {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        if self.names.is_empty() && !self.select.is_narrow() && !self.select.all_namespaces {
            return Err(Failure::new(
                Exit::Usage,
                "nothing says what to wait for",
                "tallyman wait NAME, or -l LABELS, or --field-selector FIELDS",
            ));
        }
        let scope = self.select.scope(&self.names)?;
        let is_selected = matches!(scope, Scope::Selected(_));
        let mut all = Vec::new();
        let mut shown = Ok(());
        wait(client, scope, &self.until, self.timeout, |one| {
            if one.failure.is_none() {
                let earlier = std::mem::replace(&mut shown, Ok(()));
                shown = earlier.and(self.show(&one));
            }
            all.push(one);
        })
        .await?;
        shown?;
        if all.is_empty() && is_selected && self.until != For::Deleted {
            let attempt = format!("tallyman list{}", self.select.words());
            return Err(Failure::new(Exit::NotFound, "nothing is selected", attempt));
        }
        self.conclude(all)
    }

    fn show(&self, one: &Waited) -> Result<(), Failure> {
        let screen = Screen::stdout();
        let reference = screen.bold(&one.reference);
        if !self.output.output.is_table() && !one.run.is_null() {
            return self.output.print(&one.run, &runnable::COLUMNS);
        }
        let words = match &self.until {
            For::Deleted => "gone".to_owned(),
            For::Condition { kind, status } => format!("{kind}={status}"),
            _ => screen.phase(text(&one.run, "/status/phase"), 0),
        };
        screen.line(&format!("{reference}   {words}"));
        Ok(())
    }

    /// The failure of all together: its code is that of the gravest, and it says how to wait for those that are left.
    fn conclude(&self, all: Vec<Waited>) -> Result<(), Failure> {
        let total = all.len();
        let mut failures: Vec<(String, Failure)> =
            all.into_iter().filter_map(|one| Some((one.reference, one.failure?))).collect();
        if failures.len() < 2 && total < 2 {
            return failures.pop().map_or(Ok(()), |(_, failure)| Err(failure));
        }
        for (_, failure) in &failures {
            complain(&format!("{}\n", failure.message));
        }
        let Some(exit) = failures.iter().map(|(_, failure)| failure.exit).max_by_key(|exit| exit.gravity())
        else {
            return Ok(());
        };
        let left: Vec<&str> = failures
            .iter()
            .filter(|(_, failure)| failure.exit == Exit::Unknown)
            .map(|(reference, _)| reference.as_str())
            .collect();
        let attempt = match left.as_slice() {
            [] => "tallyman history NAME tells what became of each".to_owned(),
            left => format!("tallyman wait {} --for={}", left.join(" "), self.until),
        };
        let message = format!("{} of {total} are not as they were waited for", failures.len());
        Err(Failure::new(exit, message, attempt))
    }
}
