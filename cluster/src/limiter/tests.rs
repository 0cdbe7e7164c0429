#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::error::classify;

fn overload(retry_after_s: Option<u32>) -> Result<(), CallError> {
    Err(classify(429, retry_after_s, b"too many requests"))
}

async fn take(limiter: &Limiter, count: u32) -> Vec<Slot> {
    let mut slots = Vec::new();
    for _ in 0..count {
        slots.push(limiter.acquire_within(Duration::ZERO).await.unwrap());
    }
    slots
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_limit_are_under_way_and_a_finished_one_makes_room() {
    let limiter = Limiter::default();
    let mut slots = take(&limiter, WRITES_START).await;
    assert!(limiter.acquire_within(Duration::from_secs(60)).await.is_none());
    let waiting = tokio::spawn({
        let limiter = limiter.clone();
        async move { limiter.acquire().await }
    });
    tokio::task::yield_now().await;
    slots.pop().unwrap().finish(&Ok(()));
    waiting.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn overload_halves_once_for_all_that_were_under_way() {
    let limiter = Limiter::default();
    for slot in take(&limiter, WRITES_START).await {
        slot.finish(&overload(None));
    }
    assert_eq!(limiter.limit(), WRITES_START / 2);
    for _ in 0..10 {
        take(&limiter, 1).await.pop().unwrap().finish(&overload(None));
    }
    assert_eq!(limiter.limit(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_window_of_successes_adds_one() {
    let limiter = Limiter::default();
    for _ in 0..WRITES_START {
        take(&limiter, 1).await.pop().unwrap().finish(&Ok(()));
    }
    assert_eq!(limiter.limit(), WRITES_START + 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_starts_before_the_time_that_the_cluster_named() {
    let limiter = Limiter::default();
    take(&limiter, 1).await.pop().unwrap().finish(&overload(Some(7)));
    let started = Instant::now();
    let _slot = limiter.acquire().await;
    assert_eq!(started.elapsed(), Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_given_up_gives_its_slot_back() {
    let limiter = Limiter::default();
    drop(take(&limiter, WRITES_START).await);
    take(&limiter, WRITES_START).await;
}
