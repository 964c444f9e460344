//! The box: how much of everything there may be.

use std::fmt;
use std::time::Duration;

use protocol::raft::{Config, Membership, ReadMode};

use super::members::Members;

/// The box. Everything within it is explored, in every order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// No node campaigns beyond this term; at most 4.
    pub max_term: u8,
    /// Commands proposed in all, beside the no-op of each leader; at most 4.
    pub max_entries: u8,
    /// Messages in flight; what is sent beyond it pushes out any of them. At most 8.
    pub in_flight: u8,
    /// Crashes in all; at most 15.
    pub crashes: u8,
    /// Messages delivered once more than they were sent, in all; at most 15.
    pub duplicates: u8,
    /// Writes under way on one node: with as many, nothing reaches it before one is durable or it
    /// crashes. At least 1.
    pub writes: u8,
    /// Heartbeats of one leader in one term.
    pub heartbeats: u8,
    /// Answers that nobody waits for any more are delivered too. They change nothing unless the
    /// core is wrong about them, and make the space larger.
    pub late_answers: bool,
    /// Nodes ask before they campaign (thesis §9.6).
    pub pre_vote: bool,
    /// States that differ only in the names of nodes are one.
    pub symmetry: bool,
    /// Who takes part at first.
    pub members: Members,
    /// Who shall take part, one after the other; at most 15.
    pub changes: &'static [Members],
}

impl Bounds {
    /// Two terms, two entries, and as little as possible of everything else.
    pub const SMALL: Self = Self {
        max_term: 2,
        max_entries: 2,
        in_flight: 2,
        crashes: 0,
        duplicates: 0,
        writes: 1,
        heartbeats: 1,
        late_answers: false,
        pre_vote: false,
        symmetry: true,
        members: Members::ALL,
        changes: &[],
    };

    /// A core as it is explored: time stands still and every timer is due.
    pub(super) fn config(&self, node: usize) -> Config {
        let id = super::name(node);
        let members = self.members.membership();
        // Who joins later knows of no members.
        let known = if members.contains(id) { members } else { Membership::default() };
        Config {
            id,
            voters: known.voters,
            learners: known.learners,
            election_timeout: Duration::ZERO..=Duration::ZERO,
            heartbeat: Duration::ZERO,
            pre_vote: self.pre_vote,
            check_quorum: false,
            stickiness: false,
            read_mode: ReadMode::Quorum,
            max_inflight_messages: 8,
            max_inflight_bytes: 1 << 20,
            max_append_bytes: 1 << 20,
            max_uncommitted_bytes: 1 << 20,
            cache_bytes: 1 << 20,
        }
    }

    /// Whether nodes differ in more than their names.
    pub(super) fn has_names(&self) -> bool {
        self.members != Members::ALL || !self.changes.is_empty()
    }

    pub(super) fn validate(&self) {
        assert!((1..=4).contains(&self.max_term) && self.max_entries <= 4);
        assert!(self.writes >= 1);
        assert!((1..=8).contains(&self.in_flight));
        assert!(self.crashes <= 15 && self.duplicates <= 15 && self.changes.len() <= 15);
        assert!(!(self.has_names() && self.symmetry), "names mean something where members differ");
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "3 nodes, terms ≤ {}, commands ≤ {}, in flight ≤ {}, crashes ≤ {}, duplicates ≤ {}, \
             writes ≤ {} a node, heartbeats ≤ {} a leader",
            self.max_term,
            self.max_entries,
            self.in_flight,
            self.crashes,
            self.duplicates,
            self.writes,
            self.heartbeats,
        )?;
        f.write_str(if self.late_answers { ", late answers" } else { "" })?;
        f.write_str(if self.pre_vote { ", pre-vote" } else { "" })?;
        if self.has_names() {
            write!(f, ", members {}", self.members)?;
        }
        self.changes.iter().try_for_each(|members| write!(f, " → {members}"))?;
        f.write_str(if self.symmetry { "" } else { ", names told apart" })
    }
}
