//! `tallyman operator report` and `confirm`: a group that goes on from a backup sends nothing before somebody has looked
//! at what the clusters show.

use crate::client::{Client, Request, text};
use crate::exit::{Exit, Failure};
use crate::output::{OutputOptions, or_dash};
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use reqwest::Method;
use serde_json::{Value, json};

const LINEAGE: &str = "/operator/lineage";
const CONFIRM: &str = "/operator/confirm";

const REPORT_HELP: &str = "\
Examples:
  tallyman operator report
  tallyman operator report -o json | jq '.clusters[].unknown'

After a restore or a recovery: which clusters have been compared with what was kept, which of their objects nobody
accounts for, which runs they showed otherwise, and what is sent once it is confirmed. A run that was sent after the
backup is taken over where it is found, and is not sent again; of one whose objects are gone already, or are on a
cluster that was not compared, nobody knows that. A run that must not run again can be cancelled before.

Exit codes: 3 the group never was restored";
const CONFIRM_HELP: &str = "\
Examples:
  tallyman operator confirm
  tallyman operator confirm --without east

From then on the group sends. Refused while a cluster has not been compared, unless it is named: what that one has and
the backup does not know may then be sent once more. If it comes back while such a run still waits, it is taken over.

Exit codes: 3 the group never was restored, 4 nothing waits for it, or a cluster has not been compared";

/// Show what the clusters have against the backup that the group goes on from
#[derive(Debug, clap::Args)]
#[command(after_help = REPORT_HELP)]
pub(super) struct Report {
    #[command(flatten)]
    output: OutputOptions,
}

/// Let a group send again that goes on from a backup
#[derive(Debug, clap::Args)]
#[command(after_help = CONFIRM_HELP)]
pub(super) struct Confirm {
    /// Do not wait for this cluster; repeatable
    #[arg(long, value_name = "CLUSTER")]
    without: Vec<String>,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Report {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let report = read(client).await?;
        self.output
            .print_plain(&report, |_| words(&report).iter().for_each(|line| Screen::stdout().line(line)))
    }
}

impl Confirm {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let report = read(client).await?;
        let body = json!({"lineage": text(&report, "/lineage"), "without": self.without});
        let request = Request::send(Method::POST, CONFIRM, &body).keyed(self.change.key());
        let without = self.without.iter().map(|name| format!(" --without {name}")).collect::<String>();
        client.change(request, &format!("tallyman operator confirm{without}")).await?;
        Screen::stdout()
            .line(&format!("lineage {} is confirmed: the group sends", text(&report, "/lineage")));
        Ok(())
    }
}

async fn read(client: &Client) -> Result<Value, Failure> {
    let report = client.read(&Request::get(LINEAGE)).await?.body;
    if text(&report, "/lineage").is_empty() {
        let message = "the group never was restored or recovered: there is nothing to confirm";
        return Err(Failure::new(Exit::NotFound, message, "tallyman operator status"));
    }
    Ok(report)
}

fn words(report: &Value) -> Vec<String> {
    let list = |value: &Value, pointer: &str| {
        value.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let number = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let mut lines = vec![
        format!("{} {} at {}", text(report, "/origin"), text(report, "/lineage"), text(report, "/at")),
        format!("revision {} is followed by {}", text(report, "/lastKept"), text(report, "/base")),
    ];
    for cluster in list(report, "/clusters") {
        let name = text(&cluster, "/name");
        lines.push(match cluster.get("compared") {
            Some(Value::Bool(true)) => {
                format!(
                    "cluster {name}: compared, {} objects that nobody accounts for",
                    number(&cluster, "/strays")
                )
            }
            _ if cluster.get("reachable") == Some(&Value::Bool(false)) => format!(
                "cluster {name}: not compared yet, it cannot be reached; if it is confirmed without it, runs that it \
                 has already and that wait here are sent once more, to other clusters too"
            ),
            _ => format!("cluster {name}: not compared yet"),
        });
        for stray in list(&cluster, "/unknown") {
            let [kind, namespace, object] =
                ["/kind", "/namespace", "/name"].map(|at| text(&stray, at).to_owned());
            lines.push(format!("  {kind} {namespace}/{object}"));
        }
    }
    let is_complete = report.pointer("/changed/complete") == Some(&Value::Bool(true));
    let at_least = if is_complete { "" } else { "at least " };
    lines.push(format!("{at_least}{} runs that clusters showed otherwise", number(report, "/changed/count")));
    for run in list(report, "/changed/runs") {
        let [namespace, name, phase, cluster] =
            ["/namespace", "/name", "/phase", "/cluster"].map(|at| text(&run, at).to_owned());
        let why = [text(&run, "/reason"), text(&run, "/message")].join(" ");
        let adopted = run.get("adopted") == Some(&Value::Bool(true));
        let adopted = if adopted { " taken over: it was sent after the backup" } else { "" };
        let line = format!("  {namespace}/{name} {phase} on {}{adopted} {}", or_dash(&cluster), why.trim());
        lines.push(line.trim_end().to_owned());
    }
    lines.push(format!("{} runs that are sent once it is confirmed", number(report, "/waiting/count")));
    for run in list(report, "/waiting/runs") {
        lines.push(format!(
            "  {}/{} {}",
            text(&run, "/namespace"),
            text(&run, "/name"),
            text(&run, "/phase")
        ));
    }
    lines.push(match report.get("confirmed") {
        Some(Value::Bool(true)) => "confirmed: the group sends".to_owned(),
        _ => "not confirmed: nothing is sent to any cluster before tallyman operator confirm".to_owned(),
    });
    lines
}
