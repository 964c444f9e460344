//! The loop that feeds the node and carries out what it wants.

use std::collections::HashMap;

use node::{Input, Node, Output, Reply, Request, RequestId, Space};
use protocol::{Index, Time};
use store::BackendError;
use store::watch::{StreamId, WatchResponse};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use super::clock::Clock;
use super::handle::Call;
use super::members::Members;
use super::peers::{Disowned, FromPeers, Links, Peer};
use super::ways::Ways;
use super::words;
use super::workers::{Done, LogWorker, StateWorkers};

/// Calls taken in one turn; more wait for the next.
const CALLS: usize = 4_096;
/// Batches of messages taken in one turn.
const BATCHES: usize = 256;

/// Why a driver ended before it was told to.
#[derive(Clone, Debug, Error)]
pub enum RunError {
    /// A write or sync of the log failed. What was acknowledged is durable; this process must not
    /// acknowledge anything more, and a sync is never tried again.
    #[error("the log failed, and this member must not go on: {0}")]
    Log(String),
    /// The state backend failed for good, or holds what cannot be read.
    #[error("the state failed, and this member must not go on: {0}")]
    State(String),
    /// The state is not that of a majority of the members: it is to be had anew.
    #[error("the state is wrong, and this member must not serve it: {why}")]
    Condemned {
        /// What was found, in words.
        why: String,
        /// The last entry that was applied to it.
        applied: Index,
    },
    /// A worker's thread has panicked. What was acknowledged is durable.
    #[error("the {0} thread has panicked, and this member must not go on")]
    Panicked(&'static str),
    /// A thread or a runtime could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(String),
    /// The cluster has removed this member. Its data directory is of no use any more.
    #[error(
        "this member was removed from the cluster and cannot come back under its old identity: put \
         its data directory aside. To join again, run `conclave member add`, unless `conclave \
         member list` has a member with its address, and start it with an empty directory and \
         --initial-cluster-state existing"
    )]
    Removed,
    /// The same in a group whose members never change: nobody can come in under another name.
    #[error(
        "this member cannot go on: {by} says: {why}. The members of a group that runs Zab never \
         change: give it back the data directory that it had. While the others are a majority they \
         go on without it; if what it had is lost, found a new group and copy the data there"
    )]
    Lost {
        /// Who says so: its address.
        by: String,
        /// What it says.
        why: &'static str,
    },
    /// The others do not take this member for what it was, and it is not to come back by itself.
    #[error(
        "this member cannot go on: {by} says: {why}. Give it back the data directory that it had; \
         if that is lost, run `conclave member replace ID http://{own}` and start it with an empty \
         one and --initial-cluster-state existing. Without --rejoin=false that is done by itself"
    )]
    Disowned {
        /// Who says so: its address.
        by: String,
        /// What it says.
        why: &'static str,
        /// Where this member is reached.
        own: String,
    },
}

/// How a driver ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was told to.
    Stopped,
    /// Another member does not take this one for what it was: it must not go on with what it has.
    Disowned(Disowned),
}

/// Everything a node needs to live.
pub(crate) struct Driver {
    pub(crate) node: Node,
    pub(crate) clock: Clock,
    pub(crate) links: Links,
    pub(crate) ways: Ways,
    pub(crate) members: Members,
    pub(crate) log: LogWorker,
    pub(crate) state: StateWorkers,
    pub(crate) queues: Queues,
    pub(crate) waiting: Waiting,
    /// Set when another member does not take this one for what it was.
    pub(crate) disowned: Option<Disowned>,
}

/// Where things come in.
pub(crate) struct Queues {
    /// From the APIs.
    pub(crate) calls: mpsc::Receiver<Call>,
    /// From other members; a full queue stops the reading of their links.
    pub(crate) messages: mpsc::Receiver<FromPeers>,
    /// From this side's links.
    pub(crate) links: mpsc::UnboundedReceiver<FromPeers>,
    /// From the workers; bounded by what was asked of them.
    pub(crate) done: mpsc::UnboundedReceiver<Done>,
    /// Turns true when it is time to end.
    pub(crate) stop: watch::Receiver<bool>,
}

/// Who waits for what.
#[derive(Default)]
pub(crate) struct Waiting {
    next: u64,
    replies: HashMap<RequestId, oneshot::Sender<Reply>>,
    streams: HashMap<StreamId, mpsc::UnboundedSender<WatchResponse>>,
}

/// Whether the loop goes on.
enum Next {
    Go,
    Stopped,
}

