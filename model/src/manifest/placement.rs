//! `spec.placement` as a user writes it.

use super::fields::{Faults, Fields};
use crate::limits;
use crate::record::{OnLoss, Placement};
use crate::selector::{Selector, Test};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) fn placement_of(value: Value, faults: &mut Faults) -> Placement {
    let mut placement = Fields::of("spec.placement", value, faults);
    let on_loss = on_loss_of(&mut placement, faults);
    let loss_after_ms = placement.duration("lossAfter", faults).unwrap_or(limits::LOSS_AFTER_MS);
    if loss_after_ms < limits::LOSS_AFTER_MS_MIN {
        let least = super::write_duration(limits::LOSS_AFTER_MS_MIN);
        faults.add("spec.placement.lossAfter", format!("must be {least} or longer"));
    }
    let named = placement.has("clusters");
    let clusters = placement.texts("clusters", faults);
    if named && clusters.is_empty() {
        faults.add("spec.placement.clusters", "names no cluster; leave it out for any");
    }
    if clusters.len() > limits::PLACEMENT_CLUSTERS_MAX {
        faults.add("spec.placement.clusters", format!("at most {}", limits::PLACEMENT_CLUSTERS_MAX));
    }
    let selector = placement.take("clusterSelector").and_then(|value| selector_of(value, faults));
    let weights =
        placement.take("weights").map(|value| weights_of(value, &clusters, faults)).unwrap_or_default();
    let fan_out = placement.flag("fanOut", faults);
    if fan_out && on_loss == OnLoss::Move {
        faults.add("spec.placement.onLoss", "must be Wait or Fail with fanOut: each run is for its cluster");
    }
    if fan_out && !weights.is_empty() {
        faults.add("spec.placement.weights", "must not be with fanOut: there is one run on each cluster");
    }
    let spread_by_label = placement.text("spreadByLabel", faults);
    if let Some(Err(why)) = spread_by_label.as_deref().map(super::names::label_key) {
        faults.add("spec.placement.spreadByLabel", format!("must be the key of a label of clusters: {why}"));
    }
    if fan_out && spread_by_label.is_some() {
        faults
            .add("spec.placement.spreadByLabel", "must not be with fanOut: there is one run on each cluster");
    }
    let decision = placement.text("decision", faults);
    if let Some(Err(why)) = decision.as_deref().map(decision_name) {
        faults.add("spec.placement.decision", why);
    }
    placement.finish(faults);
    Placement { clusters, selector, on_loss, loss_after_ms, weights, fan_out, spread_by_label, decision }
}

/// A decision's namespace and name on its hub.
fn decision_name(text: &str) -> Result<(), String> {
    let parts = text.split_once('/').filter(|_| text.len() <= limits::DECISION_NAME_BYTES_MAX);
    let is_name = |part: &str| super::names::label_value(part).is_ok() && !part.is_empty();
    match parts {
        Some((namespace, name)) if is_name(namespace) && is_name(name) => Ok(()),
        _ => Err(format!(
            "must be NAMESPACE/NAME of a PlacementDecision on a hub, at most {} bytes",
            limits::DECISION_NAME_BYTES_MAX
        )),
    }
}

fn weights_of(value: Value, clusters: &[String], faults: &mut Faults) -> BTreeMap<String, u32> {
    const PATH: &str = "spec.placement.weights";
    let Value::Object(map) = value else {
        faults.add(PATH, "must be an object of cluster names and whole numbers, like {east: 2, west: 1}");
        return BTreeMap::new();
    };
    if map.len() > limits::PLACEMENT_CLUSTERS_MAX {
        faults.add(PATH, format!("at most {}", limits::PLACEMENT_CLUSTERS_MAX));
    }
    let mut weights = BTreeMap::new();
    for (name, value) in map {
        let weight = value.as_u64().and_then(|weight| u32::try_from(weight).ok());
        let weight = weight.filter(|weight| (1..=limits::PLACEMENT_WEIGHT_MAX).contains(weight));
        if weight.is_none() {
            let most = limits::PLACEMENT_WEIGHT_MAX;
            faults.add(format!("{PATH}.{name}"), format!("must be 1 to {most}, not {value}"));
        }
        if !clusters.is_empty() && !clusters.contains(&name) {
            faults.add(format!("{PATH}.{name}"), "is not among spec.placement.clusters");
        }
        weights.insert(name, weight.unwrap_or(1));
    }
    weights
}

fn on_loss_of(placement: &mut Fields<'_>, faults: &mut Faults) -> OnLoss {
    let Some(word) = placement.text("onLoss", faults) else { return OnLoss::default() };
    let known = OnLoss::ALL.into_iter().find(|on_loss| on_loss.as_str() == word);
    known.unwrap_or_else(|| {
        faults.add("spec.placement.onLoss", format!("must be Wait, Move or Fail, not {word:?}"));
        OnLoss::default()
    })
}

/// `matchLabels` only, or the one-line form of selectors.
fn selector_of(value: Value, faults: &mut Faults) -> Option<Selector> {
    const PATH: &str = "spec.placement.clusterSelector";
    if let Value::String(text) = &value {
        return Selector::parse(text).map_err(|why| faults.add(PATH, why)).ok();
    }
    let mut fields = Fields::of(PATH, value, faults);
    let labels = fields.strings("matchLabels", faults);
    fields.finish(faults);
    Some(Selector(labels.into_iter().map(|(key, value)| (key, Test::In(vec![value]))).collect()))
}
