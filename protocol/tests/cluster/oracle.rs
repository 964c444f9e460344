//! Sees everything, remembers everything, and checks each law where it could break.

use std::collections::{BTreeMap, BTreeSet};

use protocol::raft::{
    Body, Entry, HardState, Membership, Message, Output, Payload, Raft, ReadId, Role,
};
use protocol::{Index, NodeId, Position, Term};

/// What the oracle reads of a node beside the core itself.
pub(crate) struct Image<'a> {
    pub(crate) id: NodeId,
    pub(crate) raft: &'a Raft,
    /// The log as handed to storage, durable or not.
    pub(crate) view: &'a [Entry],
    /// The log and the hard state that would survive a crash now.
    pub(crate) durable: &'a [Entry],
    pub(crate) hard_state: HardState,
}

#[derive(Default)]
pub(crate) struct Oracle {
    leaders: BTreeMap<Term, NodeId>,
    entries: BTreeMap<Position, (Term, Payload)>,
    pub(crate) committed: Vec<Entry>,
    votes: BTreeMap<(NodeId, Term), NodeId>,
    progress: BTreeMap<NodeId, Progress>,
    /// Through here, a leader has shown a majority.
    decided: Index,
    proposed: BTreeMap<Vec<u8>, Term>,
    reads: BTreeMap<(NodeId, ReadId), Index>,
}

/// What was last seen of a node.
struct Progress {
    term: Term,
    commit: Index,
    membership: Membership,
    led: bool,
}

fn at(log: &[Entry], index: Index) -> Option<&Entry> {
    log.get(usize::try_from(index.0).unwrap().checked_sub(1)?)
}

fn holds(log: &[Entry], position: Position) -> bool {
    at(log, position.index).is_some_and(|entry| entry.position == position)
}

impl Oracle {
    pub(crate) fn proposed(&mut self, command: &[u8], term: Term) {
        self.proposed.insert(command.to_vec(), term);
    }

    pub(crate) fn restarted(&mut self, node: NodeId) {
        self.reads.retain(|&(reader, _), _| reader != node);
        // The commit index may lag on disk; the term may not, as votes and messages are checked.
        self.progress.remove(&node);
    }

    pub(crate) fn read_arrives(&mut self, node: NodeId, id: ReadId, commits: Option<Index>) {
        let committed = Index(u64::try_from(self.committed.len()).unwrap());
        self.reads.insert((node, id), commits.unwrap_or(committed).max(committed));
    }

    pub(crate) fn waiting_reads(&self) -> usize {
        self.reads.len()
    }

    /// RI2, RI3: called before the write reaches the view.
    pub(crate) fn persists(&mut self, node: &Image<'_>, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        let from = usize::try_from(first.position.index.0).unwrap();
        assert!(from <= node.view.len() + 1, "RI3: {} leaves a gap", node.id);
        if node.raft.role() == Role::Leader {
            assert_eq!(from, node.view.len() + 1, "RI2: leader {} rewrites its log", node.id);
        }
        let mut before = at(node.view, first.position.index.previous()).map(|e| e.position.term);
        for entry in entries {
            let known = (before.unwrap_or_default(), entry.payload.clone());
            let first = self.entries.entry(entry.position).or_insert_with(|| known.clone());
            assert_eq!(*first, known, "RI3: two entries {} at {}", entry.position, node.id);
            before = Some(entry.position.term);
        }
    }

