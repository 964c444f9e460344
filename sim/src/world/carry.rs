//! What a node wants done, and when it is done: production's driver, in virtual time.

use std::time::Duration;

use bytes::Bytes;
use node::codec::{FRAME_HEADER, FrameHeader, decode_message, encode_message, frame, unframe};
use node::{Event as Told, Input, Message, Output, gather};
use protocol::{Index, NodeId, Position, WriteId};
use storage::log::LogError;

use super::machine::{Chore, Done, Durable, Queued, READER, WRITER};
use super::network::{bytes, piece};
use super::{Event, Status, World, eyes};
use crate::draw::Draw;
use crate::marks::Mark;
use crate::seen::{Fate, Place, Seen, id, place};
use crate::trace::name;

/// The pause of the state's thread between two steps of giving space back.
pub(super) const BREATH: Duration = Duration::from_millis(10);
/// The pause before a log that found no room tries again.
const ROOM_PAUSE: Duration = Duration::from_secs(1);

impl World {
    /// Carries out everything that a node wants now, and looks at it.
    pub(crate) fn drain(&mut self, at: Place) {
        if self.machines[at].is_mending() {
            return self.drain_patient(at);
        }
        while let Some(running) = self.machines[at].running() {
            let Some(output) = running.node.poll_output() else { break };
            self.carry_out(at, output);
        }
        self.begin_sync(at);
        self.begin_chore(at, WRITER);
        self.begin_chore(at, READER);
        self.set_timer(at);
        let Status::Up(running) = &mut self.machines[at].status else { return };
        let (compared, condemned) = running.node.compared();
        if compared > 0 {
            self.eyes.marks.hit(Mark::StatesCompared);
        }
        if condemned {
            self.eyes.violate(self.now, "MI6 equality", || {
                format!("{} was found by the others to have another state", crate::trace::name(at))
            });
        }
        let Status::Up(running) = &mut self.machines[at].status else { return };
        let mut view = eyes::view(&running.node);
        let applied = view.applied.index;
        if applied > running.digested && eyes::digest_due(applied.0) {
            running.digested = applied;
            view.digest = eyes::digest(&running.node);
        }
        self.eyes.see(self.now, &Seen::Turn { at, view: &view, last: false });
    }

    /// Notes when a node has something to do even if nothing comes in.
    pub(super) fn set_timer(&mut self, at: Place) {
        let machine = &mut self.machines[at];
        let Status::Up(running) = &mut machine.status else { return };
        running.timer = running.due().map(|local| machine.clock.when(local));
    }

    fn carry_out(&mut self, at: Place, output: Output) {
        match output {
            Output::Send { to, message } => self.send(at, to, message),
            Output::Persist { id, write } => self.hand_to_log(at, id, Queued::Write(write)),
            Output::Cut { id, through } => self.hand_to_log(at, id, Queued::Cut(through)),
            Output::Fetch { peer, from, max_bytes } => {
                let life = self.machines[at].life;
                let after =
                    self.disks.between(&(Duration::from_micros(50)..=Duration::from_millis(2)));
                let event = Event::Fetched { at, life, peer, from, max_bytes };
                self.queue.push(self.now + after, event);
                self.eyes.marks.hit(Mark::FetchedFromLog);
            }
            Output::Look { peer, life, wanted } => self.look(at, peer, life, wanted),
            Output::Trim(through) => self.trim(at, through),
            Output::Reply { id, reply } => {
                self.eyes.see(self.now, &Seen::Replied { at, id, reply: &reply });
                self.replied(at, id, reply);
            }
            Output::Load(revisions) => {
                self.eyes.marks.hit(Mark::LoadedFromState);
                self.chore(at, Chore::Load(revisions));
            }
            Output::Flush(flush) => self.chore(at, Chore::Flush(flush)),
            Output::Discard(dead) => self.chore(at, Chore::Discard(dead)),
            Output::Scan { token, from, to, limit } => {
                self.eyes.marks.hit(Mark::WatchCaughtUpFromState);
                self.chore(at, Chore::Scan { token, from, to, limit });
            }
            Output::ViewOpen { view } => self.chore(at, Chore::ViewOpen(view)),
            Output::ViewRead { view, from, limit } => {
                self.chore(at, Chore::Part { view, from, limit });
            }
            Output::ViewClose { view } => self.chore(at, Chore::ViewClose(view)),
            Output::StageBegin => {
                if std::mem::take(&mut self.machines[at].staged) {
                    self.eyes.marks.hit(Mark::SnapshotRestarted);
                }
                self.chore(at, Chore::StageBegin);
            }
            Output::Stage(records) => {
                self.machines[at].staged = true;
                self.chore(at, Chore::Stage(records));
            }
            Output::StageAbort => self.chore(at, Chore::StageAbort),
            Output::Install { meta, applied } => {
                self.eyes.see(self.now, &Seen::Installing { at, last: applied });
                self.chore(at, Chore::Install { meta, applied });
            }
            Output::Economise(short) => self.economise(at, short),
            Output::SnapshotRefused { from, why } => {
                self.note(&format!("{} refuses the state of {from}: {why}", name(at)));
            }
            Output::Watch { stream, response } => {
                let seen = Seen::Watched { at, stream: stream.0, response: &response };
                self.eyes.see(self.now, &seen);
                self.watched(at, stream, response);
            }
            Output::WatchOverrun(stream) => self.crowd.overrun(self.now, stream),
            Output::Membership { at: since, membership } => {
                self.members_changed(at, since, membership)
            }
            Output::Event(Told::Raft(event)) => self.eyes.marks.event(&event),
            Output::Event(Told::Zab(event)) => {
                self.eyes.marks.told(&event);
                self.note(&format!("{}: {event:?}", name(at)));
            }
            Output::Halt(error) => self.halt(at, &format!("the state failed: {error}")),
            Output::Removed => self.removed(at),
            Output::Stopped => self.stopped(at),
        }
    }

