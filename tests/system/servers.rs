//! Servers by hand, as an operator has them, and a load on them.

use crate::dev::{Answer, PATIENCE, answer, binary, client, path, port, runnable, signal, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// One server's place; its process comes and goes.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) peer: String,
    /// What runs there.
    pub(crate) program: PathBuf,
    pub(crate) child: Option<Child>,
}

pub(crate) struct Servers {
    dir: TempDir,
    http: reqwest::Client,
    pub(crate) places: Vec<Place>,
    /// More lines of each configuration.
    settings: String,
    /// Where writes are sent to.
    pub(crate) urls: Arc<Mutex<Vec<String>>>,
}

impl Servers {
    /// A founded group of three.
    pub(crate) async fn founded() -> Self {
        Self::founded_of(binary()).await
    }

    /// The same with more lines in each configuration.
    pub(crate) async fn founded_with(settings: &str) -> Self {
        Self::found(binary(), settings).await
    }

    /// The same of another build.
    pub(crate) async fn founded_of(program: &str) -> Self {
        Self::found(program, "").await
    }

    async fn found(program: &str, settings: &str) -> Self {
        let (urls, settings) = (Arc::default(), settings.to_owned());
        let dir = tempfile::tempdir().unwrap();
        let mut servers = Self { dir, http: client(), places: Vec::new(), settings, urls };
        servers.add_places(3);
        servers.places.iter_mut().for_each(|place| place.program = program.into());
        (0..3).for_each(|i| servers.start(i));
        let made = servers.operator(&["init", "--expect", "3", "--wait", "60s"]).await;
        assert!(made.status.success(), "{made:?}");
        servers
    }

    /// Places for further servers; the configuration of the ones that run is as it was.
    pub(crate) fn add_places(&mut self, count: usize) {
        let first = self.places.len();
        for _ in 0..count {
            let (api, peer) = (port(), port());
            let (url, peer) = (format!("http://127.0.0.1:{api}"), format!("127.0.0.1:{peer}"));
            self.places.push(Place { url, peer, program: binary().into(), child: None });
        }
        let peers: Vec<&String> = self.places.iter().map(|place| &place.peer).collect();
        for (i, place) in self.places.iter().enumerate().skip(first) {
            let config = format!(
                "group = \"night\"\ndatacenter = \"dc{i}\"\ndata_dir = {:?}\napi_listen = {:?}\npeer_listen = {:?}\n\
                 advertise = \"127.0.0.1\"\npeers = {peers:?}\n{}\n",
                self.dir.path().join(format!("data{i}")),
                place.url.trim_start_matches("http://"),
                place.peer,
                self.settings,
            );
            fs::write(self.dir.path().join(format!("{i}.toml")), config).unwrap();
        }
    }

    pub(crate) fn start(&mut self, i: usize) {
        let log = fs::File::options().create(true).append(true).open(self.log(i)).unwrap();
        let mut command = Command::new(&self.places[i].program);
        command.args(["server", "--parent-pipe", "--config"]).arg(self.dir.path().join(format!("{i}.toml")));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        self.places[i].child = Some(command.spawn().unwrap());
        self.set_urls();
    }

    fn set_urls(&self) {
        let running = self.places.iter().filter(|place| place.child.is_some());
        *self.urls.lock().unwrap() = running.map(|place| place.url.clone()).collect();
    }

    /// Where all that they write is.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn log(&self, i: usize) -> PathBuf {
        self.dir.path().join(format!("{i}.log"))
    }

    /// Kills a server, as a machine that is gone.
    pub(crate) async fn kill(&mut self, i: usize) {
        let mut child = self.places[i].child.take().unwrap();
        signal(child.id().unwrap() as i32, Signal::KILL);
        child.wait().await.unwrap();
        self.set_urls();
    }

    /// Stops the clock of a server, or lets it go on.
    pub(crate) fn pause(&self, i: usize, how: Signal) {
        signal(self.places[i].child.as_ref().unwrap().id().unwrap() as i32, how);
        let others = self.places.iter().enumerate().filter(|(other, _)| *other != i);
        let running = others.filter(|(_, place)| place.child.is_some());
        *self.urls.lock().unwrap() = running.map(|(_, place)| place.url.clone()).collect();
    }

    /// Waits until a server has ended by itself, and gives its exit code.
    pub(crate) async fn ended(&mut self, i: usize) -> Option<i32> {
        let mut child = self.places[i].child.take().unwrap();
        self.set_urls();
        // Waiting closes the child's input, at which it would stop too.
        let _input = child.stdin.take();
        timeout(PATIENCE, child.wait()).await.expect("it ends by itself").unwrap().code()
    }

    pub(crate) async fn operator(&self, arguments: &[&str]) -> Output {
        self.client(&[&["operator"], arguments].concat()).await
    }

    /// Any command of the client.
    pub(crate) async fn client(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        let urls = self.urls.lock().unwrap().join(",");
        command.args(arguments).env("TALLYMAN_SERVER", urls);
        timeout(PATIENCE, command.output()).await.expect("the client answers").unwrap()
    }

    /// The same, repeated while there is no leader; gives what it printed.
    pub(crate) async fn done(&self, arguments: &[&str]) -> String {
        until(&format!("operator {arguments:?} is done"), async || {
            let output = self.operator(arguments).await;
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(matches!(output.status.code(), Some(0 | 5 | 7)), "operator {arguments:?}: {words}");
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
        })
        .await
    }

    pub(crate) async fn get(&self, i: usize, path: &str) -> Option<Answer> {
        answer(self.http.get(format!("{}{path}", self.places[i].url))).await
    }

    pub(crate) async fn status(&self, i: usize) -> Option<Value> {
        Some(self.get(i, "/operator/status").await?.body)
    }

    pub(crate) async fn id(&self, i: usize) -> String {
        until("a replica says its id", async || Some(self.status(i).await?["id"].as_str()?.to_owned())).await
    }

    /// The place of the leader.
    pub(crate) async fn leader(&self) -> usize {
        until("somebody leads", async || {
            for i in (0..self.places.len()).filter(|i| self.places[*i].child.is_some()) {
                let Some(status) = self.status(i).await else { continue };
                if status["role"] == json!("leader") && status["waitingFor"] == json!(null) {
                    return Some(i);
                }
            }
            None
        })
        .await
    }

    /// Waits until the members are the replicas at these places, all of them voters.
    pub(crate) async fn until_members(&self, places: &[usize]) {
        let mut ids = Vec::new();
        for i in places {
            ids.push(self.id(*i).await);
        }
        ids.sort_unstable();
        until(&format!("{ids:?} are the members"), async || {
            let output = self.operator(&["member", "list", "-o", "json"]).await;
            let list: Value = serde_json::from_slice(&output.stdout).ok()?;
            let votes = |one: &&Value| one["state"] == json!("Voter") && one["votes"] == json!(true);
            let members = list["members"].as_array()?;
            let mut voters: Vec<&str> =
                members.iter().filter(votes).filter_map(|one| one["id"].as_str()).collect();
            voters.sort_unstable();
            let status = self.status(self.leader().await).await?;
            let is_settled = status["learners"] == json!([]) && members.len() == voters.len();
            (voters == ids && is_settled).then_some(())
        })
        .await;
    }
}

