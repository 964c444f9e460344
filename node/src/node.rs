//! The replica itself: what goes where, in which order.
//!
//! `handle` takes things in; the work happens when outputs are polled. So whatever arrives before
//! the driver polls is worked off as one batch: one write to the log, one message to each peer,
//! one round for all reads.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use protocol::raft::{self, Role, Tag};
use protocol::{NodeId, Term, Time, zab};
use store::watch::{Hub, WatchOutput};
use store::{Command, Revision, Stamp, Store};

use crate::apply::Apply;
use crate::codec::Envelope;
use crate::config::Config;
use crate::consensus::{Consensus, Event, Message, Output as Wanted};
use crate::equality::Equality;
use crate::flush::Flushing;
use crate::input::Input;
use crate::leases::Leases;
use crate::membership::Members;
use crate::output::Output;
use crate::reads::{Reads, is_local};
use crate::request::{Body, Failure, Header, Reply, Request, RequestId};
use crate::settle::Settling;
use crate::snapshot::{Following, Receiving, Sending, Unwanted};
use crate::space::Measured;
use crate::writes::{Waiter, Writes};

/// Lagging watches are caught up by this many events a turn.
const WATCH_BUDGET: usize = 4_000;
/// Keys looked at in a turn when history is given up.
const COMPACT_BUDGET: usize = 1_000;

/// One replica. Laws:
///
/// - entries are applied in the order of the log, each once, and never before they are durable;
/// - a write is answered when it has been applied here, and only in the run that proposed it;
/// - a linearizable read sees every write that was answered before it arrived;
/// - nothing here waits: what needs the disk or a peer is asked for, and taken up again when the
///   answer comes in.
#[derive(Debug)]
pub struct Node {
    pub(crate) config: Config,
    pub(crate) now: Time,
    pub(crate) core: Consensus,
    pub(crate) store: Store,
    pub(crate) hub: Hub,
    pub(crate) writes: Writes,
    pub(crate) reads: Reads,
    pub(crate) apply: Apply,
    pub(crate) flushing: Flushing,
    pub(crate) leases: Leases,
    pub(crate) measured: Measured,
    pub(crate) equality: Equality,
    pub(crate) members: Members,
    pub(crate) counters: Counters,
    /// Snapshots on their way to members.
    pub(crate) sending: BTreeMap<NodeId, Sending>,
    /// Members that have got one and go on from the log.
    pub(crate) following: BTreeMap<NodeId, Following>,
    pub(crate) unwanted: BTreeMap<NodeId, Unwanted>,
    /// The name of the next view.
    pub(crate) next_view: u64,
    /// The snapshot that is being received.
    pub(crate) receiving: Option<Receiving>,
    /// Answers to come of a transfer that was given up.
    pub(crate) stages_to_ignore: u32,
    pub(crate) settling: Settling,
    /// Operators who wait for another leader, and until when.
    pub(crate) transfers: Vec<(RequestId, NodeId, Time)>,
    outputs: VecDeque<Output>,
    /// Something came in since the last turn.
    stirred: bool,
    /// The last turn left work that needs no further input.
    unfinished: bool,
    pub(crate) stopping: Option<Time>,
    stopped: bool,
}

/// What is counted for operators.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) leader_changes: u64,
    /// The last known leader and its term.
    led_by: Option<(NodeId, Term)>,
    pub(crate) applied: u64,
    pub(crate) failed: u64,
    pub(crate) snapshots_sent: u64,
    pub(crate) snapshots_installed: u64,
}

