//! `tallyman statusrule ...`: what the status of other kinds means.

mod apply;
mod delete;

use crate::client::{Client, Request, request, text};
use crate::exit::Failure;
use crate::output::{Columns, OutputOptions, age};
use crate::select;
use serde_json::Value;

const AFTER_HELP: &str = "\
Examples:
  tallyman statusrule apply examples/spark-rule.yaml
  tallyman statusrule list -o wide
  tallyman statusrule delete spark";
const LIST_HELP: &str = "\
Examples:
  tallyman statusrule list
  tallyman statusrule list -o wide";
const GET_HELP: &str = "\
Examples:
  tallyman statusrule get spark -o yaml

Exit codes: 3 not found";

/// Work with status rules: when objects of other kinds have ended, and how they do
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct StatusRuleCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Apply(apply::Apply),
    List(List),
    Get(Get),
    Delete(delete::Delete),
}

/// List the status rules
#[derive(Debug, clap::Args)]
#[command(after_help = LIST_HELP)]
struct List {
    #[command(flatten)]
    output: OutputOptions,
}

/// Read status rules by name
#[derive(Debug, clap::Args)]
#[command(after_help = GET_HELP)]
struct Get {
    /// The rules' names
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    output: OutputOptions,
}

/// A rule's columns.
const COLUMNS: Columns = Columns {
    resource: "statusrule",
    headings: &["NAME", "KIND", "GROUP", "AGE", "SUCCEEDED", "FAILED", "RUNNING", "HEALTHY", "DEGRADED"],
    narrow: 5,
    cells,
};

fn cells(rule: &Value) -> Vec<String> {
    let said = |pointer: &str| text(rule, pointer).to_owned();
    vec![
        said("/metadata/name"),
        said("/spec/kind"),
        said("/spec/group"),
        age(text(rule, "/metadata/creationTimestamp")),
        said("/spec/succeeded"),
        said("/spec/failed"),
        said("/spec/running"),
        said("/spec/healthy"),
        said("/spec/degraded"),
    ]
}

/// The path of all.
fn all() -> String {
    format!("{}/statusrules", request::API)
}

/// The path of one.
fn one(name: &str) -> String {
    format!("{}/{}", all(), request::escape(name))
}

impl StatusRuleCommand {
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self.verb {
            Verb::Apply(apply) => apply.run(client).await,
            Verb::List(list) => {
                list.output.print(&select::list(client, &Request::get(all())).await?, &COLUMNS)
            }
            Verb::Get(get) => {
                let mut found = Vec::new();
                for name in &get.names {
                    found.push(client.read(&Request::get(one(name))).await?.body);
                }
                get.output.print_all(&found, &COLUMNS)
            }
            Verb::Delete(delete) => delete.run(client).await,
        }
    }
}
