//! `Cluster`, field by field.

use super::field::Kind::{
    Document, Flag, List, Metadata, Object, Selector, Strings, Text, Texts, Time, Whole,
};
use super::field::{Field, may, must};

pub(super) const SAYS: &str = "Cluster is a Kubernetes cluster that takes work. Its identity is the UID of its \
    kube-system namespace: one that shows another is quarantined until an operator confirms it.";

pub(super) const FIELDS: &[Field] = &[
    must("apiVersion", Text, "tallyman.dev/v1."),
    must("kind", Text, "Cluster."),
    must("metadata", Metadata, "Name and labels; runnables select clusters by their labels."),
    must("spec", Object, "How it is reached, and whether it takes work."),
    may(
        "spec.kubeconfig",
        Object,
        "How it is reached, or spec.server. Credentials themselves are not taken.",
    ),
    must("spec.kubeconfig.path", Text, "The absolute path of a kubeconfig file that every replica can read."),
    may("spec.kubeconfig.context", Text, "The context in it. Default: its current one."),
    may(
        "spec.server",
        Object,
        "Its kube-apiserver, instead of a kubeconfig. Files are read again when they change; they are in the directory that the servers' configuration names as cluster_credentials_dir.",
    ),
    must("spec.server.url", Text, "Its URL."),
    may("spec.server.tlsServerName", Text, "The name in its certificate. Default: that in the URL."),
    may(
        "spec.server.certificateAuthorityFile",
        Text,
        "The absolute path of its authority's certificates, in PEM.",
    ),
    may("spec.server.certificateAuthorityData", Text, "Its authority's certificates, in PEM and base64."),
    may("spec.server.tokenFile", Text, "The absolute path of a file with a bearer token."),
    may("spec.server.clientCertificateFile", Text, "The absolute path of a client certificate, in PEM."),
    may("spec.server.clientKeyFile", Text, "The absolute path of its key, in PEM."),
    may(
        "spec.server.provider",
        Object,
        "A program that gives credentials, of the file that the servers' configuration names as cluster_provider_file.",
    ),
    must("spec.server.provider.name", Text, "The provider's name there."),
    may("spec.server.provider.config", Document, "What is passed to it as spec.cluster.config."),
    may("spec.server.provider.args", Texts, "More arguments, if the file lets profiles add some."),
    may("spec.server.provider.env", Strings, "More of its environment, likewise."),
    may(
        "spec.via",
        Text,
        "The datacenter whose replicas reach it: a leader elsewhere connects through one of them. Default: any replica reaches it.",
    ),
    may("spec.cordoned", Flag, "Nothing new is placed on it; what is there goes on. Default false."),
    may("spec.paused", Flag, "Nothing is written to it; watching goes on. Default false."),
    may(
        "spec.logLink",
        Text,
        "Where the logs of its Pods are read: a URL with {namespace}, {name}, {uid}, {pod} and {cluster}, of an attempt's main object and its Pods. Shown on attempts, filled in.",
    ),
    may(
        "spec.hub",
        Object,
        "It tells of other clusters: each ClusterProfile (multicluster.x-k8s.io/v1alpha1) there is a cluster here, and each PlacementDecision may be named in placements.",
    ),
    must("spec.hub.namespaces", Texts, "The namespaces there that count, 1 to 32."),
    may(
        "spec.observe",
        List,
        "Which work there is shown that was not submitted here, as the Jobs of CronJobs: read-only, among the runnables. At most one of each kind.",
    ),
    must("spec.observe.apiVersion", Text, "The API version of the kind."),
    must(
        "spec.observe.kind",
        Text,
        "The kind: Job, Workflow, Pod, or any other that is in namespaces and is work.",
    ),
    may(
        "spec.observe.namespaces",
        Texts,
        "In which namespaces. Default: in all; must be given with watchScope Namespaces, where each is watched by itself.",
    ),
    may("spec.observe.labelSelector", Selector, "With which labels. Default: with any."),
    may(
        "spec.watchScope",
        Text,
        "Cluster (the default): kinds are watched in all namespaces at once. Namespaces: in each namespace where work is, or is to be, for which no right on the whole cluster is needed; in at most 64 of them.",
    ),
    may(
        "spec.watchNamespaces",
        Texts,
        "With watchScope Namespaces: namespaces that are watched also while no work is there, so that a missing right is told of before the first run needs it, and that are looked at after a restore.",
    ),
    may("status", Object, "What is known of it. Set by Tallyman; what is sent is dropped."),
    may(
        "status.timeline",
        Whole,
        "Grows whenever the cluster's state went back, as after a restore of its etcd.",
    ),
    may(
        "status.quarantined",
        Flag,
        "It shows another identity than before. Nothing is sent to it until an operator confirms (POST .../confirm).",
    ),
    may("status.reachable", Flag, "It answered last; absent or null: it was not asked yet."),
    may("status.reachableSince", Time, "Since when that is so."),
    may(
        "status.relayedBy",
        Text,
        "The replica that relays the leader's connections to it, and its datacenter; absent: the leader connects itself.",
    ),
    may("status.brake", Text, "That nothing more is stopped on it before somebody agrees, in plain words."),
    may("status.message", Text, "What went wrong with it last."),
    may("status.kubeSystemUID", Text, "Its identity."),
    may("status.version", Text, "The Kubernetes version that it reports."),
    may("status.observedAt", Time, "Up to when all that happened on it is known."),
    may("status.sweptAt", Time, "When it was last compared with the inventory from both sides."),
    may(
        "status.draining",
        Object,
        "It is drained: runs with onLoss Move that have not started leave it. Ends when it is not cordoned.",
    ),
    may("status.draining.by", Text, "Who asked for it."),
    may("status.draining.at", Time, "When."),
    may("status.draining.reason", Text, "Why, in their words."),
    may("status.foreign", List, "How much there is of what spec.observe selects, by kind."),
    may("status.foreign.apiVersion", Text, "The API version of the kind."),
    may("status.foreign.kind", Text, "The kind."),
    may("status.foreign.shown", Whole, "How many are among the runnables; at most 5,000 of one cluster are."),
    may("status.foreign.notShown", Whole, "How many are not, for want of room."),
    may(
        "status.foreign.observedAt",
        Time,
        "Up to when all that happened to them is known; absent: they were not listed yet.",
    ),
    may("status.activeRuns", Whole, "Runs there that have not ended."),
    may("status.hub", Object, "How what it tells of other clusters is followed."),
    may("status.hub.message", Text, "What of it is not, in plain words; empty: all of it is."),
    may(
        "status.profile",
        Object,
        "The ClusterProfile that it comes from: that says how it is reached, and gives it labels. Both are changed there.",
    ),
    may("status.profile.hub", Text, "The hub."),
    may("status.profile.namespace", Text, "The profile's namespace there."),
    may("status.profile.name", Text, "Its name."),
    may(
        "status.profile.controlPlaneHealthy",
        Text,
        "The condition of this name as the profile has it. It decides nothing: status.reachable does.",
    ),
    may("status.profile.message", Text, "Why it gets nothing new by what the hub says, in plain words."),
    may(
        "status.profile.goneAt",
        Time,
        "Since when the profile is gone: the cluster gets nothing new, and is forgotten after 10 minutes if nothing of ours is on it.",
    ),
    may("status.profile.decisions", Texts, "The placement decisions that name it, as NAMESPACE/NAME."),
    may(
        "status.straysCount",
        Whole,
        "Objects there that look like ours and are not proven ours. They are never touched.",
    ),
    may("status.strays", List, "The first of them."),
    may("status.strays.kind", Text, "Its kind."),
    may("status.strays.namespace", Text, "Its namespace."),
    may("status.strays.name", Text, "Its name."),
    may("status.strays.uid", Text, "Its UID."),
    may("status.writtenOff", Object, "That it was given up as lost for good."),
    may("status.writtenOff.by", Text, "By whom."),
    may("status.writtenOff.at", Time, "When."),
    may("status.writtenOff.reason", Text, "Why, in their words."),
    may("status.writtenOff.runs", Whole, "Runs that had something there and were given up so far."),
    may("status.writtenOff.objects", Whole, "What they had there."),
    may("status.writtenOff.done", Flag, "All of it is given up."),
];

pub(super) const EXAMPLE: &str = r#"{
  "apiVersion": "tallyman.dev/v1",
  "kind": "Cluster",
  "metadata": {"name": "east", "labels": {"zone": "a"}},
  "spec": {"kubeconfig": {"path": "/etc/tallyman/clusters/east", "context": "admin"}, "cordoned": false, "paused": false,
    "logLink": "https://logs.example.com/{cluster}?namespace={namespace}&job={name}"}
}"#;
