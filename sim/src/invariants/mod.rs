//! What must be true of the simulated world at every moment: the laws of the protocols, each in a
//! file of its own, asked at every event.
//!
//! Judged is what leaves a node (writes, messages, answers, and a look after each turn), never its
//! own opinion. What must outlive a crash is remembered by the [`Ghosts`]: logs, votes, leaders,
//! and the committed log, which is also the truth for the judges of client histories.
//!
//! | file | law | source |
//! |---|---|---|
//! | `election_safety` | RI1: at most one leader a term | Raft §5.2, figure 3 |
//! | `leader_append_only` | RI2: a leader cuts nothing off its log | Raft §5.3, figure 3 |
//! | `log_matching` | RI3: same index and term, same log up to there | Raft §5.3, figure 3 |
//! | `leader_completeness` | RI4: what is committed, later leaders hold | Raft §5.4, figure 3 |
//! | `state_machine_safety` | RI5: one entry at an applied index | Raft §5.4.3, figure 3 |
//! | `vote_durability` | RI6: one vote a term, in all lives | Raft §5.2, figure 2 |
//! | `monotony` | RI7: term, commit and applied index never fall | Raft figure 2 |
//! | `acknowledgement` | RI8: only what is durable is promised | Raft §5.3, figure 2 |
//! | `quorum_commit` | RI9: what is committed is durable on a majority | Raft §5.3 |
//! | `own_term_commit` | RI10: leaders count entries of their own term | Raft §5.4.2, figure 8 |
//! | `verified_commit` | RI11: followers commit what matches the leader | Raft §5.3, figure 2 |
//! | `membership` | RI12: members change one step at a time, and only members decide | Raft §6 |
//! | `reads` | RI13: an answer about the present is not older than the question | thesis §6.4 |
//! | `snapshots` | RI14: logs begin anew behind a durable state, which never goes back | Raft §7 |
//! | `order` | applied ≤ commit ≤ last; only what is durable is applied | Raft figure 2 |
//! | `recovery` | what was confirmed comes back, and nothing foreign | Raft figure 2; FAST'18 |
//! | `trim` | only what the state, or all members, hold is trimmed | Raft §7 |
//! | `revisions` | MI1: revisions are made by entries, the same everywhere | etcd |
//! | `compaction` | MI4: the compact revision grows, the same everywhere | etcd |
//! | `state_hash` | MI6: same entries, same state | Raft §2 |
//! | `ways` | VI1: what takes another way goes over one other node | `protocol/src/mesh` |
//!
//! The other files hold what the laws share: `ghosts` (the memory), `shadow` (a log in it),
//! `terms` (every entry ever made), `committed` (the committed log), `configurations` (who is a
//! member, by which log), `states` (what each applied index led to) and `verdict`.
//!
//! # What is left out
//!
//! - *Liveness* and the growth of terms: the world itself judges them, for it knows what is healed.
//! - What a state machine *answers*: the judges of client histories.

mod acknowledgement;
mod committed;
mod compaction;
mod configurations;
mod election_safety;
mod ghosts;
mod leader_append_only;
mod leader_completeness;
mod log_matching;
mod membership;
mod monotony;
mod order;
mod own_term_commit;
mod quorum_commit;
mod reads;
mod recovery;
mod revisions;
mod shadow;
mod snapshots;
mod state_hash;
mod state_machine_safety;
mod states;
mod terms;
mod trim;
mod verdict;
mod verified_commit;
mod vote_durability;
mod ways;

use std::collections::BTreeSet;

use protocol::raft::{Body, Membership, Message, Restored, Role, Write, WriteId};
use protocol::{NodeId, Position, Term, Time};

pub use committed::{CommittedEntry, Unreadable};
pub use ghosts::{Ghost, Ghosts, LOSSES};
pub use shadow::{Shadow, Slot};

