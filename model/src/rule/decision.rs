//! Placement decisions, put together of their slices, as a pure function of the objects.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const KEY: &str = "multicluster.x-k8s.io/decision-key";
const INDEX: &str = "multicluster.x-k8s.io/decision-index";

/// A profile's namespace and name.
pub type ProfileRef = (String, String);

/// A decision by the slices that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sliced {
    /// The profiles that they name together.
    pub profiles: BTreeSet<ProfileRef>,
    /// It may have more slices than those: they have a key in common.
    pub is_keyed: bool,
    /// UID and resourceVersion of each slice: another one is another decision.
    pub mark: BTreeSet<(String, String)>,
    indexes: BTreeSet<u32>,
    slices: usize,
}

impl Sliced {
    /// One that was there: its slices are all gone.
    #[must_use]
    pub fn gone() -> Self {
        Self { is_keyed: true, ..Self::default() }
    }

    /// Why slices are certainly missing; `None` if that cannot be seen of those that are there.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        if self.indexes.is_empty() {
            return None;
        }
        let is_whole = self.indexes.len() == self.slices && self.indexes.iter().copied().eq(0..self.count());
        let indexes: Vec<String> = self.indexes.iter().map(u32::to_string).collect();
        (!is_whole).then(|| {
            format!("its slices are not all there: of {} the indexes are {}", self.slices, indexes.join(", "))
        })
    }

    fn count(&self) -> u32 {
        u32::try_from(self.slices).unwrap_or(u32::MAX)
    }
}

/// All decisions, by namespace and name: the key that slices have in common, or the name of the only one.
#[must_use]
pub fn together(objects: &[Value]) -> BTreeMap<(String, String), Sliced> {
    let mut all: BTreeMap<(String, String), Sliced> = BTreeMap::new();
    for object in objects {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let label = |key: &str| {
            let labels = object.pointer("/metadata/labels")?;
            labels.get(key)?.as_str().filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let (Some(namespace), Some(name)) = (text("/metadata/namespace"), text("/metadata/name")) else {
            continue;
        };
        let key = label(KEY);
        let is_keyed = key.is_some();
        let sliced = all.entry((namespace.clone(), key.unwrap_or(name))).or_default();
        sliced.is_keyed |= is_keyed;
        sliced.slices += 1;
        sliced.indexes.extend(label(INDEX).and_then(|index| index.parse::<u32>().ok()));
        sliced.mark.insert((
            text("/metadata/uid").unwrap_or_default(),
            text("/metadata/resourceVersion").unwrap_or_default(),
        ));
        for decision in object.pointer("/decisions").and_then(Value::as_array).into_iter().flatten() {
            let part =
                |path: &str| decision.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
            let Some(name) = part("/clusterProfileRef/name") else { continue };
            let of = part("/clusterProfileRef/namespace").unwrap_or(&namespace);
            sliced.profiles.insert((of.to_owned(), name.to_owned()));
        }
    }
    all
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn slice(name: &str, labels: Value, profiles: &[&str]) -> Value {
        let decisions: Vec<Value> = profiles
            .iter()
            .map(|name| json!({"clusterProfileRef": {"name": name}, "reason": "fits"}))
            .collect();
        json!({"metadata": {"namespace": "fleet", "name": name, "uid": name, "resourceVersion": "7", "labels": labels},
            "schedulerName": "s", "decisions": decisions})
    }

    #[test]
    fn slices_with_one_key_are_one_decision_and_a_single_one_has_its_own_name() {
        let mut elsewhere = slice("alone", json!({}), &[]);
        elsewhere["decisions"] = json!([{"clusterProfileRef": {"name": "north", "namespace": "other"}}, 5]);
        let all = together(&[
            slice("gpu-0", json!({KEY: "gpu", INDEX: "0"}), &["east", "west"]),
            slice("gpu-1", json!({KEY: "gpu", INDEX: "1"}), &["south", "east"]),
            elsewhere,
        ]);
        let names = |of: &str| -> Vec<String> {
            let sliced = &all[&("fleet".to_owned(), of.to_owned())];
            sliced.profiles.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect()
        };
        assert_eq!(names("gpu"), ["fleet/east", "fleet/south", "fleet/west"]);
        assert_eq!(names("alone"), ["other/north"]);
        let keyed: Vec<bool> = all.values().map(|sliced| sliced.is_keyed).collect();
        assert_eq!((all.len(), keyed), (2, vec![false, true]));
        assert!(all.values().all(|sliced| sliced.missing().is_none()));
    }

    #[test]
    fn a_gap_between_slices_is_seen() {
        for indexes in [&["1"][..], &["0", "2"], &["0", "0"], &["0", "x"]] {
            let slices: Vec<Value> = indexes
                .iter()
                .enumerate()
                .map(|(i, index)| slice(&format!("s{i}"), json!({KEY: "k", INDEX: index}), &["east"]))
                .collect();
            let all = together(&slices);
            assert!(all.values().next().unwrap().missing().is_some(), "{indexes:?}");
        }
        let all =
            together(&[slice("a", json!({KEY: "k"}), &["east"]), slice("b", json!({KEY: "k"}), &["west"])]);
        assert_eq!(all.values().next().unwrap().missing(), None);
    }
}
