//! From the kill of a leader to the next acknowledged write.

use crate::dev::{Dev, Replica, path, runnable, signal, until};
use rustix::process::Signal;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Between two tries of a client whose write was not taken.
const AGAIN: Duration = Duration::from_millis(5);
/// How long a client waits for one answer before it asks again.
const ANSWER: Duration = Duration::from_secs(2);

/// Kills the leader `kills` times; the times in ms.
pub(crate) async fn measure(dev: &Dev, kills: usize) -> Vec<f64> {
    let mut all = Vec::new();
    for kill in 0..kills {
        let leader = dev.leader().await;
        let survivors: Vec<Replica> =
            dev.replicas().into_iter().filter(|replica| replica.id != leader.id).collect();
        let start = Instant::now();
        signal(leader.pid, Signal::KILL);
        let mut clients = JoinSet::new();
        for survivor in survivors {
            clients.spawn(write(dev.http.clone(), survivor.url, format!("kill-{kill}-{}", survivor.id)));
        }
        clients.join_next().await.unwrap().unwrap();
        all.push(start.elapsed().as_secs_f64() * 1000.0);
        eprintln!("kill {} of {kills}: {:.0} ms", kill + 1, all[kill]);
        drop(clients);
        until("all are back", async || {
            let replicas = dev.replicas();
            replicas.iter().all(|replica| replica.pid != leader.pid).then_some(())?;
            for replica in replicas {
                let answer = dev.http.get(format!("{}/readyz", replica.url)).send().await.ok()?;
                answer.status().is_success().then_some(())?;
            }
            Some(())
        })
        .await;
    }
    all
}

/// Writes until one is acknowledged; every try is another runnable.
async fn write(http: reqwest::Client, url: String, name: String) {
    for number in 0.. {
        let mut body = runnable(&format!("{name}-{number}"), "10ms");
        body["spec"]["placement"]["clusterSelector"]["matchLabels"]["bench.tallyman.dev/nowhere"] = "".into();
        let request =
            http.post(format!("{url}{}", path("namespaces/bench/runnables"))).body(body.to_string());
        if let Ok(Ok(answer)) = timeout(ANSWER, request.send()).await
            && answer.status() == 201
        {
            return;
        }
        sleep(AGAIN).await;
    }
}
