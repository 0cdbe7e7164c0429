//! How a blank replica comes into a group: it is founded with the others, or let in by them.

use super::inner::Inner;
use super::propose::{ForwardedAnswer, Proposal};
use super::who::Ids;
use crate::transport::wire::{Adoption, InitRefusal, Joined, Probed};
use crate::transport::{Request, Response};
use crate::types::PeerNode;
use crate::{InitError, members};
use futures::future::join_all;
use openraft::errors::{InitializeError, RaftError};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::command::AddMember;
use tallyman_model::{Command, Damaged, GroupId, Principal, Record, ReplicaId, Uid, query};
use tokio::time::{Instant, timeout_at};

/// How long founding may take, from the first question to the first entry.
const FOUND_DEADLINE: Duration = Duration::from_secs(20);

impl From<InitRefusal> for InitError {
    fn from(refusal: InitRefusal) -> Self {
        match refusal {
            InitRefusal::Expected { expected, configured } => Self::Expected {
                expected: usize::try_from(expected).unwrap_or(usize::MAX),
                configured: usize::try_from(configured).unwrap_or(usize::MAX),
            },
            InitRefusal::NoAnswer { peer, why } => Self::NoAnswer { peer, why },
            InitRefusal::NotEmpty { peer } => Self::NotEmpty { peer },
            InitRefusal::NoLeader => Self::NoLeader,
        }
    }
}

impl Inner {
    /// What this replica says about itself, and would join as.
    pub(crate) fn probed(&self) -> Probed {
        let Ids { group, replica } = self.who.ids();
        let state = self.with_open(|open| open.log.log().state());
        let empty = state.is_some_and(|state| state.last.is_none()) && self.reader.applied_index() == 0;
        let member = AddMember {
            directory: self.who.directory(),
            datacenter: self.options.datacenter.clone(),
            peer_address: self.options.advertise_peer.clone(),
            api_url: self.options.advertise_api.clone(),
        };
        let leader = self.member().and_then(|member| member.leader());
        Probed { group, replica, empty, leader, member }
    }

    /// See [`Group::init`](crate::Group::init). One replica does it, whoever is asked: so two operators at once do
    /// not found two groups.
    pub(crate) async fn init(self: Arc<Self>, expect: usize) -> Result<Vec<ReplicaId>, InitError> {
        let peers = self.options.sorted_peers();
        let first = peers.first().cloned().unwrap_or_default();
        let ids = if first == self.options.advertise_peer {
            self.found(expect as u64).await?
        } else {
            let request = Request::Init { expect: expect as u64 };
            match self.ask(&first, None, &request, FOUND_DEADLINE).await {
                Ok(Response::Init(answer)) => answer?,
                Ok(_) => {
                    return Err(InitError::NoAnswer { peer: first, why: "an unknown answer".to_owned() });
                }
                Err(error) => return Err(InitError::NoAnswer { peer: first, why: error.to_string() }),
            }
        };
        Ok(ids.into_iter().map(ReplicaId).collect())
    }

    /// Founds the group from here.
    pub(crate) async fn found(self: &Arc<Self>, expect: u64) -> Result<Vec<u64>, InitRefusal> {
        let _one = self.founding.lock().await;
        let deadline = Instant::now() + FOUND_DEADLINE;
        let peers = self.options.sorted_peers();
        if peers.len() as u64 != expect {
            return Err(InitRefusal::Expected { expected: expect, configured: peers.len() as u64 });
        }
        let probed = self.probe_empty(&peers).await?;
        // A founding that broke off before the first entry is taken up again.
        let group = probed.iter().find_map(|probed| probed.group).unwrap_or_else(|| self.options.env.uid());
        let mut nodes = BTreeMap::new();
        for ((replica, peer), probed) in (1..).zip(&peers).zip(&probed) {
            if probed.group.is_some_and(|other| other != group)
                || probed.replica.is_some_and(|other| other != replica)
            {
                return Err(InitRefusal::NotEmpty { peer: peer.clone() });
            }
            nodes.insert(replica, members::node_of(&probed.member));
        }
        for ((replica, peer), probed) in (1..).zip(&peers).zip(&probed) {
            let adoption = Adoption { group, replica, directory: probed.member.directory };
            self.have_adopted(peer, adoption).await?;
        }
        self.initialize(nodes).await?;
        let mut published = self.published.clone();
        while !self.is_founded() {
            if !matches!(timeout_at(deadline, published.changed()).await, Ok(Ok(()))) {
                return Err(InitRefusal::NoLeader);
            }
        }
        Ok((1..=expect).collect())
    }

