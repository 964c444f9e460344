//! Messages and entries in one line each, for traces and log files.

use core::fmt::{self, Display, Formatter};

use super::boundary::Mode;
use super::message::{Message, Tail};
use super::vote::{Notification, Stance, Vote};

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

impl Display for Vote {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} (epoch {}, {})", self.leader, self.epoch, self.last)
    }
}

impl Display for Notification {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let stance = match self.stance {
            Stance::Looking => "looking",
            Stance::Following => "following",
            Stance::Leading => "leading",
        };
        write!(f, "round={} {stance}", self.round)?;
        match &self.vote {
            Some(vote) => write!(f, " {vote}"),
            None => f.write_str(" no vote"),
        }
    }
}

impl Display for Mode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Diff(at) => write!(f, "Diff {at}"),
            Self::Trunc(at) => write!(f, "Trunc {at}"),
            Self::Snap => f.write_str("Snap"),
        }
    }
}

impl Display for Tail {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "last={} runs={}", self.last, List(&self.runs))
    }
}

impl Display for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notification(word) => write!(f, "Notification {word}"),
            Self::LearnerInfo { accepted, observer: false } => {
                write!(f, "LearnerInfo accepted={accepted}")
            }
            Self::LearnerInfo { accepted, observer: true } => {
                write!(f, "LearnerInfo accepted={accepted} observer")
            }
            Self::NotLeading => f.write_str("NotLeading"),
            Self::LeaderInfo { epoch } => write!(f, "LeaderInfo epoch={epoch}"),
            Self::AckEpoch { current: Some(current), tail } => {
                write!(f, "AckEpoch current={current} {tail}")
            }
            Self::AckEpoch { current: None, tail } => write!(f, "AckEpoch again {tail}"),
            Self::Sync(mode) => write!(f, "{mode}"),
            Self::Resume { tail } => write!(f, "Resume {tail}"),
            Self::Stored { through } => write!(f, "Stored {through}"),
            Self::NewLeader { epoch } => write!(f, "NewLeader epoch={epoch}"),
            Self::AckLeader { epoch, through } => write!(f, "AckLeader epoch={epoch} {through}"),
            Self::UpToDate { commit } => write!(f, "UpToDate commit={commit}"),
            Self::Proposals { base, entries } => {
                write!(f, "Proposals base={base} {}", List(entries))
            }
            Self::Inform { base, entries } => write!(f, "Inform base={base} {}", List(entries)),
            Self::Ack { through } => write!(f, "Ack {through}"),
            Self::Commit { through } => write!(f, "Commit {through}"),
            Self::Ping { round, trim } => write!(f, "Ping round={round} trim={trim}"),
            Self::Pong { round } => write!(f, "Pong round={round}"),
            Self::Requests { requests } => {
                f.write_str("Requests")?;
                requests.iter().try_for_each(|(_, bytes)| write!(f, " {}", bytes.escape_ascii()))
            }
            Self::RequestsRefused { tags, .. } => write!(f, "RequestsRefused {}", tags.len()),
            Self::ReadIndex { reads } => write!(f, "ReadIndex {}", reads.len()),
            Self::ReadIndexReply { reads, index } => {
                write!(f, "ReadIndexReply {} index={index}", reads.len())
            }
            Self::Snapshot { last, number, data, done } => {
                let end = if *done { " end" } else { "" };
                write!(f, "Snapshot last={last} number={number} bytes={}{end}", data.len())
            }
            Self::SnapshotReply { last, next: Some(next) } => {
                write!(f, "SnapshotReply last={last} next={next}")
            }
            Self::SnapshotReply { last, next: None } => write!(f, "SnapshotReply last={last} no"),
        }
    }
}
