//! `tallyman drill show`.

use super::run;
use crate::drill::promise::Kept;
use crate::drill::report::Report;
use crate::drill::seal;
use crate::exit::{Exit, Failure};
use crate::output::{OutputOptions, Table};
use crate::screen::Screen;
use serde_json::json;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  tallyman drill show drill.json
  tallyman drill show drill.html
  tallyman drill show drill.json -o json | jq .report.writes.gaps
  tallyman drill show drill.json --signer 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

Anybody who has a key can sign a report; whose it is, the public key says that `drill run` printed.

Exit codes: as of the drill; 1 too if the report was changed, or is signed by another key than --signer";

/// Verify a report, and show it
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Show {
    /// A report that drill run wrote, also as a page
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Refuse what is not signed by this public key
    #[arg(long, value_name = "KEY")]
    signer: Option<String>,
    #[command(flatten)]
    output: OutputOptions,
}

impl Show {
    pub(super) fn run(self) -> Result<(), Failure> {
        let refused = |why: String| {
            let message = format!("{} must not be relied on: {why}", self.file.display());
            Failure::new(Exit::Failed, message, "a report as tallyman drill run wrote it")
        };
        let opened = seal::read(&self.file).and_then(|text| seal::open(&text)).map_err(refused)?;
        let signer = &opened.public_key;
        if self.signer.as_ref().is_some_and(|wanted| wanted != signer) {
            return Err(refused(format!("it is signed by {signer}")));
        }
        let document = json!({"report": opened.report, "signedBy": signer, "verified": true});
        self.output.print_plain(&document, |_| {
            let (screen, report) = (Screen::stdout(), &opened.report);
            let of = &report.group;
            let place = if of.is_dev { ", a tallyman dev" } else { "" };
            screen.line(&format!("drill    {} at {}", screen.bold(&report.scenario), report.at));
            screen.line(&format!("group    {} ({}){place}", of.name, of.id));
            for event in &report.events {
                screen.line(&format!("{:7.1} s  {}", event.at_ms as f64 / 1000.0, event.text));
            }
            table(report);
            screen.line(&format!("verified, signed by {signer}"));
        })?;
        run::judged(&opened.report)
    }
}

/// What was promised, and what was measured.
pub(super) fn table(report: &Report) {
    let screen = Screen::stdout();
    let clear = if screen.is_terminal { "\r\x1b[2K" } else { "" };
    let writes = &report.writes;
    let repeated: u64 = writes.repeated.values().sum();
    screen.line(&format!(
        "{clear}writes   {} of {} acknowledged, {repeated} tries repeated under their keys",
        writes.acknowledged, writes.submitted
    ));
    let rows: Vec<Vec<String>> = report
        .promises
        .iter()
        .map(|one| {
            let measured = one.measured.map_or("-".to_owned(), |value| one.what.figure(value));
            let word = match one.kept {
                Kept::True => screen.green(one.kept.word()),
                Kept::False => screen.red(one.kept.word()),
                Kept::Unknown => screen.yellow(one.kept.word()),
            };
            vec![one.what.words().to_owned(), one.what.figure(one.promised), measured, word]
        })
        .collect();
    let headings = ["PROMISE", "AT MOST", "MEASURED", "KEPT"];
    let table = Table { headings: &headings, rows: &rows, has_headings: true };
    table.lines(screen).iter().for_each(|line| screen.line(line));
}
