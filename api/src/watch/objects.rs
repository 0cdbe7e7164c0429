//! A watch of the objects of one cluster, from the changes of the records that hold them.

use super::feed::{Pulled, Source, respond};
use super::form::Kind;
use super::{Form, Terms, WATCHER_BYTES_MAX};
use crate::ask::Ask;
use crate::backend::Backend;
use crate::k8s::{As, Pages, Place, Selection, item};
use crate::list::Items;
use crate::render::Scene;
use crate::status::Failure;
use crate::view;
use axum::response::Response;
use tallyman_model::query;
use tallyman_model::record::{Object, Record, Runnable};
use tallyman_model::{Ordinal, Revision};
use tallyman_raft::Change;

/// Changes that are looked at in one step.
const CHANGES: usize = 128;
/// Objects that are told in one step of the beginning.
const OBJECTS: usize = 64;

/// Answers a watch.
pub(crate) async fn objects(ask: Ask, selection: Selection) -> Result<Response, Failure> {
    let watching = ask.api.overload.watch()?;
    let terms = Terms::of(&ask).await?;
    let cluster = view::with(ask.api.backend(), None, |view, _| selection.scope.cluster(view))??;
    let cluster = cluster.map(|cluster| cluster.head.ordinal);
    let at = match terms.from {
        Some(revision) => {
            // Too old is said as an HTTP status, before any stream.
            ask.api.backend().changes(revision, 1)?;
            At::Changes(revision)
        }
        None => At::Beginning { revision: None, place: Place::START },
    };
    let (api, listed, form) = (ask.api.clone(), selection.listed(), ask.form());
    Ok(respond(api, Objects { ask, selection, cluster, form, at }, listed, form, terms, watching))
}

struct Objects {
    ask: Ask,
    selection: Selection,
    cluster: Option<Ordinal>,
    form: Form,
    at: At,
}

enum At {
    /// What was there at one revision is being told.
    Beginning { revision: Option<Revision>, place: Place },
    /// Everything up to this revision has been told.
    Changes(Revision),
}

impl Source for Objects {
    fn pull(&mut self) -> Result<Pulled, Failure> {
        match self.at {
            At::Beginning { revision, place } => self.begin(revision, place),
            At::Changes(after) => self.go_on(after),
        }
    }

    fn reached(&self) -> Revision {
        match self.at {
            At::Beginning { revision, .. } => revision.unwrap_or_default(),
            At::Changes(revision) => revision,
        }
    }
}

impl Objects {
    fn begin(&mut self, revision: Option<Revision>, place: Place) -> Result<Pulled, Failure> {
        let listed = self.selection.listed();
        // In the order of runs: none of these revisions is one to go on from.
        let (before, behind) = self.form.frame(listed, Kind::Added, revision.unwrap_or_default(), None);
        let mut items = Items::framed(before, behind, WATCHER_BYTES_MAX);
        let mut pages = Pages::new(&self.ask, &self.selection, revision, place)?;
        pages.next(&mut items, OBJECTS)?;
        let (revision, place, ended) = (pages.revision.unwrap_or_default(), pages.at, pages.ended);
        self.at =
            if ended { At::Changes(revision) } else { At::Beginning { revision: Some(revision), place } };
        let events = if items.json.is_empty() { Vec::new() } else { vec![items.json.into()] };
        Ok(Pulled { events, more: true, ends_initial: ended, ..Pulled::default() })
    }

    fn go_on(&mut self, after: Revision) -> Result<Pulled, Failure> {
        // Taken before the changes: what is published later may not be among them.
        let published = self.ask.api.backend().revision();
        let changes = self.ask.api.backend().changes(after, CHANGES)?;
        let mut pulled = Pulled { more: changes.len() >= CHANGES, ..Pulled::default() };
        let (mut reached, mut bytes) = (after, 0);
        for change in &changes {
            reached = change.revision;
            let told = self.events(change);
            for (i, (kind, run, object)) in told.iter().enumerate() {
                // Whoever is torn off in the middle of a change must hear all of it again.
                let place = if i + 1 == told.len() { reached } else { Revision(reached.0.saturating_sub(1)) };
                if let Some(document) = self.document(run, object, (reached, place))? {
                    let (before, behind) =
                        self.form.frame(self.selection.listed(), *kind, place, Some(place));
                    bytes += document.len();
                    pulled.events.push([before, document, behind].concat().into());
                    pulled.last = place;
                }
            }
            if bytes >= WATCHER_BYTES_MAX {
                pulled.more = true;
                break;
            }
        }
        self.at = At::Changes(if pulled.more { reached } else { reached.max(published) });
        Ok(pulled)
    }

    /// What a change means for the objects: of one that another took the place of, its end comes first.
    fn events<'a>(&self, change: &'a Change) -> Vec<(Kind, &'a Runnable, &'a Object)> {
        let (before, after) = (runnable(change.before.as_ref()), runnable(change.after.as_ref()));
        let (was, is) = (self.objects(before), self.objects(after));
        let same = |one: &Object, other: &Object| one.uid == other.uid && one.name == other.name;
        let mut events = Vec::new();
        for (run, object) in &was {
            if !is.iter().any(|(_, other)| same(object, other)) {
                events.push((Kind::Deleted, *run, *object));
            }
        }
        for (run, object) in &is {
            let known = was.iter().any(|(_, other)| same(object, other));
            events.push((if known { Kind::Modified } else { Kind::Added }, *run, *object));
        }
        events
    }

    fn objects<'a>(&self, run: Option<&'a Runnable>) -> Vec<(&'a Runnable, &'a Object)> {
        let of = |run: &'a Runnable| run.objects.iter().map(move |object| (run, object));
        let has = |(run, object): &(&Runnable, &Object)| self.selection.has(run, object, self.cluster);
        run.into_iter().flat_map(of).filter(has).collect()
    }

    fn document(
        &self,
        run: &Runnable,
        object: &Object,
        (changed, place): (Revision, Revision),
    ) -> Result<Option<Vec<u8>>, Failure> {
        let kept = manifests(self.ask.api.backend(), run, changed)?;
        let status = self.ask.status();
        let now_ms = self.ask.api.now_ms();
        view::with(self.ask.api.backend(), None, |view, _| {
            let scene = Scene::new(view, &status, now_ms);
            let form = (if self.form.table { As::Row } else { As::Whole }, Some(place));
            item(&scene, &self.selection, run, object, kept.as_deref(), form)
        })
    }
}

fn runnable(record: Option<&Record>) -> Option<&Runnable> {
    match record {
        Some(Record::Runnable(run)) => Some(run),
        _ => None,
    }
}

/// The manifests of a run, if it is gone by now from the state in which it was there; `None`: that is not kept.
fn manifests(backend: &dyn Backend, run: &Runnable, revision: Revision) -> Result<Option<Vec<u8>>, Failure> {
    let now = view::with(backend, None, |view, _| match query::record(view, run.head.ordinal)? {
        Some(_) => query::manifests(view, run).map(Some),
        None => Ok(None),
    })?;
    if now.is_some() {
        return Ok(now);
    }
    let mut found = None;
    let earlier = Revision(revision.0.saturating_sub(1));
    let _ = backend.at(earlier, &mut |view| found = query::manifests(view, run).ok());
    Ok(found)
}