    fn hand_to_log(&mut self, at: Place, id: WriteId, queued: Queued) {
        let seen = match &queued {
            Queued::Write(write) => Seen::Handed { at, id, write },
            Queued::Cut(through) => Seen::Cut { at, id, through: *through },
        };
        self.eyes.see(self.now, &seen);
        if let Some(running) = self.machines[at].running() {
            running.queued.push((id, queued));
        }
    }

    pub(super) fn send(&mut self, at: Place, to: NodeId, message: Message) {
        let Some(message) = self.send_letter(at, to, message) else { return };
        let Some(to) = place(to).filter(|to| *to < self.machines.len()) else { return };
        if !self.may_speak(at, to) {
            return;
        }
        let mut message = message;
        let number = self.network.name();
        let (fate, mut flipped) = self.network.send(self.now, at, to, bytes(&message));
        if flipped && let Some(data) = piece(&mut message) {
            // Before the frame: what comes from a disk has a checksum of its own, end to end.
            flipped = false;
            *data = self.spoil(data);
        }
        if flipped && !matches!(fate, Fate::Cut | Fate::Lost) {
            self.corrupt(at, to, number, &message);
            return;
        }
        if let Message::Raft(message) = &message {
            let seen = Seen::Sent { from: at, to, number, message, fate };
            self.eyes.see(self.now, &seen);
        }
        match fate {
            Fate::Arrives(time) => {
                self.queue.push(time, Event::Deliver { from: at, to, number, message });
            }
            Fate::Doubled(first, second) => {
                let again = Event::Deliver { from: at, to, number, message: message.clone() };
                self.queue.push(second, again);
                self.queue.push(first, Event::Deliver { from: at, to, number, message });
            }
            Fate::Lost | Fate::Cut => {}
        }
    }

    /// A bit flips in the memory of whoever sends this piece.
    pub(super) fn spoil(&mut self, data: &Bytes) -> Bytes {
        let mut spoiled = data.to_vec();
        let bit = self.network.draw(spoiled.len() as u64 * 8);
        spoiled[usize::try_from(bit / 8).unwrap_or(0)] ^= 1 << (bit % 8);
        self.eyes.marks.hit(Mark::PieceDamaged);
        spoiled.into()
    }

