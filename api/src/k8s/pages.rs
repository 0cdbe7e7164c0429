//! Lists of objects, and single ones. All pages of a list show one revision.

use super::document::document;
use super::scope::Scope;
use super::selection::{Selection, is_first, live};
use super::served::Served;
use super::table;
use crate::answer;
use crate::ask::Ask;
use crate::list::{Items, Range, envelope};
use crate::listed::Listed;
use crate::noun::Noun;
use crate::render::{Scene, Stale, bytes};
use crate::status::Failure;
use crate::table::Include;
use crate::token::Token;
use crate::view;
use axum::http::StatusCode;
use axum::response::Response;
use tallyman_model::query;
use tallyman_model::record::{Object, Record, Runnable};
use tallyman_model::{Damaged, Ordinal, Revision};

/// Runs that are looked at at a time: others get their turn in between.
const RUNS: usize = 64;
/// As above in an old state, which costs something to look at at all.
const RUNS_OF_PAST: usize = 256;

/// Before an object: its run, and its place among the run's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    run: Ordinal,
    object: usize,
}

/// The last bits of a token's number are the place in the run.
const OBJECT_BITS: u32 = 20;

impl Place {
    pub(crate) const START: Self = Self { run: Ordinal(0), object: 0 };

    fn pack(self) -> u64 {
        (self.run.0 << OBJECT_BITS) | self.object as u64
    }

    fn unpack(number: u64) -> Self {
        let object = usize::try_from(number & ((1 << OBJECT_BITS) - 1)).unwrap_or(0);
        Self { run: Ordinal(number >> OBJECT_BITS), object }
    }
}

/// How an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    /// An item of a list, of which the list says the kind: typed clients compare it with what a watch told.
    Item,
    /// By itself.
    Whole,
    /// A row for people.
    Row,
}

/// Answers a list.
pub(super) async fn list(ask: &Ask, selection: &Selection) -> Result<Response, Failure> {
    let range = Range::of(ask, Noun::Runnables, Some(&selection.within())).await?;
    let mut pages = Pages::new(ask, selection, range.revision, Place::unpack(range.after))?;
    let mut items = Items::default();
    while items.count < range.limit && !items.is_full() && !pages.ended {
        pages.next(&mut items, range.limit).map_err(|failure| range.expired(failure))?;
        tokio::task::yield_now().await;
    }
    let revision = pages.revision.unwrap_or_default();
    let after = pages.at.pack();
    let resume = (!pages.ended).then_some(Token { revision: Some(revision), after, list: range.list });
    let bytes = envelope(selection.listed(), pages.table, revision, resume, &items);
    let mut response = answer::json(StatusCode::OK, bytes, revision, pages.oldest_cluster_ms);
    answer::warn_of_stale(response.headers_mut(), &pages.stale);
    Ok(response)
}

/// The objects of a list at one revision, in steps.
pub(crate) struct Pages<'a> {
    ask: &'a Ask,
    selection: &'a Selection,
    pub(crate) table: bool,
    /// Of all pages; known after the first.
    pub(crate) revision: Option<Revision>,
    /// Where the next one begins.
    pub(crate) at: Place,
    /// There is no more.
    pub(crate) ended: bool,
    oldest_cluster_ms: u64,
    stale: Stale,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(
        ask: &'a Ask,
        selection: &'a Selection,
        revision: Option<Revision>,
        at: Place,
    ) -> Result<Self, Failure> {
        let table = ask.wants_table();
        Ok(Self {
            ask,
            selection,
            table,
            revision,
            at,
            ended: false,
            oldest_cluster_ms: 0,
            stale: Stale::new(),
        })
    }

    /// Adds the next objects, so that there are at most `limit` items and they are no more than full.
    pub(crate) fn next(&mut self, items: &mut Items, limit: usize) -> Result<(), Failure> {
        let newest = self.revision.is_none_or(|revision| revision == self.ask.api.backend().revision());
        let runs = if newest { RUNS } else { RUNS_OF_PAST };
        let status = self.ask.status();
        let now_ms = self.ask.api.now_ms();
        let include = Include::of(&self.ask.params)?;
        let (selection, mut at) = (self.selection, self.at);
        let form = match (self.table, items.is_framed()) {
            (true, _) => As::Row,
            (false, true) => As::Whole,
            (false, false) => As::Item,
        };
        let (revision, ended, oldest_ms, stale) =
            view::with(self.ask.api.backend(), self.revision, |view, revision| {
                let scene = Scene::new(view, &status, now_ms).with_include(include);
                let cluster = match selection.scope.cluster(view)? {
                    Ok(cluster) => cluster.map(|cluster| cluster.head.ordinal),
                    Err(missing) => return Ok(Err(missing)),
                };
                let after = Ordinal(at.run.0.saturating_sub(1));
                let page = query::list(view, &selection.runs(cluster), after, runs)?;
                let mut full = false;
                for record in &page.records {
                    let Record::Runnable(run) = record else { continue };
                    let from = if at.run == run.head.ordinal { at.object } else { 0 };
                    let room = (&mut *items, limit, form);
                    match give(&scene, selection, run, cluster, from, room)? {
                        Some(object) => {
                            at = Place { run: run.head.ordinal, object };
                            full = true;
                            break;
                        }
                        None => at = Place { run: run.head.ordinal.next(), object: 0 },
                    }
                }
                if let Some(next) = page.next.filter(|_| !full) {
                    at = Place { run: next.next(), object: 0 };
                }
                let ended = !full && page.next.is_none();
                Ok(Ok((revision, ended, scene.oldest_cluster_ms(), scene.stale())))
            })??;
        self.revision = Some(revision);
        self.at = at;
        self.ended = ended;
        self.oldest_cluster_ms = self.oldest_cluster_ms.max(oldest_ms);
        self.stale.extend(stale);
        Ok(())
    }
}

