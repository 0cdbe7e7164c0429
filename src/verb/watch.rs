//! `tallyman watch`: what becomes of runnables, as it happens.

use crate::client::{Client, text};
use crate::exit::Failure;
use crate::follow::{Begun, Change, Follow};
use crate::live::Live;
use crate::output::{Form, OutputOptions, name};
use crate::runnable::{self, COLUMNS, has_ended, reference};
use crate::screen::{Screen, complain};
use crate::select::{Scope, Select};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// How often the ages on a terminal are drawn anew.
const TICK_MS: u64 = 1000;
/// Changes that follow each other faster than this are drawn together.
const DRAW_MS_MIN: u64 = 50;

const AFTER_HELP: &str = "\
Examples:
  tallyman watch risk/nightly-report-x7k2p
  tallyman watch -A
  tallyman watch -n risk -l desk=rates
  tallyman watch -A -o json | jq -c .object.status.phase

On a terminal: a table that stays in its place. In a pipe: a line for each change; with -o json one event a line, as
the API sends them. It goes on over failures of servers and of the leader, without a gap and without repeating
anything. Named runs are watched until all of them have ended, selected ones until Ctrl-C.

Exit codes: 3 not found, 5 no server answers any more";

/// Show what becomes of runnables, as it happens
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Watch {
    /// NAME or NS/NAME (default: all that are selected)
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    select: Select,
    #[command(flatten)]
    output: OutputOptions,
}

impl Watch {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        show(client, self.select.scope(&self.names)?, &self.output).await
    }
}

/// Shows all changes: of named runs until they have ended, of selected ones for ever.
pub(crate) async fn show(client: &Client, scope: Scope, output: &OutputOptions) -> Result<(), Failure> {
    let is_named = matches!(scope, Scope::Named(_));
    let (follow, begun) = Follow::start(client, scope).await?;
    if let Some((namespace, name)) = begun.missing.first() {
        // The words of the server, for the first that is not there.
        runnable::read(client, namespace, name).await?;
    }
    let mut open = Open { is_named, references: BTreeSet::new() };
    begun.runs.iter().for_each(|run| open.take(run, false));
    let screen = Screen::stdout();
    if screen.is_terminal && output.output.is_table() {
        return live(follow, &begun, open, Live::new(screen, output.output.clone())).await;
    }
    lines(follow, begun, open, output).await
}

/// The named runs that have not ended.
struct Open {
    is_named: bool,
    references: BTreeSet<String>,
}

impl Open {
    fn take(&mut self, run: &Value, is_gone: bool) {
        if is_gone || has_ended(run) {
            self.references.remove(&reference(run));
        } else {
            self.references.insert(reference(run));
        }
    }

    fn is_over(&self) -> bool {
        self.is_named && self.references.is_empty()
    }
}

/// A line for each change; what there is at the beginning comes first.
async fn lines(
    mut follow: Follow,
    begun: Begun,
    mut open: Open,
    output: &OutputOptions,
) -> Result<(), Failure> {
    for run in begun.runs {
        if write(output, &Change::Added(run)).is_err() {
            return Ok(());
        }
    }
    while !open.is_over() {
        let change = follow.next().await?;
        match &change {
            Change::Added(run) | Change::Modified(run) => open.take(run, false),
            Change::Deleted(run) => open.take(run, true),
            Change::Gap => complain("some changes were missed: they are not kept any more\n"),
        }
        if write(output, &change).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// One change.
///
/// # Errors
/// Nobody reads any more.
fn write(output: &OutputOptions, change: &Change) -> std::io::Result<()> {
    let screen = Screen::stdout();
    let (run, is_gone) = match change {
        Change::Added(run) | Change::Modified(run) => (run, false),
        Change::Deleted(run) => (run, true),
        Change::Gap => return Ok(()),
    };
    match &output.output {
        Form::Table | Form::Wide => screen.try_line(&line(screen, run, is_gone)),
        Form::Name => screen.try_line(&name(run, COLUMNS.resource)),
        Form::JsonPath(template) => screen.try_line(template.fill(run).trim_end_matches('\n')),
        Form::Yaml => {
            let yaml = crate::output::yaml(run).unwrap_or_default();
            screen.try_line(&format!("---\n{}", yaml.trim_end()))
        }
        Form::Json => screen.try_line(&change.event().unwrap_or_default().to_string()),
    }
}

fn line(screen: Screen, run: &Value, is_gone: bool) -> String {
    let phase = if is_gone { "deleted" } else { text(run, "/status/phase") };
    let (cluster, revision) = (text(run, "/status/cluster"), text(run, "/metadata/resourceVersion"));
    let (reference, message) = (reference(run), runnable::message(run));
    let line = format!("{}  {reference}  rev {revision:<6}  {cluster}  {message}", screen.phase(phase, 9));
    line.trim_end().to_owned()
}

/// A table that stays in its place.
async fn live(mut follow: Follow, begun: &Begun, mut open: Open, mut live: Live) -> Result<(), Failure> {
    begun.runs.iter().for_each(|run| live.set(run));
    let mut ticks = interval(Duration::from_millis(TICK_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut note = "";
    live.draw(&footer(&follow, note));
    let mut due: Option<Instant> = None;
    while !open.is_over() {
        tokio::select! {
            change = follow.next() => {
                match change? {
                    Change::Added(run) | Change::Modified(run) => {
                        open.take(&run, false);
                        live.set(&run);
                    }
                    Change::Deleted(run) => {
                        open.take(&run, true);
                        live.remove(&run);
                    }
                    Change::Gap => note = "   some changes were missed",
                }
                due = due.or(Some(Instant::now() + Duration::from_millis(DRAW_MS_MIN)));
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                due = None;
                live.draw(&footer(&follow, note));
            }
            _ = ticks.tick() => live.draw(&footer(&follow, note)),
        }
    }
    live.draw(&footer(&follow, note));
    Ok(())
}

fn footer(follow: &Follow, note: &str) -> String {
    format!("rev {}{note}", follow.version())
}
