//! Lists and single records. All pages of a list show one revision.

use crate::answer;
use crate::ask::Ask;
use crate::filter;
use crate::listed::Listed;
use crate::noun::Noun;
use crate::prefer::Prefer;
use crate::render::{self, Inside, Scene, Stale};
use crate::status::Failure;
use crate::table::{self, Include};
use crate::token::{Token, list_hash};
use crate::view;
use crate::wait::Wait;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use tallyman_model::query::{self, Filter};
use tallyman_model::record::{Record, Resource};
use tallyman_model::{Damaged, Ordinal, Revision};

/// Bytes of items in one answer; the rest is behind a continue token.
const ITEMS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Records that are read at a time: others get their turn in between.
const CHUNK: usize = 64;
/// As above in an old state, which costs something to look at at all.
const CHUNK_OF_PAST: usize = 256;

/// Where a list starts and ends.
pub(crate) struct Range {
    pub(crate) revision: Option<Revision>,
    pub(crate) after: u64,
    pub(crate) limit: usize,
    pub(crate) list: u64,
}

impl Range {
    /// From `limit` and `continue`; the state is waited for only by a first page.
    pub(crate) async fn of(ask: &Ask, noun: Noun, namespace: Option<&str>) -> Result<Self, Failure> {
        let select = |name| ask.params.get(name).unwrap_or_default();
        let parts =
            [noun.plural(), namespace.unwrap_or("*"), select("labelSelector"), select("fieldSelector")];
        let list = list_hash(&parts);
        let limit = match ask.params.number("limit")? {
            None | Some(0) => usize::MAX,
            Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        let Some(text) = ask.params.get("continue") else {
            return Ok(Self { revision: ask.await_read().await?, after: 0, limit, list });
        };
        if ask.params.get("resourceVersion").is_some_and(|revision| revision != "0") {
            return Err(Failure::bad_request("continue and resourceVersion exclude each other"));
        }
        let token = Token::read(text, list)?;
        if let Some(revision) = token.revision {
            // The page before may have come from a replica that is further.
            ask.await_mode(tallyman_raft::ReadMode::Token(revision)).await?;
        }
        Ok(Self { revision: token.revision, after: token.after, limit, list })
    }

    /// A page's revision is not kept any more: a fresh token goes on at the newest one.
    pub(crate) fn expired(&self, mut failure: Failure) -> Failure {
        if failure.code == StatusCode::GONE && self.after > 0 {
            failure.message =
                "the list's revision is too old by now: list again, or go on with the token in \
                               metadata.continue at the newest revision"
                    .to_owned();
            failure.resume = Some(Token { revision: None, after: self.after, list: self.list }.write());
        }
        failure
    }
}

/// Items as joined JSON.
pub(crate) struct Items {
    pub(crate) json: Vec<u8>,
    pub(crate) count: usize,
    frame: Option<(Vec<u8>, Vec<u8>)>,
    bytes_max: usize,
}

impl Default for Items {
    fn default() -> Self {
        Self { json: Vec::new(), count: 0, frame: None, bytes_max: ITEMS_BYTES_MAX }
    }
}

impl Items {
    /// Items that stand each between `before` and `after`, and not in a list; about `bytes_max` bytes of them.
    pub(crate) fn framed(before: Vec<u8>, after: Vec<u8>, bytes_max: usize) -> Self {
        Self { frame: Some((before, after)), bytes_max, ..Self::default() }
    }

    /// True if each item stands by itself.
    pub(crate) fn is_framed(&self) -> bool {
        self.frame.is_some()
    }

    /// True when the bytes that there may be are there.
    pub(crate) fn is_full(&self) -> bool {
        self.json.len() >= self.bytes_max
    }