    async fn probe_empty(&self, peers: &[String]) -> Result<Vec<Probed>, InitRefusal> {
        let probes = join_all(peers.iter().map(|peer| self.probe(peer))).await;
        let mut answers = Vec::new();
        for (peer, probed) in peers.iter().zip(probes) {
            let peer = peer.clone();
            match probed {
                Ok(probed) if !probed.empty => return Err(InitRefusal::NotEmpty { peer }),
                Ok(probed) if probed.member.peer_address != peer => {
                    let why = format!("{} answers there", probed.member.peer_address);
                    return Err(InitRefusal::NoAnswer { peer, why });
                }
                Ok(probed) => answers.push(probed),
                Err(why) => return Err(InitRefusal::NoAnswer { peer, why }),
            }
        }
        Ok(answers)
    }

    async fn probe(&self, peer: &str) -> Result<Probed, String> {
        if peer == self.options.advertise_peer {
            return Ok(self.probed());
        }
        let wait = Duration::from_millis(self.timing().dial_ms_max);
        match self.ask(peer, None, &Request::Probe, wait).await {
            Ok(Response::Probe(probed)) => Ok(*probed),
            Ok(_) => Err("an unknown answer".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn have_adopted(self: &Arc<Self>, peer: &str, adoption: Adoption) -> Result<(), InitRefusal> {
        let no_answer = |why: String| InitRefusal::NoAnswer { peer: peer.to_owned(), why };
        if peer == self.options.advertise_peer {
            return self.adopt(adoption).await.map_err(no_answer);
        }
        let wait = Duration::from_millis(self.options.timing.append_ms_max);
        match self.ask(peer, None, &Request::Adopt(adoption), wait).await {
            Ok(Response::Adopt(answer)) => answer.map_err(no_answer),
            Ok(_) => Err(no_answer("an unknown answer".to_owned())),
            Err(error) => Err(no_answer(error.to_string())),
        }
    }

    /// Binds this directory to the group, and starts as its member. Repeating it changes nothing.
    pub(crate) async fn adopt(self: &Arc<Self>, adoption: Adoption) -> Result<(), String> {
        if adoption.directory != self.who.directory() {
            return Err("another directory is there by now".to_owned());
        }
        self.bind(adoption.group, adoption.replica).await.map_err(|error| error.to_string())
    }

    async fn bind(self: &Arc<Self>, group: Uid, replica: u64) -> io::Result<()> {
        let _one = self.becoming.lock().await;
        self.settle_timing().await.map_err(io::Error::other)?;
        let this = Arc::clone(self);
        // Two fsyncs.
        let bound = tokio::task::spawn_blocking(move || {
            this.with_open(|open| {
                open.home.bind_group(group.0).and_then(|()| open.home.bind_replica(replica))
            })
        });
        let bound = bound.await.map_err(io::Error::other)?;
        bound.ok_or_else(|| io::Error::other("the replica has stopped"))?.map_err(io::Error::other)?;
        self.who.set_ids(Ids { group: Some(group), replica: Some(replica) });
        if self.member().is_some() {
            return Ok(());
        }
        let became = self.become_member(replica).await;
        // The directory is bound: it cannot go back to looking for a group.
        became.inspect_err(|error| self.fatal.set(&format!("Raft cannot be started: {error}")))
    }

    async fn initialize(&self, nodes: BTreeMap<u64, PeerNode>) -> Result<(), InitRefusal> {
        let Some(member) = self.member() else { return Err(InitRefusal::NoLeader) };
        match member.raft.initialize(nodes).await {
            // Not allowed: another try has come further meanwhile.
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "the group cannot be founded");
                Err(InitRefusal::NoLeader)
            }
        }
    }

    /// As the leader, lets a replica in under a new id; the same directory gets the same id again.
    pub(crate) async fn let_in(self: &Arc<Self>, new: AddMember) -> Joined {
        let Some(member) = self.member() else { return Joined::Refused("this replica is blank".to_owned()) };
        let Some(group) = self.who.ids().group else {
            return Joined::Refused("this replica is blank".to_owned());
        };
        if self.leadership.borrow().is_none() || !self.is_founded() {
            return Joined::NotLeader { leader: member.leader().filter(|(id, _)| *id != member.id) };
        }
        let _one = self.joining.lock().await;
        // What would be refused is not proposed: it asks again and again.
        let state = self.reader.now(|view, _| Ok((members::members(view)?, query::meta(view)?)));
        let state: Result<_, Damaged> = state;
        let (known, meta) = match state {
            Ok(state) => state,
            Err(error) => return Joined::Refused(error.to_string()),
        };
        if known.iter().all(|member| member.directory != new.directory)
            && let Err(refusal) = new.part(&known, &meta.expected)
        {
            return Joined::Refused(refusal.message);
        }
        if let Err(why) = self.check_build(&new, meta.version).await {
            return Joined::Refused(why);
        }
        // Its id is the index of this entry, and must be above those that were given at the founding.
        let highest = known.iter().map(|member| member.id.0).max().unwrap_or(0);
        while member.metrics().last_log_index.unwrap_or(0) < highest {
            if member.raft.write_blank().await.is_err() {
                return Joined::NotLeader { leader: None };
            }
        }
        let command = Command::AddMember(new);
        let proposal = Proposal { by: Principal::leader(), key: None, command };
        let committed = match self.propose_here(&member, &proposal).await {
            ForwardedAnswer::Committed(committed) => committed,
            ForwardedAnswer::NotLeader => return Joined::NotLeader { leader: None },
            // It asks again; the same directory gets the same id.
            ForwardedAnswer::NotSent(why) => return Joined::Refused(why.to_string()),
            ForwardedAnswer::Unknown(why) => return Joined::Refused(why),
        };
        match committed.reply.as_ref().map(|done| done.record.as_deref()) {
            Ok(Some(Record::Member(new))) => {
                tracing::info!(replica = new.id.0, address = new.peer_address, "a replica is let in");
                Joined::As { group, replica: new.id.0 }
            }
            Ok(_) => Joined::Refused("the new member is not there".to_owned()),
            Err(refusal) => Joined::Refused(refusal.message.clone()),
        }
    }
}

/// While the replica is blank: looks for a founded group among the peers and asks to be let in.
pub(crate) async fn look_for_group(inner: Arc<Inner>) {
    let look = Duration::from_millis(inner.options.timing.look_ms);
    let mut said = None;
    while inner.who.ids().replica.is_none() {
        inner.publish_blank(said.as_deref());
        let why = inner.ask_to_join().await.err();
        if why != said
            && let Some(why) = &why
        {
            tracing::warn!(why, "the group does not let this replica in yet");
        }
        said = why;
        tokio::time::sleep(look).await;
    }
}

impl Inner {
    async fn ask_to_join(self: &Arc<Self>) -> Result<(), String> {
        let others: Vec<&String> =
            self.options.peers.iter().filter(|peer| **peer != self.options.advertise_peer).collect();
        let probed = join_all(others.iter().map(|peer| self.probe(peer))).await;
        let found = others.into_iter().zip(probed).find_map(|(peer, probed)| {
            let probed = probed.ok().filter(|probed| probed.group.is_some() && !probed.empty)?;
            Some(probed.leader.map_or_else(|| peer.clone(), |(_, address)| address))
        });
        let Some(address) = found else { return Ok(()) };
        let new = self.probed().member;
        let wait = Duration::from_millis(self.options.timing.propose_ms_max);
        let request = Request::Join(new);
        let mut answer = self.ask(&address, None, &request, wait).await;
        if let Ok(Response::Join(Joined::NotLeader { leader: Some((_, address)) })) = &answer {
            answer = self.ask(address, None, &request, wait).await;
        }
        match answer {
            Ok(Response::Join(Joined::As { group, replica })) if group != GroupId::default() => {
                self.bind(group, replica).await.map_err(|error| error.to_string())
            }
            Ok(Response::Join(Joined::NotLeader { .. })) => Err("its leader is not known".to_owned()),
            Ok(Response::Join(Joined::Refused(why)) | Response::NotNow(why)) => Err(why),
            Ok(_) => Err("an unknown answer".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}
