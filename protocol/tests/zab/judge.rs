//! The laws that hold over all nodes and all time, whatever fails.
//!
//! | law | what it says |
//! |---|---|
//! | ZI1 | integrity: what is applied was proposed by a leader, and commands by a client |
//! | ZI2 | agreement: what one node has applied, no later established leader lacks |
//! | ZI3 | total order: all nodes apply the same entries, in the same order, without gaps |
//! | ZI4 | local primary order: a leader's entries are applied in the order it proposed them |
//! | ZI5 | global primary order: entries are applied in the order of their epochs |
//! | ZI6 | primary integrity: before a leader proposes, it holds what was applied of lower epochs |
//! | ZI7 | at most one leader an epoch gets through discovery, ever |
//! | ZI8 | an entry is applied when a quorum has it durably, not before |
//! | ZI9 | completeness: who gets through discovery holds what was applied of lower epochs |
//! | ZI10 | no cut, reset or crash takes an applied entry off a disk whose state lacks it |
//! | ZI11 | who looks for a leader has nothing under way, and knows what its disk knows |
//! | ZI12 | what a node has applied only grows while it runs |
//! | ZI13 | who serves holds a prefix of its leader's history |
//! | ZI14 | epochs on disk never fall; who is of one promised it, and holds its beginning |
//! | ZI15 | words are legal: nothing is promised before it is durable, and nothing skips |
//! | ZI16 | reads see all that was applied anywhere before they were asked |
//!
//! The judge believes disks and messages, never a node's own account, where it can.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use protocol::zab::{
    Abandon, Entry, Event, Generation, Message, Mode, Notification, Output, Payload, Phase, ReadId,
    Role, Stance, Status, Write,
};
use protocol::{Index, NodeId, Position, Term};

use crate::disk::Disk;

/// Whether what a word or a write promises goes unjudged (ZI8, ZI11, ZI14 and ZI15), so that only
/// the harm is seen that comes of it. For the planted bugs, to show that they do some.
pub(crate) static HARM_ONLY: AtomicBool = AtomicBool::new(false);

fn strict() -> bool {
    !HARM_ONLY.load(Ordering::Relaxed)
}

/// What a leader began its epoch with.
#[derive(Debug)]
struct Beginning {
    leader: NodeId,
    base: Position,
    history: Vec<Position>,
    /// Whether a quorum took it over: before that, an older history may still win over it.
    established: bool,
}

impl Beginning {
    fn last(&self) -> Position {
        self.history.last().copied().unwrap_or(self.base)
    }

    fn holds(&self, position: Position) -> bool {
        let covered = position.index <= self.base.index && position.term <= self.base.term;
        covered || self.history.contains(&position)
    }
}

/// What has gone over one way of one generation of a link.
#[derive(Debug, Default)]
struct Session {
    sent: Option<Position>,
    acknowledged_leader: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Judge {
    voters: BTreeSet<NodeId>,
    commands: BTreeSet<Bytes>,
    proposed: BTreeMap<Position, Payload>,
    pub(crate) applied: Vec<Entry>,
    beginnings: BTreeMap<Term, Beginning>,
    sessions: BTreeMap<(NodeId, NodeId, Generation), Session>,
    asked: BTreeMap<(NodeId, ReadId), Index>,
    /// Whether a test says what no leader would.
    pub(crate) lies: bool,
    /// How often an established leader came to be.
    pub(crate) reigns: u64,
}

type Disks<'a> = BTreeMap<NodeId, (&'a Disk, usize)>;

impl Judge {
    pub(crate) fn new(voters: BTreeSet<NodeId>) -> Self {
        Self { voters, ..Self::default() }
    }

    pub(crate) fn proposes(&mut self, command: &Bytes) {
        self.commands.insert(command.clone());
    }

    pub(crate) fn asks(&mut self, node: NodeId, id: ReadId) {
        self.asked.insert((node, id), Index(self.applied.len() as u64));
    }

    /// A node says something, to another or to its driver.
    pub(crate) fn sees(&mut self, node: NodeId, output: &Output, status: &Status, disk: &Disk) {
        match output {
            Output::Send { to, generation, message } => {
                self.hears(node, *to, *generation, message, disk);
            }
            Output::Persist { write, .. } => self.sees_write(node, write, status),
            Output::ReadReady { id, index } => {
                let floor = self.asked.remove(&(node, *id)).expect("ZI15: a read that was asked");
                assert!(*index >= floor, "ZI16: a read at {node} sees {index}, not {floor}");
            }
            Output::Event(Event::Role { role, phase, epoch, .. }) => {
                self.sees_role(node, (*role, *phase), *epoch, disk);
            }
            Output::Event(Event::Abandoned(Abandon::Illegal)) => {
                assert!(self.lies, "ZI15: {node} was told what no leader says");
            }
            Output::Reset { .. }
            | Output::Cancel { .. }
            | Output::Commit(_)
            | Output::ReadRefused { .. }
            | Output::ProposalRefused { .. }
            | Output::Fetch { .. }
            | Output::SnapshotWanted { .. }
            | Output::SnapshotEnded { .. }
            | Output::Chunk { .. }
            | Output::ChunkAcked { .. }
            | Output::Event(_) => {}
        }
    }

