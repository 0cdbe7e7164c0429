//! `tallyman operator init`: once by a person, or by whatever may be run again until the group is there.

use super::{INIT, STATUS, STATUS_S_MAX};
use crate::client::{Client, Request, text};
use crate::exit::{Exit, Failure};
use crate::screen::{self, Screen};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long to wait before it is tried again.
const DELAY_S: u64 = 2;

pub(super) async fn once(client: &Client, expect: usize) -> Result<(), Failure> {
    let request = Request::send(Method::POST, INIT, &json!({"expect": expect}));
    let answer = client.change(request, &format!("tallyman operator init --expect {expect}")).await?;
    Screen::stdout().line(&format!("the group is made: {}", ids(&answer.body)));
    Ok(())
}

/// Replicas that start together are not all there at once, and whoever asks may have asked before. Repeating is
/// harmless: a group is founded of blank replicas only.
pub(super) async fn until_made(client: &Client, expect: usize, limit: Duration) -> Result<(), Failure> {
    let deadline = Instant::now() + limit;
    let mut said = String::new();
    loop {
        let failure = match once(client, expect).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        if matches!(failure.exit, Exit::Usage | Exit::Forbidden | Exit::Ok) {
            return Err(failure);
        }
        if let Some(leader) = leader(client).await {
            Screen::stdout().line(&format!("the group is there already, led by {leader}"));
            return Ok(());
        }
        if Instant::now() + Duration::from_secs(DELAY_S) >= deadline {
            return Err(failure);
        }
        if said != failure.message {
            screen::complain(&format!("not yet: {}\n", failure.message));
            said = failure.message;
        }
        sleep(Duration::from_secs(DELAY_S)).await;
    }
}

/// Who leads, if one of the servers knows a leader: then the group was founded.
async fn leader(client: &Client) -> Option<String> {
    for server in client.servers() {
        let one = client.at(server).within(Duration::from_secs(STATUS_S_MAX));
        let answer = one.read(&Request::get(STATUS)).await.ok();
        let leader = answer.map(|answer| text(&answer.body, "/leader").to_owned()).unwrap_or_default();
        if !leader.is_empty() {
            return Some(leader);
        }
    }
    None
}

/// The ids in an answer.
fn ids(body: &Value) -> String {
    let list = body.get("members").and_then(Value::as_array);
    let ids: Vec<&str> = list.into_iter().flatten().filter_map(Value::as_str).collect();
    ids.join(", ")
}
