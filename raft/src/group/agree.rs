//! Replicas that applied the same entries must have the same state. One that differs from most is out of service.

use super::inner::{Inner, Member};
use crate::Reader;
use crate::transport::{Request, Response};
use futures::future::join_all;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// State hashes that are kept, one for each batch that was applied. Replicas batch differently; of so many some are of
/// the same index.
const HASHES_MAX: usize = 256;

/// The state hashes after the last batches, by applied index.
#[derive(Debug, Default)]
pub(crate) struct Hashes(Mutex<VecDeque<(u64, u128)>>);

impl Hashes {
    /// Notes the hash after each batch.
    pub(crate) fn of(reader: &Reader) -> Arc<Self> {
        let hashes = Arc::new(Self::default());
        let (noted, own) = (Arc::clone(&hashes), reader.clone());
        noted.note(&own);
        reader.on_publish(Box::new(move |_, _| noted.note(&own)));
        hashes
    }

    fn note(&self, reader: &Reader) {
        let hash = reader.state_hash();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == HASHES_MAX {
            kept.pop_front();
        }
        kept.push_back((hash.index, hash.hash));
    }

    pub(crate) fn kept(&self) -> Vec<(u64, u128)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// Compares states with the other voters until the replica stops or is the one that differs.
pub(crate) async fn agree(inner: Arc<Inner>, member: Member) {
    let every = Duration::from_millis(inner.options.timing.agree_ms);
    loop {
        tokio::time::sleep(every).await;
        let voters = member.metrics().membership_config.membership().voter_ids().count();
        let others = inner.other_voters(&member);
        let theirs = join_all(others.iter().map(|(id, address)| inner.hashes_of(*id, address))).await;
        if let Some(index) = differs(&inner.hashes.kept(), &theirs, voters) {
            let why = format!(
                "its state differs from that of most replicas at log index {index}: \
                 stop it, move its data directory away and start it anew"
            );
            inner.withdraw(&why).await;
        }
    }
}

impl Inner {
    /// The hashes that a peer has; none if it does not answer.
    async fn hashes_of(&self, id: u64, address: &str) -> Vec<(u64, u128)> {
        let wait = Duration::from_millis(self.timing().dial_ms_max);
        match self.ask(address, Some(id), &Request::Hashes, wait).await {
            Ok(Response::Hashes(hashes)) => hashes,
            _ => Vec::new(),
        }
    }
}

/// The newest index at which a majority of `voters` agree with each other and not with `own`.
fn differs(own: &[(u64, u128)], theirs: &[Vec<(u64, u128)>], voters: usize) -> Option<u64> {
    own.iter().rev().find_map(|(index, hash)| {
        let mut votes: BTreeMap<u128, usize> = BTreeMap::new();
        for (_, other) in theirs.iter().filter_map(|hashes| hashes.iter().find(|(at, _)| at == index)) {
            *votes.entry(*other).or_default() += 1;
        }
        votes.into_iter().any(|(other, count)| other != *hash && count > voters / 2).then_some(*index)
    })
}

#[cfg(test)]
mod tests {
    use super::differs;

    #[test]
    fn who_differs_from_a_majority_that_agrees_is_the_one_that_is_wrong() {
        let own = [(5, 50), (7, 71)];
        let agreeing = |hash| vec![(6, 60), (7, hash)];
        assert_eq!(differs(&own, &[agreeing(70), agreeing(70)], 3), Some(7));
        assert_eq!(differs(&own, &[agreeing(71), agreeing(70)], 3), None, "the other one is");
        assert_eq!(differs(&own, &[agreeing(70), agreeing(72)], 3), None, "nobody knows who");
        assert_eq!(differs(&own, &[agreeing(70), Vec::new()], 3), None, "one does not answer");
        assert_eq!(differs(&own, &[vec![(5, 51)], vec![(5, 51)]], 3), Some(5), "it has applied more since");
        assert_eq!(differs(&own, &[agreeing(70)], 2), None, "of two nobody knows who");
    }
}