    /// A leader's own entries are proposals, also those that it had not handed to its disk yet when
    /// it gave up: it may lead again, with them in its history.
    fn sees_write(&mut self, node: NodeId, write: &Write, status: &Status) {
        let led = |epoch: Term| {
            let leads = status.role == Role::Leading && epoch == status.epochs.accepted;
            leads || self.beginnings.get(&epoch).is_some_and(|it| it.leader == node)
        };
        let own: Vec<&Entry> = write.entries.iter().filter(|it| led(it.position.term)).collect();
        own.into_iter().for_each(|entry| self.proposes_entry(entry));
    }

    fn proposes_entry(&mut self, entry: &Entry) {
        let known = self.proposed.entry(entry.position).or_insert_with(|| entry.payload.clone());
        assert_eq!(known, &entry.payload, "ZI7: two entries at {}", entry.position);
        if let Payload::Command(command) = &entry.payload {
            assert!(self.commands.contains(command), "ZI1: nobody asked for {entry}");
        }
    }

    fn hears(
        &mut self,
        from: NodeId,
        to: NodeId,
        generation: Generation,
        message: &Message,
        disk: &Disk,
    ) {
        let legal = |right: bool| {
            assert!(right || !strict(), "ZI15: {from} says {message} to {to}: {disk:?}")
        };
        let session = self.sessions.entry((from, to, generation)).or_default();
        match message {
            Message::LeaderInfo { epoch } => legal(disk.epochs.accepted >= *epoch),
            Message::AckEpoch { current, tail } => {
                legal(tail.last == disk.last());
                legal(current.is_none_or(|current| current == disk.epochs.current));
            }
            Message::Resume { tail } => legal(tail.last == disk.last()),
            Message::NewLeader { epoch } => legal(disk.epochs.current == *epoch),
            Message::Sync(Mode::Diff(at) | Mode::Trunc(at)) => {
                session.sent = Some(*at);
            }
            Message::AckLeader { epoch, through } => {
                legal(disk.epochs.current == *epoch && disk.last().index >= *through);
                session.acknowledged_leader = true;
            }
            Message::Ack { through } => {
                legal(session.acknowledged_leader && disk.last().index >= *through);
            }
            Message::Proposals { base, entries } | Message::Inform { base, entries } => {
                legal(session.sent == Some(*base));
                session.sent = entries.last().map(|entry| entry.position);
                if matches!(message, Message::Inform { .. }) {
                    return;
                }
                for entry in entries.iter().filter(|it| it.position.term == disk.epochs.current) {
                    self.proposes_entry(entry);
                }
            }
            Message::UpToDate { commit: through } | Message::Commit { through } => {
                legal(session.sent.is_some_and(|sent| sent.index >= *through));
            }
            Message::Notification(Notification { stance: Stance::Looking, vote, .. }) => {
                let own = vote.filter(|vote| vote.leader == from);
                let known = own.is_none_or(|vote| {
                    (vote.epoch, vote.last) == (disk.epochs.current, disk.last()) && disk.is_idle()
                });
                assert!(known || !strict(), "ZI11: {from} looks with {vote:?} and holds {disk:?}");
            }
            Message::Notification(_)
            | Message::LearnerInfo { .. }
            | Message::NotLeading
            | Message::Sync(_)
            | Message::Stored { .. }
            | Message::Ping { .. }
            | Message::Pong { .. }
            | Message::Requests { .. }
            | Message::RequestsRefused { .. }
            | Message::ReadIndex { .. }
            | Message::ReadIndexReply { .. }
            | Message::Snapshot { .. }
            | Message::SnapshotReply { .. } => {}
        }
    }

    fn sees_role(&mut self, node: NodeId, (role, phase): (Role, Phase), epoch: Term, disk: &Disk) {
        match (role, phase) {
            (Role::Leading, Phase::Synchronization) => self.begins(node, epoch, disk),
            (Role::Leading, Phase::Broadcast) => {
                if !self.beginnings.contains_key(&epoch) {
                    // Of a node that is alone, both steps are one.
                    self.begins(node, epoch, disk);
                }
                self.reigns += 1;
                let beginning = self.beginnings.get_mut(&epoch);
                let leader = beginning.map(|it| {
                    it.established = true;
                    it.leader
                });
                assert_eq!(leader, Some(node), "ZI7: {node} leads epoch {epoch}, too");
                self.assert_complete(node, epoch, disk, "ZI6");
            }
            (Role::Following | Role::Observing, Phase::Broadcast) => {
                self.assert_prefix(node, epoch, disk);
            }
            _ => {}
        }
    }

