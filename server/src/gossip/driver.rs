//! What carries out a member's outputs: one task, one thread.
//!
//! ```text
//! packets ─┐                      ┌─▶ packets
//! streams ─┤                      ├─▶ streams (a task each)
//! calls   ─┼─▶ Input ▶ Serf ▶ Output ─▶ events, to subscribers
//! time    ─┤                      ├─▶ keys, incarnation (files, off this thread)
//! keys    ─┘                      └─▶ replies
//! ```
//!
//! Nothing here waits for a disk, for a name to be resolved, or for somebody else. A packet that
//! the system does not take at once is lost, as packets are.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::Time;
use protocol::bully::wire::KIND;
use protocol::swim::message::{Message, PushPull};
use protocol::swim::serf::{self, Input, KeyResponse, Output, QueryId, RequestError, Serf};
use protocol::swim::{Address, StreamId, Tag};
use tokio::net::UdpSocket;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::call::{Answer, Call, PoolStatus, Reply};
use super::complaints::Complaints;
use super::envelope::{Envelope, Scratch};
use super::failure::{Failure, NotJoined};
use super::keys::Keeper;
use super::member::PoolMember;
use super::sockets::{from_wire, reachable_from, to_wire};
use super::streams::{Arrival, Streams};
use super::traffic::Traffic;
use crate::runtime::Clock;

/// The largest packet that there is.
const PACKET_MAX: usize = 64 << 10;
/// Packets taken in before timers, streams and calls have their turn.
const BURST: usize = 64;
/// How long leaving may take altogether: whoever stops this agent waits for it.
const LEAVE_MAX: Duration = Duration::from_secs(6);
/// How long to sleep when nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// Who waits for what becomes of a request.
enum Waiting {
    Reply(Reply),
    Join(oneshot::Sender<Result<usize, NotJoined>>),
    Query(mpsc::Sender<Answer>),
}

/// How a member's part in the pool has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolEnd {
    /// It has left.
    Left {
        /// Whether enough others can know of it.
        told: bool,
    },
    /// The others say that its name is that of another member. It has ended without a word.
    NameLost {
        /// Where the other one is.
        to: Address,
    },
}

/// What the driver is made of.
pub(super) struct Parts {
    pub(super) serf: Serf,
    pub(super) udp: UdpSocket,
    pub(super) listen: SocketAddr,
    pub(super) envelope: Arc<Envelope>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) complaints: Arc<Complaints>,
    pub(super) streams: Arc<Streams>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) arrivals: mpsc::Receiver<Arrival>,
    pub(super) calls: mpsc::Receiver<Call>,
    /// Where letters of elections go; without it they are user messages like any other.
    pub(super) letters: Option<mpsc::Sender<Bytes>>,
    pub(super) events: broadcast::Sender<Arc<serf::Event>>,
    pub(super) incarnation: watch::Sender<Option<u32>>,
    /// Bytes of a packet without its envelope.
    pub(super) budget: usize,
}

/// The task.
pub(super) struct Driver {
    parts: Parts,
    clock: Clock,
    keys_done: mpsc::UnboundedReceiver<(QueryId, KeyResponse)>,
    keys: mpsc::UnboundedSender<(QueryId, KeyResponse)>,
    waiting: BTreeMap<Tag, Waiting>,
    next_tag: u64,
    answers: BTreeMap<StreamId, oneshot::Sender<PushPull>>,
    next_stream: u64,
    leavers: Vec<oneshot::Sender<bool>>,
    leaving: bool,
    gone: Option<PoolEnd>,
    /// Why the exchange that has just ended came to nothing.
    failure: Option<Failure>,
    scratch: Scratch,
}

impl Driver {
    pub(super) fn new(parts: Parts) -> Self {
        let (keys, keys_done) = mpsc::unbounded_channel();
        Self {
            parts,
            clock: Clock::start(),
            keys_done,
            keys,
            waiting: BTreeMap::new(),
            next_tag: 0,
            answers: BTreeMap::new(),
            next_stream: 0,
            leavers: Vec::new(),
            leaving: false,
            gone: None,
            failure: None,
            scratch: Scratch::default(),
        }
    }

