//! A wish for other members, and the configuration it leads to.

use alloc::string::String;
use alloc::vec::Vec;

use protocol::NodeId;
use protocol::raft::Membership;

use super::table::{MemberTable, Part, Seat, write_urls};
use crate::Error;
use crate::codec::{DecodeError, Reader, put_u64};

/// A wish for other members.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MemberChange {
    /// Somebody new; a learner until it has caught up.
    Add {
        /// Its id: of nobody who is or ever was a member.
        id: NodeId,
        /// Where peers will reach it, as URLs.
        peer_urls: Vec<String>,
        /// Whether it becomes a voter by itself.
        voter: bool,
    },
    /// Somebody goes, for ever.
    Remove {
        /// Who.
        id: NodeId,
    },
    /// Somebody is reached elsewhere.
    Update {
        /// Who.
        id: NodeId,
        /// Where, as URLs.
        peer_urls: Vec<String>,
    },
    /// A learner becomes a voter.
    Promote {
        /// Who.
        id: NodeId,
    },
    /// A voter becomes a learner, and stays one.
    Demote {
        /// Who.
        id: NodeId,
    },
    /// Somebody new takes a member's place: a learner, and when it becomes a voter the other goes
    /// in the same step. A learner's place is taken at once.
    Replace {
        /// Who goes.
        old: NodeId,
        /// The id of the new one, as for an addition.
        id: NodeId,
        /// Where peers will reach it; the address of the one who goes will do.
        peer_urls: Vec<String>,
    },
}

/// Why a leader refuses a wish that the state alone does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberRefusal {
    /// The learner's log is too far behind.
    LearnerNotReady,
    /// Too few of those who would have to agree have answered lately.
    Unhealthy,
}

impl From<MemberRefusal> for Error {
    fn from(refusal: MemberRefusal) -> Self {
        match refusal {
            MemberRefusal::LearnerNotReady => Self::LearnerNotReady,
            MemberRefusal::Unhealthy => Self::Unhealthy,
        }
    }
}

impl MemberChange {
    /// The addresses that it names.
    #[must_use]
    pub fn peer_urls(&self) -> &[String] {
        match self {
            Self::Add { peer_urls, .. }
            | Self::Update { peer_urls, .. }
            | Self::Replace { peer_urls, .. } => peer_urls,
            Self::Remove { .. } | Self::Promote { .. } | Self::Demote { .. } => &[],
        }
    }

    /// The configuration that it makes of another one, which is not joint. The same one when it is
    /// done already.
    ///
    /// # Errors
    /// When the configuration's context is no table of members.
    pub fn on(&self, membership: &Membership) -> Result<Membership, DecodeError> {
        let mut table = MemberTable::of(membership)?;
        let mut next = membership.clone();
        match self {
            Self::Add { id, peer_urls, voter } => {
                let part = if *voter { Part::Voter } else { Part::Learner };
                seat(&mut next, &mut table, *id, (part, None, peer_urls));
            }
            Self::Remove { id } => unseat(&mut next, &mut table, *id),
            Self::Update { id, peer_urls } => {
                if let Some(seat) = table.seats.get_mut(id) {
                    seat.peer_urls.clone_from(peer_urls);
                }
            }
            Self::Promote { id } => {
                let Some(seat) = table.seats.get_mut(id) else { return Ok(next) };
                seat.part = Part::Voter;
                let replaced = seat.replaces.take();
                next.learners.remove(id);
                next.voters.insert(*id);
                if let Some(old) = replaced {
                    unseat(&mut next, &mut table, old);
                }
            }
            Self::Demote { id } => {
                let Some(seat) = table.seats.get_mut(id) else { return Ok(next) };
                seat.part = Part::Learner;
                next.voters.remove(id);
                next.learners.insert(*id);
            }
            Self::Replace { old, id, peer_urls } => {
                let votes = next.voters.contains(old);
                let part = table.seats.get(old).map_or(Part::Voter, |seat| seat.part);
                // Whoever takes the place of one that has not taken its own yet takes both.
                let inherited = table.seats.get(old).and_then(|seat| seat.replaces);
                let replaces = if votes { Some(*old) } else { inherited };
                seat(&mut next, &mut table, *id, (part, replaces, peer_urls));
                if !votes {
                    unseat(&mut next, &mut table, *old);
                }
            }
        }
        // A table of which nothing has changed keeps its bytes, or their absence.
        if MemberTable::of(membership)? != table {
            next.context = table.encode();
        }
        Ok(next)
    }
}

/// Gives a newcomer a seat among the learners, if it has none.
fn seat(
    next: &mut Membership,
    table: &mut MemberTable,
    id: NodeId,
    (part, replaces, peer_urls): (Part, Option<NodeId>, &[String]),
) {
    if let alloc::collections::btree_map::Entry::Vacant(vacant) = table.seats.entry(id) {
        vacant.insert(Seat { part, replaces, peer_urls: peer_urls.to_vec() });
        next.learners.insert(id);
    }
}

fn unseat(next: &mut Membership, table: &mut MemberTable, id: NodeId) {
    table.remove(id);
    next.voters.remove(&id);
    next.learners.remove(&id);
}

pub(crate) fn write_change(out: &mut Vec<u8>, change: &MemberChange) {
    match change {
        MemberChange::Add { id, peer_urls, voter } => {
            out.push(1);
            put_u64(out, id.0);
            out.push(u8::from(*voter));
            write_urls(out, peer_urls);
        }
        MemberChange::Remove { id } => {
            out.push(2);
            put_u64(out, id.0);
        }
        MemberChange::Update { id, peer_urls } => {
            out.push(3);
            put_u64(out, id.0);
            write_urls(out, peer_urls);
        }
        MemberChange::Promote { id } => {
            out.push(4);
            put_u64(out, id.0);
        }
        MemberChange::Demote { id } => {
            out.push(5);
            put_u64(out, id.0);
        }
        MemberChange::Replace { old, id, peer_urls } => {
            out.push(6);
            put_u64(out, old.0);
            put_u64(out, id.0);
            write_urls(out, peer_urls);
        }
    }
}

pub(crate) fn read_change(r: &mut Reader) -> Result<MemberChange, DecodeError> {
    Ok(match r.u8()? {
        1 => {
            let (id, voter) = (NodeId(r.u64()?), r.flag()?);
            MemberChange::Add { id, voter, peer_urls: r.list(Reader::text)? }
        }
        2 => MemberChange::Remove { id: NodeId(r.u64()?) },
        3 => MemberChange::Update { id: NodeId(r.u64()?), peer_urls: r.list(Reader::text)? },
        4 => MemberChange::Promote { id: NodeId(r.u64()?) },
        5 => MemberChange::Demote { id: NodeId(r.u64()?) },
        6 => {
            let (old, id) = (NodeId(r.u64()?), NodeId(r.u64()?));
            MemberChange::Replace { old, id, peer_urls: r.list(Reader::text)? }
        }
        _ => return Err(DecodeError::Tag("change of the members")),
    })
}

pub(crate) fn write_refusal(out: &mut Vec<u8>, refusal: MemberRefusal) {
    out.push(match refusal {
        MemberRefusal::LearnerNotReady => 1,
        MemberRefusal::Unhealthy => 2,
    });
}

pub(crate) fn read_refusal(r: &mut Reader) -> Result<MemberRefusal, DecodeError> {
    match r.u8()? {
        1 => Ok(MemberRefusal::LearnerNotReady),
        2 => Ok(MemberRefusal::Unhealthy),
        _ => Err(DecodeError::Tag("refusal of a change")),
    }
}
