//! Ways to objects other than by key; derived, never stored.

use crate::kind::Kind;
use crate::object::Object;
use std::collections::{BTreeMap, BTreeSet};

/// A kind and a key.
pub(crate) type Place = (Kind, String);

#[derive(Debug, Default)]
pub(super) struct Indexes {
    places: BTreeMap<String, Place>,
    dependents: BTreeMap<String, BTreeSet<Place>>,
    population: BTreeMap<String, usize>,
}

impl Indexes {
    pub(super) fn add(&mut self, object: &Object) {
        let place = (object.kind.clone(), object.key.clone());
        for owner in &object.owners {
            self.dependents.entry(owner.clone()).or_default().insert(place.clone());
        }
        if object.kind.is_namespaced() {
            *self.population.entry(object.namespace.clone()).or_default() += 1;
        }
        self.places.insert(object.uid.clone(), place);
    }

    pub(super) fn remove(&mut self, object: &Object) {
        let place = (object.kind.clone(), object.key.clone());
        for owner in &object.owners {
            if let Some(all) = self.dependents.get_mut(owner) {
                all.remove(&place);
                if all.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
        if let Some(count) = self.population.get_mut(&object.namespace) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.population.remove(&object.namespace);
            }
        }
        self.places.remove(&object.uid);
    }

    pub(super) fn place(&self, uid: &str) -> Option<&Place> {
        self.places.get(uid)
    }

    pub(super) fn dependents(&self, uid: &str) -> impl Iterator<Item = &Place> {
        self.dependents.get(uid).into_iter().flatten()
    }

    pub(super) fn population(&self, namespace: &str) -> usize {
        self.population.get(namespace).copied().unwrap_or_default()
    }
}