    pub(crate) fn push(&mut self, item: &[u8]) {
        let (before, after) = match &self.frame {
            Some((before, after)) => (before.as_slice(), after.as_slice()),
            None if self.count > 0 => (b",".as_slice(), b"".as_slice()),
            None => (b"".as_slice(), b"".as_slice()),
        };
        self.json.extend_from_slice(before);
        self.json.extend_from_slice(item);
        self.json.extend_from_slice(after);
        self.count += 1;
    }
}

/// Answers a list of records.
pub(crate) async fn list(
    ask: &Ask,
    noun: Noun,
    resource: Resource,
    namespace: Option<&str>,
) -> Result<Response, Failure> {
    let filter = filter::filter(&ask.params, noun, resource, namespace)?;
    let range = Range::of(ask, noun, namespace).await?;
    let table = ask.rows()?.is_some();
    let mut pages = Pages::new(ask, &filter, range.revision, Ordinal(range.after), table);
    let mut items = Items::default();
    while items.count < range.limit && !items.is_full() && !pages.ended {
        pages.next(&mut items, range.limit).map_err(|failure| range.expired(failure))?;
        tokio::task::yield_now().await;
    }
    let revision = pages.revision.unwrap_or_default();
    let resume =
        (!pages.ended).then_some(Token { revision: Some(revision), after: pages.after.0, list: range.list });
    let bytes = envelope(noun, table, revision, resume, &items);
    let mut response = answer::json(StatusCode::OK, bytes, revision, pages.oldest_cluster_ms);
    answer::warn_of_stale(response.headers_mut(), &pages.stale);
    Ok(response)
}

/// The records of a list at one revision, in steps.
pub(crate) struct Pages<'a> {
    ask: &'a Ask,
    filter: &'a Filter,
    table: bool,
    /// Of all pages; known after the first.
    pub(crate) revision: Option<Revision>,
    /// The last record given.
    pub(crate) after: Ordinal,
    /// There is no more.
    pub(crate) ended: bool,
    /// The age of the oldest picture of a cluster that was shown.
    pub(crate) oldest_cluster_ms: u64,
    /// What is to be said of the pictures that were shown.
    pub(crate) stale: Stale,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(
        ask: &'a Ask,
        filter: &'a Filter,
        revision: Option<Revision>,
        after: Ordinal,
        table: bool,
    ) -> Self {
        let stale = Stale::new();
        Self { ask, filter, table, revision, after, ended: false, oldest_cluster_ms: 0, stale }
    }

    /// Adds the next records, so that there are at most `limit` items and they are no more than full.
    pub(crate) fn next(&mut self, items: &mut Items, limit: usize) -> Result<(), Failure> {
        let newest = self.revision.is_none_or(|revision| revision == self.ask.api.backend().revision());
        let chunk = if newest { CHUNK } else { CHUNK_OF_PAST }.min(limit - items.count);
        let status = self.ask.status();
        let inside = inside(self.ask, self.filter.resource);
        let now_ms = self.ask.api.now_ms();
        let (filter, table, mut after) = (self.filter, self.table, self.after);
        let include = Include::of(&self.ask.params)?;
        let (revision, more, oldest_ms, stale) =
            view::with(self.ask.api.backend(), self.revision, |view, revision| {
                let scene = Scene::new(view, &status, now_ms).with_inside(inside).with_include(include);
                let page = query::list(view, filter, after, chunk)?;
                let mut full = false;
                for record in &page.records {
                    items.push(&item(&scene, record, table)?);
                    after = record.ordinal();
                    if items.is_full() {
                        full = true;
                        break;
                    }
                }
                let more = page.next.is_some()
                    || (full && page.records.last().is_some_and(|last| last.ordinal() > after));
                if let Some(next) = page.next.filter(|_| !full) {
                    after = next;
                }
                Ok((revision, more, scene.oldest_cluster_ms(), scene.stale()))
            })?;
        self.revision = Some(revision);
        self.after = after;
        self.ended = !more;
        self.oldest_cluster_ms = self.oldest_cluster_ms.max(oldest_ms);
        self.stale.extend(stale);
        Ok(())
    }
}

/// Asked before the state is read.
fn inside(ask: &Ask, resource: Resource) -> Option<Inside> {
    let backend = ask.api.backend();
    (resource == Resource::Member)
        .then(|| Inside { state_hash: backend.state_hash(), lag_ms: backend.lag_ms() })
}