impl Servers {
    /// Each of these shows all that was acknowledged.
    pub(crate) async fn show_all(&self, places: &[usize], acknowledged: &BTreeMap<String, Value>) {
        for i in places {
            let mut found = BTreeMap::new();
            let mut next = String::new();
            loop {
                let page = path(&format!("namespaces/load/runnables?limit=500{next}"));
                let list = until("a replica lists all", async || {
                    self.get(*i, &page).await.filter(|answer| answer.status == 200)
                })
                .await;
                let uid = |item: &Value| {
                    (item["metadata"]["name"].as_str().unwrap().to_owned(), item["metadata"]["uid"].clone())
                };
                found.extend(list.body["items"].as_array().unwrap().iter().map(uid));
                match list.body["metadata"]["continue"].as_str() {
                    Some(token) if !token.is_empty() => next = format!("&continue={token}"),
                    _ => break,
                }
            }
            for (name, uid) in acknowledged {
                assert_eq!(found.get(name), Some(uid), "{name} on server {i}");
            }
        }
    }

    /// Waits until all of these have the same state and ledger.
    pub(crate) async fn until_equal(&self, places: &[usize]) {
        until("all have the same state and ledger", async || {
            let mut seen = Vec::new();
            for i in places {
                let status = self.status(*i).await?;
                seen.push((status["ledger"].clone(), status["stateHash"]["hash"].clone()));
            }
            seen.iter().all(|one| *one == seen[0]).then_some(())
        })
        .await;
    }
}

/// Writers that repeat each submission until it is acknowledged.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    writers: Vec<tokio::task::JoinHandle<BTreeMap<String, Value>>>,
}

impl Load {
    pub(crate) fn start(servers: &Servers, writers: usize) -> Self {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let writer = |writer: usize| {
            let (urls, stop, count) = (servers.urls.clone(), stop.clone(), count.clone());
            tokio::spawn(write(writer, urls, stop, count))
        };
        let writers = (0..writers).map(writer).collect();
        Self { stop, count, writers }
    }

    /// Waits until that many more submissions were acknowledged.
    pub(crate) async fn progress(&self, more: u64) {
        let goal = self.count.load(Ordering::SeqCst) + more;
        until("writes are acknowledged", async || (self.count.load(Ordering::SeqCst) >= goal).then_some(()))
            .await;
    }

    pub(crate) async fn finish(self) -> BTreeMap<String, Value> {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = BTreeMap::new();
        for writer in self.writers {
            all.extend(writer.await.unwrap());
        }
        all
    }
}

/// Gives name and UID of what was acknowledged.
async fn write(
    writer: usize,
    urls: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
) -> BTreeMap<String, Value> {
    let (http, mut all, mut turn) = (client(), BTreeMap::new(), writer);
    while !stop.load(Ordering::SeqCst) {
        let name = format!("load-{writer}-{}", all.len());
        let body = runnable(&name, "10ms");
        while !stop.load(Ordering::SeqCst) {
            turn += 1;
            let url = {
                let urls = urls.lock().unwrap();
                format!("{}{}", urls[turn % urls.len()], path("namespaces/load/runnables"))
            };
            let request = http.post(url).header("idempotency-key", &name).json(&body);
            match answer(request.timeout(Duration::from_secs(5))).await {
                Some(answer) if answer.status == 201 => {
                    all.insert(name, answer.body["metadata"]["uid"].clone());
                    count.fetch_add(1, Ordering::SeqCst);
                    break;
                }
                Some(answer) => assert!(matches!(answer.status, 429 | 503 | 504), "{name}: {answer:?}"),
                None => {}
            }
            sleep(Duration::from_millis(20)).await;
        }
        // Load without saturating two cores: the changes are the point.
        sleep(Duration::from_millis(20)).await;
    }
    all
}
