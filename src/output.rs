//! What is printed of resources: a table for people, JSON and YAML for programs, names and templates for scripts.

mod form;
mod jsonpath;
mod table;

pub(crate) use form::{Form, Forms};
pub(crate) use table::{Table, fitted};

use crate::client::text;
use crate::env::Machine;
use crate::exit::{Exit, Failure};
use crate::screen::Screen;
use serde_json::{Value, json};
use tallyman_model::{Env as _, time};

/// What every command that prints resources takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct OutputOptions {
    /// How to print
    #[arg(short, long, default_value = "table", value_parser = Forms, value_name = "FORM")]
    pub(crate) output: Form,
    /// A table without its headings
    #[arg(long)]
    pub(crate) no_headers: bool,
}

/// A resource as a table: its headings, and the cells of one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    /// The resource, as in `resource/name`.
    pub(crate) resource: &'static str,
    /// In capitals.
    pub(crate) headings: &'static [&'static str],
    /// The first headings, which are always shown; the others only with `-o wide`.
    pub(crate) narrow: usize,
    /// One cell for each heading.
    pub(crate) cells: fn(&Value) -> Vec<String>,
}

impl Columns {
    /// The headings, cut to what is shown.
    pub(crate) fn shown(&self, form: &Form) -> &'static [&'static str] {
        let count = if *form == Form::Wide { self.headings.len() } else { self.narrow };
        self.headings.get(..count).unwrap_or(self.headings)
    }
}

impl OutputOptions {
    /// Prints one document, or a list of them.
    ///
    /// # Errors
    /// The document cannot be written as YAML.
    pub(crate) fn print(&self, document: &Value, columns: &Columns) -> Result<(), Failure> {
        let screen = Screen::stdout();
        match &self.output {
            Form::Table | Form::Wide => self.table(columns.shown(&self.output), &rows(document, columns)),
            Form::Name => items(document).iter().for_each(|item| screen.line(&name(item, columns.resource))),
            form => self.write(form, document)?,
        }
        Ok(())
    }

    /// Prints what was read one by one: a single document as it is, others as a list.
    ///
    /// # Errors
    /// As [`print`](Self::print).
    pub(crate) fn print_all(&self, documents: &[Value], columns: &Columns) -> Result<(), Failure> {
        match documents {
            [one] => self.print(one, columns),
            many => self.print(&json!({"apiVersion": "v1", "kind": "List", "items": many}), columns),
        }
    }

    /// Prints a document that is no resource, and so has no name: anything else is the same as for one.
    ///
    /// # Errors
    /// Its name was asked for, or it cannot be written as YAML.
    pub(crate) fn print_plain(&self, document: &Value, table: impl FnOnce(&Self)) -> Result<(), Failure> {
        self.refuse_name()?;
        match &self.output {
            Form::Table | Form::Wide | Form::Name => table(self),
            form => self.write(form, document)?,
        }
        Ok(())
    }

    /// For commands that print no resource: to be asked before anything is done.
    ///
    /// # Errors
    /// A name was asked for.
    pub(crate) fn refuse_name(&self) -> Result<(), Failure> {
        if self.output != Form::Name {
            return Ok(());
        }
        let message = "-o name: this command prints no resource, so there is no name";
        Err(Failure::new(Exit::Usage, message, "-o table, wide, json, yaml or jsonpath=TEMPLATE"))
    }

    fn write(&self, form: &Form, document: &Value) -> Result<(), Failure> {
        let screen = Screen::stdout();
        match form {
            Form::Yaml => screen.text(&yaml(document)?),
            Form::JsonPath(template) => {
                let text = template.fill(document);
                screen.text(&if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" });
            }
            _ => {
                screen.line(&serde_json::to_string_pretty(document).unwrap_or_else(|_| document.to_string()))
            }
        }
        Ok(())
    }

    /// Prints rows under headings.
    pub(crate) fn table(&self, headings: &[&str], rows: &[Vec<String>]) {
        let screen = Screen::stdout();
        let table = Table { headings, rows, has_headings: !self.no_headers };
        table.lines(screen).iter().for_each(|line| screen.line(line));
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

/// A record as a script names it.
pub(crate) fn name(item: &Value, resource: &str) -> String {
    format!("{resource}.tallyman.dev/{}", text(item, "/metadata/name"))
}

/// A document as YAML.
pub(crate) fn yaml(document: &Value) -> Result<String, Failure> {
    let written = serde_saphyr::to_string(document);
    written.map_err(|error| Failure::new(Exit::Failed, format!("failed to write YAML: {error}"), "-o json"))
}

/// How long ago an RFC 3339 time was, in its largest unit.
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
