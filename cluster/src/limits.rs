//! Every bound of this crate, with its unit.

pub use tallyman_model::limits::CALL_DEADLINE_MS;

/// The deadline of a read of one object.
pub const READ_DEADLINE_MS: u64 = 10_000;
/// The deadline of one page of a listing.
pub const LIST_DEADLINE_MS: u64 = 30_000;
/// How long the head of a watch's answer may take.
pub const WATCH_OPEN_DEADLINE_MS: u64 = 15_000;
/// How long DNS, TCP and TLS together may take. Below every call's deadline, so that a call that failed by it is
/// known to be unsent.
pub const CONNECT_DEADLINE_MS: u64 = 5_000;
/// How long reading credentials from disk may take.
pub const BUILD_DEADLINE_MS: u64 = 5_000;
/// The shortest time that a watch asks to be kept open. Quiet flows are dropped silently after 240 s by some
/// balancers.
pub const WATCH_TIMEOUT_S_MIN: u64 = 180;
/// The longest time that a watch asks to be kept open.
pub const WATCH_TIMEOUT_S_MAX: u64 = 220;
/// How much longer than it asked for a watch may be silent before it is taken for dead.
pub const WATCH_GRACE_MS: u64 = 5_000;
/// Bytes of one answer.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of one line of a watch.
pub const WATCH_LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Answers up to this many bytes are decoded where they arrive, larger ones on a thread of their own.
pub const INLINE_DECODE_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a kubeconfig.
pub const KUBECONFIG_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes of a file with a token, a certificate or a key.
pub const CREDENTIAL_BYTES_MAX: u64 = 256 * 1024;
/// How often the files of credentials are read again.
pub const CREDENTIALS_READ_MS: u64 = 10_000;
/// The shortest time between two readings, however often a server does not take what there is.
pub const CREDENTIALS_READ_MS_MIN: u64 = 1_000;
/// Bytes of the operator's provider file.
pub const PROVIDER_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How long a program may take to give credentials.
pub const PLUGIN_DEADLINE_MS: u64 = 20_000;
/// Bytes that a program may say.
pub const PLUGIN_OUTPUT_BYTES_MAX: u64 = 1024 * 1024;
/// How long before their end a program is asked for new credentials; a fifth of their life if that is shorter.
pub const PLUGIN_EARLY_MS_MAX: u64 = 60_000;
/// Credentials of programs that are kept.
pub const PLUGIN_CREDENTIALS_MAX: usize = 10_000;
/// Objects of one kind that are read whole.
pub const OBJECTS_MAX: u32 = 10_000;
/// Such objects on one page.
pub const OBJECTS_PAGE_MAX: u32 = 250;
/// Objects on one page of a listing.
pub const PAGE_ITEMS_MAX: u32 = 500;
/// Reads that a cluster refuses and that are told of.
pub const DENIALS_MAX: usize = 32;
/// Pods of one attempt that are read.
pub const PODS_READ_MAX: u32 = 32;
/// Events of one object that are read.
pub const EVENTS_READ_MAX: u32 = 32;
/// Bytes that a page of a listing should have: the next one is asked for as many objects.
pub const PAGE_BYTES_TARGET: usize = 4 * 1024 * 1024;
/// Pages of all clusters together that are read at one time.
pub const LISTS_MAX: usize = 16;
/// Pages of one cluster that are read at one time.
pub const LISTS_OF_CLUSTER_MAX: usize = 2;
/// How long a page waits for others before it is given up for a while.
pub const LIST_WAIT_MS: u64 = 10_000;
/// The time between two tries of all watches of a cluster that are denied, or whose kinds it does not have.
pub const DENIED_PACE_MS: u64 = 2_000;
/// Objects in one batch for the sink.
pub const BATCH_ITEMS_MAX: usize = 512;
/// How long the first event of a batch waits for others.
pub const BATCH_LINGER_MS: u64 = 4;
/// How long events wait at most that say nothing but other counts, when there are very many.
pub const BATCH_LINGER_MS_MAX: u64 = 500;
/// Up to so many changes a second on all clusters none waits longer than usual.
pub const CALM_CHANGES_PER_S: u64 = 1_000;
/// For so many changes a second more, counts wait a millisecond longer.
pub const CHANGES_PER_S_AND_LINGER_MS: u64 = 20;
/// The time over which changes a second are counted.
pub const TIDE_WINDOW_MS: u64 = 250;
/// Objects of one watch of which it is known what they said last; twice as many at most.
pub const PACED_OBJECTS_MAX: usize = 4_096;
/// How long a cursor that moved without events waits at most for events to be committed with, and for the cursors of
/// other watches.
pub const CURSOR_BEAT_MS: u64 = 15_000;
/// The first delay after a failed list or watch.
pub const WATCH_DELAY_MS_MIN: u64 = 500;
/// The longest delay after failed lists and watches.
pub const WATCH_DELAY_MS_MAX: u64 = 60_000;
/// A watch that stayed open this long was healthy: delays start small again.
pub const HEALTHY_MS: u64 = 60_000;
/// Two watches, or two listings, start at least this far apart.
pub const REOPEN_MS_MIN: u64 = 1_000;
/// Answers that the server is behind our cursor before everything is listed anew.
pub const BEHIND_MAX: u32 = 5;
/// How long a cluster that does not serve a kind is not asked for it again.
pub const ABSENT_MS: u64 = 10_000;
/// Writes under way to one cluster.
pub const WRITES_MAX: u32 = 64;
/// Writes under way to a cluster that has just been met.
pub const WRITES_START: u32 = 8;
/// The longest Retry-After that is honoured.
pub const RETRY_AFTER_S_MAX: u32 = 300;
/// Calls in a row that reached nobody before the breaker opens.
pub const BREAKER_FAILURES: u32 = 3;
/// How long the breaker is open at first.
pub const BREAKER_OPEN_MS_MIN: u64 = 1_000;
/// How long the breaker is open at most before the next probe.
pub const BREAKER_OPEN_MS_MAX: u64 = 30_000;
