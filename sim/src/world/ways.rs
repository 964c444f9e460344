//! Ways around broken links: production's mesh between nodes and links, in the worlds that have it.
//!
//! ```text
//! node ── Send ──▶ mesh ── packet ──▶ network ── packet ──▶ mesh ── Receive ──▶ node
//!                                     (or to a third mesh, and to the network once more)
//! ```
//!
//! What a node says is seen once, when it says it, and once when it arrives, whatever way it took;
//! each passage by somebody else is seen besides. Hellos are not seen: they are about links and not
//! about nodes.

use std::collections::VecDeque;

use bytes::Bytes;
use node::Message;
use node::codec::{FRAME_HEADER, FrameHeader, decode_packet, encode_packet, frame, unframe};
use protocol::NodeId;
use protocol::mesh::{Config, Input, Mesh, Output, Packet};
use protocol::raft::Membership;

use super::carry::BREATH;
use super::network::{bytes, piece};
use super::{Event, Status, World};
use crate::marks::Mark;
use crate::seen::{Fate, Place, Seen, id, place};

/// A message with its name in this world.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    number: u64,
    message: Message,
}

/// What stands between a node and its links.
#[derive(Debug)]
pub(crate) struct Ways {
    pub(crate) mesh: Mesh<Letter>,
    /// What came in while the process was paused.
    waiting: VecDeque<(Place, Packet<Letter>)>,
}

impl Ways {
    pub(crate) fn new(at: Place, life: u64, heartbeat: std::time::Duration) -> Self {
        let mesh = Mesh::new(Config::usual(id(at), life, heartbeat));
        Self { mesh, waiting: VecDeque::new() }
    }
}

impl World {
    fn mesh(&mut self, at: Place) -> Option<&mut Mesh<Letter>> {
        let running = self.machines[at].running()?;
        running.ways.as_mut().map(|ways| &mut ways.mesh)
    }

    /// Something happens to a node's mesh, if it has one.
    pub(super) fn tell_mesh(&mut self, at: Place, input: Input<Letter>) {
        let local = self.machines[at].clock.local(self.now);
        if let Some(mesh) = self.mesh(at) {
            mesh.handle(local, input);
            self.post(at);
        }
    }

    /// Other members.
    pub(super) fn meet(&mut self, at: Place, membership: &Membership) {
        self.tell_mesh(at, Input::Members(membership.members()));
    }

    /// Sends a message by whatever way there is. Gives it back where nobody looks for ways.
    pub(super) fn send_letter(
        &mut self,
        at: Place,
        to: NodeId,
        message: Message,
    ) -> Option<Message> {
        if self.mesh(at).is_none() {
            return Some(message);
        }
        let number = self.network.name();
        let once = message.is_said_once();
        self.tell_mesh(at, Input::Send { to, message: Letter { number, message }, once });
        None
    }

    /// Carries out what a mesh wants.
    pub(super) fn post(&mut self, at: Place) {
        while let Some(output) = self.mesh(at).and_then(Mesh::poll_output) {
            match output {
                Output::Deliver { from, message: Letter { number, message } } => {
                    if let Some(from) = place(from) {
                        self.deliver(from, at, number, message);
                    }
                }
                Output::Transmit { to, packet } => {
                    if let Some(to) = place(to).filter(|to| *to < self.machines.len()) {
                        self.transmit(at, to, packet);
                    }
                }
            }
        }
    }

    fn transmit(&mut self, at: Place, to: Place, mut packet: Packet<Letter>) {
        if !self.may_speak(at, to) {
            return;
        }
        let size = letter(&packet).map_or(0, |letter| bytes(&letter.message));
        let (fate, mut flipped) = self.network.send(self.now, at, to, size);
        let from_here = match &packet {
            Packet::Direct(_) => true,
            Packet::Relayed { origin, .. } => *origin == id(at),
            Packet::Hello(_) => false,
        };
        if flipped
            && from_here
            && let Packet::Direct(letter) | Packet::Relayed { message: letter, .. } = &mut packet
            && let Some(data) = piece(&mut letter.message)
        {
            flipped = false;
            *data = self.spoil(data);
        }
        let broken = flipped && !matches!(fate, Fate::Cut | Fate::Lost);
        let fate = if broken { Fate::Lost } else { fate };
        self.see_transmitted(at, to, &packet, fate);
        if broken {
            return self.corrupt_packet(at, to, packet);
        }
        match fate {
            Fate::Arrives(time) => self.queue.push(time, Event::Packet { from: at, to, packet }),
            Fate::Doubled(first, second) => {
                let again = Event::Packet { from: at, to, packet: packet.clone() };
                self.queue.push(second, again);
                self.queue.push(first, Event::Packet { from: at, to, packet });
            }
            Fate::Lost | Fate::Cut => {}
        }
    }

