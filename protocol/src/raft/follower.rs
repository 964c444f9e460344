//! Following a leader: appending what it sends, and passing on what only it can do.
//!
//! An append is acknowledged by what is true when the acknowledgement leaves: the lower of what
//! this term's leader has verified and what is durable here. A leader never takes back entries of
//! its own log, so nothing acknowledged in a term is ever cut off in it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;

use super::boundary::{Entry, Event, Output, Payload, ReadId, Tag};
use super::membership::Membership;
use super::message::{Body, Rejection};
use super::read::Asked;
use super::{Raft, State};
use crate::mutant::{Mutant, planted};
use crate::{Index, NodeId, Position, Term, Time};

/// A node that follows, or waits for someone to follow.
///
/// - `acked ≤ verified`: nothing is acknowledged that this term's leader has not verified.
/// - Without a leader nothing waits for one.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Follower {
    /// The log matches this term's leader's through here.
    pub(super) verified: Index,
    acked: Index,
    /// An append, or what else the log grew by, has not been answered yet.
    pub(super) owes: bool,
    /// More entries became durable since the last acknowledgement.
    pub(super) grew: bool,
    /// Commands to pass on, with the names to refuse them by.
    pub(super) proposals: Vec<(Tag, Bytes)>,
    /// Reads to pass on.
    pub(super) reads: Vec<ReadId>,
    /// Reads passed on, by the name of their question.
    pub(super) asked: BTreeMap<ReadId, Asked>,
    /// When to ask again.
    pub(super) ask_at: Time,
}

impl Follower {
    pub(super) fn timeout(&self) -> Option<Time> {
        if self.asked.is_empty() { None } else { Some(self.ask_at) }
    }
}

/// What to do with an append.
enum Fit {
    /// It matches; everything before this entry is held already. `None`: all of it is.
    New(Option<usize>),
    /// It does not belong to this log.
    Refused(Rejection),
    /// No correct leader could have sent it.
    Absurd,
}

impl Raft {
    /// Follows `leader` in `term`, or nobody yet.
    pub(super) fn become_follower(&mut self, term: Term, leader: Option<NodeId>) {
        assert!(term >= self.term, "terms never fall");
        self.abandon_requests();
        if term > self.term {
            self.term = term;
            self.vote = None;
        }
        self.leader = leader;
        // Raft §5.2: only a leader's word and a vote given buy time. Were it enough to be asked, a
        // candidate that cannot win would put off the election of those that can.
        if leader.is_some() || matches!(self.state, State::Leader(_)) {
            self.reset_election_timer();
        }
        self.state = State::Follower(Follower::default());
    }

    /// A word that only the leader of this term may say. Gives whether `from` is that leader.
    pub(super) fn hear(&mut self, from: NodeId) -> bool {
        match (&self.state, self.leader) {
            (State::Leader(_), _) => return false,
            (State::Follower(_), Some(leader)) if leader != from => return false,
            (State::Follower(_), Some(_)) => self.reset_election_timer(),
            (State::Follower(_), None) | (State::Candidate(_), _) => {
                self.become_follower(self.term, Some(from));
            }
        }
        self.heard = Some(self.now);
        true
    }

    pub(super) fn on_append(
        &mut self,
        from: NodeId,
        base: Position,
        entries: Vec<Entry>,
        commit: Index,
        trim: Index,
    ) {
        if !self.hear(from) {
            return self.drop_message();
        }
        match self.fit(base, &entries) {
            Fit::Absurd => self.drop_message(),
            Fit::Refused(rejection) => self.send(from, Body::AppendRejected(rejection)),
            Fit::New(new) => {
                let end = entries.last().map_or(base.index, |entry| entry.position.index);
                self.take(entries, new);
                let State::Follower(follower) = &mut self.state else { return };
                follower.verified = follower.verified.max(end).max(self.commit);
                if planted(Mutant::R7) {
                    follower.verified = end;
                }
                follower.owes = true;
                // Raft figure 2, AppendEntries 5: no further than what this append has verified.
                self.learn_commit(commit.min(end), trim);
                self.resolve_doubt();
            }
        }
    }

    /// Raft figure 2, AppendEntries 2 and 3.
    fn fit(&self, base: Position, entries: &[Entry]) -> Fit {
        let State::Follower(follower) = &self.state else { return Fit::Absurd };
        if !is_run(base, entries, self.term) {
            return Fit::Absurd;
        }
        let last = self.log.last();
        match self.log.position(base.index) {
            Some(held) if held == base => {}
            // Leader completeness: what is committed here is in the leader's log.
            Some(_) if base.index <= self.commit => return Fit::Absurd,
            // Trimmed here, so committed: the entries themselves have to show that they fit.
            None if base.index < self.log.base().index => {}
            Some(_) | None => {
                let conflict = self.log.run_start(base.index);
                return Fit::Refused(Rejection { base: base.index, conflict, last });
            }
        }
        let held = self.log.base().index;
        let conflict = entries.iter().position(|entry| {
            let Position { term, index } = entry.position;
            index > held && self.log.term_at(index) != Some(term)
        });
        match conflict.map(|place| entries[place].position.index) {
            // Neither what is committed nor what this leader has verified can conflict with it.
            Some(index) if index <= self.commit || index <= follower.verified => Fit::Absurd,
            Some(_) | None => Fit::New(conflict),
        }
    }