use self::acknowledgement::Acknowledgement;
use self::election_safety::ElectionSafety;
use self::membership::Changes;
use self::own_term_commit::OwnTermCommit;
use self::reads::Reads;
use self::states::States;
use self::verdict::Verdict;
use self::verified_commit::VerifiedCommit;
use self::vote_durability::VoteDurability;
use self::ways::Ways;
use crate::history::Committed;
use crate::seen::{self, Fate, Place, Seen, View, Violation};

macro_rules! laws {
    ($($file:ident)*) => {
        /// Every law: the file in which it stands, and its name in a violation.
        pub const LAWS: &[(&str, &str)] = &[$((stringify!($file), $file::LAW)),*];
    };
}

laws! {
    election_safety leader_append_only log_matching leader_completeness state_machine_safety
    vote_durability monotony acknowledgement quorum_commit own_term_commit
    verified_commit membership reads snapshots order recovery trim revisions compaction state_hash
    ways
}

/// What the laws need to know of the world.
#[derive(Clone, Debug)]
pub struct Config {
    /// All nodes.
    pub nodes: usize,
    /// Of those the first so many are the cluster, and vote, until members change.
    pub voters: usize,
    /// The most leases that one tick revokes (`store::Limits::expiries_per_tick`).
    pub expiries_per_tick: usize,
    /// Logs are kept until every member has them.
    pub keeps_log: bool,
    /// The cluster runs Zab: the laws about votes, terms and messages of Raft do not ask.
    pub zab: bool,
}

impl Config {
    /// A cluster of this many nodes with the limits of production.
    #[must_use]
    pub fn new(nodes: usize) -> Self {
        let expiries_per_tick = store::Limits::default().expiries_per_tick;
        Self { nodes, voters: nodes, expiries_per_tick, keeps_log: true, zab: false }
    }
}

/// All laws, and the memory that they share.
#[derive(Clone, Debug)]
pub struct Invariants {
    ghosts: Ghosts,
    keeps_log: bool,
    zab: bool,
    states: States,
    election_safety: ElectionSafety,
    vote_durability: VoteDurability,
    acknowledgement: Acknowledgement,
    own_term_commit: OwnTermCommit,
    verified_commit: VerifiedCommit,
    changes: Changes,
    reads: Reads,
    ways: Ways,
}