impl Driver {
    /// Drives the node until it has stopped.
    pub(crate) async fn run(mut self) -> Result<End, RunError> {
        let mut stopping = false;
        loop {
            if let Some(disowned) = self.disowned.take() {
                // The directory may go to another member as soon as nobody writes there any more.
                let _given_up = self.log.close();
                return Ok(End::Disowned(disowned));
            }
            self.heed_stop(&mut stopping);
            if let Next::Stopped = self.carry_out()? {
                self.log.close().map_err(|error| RunError::Log(error.to_string()))?;
                return Ok(End::Stopped);
            }
            let now = self.clock.now();
            let due = self.poll_timeout().is_some_and(|due| due <= now);
            if due {
                // Work is left, or a timer has run out meanwhile: others on this thread first.
                tokio::task::yield_now().await;
            } else {
                self.wait(stopping).await?;
            }
            self.take_all()?;
            let now = self.clock.now();
            self.ways.timeout(now, &mut self.links);
            self.node.handle(now, Input::Timeout);
        }
    }

    /// When there is something to do even if nothing comes in.
    fn poll_timeout(&self) -> Option<Time> {
        self.node.poll_timeout().into_iter().chain(self.ways.poll_timeout()).min()
    }

    /// Begins to stop when told to. Looked at every turn: under load something is always ready.
    fn heed_stop(&mut self, stopping: &mut bool) {
        let stop = &self.queues.stop;
        if !*stopping && (*stop.borrow() || stop.has_changed().is_err()) {
            *stopping = true;
            self.node.handle(self.clock.now(), Input::Stop);
        }
    }

