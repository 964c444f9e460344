//! Snapshots in the world: leaders cut their state into pieces, followers put it together again.
//!
//! The state machine is the list of all entries applied. A leader's view is what its disk had when
//! it was asked; it repeats pieces until it hears of them, sends some out of turn, and sometimes
//! gives up. A follower that has them all switches its disk to the new state, and its memory and
//! its core some time later: a crash may come between any two steps.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::mutant::{Mutant, planted};
use protocol::raft::{Entry, Input, Output, Payload};
use protocol::{Index, NodeId, Position, Term};

use crate::members::membership;
use crate::world::{Happening, Node, World};

/// A snapshot on its way to a peer.
struct Transfer {
    name: u64,
    last: Position,
    pieces: Vec<Bytes>,
    next: usize,
    tries: u32,
    /// Nothing will come of it.
    void: bool,
}

/// A snapshot as far as it has come. `last` alone does not tell it from another: two views of one
/// state may be cut into different pieces.
struct Staging {
    name: u64,
    last: Position,
    next: u64,
    entries: Vec<Entry>,
}

/// What a node has to do with snapshots; all but `installed` is gone after a crash.
#[derive(Default)]
pub(crate) struct Snapshots {
    sending: BTreeMap<NodeId, Transfer>,
    staging: Option<Staging>,
    /// Whole: the disk is being switched, or has been and the core has not heard of it.
    pub(crate) installing: Option<Position>,
    /// Where a snapshot last put the state on disk.
    pub(crate) installed: Position,
}

fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let (kind, command) = match &entry.payload {
            Payload::Empty => (0, &[][..]),
            Payload::Command(command) => (1, &command[..]),
            Payload::Membership(command) => (2, &command[..]),
        };
        let Position { term, index } = entry.position;
        let length = u64::try_from(command.len()).unwrap();
        [term.0, index.0, kind, length]
            .iter()
            .for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        out.extend_from_slice(command);
    }
    out
}

fn decode(data: &[u8]) -> Vec<Entry> {
    let (mut rest, mut entries) = (data, Vec::new());
    while let Some((head, tail)) = rest.split_first_chunk::<32>() {
        let number = |place: usize| {
            let bytes = &head[place * 8..place * 8 + 8];
            u64::from_le_bytes(bytes.try_into().unwrap())
        };
        let (command, tail) = tail.split_at(usize::try_from(number(3)).unwrap());
        let command = Bytes::copy_from_slice(command);
        let payload = match number(2) {
            0 => Payload::Empty,
            1 => Payload::Command(command),
            _ => Payload::Membership(command),
        };
        let position = Position::new(Term(number(0)), Index(number(1)));
        entries.push(Entry { position, payload });
        rest = tail;
    }
    entries
}

impl World {
    /// Carries out what the core of `n` wants done about snapshots.
    pub(crate) fn snapshot_output(&mut self, n: usize, output: Output) {
        match output {
            Output::SnapshotWanted { peer, next } => self.wanted(n, peer, next),
            Output::SnapshotEnded { peer } => {
                self.nodes[n].snapshots.sending.remove(&peer);
            }
            Output::Chunk { from, last, number, data, done } => {
                let next = self.stage(n, last, number, &data, done);
                let input = Input::ChunkReply { to: from, last, next };
                let life = self.nodes[n].life;
                let after = self.rng.below(5);
                self.plan(after, Happening::Answer { node: n, life, input });
            }
            Output::ChunkAcked { peer, last, next } => self.acked(n, peer, last, next),
            other => panic!("{other:?} is about no snapshot"),
        }
    }

    fn wanted(&mut self, n: usize, peer: NodeId, next: Index) {
        let size = 1 + self.pick(20);
        self.sequence += 1;
        let name = self.sequence;
        let node = &mut self.nodes[n];
        if node.snapshots.installing.is_none() {
            node.disk.clone_from(&node.state);
        }
        let view = &node.disk;
        let last = view.last().map_or(Position::ORIGIN, |entry| entry.position);
        let piece = |entries| [&name.to_le_bytes(), &encode(entries)[..]].concat().into();
        let pieces: Vec<Bytes> = view.chunks(size).map(piece).collect();
        let void = last.index < next;
        let transfer = Transfer { name, last, pieces, next: 0, tries: 0, void };
        let before = node.snapshots.sending.insert(peer, transfer);
        assert!(before.is_none(), "RI14: a snapshot for {peer} is wanted twice");
        let life = node.life;
        self.snapshots_sent += 1;
        self.plan(0, Happening::Remind { node: n, life, peer, name });
    }

    fn piece(&self, n: usize, peer: NodeId, number: usize) -> Option<Input> {
        let transfer = self.nodes[n].snapshots.sending.get(&peer)?;
        let number = number.min(transfer.pieces.len().checked_sub(1)?);
        let (last, done) = (transfer.last, number + 1 == transfer.pieces.len());
        let data = transfer.pieces[number].clone();
        let number = u64::try_from(number).unwrap();
        Some(Input::SendChunk { to: peer, last, number, data, done })
    }

