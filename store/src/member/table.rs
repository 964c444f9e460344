//! What the configuration says of each member besides its vote.
//!
//! ```text
//! version u8 = 1 | list of seats, by ascending id
//! seat: id u64 | part u8 (1 voter, 2 learner) | replaces u64, 0 for nobody | peer URLs
//! ```

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use protocol::NodeId;
use protocol::raft::Membership;

use crate::codec::{DecodeError, Reader, put_bytes, put_len, put_u64};

const VERSION: u8 = 1;

/// What a member is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Its vote counts, or will once its log is nearly complete.
    Voter,
    /// It receives the log and stays without a vote.
    Learner,
}

/// A member's place in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    /// What it is meant to be.
    pub part: Part,
    /// The voter that goes when this one becomes a voter.
    pub replaces: Option<NodeId>,
    /// Where peers reach it, as URLs.
    pub peer_urls: Vec<String>,
}

/// The seats of all members. It travels with the configuration, as its context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MemberTable {
    /// By id.
    pub seats: BTreeMap<NodeId, Seat>,
}

impl MemberTable {
    /// The table of a configuration. One without any says who is what and no addresses.
    ///
    /// # Errors
    /// When the context is no table, such as one that a later version has written.
    pub fn of(membership: &Membership) -> Result<Self, DecodeError> {
        if !membership.context.is_empty() {
            return Self::decode(membership.context.clone());
        }
        let seat = |part| Seat { part, replaces: None, peer_urls: Vec::new() };
        let voters = membership.voters.iter().map(|id| (*id, seat(Part::Voter)));
        let learners = membership.learners.iter().map(|id| (*id, seat(Part::Learner)));
        Ok(Self { seats: learners.chain(voters).collect() })
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::from([VERSION]);
        put_len(&mut out, self.seats.len());
        for (id, seat) in &self.seats {
            put_u64(&mut out, id.0);
            out.push(match seat.part {
                Part::Voter => 1,
                Part::Learner => 2,
            });
            put_u64(&mut out, seat.replaces.map_or(0, |old| old.0));
            write_urls(&mut out, &seat.peer_urls);
        }
        out.into()
    }

    /// The table that these bytes are.
    ///
    /// # Errors
    /// Whatever [`MemberTable::encode`] does not write.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        let mut last = None;
        let seats = reader.list(|r| {
            let id = NodeId(r.u64()?);
            if last.replace(id).is_some_and(|last| last >= id) {
                return Err(DecodeError::Number("id of a member"));
            }
            let part = match r.u8()? {
                1 => Part::Voter,
                2 => Part::Learner,
                _ => return Err(DecodeError::Tag("part of a member")),
            };
            let replaces = Some(r.u64()?).filter(|old| *old != 0).map(NodeId);
            Ok((id, Seat { part, replaces, peer_urls: r.list(Reader::text)? }))
        })?;
        reader.end(Self { seats: seats.into_iter().collect() })
    }

    /// Whether somebody but `except`, and whoever that one is to replace, has one of these
    /// addresses.
    pub(crate) fn takes_any(&self, urls: &[String], except: NodeId) -> bool {
        let replaced = self.seats.get(&except).and_then(|seat| seat.replaces);
        let others = self.seats.iter().filter(|(id, _)| **id != except && Some(**id) != replaced);
        others.flat_map(|(_, seat)| &seat.peer_urls).any(|url| urls.contains(url))
    }

    /// How many are meant to stay learners.
    pub(crate) fn learners(&self) -> usize {
        self.seats.values().filter(|seat| seat.part == Part::Learner).count()
    }

    /// Takes somebody's seat away; whoever was to replace it has nobody to replace any more.
    pub(crate) fn remove(&mut self, id: NodeId) {
        self.seats.remove(&id);
        for seat in self.seats.values_mut().filter(|seat| seat.replaces == Some(id)) {
            seat.replaces = None;
        }
    }
}

pub(crate) fn write_urls(out: &mut Vec<u8>, urls: &[String]) {
    put_len(out, urls.len());
    urls.iter().for_each(|url| put_bytes(out, url.as_bytes()));
}