/// Adds the objects of one run from place `from` on; gives the place of the first that had no room.
fn give(
    scene: &Scene<'_>,
    selection: &Selection,
    run: &Runnable,
    cluster: Option<Ordinal>,
    from: usize,
    (items, limit, form): (&mut Items, usize, As),
) -> Result<Option<usize>, Damaged> {
    let mut kept = None;
    for (place, object) in run.objects.iter().enumerate().skip(from) {
        if !selection.has(run, object, cluster) || !is_first(scene.view, run, object)? {
            continue;
        }
        if items.count >= limit || items.is_full() {
            return Ok(Some(place));
        }
        if kept.is_none() {
            kept = Some(query::manifests(scene.view, run)?);
        }
        if let Some(item) = item(scene, selection, run, object, kept.as_deref(), (form, None))? {
            items.push(&item);
        }
    }
    Ok(None)
}

/// The object as a document or a row, if it has the labels that are asked for.
pub(crate) fn item(
    scene: &Scene<'_>,
    selection: &Selection,
    run: &Runnable,
    object: &Object,
    kept: Option<&[u8]>,
    (form, revision): (As, Option<Revision>),
) -> Result<Option<Vec<u8>>, Damaged> {
    let mut document = document(scene, run, object, kept, revision)?;
    if !selection.has_labels(&document) {
        return Ok(None);
    }
    if form == As::Item
        && let Some(fields) = document.as_object_mut()
    {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    if form != As::Row {
        return Ok(Some(bytes(&document)));
    }
    let all = selection.scope == Scope::All;
    table::row(scene, &selection.served.kind, all, object, &document).map(Some)
}

/// Answers one object.
pub(super) async fn get(
    ask: &Ask,
    scope: &Scope,
    served: &Served,
    namespace: &str,
    name: &str,
) -> Result<Response, Failure> {
    let exact = ask.await_read().await?;
    let status = ask.status();
    let now_ms = ask.api.now_ms();
    let include = Include::of(&ask.params)?;
    let table = ask.wants_table();
    let all = *scope == Scope::All;
    let kind = &served.kind;
    view::with(ask.api.backend(), exact, |view, revision| {
        let clusters = match scope.cluster(view)? {
            Ok(Some(cluster)) => vec![cluster],
            Ok(None) => query::clusters(view)?,
            Err(missing) => return Ok(Err(missing)),
        };
        let mut found = Vec::new();
        for cluster in &clusters {
            let holders = query::claimants(view, cluster.head.ordinal, kind, namespace, name)?;
            let live = |run: Runnable| {
                let object = live(&run, cluster.head.ordinal, kind, name)?.clone();
                Some((cluster.head.name.as_str(), run, object))
            };
            found.extend(holders.into_iter().find_map(live));
        }
        let [(_, run, object)] = found.as_slice() else {
            let clusters: Vec<&str> = found.iter().map(|(cluster, ..)| *cluster).collect();
            return Ok(Err(not_one(served, name, &clusters)));
        };
        let scene = Scene::new(view, &status, now_ms).with_include(include);
        let kept = query::manifests(view, run)?;
        let document = document(&scene, run, object, Some(&kept), None)?;
        let bytes = if table {
            let mut items = Items::default();
            items.push(&table::row(&scene, kind, all, object, &document)?);
            envelope(Listed::Observed { kind: kind.clone(), all }, true, revision, None, &items)
        } else {
            bytes(&document)
        };
        let mut response = answer::json(StatusCode::OK, bytes, revision, scene.oldest_cluster_ms());
        answer::warn_of_stale(response.headers_mut(), &scene.stale());
        Ok(Ok(answer::with_etag(response, run.head.revision)))
    })?
}

/// There is no object of that name, or there are several.
fn not_one(Served { kind, plural }: &Served, name: &str, clusters: &[&str]) -> Failure {
    let group = if kind.group().is_empty() { String::new() } else { format!(".{}", kind.group()) };
    let what = format!("{plural}{group} {name:?}");
    if clusters.is_empty() {
        return Failure::new(StatusCode::NOT_FOUND, "NotFound", format!("{what} not found"));
    }
    let paths: Vec<String> = clusters.iter().map(|cluster| format!("/k8s/clusters/{cluster}")).collect();
    Failure::conflict(format!(
        "{what} is on {} clusters, {}: read it under {}",
        clusters.len(),
        clusters.join(" and "),
        paths.join(" or ")
    ))
}
