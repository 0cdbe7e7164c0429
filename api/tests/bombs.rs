//! Bodies made to cost much: refused within bounds of time and memory. One test, alone in its process, because the
//! memory is the process's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

#[path = "api/client.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod client;
#[path = "api/memory.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod memory;

use std::time::Duration;
use tokio::time::Instant;

const RUNNABLES: &str = "/apis/tallyman.dev/v1/namespaces/risk/runnables";
const MEMORY_BYTES_MAX: u64 = 64 * 1024 * 1024;
const TIME_MAX: Duration = Duration::from_millis(100);

/// The most memory that the process has had since the last reset, in bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn bombs() -> Vec<(&'static str, String)> {
    const MIB: usize = 1024 * 1024;
    let laughs = {
        let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
        for i in 1..12 {
            let alias = format!("*a{}", i - 1);
            text.push_str(&format!("a{i}: &a{i} [{}]\n", vec![alias; 9].join(", ")));
        }
        text
    };
    let wide = format!("a: &a [{}]\nb: [{}]\n", vec!["x"; 5_000].join(","), vec!["*a"; 5_000].join(","));
    let quadratic = format!("a: &a {}\nb: [{}]\n", "x".repeat(200_000), vec!["*a"; 900].join(","));
    let merges = {
        let mut text = "a0: &a0 {k: v}\n".to_owned();
        for i in 1..20_000 {
            text.push_str(&format!("a{i}: &a{i}\n  <<: *a{}\n", i - 1));
        }
        text
    };
    let keys: String = (0..60_000).map(|i| format!("k{i}: 1\n")).collect();
    vec![
        ("nested aliases", laughs),
        ("one wide alias, often", wide),
        ("one long text, often", quadratic),
        ("a chain of merges", merges),
        ("lists in lists", "[".repeat(10_000)),
        ("closed lists in lists", format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))),
        ("objects in objects", "{\"a\":".repeat(10_000)),
        ("flow maps in flow maps", "{a: ".repeat(10_000)),
        ("block lists in block lists", "- ".repeat(10_000)),
        ("block maps in block maps", (0..1_000).map(|i| format!("{}a:\n", " ".repeat(i))).collect()),
        ("a key of keys", "? ".repeat(10_000)),
        ("a key twice at the end", format!("{keys}k0: 1\n")),
        ("many small objects", format!("[{}]", vec!["{\"\":0}"; MIB / 8].join(","))),
        ("many small lists", format!("[{}]", vec!["[]"; MIB / 4].join(","))),
        ("many small block lists", "- []\n".repeat(MIB / 6)),
        ("many documents", "---\na\n".repeat(MIB / 7)),
        ("many anchors", (0..50_000).map(|i| format!("- &a{i} x\n")).collect()),
        ("many tags", "- !!str x\n".repeat(MIB / 11)),
        ("many comments", format!("{}a: *b\n", "# c\n".repeat(MIB / 5))),
        ("one quote that never closes", format!("a: \"{}", "\\n".repeat(MIB / 3))),
        ("one long line", format!("a: *{}", "x".repeat(MIB - 100))),
    ]
}

#[tokio::test]
async fn bodies_made_to_cost_much_are_refused_at_once_and_cheaply() {
    let server = client::start().await;
    // What is set up once is not the body's doing.
    server.send("POST", RUNNABLES, &[], "a: [").await.refused(400, "BadRequest");
    let before = server.memory.index();
    let slow = if cfg!(debug_assertions) { 10 } else { 1 };
    for (name, text) in bombs() {
        for content_type in ["application/yaml", "application/json", "text/plain"] {
            reset_peak();
            let at_rest = peak_bytes();
            let begun = Instant::now();
            let reply = server.send("POST", RUNNABLES, &[("content-type", content_type)], text.clone()).await;
            let took = begun.elapsed();
            let used = peak_bytes().saturating_sub(at_rest);
            println!("{name}, {content_type}: {} after {took:?}, {} KiB", reply.status, used / 1024);
            assert!([400, 422].contains(&reply.status.as_u16()), "{name}: {}", reply.text());
            assert!(reply.body.len() < 2_000, "{name}: {}", reply.text());
            assert!(took < TIME_MAX * slow, "{name} took {took:?}");
            assert!(used < MEMORY_BYTES_MAX, "{name} used {used} bytes");
        }
    }
    assert_eq!(server.memory.index(), before);
}
