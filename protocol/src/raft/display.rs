//! Messages and entries in one line each, for traces and log files.

use alloc::collections::BTreeSet;
use core::fmt::{self, Display, Formatter};

use super::boundary::{Entry, Payload, ReadId};
use super::membership::Membership;
use super::mend::Mend;
use super::message::{Body, Message};
use crate::{Index, NodeId, Position};

impl Display for Entry {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.position)?;
        match &self.payload {
            Payload::Empty => Ok(()),
            Payload::Command(bytes) => write!(f, "={}", bytes.escape_ascii()),
            Payload::Membership(bytes) => match Membership::decode(bytes) {
                Ok(membership) => write!(f, "=members:{membership}"),
                Err(error) => write!(f, "={error}"),
            },
        }
    }
}

impl Display for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "t{} {}", self.term, self.body)
    }
}

impl Display for Membership {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let list = |f: &mut Formatter<'_>, ids: &BTreeSet<NodeId>| {
            ids.iter().enumerate().try_for_each(|(place, id)| {
                let comma = if place == 0 { "" } else { "," };
                write!(f, "{comma}{id}")
            })
        };
        list(f, &self.voters)?;
        for (what, ids) in [("outgoing", &self.outgoing), ("learners", &self.learners)] {
            if !ids.is_empty() {
                write!(f, " {what}=")?;
                list(f, ids)?;
            }
        }
        Ok(())
    }
}

/// Things in brackets, separated by spaces.
struct List<'a, T>(&'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (place, item) in self.0.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{item}")?;
        }
        f.write_str("]")
    }
}

impl Display for ReadId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "r{:x}", self.0)
    }
}

struct Maybe(Option<Index>);

impl Display for Maybe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(index) => write!(f, "{index}"),
            None => f.write_str("none"),
        }
    }
}

impl Display for Body {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let answer = |granted: bool| if granted { "yes" } else { "no" };
        match self {
            Self::PreVote { last } => write!(f, "PreVote last={last}"),
            Self::PreVoteReply { granted } => write!(f, "PreVoteReply {}", answer(*granted)),
            Self::Vote { last, transfer: false } => write!(f, "Vote last={last}"),
            Self::Vote { last, transfer: true } => write!(f, "Vote last={last} transfer"),
            Self::VoteReply { granted } => write!(f, "VoteReply {}", answer(*granted)),
            Self::Append { base, entries, commit, trim } => {
                write!(f, "Append base={base} {} commit={commit} trim={trim}", List(entries))
            }
            Self::AppendAccepted { matched } => write!(f, "AppendAccepted {matched}"),
            Self::AppendRejected(rejection) => {
                write!(f, "AppendRejected base={}", rejection.base)?;
                if let Some(conflict) = rejection.conflict {
                    write!(f, " conflict={conflict}")?;
                }
                write!(f, " last={}", rejection.last)
            }
            Self::Heartbeat { round, commit, trim } => {
                write!(f, "Heartbeat round={round} commit={commit} trim={trim}")
            }
            Self::HeartbeatReply { round } => write!(f, "HeartbeatReply round={round}"),
            Self::Propose { commands, .. } => {
                f.write_str("Propose")?;
                commands.iter().try_for_each(|command| write!(f, " {}", command.escape_ascii()))
            }
            Self::ReadIndex { reads } => write!(f, "ReadIndex {}", List(reads)),
            Self::ReadIndexReply { reads, index } => {
                write!(f, "ReadIndexReply {} {}", List(reads), Maybe(*index))
            }
            Self::TransferLeadership { to } => write!(f, "TransferLeadership to={to}"),
            Self::TimeoutNow => f.write_str("TimeoutNow"),
            Self::Snapshot { last, number, data, done } => {
                let end = if *done { " end" } else { "" };
                write!(f, "Snapshot last={last} number={number} bytes={}{end}", data.len())
            }
            Self::SnapshotReply { last, next: Some(next) } => {
                write!(f, "SnapshotReply last={last} next={next}")
            }
            Self::SnapshotReply { last, next: None } => write!(f, "SnapshotReply last={last} no"),
            Self::Mend(word) => write!(f, "{word}"),
        }
    }
}

impl Display for Mend {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask { wanted, .. } => write!(f, "MendAsk {}", List(wanted)),
            Self::Reply { entries, absent, leads, .. } => {
                let held: alloc::vec::Vec<Position> =
                    entries.iter().map(|it| it.position).collect();
                write!(f, "MendReply {} absent={}", List(&held), List(absent))?;
                leads.map_or(Ok(()), |last| write!(f, " leads last={last}"))
            }
        }
    }
}
