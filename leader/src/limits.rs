//! Every bound of this crate, with its unit.

/// Runs of one cluster that are worked on at the same time.
pub const RUNS_AT_ONCE_MAX: usize = 64;
/// Objects of one run that are worked on at the same time.
pub const OBJECTS_AT_ONCE_MAX: usize = 8;
/// Entries of a lane that are looked at together.
pub const LANE_PAGE_MAX: usize = 512;
/// Such pages of one lane that are looked through for work that may be done.
pub const LANE_PAGES_MAX: usize = 64;
/// How long after its intent was committed a kube write may still be sent; later it counts as not sent.
pub const SEND_WITHIN_MS: u64 = 2_000;
/// Rounds of patching in one release, each but the first after a read, when others change the object in between.
pub const RELEASE_ROUNDS_MAX: u32 = 3;
/// Reads after an accepted delete of an object that no watch follows.
pub const GONE_READS_MAX: u32 = 4;
/// The delay before the first of them; doubled each time.
pub const GONE_READ_DELAY_MS: u64 = 100;
/// Runs that one placing looks at.
pub const PLACE_WINDOW_MAX: usize = 1_024;
/// Runs that one placing gives a cluster.
pub const PLACE_AT_ONCE_MAX: usize = 128;
/// Answers of one cluster to preflights that are remembered.
pub const ANSWERS_MAX: usize = 1_024;
/// How long it is remembered that a cluster would take what has these manifests.
pub const ANSWER_PASSED_MS: u64 = 300_000;
/// How long it is remembered that it would refuse that.
pub const ANSWER_REFUSED_MS: u64 = 30_000;
/// Fan-outs that are taken from the state together.
pub const FAN_OUTS_PAGE_MAX: usize = 64;
/// Clusters that a sentence for people names.
pub const NAMES_SHOWN_MAX: usize = 5;
/// Reasons that it gives why clusters do not get a run.
pub const REASONS_SHOWN_MAX: usize = 8;
/// Active runs of one cluster are counted up to this many.
pub const ACTIVE_COUNTED_MAX: usize = 1_000_000;
/// Attempts that wait to be looked into and are taken from the state together.
pub const DIAGNOSES_PAGE_MAX: usize = 64;
/// The time between two looks at the Pods of attempts on one cluster: each is at most two requests.
pub const DIAGNOSIS_PACE_MS: u64 = 200;
/// How long an attempt is left alone whose Pods could not be read.
pub const DIAGNOSIS_REST_MS: u64 = 15_000;
/// Observations in one command.
pub const OBSERVE_ITEMS_MAX: usize = 256;
/// Reads of single objects for one batch or sweep at the same time.
pub const READS_AT_ONCE_MAX: usize = 8;
/// How long a watch's cursor may stay uncommitted when nothing that it passed matters: whoever resumes is told so much
/// once more at most, and takes no notice of it.
pub const CURSOR_MS_MAX: u64 = 15_000;
/// How long the first of the cursors that move at one beat waits for the others.
pub const CURSORS_GATHER_MS: u64 = 50;
/// Cursors that move in one entry.
pub const CURSORS_AT_ONCE_MAX: usize = 512;
/// The time between two contacts with a cluster that answers.
pub const CONTACT_MS: u64 = 30_000;
/// The delay before contact is tried again after a failure.
pub const CONTACT_DELAY_MS_MIN: u64 = 1_000;
/// The longest such delay.
pub const CONTACT_DELAY_MS_MAX: u64 = 10_000;
/// Failed contacts in a row before a cluster is called out of reach.
pub const CONTACT_FAILURES_TOLD: u32 = 2;
/// Failed contacts in a row before all connections to it are given up, and its credentials are read again.
pub const CONTACT_FAILURES_RECONNECT: u32 = 3;
/// How often it is recorded that a cluster is still out of reach, while runs on it wait to be lost.
pub const MISSED_TOLD_MS: u64 = 30_000;
/// The time between two looks at what is due for runs on a cluster that is out of reach.
pub const LOSS_LOOK_MS: u64 = 1_000;
/// The time between two sweeps of a cluster.
pub const SWEEP_MS: u64 = 30_000;
/// Sweeps that found nothing are recorded this often.
pub const SWEEP_TOLD_MS: u64 = 300_000;
/// Objects that one sweep lists of one kind.
pub const SWEEP_LISTED_MAX: usize = 200_000;
/// Ended runs that one sweep compares; the next one goes on behind them.
pub const SWEEP_ENDED_MAX: usize = 5_000;
/// Records that are read from the state together: reading holds up writes.
pub const STATE_PAGE_MAX: usize = 64;
/// Suspects that one sweep reads by name; the next one takes the others.
pub const SWEEP_SUSPECTS_MAX: usize = 1_024;
/// The shortest time between two looks at the lanes.
pub const LOOK_MS_MIN: u64 = 2;
/// The longest time between two looks at the lanes: wall clocks may jump.
pub const LOOK_MS_MAX: u64 = 1_000;
/// Clusters that are worked on.
pub const CLUSTERS_MAX: usize = 10_000;
/// The time between two looks at the clusters' records.
pub const CLUSTERS_LOOK_MS: u64 = 200;
/// How long a watch goes on though nothing of its kind is tracked on the cluster any more.
pub const UNTRACKED_MS: u64 = 60_000;
/// Rounds of reading and applying in one apply, when others change the object in between.
pub const APPLY_ROUNDS_MAX: u32 = 4;
/// How long an apply rests that would change fields of others.
pub const CONFLICT_AGAIN_MS: u64 = 30_000;
/// The time between two looks at what is kept in sync.
pub const SYNC_LOOK_MS: u64 = 5_000;
/// The shortest such time, when a watch says that something of it changed.
pub const SYNC_LOOK_MS_MIN: u64 = 200;
/// The longest time between two looks at what a hub tells: its watches say when something has changed.
pub const HUB_LOOK_MS: u64 = 30_000;
/// The shortest.
pub const HUB_LOOK_MS_MIN: u64 = 1_000;
/// How long it is left alone at most while it says that things change of which none is to be recorded.
pub const HUB_PAUSE_MS_MAX: u64 = 10_000;
/// How long a hub rests that could not be read or watched.
pub const HUB_REST_MS: u64 = 5_000;
/// How long the slices of a placement decision must have stayed the same before they count as all that there are.
pub const DECISION_QUIET_MS: u64 = 2_000;
/// How long due work rests that could not be moved.
pub const REST_MS: u64 = 1_000;
/// The delay before a proposal is repeated after the log did not take it.
pub const PROPOSE_DELAY_MS_MIN: u64 = 50;
/// The longest such delay.
pub const PROPOSE_DELAY_MS_MAX: u64 = 2_000;
/// Selected objects of one kind on a cluster that are counted though they are not shown.
pub const UNSHOWN_COUNTED_MAX: usize = 100_000;
/// The shortest time between two listings for which nothing but room is the reason.
pub const FOREIGN_LIST_MS_MIN: u64 = 60_000;