    /// Waits for the first thing to come in, and takes it.
    async fn wait(&mut self, stopping: bool) -> Result<(), RunError> {
        let timeout = self.poll_timeout().map(|time| self.clock.instant(time));
        let timer = async {
            match timeout {
                Some(instant) => tokio::time::sleep_until(instant).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(done) = self.queues.done.recv() => self.done(done)?,
            Some(batch) = self.queues.messages.recv() => self.peers(batch)?,
            Some(event) = self.queues.links.recv() => self.peers(event)?,
            Some(call) = self.queues.calls.recv() => {
                // Whatever else is ready on this thread joins the batch.
                self.call(call);
                tokio::task::yield_now().await;
            }
            () = timer => {}
            _ = self.queues.stop.changed(), if !stopping => {}
        }
        Ok(())
    }

    /// Takes everything that is there.
    fn take_all(&mut self) -> Result<(), RunError> {
        while let Ok(done) = self.queues.done.try_recv() {
            self.done(done)?;
        }
        for _ in 0..BATCHES {
            let Ok(batch) = self.queues.messages.try_recv() else { break };
            self.peers(batch)?;
        }
        while let Ok(event) = self.queues.links.try_recv() {
            self.peers(event)?;
        }
        for _ in 0..CALLS {
            let Ok(call) = self.queues.calls.try_recv() else { break };
            self.call(call);
        }
        Ok(())
    }

    fn peers(&mut self, event: FromPeers) -> Result<(), RunError> {
        let now = self.clock.now();
        match event {
            FromPeers::Packets(from, packets) => {
                for packet in packets {
                    self.ways.arrived(now, from, packet);
                    while let Some((from, message)) = self.ways.poll(&mut self.links) {
                        self.node.handle(now, Input::Receive { from, message });
                    }
                }
            }
            FromPeers::Broke(peer) => self.ways.broke(now, peer, &mut self.links),
            FromPeers::Unreachable(peer) => self.node.handle(now, Input::Unreachable(peer)),
            FromPeers::Newcomer(id, address) => {
                tracing::info!(%id, address, "a member that is not known here yet has dialled");
                let name = id.to_string();
                self.links.dial_newcomer(Peer { id, name, address });
            }
            FromPeers::Join(request) => {
                if let Some((change, answer)) = self.members.admit(&self.node, request) {
                    self.call(Call::Request(Request::MemberChange(change), answer));
                }
            }
            // Who has never heard of anything was never that member.
            FromPeers::Removed(by) if self.node.core().status().last.index == Index(0) => {
                self.disowned = Some(by)
            }
            FromPeers::Removed(_) => return Err(RunError::Removed),
            FromPeers::Disowned(by) => self.disowned = Some(by),
        }
        Ok(())
    }

    fn call(&mut self, call: Call) {
        let input = match call {
            Call::Request(request, sender) => {
                let id = RequestId(self.waiting.next);
                self.waiting.next += 1;
                self.waiting.replies.insert(id, sender);
                Input::Request { id, request }
            }
            Call::OpenWatch(stream, sender) => {
                self.waiting.streams.insert(stream, sender);
                Input::WatchOpen(stream)
            }
            Call::View(borrower) => return self.state.lend(borrower),
            Call::Input(input) => {
                if let Input::WatchClose(stream) = &input {
                    self.waiting.streams.remove(stream);
                }
                input
            }
        };
        self.node.handle(self.clock.now(), input);
    }

    fn done(&mut self, done: Done) -> Result<(), RunError> {
        let input = match done {
            Done::Input(input) => input,
            Done::Persisted(id) => Input::Persisted(id),
            Done::LogFailed(error) => return Err(RunError::Log(error.to_string())),
            Done::Panicked(thread) => return Err(RunError::Panicked(thread)),
        };
        self.node.handle(self.clock.now(), input);
        Ok(())
    }

    /// Carries out everything the node wants now.
    fn carry_out(&mut self) -> Result<Next, RunError> {
        loop {
            while let Some(output) = self.node.poll_output() {
                if let Next::Stopped = self.output(output)? {
                    self.links.flush();
                    return Ok(Next::Stopped);
                }
            }
            self.members.watch_removals(&self.node);
            // Messages leave before the log is synced: the followers' disks work meanwhile.
            self.links.flush();
            self.log.sync();
            let mut any = false;
            while let Ok(done) = self.queues.done.try_recv() {
                any = true;
                self.done(done)?;
            }
            if !any {
                return Ok(Next::Go);
            }
        }
    }

    /// Tells a person that space is short, or no longer is.
    fn tell_space(&self, short: bool) {
        let Some(Space { free, reserved }) = self.node.status().space else { return };
        if short && free < reserved {
            tracing::warn!(
                free,
                reserved,
                "space is short: what grows is refused everywhere until a quarter more than the \
                 reserve is free; delete and compact, or free space on the disk"
            );
        } else if short {
            tracing::warn!(
                free,
                reserved,
                "space is short, as a flush found no room: what grows is refused everywhere until \
                 it does and a quarter more than the reserve is free. A larger --disk-reserved \
                 begins to refuse sooner"
            );
        } else {
            tracing::info!(free, reserved, "there is enough space: what grows is taken again");
        }
    }

    /// Why the node must not go on.
    fn halted(&self, error: &BackendError) -> RunError {
        let why = error.to_string();
        if self.node.compared().1 {
            RunError::Condemned { why, applied: self.node.store().applied().index }
        } else {
            RunError::State(why)
        }
    }

    fn output(&mut self, output: Output) -> Result<Next, RunError> {
        match output {
            Output::Send { to, message } => {
                self.ways.send(self.clock.now(), &mut self.links, to, message);
            }
            Output::Persist { id, write } => self.log.persist(id, write),
            Output::Cut { id, through } => self.log.cut(id, through),
            Output::Fetch { peer, from, max_bytes } => self.log.fetch(peer, from, max_bytes),
            Output::Look { peer, life, wanted } => self.log.look(peer, life, wanted),
            Output::Trim(through) => self.log.trim(through),
            Output::Reply { id, reply } => {
                if let Some(sender) = self.waiting.replies.remove(&id) {
                    // The client may have gone.
                    let _ = sender.send(reply);
                }
            }
            Output::Load(revisions) => self.state.load(revisions),
            Output::Flush(flush) => self.state.flush(flush),
            Output::Discard(dead) => self.state.discard(dead),
            Output::Scan { token, from, to, limit } => self.state.scan(token, from, to, limit),
            Output::ViewOpen { view } => self.state.view_open(view),
            Output::ViewRead { view, from, limit } => self.state.view_read(view, from, limit),
            Output::ViewClose { view } => self.state.view_close(view),
            Output::StageBegin => self.state.stage_begin(),
            Output::Stage(records) => self.state.stage(records),
            Output::StageAbort => self.state.stage_abort(),
            Output::Install { meta, applied } => self.state.install(meta, applied),
            Output::Economise(short) => {
                self.log.economise(short);
                self.state.economise(short);
                self.tell_space(short);
            }
            Output::SnapshotRefused { from, why } => {
                tracing::warn!(%from, %why, "the state of another member was not installed");
            }
            Output::Watch { stream, response } => {
                if let Some(sender) = self.waiting.streams.get(&stream) {
                    // The connection may have gone; its close is on the way.
                    let _ = sender.send(response);
                }
            }
            Output::WatchOverrun(stream) => {
                tracing::warn!(
                    stream = stream.0,
                    "a watch stream is ended: it asks and does not read, or this member must \
                     not serve"
                );
                self.waiting.streams.remove(&stream);
            }
            Output::Membership { at, membership } => {
                let members = words::members(&membership, self.node.store());
                match at {
                    Index(0) => tracing::info!("{members}"),
                    at => tracing::info!("{members} (entry {at})"),
                }
                self.members.changed(at, &membership, (&self.node, &mut self.links));
                self.ways.keep_to(self.clock.now(), &membership);
            }
            Output::Removed => {
                // What the others wait for leaves first.
                self.links.flush();
                return Err(RunError::Removed);
            }
            Output::Event(event) => {
                tracing::info!("{}", words::event(&event, self.node.store()));
            }
            Output::Halt(error) => return Err(self.halted(&error)),
            Output::Stopped => return Ok(Next::Stopped),
        }
        Ok(Next::Go)
    }
}
