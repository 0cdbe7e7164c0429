//! After a drill: everything that was submitted is read from every replica, and then removed.

use super::book::{Book, Found};
use super::load::KEY;
use super::report::Replica;
use crate::client::{Client, Request, request, text};
use crate::exit::Failure;
use crate::output::items;
use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use reqwest::Method;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Records of one page.
const PAGE_MAX: u32 = 500;
/// How long clusters are given to let go of what was sent to them.
const REMOVED_MAX: Duration = Duration::from_secs(10);
/// How often is looked whether they have.
const LOOK: Duration = Duration::from_millis(50);
/// Removals under way at a time.
const REMOVALS_MAX: usize = 8;

/// What each replica has of it, at least at the newest revision that was acknowledged; `None` if it cannot be read.
pub(super) async fn read(
    client: &Client,
    replicas: &[Replica],
    namespace: &str,
    book: &Book,
) -> Vec<Option<Found>> {
    let token = book.acked.iter().map(|acked| acked.revision).max().unwrap_or_default();
    join_all(replicas.iter().map(async |replica| one(&client.at(&replica.url), namespace, token).await.ok()))
        .await
}

pub(super) async fn one(client: &Client, namespace: &str, token: u64) -> Result<Found, Failure> {
    let mut found = Found::new();
    let mut next = String::new();
    loop {
        let page = Request::get(request::runnables(Some(namespace))).query("limit", PAGE_MAX);
        let page = match next.as_str() {
            "" => page.token(token),
            next => page.query("continue", next),
        };
        let answer = client.read(&page).await?;
        for item in items(&answer.body) {
            let key = item.pointer("/metadata/labels").and_then(|labels| labels.get(KEY)?.as_str());
            let uid = text(item, "/metadata/uid").to_owned();
            found.entry(key.unwrap_or_default().to_owned()).or_default().insert(uid);
        }
        next = answer.text("/metadata/continue").to_owned();
        if next.is_empty() {
            return Ok(found);
        }
    }
}

/// Waits for what is being removed; how many are left.
async fn left(client: &Client, page: &Request) -> Result<usize, Failure> {
    let deadline = Instant::now() + REMOVED_MAX;
    loop {
        let left = items(&client.read(page).await?.body).len();
        if left == 0 || Instant::now() >= deadline {
            return Ok(left);
        }
        sleep(LOOK).await;
    }
}

/// Removes all of it; how many are left.
pub(super) async fn remove(client: &Client, namespace: &str) -> Result<usize, Failure> {
    loop {
        let page = Request::get(request::runnables(Some(namespace))).query("limit", PAGE_MAX);
        let names = items(&client.read(&page).await?.body)
            .iter()
            .filter(|item| text(item, "/metadata/deletionTimestamp").is_empty())
            .map(|item| text(item, "/metadata/name").to_owned())
            .collect::<Vec<String>>();
        if names.is_empty() {
            return left(client, &page).await;
        }
        let remove = async |name: String| {
            let request = Request::new(Method::DELETE, request::runnable(namespace, &name));
            client.change(request, &format!("tallyman delete {namespace}/{name}")).await
        };
        let removed: Vec<_> = stream::iter(names).map(remove).buffer_unordered(REMOVALS_MAX).collect().await;
        if let Some(failed) = removed.into_iter().find_map(Result::err) {
            return Err(failed);
        }
    }
}