    fn begins(&mut self, node: NodeId, epoch: Term, disk: &Disk) {
        self.assert_complete(node, epoch, disk, "ZI9");
        let history = disk.log.iter().map(|entry| entry.position).collect();
        let beginning = Beginning { leader: node, base: disk.base, history, established: false };
        let other = self.beginnings.insert(epoch, beginning).map(|it| it.leader);
        assert!(other.is_none_or(|it| it == node), "ZI7: {other:?} and {node} lead epoch {epoch}");
    }

    /// The leader of `epoch` holds what was applied of lower ones. That a later epoch has begun
    /// and applied something is nothing that it could know of.
    ///
    /// The paper's primary integrity asks that it has *delivered* them. To hold them is enough for
    /// what that is for: a node applies in order, so that all that this leader proposes comes after
    /// them, and it answers no read before it has applied them (ZI16).
    fn assert_complete(&self, node: NodeId, epoch: Term, disk: &Disk, law: &str) {
        let older = self.applied.iter().rev().find(|entry| entry.position.term < epoch);
        if let Some(last) = older {
            assert!(disk.holds(last.position), "{law}: {node} leads without {last}: {disk:?}");
        }
    }

    fn assert_prefix(&self, node: NodeId, epoch: Term, disk: &Disk) {
        let Some(beginning) = self.beginnings.get(&epoch) else {
            panic!("ZI7: nobody began epoch {epoch}");
        };
        for Entry { position, payload } in &disk.log {
            let own = position.term == epoch && self.proposed.get(position) == Some(payload);
            let right = own || beginning.holds(*position) || position.index <= beginning.base.index;
            assert!(right, "ZI13: {node} serves epoch {epoch} and holds {position}: {disk:?}");
        }
    }

    /// A node applies entries, the state before being `state`.
    pub(crate) fn applies(
        &mut self,
        node: NodeId,
        state: &[Entry],
        entries: &[Entry],
        disks: &Disks,
    ) {
        for (place, entry) in entries.iter().enumerate() {
            let index = (state.len() + place + 1) as u64;
            assert_eq!(entry.position.index, Index(index), "ZI12: {node} applies {entry}");
            match self.applied.get(state.len() + place) {
                Some(known) => assert_eq!(known, entry, "ZI3: {node} applies something else"),
                None => self.first(node, entry, disks),
            }
        }
    }

    fn first(&mut self, node: NodeId, entry: &Entry, disks: &Disks) {
        let Position { term, index } = entry.position;
        assert_eq!(self.applied.len() as u64 + 1, index.0, "ZI3: {node} skips to {entry}");
        assert_eq!(self.proposed.get(&entry.position), Some(&entry.payload), "ZI1: {entry}");
        let last = self.applied.last().map_or(Term(0), |entry| entry.position.term);
        assert!(term >= last, "ZI5: {entry} after epoch {last}");
        let holds = |id: &&NodeId| {
            disks.get(id).is_some_and(|(disk, applied)| {
                disk.holds(entry.position) || *applied as u64 >= index.0
            })
        };
        let holders = self.voters.iter().filter(holds).count();
        let quorum = holders > self.voters.len() / 2 || !strict();
        assert!(quorum, "ZI8: {node} applies {entry}, held by {holders}");
        let later = self.beginnings.range(term.next()..);
        for (epoch, beginning) in later.filter(|it| it.1.established) {
            let leader = beginning.leader;
            assert!(beginning.holds(entry.position), "ZI2: {leader} led {epoch} without {entry}");
        }
        self.applied.push(entry.clone());
    }

    /// A disk has changed. `applied` is how much the state beside it covers.
    pub(crate) fn sees_disk(&self, node: NodeId, before: &Disk, after: &Disk, applied: usize) {
        if strict() {
            self.sees_epochs(node, before, after);
        }
        let known = self.applied.iter().skip(applied).map(|entry| entry.position);
        for position in known.filter(|&position| before.holds(position)) {
            assert!(after.holds(position), "ZI10: {node} loses {position}");
        }
    }

    fn sees_epochs(&self, node: NodeId, before: &Disk, after: &Disk) {
        let (old, new) = (before.epochs, after.epochs);
        assert!(new.accepted >= old.accepted, "ZI14: {node} forgets epoch {}", old.accepted);
        assert!(new.current >= old.current, "ZI14: {node} goes back from {}", old.current);
        assert!(new.current <= new.accepted, "ZI14: {node} is of an epoch it never promised");
        assert!(after.last().term <= new.accepted, "ZI14: {node} holds an epoch to come");
        if new.current > old.current
            && let Some(beginning) = self.beginnings.get(&new.current)
        {
            let whole = after.holds(beginning.last());
            assert!(whole, "ZI14: {node} is of epoch {} without its history", new.current);
        }
    }
}
