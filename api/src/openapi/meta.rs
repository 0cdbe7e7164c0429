//! What all objects have, and what is answered when there is no object.

use super::field::Kind::{Flag, List, Object, Strings, Text, Texts, Time, Whole, Word};
use super::field::{Field, may, must};

pub(super) const METADATA: &[Field] = &[
    may(
        "name",
        Text,
        "The name, unique among the objects of its kind in its namespace. Up to 253 lower-case letters, digits, '-' and '.'. It never changes.",
    ),
    may("generateName", Text, "Where no name is given: what to make one from. Five characters are added."),
    may("namespace", Text, "The tenant that the object belongs to. It needs not be made first."),
    may(
        "labels",
        Strings,
        "Names and values to select by. Those that begin with tallyman.dev/ are set by Tallyman only.",
    ),
    may(
        "annotations",
        Strings,
        "Names and values that are kept for whoever set them; at most 256 KiB together.",
    ),
    may("uid", Text, "Set by Tallyman. Never used for another object."),
    may(
        "resourceVersion",
        Text,
        "Set by Tallyman: the revision at which the object changed last. Given to a read, on any replica, it is the least that is shown; sent with a change, the change is made only if the object is still at it.",
    ),
    may("generation", Whole, "Set by Tallyman. Always 1: a spec that changes is another object."),
    may("creationTimestamp", Time, "Set by Tallyman: when it was accepted."),
    may("deletionTimestamp", Time, "Set by Tallyman: when its removal was asked for."),
    may(
        "ownerReferences",
        List,
        "Set by Tallyman: of a run of a fan-out, the submission that it is a part of.",
    ),
    may("ownerReferences.apiVersion", Text, "tallyman.dev/v1."),
    may("ownerReferences.kind", Text, "Runnable."),
    may("ownerReferences.name", Text, "Its name."),
    may("ownerReferences.uid", Text, "Its UID."),
    may("ownerReferences.controller", Flag, "true."),
    may(
        "finalizers",
        Texts,
        "Set by Tallyman: what is still to be done before the record goes. tallyman.dev/objects: objects on a cluster are to be removed.",
    ),
];

pub(super) const LIST_METADATA: &[Field] = &[
    may("resourceVersion", Text, "The revision that the whole list shows. A watch goes on from it."),
    may(
        "continue",
        Text,
        "If there is more: given to the next request as continue, the list goes on at the same revision.",
    ),
];

pub(super) const STATUS: &[Field] = &[
    may("kind", Text, "Status."),
    may("apiVersion", Text, "v1."),
    may("metadata", Object, "Of no object."),
    may("metadata.continue", Text, "Where an expired list can go on at the newest revision."),
    must("status", Word(&["Success", "Failure"]), "Whether it was done."),
    may("message", Text, "In plain words, with what to do."),
    may(
        "reason",
        Text,
        "One word for programs: NotFound, AlreadyExists, Conflict, Invalid, Expired, Timeout, ServiceUnavailable, TooManyRequests, ...",
    ),
    may("code", Whole, "The HTTP status."),
    may("details", Object, "What it is about."),
    may("details.group", Text, "The API group."),
    may("details.kind", Text, "The resource."),
    may("details.name", Text, "The object's name."),
    may("details.uid", Text, "The object's UID."),
    may("details.retryAfterSeconds", Whole, "The same request is safe to repeat, after so long."),
    may("details.causes", List, "Every field at fault."),
    may("details.causes.reason", Text, "One word for programs."),
    may("details.causes.message", Text, "What is wrong, and what would be right."),
    may("details.causes.field", Text, "The field's path."),
];