impl Invariants {
    /// Laws for a world in which nothing has happened yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let nodes = config.nodes;
        Self {
            ghosts: Ghosts::new(nodes, config.voters, config.expiries_per_tick as u64),
            keeps_log: config.keeps_log,
            zab: config.zab,
            states: States::default(),
            election_safety: ElectionSafety::new(nodes),
            vote_durability: VoteDurability::new(nodes),
            acknowledgement: Acknowledgement::new(nodes),
            own_term_commit: OwnTermCommit::new(nodes),
            verified_commit: VerifiedCommit::new(nodes),
            changes: Changes::default(),
            reads: Reads::new(nodes),
            ways: Ways::default(),
        }
    }

    /// Takes in what happened. To be called in the order of events, for each before anything that
    /// follows from it.
    ///
    /// # Errors
    /// The first law that it breaks. Nothing that is said after that means anything.
    pub fn see(&mut self, now: Time, seen: &Seen<'_>) -> Result<(), Violation> {
        self.judge(now, seen).map_err(|broken| broken.at(now))
    }

    /// What the world remembers.
    #[must_use]
    pub fn ghosts(&self) -> &Ghosts {
        &self.ghosts
    }

    /// The committed log: the entry with index 1 first.
    #[must_use]
    pub fn committed(&self) -> &[CommittedEntry] {
        &self.ghosts.committed.entries
    }

    /// The members as far as anybody knows them to be committed.
    #[must_use]
    pub fn committed_members(&self) -> &Membership {
        self.ghosts.members()
    }

    /// Whoever is or was a member, or is to be one by somebody's log.
    #[must_use]
    pub fn ever_members(&self) -> BTreeSet<NodeId> {
        self.ghosts.configurations.everybody()
    }

    /// The committed log as the judges of client histories want it.
    ///
    /// # Errors
    /// When an entry carries what is no command.
    pub fn truth(&self) -> Result<Vec<Committed>, Unreadable> {
        self.committed().iter().map(CommittedEntry::decode).collect()
    }

    fn judge(&mut self, now: Time, seen: &Seen<'_>) -> Verdict {
        match *seen {
            Seen::Started { at, life, restored } => self.started(at, life, restored),
            Seen::Refused { at, why } => recovery::refused(&self.ghosts, at, why),
            Seen::Fault(fault) => {
                self.ghosts.struck(fault);
                Ok(())
            }
            Seen::Handed { at, id, write } => self.handed(at, id, write),
            Seen::Cut { at, id, through } => {
                state_machine_safety::cut(&self.ghosts, at, through)?;
                self.ghosts.cut(at, id, through);
                Ok(())
            }
            Seen::Durable { at, id } => self.durable(at, id),
            Seen::Surrendered { at, last, .. } => {
                self.ghosts.nodes[at].surrendered = Some(last.index);
                Ok(())
            }
            Seen::Sent { from, to, message, fate, .. } => self.sent(from, to, message, fate),
            Seen::Turn { at, view, last } => self.turn(now, at, view, last),
            Seen::Trimmed { at, base } => {
                trim::trimmed(&self.ghosts, at, base, self.keeps_log)?;
                self.ghosts.nodes[at].base = base;
                Ok(())
            }
            Seen::Flushed { at, applied } => {
                self.ghosts.flushed(at, applied.index);
                Ok(())
            }
            Seen::Installing { at, last } => {
                snapshots::installing(&self.ghosts, at, last)?;
                self.ghosts.nodes[at].installing = Some(last);
                Ok(())
            }
            Seen::Installed { at, last } => self.installed(at, last),
            Seen::Passed { by, to, origin, target, number } => {
                self.ways.passed(number, (by, to), (origin, target))
            }
            Seen::Delivered { from, to, number, message } => {
                self.ways.delivered(number, from, to)?;
                self.verified_commit.delivered(&self.ghosts, to, message);
                Ok(())
            }
            Seen::Asked { at, id, request } => {
                self.changes.asked(&self.ghosts, id, request);
                self.reads.asked(&self.ghosts, at, id, request);
                Ok(())
            }
            Seen::Replied { at, id, reply } => {
                self.changes.replied(at, id, reply);
                self.reads.replied(at, id, reply)
            }
            Seen::Crashed { at } | Seen::Halted { at, .. } => {
                self.reads.gone(at);
                Ok(())
            }
            Seen::Paused { .. } | Seen::Resumed { .. } | Seen::Watched { .. } | Seen::Note(_) => {
                Ok(())
            }
        }
    }

    fn durable(&mut self, at: Place, id: WriteId) -> Verdict {
        self.ghosts.confirm(at, id);
        if self.zab {
            return Ok(());
        }
        self.vote_durability.durable(&self.ghosts, at, self.ghosts.nodes[at].hard_durable)
    }

    fn installed(&mut self, at: Place, last: Position) -> Verdict {
        snapshots::installed(&self.ghosts, at, last)?;
        self.ghosts.installed(at, last);
        if !self.zab {
            self.own_term_commit.installed(at, last.index);
            self.verified_commit.installed(at, last.index);
        }
        Ok(())
    }

    fn started(&mut self, at: Place, life: u64, restored: &Restored) -> Verdict {
        recovery::started(&mut self.ghosts, at, life, restored)?;
        if self.zab {
            return Ok(());
        }
        self.acknowledgement.started(at);
        self.own_term_commit.started(&self.ghosts, at);
        self.verified_commit.started(&self.ghosts, at);
        self.vote_durability.durable(&self.ghosts, at, restored.hard_state)
    }

    fn handed(&mut self, at: Place, id: WriteId, write: &Write) -> Verdict {
        monotony::handed(&self.ghosts, at, write)?;
        snapshots::handed(&self.ghosts, at, write)?;
        leader_append_only::handed(&self.ghosts, at, write)?;
        if !self.zab {
            VoteDurability::handed(&self.ghosts, at, write)?;
            self.acknowledgement.handed(&self.ghosts, at, write)?;
        }
        state_machine_safety::handed(&self.ghosts, at, write)?;
        log_matching::handed(&mut self.ghosts, at, id, write)?;
        membership::handed(&self.ghosts, at, write)
    }

    fn sent(&mut self, from: Place, to: Place, message: &Message, fate: Fate) -> Verdict {
        let term = message.term;
        match message.body {
            Body::Append { .. } | Body::Heartbeat { .. } => {
                self.election_safety.claim(&mut self.ghosts, from, term)
            }
            Body::AppendAccepted { matched } => {
                self.acknowledgement.accepted(&self.ghosts, from, term, matched)
            }
            Body::Vote { .. } => {
                membership::campaigns(&self.ghosts, from)?;
                self.voted(from, term, from, fate)
            }
            Body::PreVote { .. } => membership::campaigns(&self.ghosts, from),
            Body::VoteReply { granted: true } => self.voted(from, term, to, fate),
            Body::VoteReply { granted: false }
            | Body::PreVoteReply { .. }
            | Body::AppendRejected(_)
            | Body::HeartbeatReply { .. }
            | Body::Propose { .. }
            | Body::ReadIndex { .. }
            | Body::ReadIndexReply { .. }
            | Body::TransferLeadership { .. }
            | Body::TimeoutNow
            | Body::Snapshot { .. }
            | Body::SnapshotReply { .. }
            | Body::Mend(_) => Ok(()),
        }
    }

    /// A node tells its vote, for itself or for another. One that has forgotten says its votes into
    /// links that lead nowhere, too: what nobody can hear is not told.
    fn voted(&mut self, from: Place, term: Term, to: Place, fate: Fate) -> Verdict {
        if fate != Fate::Cut || !self.ghosts.nodes[from].replaced {
            self.vote_durability.cast(from, term, seen::id(to))?;
        }
        acknowledgement::voted(&self.ghosts, from, term, to)
    }

    fn turn(&mut self, now: Time, at: Place, view: &View, last: bool) -> Verdict {
        self.reads.turn(at, view)?;
        self.changes.turn(&self.ghosts, at, view)?;
        let ghosts = &mut self.ghosts;
        if !self.zab {
            self.verified_commit.turn(ghosts, at, view)?;
        }
        if ghosts.nodes[at].view.as_ref() == Some(view) {
            return Ok(());
        }
        order::turn(ghosts, at, view)?;
        // Epochs go to the disk alone, and what comes behind them waits.
        if !last && !self.zab {
            order::handed_over(ghosts, at, view)?;
        }
        monotony::turn(ghosts, at, view, self.zab)?;
        trim::turn(ghosts, at, view)?;
        if !self.zab {
            self.own_term_commit.turn(ghosts, at, view)?;
        }
        if view.role == Role::Leader && !ghosts.nodes[at].leads(view.term) {
            self.election_safety.claim(ghosts, at, view.term)?;
            leader_completeness::elected(ghosts, at, view.term)?;
            if !self.zab {
                membership::elected(ghosts, &self.vote_durability, at, view.term)?;
            }
        }
        if view.role == Role::Leader && !self.zab {
            membership::leads(ghosts, at, view)?;
        }
        if view.commit > ghosts.committed.last() {
            ghosts.commit(now, at, view.commit, view.term);
            quorum_commit::committed(ghosts, at, view)?;
            leader_completeness::committed(ghosts, view.commit, view.term)?;
        }
        state_machine_safety::turn(ghosts, at, view)?;
        let known = self.states.at(view.applied.index);
        revisions::turn(ghosts, at, view, known)?;
        compaction::turn(ghosts, at, view, known)?;
        state_hash::turn(at, view, known)?;
        self.states.note(view);
        let ruled = ghosts.configurations.in_force(&ghosts.nodes[at].log).0;
        let ghost = &mut ghosts.nodes[at];
        ghost.ruled = ruled;
        ghost.applied = view.applied.index;
        ghost.view = Some(*view);
        Ok(())
    }
}
