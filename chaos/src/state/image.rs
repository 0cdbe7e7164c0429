//! The whole state: written anew to its file, kept aside, and put back.

use super::State;
use super::indexes::Indexes;
use crate::journal::BASE;
use crate::kind::Kind;
use crate::object::Object;
use crate::selector::Selector;
use crate::state::Asked;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// What a cluster was at one version.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    version: u64,
    objects: BTreeMap<Kind, BTreeMap<String, Arc<Object>>>,
}

impl State {
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let objects = self.tables.iter().map(|(kind, table)| (kind.clone(), table.objects.clone()));
        Checkpoint { version: self.version, objects: objects.collect() }
    }

    /// Puts back what was kept aside; versions are given out a second time.
    ///
    /// # Errors
    /// It is not on file: a restart would bring the present back.
    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) -> io::Result<()> {
        (self.version, self.floor) = (checkpoint.version, checkpoint.version);
        self.indexes = Indexes::default();
        self.dirty.clear();
        for (kind, table) in &mut self.tables {
            table.objects = checkpoint.objects.get(kind).cloned().unwrap_or_default();
            table.history.restart(checkpoint.version);
            for object in table.objects.values() {
                self.indexes.add(object);
            }
        }
        self.recatalog();
        self.mark_all();
        self.rewrite()
    }

    /// Rewrites the file if most of it is of no use any more.
    pub(super) fn rewrite_if_due(&mut self) -> io::Result<()> {
        match &self.journal {
            Some(journal) if journal.is_due_for_rewrite() => self.rewrite(),
            _ => Ok(()),
        }
    }

    /// Writes objects as they were at the floor of all histories, and the changes since.
    fn rewrite(&mut self) -> io::Result<()> {
        let Some(mut journal) = self.journal.take() else { return Ok(()) };
        let floor = self.tables.values().map(|table| table.history.floor()).max().unwrap_or_default();
        let lines = self.lines(floor);
        let written = journal.rewrite(floor, lines.iter().map(|(change, object)| (*change, object.as_ref())));
        self.journal = Some(journal);
        written
    }

    fn lines(&self, floor: u64) -> Vec<(&'static str, Arc<Object>)> {
        let (mut lines, mut changes) = (Vec::new(), Vec::new());
        let selector = Selector::default();
        for kind in self.tables.keys() {
            let asked = Asked { kind, prefix: "", after: "", limit: 0, selector: &selector };
            // No history has a floor above this one.
            let base = self.page(floor, &asked).map(|page| page.objects).unwrap_or_default();
            lines.extend(base.into_iter().map(|object| (BASE, object)));
            let events = self.events(kind, floor, usize::MAX).unwrap_or_default();
            changes.extend(events.into_iter().map(|event| (event.change.as_str(), event.object)));
        }
        changes.sort_by_key(|(_, object)| object.version);
        lines.extend(changes);
        lines
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use crate::kind::Kind;
    use crate::state::{Store, new_namespace};

    fn names(store: &Store) -> (u64, Vec<String>) {
        let state = store.lock();
        let all = state.with_prefix(&Kind::Namespace, "");
        (state.version(), all.iter().map(|object| object.name.clone()).collect())
    }

    #[test]
    fn a_rewritten_file_holds_the_state_and_the_history() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open(Some(dir.path()), 3, true).unwrap();
        let store = open();
        for name in ["a", "b", "c", "d", "e"] {
            store.lock().insert(&Kind::Namespace, new_namespace(name)).unwrap();
        }
        let removed = store.lock().get(&Kind::Namespace, "a").cloned().unwrap();
        store.lock().remove(&removed).unwrap();
        store.lock().rewrite().unwrap();
        store.lock().insert(&Kind::Namespace, new_namespace("f")).unwrap();
        let before = names(&store);
        store.lock().close();
        let reopened = open();
        assert_eq!(names(&reopened), before);
        assert_eq!(reopened.lock().events(&Kind::Namespace, 4, 9).unwrap().len(), 3);
    }

    #[test]
    fn a_restored_checkpoint_goes_back_in_versions_and_stays_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Store::open(Some(dir.path()), 9, true).unwrap();
        let store = open();
        store.lock().insert(&Kind::Namespace, new_namespace("kept")).unwrap();
        let checkpoint = store.lock().checkpoint();
        store.lock().insert(&Kind::Namespace, new_namespace("undone")).unwrap();
        store.lock().restore(&checkpoint).unwrap();
        assert_eq!(names(&store), (1, vec!["kept".to_owned()]));
        store.lock().close();
        assert_eq!(names(&open()), (1, vec!["kept".to_owned()]));
    }
}
