//! A state that was found wrong is had anew, and proves itself before it is served.
//!
//! ```text
//! condemned ─▶ the driver puts the state aside, and begins again with none
//!           ─▶ the log is replayed, or a leader sends the state      refused: corrupt cluster
//!           ─▶ applied as far as before; asks all to note a hash      refused: corrupt cluster
//!           ─▶ another member tells the same hash as its own          served; tells its own
//!           ─▶ all hear it                                            the alarm is over
//! ```
//!
//! Laws:
//!
//! - a state that takes the place of a wrong one is served only after another member has told the
//!   same hash of it, at an entry behind the one that condemned the old one;
//! - consensus goes on meanwhile: the log was never in question.
//!
//! What is left out: a process that ends during the rebuild. The next one finds a state that is
//! right as far as it goes, and serves it as after any restart, since what was wrong is aside. And
//! the alarm is what each member has heard since it began, not a part of the state: who has just
//! started, or has been sent the state, does not know of it.

use alloc::vec::Vec;

use protocol::{Index, NodeId};
use store::{Alarm, Error};

use crate::node::Node;
use crate::request::{Failure, Request, RequestId};

/// How far a rebuild has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rebuild {
    /// There is none, or all is done.
    #[default]
    None,
    /// The state is not served before it has come beyond this entry, and agrees with another.
    UnderWay(Index),
    /// It agrees, and the others are to hear of it.
    Proven,
}

impl Rebuild {
    pub(crate) fn new(after: Option<Index>) -> Self {
        after.map_or(Self::None, Self::UnderWay)
    }

    pub(crate) fn is_under_way(self) -> bool {
        matches!(self, Self::UnderWay(_))
    }

    pub(crate) fn is_to_be_told(self) -> bool {
        self == Self::Proven
    }

    /// The state was compared with another member's.
    pub(crate) fn compared(&mut self, at: Index, equal: bool) {
        if let Self::UnderWay(after) = *self
            && equal
            && at > after
        {
            *self = Self::Proven;
        }
    }

    /// All have heard the own hash.
    pub(crate) fn told(&mut self) {
        if *self == Self::Proven {
            *self = Self::None;
        }
    }
}

impl Node {
    /// Whether the state may be served: it was not found wrong, or is right again.
    pub(crate) fn may_serve(&self) -> bool {
        self.equality.condemned.is_none() && !self.equality.rebuild.is_under_way()
    }

    /// Refuses whatever is asked of a state that must not be served. True when it did.
    pub(crate) fn refuse_unsound(&mut self, id: RequestId, request: &Request) -> bool {
        let refused = !self.may_serve() && !matches!(request, Request::Status);
        if refused {
            self.reply(id, Err(Failure::Store(Error::Corrupt)));
        }
        refused
    }

    /// Whether everybody is to note a hash, for this member to prove its state by.
    pub(crate) fn asks_for_hashes(&self) -> bool {
        let Rebuild::UnderWay(after) = self.equality.rebuild else { return false };
        self.store.applied().index >= after
    }

    /// All alarms: those of the state, and members whose states were found wrong.
    pub(crate) fn alarms(&self) -> Vec<(NodeId, Alarm)> {
        let mut alarms: Vec<_> = self.store.alarms().collect();
        alarms.extend(self.deviants().map(|member| (member, Alarm::Corrupt)));
        alarms.sort_unstable();
        alarms.dedup();
        alarms
    }
}