    fn see_transmitted(&mut self, at: Place, to: Place, packet: &Packet<Letter>, fate: Fate) {
        let (from, target, letter) = match packet {
            Packet::Hello(_) => return,
            Packet::Direct(letter) => (at, to, letter),
            Packet::Relayed { origin, target, message, .. } => {
                let (Some(origin), Some(target)) = (place(*origin), place(*target)) else { return };
                (origin, target, message)
            }
        };
        let Letter { number, message } = letter;
        if from == at
            && let Message::Raft(message) = message
        {
            let seen = Seen::Sent { from, to: target, number: *number, message, fate };
            self.eyes.see(self.now, &seen);
        }
        if let Packet::Relayed { .. } = packet {
            let seen = Seen::Passed { by: at, to, origin: from, target, number: *number };
            self.eyes.see(self.now, &seen);
        }
    }

    /// A bit flips on the wire: production's frame must be refused, and the link breaks.
    fn corrupt_packet(&mut self, at: Place, to: Place, packet: Packet<Letter>) {
        let packet = match packet {
            Packet::Hello(views) => Packet::Hello(views),
            Packet::Direct(letter) => Packet::Direct(letter.message),
            Packet::Relayed { origin, target, life, message } => {
                Packet::Relayed { origin, target, life, message: message.message }
            }
        };
        self.frame.clear();
        if frame(&mut self.frame, |out| encode_packet(&packet, out)).is_err() {
            return;
        }
        let bit = self.network.draw(self.frame.len() as u64 * 8);
        let byte = usize::try_from(bit / 8).unwrap_or(0);
        self.frame[byte] ^= 1 << (bit % 8);
        let header = self.frame.first_chunk::<FRAME_HEADER>().copied().unwrap_or_default();
        let body = Bytes::copy_from_slice(&self.frame[FRAME_HEADER..]);
        let read = FrameHeader::decode(header)
            .and_then(|header| unframe(header, body))
            .and_then(decode_packet);
        if let Ok(read) = read {
            self.eyes.violate(self.now, "N12 checksum of frames", || {
                format!("a flipped bit made {packet:?} into {read:?}")
            });
        }
        self.eyes.marks.hit(Mark::FrameRefused);
        self.queue.push(self.now + BREATH, Event::Broken { at, peer: id(to) });
    }

    /// A packet reaches a machine.
    pub(super) fn arrived(&mut self, from: Place, to: Place, packet: Packet<Letter>) {
        if matches!(self.machines[to].status, Status::Down) || !self.may_speak(from, to) {
            return;
        }
        if let Packet::Relayed { origin, target, .. } = &packet
            && *target == id(to)
            && !place(*origin).is_some_and(|origin| self.may_speak_over(origin, to))
        {
            return;
        }
        match &mut self.machines[to].status {
            Status::Down => {}
            Status::Paused(running) => {
                if let Some(ways) = &mut running.ways {
                    ways.waiting.push_back((from, packet));
                }
            }
            // Whoever mends its log has no mesh yet, and hears whoever speaks directly.
            Status::Mending(_) => {
                if let Packet::Direct(Letter { number, message }) = packet {
                    self.deliver(from, to, number, message);
                    self.drain(to);
                }
            }
            Status::Up(_) => {
                let routine = matches!(packet, Packet::Hello(_));
                self.tell_mesh(to, Input::Arrived { from: id(from), packet });
                if routine {
                    self.set_timer(to);
                } else {
                    self.drain(to);
                }
            }
        }
    }

    /// A process goes on: what came meanwhile comes at once.
    pub(super) fn open_letters(&mut self, at: Place) {
        let Some(running) = self.machines[at].running() else { return };
        let waiting = running.ways.as_mut().map(|ways| std::mem::take(&mut ways.waiting));
        for (from, packet) in waiting.into_iter().flatten() {
            self.tell_mesh(at, Input::Arrived { from: id(from), packet });
        }
    }
}

const fn letter(packet: &Packet<Letter>) -> Option<&Letter> {
    match packet {
        Packet::Direct(letter) | Packet::Relayed { message: letter, .. } => Some(letter),
        Packet::Hello(_) => None,
    }
}
