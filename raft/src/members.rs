//! The members as the state has them.

use crate::Reader;
use crate::types::PeerNode;
use std::sync::Arc;
use tallyman_model::command::AddMember;
use tallyman_model::record::{Member, Record, Resource};
use tallyman_model::{Damaged, Key, Row, Tag, View, query};

/// Replicas that a group can have had at a time.
const MEMBERS_MAX: usize = 64;

/// All members, by id.
pub(crate) fn members(view: &dyn View) -> Result<Vec<Member>, Damaged> {
    let key = |b| Key { tag: Tag::Resource, a: Resource::Member as u64, b, c: 0 };
    let mut members = Vec::new();
    for (lookup, _) in view.page(key(0), key(u64::MAX), MEMBERS_MAX)? {
        let at = Key::record(lookup.ordinal());
        match view.get(at)? {
            Some(Row::Record(record)) => {
                if let Record::Member(member) = Arc::unwrap_or_clone(record) {
                    members.push(member);
                }
            }
            _ => return Err(Damaged::at(at, "not a member")),
        }
    }
    members.sort_by_key(|member| member.id);
    Ok(members)
}

/// The group's version as `reader` shows it.
pub(crate) fn version(reader: &Reader) -> u32 {
    reader.now(|view, _| query::meta(view)).map_or(0, |meta| meta.version)
}

/// Where a member is reached.
pub(crate) fn node(member: &Member) -> PeerNode {
    PeerNode {
        peer: member.peer_address.clone(),
        api: member.api_url.clone(),
        datacenter: member.datacenter.clone(),
        directory: member.directory,
    }
}

/// Where a new member is reached.
pub(crate) fn node_of(new: &AddMember) -> PeerNode {
    PeerNode {
        peer: new.peer_address.clone(),
        api: new.api_url.clone(),
        datacenter: new.datacenter.clone(),
        directory: new.directory,
    }
}

/// The founding member at `node`.
pub(crate) fn founder(node: &PeerNode) -> AddMember {
    AddMember {
        directory: node.directory,
        datacenter: node.datacenter.clone(),
        peer_address: node.peer.clone(),
        api_url: node.api.clone(),
    }
}
