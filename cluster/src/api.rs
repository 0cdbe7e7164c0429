//! The seam to a cluster: all that Tallyman asks of one.

use crate::CallError;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde_json::Value;
use tallyman_model::ReplicaId;
use tallyman_model::command::Observation;
use tallyman_model::record::{Extent, Kind};
use tallyman_model::rule::Owned;
use tallyman_model::rule::event::Warning;
use tallyman_model::rule::pod::Examined;
use tallyman_model::rule::workload::Admission;

/// A call's answer, as a future that can be put behind `dyn`.
pub type Call<'a, T> = BoxFuture<'a, Result<T, CallError>>;

/// What a watch says, in the cluster's order. It ends after [`WatchEvent::Error`] and [`WatchEvent::Eof`]; dropping
/// it closes the watch.
pub type WatchStream = BoxStream<'static, WatchEvent>;

/// Which cluster answers, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The UID of its kube-system namespace: the cluster's identity.
    pub kube_system_uid: String,
    /// Its `gitVersion`.
    pub version: String,
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its objects. One that cannot be projected is left out, and counted.
    pub items: Vec<Observation>,
    /// How many were left out.
    pub skipped: usize,
    /// How long the answer was.
    pub bytes: usize,
    /// The version of the whole listing.
    pub resource_version: String,
    /// Where the next page starts; `None`: this was the last one.
    pub continue_token: Option<String>,
}

/// One object, and what of it is ours by server-side apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What it is.
    pub item: Observation,
    /// What of it we own.
    pub owned: Owned,
    /// All of it, as the kube-apiserver sent it.
    pub object: Value,
}

/// All objects of a kind in some namespaces, as one listing has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// They, as the kube-apiserver sent them.
    pub items: Vec<Value>,
    /// The version of the listing.
    pub resource_version: String,
}

/// How something is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Apply {
    /// Fields of others are taken from them.
    pub force: bool,
    /// Nothing is changed: the answer is what would be.
    pub dry_run: bool,
}

/// Names one object of one kind, in one life.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID: another life of the same name has another one.
    pub uid: String,
}

impl ObjectKey {
    /// The key of what was observed.
    #[must_use]
    pub fn of(item: &Observation) -> Self {
        Self { namespace: item.namespace.clone(), name: item.name.clone(), uid: item.uid.clone() }
    }
}

/// What a cluster said to a delete that it accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The object of that UID is gone.
    Gone,
    /// It goes when its finalizers are off and, in the foreground, what it owns is gone: as it is now.
    Going(Box<Observation>),
    /// Neither: it is to be read.
    Unsaid,
}

/// One line of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// ADDED or MODIFIED: the object as it is now.
    Seen(Observation),
    /// DELETED, or no longer selected: the last state, `gone`, with the resourceVersion of its going. Whether the
    /// object is gone or only lost its label must be read.
    Deleted(Observation),
    /// An event of an object that cannot be projected.
    Skipped {
        /// How far the watch has come with it.
        resource_version: String,
    },
    /// Nothing happened up to here.
    Bookmark {
        /// How far the watch has come.
        resource_version: String,
    },
    /// The server gave up the watch.
    Error {
        /// The status code, 410 if the start is no longer known.
        code: u16,
        /// The `reason` of the `Status`.
        reason: String,
        /// Its words.
        message: String,
        /// For how long the server asked to be left alone.
        retry_after_s: Option<u32>,
    },
    /// The stream ended: by its timeout, by silence, or because the connection broke. That is normal.
    Eof,
}