fn item(scene: &Scene<'_>, record: &Record, table: bool) -> Result<Vec<u8>, Damaged> {
    if table { table::row(scene, record, None) } else { render::record(scene, record, None, None) }
}

/// The document around the items of a list.
pub(crate) fn envelope(
    listed: impl Into<Listed>,
    table: bool,
    revision: Revision,
    resume: Option<Token>,
    items: &Items,
) -> Vec<u8> {
    let listed = listed.into();
    let columns = table.then(|| listed.columns());
    table_or_list(&format!("{}List", listed.kind()), listed.api_version(), columns, revision, resume, items)
}

/// A list of that kind, or a table if there are columns.
pub(crate) fn table_or_list(
    kind: &str,
    api_version: &str,
    columns: Option<Value>,
    revision: Revision,
    resume: Option<Token>,
    items: &Items,
) -> Vec<u8> {
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".to_owned(), json!(revision.to_string()));
    if let Some(token) = resume {
        metadata.insert("continue".to_owned(), json!(token.write()));
    }
    let (kind, version, list) = match columns {
        Some(_) => ("Table", table::API_VERSION, "rows"),
        None => (kind, api_version, "items"),
    };
    let mut head =
        json!({"kind": kind, "apiVersion": version, "metadata": Value::Object(metadata)}).to_string();
    head.pop();
    if let Some(columns) = columns {
        head.push_str(&format!(",\"columnDefinitions\":{columns}"));
    }
    head.push_str(&format!(",\"{list}\":["));
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&items.json);
    bytes.extend_from_slice(b"]}");
    bytes
}

/// Answers one record.
pub(crate) async fn get(
    ask: &Ask,
    noun: Noun,
    resource: Resource,
    namespace: &str,
    name: &str,
) -> Result<Response, Failure> {
    let (exact, waited_s) = match long_poll(ask, resource, namespace, name).await? {
        Some(seconds) => (None, Some(seconds)),
        None => (ask.await_read().await?, None),
    };
    let status = ask.status();
    let inside = inside(ask, resource);
    let now_ms = ask.api.now_ms();
    let include = Include::of(&ask.params)?;
    let response = view::with(ask.api.backend(), exact, |view, revision| {
        let Some(found) = query::named(view, resource, namespace, name)? else {
            return Ok(Err(Failure::not_found(noun, name)));
        };
        let scene = Scene::new(view, &status, now_ms).with_inside(inside).with_include(include);
        if ask.has(found.revision()) {
            render::pictures(&scene, &found)?;
            return Ok(Ok(answer::not_modified(revision, found.revision(), scene.oldest_cluster_ms())));
        }
        let bytes = if ask.wants_table() {
            let mut items = Items::default();
            items.push(&item(&scene, &found, true)?);
            envelope(noun, true, revision, None, &items)
        } else {
            item(&scene, &found, false)?
        };
        let oldest_ms = scene.oldest_cluster_ms();
        let mut response = answer::json(StatusCode::OK, bytes, revision, oldest_ms);
        answer::warn_of_stale(response.headers_mut(), &scene.stale());
        Ok(Ok(answer::with_etag(response, found.revision())))
    })??;
    Ok(Prefer { wait_s: waited_s, minimal: false }.applied(response))
}

/// With `Prefer: wait=N` and a bare `resourceVersion`: waits until the record is newer than that, or gone; gives N.
async fn long_poll(
    ask: &Ask,
    resource: Resource,
    namespace: &str,
    name: &str,
) -> Result<Option<u64>, Failure> {
    let has = ask.params.revision()?.filter(|revision| *revision > Revision(0));
    let others = ["resourceVersionMatch", "consistency", "timeout"];
    let (Some(has), false) = (has, others.iter().any(|name| ask.params.get(name).is_some())) else {
        return Ok(None);
    };
    let Some(wait) = Wait::preferred(ask) else { return Ok(None) };
    wait.for_revision(ask, has).await?;
    wait.until(ask, |view| {
        let found = query::named(view, resource, namespace, name)?;
        Ok(found.is_none_or(|found| found.revision() > has))
    })
    .await?;
    Ok(Some(wait.seconds))
}