impl Node {
    /// A replica over what the log and the backend held.
    ///
    /// # Errors
    /// Of a group that runs Zab, as [`zab::Zab::new`]: what was held contradicts itself.
    pub fn new(
        config: Config,
        mut restored: raft::Restored,
        store: Store,
        seed: u64,
    ) -> Result<Self, zab::StartError> {
        restored.membership = store.membership().cloned();
        let base = restored.base.index;
        let core = Consensus::new(&config, restored, seed)?;
        let hub = Hub::new(config.watch.clone(), seed.rotate_left(32));
        Ok(Self {
            now: Time::default(),
            core,
            hub,
            writes: Writes::default(),
            reads: Reads::default(),
            apply: Apply::default(),
            flushing: Flushing::new(store.applied(), base),
            leases: Leases::default(),
            measured: Measured::default(),
            equality: Equality::new(config.rebuilt_after),
            members: Members::default(),
            counters: Counters::default(),
            sending: BTreeMap::new(),
            following: BTreeMap::new(),
            unwanted: BTreeMap::new(),
            next_view: 0,
            receiving: None,
            stages_to_ignore: 0,
            settling: Settling::default(),
            transfers: Vec::new(),
            outputs: VecDeque::new(),
            stirred: true,
            unfinished: false,
            stopping: None,
            stopped: false,
            store,
            config,
        })
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        self.stirred = true;
        match input {
            Input::Timeout => self.consensus(raft::Input::Timeout),
            Input::Receive { from, message } => self.receive(from, message),
            Input::Found { peer, life, entries, absent } => {
                self.mend_found(peer, life, entries, absent);
            }
            Input::Unreachable(peer) => self.consensus(raft::Input::Unreachable(peer)),
            Input::Persisted(id) => self.consensus(raft::Input::Persisted(id)),
            Input::Trimmed(base) => self.consensus(raft::Input::Trimmed(base.index)),
            Input::Fetched { peer, from, entries } => {
                self.consensus(raft::Input::Fetched { peer, from, entries });
            }
            Input::Request { id, request } => self.request(id, request),
            Input::Loaded(loaded) => self.loaded(loaded),
            Input::Flushed(result) => self.flushed(result),
            Input::WatchOpen(stream) => {
                if !self.hub.open(stream) {
                    self.output(Output::WatchOverrun(stream));
                }
            }
            Input::WatchCreate { stream, .. } if !self.may_serve() => {
                self.hub.close(stream);
                self.output(Output::WatchOverrun(stream));
            }
            Input::WatchCreate { stream, create } => {
                self.hub.create(self.now, stream, create, &self.store);
                // What is applied from here on is told, in this very turn.
                self.store.set_watched(self.hub.watched());
            }
            Input::WatchCancel { stream, id } => self.hub.cancel(stream, id),
            Input::WatchProgress(stream) => self.hub.progress(stream),
            Input::WatchSent { stream, bytes } => self.hub.sent(stream, bytes),
            Input::WatchClose(stream) => self.hub.close(stream),
            Input::Scanned { token, records } => {
                let failed = records.as_ref().err().cloned();
                self.hub.scanned(token, records, &self.store);
                failed.into_iter().for_each(|error| self.damaged(error));
            }
            Input::Damaged(error) => self.damaged(error),
            Input::ViewOpened { view, opened } => self.view_opened(view, opened),
            Input::ViewRead { view, from, records } => self.view_read(view, from, records),
            Input::Staged(result) => self.staged(result),
            Input::Installed(result) => self.installed(result),
            Input::Space(space) => self.measured(space),
            Input::Stop => self.stop(),
        }
    }

    fn receive(&mut self, from: NodeId, message: Message) {
        match message {
            Message::Raft(raft::Message { body: raft::Body::Mend(word), .. }) => {
                self.mend_word(from, word);
            }
            message @ (Message::Raft(_) | Message::Zab(_)) => {
                self.core.receive(self.now, from, message)
            }
        }
    }