    /// Sends again what a peer seems not to have got.
    pub(crate) fn remind(&mut self, n: usize, peer: NodeId, name: u64) {
        let hopeless = self.chance(if self.weather.lose_percent > 0 { 2 } else { 0 });
        let ahead = if self.chance(30) { 1 + self.pick(2) } else { 0 };
        let Some(transfer) = self.nodes[n].snapshots.sending.get_mut(&peer) else { return };
        if transfer.name != name {
            return;
        }
        transfer.tries += 1;
        if transfer.void || hopeless || transfer.tries > 60 {
            self.nodes[n].snapshots.sending.remove(&peer);
            return self.input(n, Input::SnapshotFailed { peer });
        }
        let next = transfer.next;
        let life = self.nodes[n].life;
        for number in [next + ahead, next] {
            if let Some(input) = self.piece(n, peer, number) {
                self.input(n, input);
            }
        }
        let after = 10 + self.rng.below(30);
        self.plan(after, Happening::Remind { node: n, life, peer, name });
    }

    fn acked(&mut self, n: usize, peer: NodeId, last: Position, next: Option<u64>) {
        let life = self.nodes[n].life;
        let Some(transfer) = self.nodes[n].snapshots.sending.get_mut(&peer) else { return };
        if transfer.last != last {
            return;
        }
        let Some(next) = next else {
            transfer.void = true;
            return;
        };
        let next = usize::try_from(next).unwrap_or(usize::MAX);
        if next > transfer.pieces.len() {
            return;
        }
        let news = next != transfer.next;
        transfer.next = next;
        if let Some(input) = self.piece(n, peer, next).filter(|_| news) {
            self.plan(0, Happening::Answer { node: n, life, input });
        }
    }

    /// Takes a piece in; gives the one to be sent next.
    fn stage(
        &mut self,
        n: usize,
        last: Position,
        number: u64,
        data: &[u8],
        done: bool,
    ) -> Option<u64> {
        if self.chance(1) {
            // It found the piece broken.
            if self.nodes[n].snapshots.installing.is_none() {
                self.nodes[n].snapshots.staging = None;
            }
            return None;
        }
        let node = &mut self.nodes[n];
        let life = node.life;
        let (name, data) = data.split_first_chunk()?;
        let name = u64::from_le_bytes(*name);
        let known = node.snapshots.staging.as_ref().filter(|staging| staging.name == name);
        if known.is_none() {
            if number > 0 || node.snapshots.installing.is_some() {
                return Some(0);
            }
            node.snapshots.staging = Some(Staging { name, last, next: 0, entries: Vec::new() });
        }
        let staging = node.snapshots.staging.as_mut()?;
        if number != staging.next {
            return Some(staging.next);
        }
        staging.next += 1;
        let next = staging.next;
        staging.entries.extend(decode(data));
        if done {
            let behind = u64::try_from(node.state.len()).unwrap() < last.index.0;
            if behind || planted(Mutant::R17) {
                node.snapshots.installing = Some(last);
                let after = self.rng.below(20);
                self.plan(after, Happening::Switch { node: n, life });
            } else {
                node.snapshots.staging = None;
            }
        }
        Some(next)
    }

    /// The disk has the new state from one moment to the next.
    pub(crate) fn switch(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let life = node.life;
        let staging = node.snapshots.staging.take().expect("a whole snapshot");
        assert_eq!(staging.entries.last().map(|entry| entry.position), Some(staging.last));
        self.oracle.installs(node.id, &node.state, &staging.entries);
        node.snapshots.installed = staging.last;
        node.disk = staging.entries;
        self.snapshots_installed += 1;
        let after = self.rng.below(20);
        self.plan(after, Happening::Switched { node: n, life });
        self.trip(n);
    }

    /// A crash where it hurts most.
    fn trip(&mut self, n: usize) {
        if self.weather.fault_percent > 0 && self.chance(20) {
            self.crash(n);
        }
    }

    /// So has the memory, and the core learns of it: once more later on, which changes nothing.
    pub(crate) fn switched(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let life = node.life;
        let last = node.snapshots.installing.take().expect("a switch was under way");
        node.state.clone_from(&node.disk);
        node.queue.clear();
        let membership = membership(&node.state);
        let input = Input::Installed { last, membership };
        if self.chance(20) {
            let input = input.clone();
            self.plan(50, Happening::Answer { node: n, life, input });
        }
        self.input(n, input);
        self.trip(n);
    }
}

impl Node {
    /// The log begins anew: what is before is what the state stands for.
    pub(crate) fn begins_anew(state: &[Entry], base: Position) -> Vec<Entry> {
        let length = usize::try_from(base.index.0).unwrap();
        let covered = state.get(length - 1).map(|entry| entry.position);
        assert_eq!(covered, Some(base), "RI14: the log gives up what the state does not cover");
        state[..length].to_vec()
    }

    /// After a crash the state may have been switched without the log. Gives whether it was.
    pub(crate) fn mend(&mut self) -> bool {
        let installed = std::mem::take(&mut self.snapshots).installed;
        self.snapshots.installed = installed;
        self.queue.clear();
        self.state.clone_from(&self.disk);
        let Some(last) = self.disk.last().map(|entry| entry.position) else { return false };
        let held = self.durable.get(self.disk.len() - 1).map(|entry| entry.position);
        let lags = held != Some(last);
        if lags {
            assert_eq!(installed, last, "RI14: the state is ahead of the log");
            self.durable.clone_from(&self.disk);
            self.base = last.index;
        }
        lags
    }
}