    /// Lives until told to stop, or to leave, and then leaves; or until its name is another's.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) -> PoolEnd {
        let mut buffer = vec![0; PACKET_MAX];
        let stopped = async {
            // Whoever could have told to stop is gone.
            let _ended = stop.wait_for(|stop| *stop).await;
        };
        let mut stopped = std::pin::pin!(stopped);
        while !self.leaving && self.gone.is_none() {
            tokio::select! {
                () = &mut stopped => self.leave(None),
                () = self.turn(&mut buffer) => {}
            }
        }
        let end = async {
            while self.gone.is_none() {
                self.turn(&mut buffer).await;
            }
        };
        // Whoever runs out of time has told too few.
        let _late = timeout(LEAVE_MAX, end).await;
        let gone = self.gone.unwrap_or(PoolEnd::Left { told: false });
        let told = gone == PoolEnd::Left { told: true };
        for leaver in self.leavers.drain(..) {
            // Whoever asked may have ended since.
            let _ended = leaver.send(told);
        }
        gone
    }

    /// Takes in whatever comes next, and carries out what follows from it.
    async fn turn(&mut self, buffer: &mut [u8]) {
        let due = self.parts.serf.poll_timeout();
        let due = due.map_or_else(|| Instant::now() + IDLE, |due| self.instant(due));
        tokio::select! {
            biased;
            () = sleep_until(due) => self.handle(Input::Timeout),
            Some(arrival) = self.parts.arrivals.recv() => {
                self.on_arrival(arrival);
                // Whoever fills the streams must not keep pings from being answered.
                self.on_packets(buffer);
            }
            Some((id, response)) = self.keys_done.recv() => {
                self.handle(Input::KeyAnswer { id, response });
            }
            Some(call) = self.parts.calls.recv() => self.on_call(call),
            ready = self.parts.udp.readable() => {
                if ready.is_ok() {
                    self.on_packets(buffer);
                }
            }
        }
    }

    fn instant(&self, time: Time) -> Instant {
        Instant::now() + time.since(self.clock.now())
    }

    fn handle(&mut self, input: Input) {
        self.parts.serf.handle(self.clock.now(), input);
        while let Some(output) = self.parts.serf.poll_output() {
            self.carry_out(output);
        }
    }

    fn on_packets(&mut self, buffer: &mut [u8]) {
        for _ in 0..BURST {
            let (size, from) = match self.parts.udp.try_recv_from(buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The system tells here that an earlier packet found nobody: that is for pings to
                // find out.
                Err(_) => continue,
            };
            let traffic = &self.parts.traffic;
            traffic.packets_in.one();
            traffic.packet_bytes_in.add(size);
            let packet = Bytes::copy_from_slice(&buffer[..size]);
            let opened = self.parts.envelope.open_packet(packet, &traffic.refusals);
            let (messages, refused) = opened;
            if let Some(refusal) = refused {
                self.parts.complaints.refused(from, refusal);
            }
            let messages = self.sort(messages);
            if !messages.is_empty() {
                self.handle(Input::Receive { from: to_wire(from), messages });
            }
        }
    }

    /// Takes letters of elections out of what has come. A letter that finds no room is lost.
    fn sort(&self, mut messages: Vec<Message>) -> Vec<Message> {
        if let Some(letters) = &self.parts.letters {
            messages.retain(|message| {
                let Message::User(bytes) = message else { return true };
                let is_letter = bytes.first() == Some(&KIND);
                if is_letter {
                    let _lost = letters.try_send(bytes.clone());
                }
                !is_letter
            });
        }
        messages
    }

    fn on_arrival(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Acked(seq) => self.handle(Input::StreamAcked { seq }),
            Arrival::Exchanged(id, exchanged) => {
                let state = exchanged.map_err(|failure| self.failure = Some(failure)).ok();
                self.handle(Input::Exchanged { id, state });
                self.failure = None;
            }
            Arrival::Told(message) => self.handle(Input::Told(message)),
            Arrival::Asked(state, reply) => {
                let id = StreamId(self.next_stream);
                self.next_stream += 1;
                self.answers.insert(id, reply);
                self.handle(Input::Asked { id, state });
                // Answered by now, or not at all.
                self.answers.remove(&id);
            }
        }
    }

    fn wait(&mut self, waiting: Waiting) -> Tag {
        let tag = Tag(self.next_tag);
        self.next_tag += 1;
        self.waiting.insert(tag, waiting);
        tag
    }

    fn on_call(&mut self, call: Call) {
        let input = match call {
            Call::Members(reply) => {
                let serf = &self.parts.serf;
                let members = serf.members().map(|known| PoolMember::of(serf, known)).collect();
                let _ended = reply.send(members);
                return;
            }
            Call::Status(reply) => {
                let serf = &self.parts.serf;
                let status = PoolStatus { swim: serf.swim().status(), serf: serf.stats() };
                let _ended = reply.send(Box::new(status));
                return;
            }
            Call::Tell { to, letter } => {
                return self.send(to, &[Message::User(letter)], false);
            }
            Call::Leave(reply) => return self.leave(Some(reply)),
            Call::Join { to, ignore_old, reply } => {
                Input::Join { tag: self.wait(Waiting::Join(reply)), to, ignore_old }
            }
            Call::SetTags(tags, reply) => {
                Input::SetTags { tag: self.wait(Waiting::Reply(reply)), tags }
            }
            Call::Event { name, payload, coalesce, reply } => {
                Input::Event { tag: self.wait(Waiting::Reply(reply)), name, payload, coalesce }
            }
            Call::Query { question, answers } => {
                Input::Query { tag: self.wait(Waiting::Query(answers)), question }
            }
            Call::Respond { id, payload, reply } => {
                Input::Respond { tag: self.wait(Waiting::Reply(reply)), id, payload }
            }
            Call::ForceLeave { node, prune, reply } => {
                Input::ForceLeave { tag: self.wait(Waiting::Reply(reply)), node, prune }
            }
        };
        self.handle(input);
    }

    fn leave(&mut self, reply: Option<oneshot::Sender<bool>>) {
        self.leavers.extend(reply);
        if !std::mem::replace(&mut self.leaving, true) {
            self.handle(Input::Leave);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { to, messages, checksum } => self.send(to, &messages, checksum),
            Output::StreamPing { to, ping, deadline } => {
                let (streams, deadline) = (self.parts.streams.clone(), self.instant(deadline));
                tokio::spawn(streams.ping(to, ping, deadline));
            }
            Output::Exchange { id, to, state, deadline } => {
                let (streams, deadline) = (self.parts.streams.clone(), self.instant(deadline));
                tokio::spawn(streams.exchange(id, to, state, deadline));
            }
            Output::Answer { id, state } => {
                if let Some(reply) = self.answers.remove(&id) {
                    // Whoever asked may have gone since.
                    let _gone = reply.send(state);
                }
            }
            Output::Joined { tag, result } => {
                if let Some(Waiting::Join(reply)) = self.waiting.remove(&tag) {
                    let failure = self.failure.take();
                    let _gone = reply.send(result.map_err(|error| NotJoined::new(error, failure)));
                }
            }
            Output::Incarnation(incarnation) => {
                self.parts.incarnation.send_replace(Some(incarnation));
            }
            Output::Acked { .. } => {}
            Output::Done { tag, result } => self.on_done(tag, result),
            Output::QueryAcked { tag, from } => self.tell(tag, Answer::Arrived(from.detach())),
            Output::QueryAnswered { tag, from, payload } => {
                self.tell(tag, Answer::Answered(from.detach(), payload));
            }
            Output::QueryEnded { tag } => drop(self.waiting.remove(&tag)),
            Output::KeyRequest { id, operation, .. } => {
                let (keeper, done) = (self.parts.keeper.clone(), self.keys.clone());
                tokio::spawn(async move {
                    let response = keeper.carry_out(operation).await;
                    // The driver may have ended since.
                    let _ended = done.send((id, response));
                });
            }
            Output::Gone { told } => self.gone = Some(PoolEnd::Left { told }),
            Output::NameLost { to } => self.gone = Some(PoolEnd::NameLost { to }),
            Output::Event(event) => self.publish(event),
        }
    }

    fn send(&mut self, to: Address, messages: &[Message], checksum: bool) {
        let Some(address) = from_wire(to) else { return };
        let address = reachable_from(self.parts.listen, address);
        let Parts { envelope, traffic, udp, budget, .. } = &self.parts;
        let mut unreachable = false;
        envelope.seal_packets(messages, checksum, *budget, &mut self.scratch, |packet| {
            match udp.try_send_to(packet, address) {
                Ok(size) => {
                    traffic.packets_out.one();
                    traffic.packet_bytes_out.add(size);
                }
                Err(error) => {
                    traffic.packets_unsent.one();
                    // A queue that is full, or somebody who is known not to listen, is a packet
                    // lost; no way there at all is not.
                    unreachable |= !matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::ConnectionRefused
                    );
                }
            }
        });
        if unreachable && let Some(Message::Ping(ping)) = messages.first() {
            self.parts.serf.handle(self.clock.now(), Input::Unsent { seq: ping.seq });
        }
    }

    fn on_done(&mut self, tag: Tag, result: Result<(), RequestError>) {
        match (self.waiting.remove(&tag), result) {
            (Some(Waiting::Reply(reply)), result) => {
                let _gone = reply.send(result);
            }
            (Some(Waiting::Query(answers)), Ok(())) => {
                let _gone = answers.try_send(Answer::Asked);
                self.waiting.insert(tag, Waiting::Query(answers));
            }
            (Some(Waiting::Query(answers)), Err(error)) => {
                let _gone = answers.try_send(Answer::Refused(error));
            }
            // Joining says how it went in another way.
            (Some(join @ Waiting::Join(_)), _) => drop(self.waiting.insert(tag, join)),
            (None, _) => {}
        }
    }

    fn tell(&self, tag: Tag, answer: Answer) {
        if let Some(Waiting::Query(answers)) = self.waiting.get(&tag) {
            // Whoever does not read its answers loses them.
            let _lost = answers.try_send(answer);
        }
    }

    fn publish(&self, event: serf::Event) {
        super::diary::log(&event, &self.parts.complaints);
        // Nobody need listen.
        let _nobody = self.parts.events.send(Arc::new(event));
    }
}
