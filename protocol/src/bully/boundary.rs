//! What goes in and what comes out.

use alloc::collections::BTreeSet;
use core::time::Duration;

use super::ballot::{Ballot, Epoch};
use super::damping::Preemption;
use super::electorate::Electorate;
use super::message::Message;
use super::rank::{Rank, Ranking};
use crate::bootstrap::{self, Pledge};
use crate::{ClusterId, NodeId, Time};

/// What a candidate is told once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Who it is.
    pub id: NodeId,
    /// Its priority, where ranks go by priorities.
    pub priority: u64,
    /// What ranks go by; the same everywhere.
    pub ranking: Ranking,
    /// How long to wait for others.
    pub timing: Timing,
    /// How much an election promises.
    pub mode: Mode,
}

/// How long to wait for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// For answers: twice the longest delay of a message, and what it takes to handle one.
    pub alive: Duration,
    /// For a better candidate's victory: at least `alive` and twice the longest delay.
    pub victory: Duration,
}

/// How much an election promises.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The algorithm of the textbooks: whoever hears nobody better leads.
    Classic,
    /// A majority grants each term of office.
    Safe(Safety),
}

/// What the safe mode goes by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Safety {
    /// Who is to be the first electorate, unless there is one already.
    pub electors: Electors,
    /// How long a lease is, as granters count.
    pub lease: Duration,
    /// How often a leader renews it: three times in a lease, or more often.
    pub renew: Duration,
    /// By how many millionths one member's clock may run faster than another's.
    pub drift_ppm: u32,
    /// When a leader yields to a better candidate.
    pub preemption: Preemption,
}

/// The first electorate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Electors {
    /// The first so many candidates that meet in the pool and pledge; 1 to [`Pledge::MOST`]. With
    /// twice as many candidates two groups can come to be that do not see each other: then only a
    /// list is safe.
    Expect(usize),
    /// These, the same list everywhere.
    Named(BTreeSet<NodeId>),
}

/// What must survive a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Durable {
    /// The last epoch that was granted.
    pub ballot: Option<Ballot>,
    /// The newest electorate known.
    pub electorate: Option<Electorate>,
    /// With whom it would found a group.
    pub pledge: Option<Pledge>,
}

/// Names a write. Ids grow by one; an acknowledgement covers all ids up to its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u64);

/// What the pool thinks of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It answers.
    Alive,
    /// It did not answer lately, and may yet object.
    Suspect,
    /// It is gone.
    Failed,
}

/// What a candidate shows of itself to everybody, in its tags.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shown {
    /// Its rank.
    pub rank: Rank,
    /// How many candidates it expects; `None` when it was given a list, or is classic.
    pub expect: Option<usize>,
    /// With whom it would found a group.
    pub pledge: Option<Pledge>,
    /// The group that it belongs to.
    pub group: Option<ClusterId>,
}

/// What happens to a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The time given by `poll_timeout` has come. Harmless when it has not.
    Timeout,
    /// A message. It may come late, more than once, or never.
    Receive {
        /// Whose.
        from: NodeId,
        /// What it says.
        message: Message,
    },
    /// The pool tells of a candidate: it has come, or shows something else, or its standing is
    /// another one.
    Saw {
        /// What it shows; its rank says who it is.
        shown: Shown,
        /// What the pool thinks of it.
        standing: Standing,
    },
    /// The pool has nothing of this candidate any more.
    Forgotten(NodeId),
    /// Everything up to and including this write is durable.
    Persisted(WriteId),
    /// The operator has given it this priority. Only rankings by priority go by it.
    Priority(u64),
    /// How fresh the own program's state is. Only the ranking by freshness goes by it.
    Freshness(u64),
    /// Whether there is a program that wants to lead; there is one until this says otherwise.
    /// Without one a member of the electorate only grants; its own lease, if it has one, is
    /// resigned.
    Stand(bool),
    /// The program wants to lead no more, for now.
    Resign,
    /// The program has stopped acting for this epoch, or ended: the lease may be released.
    Stopped(Epoch),
    /// Let these decide from now on. Only a leader can do that: see [`Output::ChangeRefused`].
    Change(BTreeSet<NodeId>),
}

/// A term of office with an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Its epoch: the fencing token.
    pub epoch: Epoch,
    /// When to stop acting, by the own clock, unless it is extended before.
    pub until: Time,
}

/// Who leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Leader {
    /// Who.
    pub id: NodeId,
    /// In which epoch; `None` in the classic mode, which has none.
    pub epoch: Option<Epoch>,
}

/// Why a term of office ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The lease ran out: no majority answered in time.
    Expired,
    /// Somebody has a higher epoch, or in the classic mode a higher rank.
    Superseded,
    /// The program wanted it.
    Resigned,
    /// It yields to a better candidate.
    HandedOver,
    /// It is not in the electorate any more.
    Removed,
}

/// Why an electorate was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeRefusal {
    /// This candidate does not lead, or the group has no electorate.
    NotLeader,
    /// The last change is under way, or the leader does not know yet that it ended.
    UnderWay,
    /// Nobody would be left, or there would be too many.
    Size,
}

/// What an operator has to see to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Warning {
    /// Somebody belongs to another group: the lists differ, or two groups were founded.
    OtherGroup(NodeId),
    /// There are more candidates than are heeded.
    Crowded,
    /// The founding has something to say.
    Meeting(bootstrap::Warning),
}

/// What a candidate wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Send this.
    Send {
        /// Whom to.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Make this durable in the place of what was before, then say [`Input::Persisted`]. What
    /// depends on it is held inside until then.
    Persist {
        /// Its name.
        id: WriteId,
        /// Its content.
        durable: Durable,
    },
    /// Show this to everybody, from now on.
    Show(Shown),
    /// This candidate leads. Without a lease nothing is promised: another may lead, too.
    Elected(Option<Lease>),
    /// The lease is longer.
    Extended(Lease),
    /// This candidate leads no more: stop the program, then say [`Input::Stopped`].
    Lost {
        /// The epoch that has ended.
        epoch: Option<Epoch>,
        /// Why.
        why: Loss,
    },
    /// Another leader is known, or none. Everybody hears of each change, in order; of two that come
    /// soon after another perhaps only of the second.
    Leader(Option<Leader>),
    /// This electorate is in force here.
    Electorate(Electorate),
    /// This electorate is durable at its own majorities: no older one decides anything any more.
    /// Told by the leader alone.
    Settled(Electorate),
    /// The electorate was not changed.
    ChangeRefused(ChangeRefusal),
    /// Tell the operator.
    Warn(Warning),
}