    /// When to call `handle(now, Input::Timeout)`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        if self.unfinished || self.stirred {
            return Some(self.now);
        }
        [
            self.core.poll_timeout(),
            self.hub.poll_timeout(),
            self.writes_timeout(),
            self.reads.timeout(),
            self.leases_timeout(),
            self.report_timeout(),
            self.state_timeout(),
            self.flush_timeout(),
            self.sending_timeout(),
            self.settling.timeout(),
            self.members.timeout(),
            self.transfers.iter().map(|(_, _, deadline)| *deadline).min(),
            self.stopping.filter(|_| !self.stopped),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What to do next; call until it gives `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() && self.stirred {
            self.stirred = false;
            self.turn();
        }
        self.outputs.pop_front()
    }

    /// Works off everything that came in.
    fn turn(&mut self) {
        // First: what is late was given up by whoever asked, and must not be proposed any more.
        self.give_up_late();
        self.propose();
        self.ask_for_reads();
        while self.consensus_outputs() | self.apply_committed() {}
        self.serve_reads();
        self.send_pieces();
        let lagging = self.watch();
        let discarded = self.discard();
        self.end_condemned();
        self.flush();
        self.trim();
        self.reconcile();
        self.members_due();
        self.finish_transfers();
        self.finish_stopping();
        // What was asked of consensus since the last drain, and what it answers at once.
        self.consensus_outputs();
        self.unfinished =
            lagging || discarded || self.apply.unfinished() || self.reads.unfinished();
    }

    /// Hands everything that waits to consensus.
    fn propose(&mut self) {
        self.tick_leases();
        self.renew_leases();
        self.publish();
        self.report_space();
        self.tell_state();
        if !self.writes.waiting() || self.now < self.writes.retry_at() {
            return;
        }
        if self.core.leader().is_none() || self.members.leaving {
            return;
        }
        let term = self.core.term();
        for (sequence, command) in self.writes.propose(term) {
            self.consensus(raft::Input::Propose { tag: Tag(sequence), command });
        }
    }

    /// Takes a write in on behalf of `waiter`.
    pub(crate) fn write(&mut self, waiter: Waiter, command: &Command) {
        let deadline = self.now + self.config.request_timeout;
        let sequence = self.writes.next_sequence();
        let id = self.config.raft.id;
        let envelope = Envelope::seal(id, self.config.incarnation, sequence, command);
        self.writes.add(waiter, envelope, deadline);
    }

    /// Carries out what consensus wants. True when there was anything.
    fn consensus_outputs(&mut self) -> bool {
        let mut any = false;
        while let Some(output) = self.core.poll_output() {
            any = true;
            match output {
                Wanted::Send { to, message } => self.output(Output::Send { to, message }),
                Wanted::Persist { id, write } => self.output(Output::Persist { id, write }),
                Wanted::Cut { id, through } => self.output(Output::Cut { id, through }),
                Wanted::Commit(entries) => self.apply.push(entries),
                Wanted::ReadReady { id, index } => self.reads.ready(id, index),
                Wanted::ReadRefused { id, reason } => self.reads.refused(id, reason, self.now),
                Wanted::ProposalRefused { tag, reason } => {
                    if let Some((waiter, failure)) = self.writes.refused(tag.0, reason, self.now) {
                        self.fail(waiter, failure);
                    }
                }
                Wanted::Fetch { peer, from, max_bytes } => {
                    self.output(Output::Fetch { peer, from, max_bytes });
                }
                Wanted::SnapshotWanted { peer, next } => self.snapshot_wanted(peer, next),
                Wanted::SnapshotEnded { peer } => self.snapshot_ended(peer),
                Wanted::Chunk { from, last, number, data } => {
                    self.piece(from, last, number, data);
                }
                Wanted::ChunkAcked { peer, last, next } => self.piece_acked(peer, last, next),
                Wanted::Membership { at, membership } => self.members_changed(at, membership),
                Wanted::Event(event) => self.consensus_event(event),
            }
        }
        any
    }

    fn consensus_event(&mut self, event: Event) {
        if let Some((role, term, leader)) = event.role() {
            if let Some(leader) = leader
                && self.counters.led_by.replace((leader, term)) != Some((leader, term))
            {
                self.counters.leader_changes += 1;
                self.writes.retry_now();
                self.reads.retry_now();
            }
            self.leases.role_changed(role == Role::Leader, self.now);
            self.sender_changed(leader);
        }
        self.output(Output::Event(event));
    }

    /// Tells watchers what there is to tell. True when some have more to catch up with.
    fn watch(&mut self) -> bool {
        self.hub.on_timeout(self.now);
        let lagging = self.hub.step(self.now, &self.store, WATCH_BUDGET);
        while let Some(output) = self.hub.poll() {
            match output {
                WatchOutput::Respond { stream, response } => {
                    self.output(Output::Watch { stream, response });
                }
                WatchOutput::Scan { token, from, to, limit } => {
                    self.output(Output::Scan { token, from, to, limit });
                }
                WatchOutput::Overrun { stream } => self.output(Output::WatchOverrun(stream)),
            }
        }
        self.store.set_watched(self.hub.watched());
        lagging
    }

    /// Gives up history that was compacted, a step at a time. True when there is more.
    fn discard(&mut self) -> bool {
        let replaced = self.receiving.as_ref().is_some_and(Receiving::is_installing);
        if self.store.compacting() && !replaced {
            let dead: Vec<Revision> = self.store.compact_step(COMPACT_BUDGET);
            if !dead.is_empty() {
                self.output(Output::Discard(dead));
            }
        }
        if self.store.compaction_settled() {
            for id in self.apply.compactions_done() {
                self.reply(id, Ok(Body::Outcome(store::Outcome::Done)));
            }
        }
        self.store.compacting() && !replaced
    }

    /// Answers those whose time is over.
    fn give_up_late(&mut self) {
        for (waiter, failure) in self.writes.expired(self.now, self.core.term()) {
            self.fail(waiter, failure);
        }
        for (id, failure) in self.reads.expired(self.now) {
            self.reply(id, Err(failure));
        }
        self.give_up_settling();
    }

    fn writes_timeout(&self) -> Option<Time> {
        // A member that goes proposes nothing any more.
        let may = self.core.leader().is_some() && !self.members.leaving;
        let retry = (self.writes.waiting() && may).then(|| self.writes.retry_at());
        retry.into_iter().chain(self.writes.deadline()).min()
    }

    /// Tells whoever waits for a write that it failed.
    pub(crate) fn fail(&mut self, waiter: Waiter, failure: Failure) {
        self.counters.failed += 1;
        match waiter {
            Waiter::Client(id) | Waiter::Compaction(id) | Waiter::Member(id) => {
                self.reply(id, Err(failure));
            }
            Waiter::Renewals(waiting) => {
                waiting.into_iter().for_each(|(id, _)| self.reply(id, Err(failure)));
            }
            Waiter::Nobody => {}
        }
    }

    pub(crate) fn consensus(&mut self, input: raft::Input) {
        self.core.handle(self.now, input);
    }

    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn reply(&mut self, id: RequestId, body: Result<Body, Failure>) {
        let header = Header { revision: self.store.revision(), term: self.core.term() };
        self.reply_with(id, header, body);
    }

    pub(crate) fn reply_with(
        &mut self,
        id: RequestId,
        header: Header,
        body: Result<Body, Failure>,
    ) {
        self.output(Output::Reply { id, reply: Reply { header, body } });
    }

    /// Begins to shut down: a leader hands over, everybody else is done at once.
    fn stop(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(self.now + *self.config.raft.election_timeout.start());
        if self.core.role() == Role::Leader
            && let Some(successor) = self.successor()
        {
            self.consensus(raft::Input::TransferLeadership(successor));
        }
    }

    /// The voter with the longest log that answers, where leadership can be handed over.
    pub(crate) fn successor(&self) -> Option<NodeId> {
        if !self.core.is_elastic() {
            return None;
        }
        let raft::Status { peers, membership, .. } = self.core.status();
        let voters = peers.iter().filter(|(id, _)| membership.voters.contains(id));
        let alive = voters.filter(|(_, peer)| peer.active || peer.awaited);
        alive.max_by_key(|(_, peer)| peer.matched).map(|(id, _)| *id)
    }

    fn finish_stopping(&mut self) {
        let Some(deadline) = self.stopping else { return };
        let handed_over = self.core.role() != Role::Leader || self.successor().is_none();
        let idle = self.writes.len() == 0 && self.reads.len() == 0 && self.settled();
        if self.stopped || !(handed_over && idle || self.now >= deadline) {
            return;
        }
        self.stopped = true;
        for waiter in self.writes.drain() {
            self.fail(waiter, Failure::Stopped);
        }
        for id in self.reads.drain() {
            self.reply(id, Err(Failure::Stopped));
        }
        self.output(Output::Stopped);
    }

    /// Takes a request in.
    fn request(&mut self, id: RequestId, request: Request) {
        if self.stopping.is_some() {
            self.reply(id, Err(Failure::Stopped));
            return;
        }
        if self.refuse_unsound(id, &request) {
            return;
        }
        if self.members.leaving && !is_local(&request) {
            self.reply(id, Err(Failure::NotServing));
            return;
        }
        match request {
            Request::Write(command) => self.client_write(Waiter::Client(id), id, &command),
            Request::Compact { revision, physical } => {
                let waiter = if physical { Waiter::Compaction(id) } else { Waiter::Client(id) };
                self.client_write(waiter, id, &Command::Compact { revision });
            }
            Request::Once { stamp, request } => self.request_once(id, stamp, *request),
            Request::LeaseRenew(_)
                if self.writes.len() + self.leases.waiting() >= self.config.max_pending =>
            {
                self.reply(id, Err(Failure::TooManyRequests));
            }
            Request::LeaseRenew(lease) => self.leases.renew(id, lease),
            Request::Status => {
                let status = self.status();
                self.reply(id, Ok(Body::Status(Box::new(status))));
            }
            Request::Settle => self.settle(id),
            Request::MoveLeader(to) => self.move_leader(id, to),
            Request::MemberChange(change) => self.member_change(id, change),
            read @ (Request::Range { .. }
            | Request::ReadTxn { .. }
            | Request::LeaseTimeToLive { .. }
            | Request::Leases
            | Request::HashKv { .. }
            | Request::Members { .. }
            | Request::Alarms
            | Request::Barrier) => self.read(id, read),
        }
    }

    /// Takes a request in that a client may repeat.
    fn request_once(&mut self, id: RequestId, stamp: Stamp, request: Request) {
        if let Request::Write(command) = request {
            self.client_write(Waiter::Client(id), id, &command.stamped(stamp));
        } else if let Request::Compact { revision, physical } = request {
            let waiter = if physical { Waiter::Compaction(id) } else { Waiter::Client(id) };
            let command = Command::Compact { revision }.stamped(stamp);
            self.client_write(waiter, id, &command);
        } else {
            self.request(id, request);
        }
    }

    pub(crate) fn client_write(&mut self, waiter: Waiter, id: RequestId, command: &Command) {
        if let Err(error) = Store::validate(&self.config.limits, command) {
            self.reply(id, Err(Failure::Store(error)));
        } else if self.overloaded() {
            self.counters.failed += 1;
            self.reply(id, Err(Failure::TooManyRequests));
        } else if self.store.refuses_growth(command) {
            self.reply(id, Err(Failure::NoSpace));
        } else {
            self.write(waiter, command);
        }
    }

    /// Whether writes are refused for now: too many wait, or committing, applying or flushing is
    /// far behind.
    fn overloaded(&self) -> bool {
        self.writes.len() >= self.config.max_pending
            || self.writes.bytes() > self.config.raft.max_uncommitted_bytes
            || self.core.crowded()
            || self.apply.len() as u64 > self.config.max_unapplied
            || self.store.unflushed_bytes() > self.config.max_unflushed_bytes
    }

    /// The consensus core, for a look from outside.
    #[must_use]
    pub fn core(&self) -> &Consensus {
        &self.core
    }

    /// How often this member's state was compared with another's, and whether it was found to be
    /// wrong, for checks from outside.
    #[must_use]
    pub fn compared(&self) -> (u64, bool) {
        (self.equality.compared, self.equality.condemned.is_some())
    }

    /// The store, for checks from outside.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }
}
