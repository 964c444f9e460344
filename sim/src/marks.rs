//! Marks: rare states that a campaign must have reached, or it has proved nothing about them.

use std::collections::BTreeSet;

use node::Request;
use protocol::raft::{Body, Event, Role};
use protocol::zab;
use storage::log::Damage;

use crate::seen::{Seen, View};
use crate::storm::Kind;

macro_rules! marks {
    ($($mark:ident: $what:literal,)*) => {
        /// A state worth reaching.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mark {
            $(#[doc = $what] $mark,)*
        }

        impl Mark {
            /// How many there are.
            pub const COUNT: usize = [$(Self::$mark),*].len();
            /// All of them.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$mark),*];

            /// When it is reached.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self {
                    $(Self::$mark => $what,)*
                }
            }
        }
    };
}

marks! {
    FetchedFromLog: "A follower got entries that had to be read from the leader's log.",
    LoadedFromState: "Applying waited for a value from the state.",
    WatchCaughtUpFromState: "A watch caught up by scanning the state.",
    FrameRefused: "A frame with a flipped bit was refused.",
    LogTrimmed: "The log gave up a segment.",
    NodeHalted: "A node ended itself because its disk failed.",
    StoppedInOrder: "A node ended in order.",
    InDoubt: "A node started in doubt about the end of its log.",
    DoubtResolved: "A node in doubt got its entries again.",
    DoubtDismissed: "An operator dismissed a doubt.",
    RefusedToStart: "A node refused to start on a damaged disk.",
    LogWounded: "A log lacked what only other nodes could have.",
    LogMended: "A log got back from other nodes what it had lost.",
    LogSurrendered: "A log was given up for that of a leader.",
    StateSetAside: "A damaged state was begun anew, from the log.",
    CrashedWithinSync: "A machine lost its power within a sync.",
    TornEndCut: "The end of a log was torn, and cut.",
    CopyMended: "One of two copies was mended.",
    Truncated: "A conflicting suffix was removed.",
    Stranded: "A peer needed entries that no log held any more.",
    SnapshotSent: "The last piece of a state was sent.",
    SnapshotInstalled: "A node put the state of another in the place of its own.",
    SnapshotRestarted: "The transfer of a state began anew.",
    PieceDamaged: "A piece of a state was damaged before its frame was made.",
    LogAdopted: "A node found its state ahead of its log, and its log began anew there.",
    ShortOfSpace: "A node found less free than its reserve.",
    SpaceAgain: "A node that was short of space had enough again.",
    LogWithoutRoom: "A log had no room for its next segment, and waited.",
    StatesCompared: "A node compared its state with what another had told of its own.",
    Elected: "A node became leader.",
    ElectionLost: "A candidate or pre-candidate gave up.",
    SteppedDown: "A leader stepped down within its term or for a higher one.",
    TwoLeaders: "Two nodes believed to lead at once, in different terms.",
    UncommittedAtElection: "A fresh leader had to wait for an entry of its own term.",
    ChangeCompleted: "An operator was told that the members are as wished.",
    JointInForce: "Both the old and the new majority were asked for.",
    LearnerPromoted: "A learner became a voter.",
    ChangeUndone: "A configuration that was in force was cut off.",
    LeaderDeparted: "A leader committed its own removal and made room.",
    Disowned: "A node was told that it had forgotten what it promised.",
    Rejoined: "A newcomer took the place of a node that had forgotten.",
    RemovalTold: "A member was told of its removal and had nothing more to answer.",
    Relayed: "A node passed on a message between two others.",
}

impl Mark {
    /// Whether a group that runs Zab can reach it: its members do not change, and whoever has
    /// forgotten a promise is not taken back. What it sends of a state is told by
    /// [`Mark::Stranded`] and [`Mark::SnapshotInstalled`].
    #[must_use]
    pub const fn is_of_zab(self) -> bool {
        !matches!(
            self,
            Self::SnapshotSent
                | Self::ChangeCompleted
                | Self::JointInForce
                | Self::LearnerPromoted
                | Self::ChangeUndone
                | Self::LeaderDeparted
                | Self::Disowned
                | Self::Rejoined
                | Self::RemovalTold
        )
    }
}

