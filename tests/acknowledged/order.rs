//! The rule, over the calls of all replicas.

use crate::trace::Call;
use std::collections::BTreeMap;

/// What a trace shows of one write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    /// How many replicas had it on disk when its 201 began to leave.
    pub(crate) durable_on: usize,
    /// How long that was after the quorum had it, in seconds.
    pub(crate) margin_s: f64,
}

/// Looks at the acknowledgement of the write that `marker` names: the bytes of its entry and its answer hold it, those
/// of no other write do. An entry is durable on a replica from the end of the first fdatasync of that file that began
/// after the entry had been written.
///
/// # Errors
/// The 201 left before a quorum had the entry on disk, or the trace does not show what is needed to judge.
pub(crate) fn check(calls: &[Call], marker: &str, quorum: usize) -> Result<Shown, String> {
    let answer = calls
        .iter()
        .filter(|call| call.data.contains("HTTP/1.1 201 ") && call.data.contains(marker))
        .map(|call| call.began)
        .min_by(f64::total_cmp)
        .ok_or_else(|| format!("{marker}: no 201 is in the trace"))?;
    let mut durable: Vec<f64> = durable(calls, marker).into_values().collect();
    durable.sort_by(f64::total_cmp);
    let durable_on = durable.iter().filter(|at| **at <= answer).count();
    match durable.get(quorum - 1) {
        Some(at) if *at <= answer => Ok(Shown { durable_on, margin_s: answer - at }),
        _ => Err(format!(
            "{marker}: the 201 left when the entry was on disk on {durable_on}, not {quorum}: it left at {answer:.6}, \
             fdatasyncs that cover it ended at {durable:.6?}"
        )),
    }
}

/// Since when each replica has had the entry on disk, by the folder that its log is in.
fn durable(calls: &[Call], marker: &str) -> BTreeMap<String, f64> {
    let mut written: BTreeMap<&str, f64> = BTreeMap::new();
    for call in calls.iter().filter(|call| is_write(call) && call.data.contains(marker)) {
        if replica(&call.of).is_some() {
            let first = written.entry(&call.of).or_insert(call.ended);
            *first = first.min(call.ended);
        }
    }
    let mut durable = BTreeMap::new();
    for (file, written) in written {
        let covers = |call: &&Call| {
            matches!(call.name.as_str(), "fdatasync" | "fsync")
                && call.of == file
                && call.result == 0
                && call.began >= written
        };
        let synced = calls.iter().filter(covers).map(|call| call.ended).min_by(f64::total_cmp);
        if let (Some(synced), Some(replica)) = (synced, replica(file)) {
            let first = durable.entry(replica.to_owned()).or_insert(synced);
            *first = first.min(synced);
        }
    }
    durable
}

fn is_write(call: &Call) -> bool {
    call.result > 0 && matches!(call.name.as_str(), "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2")
}

fn replica(file: &str) -> Option<&str> {
    file.rsplit_once("/log/").map(|(replica, _)| replica)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::calls;

    /// r1 leads: writes its log, r2 too, and r3 late; the 201 leaves at `answer`.
    fn trace(answer: &str, r2_sync: &str) -> String {
        format!(
            r#"11 10.000010 writev(7</d/r1/data/log/0.wal>, [{{iov_base="..run-1..", iov_len=9}}], 1) = 9 <0.000005>
11 10.000020 fdatasync(7</d/r1/data/log/0.wal> <unfinished ...>
21 10.000030 writev(7</d/r2/data/log/0.wal>, [{{iov_base="..run-1..", iov_len=9}}], 1) = 9 <0.000005>
21 {r2_sync} = 0 <0.000100>
11 10.000120 <... fdatasync resumed>) = 0 <0.000100>
12 {answer} sendto(9<TCP:[1->2]>, "HTTP/1.1 201 Created\r\n..run-1..", 40, MSG_NOSIGNAL, NULL, 0) = 40 <0.000009>
31 10.000300 writev(7</d/r3/data/log/0.wal>, [{{iov_base="..run-1..", iov_len=9}}], 1) = 9 <0.000005>
31 10.000310 fdatasync(7</d/r3/data/log/0.wal>) = 0 <0.000100>
"#
        )
    }

    const IN_TIME: &str = "10.000040 fdatasync(7</d/r2/data/log/0.wal>)";

    #[test]
    fn an_answer_after_the_second_fdatasync_is_right() {
        let shown = check(&calls(&trace("10.000150", IN_TIME)), "run-1", 2).unwrap();
        assert_eq!(shown.durable_on, 2);
        assert!((shown.margin_s - 0.000_01).abs() < 1e-6, "{shown:?}");
    }

    #[test]
    fn an_answer_while_the_second_fdatasync_runs_is_too_early() {
        let why = check(&calls(&trace("10.000130", IN_TIME)), "run-1", 2).unwrap_err();
        assert!(why.contains("on disk on 1, not 2"), "{why}");
        assert!(check(&calls(&trace("10.000100", IN_TIME)), "run-1", 2).unwrap_err().contains("on 0, not 2"));
    }

    #[test]
    fn an_fdatasync_that_began_before_the_write_ended_or_is_of_another_file_or_failed_covers_nothing() {
        for other in [
            "10.000034 fdatasync(7</d/r2/data/log/0.wal>)",
            "10.000040 fdatasync(7</d/r2/data/log/1.wal>)",
            "10.000040 fdatasync(8</d/r2/data/watermark>)",
        ] {
            let why = check(&calls(&trace("10.000150", other)), "run-1", 2).unwrap_err();
            assert!(why.contains("on disk on 1, not 2"), "{other}: {why}");
        }
        let failed =
            trace("10.000150", IN_TIME).replace("= 0 <0.000100>\n11", "= -1 EIO (error) <0.000100>\n11");
        assert!(check(&calls(&failed), "run-1", 2).is_err());
    }

    #[test]
    fn two_fdatasyncs_of_one_replica_are_no_quorum() {
        let trace = trace("10.000150", IN_TIME).replace("/d/r2/", "/d/r1/");
        assert!(check(&calls(&trace), "run-1", 2).unwrap_err().contains("on disk on 1, not 2"));
    }

    #[test]
    fn a_trace_without_the_answer_or_without_any_sync_proves_nothing() {
        assert!(check(&calls(&trace("10.000150", IN_TIME)), "run-2", 2).unwrap_err().contains("no 201"));
        let trace = trace("10.000150", IN_TIME).replace("fdatasync", "getpid");
        assert!(check(&calls(&trace), "run-1", 2).unwrap_err().contains("on disk on 0"));
    }
}
