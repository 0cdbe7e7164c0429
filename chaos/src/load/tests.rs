#![allow(clippy::unwrap_used, reason = "a test may panic")]
use super::*;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that answers every request with 201 after a while, and for ever the same.
async fn server(delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, delay));
        }
    });
    url
}

async fn answer(mut stream: TcpStream, delay: Duration) {
    let mut bytes = [0; 4096];
    while stream.read(&mut bytes).await.is_ok_and(|length| length > 0) {
        sleep(delay).await;
        let answer = b"HTTP/1.1 201 Created\r\ntallyman-revision: 7\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(answer).await.unwrap();
    }
}

struct Ask(Arc<Mutex<Vec<Answer>>>);

impl Script for Ask {
    fn next(&mut self) -> Shot {
        Shot { operation: "ask", target: 0, path: "/x".to_owned(), body: None }
    }
    fn answered(&mut self, _: &Shot, answer: &Answer) {
        self.0.lock().unwrap().push(*answer);
    }
}

fn plan(url: &str, clients: usize, pace: Pace, requests_max: u64) -> Plan {
    let targets = vec![Target::new(url, None, None).unwrap()];
    Plan { targets, clients, pace, duration: Duration::from_secs(60), requests_max }
}

#[tokio::test]
async fn a_closed_loop_sends_as_many_as_it_may_and_counts_every_answer() {
    let url = server(Duration::ZERO).await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let outcome = run(plan(&url, 4, Pace::Closed, 100), |_| Box::new(Ask(Arc::clone(&heard)))).await;
    let tally = &outcome.operations["ask"];
    assert_eq!((tally.latency.count(), &tally.codes), (100, &BTreeMap::from([(201, 100)])));
    assert_eq!((tally.bytes, tally.lost.len()), (200, 0));
    let heard = heard.lock().unwrap();
    assert_eq!((heard.len(), heard[0].revision), (100, Some(7)));
}

#[tokio::test]
async fn an_open_loop_charges_a_slow_server_for_those_that_had_to_wait() {
    let url = server(Duration::from_millis(50)).await;
    // One every 10 ms, by one client: the tenth is sent 450 ms late at the earliest.
    let outcome = run(plan(&url, 1, Pace::PerSecond(100.0), 10), |_| Box::new(Ask(Arc::default()))).await;
    let latency = &outcome.operations["ask"].latency;
    assert_eq!(latency.count(), 10);
    assert!(latency.max() >= 400_000, "{latency:?}");
    assert!(latency.percentile(0.1) < latency.max() / 2, "{latency:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_and_not_timed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = run(plan(&url, 1, Pace::Closed, 3), |_| Box::new(Ask(Arc::default()))).await;
    let tally = &outcome.operations["ask"];
    assert_eq!((tally.latency.count(), tally.lost.values().sum::<u64>()), (0, 3));
    assert!(tally.lost.keys().all(|why| why.contains("connect")), "{:?}", tally.lost);
}
