//! What must hold after a round.

use crate::dev::{answer, binary, path, until};
use crate::group::Group;
use crate::machine::Machine;
use crate::writers::{Book, Deleted, Noted};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::process::Command;

/// What of the noted writes is not on a replica as it was acknowledged.
pub(crate) async fn lost(group: &Group, book: &Book) -> Vec<String> {
    let mut lost = Vec::new();
    for url in &group.urls {
        let found = list(group, url).await;
        for (name, noted) in book.runs.lock().unwrap().iter() {
            if let Err(why) = fits(noted, found.get(name)) {
                lost.push(format!("{url} {name}: {why}"));
            }
        }
    }
    lost
}

fn fits(noted: &Noted, found: Option<&Value>) -> Result<(), String> {
    let found = match (found, noted.deleted) {
        (None, Deleted::Yes | Deleted::Unknown) => return Ok(()),
        (None, Deleted::No) => return Err("is not there".to_owned()),
        (Some(found), Deleted::Yes) if found["metadata"]["deletionTimestamp"].is_null() => {
            return Err("was deleted and is there".to_owned());
        }
        (Some(found), _) => found,
    };
    if found["metadata"]["uid"] != json!(noted.uid) {
        return Err(format!("has the uid {}, not {}", found["metadata"]["uid"], noted.uid));
    }
    if found["spec"]["manifests"] != noted.manifests {
        return Err("has other manifests".to_owned());
    }
    let label = &found["metadata"]["labels"]["last"];
    if noted.labels.contains(label) {
        Ok(())
    } else {
        Err(format!("has the label {label}, which is none of {:?}", noted.labels))
    }
}

/// All runs that a replica lists, by name.
async fn list(group: &Group, url: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut next = String::new();
    loop {
        let page = format!("{url}{}{next}", path("namespaces/risk/runnables?limit=500"));
        let page = until("a replica lists its runs", async || {
            answer(group.http.get(&page)).await.filter(|page| page.status == 200)
        })
        .await;
        for item in page.body["items"].as_array().unwrap() {
            found.insert(item["metadata"]["name"].as_str().unwrap().to_owned(), item.clone());
        }
        match page.body["metadata"]["continue"].as_str() {
            Some(token) if !token.is_empty() => next = format!("&continue={token}"),
            _ => return found,
        }
    }
}

/// Once nothing is going on any more, all replicas have the same ledger and the same state, and each ledger verifies
/// from its files to what its replica says. The number of records.
pub(crate) async fn same_books(group: &Group) -> u64 {
    until("all replicas have the same books", async || {
        let mut books = Vec::new();
        for url in &group.urls {
            let status = group.status(url).await?;
            books.push((status["ledger"].clone(), status["stateHash"].clone()));
        }
        let (first, others) = books.split_first()?;
        others.iter().all(|other| other == first).then_some(())?;
        for machine in &group.machines {
            (verified(machine).await == first.0).then_some(())?;
        }
        first.0["records"].as_u64()
    })
    .await
}

/// Records and hash of the last one, with all hashes computed again.
async fn verified(machine: &Machine) -> Value {
    let mut verify = Command::new(binary());
    verify.args(["audit", "verify", "-o", "json", "--dir"]).arg(machine.inside().join("data"));
    let output = verify.kill_on_drop(true).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // The last record may be being written while it is read.
    if said.contains("are not a whole record") {
        return Value::Null;
    }
    assert!(output.status.success(), "{said}");
    let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
    json!({"records": verified["records"], "hash": verified["head"]})
}
