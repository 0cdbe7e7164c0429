//! Appends on the wire. They are most of the traffic, so they have a layout of their own: contents are copied, not
//! encoded.

use crate::content;
use crate::types::{CommittedLeaderId, Entry, LeaderId, LogId, Payload, Types, Vote, log_id};
use openraft::raft::{AppendEntriesRequest, StreamAppendError, StreamAppendResult};
use std::io;

/// Entries of one append.
const ENTRIES_MAX: u32 = 1 << 20;

/// What came of an append, as the follower says.
pub(crate) type Appended = Result<StreamAppendResult<Types>, String>;

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn put_log_id(to: &mut Vec<u8>, id: Option<&LogId>) {
    to.push(u8::from(id.is_some()));
    if let Some(id) = id {
        to.extend_from_slice(&id.leader_id.term.to_le_bytes());
        to.extend_from_slice(&id.index.to_le_bytes());
    }
}

fn put_vote(to: &mut Vec<u8>, vote: &Vote) {
    to.extend_from_slice(&vote.leader_id.term.to_le_bytes());
    to.extend_from_slice(&vote.leader_id.voted_for.to_le_bytes());
    to.push(u8::from(vote.committed));
}

/// Writes an append; its contents are taken out of it.
pub(crate) fn put_request(to: &mut Vec<u8>, request: AppendEntriesRequest<Types>) -> io::Result<()> {
    put_vote(to, &request.vote);
    put_log_id(to, request.prev_log_id.as_ref());
    put_log_id(to, request.leader_commit.as_ref());
    to.extend_from_slice(&(request.entries.len() as u32).to_le_bytes());
    for entry in request.entries {
        to.extend_from_slice(&entry.log_id.leader_id.term.to_le_bytes());
        to.extend_from_slice(&entry.log_id.index.to_le_bytes());
        let bytes = content::encode(entry.payload)?;
        to.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        to.extend_from_slice(&bytes);
    }
    Ok(())
}

/// About how many bytes [`put_request`] will write.
pub(crate) fn request_bytes(request: &AppendEntriesRequest<Types>) -> usize {
    let content = |entry: &Entry| match &entry.payload {
        Payload::Normal(proposed) => proposed.len(),
        Payload::Blank | Payload::Membership(_) => 1024,
    };
    64 + request.entries.iter().map(|entry| 20 + content(entry)).sum::<usize>()
}

/// Reads what [`put_request`] wrote.
pub(crate) fn read_request(bytes: &[u8]) -> io::Result<AppendEntriesRequest<Types>> {
    let mut from = Bytes(bytes);
    let vote = from.vote()?;
    let prev_log_id = from.log_id()?;
    let leader_commit = from.log_id()?;
    let count = from.u32()?;
    if count > ENTRIES_MAX {
        return Err(invalid("an append of too many entries"));
    }
    let mut entries = Vec::with_capacity(count.min(4096) as usize);
    for _ in 0..count {
        let id = log_id(from.u64()?, from.u64()?);
        let len = from.u32()? as usize;
        entries.push(content::decode(id, from.take(len)?.to_vec())?);
    }
    from.end()?;
    Ok(AppendEntriesRequest { vote, prev_log_id, entries, leader_commit })
}

/// The bytes of an answer.
pub(crate) fn answer_bytes(answer: &Appended) -> Vec<u8> {
    let mut to = Vec::with_capacity(32);
    match answer {
        Ok(Ok(matching)) => {
            to.push(0);
            put_log_id(&mut to, matching.as_ref());
        }
        Ok(Err(StreamAppendError::Conflict(id))) => {
            to.push(1);
            put_log_id(&mut to, Some(id));
        }
        Ok(Err(StreamAppendError::HigherVote(vote))) => {
            to.push(2);
            put_vote(&mut to, vote);
        }
        Err(why) => {
            to.push(3);
            to.extend_from_slice(why.as_bytes());
        }
    }
    to
}

/// Reads what [`answer_bytes`] wrote.
pub(crate) fn read_answer(bytes: &[u8]) -> io::Result<Appended> {
    let mut from = Bytes(bytes);
    let answer = match from.u8()? {
        0 => Ok(Ok(from.log_id()?)),
        1 => match from.log_id()? {
            Some(id) => Ok(Err(StreamAppendError::Conflict(id))),
            None => return Err(invalid("a conflict without a log id")),
        },
        2 => Ok(Err(StreamAppendError::HigherVote(from.vote()?))),
        3 => {
            let rest = from.0.len();
            Err(String::from_utf8_lossy(from.take(rest)?).into_owned())
        }
        _ => return Err(invalid("an unknown answer to an append")),
    };
    from.end()?;
    Ok(answer)
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) =
            self.0.split_at_checked(len).ok_or_else(|| invalid("an append that ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> io::Result<u8> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    fn u32(&mut self) -> io::Result<u32> {
        let bytes = self.take(4)?.try_into().map_err(|_| invalid("a short number"))?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn u64(&mut self) -> io::Result<u64> {
        let bytes = self.take(8)?.try_into().map_err(|_| invalid("a short number"))?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn log_id(&mut self) -> io::Result<Option<LogId>> {
        match self.u8()? {
            0 => Ok(None),
            1 => Ok(Some(LogId::new(CommittedLeaderId::new(self.u64()?), self.u64()?))),
            _ => Err(invalid("a damaged log id")),
        }
    }

    fn vote(&mut self) -> io::Result<Vote> {
        let leader_id = LeaderId { term: self.u64()?, voted_for: self.u64()? };
        match self.u8()? {
            committed @ (0 | 1) => Ok(Vote { leader_id, committed: committed == 1 }),
            _ => Err(invalid("a damaged vote")),
        }
    }

    fn end(&self) -> io::Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(invalid("bytes behind an append")) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn an_append_reads_back_as_written_and_no_cut_of_it_does() {
        let proposed = crate::testing::proposed(2, &crate::testing::entry(1));
        let entries = vec![
            Entry { log_id: log_id(2, 4), payload: Payload::Blank },
            Entry { log_id: log_id(2, 5), payload: Payload::Normal(proposed) },
        ];
        let request = AppendEntriesRequest {
            vote: Vote::new_committed(2, 1),
            prev_log_id: Some(log_id(1, 3)),
            entries,
            leader_commit: None,
        };
        let mut bytes = Vec::new();
        put_request(&mut bytes, request.clone()).unwrap();
        assert!(bytes.len() <= request_bytes(&request));
        let read = read_request(&bytes).unwrap();
        assert_eq!(
            (read.vote, read.prev_log_id, read.leader_commit),
            (request.vote, request.prev_log_id, None)
        );
        assert_eq!(read.entries, request.entries);
        for cut in 0..bytes.len() {
            assert!(read_request(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn every_answer_reads_back_as_written() {
        let answers: [Appended; 5] = [
            Ok(Ok(None)),
            Ok(Ok(Some(log_id(1, 2)))),
            Ok(Err(StreamAppendError::Conflict(log_id(3, 4)))),
            Ok(Err(StreamAppendError::HigherVote(Vote::new(5, 6)))),
            Err("stopped".to_owned()),
        ];
        for answer in answers {
            assert_eq!(read_answer(&answer_bytes(&answer)).unwrap(), answer);
        }
    }
}
