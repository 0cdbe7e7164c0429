use super::*;
use serde_json::{Value, json};

const IDLE: Duration = Duration::from_secs(10);

fn line(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

fn job(version: &str) -> Value {
    json!({"kind": "Job", "metadata": {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": version}})
}

fn of_jobs() -> Reading {
    let rules = tokio::sync::watch::channel(Arc::default()).1;
    Reading { kind: Kind::Job, form: Form::Whole, rules }
}

async fn read_all(text: &str, chunk_bytes: usize) -> Vec<WatchEvent> {
    let chunks: Vec<Bytes> = text.as_bytes().chunks(chunk_bytes).map(Bytes::copy_from_slice).collect();
    events(of_jobs(), stream::iter(chunks), IDLE).collect().await
}

#[tokio::test]
async fn each_line_becomes_one_event_and_the_end_is_said() {
    let bookmark = json!({"kind": "Job", "metadata": {"resourceVersion": "12"}});
    let odd = json!({"metadata": {"resourceVersion": "11"}});
    let text = [
        line("ADDED", &job("8")),
        line("MODIFIED", &job("9")),
        line("DELETED", &job("10")),
        line("ADDED", &odd),
        line("BOOKMARK", &bookmark),
    ]
    .concat();
    for chunk_bytes in [1, 7, 4096] {
        let all = read_all(&text, chunk_bytes).await;
        assert!(matches!(&all[0], WatchEvent::Seen(item) if item.resource_version == "8"), "{all:?}");
        assert!(matches!(&all[1], WatchEvent::Seen(item) if !item.gone));
        assert!(matches!(&all[2], WatchEvent::Deleted(item) if item.gone && item.resource_version == "10"));
        assert_eq!(all[3], WatchEvent::Skipped { resource_version: "11".to_owned() });
        assert_eq!(all[4], WatchEvent::Bookmark { resource_version: "12".to_owned() });
        assert_eq!(all[5..], [WatchEvent::Eof]);
    }
}

#[tokio::test]
async fn nothing_is_read_after_an_error() {
    let gone = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"});
    let all = read_all(&(line("ERROR", &gone) + &line("ADDED", &job("8"))), 4096).await;
    assert_eq!(all.len(), 1);
    assert!(matches!(&all[0], WatchEvent::Error { code: 410, reason, .. } if reason == "Expired"));
}

#[tokio::test]
async fn a_line_that_was_cut_off_is_not_an_event() {
    let whole = line("ADDED", &job("8"));
    let all = read_all(&whole[..whole.len() - 5], 4096).await;
    assert_eq!(all, [WatchEvent::Eof]);
}

#[tokio::test]
async fn a_line_that_is_no_event_ends_the_watch() {
    let all = read_all("{\"type\":\"ADDED\"}\n", 4096).await;
    assert!(matches!(&all[..], [WatchEvent::Error { code: 0, .. }]), "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_ends() {
    let started = tokio::time::Instant::now();
    let mut silent = events(of_jobs(), stream::pending(), IDLE).boxed();
    assert_eq!(silent.next().await, Some(WatchEvent::Eof));
    assert_eq!(started.elapsed(), IDLE);
    assert_eq!(silent.next().await, None);
}

#[test]
fn watches_ask_for_times_that_are_spread() {
    let asked: std::collections::BTreeSet<u64> =
        (0..200).map(|from: u32| timeout_s((180, 220), "https://a", &from.to_string())).collect();
    assert!(asked.len() > 30 && asked.iter().all(|seconds| (180..=220).contains(seconds)), "{asked:?}");
    assert_eq!(timeout_s((3, 3), "s", "1"), 3);
}

#[test]
fn a_refusal_that_reads_as_success_is_not_a_watch() {
    assert!(matches!(refused(Ok(Bytes::new())), CallError::Unknown { .. }));
    let error = refused(Err(CallError::lost(Unknown::Deadline)));
    assert_eq!(
        error.to_string(),
        "failed to learn what became of the request: no answer before the deadline"
    );
}
