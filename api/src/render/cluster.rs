//! `Cluster`.

mod credentials;
mod hub;

use super::foreign::{Selected, Selection, selected, selections};
use super::{API_VERSION, Document, Metadata, Scene, bytes};
use serde::Serialize;
use tallyman_model::brake::Scope;
use tallyman_model::record::{Cluster, WatchScope};
use tallyman_model::{Damaged, Revision, query, time};

/// Active runs that are counted one by one.
pub(crate) const ACTIVE_MAX: usize = 1_000_000;

pub(super) fn document(
    scene: &Scene<'_>,
    cluster: &Cluster,
    revision: Option<Revision>,
) -> Result<Vec<u8>, Damaged> {
    let observed_ms = scene.observed_ms(cluster.head.ordinal)?;
    let stray = |stray: &tallyman_model::record::Stray| {
        let (kind, namespace) = (stray.kind.to_string(), stray.namespace.clone());
        Stray { kind, namespace, name: stray.name.clone(), uid: stray.uid.clone() }
    };
    Ok(bytes(&Document {
        api_version: API_VERSION,
        kind: "Cluster",
        metadata: Metadata::of(&cluster.head, revision),
        spec: Spec {
            kubeconfig: credentials::kubeconfig(&cluster.credentials),
            server: cluster.credentials.server.as_deref().map(credentials::server),
            via: &cluster.via,
            cordoned: cluster.cordoned,
            paused: cluster.paused,
            log_link: &cluster.log_link,
            hub: cluster.hub.as_deref().map(hub::spec),
            observe: selections(&cluster.observe),
            watch_scope: Some(cluster.watch_scope)
                .filter(|scope| *scope != WatchScope::Cluster)
                .map(WatchScope::as_str),
            watch_namespaces: &cluster.watch_namespaces,
        },
        status: State {
            timeline: cluster.timeline,
            quarantined: cluster.quarantined,
            reachable: cluster.reachable,
            reachable_since: cluster.reachable.map(|_| time::format(cluster.reachable_since_ms)),
            relayed_by: cluster.relayed_by.map(|replica| format!("{replica} of {}", cluster.via)),
            message: &cluster.message,
            brake: scene
                .meta()?
                .brakes
                .get(&Scope::Cluster(cluster.head.ordinal))
                .and_then(|brake| brake.words(&format!("cluster {}", cluster.head.name))),
            kube_system_uid: cluster.kube_system_uid.as_deref(),
            version: &cluster.version,
            observed_at: observed_ms.map(time::format),
            swept_at: Some(cluster.swept_ms).filter(|at_ms| *at_ms > 0).map(time::format),
            draining: cluster.draining.as_ref().map(|leaving| Draining {
                by: &leaving.by,
                at: time::format(leaving.at_ms),
                reason: &leaving.why,
            }),
            foreign: selected(scene, cluster)?,
            active_runs: query::active(scene.view, cluster.head.ordinal, ACTIVE_MAX)?,
            hub: cluster.hub.as_deref().map(hub::state),
            profile: cluster.profile.as_deref().map(hub::profile),
            strays_count: cluster.strays_count,
            strays: cluster.strays.iter().map(stray).collect(),
            written_off: cluster.written_off.clone().map(|off| WrittenOff {
                by: off.by,
                at: time::format(off.at_ms),
                reason: off.why,
                runs: off.runs,
                objects: off.objects,
                done: off.done,
            }),
        },
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kubeconfig: Option<credentials::Kubeconfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<credentials::Server<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    via: &'a str,
    cordoned: bool,
    paused: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    log_link: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hub: Option<hub::Spec<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    observe: Vec<Selection<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watch_scope: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    watch_namespaces: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct State<'a> {
    timeline: u32,
    quarantined: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reachable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reachable_since: Option<String>,
    /// Whose connections it is reached by.
    #[serde(skip_serializing_if = "Option::is_none")]
    relayed_by: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    brake: Option<String>,
    #[serde(rename = "kubeSystemUID", skip_serializing_if = "Option::is_none")]
    kube_system_uid: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    /// Up to when the cluster is known to have said all that happened on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    swept_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    draining: Option<Draining<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    foreign: Vec<Selected<'a>>,
    active_runs: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    hub: Option<hub::State<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<hub::Profile<'a>>,
    strays_count: u64,
    strays: Vec<Stray>,
    #[serde(skip_serializing_if = "Option::is_none")]
    written_off: Option<WrittenOff>,
}

#[derive(Serialize)]
struct WrittenOff {
    by: String,
    at: String,
    reason: String,
    runs: u64,
    objects: u64,
    done: bool,
}

#[derive(Serialize)]
struct Draining<'a> {
    by: &'a str,
    at: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
}

#[derive(Serialize)]
struct Stray {
    kind: String,
    namespace: String,
    name: String,
    uid: String,
}