    /// What is true of a node between steps.
    pub(crate) fn observe(&mut self, node: &Image<'_>, others: &[Image<'_>]) {
        let (term, commit) = (node.raft.term(), node.raft.commit());
        let membership = node.raft.membership().clone();
        let led = node.raft.role() == Role::Leader;
        let now = Progress { term, commit, membership, led };
        let before = self.progress.insert(node.id, now);
        let ruled = before.as_ref().map(|before| before.membership.clone());
        let led = before.as_ref().is_some_and(|before| before.led);
        let before = before.map_or_else(Default::default, |before| (before.term, before.commit));
        assert!(term >= before.0 && commit >= before.1, "RI7: {} goes back", node.id);
        if node.raft.role() == Role::Leader {
            let leader = *self.leaders.entry(term).or_insert(node.id);
            assert_eq!(leader, node.id, "RI1: two leaders in term {term}");
            // A leader of the past need not know what later ones commit.
            if let Some(last) = self.committed.last().filter(|last| last.position.term <= term) {
                assert!(holds(node.view, last.position), "RI4: leader {} lacks {last:?}", node.id);
            }
            if commit > before.1 {
                let counted = at(node.view, commit).map(|entry| entry.position.term);
                assert_eq!(counted, Some(term), "RI10: leader {} counts the past", node.id);
                self.decides(node, others, ruled);
            }
            self.changes(node);
        } else if commit > before.1 && led {
            // It committed and was deposed between two looks.
            self.decides(node, others, ruled);
        } else if commit > before.1 {
            let held = at(node.view, commit).map(|entry| entry.position);
            assert!(held.is_some(), "RI11: {} commits {commit} beyond its log", node.id);
            let leader = others.iter().find(|other| self.leads(other, term));
            if let Some(theirs) = leader.and_then(|leader| at(leader.view, commit)) {
                assert_eq!(held, Some(theirs.position), "RI11: {} commits another entry", node.id);
            }
        }
    }

    /// RI9: under the configuration in force, or the one that this very turn has replaced.
    fn decides(&mut self, node: &Image<'_>, others: &[Image<'_>], ruled: Option<Membership>) {
        let held = at(node.view, node.raft.commit());
        let position = held.expect("RI9: what storage has not seen is committed").position;
        let holders: Vec<NodeId> = others
            .iter()
            .chain([node])
            .filter(|image| holds(image.durable, position))
            .map(|image| image.id)
            .collect();
        let most = |ids: &BTreeSet<NodeId>| {
            ids.iter().filter(|id| holders.contains(id)).count() > ids.len() / 2
        };
        let won = |it: &Membership| most(&it.voters) && (!it.is_joint() || most(&it.outgoing));
        let fair = won(node.raft.membership()) || ruled.as_ref().is_some_and(won);
        assert!(fair, "RI9: {position} is on {holders:?} only, of {}", node.raft.membership());
        self.decided = self.decided.max(position.index);
    }

    /// RI12: the members change one step at a time, under a leader that knows what is committed.
    fn changes(&self, node: &Image<'_>) {
        let commit = node.raft.commit();
        let pending: Vec<&Entry> = node
            .view
            .iter()
            .filter(|entry| entry.position.index > commit)
            .filter(|entry| matches!(entry.payload, Payload::Membership(_)))
            .collect();
        // A new leader may inherit some of which it does not know that they are committed.
        let own = pending.iter().filter(|entry| entry.position.term == node.raft.term()).count();
        assert!(own <= 1, "RI12: {} changes twice at once: {pending:?}", node.id);
        let own = own > 0;
        let known = at(node.view, commit).map(|entry| entry.position.term);
        assert!(!own || known == Some(node.raft.term()), "RI12: {} changes too early", node.id);
    }

    /// RI14: an installed state is what was committed, as far as it goes, and takes nobody back.
    pub(crate) fn installs(&self, node: NodeId, applied: &[Entry], state: &[Entry]) {
        self.agrees(node, state);
        let (before, after) = (applied.len(), state.len());
        assert!(after > before, "RI14: {node} goes back from {before} to {after}");
    }

    /// RI5: all that a state machine has applied.
    pub(crate) fn agrees(&self, node: NodeId, state: &[Entry]) {
        let committed = self.committed.get(..state.len());
        assert_eq!(committed, Some(state), "RI5: the state of {node} is another");
    }

    /// RI14: a log that leads to the state is kept, and with it what was acknowledged of it.
    pub(crate) fn resets(&mut self, node: &Image<'_>, base: Position) {
        assert!(holds(&self.committed, base), "RI14: {} begins after {base}", node.id);
        assert!(!holds(node.view, base), "RI14: {} gives up a log that leads on", node.id);
    }

    fn leads(&self, node: &Image<'_>, term: Term) -> bool {
        node.raft.term() == term && node.raft.role() == Role::Leader
    }

    /// Checks an output at the moment it becomes visible.
    pub(crate) fn emits(&mut self, node: &Image<'_>, others: &[Image<'_>], output: &Output) {
        match output {
            Output::Send { to, message } => self.sends(node, others, *to, message),
            Output::Commit(entries) => {
                let seen = self.progress.get(&node.id);
                let led = seen.is_some_and(|seen| seen.led);
                if led || node.raft.role() == Role::Leader {
                    self.decides(node, others, seen.map(|seen| seen.membership.clone()));
                }
                self.commits(node, entries);
            }
            Output::ReadReady { id, index } => {
                let least = self.reads.remove(&(node.id, *id)).expect("RI13: a read nobody asked");
                assert!(*index >= least, "RI13: {} reads {index}, not {least}", node.id);
            }
            Output::ReadRefused { id, .. } => {
                self.reads.remove(&(node.id, *id)).expect("a refusal of a read nobody asked");
            }
            Output::Persist { .. }
            | Output::ProposalRefused { .. }
            | Output::ReconfigureRefused { .. }
            | Output::Membership { .. }
            | Output::Fetch { .. }
            | Output::SnapshotWanted { .. }
            | Output::SnapshotEnded { .. }
            | Output::Chunk { .. }
            | Output::ChunkAcked { .. }
            | Output::Event(_) => {}
        }
    }

    fn sends(&mut self, node: &Image<'_>, others: &[Image<'_>], to: NodeId, message: &Message) {
        let promised = |vote| {
            let durable = node.hard_state;
            durable.term > message.term || (durable.term == message.term && durable.vote == vote)
        };
        let term = message.term;
        if let Body::VoteReply { granted: true } = message.body {
            assert!(promised(Some(to)), "RI6: {} tells a vote before it is durable", node.id);
            self.votes_for(node.id, term, to);
        }
        if let Body::Vote { .. } = message.body {
            assert!(promised(Some(node.id)), "RI6: {} campaigns too early", node.id);
            self.votes_for(node.id, term, node.id);
        }
        if let Body::AppendAccepted { matched } = message.body {
            assert!(node.hard_state.term >= term, "RI8: the term is not durable");
            let held = at(node.durable, matched).map(|entry| entry.position);
            assert!(matched == Index(0) || held.is_some(), "RI8: {} acks {matched}", node.id);
            if let Some(leader) = others.iter().find(|other| self.leads(other, term)) {
                let theirs = at(leader.view, matched).map(|entry| entry.position);
                assert_eq!(held, theirs, "RI8: {} acknowledges another entry", node.id);
            }
        }
    }

    fn votes_for(&mut self, voter: NodeId, term: Term, candidate: NodeId) {
        let first = *self.votes.entry((voter, term)).or_insert(candidate);
        assert_eq!(first, candidate, "RI6: {voter} votes twice in term {term}");
    }

    fn commits(&mut self, node: &Image<'_>, entries: &[Entry]) {
        for entry in entries {
            assert!(holds(node.durable, entry.position), "RI9: not durable at {}", node.id);
            if let Some(known) = at(&self.committed, entry.position.index) {
                assert_eq!(known, entry, "RI5: {} applies another entry", node.id);
                continue;
            }
            let next = u64::try_from(self.committed.len()).unwrap() + 1;
            assert_eq!(entry.position.index.0, next, "RI5: {} skips entries", node.id);
            assert!(entry.position.index <= self.decided, "RI9: nobody decided {}", entry.position);
            if let Payload::Command(command) = &entry.payload {
                let term = self.proposed.get(&command[..]).copied();
                assert_eq!(term, Some(entry.position.term), "RI12: {entry:?} came late");
            }
            self.committed.push(entry.clone());
        }
    }
}
