//! Every bound of the model, with its unit.

/// The manifests of a submission are cut into parts of at most this many bytes.
pub const PART_BYTES_MAX: usize = 60 * 1024;
/// Manifests up to this length are kept in their record's row. Longer ones have rows of their own, which are not written
/// again with every change of the record.
pub const MANIFESTS_INLINE_BYTES_MAX: usize = 1024;
/// Replicas that one group can have, those that are expected included.
pub const REPLICAS_MAX: usize = 9;
/// Clusters that one group can have.
pub const CLUSTERS_MAX: usize = 10_000;
/// Bytes of a datacenter's name.
pub const DATACENTER_BYTES_MAX: usize = 253;
/// Manifests of one submission.
pub const MANIFESTS_MAX: usize = 100;
/// Manifests of one submission together.
pub const MANIFESTS_BYTES_MAX: usize = 1024 * 1024;
/// Annotations of one object together, as Kubernetes counts them.
pub const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;
/// Labels of one record.
pub const LABELS_MAX: usize = 64;
/// Attempts of one runnable.
pub const ATTEMPTS_MAX: u32 = 20;
/// Kept ledger positions of one runnable.
pub const HISTORY_MAX: usize = 256;
/// Clusters named in one placement.
pub const PLACEMENT_CLUSTERS_MAX: usize = 100;
/// The greatest weight of a cluster in one placement.
pub const PLACEMENT_WEIGHT_MAX: u32 = 1_000;
/// Clusters that one fan-out goes to.
pub const FAN_OUT_CLUSTERS_MAX: usize = 1_000;
/// Runs that one command makes for a fan-out, or passes something on to.
pub const FAN_OUT_RUNS_MAX: usize = 16;
/// How long a fan-out is left alone whose placement allows no cluster, or too many.
pub const FAN_OUT_AGAIN_MS: u64 = 10_000;
/// Clusters whose answers to a preflight are kept of one run.
pub const CHECKS_MAX: usize = 16;
/// How long it counts that a cluster would take a run.
pub const CHECK_PASSED_MS: u64 = 300_000;
/// How long it counts that a cluster would refuse a run: what is in the way may be gone soon.
pub const CHECK_REFUSED_MS: u64 = 60_000;
/// How long a cluster is left alone that did not say.
pub const CHECK_UNANSWERED_MS: u64 = 10_000;
/// How long an answer of the cluster that is asked is waited for; then the run is looked at anew.
pub const CHECK_WITHIN_MS: u64 = 30_000;
/// People that one rule may require.
pub const APPROVALS_REQUIRED_MAX: u32 = 20;
/// Groups that one rule may name.
pub const APPROVAL_GROUPS_MAX: usize = 20;
/// Bytes of a group's name in a rule.
pub const APPROVAL_GROUP_BYTES_MAX: usize = 256;
/// Kept void approvals of one runnable.
pub const APPROVALS_VOID_MAX: usize = 20;
/// `approvals.expireAfter` when none is given.
pub const APPROVAL_EXPIRE_MS: u64 = 24 * 3_600_000;
/// The longest `approvals.expireAfter`.
pub const APPROVAL_EXPIRE_MS_MAX: u64 = 30 * 24 * 3_600_000;
/// Bytes of what one cluster adds to a provider of credentials.
pub const PROVIDER_BYTES_MAX: usize = 16 * 1024;
/// Bytes of the certificates of one cluster's authority, in base64.
pub const AUTHORITY_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a message that a cluster gave, kept on a record.
pub const MESSAGE_BYTES_MAX: usize = 1024;
/// Bytes of what a cluster says of one Pod or in one Event.
pub const DIAGNOSIS_MESSAGE_BYTES_MAX: usize = 512;
/// Pods that the diagnosis of one attempt names.
pub const DIAGNOSIS_PODS_MAX: usize = 3;
/// How long an object may take to begin before its Pods are looked at: pulling an image takes some seconds.
pub const DIAGNOSIS_AFTER_MS: u64 = 10_000;
/// The shortest time between two looks at the Pods of one attempt.
pub const DIAGNOSIS_DELAY_MS_MIN: u64 = 10_000;
/// The longest, where its cluster says something of it between them.
pub const DIAGNOSIS_CHANGED_DELAY_MS_MAX: u64 = 60_000;
/// The longest, where nothing is seen to change.
pub const DIAGNOSIS_DELAY_MS_MAX: u64 = 900_000;
/// How long after it was created a watch may take to tell of an object; then it is read by its name, once.
pub const OBSERVED_WITHIN_MS: u64 = 30_000;
/// Finalizers of others that are kept of one object. One that has as many or more cannot be released by us.
pub const FINALIZERS_MAX: usize = 64;
/// Kinds of which it is kept that a cluster does not let them be watched.
pub const UNWATCHED_MAX: usize = 32;
/// Strays shown on a cluster.
pub const STRAYS_MAX: usize = 100;
/// How long an answer is kept under its idempotency key.
pub const RECEIPT_MS: u64 = 24 * 3_600_000;
/// Receipts of one tenant; a full table answers 429.
pub const RECEIPTS_MAX: usize = 100_000;
/// Records and receipts that one expire command ends.
pub const EXPIRE_MAX: usize = 8;
/// How long a record stays after its run ended.
pub const RETENTION_MS: u64 = 30 * 24 * 3_600_000;
/// `startBy` when none is given.
pub const START_BY_MS: u64 = 24 * 3_600_000;
/// `ttlAfterFinished` when none is given.
pub const TTL_AFTER_FINISHED_MS: u64 = 24 * 3_600_000;
/// `lossAfter` when none is given.
pub const LOSS_AFTER_MS: u64 = 15 * 60_000;
/// The shortest `lossAfter`: a leader must have looked for the cluster more than once.
pub const LOSS_AFTER_MS_MIN: u64 = 1_000;
/// The longest time between two looks at a cluster that counts as time in which it was out of reach.
pub const MISSED_GAP_MS_MAX: u64 = 60_000;
/// Runs that one assessment of a cluster finds lost, gives up, or finds back.
pub const ASSESS_MAX: usize = 64;
/// Runs that are moved in one second, over all clusters: a big cluster that is lost does not flood the others.
pub const MOVES_PER_SECOND_MAX: u32 = 10;
/// How much later than its `activeDeadlineSeconds` ends a Job is taken for stopped: its controller may be late, and the
/// clocks may differ.
pub const DEADLINE_GRACE_MS: u64 = 5 * 60_000;
/// The `terminationGracePeriodSeconds` of Pods that do not say it, in ms.
pub const TERMINATION_GRACE_MS: u64 = 30_000;
/// How long runs are left alone that are not given up because too many clusters are out of
/// reach at once, or no other takes them.
pub const GIVE_UP_AGAIN_MS: u64 = 60_000;
/// `attempts.backoff` when none is given.
pub const BACKOFF_MS: u64 = 10_000;
/// The longest duration of any field.
pub const DURATION_MS_MAX: u64 = 366 * 24 * 3_600_000;
/// The deadline of one kube write: admission webhooks take up to this long.
pub const CALL_DEADLINE_MS: u64 = 10_000;
/// How much longer than its deadline a request may still take effect at a far kube-apiserver.
pub const CALL_DRAIN_MS: u64 = 60_000;
/// The delay before the first repetition of a kube write, on average.
pub const RETRY_DELAY_MS_MIN: u64 = 500;
/// The longest delay between repetitions of a kube write, where few wait for the cluster.
pub const RETRY_DELAY_MS_MAX: u64 = 60_000;
/// Repeated kube writes to one cluster in a second, when many wait for it.
pub const RETRIES_PER_S_MAX: u64 = 50;
/// Runs of a cluster or a tenant that may be stopped within a window, however few are under way.
pub const BRAKE_FLOOR_RUNS: u64 = 50;
/// The share of those under way that may be stopped within a window, if that is more.
pub const BRAKE_SHARE_PERCENT: u64 = 30;
/// How long such a window is.
pub const BRAKE_WINDOW_MS: u64 = 10 * 60_000;
/// Clusters and tenants whose stopped runs are counted at the same time.
pub const BRAKES_MAX: usize = 256;
/// Runs that one command gives up on a cluster that was written off.
pub const GIVE_UP_RUNS_MAX: usize = 32;
/// How long an object that was asked to go may take before its finalizers are told of.
pub const HANGING_MS: u64 = 5 * 60_000;
/// Tenants that are paused at the same time.
pub const TENANTS_PAUSED_MAX: usize = 100;
/// Generations of one deployable whose manifests are kept.
pub const BUNDLES_MAX: usize = 10;
/// Fields that one deployable may leave to others.
pub const IGNORED_MAX: usize = 50;
/// Bytes of a JSON pointer to such a field.
pub const POINTER_BYTES_MAX: usize = 512;
/// Differences that are kept, or shown, of one object.
pub const DIFFERENCES_MAX: usize = 16;
/// Bytes of one value of a difference.
pub const DIFFERENCE_BYTES_MAX: usize = 256;
/// Bytes of the differences that are kept of all objects of a deployable on one cluster.
pub const DIFFERENCES_BYTES_MAX: usize = 16 * 1024;
/// Objects that one diff of a deployable shows, over all clusters.
pub const DIFF_OBJECTS_MAX: usize = 1_000;
/// The delay before what somebody changed is applied again for the second time in a row; doubled each time.
pub const CORRECT_DELAY_MS_MIN: u64 = 5_000;
/// The longest such delay.
pub const CORRECT_DELAY_MS_MAX: u64 = 600_000;
/// After this long without a change by others corrections are no longer counted as in a row.
pub const CORRECT_FORGET_MS: u64 = 3_600_000;
/// How long after its making our hold may be released by anybody, when Tallyman has not done so.
pub const HOLD_MS: u64 = 7 * 24 * 3_600_000;
/// Bytes of a kind's name.
pub const KIND_BYTES_MAX: usize = 63;
/// Bytes of the name of a kind's group.
pub const KIND_GROUP_BYTES_MAX: usize = 253;
/// Kinds of objects on one cluster that are looked at.
pub const TRACKED_KINDS_MAX: usize = 256;
/// Cursors of watches on one cluster that are kept.
pub const WATCHES_MAX: usize = 10_000;
/// Namespaces of one cluster that are watched one by one; in more of them only sweeps look.
pub const WATCHED_NAMESPACES_MAX: usize = 64;
/// Namespaces of one cluster in which sweeps look one by one.
pub const SWEPT_NAMESPACES_MAX: usize = 1_000;
/// Ranges or CIDR blocks of one pool.
pub const POOL_RANGES_MAX: usize = 64;
/// Names of one pool.
pub const POOL_NAMES_MAX: usize = 512;
/// Values of one pool.
pub const POOL_VALUES_MAX: u64 = 1 << 32;
/// Stretches of free values that are looked at for a block; then only what is behind all that is taken.
pub const POOL_STRETCHES_MAX: usize = 256;
/// Allocations whose time is over that are taken over by one that is asked for by its values.
pub const POOL_TAKE_OVERS_MAX: usize = 64;
/// Pools that are disjoint as the same.
pub const DISJOINT_POOLS_MAX: usize = 256;
/// Permits of one lock.
pub const LOCK_PERMITS_MAX: u32 = 10_000;
/// Who may hold permits of one lock at the same time: with their names that fits into a row.
pub const LOCK_HOLDERS_MAX: usize = 150;
/// Values that one run asks for.
pub const RUN_ALLOCATIONS_MAX: usize = 20;
/// Deployables that one run may require.
pub const REQUIREMENTS_MAX: usize = 10;
/// How long a run is left alone that no cluster has what it requires for, until what it says of them is looked at again: when
/// a deployable becomes ready somewhere the leader looks at all that wait.
pub const REQUIRES_AGAIN_MS: u64 = 30_000;
/// Locks that one run asks for.
pub const RUN_LOCKS_MAX: usize = 10;
/// Runs that are looked at when a lock is free again; the next ones when those have it.
pub const LOCK_WAKE_MAX: usize = 8;
/// How long a run that waits for a lock is left alone: it is looked at as soon as the lock is free.
pub const LOCK_AGAIN_MS: u64 = 60_000;
/// For how long a lock is held when nothing is said.
pub const LOCK_TTL_MS: u64 = 60_000;
/// The shortest time.
pub const LOCK_TTL_MS_MIN: u64 = 1_000;
/// The longest time.
pub const LOCK_TTL_MS_MAX: u64 = 24 * 3_600_000;
/// When to ask again of a group that goes on from a backup and is not confirmed.
pub const UNCONFIRMED_RETRY_S: u32 = 60;
/// Bytes of one expression of a status rule.
pub const EXPRESSION_BYTES_MAX: usize = 2 * 1024;
/// How deep an expression of a status rule may be nested.
pub const EXPRESSION_DEPTH_MAX: usize = 32;
/// Steps that the evaluation of one expression over one object takes at most: a millisecond or two.
pub const EXPRESSION_STEPS_MAX: u32 = 20_000;
/// Bytes of a text that an expression makes.
pub const EXPRESSION_TEXT_BYTES_MAX: usize = 16 * 1024;
/// Bytes that a pattern of an expression takes once it was read.
pub const PATTERN_BYTES_MAX: usize = 16 * 1024;
/// How deep a pattern of an expression may be nested.
pub const PATTERN_DEPTH_MAX: u32 = 32;
/// Steps that looking for a pattern in one byte of a text counts as.
pub const PATTERN_STEPS_PER_BYTE: usize = 4;
/// Status rules of one group.
pub const STATUS_RULES_MAX: usize = 256;
/// Namespaces in which a hub tells of other clusters.
pub const HUB_NAMESPACES_MAX: usize = 32;
/// How long a cluster's `ClusterProfile` is gone before a record without work is forgotten with it: hubs are restored, too.
pub const PROFILE_GONE_MS: u64 = 600_000;
/// Labels of a cluster that its `ClusterProfile` gives it.
pub const PROFILE_LABELS_MAX: usize = 32;
/// Placement decisions of a hub that are followed.
pub const DECISIONS_MAX: usize = 256;
/// Bytes of a decision's namespace and name together.
pub const DECISION_NAME_BYTES_MAX: usize = 128;
/// Selectors of one cluster for what was not submitted here.
pub const OBSERVE_MAX: usize = 32;
/// Namespaces that one of them names.
pub const OBSERVE_NAMESPACES_MAX: usize = 100;
/// Watches of one cluster for what was not submitted here, where it is watched by namespaces.
pub const OBSERVE_WATCHES_MAX: usize = 256;
/// Objects of one cluster that are shown though they were not submitted here.
pub const FOREIGN_OF_CLUSTER_MAX: usize = 5_000;
/// How long what was not submitted here is shown after it has ended and is gone from its cluster.
pub const FOREIGN_TTL_MS: u64 = 24 * 3_600_000;
