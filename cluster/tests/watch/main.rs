//! The driver over sockets against a simulated cluster: listing, watching, resuming, and what goes wrong.

#![allow(clippy::unwrap_used, clippy::panic, clippy::large_futures, reason = "tests")]

mod world;

use tallyman_chaos::{Fault, Matching, Verb};
use tallyman_cluster::{CallError, ClusterApi, RefusedKind};
use world::{KIND, World, job, until};

#[tokio::test]
async fn objects_are_listed_by_pages_and_then_followed() {
    let mut world = World::with(7).await;
    world.start();
    world.until_equal().await;
    {
        let books = world.log.books.lock().unwrap();
        let listed: Vec<bool> = books.batches.iter().map(|batch| batch.listed.is_some()).collect();
        assert_eq!(listed, [false, false, true], "three pages of three");
    }
    world.create("x").await;
    world.touch("o1").await;
    world.delete("o2").await;
    world.until_equal().await;
    assert_eq!(world.listings(), 1);
    assert!(world.names().contains("x") && !world.names().contains("o2"));
}

#[tokio::test]
async fn a_new_driver_resumes_from_the_stored_cursor_without_a_listing() {
    let mut world = World::with(4).await;
    world.start();
    world.until_equal().await;
    world.crash().await;
    world.create("x").await;
    world.delete("o0").await;
    world.start();
    world.until_equal().await;
    assert_eq!(world.listings(), 1);
}

#[tokio::test]
async fn a_cursor_that_is_too_old_in_the_stream_means_listing_anew() {
    let mut world = World::with(4).await;
    world.start();
    world.until_equal().await;
    world.crash().await;
    world.delete("o0").await;
    world.create("x").await;
    world.cluster.compact();
    world.start();
    world.until_equal().await;
    assert_eq!(world.listings(), 2);
    assert!(!world.names().contains("o0"), "what a complete listing does not name is gone");
}

#[tokio::test]
async fn a_cursor_that_is_too_old_as_status_means_listing_anew() {
    let mut world = World::with(4).await;
    world.start();
    world.until_equal().await;
    world.crash().await;
    world.delete("o0").await;
    let fault = world.cluster.faults().next(1, Matching::verb(Verb::Watch), Fault::GoneAsStatus);
    world.start();
    until("the fault to be met", || world.cluster.faults().hits(fault) == 1).await;
    world.until_equal().await;
    assert_eq!(world.listings(), 2);
}

#[tokio::test]
async fn a_silent_watch_is_given_up_and_opened_again_where_it_was() {
    let mut world = World::with(2).await;
    world.start();
    world.until_equal().await;
    world.cluster.faults().silence_watches(true);
    let before = world.cluster.requests().of(Verb::Watch, "jobs");
    world.create("x").await;
    until("another watch", || world.cluster.requests().of(Verb::Watch, "jobs") > before).await;
    world.cluster.faults().silence_watches(false);
    world.until_equal().await;
    assert_eq!(world.listings(), 1);
}

#[tokio::test]
async fn a_cluster_that_went_back_in_time_is_listed_anew_on_a_new_timeline() {
    let mut world = World::with(3).await;
    let then = world.cluster.checkpoint();
    world.create("x").await;
    world.create("y").await;
    world.start();
    world.until_equal().await;
    world.cluster.rewind(&then).unwrap();
    world.until_equal().await;
    let books = world.log.books.lock().unwrap();
    assert_eq!((books.timeline, books.stored.as_ref().map(|stored| stored.timeline)), (1, Some(1)));
}

#[tokio::test]
async fn a_rewind_while_nobody_watched_is_found_by_the_first_watch() {
    let mut world = World::with(3).await;
    let then = world.cluster.checkpoint();
    world.create("x").await;
    world.start();
    world.until_equal().await;
    world.crash().await;
    world.cluster.rewind(&then).unwrap();
    world.start();
    world.until_equal().await;
    assert_eq!(world.log.books.lock().unwrap().timeline, 1);
}

