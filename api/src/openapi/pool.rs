//! `Pool` and `Allocation`, field by field.

use super::field::Kind::{List, Metadata, Object, Text, Texts, Time, Whole};
use super::field::{Field, may, must};

pub(super) const SAYS: &str = "Pool gives out values, each to one key at a time: integers such as VLAN ids and ports, subnets \
    and addresses, or names. Who gets which is decided in the log, so two never get the same.";

pub(super) const FIELDS: &[Field] = &[
    must("apiVersion", Text, "tallyman.dev/v1."),
    must("kind", Text, "Pool."),
    must(
        "metadata",
        Metadata,
        "Name, namespace (the tenant), labels and so on. The name is a label of up to 50 characters.",
    ),
    must(
        "spec",
        Object,
        "What it gives out: ranges, cidrs or names. It may grow, and shrink to what is allocated.",
    ),
    may("spec.ranges", List, "Integers, given out from the first range on."),
    may("spec.ranges.from", Whole, "The first one."),
    may("spec.ranges.to", Whole, "The last one."),
    may("spec.cidrs", Texts, "Blocks of addresses, IPv4 or IPv6, that are given out in parts."),
    may("spec.prefixLength", Whole, "The prefix length of each part. Default: single addresses."),
    may("spec.names", Texts, "Names."),
    may(
        "spec.disjoint",
        Text,
        "Pools of all namespaces that say the same here must have nothing in common: one that would overlap is refused.",
    ),
    may("status", Object, "How much is given out. Set by Tallyman; what is sent is dropped."),
    may("status.size", Whole, "How many values there are."),
    may("status.allocated", Whole, "How many are allocated."),
    may("status.free", Whole, "How many are not."),
];

pub(super) const EXAMPLE: &str = r#"{
  "apiVersion": "tallyman.dev/v1",
  "kind": "Pool",
  "metadata": {"namespace": "risk", "name": "vlans", "labels": {"fabric": "a"}},
  "spec": {"ranges": [{"from": 100, "to": 199}], "disjoint": "fabric-a-vlans"}
}"#;

pub(super) const ALLOCATION_SAYS: &str = "Allocation is a value of a pool that a key has. It is asked of the pool, by POST \
    .../pools/NAME/allocations, and released by DELETE, by its time, or with the run whose it is.";

pub(super) const ALLOCATION_FIELDS: &[Field] = &[
    must("apiVersion", Text, "tallyman.dev/v1."),
    must("kind", Text, "Allocation."),
    must("metadata", Metadata, "Its name is POOL.KEY; the label tallyman.dev/pool is the pool's name."),
    must("spec", Object, "What was asked for."),
    must("spec.pool", Text, "Of which pool."),
    must("spec.key", Text, "For whom."),
    may("status", Object, "What was given."),
    may("status.value", Text, "The value; of a block FIRST-LAST, or its CIDR."),
    may("status.size", Whole, "How many values of the pool that is; absent: one."),
    may(
        "status.fence",
        Whole,
        "The fencing token: greater for each later allocation, so that a later owner of the same value is told from an earlier one.",
    ),
    may("status.expiresAt", Time, "When it is released by itself, unless it is asked for again before."),
    may(
        "status.runnable",
        Text,
        "The run whose it is: released when nothing of that is on a cluster any more.",
    ),
    may("status.deployable", Text, "The deployable whose it is: released when that is gone."),
];

pub(super) const ALLOCATION_EXAMPLE: &str = r#"{
  "apiVersion": "tallyman.dev/v1",
  "kind": "Allocation",
  "metadata": {"namespace": "risk", "name": "vlans.desk-7", "labels": {"tallyman.dev/pool": "vlans"}},
  "spec": {"pool": "vlans", "key": "desk-7"},
  "status": {"value": "100", "fence": 4711}
}"#;