/// A cluster. Every call ends by its deadline; what a failure means is in [`CallError`].
pub trait ClusterApi: Send + Sync + 'static {
    /// The replica that the last connection to it went through; `None`: none was relayed.
    fn relayed_by(&self) -> Option<ReplicaId> {
        None
    }

    /// Reads which cluster this is.
    fn identity(&self) -> Call<'_, Identity>;

    /// What the cluster calls a kind in paths, such as `jobs`. A kind that it does not serve is
    /// [`KindMissing`](crate::RefusedKind::KindMissing), one whose objects are not in namespaces
    /// [`Invalid`](crate::RefusedKind::Invalid), here and wherever a kind is asked for.
    fn plural<'a>(&'a self, kind: &'a Kind) -> Call<'a, String>;

    /// Reads one page of at most `limit` objects of an extent that `selector` (of labels; empty: all) selects, in their
    /// newest state; with the `continue_token` of a page the next one of the same listing.
    ///
    /// A token that is too old is [`Expired`](crate::RefusedKind::Expired).
    fn list<'a>(
        &'a self,
        extent: &'a Extent,
        selector: &'a str,
        continue_token: Option<&'a str>,
        limit: u32,
    ) -> Call<'a, Page>;

    /// Reads how far the cluster's history of a kind has come, as its objects of an extent tell it, at the cost of one
    /// object.
    fn newest<'a>(&'a self, extent: &'a Extent) -> Call<'a, String> {
        Box::pin(async move { Ok(self.list(extent, "", None, 1).await?.resource_version) })
    }

    /// Reads all objects of a kind in these namespaces as they are, at one version of the cluster: there are to be
    /// few of them. More than [`OBJECTS_MAX`](crate::limits::OBJECTS_MAX) in all namespaces are a failure.
    fn objects<'a>(&'a self, kind: &'a Kind, namespaces: &'a [String]) -> Call<'a, Objects>;

    /// Opens a watch of what happens after resourceVersion `from`, which must not be empty or `0`.
    ///
    /// A `from` that is too old is [`Expired`](crate::RefusedKind::Expired), here or as [`WatchEvent::Error`].
    fn watch<'a>(&'a self, extent: &'a Extent, selector: &'a str, from: &'a str) -> Call<'a, WatchStream>;

    /// Reads one object. `None` only if the cluster said that this very object is not there.
    fn get<'a>(&'a self, kind: &'a Kind, namespace: &'a str, name: &'a str) -> Call<'a, Option<Observation>>;

    /// Reads the Pods in a namespace that `selector` selects and that have not ended well, some of them at most, and
    /// whether there may be more.
    fn pods<'a>(&'a self, namespace: &'a str, selector: &'a str) -> Call<'a, (Vec<Examined>, bool)>;

    /// Reads the Warnings that are told of the object of this UID, some of them at most.
    fn warnings<'a>(&'a self, namespace: &'a str, uid: &'a str) -> Call<'a, Vec<Warning>>;

    /// Reads why Kueue keeps the object of this UID suspended; `None` if it does not, or is not there.
    fn admission<'a>(&'a self, namespace: &'a str, uid: &'a str) -> Call<'a, Option<Admission>>;

    /// Creates the object whose JSON is `body`. On success the answer is what was stored.
    fn create<'a>(&'a self, kind: &'a Kind, namespace: &'a str, body: &'a [u8]) -> Call<'a, Observation>;

    /// Asks whether a [`create`](Self::create) of this would be taken; nothing is made.
    fn rehearse<'a>(&'a self, kind: &'a Kind, namespace: &'a str, body: &'a [u8]) -> Call<'a, ()>;

    /// Deletes the object of this UID and what it owns: of kinds that are watched in the foreground, so that it is gone
    /// last. Success means that the delete was accepted, and says how far it has come. Another UID under this name is
    /// [`Conflict`](crate::RefusedKind::Conflict), nothing is [`NotFound`](crate::RefusedKind::NotFound).
    fn delete<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: &'a str,
        name: &'a str,
        uid: &'a str,
    ) -> Call<'a, Deleted>;

    /// Changes the object of this UID by a JSON merge patch, which must be a JSON object. If `resource_version` is
    /// given, only if it is still at that. Another UID or version is [`Conflict`](crate::RefusedKind::Conflict).
    fn patch<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: &'a str,
        name: &'a str,
        uid: &'a str,
        resource_version: Option<&'a str>,
        patch: &'a Value,
    ) -> Call<'a, Observation>;

    /// Reads one object with what of it is ours. `None` only if the cluster said that this very object is not there.
    fn look<'a>(&'a self, kind: &'a Kind, namespace: &'a str, name: &'a str) -> Call<'a, Option<Look>>;

    /// Applies the JSON `body`, server-side, as the field manager
    /// [`MANAGER`](tallyman_model::manifest::marks::MANAGER), to the object that exists: the body names its UID. The
    /// answer is what was stored. Fields of others, unless that is forced, are a
    /// [`FieldConflict`](crate::RefusedKind::FieldConflict) whose message names them; another UID or none is
    /// [`Conflict`](crate::RefusedKind::Conflict).
    fn apply<'a>(
        &'a self,
        kind: &'a Kind,
        namespace: &'a str,
        name: &'a str,
        body: &'a [u8],
        how: Apply,
    ) -> Call<'a, Look>;
}