/// How often each mark was reached and each kind of fault struck.
#[derive(Clone, Debug)]
pub struct Marks {
    marks: [u64; Mark::COUNT],
    faults: [u64; Kind::COUNT],
    roles: [Role; 16],
    /// Wishes of operators that are not answered.
    wishes: BTreeSet<u64>,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            marks: [0; Mark::COUNT],
            faults: [0; Kind::COUNT],
            roles: [Role::Follower; 16],
            wishes: BTreeSet::new(),
        }
    }
}

impl Marks {
    pub(crate) const fn hit(&mut self, mark: Mark) {
        self.marks[mark as usize] += 1;
    }

    pub(crate) const fn struck(&mut self, kind: Kind) {
        self.faults[kind.number()] += 1;
    }

    /// How often a mark was reached.
    #[must_use]
    pub const fn reached(&self, mark: Mark) -> u64 {
        self.marks[mark as usize]
    }

    /// How often a kind of fault struck.
    #[must_use]
    pub const fn strikes(&self, kind: Kind) -> u64 {
        self.faults[kind.number()]
    }

    /// All strikes.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.faults.iter().sum()
    }

    /// Adds another world's.
    pub fn add(&mut self, other: &Self) {
        let add = |(mine, more): (&mut u64, &u64)| *mine += more;
        self.marks.iter_mut().zip(&other.marks).for_each(add);
        self.faults.iter_mut().zip(&other.faults).for_each(add);
    }

    /// Counts what can be told from outside; true when a node became leader.
    pub(crate) fn see(&mut self, seen: &Seen<'_>) -> bool {
        match seen {
            Seen::Turn { at, view, .. } => return self.turn(*at, view),
            Seen::Sent { message, .. }
                if matches!(message.body, Body::Snapshot { done: true, .. }) =>
            {
                self.hit(Mark::SnapshotSent);
            }
            Seen::Asked { id, request: Request::MemberChange(_), .. } => {
                self.wishes.insert(id.0);
            }
            Seen::Replied { id, reply, .. } if self.wishes.remove(&id.0) && reply.body.is_ok() => {
                self.hit(Mark::ChangeCompleted);
            }
            Seen::Installed { .. } => self.hit(Mark::SnapshotInstalled),
            Seen::Passed { by, origin, .. } if by != origin => self.hit(Mark::Relayed),
            Seen::Crashed { at } | Seen::Halted { at, .. } => self.roles[*at] = Role::Follower,
            _ => {}
        }
        false
    }

    fn turn(&mut self, at: usize, view: &View) -> bool {
        let before = std::mem::replace(&mut self.roles[at], view.role);
        if before == view.role {
            return false;
        }
        match (before, view.role) {
            (_, Role::Leader) => {
                self.hit(Mark::Elected);
                if view.last.index > view.commit.next() {
                    self.hit(Mark::UncommittedAtElection);
                }
                if self.roles.iter().filter(|role| **role == Role::Leader).count() > 1 {
                    self.hit(Mark::TwoLeaders);
                }
            }
            (Role::Leader, _) => self.hit(Mark::SteppedDown),
            (Role::Candidate | Role::PreCandidate, Role::Follower) => self.hit(Mark::ElectionLost),
            _ => {}
        }
        view.role == Role::Leader
    }

    pub(crate) const fn event(&mut self, event: &Event) {
        match event {
            Event::Truncated { .. } => self.hit(Mark::Truncated),
            Event::DoubtResolved { .. } => self.hit(Mark::DoubtResolved),
            Event::Stranded { .. } => self.hit(Mark::Stranded),
            Event::Departed { .. } => self.hit(Mark::LeaderDeparted),
            Event::Role { .. } | Event::Stalled { .. } => {}
        }
    }

    pub(crate) const fn told(&mut self, event: &zab::Event) {
        match event {
            zab::Event::Truncated { .. } => self.hit(Mark::Truncated),
            zab::Event::DoubtResolved { .. } => self.hit(Mark::DoubtResolved),
            zab::Event::Synchronizing { mode: zab::Mode::Snap, .. } => self.hit(Mark::Stranded),
            zab::Event::Role { .. }
            | zab::Event::Abandoned(_)
            | zab::Event::Synchronizing { .. }
            | zab::Event::PeerAhead { .. } => {}
        }
    }

    pub(crate) const fn damage(&mut self, damage: &Damage) {
        match damage {
            Damage::Torn { .. } => self.hit(Mark::TornEndCut),
            Damage::HeaderCopy { .. } | Damage::HardStateCopy { .. } => self.hit(Mark::CopyMended),
            _ => {}
        }
    }
}
