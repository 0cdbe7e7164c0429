//! What is printed of resources: a table for people, JSON and YAML for programs, names for scripts.

use crate::client::text;
use crate::env::Machine;
use crate::exit::{Exit, Failure};
use crate::screen::Screen;
use serde_json::Value;
use tallyman_model::{Env as _, time};

/// The form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// Columns
    #[default]
    Table,
    /// The document as the API gives it
    Json,
    /// The same as YAML
    Yaml,
    /// One `resource/name` a line
    Name,
}

/// What every command that prints resources takes.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct OutputOptions {
    /// How to print
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: Form,
}

/// A resource as a table: its headings, and the cells of one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    /// The resource, as in `resource/name`.
    pub(crate) resource: &'static str,
    /// In capitals.
    pub(crate) headings: &'static [&'static str],
    /// One cell for each heading.
    pub(crate) cells: fn(&Value) -> Vec<String>,
}

impl OutputOptions {
    /// Prints one document, or a list of them.
    ///
    /// # Errors
    /// The document cannot be written as YAML.
    pub(crate) fn print(self, document: &Value, columns: &Columns) -> Result<(), Failure> {
        let screen = Screen::stdout();
        match self.output {
            Form::Json => {
                screen.line(&serde_json::to_string_pretty(document).unwrap_or_else(|_| document.to_string()))
            }
            Form::Yaml => screen.text(&yaml(document)?),
            Form::Name => items(document).iter().for_each(|item| screen.line(&name(item, columns.resource))),
            Form::Table => table(screen, columns.headings, &rows(document, columns)),
        }
        Ok(())
    }
}

/// The records of a list, or the one record.
pub(crate) fn items(document: &Value) -> Vec<&Value> {
    match document.get("items").and_then(Value::as_array) {
        Some(items) => items.iter().collect(),
        None => vec![document],
    }
}

fn rows(document: &Value, columns: &Columns) -> Vec<Vec<String>> {
    items(document).into_iter().map(|item| (columns.cells)(item)).collect()
}

fn name(item: &Value, resource: &str) -> String {
    format!("{resource}.tallyman.dev/{}", text(item, "/metadata/name"))
}

/// A document as YAML.
pub(crate) fn yaml(document: &Value) -> Result<String, Failure> {
    let written = serde_saphyr::to_string(document);
    written.map_err(|error| Failure::new(Exit::Failed, format!("failed to write YAML: {error}"), "-o json"))
}

/// Columns as wide as their widest cell; phases in their colours.
pub(crate) fn table(screen: Screen, headings: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([headings.get(column).map_or(0, |heading| heading.len())]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: Vec<String>| cells.join("  ").trim_end().to_owned();
    if rows.is_empty() {
        return screen.line("none");
    }
    let heads = headings.iter().zip(&widths).map(|(heading, width)| format!("{heading:width$}"));
    screen.line(&screen.bold(&line(heads.collect())));
    for row in rows {
        let cells = row.iter().zip(&widths).zip(headings).map(|((cell, width), heading)| match *heading {
            "PHASE" => screen.phase(cell, *width),
            _ => format!("{cell:width$}"),
        });
        screen.line(&line(cells.collect()));
    }
}

/// How long ago an RFC 3339 time was, in its largest two units at most.
pub(crate) fn age(at: &str) -> String {
    match time::parse(at) {
        Some(at_ms) => span(Machine.now_ms().saturating_sub(at_ms)),
        None => "-".to_owned(),
    }
}

/// A span as people read it.
pub(crate) fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The text, or a dash for none.
pub(crate) fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        let spans = [0, 119_999, 120_000, 7_200_000, 172_800_000].map(span);
        assert_eq!(spans, ["0s", "119s", "2m", "2h", "2d"]);
    }
}
