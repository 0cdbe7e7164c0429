//! `Runnable`, field by field.

use super::field::Kind::{
    Duration, Flag, List, Manifests, Metadata, Numbers, Object, Selector, Text, Texts, Time, Whole, Word,
};
use super::field::{Field, may, must};

pub(super) const SAYS: &str = "Runnable is work that runs to completion on one of many clusters: a bundle of manifests \
    with one main object, a Job or an Argo Workflow, and what it needs. What is accepted is on the disks of a quorum and reaches its \
    cluster exactly once. Its spec never changes; its labels and annotations may.";

pub(super) const FIELDS: &[Field] = &[
    must("apiVersion", Text, "tallyman.dev/v1."),
    must("kind", Text, "Runnable."),
    may(
        "metadata",
        Metadata,
        "Name, namespace (the tenant), labels and so on. It must have a name or a generateName.",
    ),
    must(
        "spec",
        Object,
        "What is to be run, where, and how it is to be treated. Immutable: changed work is submitted under another name.",
    ),
    may(
        "spec.placement",
        Object,
        "Where it may run; without it on any cluster. One that takes work and has fewest runs is chosen, and chosen again for each attempt.",
    ),
    may("spec.placement.clusters", Texts, "The clusters that it may run on, by name."),
    may(
        "spec.placement.clusterSelector",
        Selector,
        "The clusters that it may run on, by their labels: an object with matchLabels, or one line such as 'zone in (a,b),gpu'.",
    ),
    may(
        "spec.placement.weights",
        Numbers,
        "How runs are shared out: {east: 2, west: 1} gives east twice as many. A cluster that is not named has 1.",
    ),
    may(
        "spec.placement.onLoss",
        Word(&["Wait", "Move", "Fail"]),
        "What happens when its cluster has been out of reach for longer than lossAfter, and it is Lost. Wait: it goes on as it is there when the cluster is back. Move: it goes on elsewhere as soon as it certainly does not run there any more; until then it waits. Fail: it ends Failed, and what is there of it is deleted when the cluster is back. Default Wait.",
    ),
    may(
        "spec.placement.lossAfter",
        Duration,
        "How long its cluster may be out of reach before the run is Lost; time in which no leader looked does not count. Default 15m.",
    ),
    may("spec.attempts", Object, "How often it is tried."),
    may(
        "spec.attempts.max",
        Whole,
        "How often its main object is tried. Only an attempt that ended Failed is followed by another. Default 1.",
    ),
    may(
        "spec.attempts.backoff",
        Duration,
        "How long after a failed attempt the second one starts; doubled for each further one. Default 10s.",
    ),
    may(
        "spec.startBy",
        Duration,
        "How long after acceptance or a retry it may start; it then ends Failed. Where approval is needed, this counts from the last one: time held does not. Default 24h.",
    ),
    may(
        "spec.finishBy",
        Duration,
        "How long after acceptance or a retry it must have ended; time held for approval counts. Default: as long as it takes.",
    ),
    may(
        "spec.onLate",
        Word(&["Alert", "Stop"]),
        "What happens when it has not: Alert shows it as late and lets it go on, Stop stops it. Default Alert.",
    ),
    may(
        "spec.ttlAfterFinished",
        Duration,
        "How long after its end its objects stay on the cluster. The record stays longer. Default 24h.",
    ),
    may("spec.approvals", Object, "Who has to agree before it is sent anywhere. Without it nobody has."),
    must(
        "spec.approvals.required",
        Whole,
        "How many people; never who submitted it, nor who asked for its present retry.",
    ),
    must("spec.approvals.groups", Texts, "Of which groups: members of any of them count."),
    may(
        "spec.approvals.expireAfter",
        Duration,
        "How long it is held for them; it then ends Failed. Default 24h.",
    ),
    may(
        "spec.main",
        Object,
        "Which object decides how the run ends. Needed only where more than one manifest runs to completion.",
    ),
    must("spec.main.kind", Text, "Its kind."),
    must("spec.main.name", Text, "Its name."),
    must(
        "spec.manifests",
        Manifests,
        "The Kubernetes objects, 1 to 100: one Job or Workflow, and ConfigMaps and WorkflowTemplates that are made before it. A manifest without a namespace gets the runnable's. They are kept as written; names that are made are in status.attempts.",
    ),
    may("status", Object, "What has become of it. Set by Tallyman; what is sent is dropped."),
    may(
        "status.phase",
        Word(&[
            "Held",
            "Accepted",
            "Placed",
            "Sent",
            "Pending",
            "Running",
            "Stopping",
            "Lost",
            "Succeeded",
            "Failed",
            "Cancelled",
        ]),
        "Where it is. Succeeded, Failed and Cancelled are ends; only a person's retry leaves them.",
    ),
    may("status.reason", Text, "Why it is in this phase, in one word."),
    may("status.message", Text, "Why it is in this phase, in plain words."),
    may("status.observedGeneration", Whole, "The generation that the status is of."),
    may(
        "status.conditions",
        List,
        "What is known, one thing each: Accepted, Approved, Placed, Created, Observed, ClusterReachable, Succeeded, Finished. All are there from the start. Finished becomes True at every end, Succeeded only at a good one.",
    ),
    may("status.conditions.type", Text, "Its name."),
    may("status.conditions.status", Word(&["True", "False", "Unknown"]), "Whether it holds."),
    may("status.conditions.reason", Text, "Why, in one word."),
    may("status.conditions.message", Text, "Why, in plain words."),
    may("status.conditions.lastTransitionTime", Time, "Since when."),
    may("status.conditions.observedGeneration", Whole, "The generation that it is of."),
    may("status.cluster", Text, "Where its last attempt is or was."),
    may("status.digest", Text, "SHA-256 over its placement and manifests."),
    may("status.submittedBy", Text, "Who submitted it."),
    may("status.approvals", Object, "Who has decided what, where somebody has to agree."),
    may("status.approvals.required", Whole, "How many people have to agree."),
    may("status.approvals.groups", Texts, "Of which groups."),
    may("status.approvals.approved", Whole, "How many count so far."),
    may("status.approvals.digest", Text, "What the next decision must name (POST .../approvals)."),
    may("status.approvals.expiresAt", Time, "Until when it waits."),
    may("status.approvals.approvedAt", Time, "When enough had agreed."),
    may(
        "status.approvals.retriedBy",
        Text,
        "Who asked for the present try by a retry, and may not decide on it.",
    ),
    may("status.approvals.given", List, "Each decision, oldest first."),
    may("status.approvals.given.user", Text, "Who decided."),
    may("status.approvals.given.through", Text, "Who acted as that user."),
    may("status.approvals.given.groups", Texts, "The groups that they were of then."),
    may("status.approvals.given.decision", Word(&["Approve", "Reject"]), "What they decided."),
    may("status.approvals.given.digest", Text, "What they had looked at."),
    may("status.approvals.given.at", Time, "When."),
    may("status.approvals.given.reason", Text, "Why, in their words."),
    may("status.approvals.given.void", Flag, "It does not count any more."),
    may("status.late", Flag, "It has not ended in time."),
    may(
        "status.waitingFor",
        Text,
        "What keeps it from being sent though nothing is wrong with it, in plain words: a pause, a quarantined cluster, a brake; or what keeps an object from going.",
    ),
    may(
        "status.deadLetter",
        Flag,
        "It failed before a cluster took it: it was refused for good, or not taken by startBy. When what was in the way is gone a person may retry it.",
    ),
    may("status.finishedAt", Time, "When its end was committed."),
    may("status.attempts", List, "Each try to run it on one cluster, oldest first."),
    may("status.attempts.number", Whole, "1, 2, ..."),
    may("status.attempts.cluster", Text, "Where."),
    may(
        "status.attempts.phase",
        Word(&[
            "Placed",
            "Sent",
            "Pending",
            "Running",
            "Succeeded",
            "Failed",
            "Cancelled",
            "Gone",
            "Lost",
            "Moved",
        ]),
        "Where it is; Gone: its main object went away without an end that was seen; Lost: it was given up with its cluster; Moved: the run goes on elsewhere.",
    ),
    may("status.attempts.placedAt", Time, "When its cluster was chosen."),
    may("status.attempts.startedAt", Time, "When it was first seen to run."),
    may("status.attempts.finishedAt", Time, "When its end was committed."),
    may("status.attempts.lostAt", Time, "When its cluster had been out of reach for longer than lossAfter."),
    may("status.attempts.backAt", Time, "When that cluster was back."),
    may(
        "status.attempts.overlapAt",
        Time,
        "When its object was found to be there still after it had been given up; it is then deleted.",
    ),
    may("status.attempts.message", Text, "What its main object said last."),
    may(
        "status.attempts.logLink",
        Text,
        "Where its logs are read, where its cluster has a logLink without {pod}.",
    ),
    may(
        "status.attempts.diagnosis",
        Object,
        "Why it does not run, or why it failed, as far as its Pods and the Events of its cluster say. Looked into when it does not run for some seconds, and when it failed.",
    ),
    may("status.attempts.diagnosis.at", Time, "When that was seen."),
    may(
        "status.attempts.diagnosis.reason",
        Text,
        "In one word, as Unschedulable, ImagePullBackOff or OOMKilled.",
    ),
    may("status.attempts.diagnosis.message", Text, "In words, those of its cluster among them."),
    may("status.attempts.pods", List, "The Pods that it is about, the gravest first, at most 3."),
    may("status.attempts.pods.name", Text, "Its name."),
    may("status.attempts.pods.node", Text, "The node that it is on."),
    may("status.attempts.pods.phase", Text, "As the Pod's own status has it."),
    may("status.attempts.pods.reason", Text, "What is wrong with it, in one word."),
    may("status.attempts.pods.message", Text, "The same in the words of its cluster."),
    may("status.attempts.pods.container", Text, "The container that is meant, if it is one."),
    may("status.attempts.pods.exitCode", Whole, "How that container ended last."),
    may("status.attempts.pods.signal", Whole, "The signal that ended it."),
    may("status.attempts.pods.restarts", Whole, "How often it was started again."),
    may(
        "status.attempts.pods.logLink",
        Text,
        "Where its logs are read, where its cluster has a logLink with {pod}.",
    ),
    may("status.attempts.objects", List, "What it made, or is to make, on the cluster."),
    may("status.attempts.objects.apiVersion", Text, "Its API version."),
    may("status.attempts.objects.kind", Text, "Its kind."),
    may("status.attempts.objects.namespace", Text, "Its namespace there."),
    may("status.attempts.objects.name", Text, "Its name there."),
    may(
        "status.attempts.objects.state",
        Word(&["Absent", "Live", "Gone"]),
        "Whether it is there, as far as is known.",
    ),
    may("status.attempts.objects.uid", Text, "Its UID there, once it is there."),
    may("status.attempts.objects.resourceVersion", Text, "Its resourceVersion there when it was last seen."),
    may("status.attempts.objects.message", Text, "What went wrong with it last."),
    may("status.observed", Object, "What was seen of its main object last."),
    may("status.observed.at", Time, "When."),
    may("status.observed.resourceVersion", Text, "Its resourceVersion there."),
];

pub(super) const EXAMPLE: &str = r#"{
  "apiVersion": "tallyman.dev/v1",
  "kind": "Runnable",
  "metadata": {"namespace": "risk", "generateName": "nightly-report-", "labels": {"desk": "rates"}},
  "spec": {
    "placement": {"clusters": ["east", "west"], "onLoss": "Wait"},
    "attempts": {"max": 3, "backoff": "10s"},
    "startBy": "10m",
    "finishBy": "6h",
    "onLate": "Stop",
    "ttlAfterFinished": "24h",
    "approvals": {"required": 2, "groups": ["risk-leads"], "expireAfter": "24h"},
    "main": {"kind": "Job", "name": "nightly-report-"},
    "manifests": [
      {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nightly-report"}, "data": {"desk": "rates"}},
      {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "nightly-report-"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [
          {"name": "main", "image": "busybox", "command": ["date"]}
        ]}}}
      }
    ]
  }
}"#;
