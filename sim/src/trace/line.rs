//! One line of a record: what happened, with all that texts and pictures need, owned.

use protocol::raft::Role;
use protocol::{Position, Time};
use serde::Serialize;

use crate::seen::{Place, seconds};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When, in nanoseconds of virtual time.
    pub time_ns: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// The same in words; for a message, what it says.
    pub text: String,
    /// Of the daily routine: left out unless asked for.
    pub quiet: bool,
}

/// An entry's place in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Spot {
    /// Its index.
    pub index: u64,
    /// The term that made it.
    pub term: u64,
}

impl From<Position> for Spot {
    fn from(position: Position) -> Self {
        Self { index: position.index.0, term: position.term.0 }
    }
}

impl std::fmt::Display for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.index, self.term)
    }
}

/// What a node is, as far as a picture is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does not run.
    Down,
    /// It follows, or waits for a leader.
    Follower,
    /// It asks whether it could win.
    PreCandidate,
    /// It asks for votes.
    Candidate,
    /// It leads.
    Leader,
}

impl From<Role> for Standing {
    fn from(role: Role) -> Self {
        match role {
            Role::Follower => Self::Follower,
            Role::PreCandidate => Self::PreCandidate,
            Role::Candidate => Self::Candidate,
            Role::Leader => Self::Leader,
        }
    }
}

impl Standing {
    /// In words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Follower => "follower",
            Self::PreCandidate => "pre-candidate",
            Self::Candidate => "candidate",
            Self::Leader => "leader",
        }
    }
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Would you vote for me?
    PreVote,
    /// The answer.
    PreVoteReply,
    /// Vote for me.
    Vote,
    /// The answer.
    VoteReply,
    /// Entries, or a probe.
    Append,
    /// They are there.
    Accepted,
    /// The base did not match.
    Rejected,
    /// I still lead.
    Heartbeat,
    /// The answer.
    HeartbeatReply,
    /// A proposal on its way to the leader.
    Propose,
    /// A question for a read index, or the answer.
    Read,
    /// A transfer of leadership, or the call to campaign at once.
    Transfer,
    /// A piece of a snapshot, or the answer.
    Snapshot,
}

/// What became of a message when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Carried {
    /// It is on its way until this time (ns).
    Until(u64),
    /// It is on its way twice.
    Twice(u64, u64),
    /// The network lost it.
    Lost,
    /// The link is cut.
    Cut,
}

/// What happened, for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are named as in `Seen`, whose variants these are")]
pub enum What {
    /// A node starts.
    Started { at: Place, life: u64, term: u64, last: Spot },
    /// A node did not start.
    Refused { at: Place },
    /// A node ended without warning.
    Crashed { at: Place },
    /// A node ended itself.
    Halted { at: Place },
    /// A node no longer runs, and does not know it.
    Paused { at: Place },
    /// It runs again.
    Resumed { at: Place },
    /// The world struck, at one node, at links, or at all.
    Fault { name: String, at: Option<Place>, links: Vec<(Place, Place)> },
    /// All links carry again.
    Healed,
    /// A node handed a write to its log: its vote, where there is one, and entries; `cut` names the
    /// entries that it replaces.
    Wrote { at: Place, id: u64, vote: Option<Place>, entries: Vec<Spot>, cut: Option<(u64, u64)> },
    /// A node's log is durable through this write.
    Durable { at: Place, id: u64 },
    /// A node dropped the log through this entry.
    Trimmed { at: Place, base: Spot },
    /// A node wants another state in the place of its own.
    Installing { at: Place, last: Spot },
    /// It is there, durably.
    Installed { at: Place, last: Spot },
    /// A message left.
    Sent {
        from: Place,
        to: Place,
        number: u64,
        kind: Kind,
        term: u64,
        label: String,
        fate: Carried,
    },
    /// A message arrived. `sent_ns` is when it left.
    Arrived { from: Place, to: Place, number: u64, kind: Kind, term: u64, sent_ns: u64 },
    /// A node's role or term changed.
    Became { at: Place, standing: Standing, term: u64, was: Standing },
    /// A node knows another leader, or none.
    Follows { at: Place, leader: Option<Place> },
    /// A node knows that the log is committed through this index.
    Committed { at: Place, through: u64 },
    /// A client asked.
    Asked { at: Place, id: u64 },
    /// A node answered a client.
    Answered { at: Place, id: u64, done: bool },
    /// A node told a watch stream something.
    Watched { at: Place, stream: u64 },
    /// A remark of the scenario.
    Note,
}

impl Line {
    /// When.
    #[must_use]
    pub const fn time(&self) -> Time {
        Time(self.time_ns)
    }

    /// When, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        seconds(self.time())
    }
}

/// How people call the node at a place.
#[must_use]
pub fn name(place: Place) -> String {
    format!("n{}", place + 1)
}
