//! `tallyman deployable list`, `get` and `revisions`.

use super::{COLUMNS, all, one};
use crate::client::{Client, Request, Where, text};
use crate::exit::Failure;
use crate::output::{Columns, OutputOptions, age};
use crate::select;
use serde_json::Value;

const LIST_HELP: &str = "\
Examples:
  tallyman deployable list -A
  tallyman deployable list -n risk -l desk=rates -o name";
const GET_HELP: &str = "\
Examples:
  tallyman deployable get risk/settings
  tallyman deployable get settings -n risk -o yaml

Exit codes: 3 not found";
const REVISIONS_HELP: &str = "\
Examples:
  tallyman deployable revisions risk/settings
  tallyman deployable revisions risk/settings -o yaml

Exit codes: 3 not found";

/// List deployables, and on how many clusters each is how
#[derive(Debug, clap::Args)]
#[command(after_help = LIST_HELP)]
pub(super) struct List {
    #[command(flatten)]
    place: Where,
    /// All namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only those with these labels, as desk=rates
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Answer at once from the asked server's own state, also without a leader
    #[arg(long)]
    stale: bool,
    #[command(flatten)]
    output: OutputOptions,
}

/// Read deployables by name
#[derive(Debug, clap::Args)]
#[command(after_help = GET_HELP)]
pub(super) struct Get {
    /// NAME or NS/NAME
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    output: OutputOptions,
}

/// List the revisions of a deployable that are kept
#[derive(Debug, clap::Args)]
#[command(after_help = REVISIONS_HELP)]
pub(super) struct Revisions {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    output: OutputOptions,
}

/// A revision's columns.
const REVISION_COLUMNS: Columns = Columns {
    resource: "revision",
    headings: &["REVISION", "ASKED BY", "AGE", "IS AGAIN", "DIGEST"],
    narrow: 5,
    cells: |revision: &Value| {
        let number = |pointer: &str| {
            revision.pointer(pointer).and_then(Value::as_u64).map_or("-".to_owned(), |one| one.to_string())
        };
        vec![
            number("/revision"),
            text(revision, "/askedBy").to_owned(),
            age(text(revision, "/askedAt")),
            number("/rolledBackTo"),
            text(revision, "/digest").to_owned(),
        ]
    },
};

impl List {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let namespace = (!self.all_namespaces).then(|| self.place.namespace());
        let request = Request::get(all(namespace))
            .query_some("labelSelector", self.selector.as_deref())
            .query_some("consistency", self.stale.then_some("stale"));
        self.output.print(&select::list(client, &request).await?, &COLUMNS)
    }
}

impl Get {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let mut found = Vec::new();
        for (namespace, name) in self.place.split_all(&self.names)? {
            found.push(client.read(&Request::get(one(namespace, name))).await?.body);
        }
        self.output.print_all(&found, &COLUMNS)
    }
}

impl Revisions {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (namespace, name) = self.place.split(&self.name)?;
        let request = Request::get(format!("{}/revisions", one(namespace, name)));
        self.output.print(&client.read(&request).await?.body, &REVISION_COLUMNS)
    }
}
