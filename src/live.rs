//! A table on a terminal that stays in its place and changes with what it shows.

use crate::client::text;
use crate::output::{Columns, Form, Table, fitted};
use crate::runnable::{COLUMNS, has_ended, phase, reference};
use crate::screen::Screen;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use tallyman_model::Phase;

/// Lines beside the rows: headings, what is not shown, the last line, and the cursor's.
const FRAME_LINES: usize = 4;

/// The runs that are shown.
#[derive(Debug)]
pub(crate) struct Live {
    screen: Screen,
    form: Form,
    runs: BTreeMap<String, Value>,
    /// Lines of the last picture.
    drawn: usize,
}

impl Live {
    pub(crate) fn new(screen: Screen, form: Form) -> Self {
        Self { screen, form, runs: BTreeMap::new(), drawn: 0 }
    }

    /// Shows a run, or its new state.
    pub(crate) fn set(&mut self, run: &Value) {
        let mut shown = run.clone();
        // The largest part, and no column shows it.
        if let Some(spec) = shown.get_mut("spec").and_then(Value::as_object_mut) {
            spec.remove("manifests");
        }
        self.runs.insert(reference(run), shown);
    }

    /// Does not show it any more.
    pub(crate) fn remove(&mut self, run: &Value) {
        self.runs.remove(&reference(run));
    }

    /// Draws everything over what was drawn before; `footer` is the last line.
    pub(crate) fn draw(&mut self, footer: &str) {
        let (columns, rows) = self.screen.size();
        let lines = self.picture(rows.saturating_sub(FRAME_LINES).max(1), footer);
        let mut out = String::new();
        if self.drawn > 0 {
            out.push_str(&format!("\x1b[{}F", self.drawn));
        }
        for line in &lines {
            out.push_str(&fitted(line, columns));
            out.push_str("\x1b[K\n");
        }
        out.push_str("\x1b[J");
        self.drawn = lines.len();
        self.screen.text(&out);
    }

    /// At most `rows_max` runs: those that are active first, then what changed last.
    fn picture(&self, rows_max: usize, footer: &str) -> Vec<String> {
        let mut runs: Vec<&Value> = self.runs.values().collect();
        let changed = |run: &Value| text(run, "/metadata/resourceVersion").parse::<u64>().unwrap_or_default();
        runs.sort_by_key(|run| (has_ended(run), Reverse(changed(run))));
        let hidden = runs.len().saturating_sub(rows_max);
        runs.truncate(rows_max);
        runs.sort_by_key(|run| reference(run));
        let rows: Vec<Vec<String>> = runs.iter().map(|run| (COLUMNS.cells)(run)).collect();
        let table = Table { headings: Columns::shown(&COLUMNS, &self.form), rows: &rows, has_headings: true };
        let mut lines = table.lines(self.screen);
        if hidden > 0 {
            lines.push(self.screen.dim(&format!("... and {hidden} more")));
        }
        lines.push(self.screen.dim(&format!("{}   {footer}", self.counts())));
        lines
    }

    /// How many there are in each phase, in the order of a run's life.
    fn counts(&self) -> String {
        let in_phase = |wanted: Phase| self.runs.values().filter(|run| phase(run) == Some(wanted)).count();
        let counts = Phase::ALL.iter().map(|wanted| (in_phase(*wanted), wanted));
        let words: Vec<String> =
            counts.filter(|(count, _)| *count > 0).map(|(count, phase)| format!("{count} {phase}")).collect();
        let total = self.runs.len();
        let runs = if total == 1 { "1 run".to_owned() } else { format!("{total} runs") };
        if words.is_empty() { runs } else { format!("{runs}: {}", words.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(name: &str, phase: &str, revision: u64) -> Value {
        json!({"metadata": {"namespace": "risk", "name": name, "resourceVersion": revision.to_string()},
            "spec": {"manifests": ["x"]}, "status": {"phase": phase}})
    }

    #[test]
    fn rows_are_bounded_and_what_is_active_is_shown_first() {
        let mut live = Live::new(Screen::plain(), Form::Table);
        for (name, phase, revision) in [("a", "Succeeded", 9), ("b", "Running", 1), ("c", "Failed", 2)] {
            live.set(&run(name, phase, revision));
        }
        let lines = live.picture(2, "rev 9");
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert!(lines[1].contains("risk       a") && lines[2].contains("risk       b"), "{lines:?}");
        assert_eq!(lines[3], "... and 1 more");
        assert_eq!(lines[4], "3 runs: 1 Running, 1 Succeeded, 1 Failed   rev 9");
        assert!(live.runs.values().all(|run| run.pointer("/spec/manifests").is_none()));
        live.remove(&run("b", "", 0));
        assert!(live.counts().starts_with("2 runs"));
    }
}