    /// A bit flips on the wire: production's frame must be refused, and the link breaks.
    fn corrupt(&mut self, at: Place, to: Place, number: u64, message: &Message) {
        if let Message::Raft(message) = message {
            let seen = Seen::Sent { from: at, to, number, message, fate: Fate::Lost };
            self.eyes.see(self.now, &seen);
        }
        self.frame.clear();
        if frame(&mut self.frame, |out| encode_message(message, out)).is_err() {
            return;
        }
        let bit = self.network.draw(self.frame.len() as u64 * 8);
        let byte = usize::try_from(bit / 8).unwrap_or(0);
        self.frame[byte] ^= 1 << (bit % 8);
        let header = self.frame.first_chunk::<FRAME_HEADER>().copied().unwrap_or_default();
        let body = Bytes::copy_from_slice(&self.frame[FRAME_HEADER..]);
        let read = FrameHeader::decode(header)
            .and_then(|header| unframe(header, body))
            .and_then(decode_message);
        if let Ok(read) = read {
            self.eyes.violate(self.now, "N12 checksum of frames", || {
                format!("a flipped bit made {message} into {read}")
            });
        }
        self.eyes.marks.hit(Mark::FrameRefused);
        self.queue.push(self.now + BREATH, Event::Broken { at, peer: id(to) });
    }

    fn begin_sync(&mut self, at: Place) {
        let latency = self.disks.between(&self.options.disks.sync);
        let now = self.now;
        let slow = self.storm.sync_delay(at);
        let machine = &mut self.machines[at];
        let life = machine.life;
        let Some(running) = machine.running() else { return };
        if running.syncing.is_some() || running.queued.is_empty() {
            return;
        }
        match running.begin_sync() {
            Ok(number) => {
                self.queue.push(now + latency + slow, Event::Synced { at, life, number });
            }
            Err(error) => self.halt(at, &format!("the log failed: {error}")),
        }
    }

    /// A sync that is stuck comes to its end.
    pub(crate) fn unstick(&mut self, at: Place) {
        let machine = &mut self.machines[at];
        let life = machine.life;
        let Some(running) = machine.running().filter(|running| running.syncing.is_some()) else {
            return;
        };
        running.syncs += 1;
        let number = running.syncs;
        self.queue.push(self.now, Event::Synced { at, life, number });
    }

    /// The sync under way comes to its end: only now does it touch the disk, so that a crash before
    /// finds nothing of it, or any part of it.
    pub(super) fn synced(&mut self, at: Place, life: u64, number: u64) {
        let machine = &mut self.machines[at];
        if machine.life != life || machine.alive().is_none_or(|running| running.syncs != number) {
            return;
        }
        if let Status::Paused(_) = machine.status {
            // A stopped process learns of it when it goes on.
            self.queue.push(self.now + BREATH, Event::Synced { at, life, number });
            return;
        }
        let Some(running) = machine.running() else { return };
        let Some(id) = running.syncing.take() else { return };
        match running.log.sync() {
            Ok(()) => self.persisted(at, id),
            // It is queued still: tried again until there is room.
            Err(LogError::NoSpare { .. }) => {
                running.syncing = Some(id);
                self.eyes.marks.hit(Mark::LogWithoutRoom);
                self.queue.push(self.now + ROOM_PAUSE, Event::Synced { at, life, number });
            }
            Err(error) => self.halt(at, &format!("the log failed: {error}")),
        }
    }

    fn persisted(&mut self, at: Place, id: WriteId) {
        self.storm.synced(at);
        self.eyes.see(self.now, &Seen::Durable { at, id });
        self.feed(at, Input::Persisted(id));
        self.drain(at);
    }

    pub(super) fn fetched(
        &mut self,
        at: Place,
        life: u64,
        peer: NodeId,
        from: Index,
        max_bytes: usize,
    ) {
        let machine = &self.machines[at];
        let Some(running) = machine.alive().filter(|_| machine.life == life) else { return };
        let entries = running.log.read(from, max_bytes).ok();
        self.feed(at, Input::Fetched { peer, from, entries });
        self.drain(at);
    }

    /// Looks through the log for a node that mends its own.
    fn look(&mut self, at: Place, peer: NodeId, life: u64, wanted: Vec<Position>) {
        let Some(running) = self.machines[at].running() else { return };
        let (entries, absent) = gather(wanted, |position| running.log.find(position));
        self.feed(at, Input::Found { peer, life, entries, absent });
    }

    fn trim(&mut self, at: Place, through: Index) {
        let Some(running) = self.machines[at].running() else { return };
        match running.trim(through) {
            Ok(base) => {
                self.eyes.marks.hit(Mark::LogTrimmed);
                self.eyes.see(self.now, &Seen::Trimmed { at, base });
                self.feed(at, Input::Trimmed(base));
            }
            Err(error) => self.halt(at, &format!("the log failed: {error}")),
        }
    }

