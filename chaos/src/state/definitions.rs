//! Kinds that come and go with their definitions.

use super::State;
use crate::catalog::{Catalog, Served};
use crate::history::Event;
use crate::kind::Kind;
use crate::refusal::Refusal;
use crate::{definition, meta};
use std::sync::Arc;
use tokio::sync::watch;

impl State {
    /// What is served now.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog)
    }

    /// Whether there is no object of a kind.
    pub(crate) fn is_empty(&self, kind: &Kind) -> bool {
        self.tables.get(kind).is_none_or(|table| table.objects.is_empty())
    }

    /// A kind as it is served in a version.
    ///
    /// # Errors
    /// 404: it is not, or no more.
    pub(crate) fn served(&self, kind: &Kind, version: &str) -> Result<&Served, Refusal> {
        let served = self.catalog.at_path(kind.group(), version, kind.plural());
        served.filter(|served| served.kind == *kind).ok_or_else(Refusal::no_such_path)
    }

    /// Tells of changes of a kind, until it is no longer served as it is now.
    pub(crate) fn changes(&mut self, kind: &Kind) -> watch::Receiver<u64> {
        self.table(kind).changed.subscribe()
    }

    /// Serves what is defined after a change of a definition.
    pub(super) fn redefine(&mut self, event: &Event) {
        self.recatalog();
        let Some(previous) = event.previous.as_ref().map(|previous| previous.value()) else { return };
        let kind = definition::kind(&previous);
        let is_gone = self.get(&event.object.kind, &event.object.key).is_none();
        if is_gone {
            // Another definition may have waited for its names.
            let all = self.with_prefix(&Kind::CustomResourceDefinition, "");
            self.dirty.extend(all.into_iter().map(|other| (other.kind.clone(), other.key.clone())));
            // Somebody may have taken the finalizer off that waits for the objects.
            for left in std::mem::take(&mut self.table(&kind).objects).into_values() {
                self.indexes.remove(&left);
            }
        }
        if is_gone || !meta::is_same(&previous, &event.object.value(), "spec") {
            let version = self.version;
            self.table(&kind).changed = watch::Sender::new(version);
        }
    }

    /// Reads all definitions anew.
    pub(super) fn recatalog(&mut self) {
        let definitions = self.tables.get(&Kind::CustomResourceDefinition);
        let all = definitions.into_iter().flat_map(|table| table.objects.values());
        self.catalog = Arc::new(Catalog::new(all.map(AsRef::as_ref)));
        for kind in self.catalog().kinds() {
            self.table(&kind);
        }
    }
}
