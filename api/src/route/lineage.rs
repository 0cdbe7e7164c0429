//! A group that goes on from a backup: what the clusters show against it, and that somebody has looked. For operators.

use super::operator::{for_real, respond, wrong};
use crate::api::Shared;
use crate::ask::Ask;
use crate::status::Failure;
use crate::view;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tallyman_model::command::ConfirmLineage;
use tallyman_model::ledger::{LedgerRecord, Subject};
use tallyman_model::record::{Cluster, Lineage, Record, Resource, Stray};
use tallyman_model::{Command, Damaged, Key, Ordinal, Phase, Tag, Uid, View, query, time};
use tallyman_raft::ReadMode;

/// Runs that are named of each sort.
const NAMED_MAX: usize = 100;
/// Records of the ledger that are read at once.
const LEDGER_PAGE: usize = 500;
/// Records of the ledger that are looked through for what has changed.
const LEDGER_MAX: usize = 20_000;
/// Clusters that a confirmation may leave out.
const WITHOUT_MAX: usize = 1000;
/// What is sent, or sent again, once the lineage is confirmed.
const WAITING: [Phase; 3] = [Phase::Accepted, Phase::Placed, Phase::Sent];

/// Runs by namespace and name, as the ledger told of them last, and whether they were taken over.
type Changed = BTreeMap<(String, String), (Subject, bool)>;

/// `GET`: the report. `lineage` is null in a group that never was restored.
pub(super) async fn report(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, _) = Ask::open(&api, request)?;
    ask.require_master()?;
    ask.await_mode(ReadMode::Linearizable).await?;
    let found = view::with(api.backend(), None, |view, _| {
        let Some(lineage) = query::meta(view)?.lineages.last().copied() else { return Ok(None) };
        Ok(Some((lineage, query::clusters(view)?, waiting(view)?)))
    })?;
    let Some((lineage, clusters, waiting)) = found else {
        return Ok(respond(&ask, &json!({"lineage": null})));
    };
    let (changed, is_complete) = changed(&ask, &lineage)?;
    let run = |(_, (subject, adopted)): (&(String, String), &(Subject, bool))| {
        json!({
            "namespace": subject.namespace, "name": subject.name, "phase": subject.phase,
            "reason": subject.reason, "message": subject.message, "cluster": subject.cluster,
            "adopted": adopted,
        })
    };
    let document = json!({
        "lineage": lineage.id.to_string(),
        "origin": lineage.origin.to_string(),
        "at": time::format(lineage.at_ms),
        "lastKept": lineage.last_kept.to_string(),
        "base": lineage.base.to_string(),
        "confirmed": lineage.confirmed,
        "clusters": clusters.iter().map(cluster).collect::<Vec<_>>(),
        "changed": {
            "count": changed.len(),
            "complete": is_complete,
            "runs": changed.iter().take(NAMED_MAX).map(run).collect::<Vec<_>>(),
        },
        "waiting": waiting,
    });
    Ok(respond(&ask, &document))
}

/// `POST {lineage, without}`: the report was looked at; from now on the group sends.
pub(super) async fn confirm(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, body) = Ask::open(&api, request)?;
    ask.require_master()?;
    for_real(&ask)?;
    let (bytes, value) = ask.document(body).await?;
    let map = value.as_object().ok_or_else(|| wrong("lineage", "send an object with it".to_owned()))?;
    if let Some(other) = map.keys().find(|key| !matches!(key.as_str(), "lineage" | "without")) {
        return Err(wrong(other, "unknown field; only lineage and without are taken".to_owned()));
    }
    let id = map.get("lineage").and_then(Value::as_str).and_then(Uid::parse);
    let id = id.ok_or_else(|| wrong("lineage", "must be the id that the report names".to_owned()))?;
    let names = match map.get("without") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(names) => names.as_array().filter(|names| names.len() <= WITHOUT_MAX).and_then(|names| {
            names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        }),
    };
    let without = names.ok_or_else(|| wrong("without", "must be a list of names of clusters".to_owned()))?;
    let command = Command::ConfirmLineage(ConfirmLineage { lineage: id, without });
    ask.propose("", &bytes, command).await?;
    Ok(respond(&ask, &json!({"lineage": id.to_string(), "confirmed": true})))
}

fn cluster(cluster: &Cluster) -> Value {
    let stray = |stray: &Stray| {
        json!({
            "kind": stray.kind.as_str(), "namespace": stray.namespace, "name": stray.name, "uid": stray.uid,
        })
    };
    json!({
        "name": cluster.head.name,
        "compared": cluster.swept_ms > 0,
        "reachable": cluster.reachable,
        "strays": cluster.strays_count,
        "unknown": cluster.strays.iter().map(stray).collect::<Vec<_>>(),
    })
}

/// What will be sent: how many runs, and the first of them.
fn waiting(view: &dyn View) -> Result<Value, Damaged> {
    let (mut count, mut runs) = (0, Vec::new());
    for phase in WAITING {
        let key = |ordinal| Key::lookup(Tag::Phase, phase as u64, Ordinal(ordinal));
        count += view.count(key(0), key(u64::MAX), usize::MAX)?;
        let Some(room) = NAMED_MAX.checked_sub(runs.len()).filter(|room| *room > 0) else { continue };
        let mut filter = query::Filter::all(Resource::Runnable);
        filter.fields.push((query::FieldTest::Phase(phase), true));
        let page = query::list(view, &filter, Ordinal(0), room)?;
        runs.extend(page.records.iter().filter_map(|record| match record {
            Record::Runnable(run) => Some(json!({
                "namespace": run.head.namespace, "name": run.head.name, "phase": run.phase.as_str(),
                "cluster": run.attempt().map_or("", |attempt| attempt.cluster_name.as_str()),
            })),
            _ => None,
        }));
    }
    Ok(json!({"count": count, "runs": runs}))
}

/// The runs that clusters showed otherwise than the backup had them, as they are now; and whether these are all.
fn changed(ask: &Ask, lineage: &Lineage) -> Result<(Changed, bool), Failure> {
    let (mut changed, mut from, mut looked) = (BTreeMap::new(), lineage.record + 1, 0);
    loop {
        let page = ask.api.backend().ledger(from, LEDGER_PAGE)?;
        let Some(last) = page.last() else { return Ok((changed, true)) };
        from = last.seq + 1;
        looked += page.len();
        for entry in &page {
            let Ok(record) = serde_json::from_slice::<LedgerRecord>(&entry.bytes) else { continue };
            if record.verb == "confirm-lineage" {
                return Ok((changed, true));
            }
            if !matches!(record.verb.as_str(), "observe" | "sweep" | "adopt") {
                continue;
            }
            let adopted = record.verb == "adopt";
            for subject in record.subjects.into_iter().filter(|subject| subject.resource == "runnables") {
                let name = (subject.namespace.clone(), subject.name.clone());
                let was_adopted = changed.get(&name).is_some_and(|(_, adopted)| *adopted);
                changed.insert(name, (subject, adopted || was_adopted));
            }
        }
        if looked >= LEDGER_MAX {
            return Ok((changed, false));
        }
    }
}