    fn chore(&mut self, at: Place, chore: Chore) {
        if let Some(running) = self.machines[at].running() {
            running.queue(chore);
        }
    }

    /// Lets one of the state's threads take up its next chore.
    fn begin_chore(&mut self, at: Place, thread: usize) {
        let machine = &mut self.machines[at];
        let life = machine.life;
        let Some(running) = machine.running() else { return };
        let own = &mut running.threads[thread];
        if own.busy {
            return;
        }
        let share = match own.chores.front() {
            Some(Chore::Flush(_) | Chore::Install { .. }) => Some(1),
            Some(_) => Some(8),
            None if running.restless && thread == WRITER => None,
            None => return,
        };
        own.busy = true;
        let disks = &mut self.disks;
        let after = share.map_or(BREATH, |share| disks.between(&self.options.disks.sync) / share);
        self.queue.push(self.now + after, Event::Chore { at, life, thread });
    }

    pub(super) fn chore_done(&mut self, at: Place, life: u64, thread: usize) {
        let machine = &mut self.machines[at];
        if machine.life != life {
            return;
        }
        let running = match &mut machine.status {
            Status::Up(running) => running,
            // A stopped process does nothing until it goes on.
            Status::Paused(_) => {
                return self.queue.push(self.now + BREATH, Event::Chore { at, life, thread });
            }
            Status::Down | Status::Mending(_) => return,
        };
        running.threads[thread].busy = false;
        let Done { input, durable } = match running.threads[thread].chores.pop_front() {
            Some(chore) => running.chore(chore),
            None => {
                running.rest();
                Done::default()
            }
        };
        match durable {
            Some(Durable::Flushed(applied)) => {
                self.eyes.see(self.now, &Seen::Flushed { at, applied });
            }
            Some(Durable::Installed(last)) => {
                machine.staged = false;
                self.eyes.see(self.now, &Seen::Installed { at, last });
            }
            None => {}
        }
        match input {
            Some(input) => {
                self.look_at_disk(at);
                self.feed(at, input);
                self.drain(at);
            }
            None => self.begin_chore(at, thread),
        }
    }

    /// The end of a node that cannot go on: what a process does when its log has failed.
    pub(crate) fn halt(&mut self, at: Place, why: &str) {
        self.last_look(at, true);
        self.eyes.see(self.now, &Seen::Halted { at, why });
        self.eyes.marks.hit(Mark::NodeHalted);
        self.take_down(at);
        self.supervise(at);
    }

    /// What a node has said in its last turn rests on what it had just learnt.
    fn last_look(&mut self, at: Place, last: bool) {
        if let Some(view) = self.view(at) {
            self.eyes.see(self.now, &Seen::Turn { at, view: &view, last });
        }
    }

    pub(super) fn stopped(&mut self, at: Place) {
        self.last_look(at, false);
        self.eyes.marks.hit(Mark::StoppedInOrder);
        let machine = &mut self.machines[at];
        let status = std::mem::replace(&mut machine.status, Status::Down);
        if let Status::Up(running) = status {
            // Writes that were under way belong to nobody any more.
            let _ = running.log.close();
        }
        self.eyes.see(self.now, &Seen::Crashed { at });
        self.gone(at);
        self.supervise(at);
    }

    /// The node is gone; whoever talked to it notices.
    pub(crate) fn gone(&mut self, at: Place) {
        self.crowd.disconnected(self.now, at);
        for other in 0..self.machines.len() {
            if other != at && self.network.draw(2) == 0 {
                let after = Duration::from_micros(100 + self.network.draw(20_000));
                self.queue.push(self.now + after, Event::Broken { at: other, peer: id(at) });
            }
        }
    }

    /// Whoever ended by itself is started again, as a supervisor does, when the storm wants it so.
    pub(super) fn supervise(&mut self, at: Place) {
        if let Some(after) = self.storm.supervisor(at) {
            self.start_later(after, at);
        }
    }

    /// Ends a node's process; the disks stay as they are.
    pub(crate) fn take_down(&mut self, at: Place) {
        self.machines[at].status = Status::Down;
        self.gone(at);
    }
}
