//! What strace writes, as calls: `strace -f -ttt -T -y`.

use std::collections::BTreeMap;

/// One call that has ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// What its descriptor is of: a path, or a socket.
    pub(crate) of: String,
    /// What was written, as strace shows it.
    pub(crate) data: String,
    /// When it began, in seconds.
    pub(crate) began: f64,
    /// When it had ended; its thread goes on later than that.
    pub(crate) ended: f64,
    /// What it gave back; negative if it failed.
    pub(crate) result: i64,
}

/// The calls of a trace, in the order in which they ended. A call that never ended is left out, as is what is no call.
pub(crate) fn calls(trace: &str) -> Vec<Call> {
    let mut begun: BTreeMap<&str, (f64, String)> = BTreeMap::new();
    trace.lines().filter_map(|line| call(line, &mut begun)).collect()
}

fn call<'a>(line: &'a str, begun: &mut BTreeMap<&'a str, (f64, String)>) -> Option<Call> {
    let (thread, rest) = line.split_once(' ')?;
    let (at, rest) = rest.trim_start().split_once(' ')?;
    let at: f64 = at.parse().ok()?;
    if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
        begun.insert(thread, (at, start.to_owned()));
        return None;
    }
    let (began, whole, ended) = match rest.strip_prefix("<... ") {
        Some(resumed) => {
            let (_, end) = resumed.split_once(" resumed>")?;
            let (began, start) = begun.remove(thread)?;
            (began, start + end, Some(at))
        }
        None => (at, rest.to_owned(), None),
    };
    let (name, rest) = whole.split_once('(')?;
    let (arguments, end) = rest.rsplit_once(" = ")?;
    let (result, lasted) = match end.rsplit_once(" <") {
        Some((result, lasted)) => (result, lasted.strip_suffix('>')?.parse().ok()?),
        None => (end, 0.0),
    };
    let result = result.split(' ').next()?.parse().ok()?;
    let (of, data) = descriptor(arguments);
    let ended = ended.unwrap_or(began + lasted);
    Some(Call { name: name.to_owned(), of, data, began, ended, result })
}

/// `7</path>, "bytes", 5)` as `/path` and the rest. What is in `<>` may hold such signs itself: `3<TCP:[a->b]>`.
fn descriptor(arguments: &str) -> (String, String) {
    let end = [">, ", ">)"].iter().filter_map(|end| arguments.find(end)).min();
    match (arguments.find('<'), end) {
        (Some(start), Some(end)) if start < end => {
            (arguments[start + 1..end].to_owned(), arguments[end + 1..].to_owned())
        }
        _ => (String::new(), arguments.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_calls_and_resumed_ones_are_read() {
        let trace = r#"
71    100.000100 pwrite64(9</d/r1/data/log/a.wal>, "x\0y", 3, 0) = 3 <0.000050>
72    100.000200 fdatasync(9</d/r1/data/log/a.wal> <unfinished ...>
71    100.000300 sendto(5<TCP:[127.0.0.1:1->127.0.0.1:2]>, "HTTP/1.1 201", 12, MSG_NOSIGNAL, NULL, 0) = 12 <0.000010>
72    100.000400 <... fdatasync resumed>) = -1 EIO (Input/output error) <0.000210>
73    100.000500 fdatasync(9</d/r1/data/log/a.wal> <unfinished ...>
71    100.000600 +++ exited with 0 +++
"#;
        let calls = calls(trace);
        let shown: Vec<_> =
            calls.iter().map(|call| (call.name.as_str(), call.of.as_str(), call.result)).collect();
        assert_eq!(
            shown,
            [
                ("pwrite64", "/d/r1/data/log/a.wal", 3),
                ("sendto", "TCP:[127.0.0.1:1->127.0.0.1:2]", 12),
                ("fdatasync", "/d/r1/data/log/a.wal", -1),
            ]
        );
        assert!(calls[0].data.contains(r"x\0y"));
        assert!((calls[0].ended - 100.000_150).abs() < 1e-7);
        assert_eq!((calls[2].began, calls[2].ended), (100.000_2, 100.000_4));
    }
}
