#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::error::classify;

fn dead() -> Result<(), CallError> {
    Err(CallError::unsent(NotSent::Connect))
}

fn fail(breaker: &Breaker, times: u32) {
    for _ in 0..times {
        breaker.enter().unwrap().finish(&dead());
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_cluster_gets_one_probe_at_a_time_and_ever_fewer() {
    let breaker = Breaker::default();
    fail(&breaker, BREAKER_FAILURES);
    assert!(breaker.is_open() && breaker.enter().is_err());
    let mut probes = 0;
    for _ in 0..600 {
        tokio::time::advance(Duration::from_millis(100)).await;
        if let Ok(probe) = breaker.enter() {
            assert!(breaker.enter().is_err(), "a second call beside the probe");
            probe.finish(&dead());
            probes += 1;
        }
    }
    assert!((4..=7).contains(&probes), "{probes} probes in a minute");
}

#[tokio::test(start_paused = true)]
async fn any_answer_closes_it() {
    let breaker = Breaker::default();
    fail(&breaker, BREAKER_FAILURES);
    tokio::time::advance(Duration::from_millis(BREAKER_OPEN_MS_MIN)).await;
    breaker.enter().unwrap().finish::<()>(&Err(classify(403, None, b"")));
    assert!(!breaker.is_open());
    fail(&breaker, BREAKER_FAILURES - 1);
    assert!(!breaker.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_was_given_up_makes_room_for_another() {
    let breaker = Breaker::default();
    fail(&breaker, BREAKER_FAILURES);
    tokio::time::advance(Duration::from_millis(BREAKER_OPEN_MS_MIN)).await;
    drop(breaker.enter().unwrap());
    assert!(breaker.enter().is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_was_never_meant_to_reach_the_cluster_proves_nothing() {
    let breaker = Breaker::default();
    for _ in 0..10 {
        breaker.enter().unwrap().finish::<()>(&Err(CallError::unsent(NotSent::Fenced)));
    }
    assert!(!breaker.is_open());
}

#[tokio::test(start_paused = true)]
async fn writes_that_hang_do_not_open_it_and_writes_that_find_nobody_do() {
    let breaker = Breaker::default();
    for _ in 0..10 {
        breaker.note_write::<()>(&Err(CallError::lost(Unknown::Deadline)));
    }
    assert!(!breaker.is_open());
    for _ in 0..BREAKER_FAILURES {
        breaker.note_write(&dead());
    }
    assert!(breaker.is_open());
}
