//! `tallyman deployable diff`.

use super::one;
use crate::client::{Client, Request, Where, text};
use crate::exit::Failure;
use crate::output::OutputOptions;
use crate::screen::Screen;
use serde_json::Value;

const AFTER_HELP: &str = "\
Examples:
  tallyman deployable diff risk/settings
  tallyman deployable diff settings -n risk --cluster east
  tallyman deployable diff risk/settings -o yaml

Exit codes: 3 not found";

/// Show where a deployable as it is wanted, as it was applied and as it was observed differ
///
/// Of each field: what the newest revision has, what was applied to that cluster, and what was seen there last. Nothing
/// is asked of the clusters for it.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Diff {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
    /// Only on this cluster
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    #[command(flatten)]
    output: OutputOptions,
}

impl Diff {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let (namespace, name) = self.place.split(&self.name)?;
        let request = Request::get(format!("{}/diff", one(namespace, name)))
            .query_some("cluster", self.cluster.as_deref());
        let document = client.read(&request).await?.body;
        self.output
            .print_plain(&document, |_| lines(&document).iter().for_each(|line| Screen::stdout().line(line)))
    }
}

fn items<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn number(value: &Value, field: &str) -> u64 {
    value.get(field).and_then(Value::as_u64).unwrap_or_default()
}

/// A line for each cluster, object and field.
pub(super) fn lines(document: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let newest = number(document, "revision");
    for on in items(document, "items") {
        let applied = number(on, "appliedRevision");
        let revision = match applied {
            0 => format!("nothing applied, revision {newest} wanted"),
            _ if applied == newest => format!("revision {newest}"),
            _ => format!("revision {applied} applied, {newest} wanted"),
        };
        let same = if items(on, "objects").next().is_none() { ", all as it is wanted" } else { "" };
        lines.push(format!("{}: {revision}{same}", text(on, "/cluster")));
        items(on, "objects").for_each(|object| self::object(object, &mut lines));
    }
    let more = number(document, "more");
    if more > 0 {
        lines.push(format!("{more} more objects differ: ask for one cluster by --cluster"));
    }
    lines
}

fn object(object: &Value, lines: &mut Vec<String>) {
    let what = match text(object, "/action") {
        "Create" => ", to be made",
        "Apply" => ", to be applied",
        "Delete" => ", to be deleted",
        "Release" => ", to be released",
        _ => "",
    };
    let drift = match (text(object, "/drift/what"), text(object, "/drift/by")) {
        ("", _) => String::new(),
        (what, "") => format!("; {} by somebody else", what.to_lowercase()),
        (what, by) => format!("; {} by {by}", what.to_lowercase()),
    };
    let (kind, namespace, name) = (text(object, "/kind"), text(object, "/namespace"), text(object, "/name"));
    lines.push(format!("  {kind} {namespace}/{name}{what}{drift}"));
    for field in items(object, "fields") {
        let value = |name: &str| field.get(name).map_or_else(|| "-".to_owned(), Value::to_string);
        let admitted = if field.get("admitted").is_some() { " (by the cluster's own rules)" } else { "" };
        let (wanted, applied, observed) = (value("wanted"), value("applied"), value("observed"));
        let path = text(field, "/path");
        lines.push(format!("    {path}: wanted {wanted}, applied {applied}, observed {observed}{admitted}"));
    }
    let more = number(object, "more");
    if more > 0 {
        lines.push(format!("    {more} more fields"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_diff_is_told_by_cluster_object_and_field() {
        let field = json!({"path": "/data/level", "wanted": "debug", "applied": "info", "observed": "trace"});
        let document = json!({"revision": 2, "items": [
            {"cluster": "east", "appliedRevision": 1, "objects": [
                {"kind": "ConfigMap", "namespace": "risk", "name": "one", "action": "Apply", "fields": [field],
                    "drift": {"what": "Changed", "by": "kubectl-edit"}},
                {"kind": "ConfigMap", "namespace": "risk", "name": "two", "action": "Create", "fields": []}]},
            {"cluster": "west", "appliedRevision": 2, "objects": []},
        ]});
        let expected = [
            "east: revision 1 applied, 2 wanted",
            "  ConfigMap risk/one, to be applied; changed by kubectl-edit",
            "    /data/level: wanted \"debug\", applied \"info\", observed \"trace\"",
            "  ConfigMap risk/two, to be made",
            "west: revision 2, all as it is wanted",
        ];
        assert_eq!(lines(&document), expected);
    }
}