#[tokio::test]
async fn a_listing_that_fails_halfway_deletes_nothing() {
    let mut world = World::with(7).await;
    world.start();
    world.until_equal().await;
    world.crash().await;
    world.cluster.compact();
    let broken = world
        .cluster
        .faults()
        .always(Matching::verb(Verb::List), Fault::Refuse(tallyman_chaos::Refuse::status(500)));
    world.start();
    until("a failed listing", || world.cluster.faults().hits(broken) >= 1).await;
    assert_eq!(world.names().len(), 7);
    world.cluster.faults().remove(broken);
    world.until_equal().await;
}

#[tokio::test]
async fn a_cluster_that_comes_back_is_found_again() {
    let mut world = World::with(3).await;
    world.start();
    world.until_equal().await;
    world.cluster.pause_listener().await;
    let error = world.api.identity().await.unwrap_err();
    assert!(matches!(error, CallError::NotSent { .. } | CallError::Unknown { .. }), "{error:?}");
    world.cluster.resume_listener().await.unwrap();
    world.create("x").await;
    world.until_equal().await;
    assert_eq!(world.listings(), 1);
}

#[tokio::test]
async fn what_the_log_did_not_take_comes_again() {
    let mut world = World::with(7).await;
    world.log.books.lock().unwrap().refuse = 2;
    world.start();
    world.until_equal().await;
    world.log.books.lock().unwrap().refuse = 1;
    world.create("x").await;
    world.delete("o3").await;
    world.until_equal().await;
}

#[tokio::test]
async fn a_log_that_takes_nothing_stops_the_reading_and_gets_each_object_once_afterwards() {
    let mut world = World::with(0).await;
    world.options.batch_items = 5;
    world.start();
    world.until_equal().await;
    world.log.permits.forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    for number in 0..20 {
        world.create(&format!("o{number}")).await;
        world.touch(&format!("o{number}")).await;
    }
    world.log.permits.add_permits(1_000);
    world.until_equal().await;
    let books = world.log.books.lock().unwrap();
    assert!(books.batches.iter().all(|batch| batch.items.len() <= 5), "{:?}", books.batches);
}

#[tokio::test]
async fn bookmarks_alone_move_the_cursor() {
    let mut world = World::with(1).await;
    world.start();
    world.until_equal().await;
    // Another label: it moves the cluster's version and is not selected.
    let body = job("other", "other");
    let other = world.api.create(&KIND, "n", body.to_string().as_bytes()).await.unwrap();
    until("the cursor to pass it", || {
        let books = world.log.books.lock().unwrap();
        books
            .stored
            .as_ref()
            .is_some_and(|stored| !tallyman_cluster::is_older(&stored.cursor, &other.resource_version))
    })
    .await;
}

#[tokio::test]
async fn writes_keep_their_preconditions_against_a_cluster_that_checks_them() {
    let world = World::with(1).await;
    let found = world.api.get(&KIND, "n", "o0").await.unwrap().unwrap();
    let patch = serde_json::json!({"data": {"a": "b"}});
    let refused = |error: CallError| error.refused_kind();
    let other = world.api.patch(&KIND, "n", "o0", "another", None, &patch).await.map(drop).unwrap_err();
    assert_eq!(refused(other), Some(RefusedKind::Conflict));
    let old = world.api.patch(&KIND, "n", "o0", &found.uid, Some("1"), &patch).await.map(drop).unwrap_err();
    assert_eq!(refused(old), Some(RefusedKind::Conflict));
    let other = world.api.delete(&KIND, "n", "o0", "another").await.unwrap_err();
    assert_eq!(refused(other), Some(RefusedKind::Conflict));
    world.api.delete(&KIND, "n", "o0", &found.uid).await.unwrap();
    assert_eq!(world.api.get(&KIND, "n", "o0").await.unwrap(), None);
    let gone = world.api.delete(&KIND, "n", "o0", &found.uid).await.unwrap_err();
    assert_eq!(refused(gone), Some(RefusedKind::NotFound));
    let identity = world.api.identity().await.unwrap();
    assert_eq!(identity.kube_system_uid, world.cluster.uid());
}