    /// Appends the entries from `new` on. Only a conflict removes anything: an old, short append
    /// must not shorten the log.
    fn take(&mut self, entries: Vec<Entry>, mut new: Option<usize>) {
        if planted(Mutant::R6) || planted(Mutant::R7) {
            let kept = if planted(Mutant::R6) { self.log.last().index } else { self.commit };
            new = entries.iter().position(|entry| entry.position.index > kept);
        }
        let Some(new) = new else { return };
        let from = entries[new].position.index;
        if from <= self.log.last().index {
            self.truncate(from);
        }
        for entry in entries.into_iter().skip(new) {
            self.append(entry);
        }
    }

    pub(super) fn on_heartbeat(&mut self, from: NodeId, round: u64, commit: Index, trim: Index) {
        if !self.hear(from) {
            return self.drop_message();
        }
        let State::Follower(follower) = &self.state else { return };
        let verified = follower.verified.max(self.commit);
        let verified = if planted(Mutant::R12) { self.log.last().index } else { verified };
        self.learn_commit(commit.min(verified), trim);
        self.send(from, Body::HeartbeatReply { round });
        if commit > verified {
            // The leader counts on entries that it has not shown to this process: one that
            // restarted, perhaps with less than it had. The refusal makes it look.
            let (conflict, last) = (self.log.run_start(commit), self.log.last());
            let rejection = Rejection { base: commit, conflict, last };
            self.send(from, Body::AppendRejected(rejection));
        }
    }

    pub(super) fn learn_commit(&mut self, commit: Index, trim: Index) {
        self.commit = self.commit.max(commit);
        self.trim = self.trim.max(trim.min(self.commit));
    }

    /// Ends the doubt about lost entries once the log has been filled beyond them, durably.
    pub(super) fn resolve_doubt(&mut self) {
        let State::Follower(follower) = &self.state else { return };
        let filled = follower.verified.min(self.writes.durable());
        if let Some(through) = self.doubt.filter(|&through| filled >= through) {
            self.doubt = None;
            self.outbox.push_back(Output::Event(Event::DoubtResolved { through }));
        }
    }

    pub(super) fn flush_follower(&mut self) {
        self.configurations.committed(self.commit);
        self.acknowledge();
        let State::Follower(follower) = &mut self.state else { return };
        let Some(leader) = self.leader else { return };
        let commands = core::mem::take(&mut follower.proposals);
        let mut commands = commands.into_iter().map(|(_, command)| command).peekable();
        while commands.peek().is_some() {
            let mut bytes = 0;
            let mut batch = Vec::new();
            while let Some(command) = commands.next_if(|command| {
                batch.is_empty() || bytes + command.len() <= self.config.max_append_bytes
            }) {
                bytes += command.len();
                batch.push(command);
            }
            self.parcel.number += 1;
            self.send(leader, Body::Propose { parcel: self.parcel, commands: batch });
        }
        self.ask();
    }

    /// Tells the leader how far the log matches and is durable, and never more than that.
    fn acknowledge(&mut self) {
        let told = !self.writes.outdated(self.term, self.vote);
        let State::Follower(follower) = &mut self.state else { return };
        let Some(leader) = self.leader else { return };
        let matched = follower.verified.min(self.writes.durable());
        let matched = if planted(Mutant::R8) { follower.verified } else { matched };
        let complete = matched == follower.verified;
        // A part is worth telling when a sync has made it grow; what was durable before the append
        // came is no answer to it, and would make a leader that probes send everything again.
        let due = (follower.owes && complete) || (follower.grew && matched > follower.acked);
        // The term is part of the promise (an acknowledging node refuses older candidates for
        // ever): it has to be durable too, not only the entries.
        if !due || !told || !self.writes.promise_is_durable() {
            return;
        }
        follower.acked = matched;
        follower.owes &= !complete;
        follower.grew = false;
        self.send(leader, Body::AppendAccepted { matched });
    }
}

/// Whether these are contiguous entries after `base` as a leader of `term` may hold them, and such
/// as this version can read.
fn is_run(base: Position, entries: &[Entry], term: Term) -> bool {
    let mut before = base;
    (base.index == Index(0)) == (base.term == Term(0))
        && entries.iter().all(|entry| {
            let Position { term, index } = entry.position;
            let follows = index == before.index.next() && term >= before.term && term > Term(0);
            before = entry.position;
            let readable = match &entry.payload {
                Payload::Membership(bytes) => Membership::decode(bytes).is_ok(),
                Payload::Empty | Payload::Command(_) => true,
            };
            follows && readable
        })
        && before.term <= term
}
