//! Pages of a list, all from one version.

use super::State;
use crate::history::Compacted;
use crate::kind::Kind;
use crate::object::Object;
use crate::selector::Selector;
use std::cmp::Ordering;
use std::sync::Arc;

/// Part of a list.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) objects: Vec<Arc<Object>>,
    /// The key after which the next page begins; none: this was the last.
    pub(crate) next_after: Option<String>,
}

/// What to list.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) kind: &'a Kind,
    /// What the keys begin with; "" for all.
    pub(crate) prefix: &'a str,
    /// The key of the last object of the page before.
    pub(crate) after: &'a str,
    /// 0: no limit.
    pub(crate) limit: usize,
    pub(crate) selector: &'a Selector,
}

impl State {
    /// The objects as they were at `version`: the present ones, with what changed since undone.
    ///
    /// # Errors
    /// The changes since are no longer all known.
    pub(crate) fn page(&self, version: u64, asked: &Asked<'_>) -> Result<Page, Compacted> {
        let Some(table) = self.tables.get(asked.kind) else {
            return Ok(Page { objects: Vec::new(), next_after: None });
        };
        let undone = table.history.undone(version)?;
        let from = asked.prefix.max(asked.after);
        let is_wanted = |key: &str| key.starts_with(asked.prefix) && key > asked.after;
        let present =
            table.objects.range(from.to_owned()..).take_while(|(key, _)| key.starts_with(asked.prefix));
        let present = present.filter(|(key, _)| is_wanted(key) && !undone.contains_key(key.as_str()));
        let former = undone.range(from..).filter(|(key, _)| is_wanted(key)).filter_map(|(_, object)| *object);
        let mut merged = merge(present.map(|(_, object)| object), former)
            .filter(|object| asked.selector.matches(object))
            .cloned();
        let limit = if asked.limit == 0 { usize::MAX } else { asked.limit };
        let objects: Vec<_> = merged.by_ref().take(limit).collect();
        let has_more = objects.len() == limit && merged.next().is_some();
        let next_after = objects.last().filter(|_| has_more).map(|last| last.key.clone());
        Ok(Page { objects, next_after })
    }
}

/// Two runs of objects in order of key, as one.
fn merge<'a>(
    left: impl Iterator<Item = &'a Arc<Object>>,
    right: impl Iterator<Item = &'a Arc<Object>>,
) -> impl Iterator<Item = &'a Arc<Object>> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    std::iter::from_fn(move || match (left.peek(), right.peek()) {
        (Some(one), Some(other)) if one.key.cmp(&other.key) == Ordering::Greater => right.next(),
        (Some(_), _) => left.next(),
        (None, _) => right.next(),
    })
}
