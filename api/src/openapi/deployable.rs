//! `Deployable`, field by field.

use super::field::Kind::{Flag, List, Manifests, Metadata, Object, Selector, Text, Texts, Time, Whole, Word};
use super::field::{Field, may, must};

pub(super) const SAYS: &str = "Deployable is kept in sync on all clusters that its placement allows: services, templates, \
    any manifests. Each new spec is a revision; earlier ones can be taken up again. What others change is handled as \
    spec.drift says.";

const HEALTH: &[&str] = &["Healthy", "Progressing", "Degraded"];

pub(super) const FIELDS: &[Field] = &[
    must("apiVersion", Text, "tallyman.dev/v1."),
    must("kind", Text, "Deployable."),
    must("metadata", Metadata, "Name, namespace (the tenant), labels and so on."),
    must("spec", Object, "What is to be on which clusters. Changed, it is a new revision."),
    may("spec.placement", Object, "On which clusters; without it on all."),
    may("spec.placement.clusters", Texts, "The clusters, by name."),
    may(
        "spec.placement.clusterSelector",
        Selector,
        "The clusters, by their labels: an object with matchLabels, or one line such as 'zone in (a,b),gpu'.",
    ),
    may(
        "spec.drift",
        Word(&["Correct", "Report", "Freeze"]),
        "What is done when others change or delete what was applied: Correct applies it again, Report shows it, Freeze shows it and writes nothing more to that cluster while it lasts. Default Correct.",
    ),
    may(
        "spec.onConflict",
        Word(&["Report", "Force"]),
        "What is done when an apply would change fields of other field managers: Report shows who they are and tries again later, Force takes the fields from them. Default Report.",
    ),
    may(
        "spec.ignore",
        Texts,
        "JSON pointers, such as /spec/replicas, to fields that are set when an object is made and left to others from then on.",
    ),
    may(
        "spec.prune",
        Flag,
        "What leaves the manifests is deleted from the clusters; otherwise it stays there and is kept in sync no more. Default true.",
    ),
    may(
        "spec.rollout",
        Object,
        "How a new revision gets to the clusters; without it to all at once. Where something is Degraded it goes nowhere else.",
    ),
    must(
        "spec.rollout.maxUnavailable",
        Whole,
        "On how many clusters at most it is begun and not yet applied and healthy, with those out of reach; cordon one to go on without it.",
    ),
    may("spec.rollout.order", Texts, "Clusters that come first, in this order; the others follow by name."),
    may(
        "spec.rollout.minReady",
        Text,
        "How long it must have been healthy on a cluster before others follow, such as 5m. Default 0s.",
    ),
    may(
        "spec.approvals",
        Object,
        "Who has to agree to a revision before it reaches a cluster: to the first one, and then to each that follows, also to one that says otherwise.",
    ),
    must("spec.approvals.required", Whole, "How many people, 1 to 20. Who sent the revision does not count."),
    must("spec.approvals.groups", Texts, "Of which groups: members of any of them count."),
    may(
        "spec.approvals.expireAfter",
        Text,
        "How long a revision waits for them; then it is asked for anew by a rollback to it. Default 24h.",
    ),
    must("spec.manifests", Manifests, "1 to 100 Kubernetes objects, in the order in which they are applied."),
    may("status", Object, "What is known of it. Set by Tallyman; what is sent is dropped."),
    may("status.observedGeneration", Whole, "The generation that the status is of."),
    may("status.revision", Whole, "The newest revision: how often the spec was set."),
    may("status.digest", Text, "SHA-256 over its spec."),
    may("status.paused", Flag, "It is begun on no more clusters (POST .../rollout)."),
    may("status.message", Text, "What is waited for or in the way, in plain words."),
    may(
        "status.conditions",
        List,
        "Synced: applied on all clusters. Healthy: and healthy there. RolledOut: begun on all. Approved: where somebody has to agree.",
    ),
    may(
        "status.approvals",
        Object,
        "Who has decided what on the newest revision, where somebody has to agree.",
    ),
    may("status.approvals.required", Whole, "How many people have to agree."),
    may("status.approvals.groups", Texts, "Of which groups."),
    may("status.approvals.approved", Whole, "How many count so far."),
    may("status.approvals.digest", Text, "What the next decision must name (POST .../approvals)."),
    may("status.approvals.expiresAt", Time, "Until when it waits."),
    may("status.approvals.approvedAt", Time, "When enough had agreed."),
    may("status.approvals.given", List, "Each decision, oldest first."),
    may("status.approvals.given.user", Text, "Who decided."),
    may("status.approvals.given.through", Text, "Who acted as that user."),
    may("status.approvals.given.groups", Texts, "The groups that they were of then."),
    may("status.approvals.given.decision", Word(&["Approve", "Reject"]), "What they decided."),
    may("status.approvals.given.digest", Text, "What they had looked at."),
    may("status.approvals.given.at", Time, "When."),
    may("status.approvals.given.reason", Text, "Why, in their words."),
    may("status.conditions.type", Text, "Its name."),
    may("status.conditions.status", Word(&["True", "False"]), "Whether it holds."),
    may("status.conditions.reason", Text, "Why, in one word."),
    may("status.conditions.message", Text, "Why, in plain words."),
    may("status.conditions.observedGeneration", Whole, "The generation that it is of."),
    may("status.counts", Object, "On how many clusters it is how."),
    may("status.counts.clusters", Whole, "Where it is, or is to be."),
    may("status.counts.synced", Whole, "Where all of the newest revision is applied."),
    may("status.counts.healthy", Whole, "Of these, where all is healthy."),
    may("status.counts.drifted", Whole, "Where others changed something."),
    may("status.counts.failing", Whole, "Where something cannot be written."),
    may("status.clusters", List, "Each cluster."),
    may("status.clusters.cluster", Text, "Its name."),
    may(
        "status.clusters.state",
        Word(&["Syncing", "Synced", "Drifted", "Frozen", "Failing", "Leaving"]),
        "Where it is there; Leaving: it is removed from there.",
    ),
    may("status.clusters.revision", Whole, "The revision that is wanted there."),
    may(
        "status.clusters.appliedRevision",
        Whole,
        "The newest revision of which all was applied there; 0: none.",
    ),
    may("status.clusters.health", Word(HEALTH), "How all of it does together."),
    may("status.clusters.message", Text, "What is in the way, or what others changed."),
    may("status.clusters.objects", List, "What is kept in sync there."),
    may("status.clusters.objects.apiVersion", Text, "Its API version."),
    may("status.clusters.objects.kind", Text, "Its kind."),
    may("status.clusters.objects.namespace", Text, "Its namespace there."),
    may("status.clusters.objects.name", Text, "Its name there."),
    may("status.clusters.objects.state", Word(&["Absent", "Live", "Gone"]), "Whether it is there."),
    may("status.clusters.objects.uid", Text, "Its UID there."),
    may("status.clusters.objects.appliedRevision", Whole, "The revision that was applied to it last."),
    may("status.clusters.objects.health", Word(HEALTH), "How it does."),
    may("status.clusters.objects.drift", Object, "What others did to it."),
    may("status.clusters.objects.drift.what", Word(&["Changed", "Deleted"]), "What."),
    may("status.clusters.objects.drift.by", Text, "The field manager who changed it last beside Tallyman."),
    may("status.clusters.objects.drift.since", Time, "When it was found."),
    may("status.clusters.objects.corrections", Whole, "How often in a row it was set right."),
    may(
        "status.clusters.objects.admitted",
        Texts,
        "JSON pointers to fields that the cluster itself made something else of as they were applied: a webhook, or the kind's own rules. That is no drift; the diff has the values.",
    ),
    may("status.clusters.objects.message", Text, "What is in the way, or what it says of itself."),
];

pub(super) const EXAMPLE: &str = r#"{
  "apiVersion": "tallyman.dev/v1",
  "kind": "Deployable",
  "metadata": {"namespace": "risk", "name": "settings", "labels": {"desk": "rates"}},
  "spec": {
    "placement": {"clusters": ["east", "west"]},
    "drift": "Correct",
    "onConflict": "Report",
    "ignore": ["/data/level"],
    "prune": true,
    "rollout": {"maxUnavailable": 1, "order": ["east"], "minReady": "5m"},
    "approvals": {"required": 1, "groups": ["risk-leads"], "expireAfter": "24h"},
    "manifests": [
      {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"desk": "rates", "level": "info"}}
    ]
  }
}"#;
