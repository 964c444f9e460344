//! The sending side: a link to every other member, dialled again for as long as it takes.
//!
//! A member that is said to be reached elsewhere keeps its link for as long as it holds, and is
//! looked for at both places afterwards: a wrong address cuts nobody off.
//!
//! A member that leaves the configuration may still have to be told so: its link is kept until
//! nothing has been said on it for a while.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use node::codec::{encode_packet, frame};
use protocol::mesh::Packet;
use protocol::raft::Message;
use protocol::{NodeId, Rng};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::FromPeers;
use super::handshake::{Identity, Verdict, greet};
use super::outbox::Outbox;
use super::roster::Roster;
use super::set_up;
use crate::api::metrics::{PeerCounters, PeerMetrics};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A link to somebody who is no member is closed when it was not used for this long.
const UNUSED: Duration = Duration::from_secs(30);

/// Another member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its id.
    pub(crate) id: NodeId,
    /// Its name, for messages to people.
    pub(crate) name: String,
    /// Where it listens: `host:port`.
    pub(crate) address: String,
}

/// The links to all other members. Lives on the driver's runtime.
#[derive(Debug)]
pub(crate) struct Links {
    me: Identity,
    roster: Roster,
    metrics: PeerMetrics,
    links: BTreeMap<NodeId, Link>,
    /// Whether some of them lead to nobody who is a member.
    strays: bool,
    events: mpsc::UnboundedSender<FromPeers>,
}

#[derive(Debug)]
struct Link {
    places: Places,
    /// Set when the configuration no longer names the peer: when the link was last used.
    stray: Option<Instant>,
    outbox: Outbox,
    /// Frames of this turn, sent by one write.
    turn: Vec<u8>,
    counters: PeerCounters,
    task: tokio::task::JoinHandle<()>,
}

impl Links {
    /// No links yet.
    pub(crate) fn new(
        me: Identity,
        roster: Roster,
        events: mpsc::UnboundedSender<FromPeers>,
        metrics: &PeerMetrics,
    ) -> Self {
        let (links, metrics) = (BTreeMap::new(), metrics.clone());
        Self { me, roster, metrics, links, strays: false, events }
    }

    /// Dials all of these and, after a while, hangs up on everybody else.
    pub(crate) fn keep_to(&mut self, peers: Vec<Peer>) {
        let now = Instant::now();
        for (id, link) in &mut self.links {
            let named = peers.iter().any(|peer| peer.id == *id);
            link.stray = if named { None } else { link.stray.or(Some(now)) };
        }
        peers.into_iter().for_each(|peer| self.dial(peer));
        self.strays = self.links.values().any(|link| link.stray.is_some());
    }

    /// Dials somebody who is no member yet, as far as is known here.
    pub(crate) fn dial_newcomer(&mut self, peer: Peer) {
        let id = peer.id;
        if self.links.get(&id).is_none_or(|link| link.stray.is_some()) {
            self.dial(peer);
            if let Some(link) = self.links.get_mut(&id) {
                link.stray = Some(Instant::now());
                self.strays = true;
            }
        }
    }

    /// Dials a peer, unless that is being done.
    fn dial(&mut self, peer: Peer) {
        let id = peer.id;
        if id == self.me.id {
            return;
        }
        if let Some(link) = self.links.get(&id) {
            return link.places.moved(&peer.address);
        }
        let outbox = Outbox::default();
        let places = Places::at(peer.address.clone());
        let counters = self.metrics.of(id);
        let (roster, events) = (self.roster.clone(), self.events.clone());
        let whom = (peer, places.clone());
        let task = tokio::spawn(keep_up((self.me, roster), whom, outbox.clone(), events));
        let link = Link { places, stray: None, outbox, turn: Vec::new(), counters, task };
        self.links.insert(id, link);
    }

    /// Queues a packet for this turn, and gives how many bytes it has.
    pub(crate) fn push(&mut self, to: NodeId, packet: &Packet<Message>) -> usize {
        let Some(link) = self.links.get_mut(&to) else { return 0 };
        let before = link.turn.len();
        if let Some(used) = &mut link.stray {
            *used = Instant::now();
        }
        if frame(&mut link.turn, |out| encode_packet(packet, out)).is_err() {
            tracing::error!(peer = %to, "a message is too large for a frame and was dropped");
        }
        link.turn.len() - before
    }

    /// Sends everything queued in this turn.
    pub(crate) fn flush(&mut self) {
        if self.strays {
            let unused = |link: &Link| link.stray.is_some_and(|used| used.elapsed() >= UNUSED);
            for (_, link) in self.links.extract_if(.., |_, link| unused(link)) {
                link.task.abort();
            }
            self.strays = self.links.values().any(|link| link.stray.is_some());
        }
        for (id, link) in &mut self.links {
            if link.turn.is_empty() {
                continue;
            }
            if link.outbox.send(&link.turn).is_ok() {
                link.counters.sent.inc_by(link.turn.len() as u64);
            } else {
                link.counters.failures.inc();
                // The driver outlives its links.
                let _ = self.events.send(FromPeers::Unreachable(*id));
            }
            link.turn.clear();
            link.turn.shrink_to(1 << 20);
        }
    }
}

/// Where a peer may be: where it is said to be, and where it was before.
#[derive(Clone, Debug)]
struct Places(Arc<Mutex<(String, Option<String>)>>);

impl Places {
    fn at(address: String) -> Self {
        Self(Arc::new(Mutex::new((address, None))))
    }

    /// It is said to be elsewhere, from now on.
    fn moved(&self, address: &str) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.0 != address {
            let before = std::mem::replace(&mut places.0, address.to_owned());
            places.1 = Some(before);
        }
    }

    /// Where to look for it at this attempt.
    fn of(&self, attempt: u64) -> String {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = places.1.as_ref().filter(|_| attempt % 2 == 1);
        before.unwrap_or(&places.0).clone()
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.links.values().for_each(|link| link.task.abort());
    }
}

async fn keep_up(
    (me, roster): (Identity, Roster),
    (mut peer, places): (Peer, Places),
    outbox: Outbox,
    events: mpsc::UnboundedSender<FromPeers>,
) {
    let mut rng = Rng::new(me.incarnation ^ peer.id.0);
    let mut pause = FIRST_PAUSE;
    let mut complained = None;
    for attempt in 0.. {
        peer.address = places.of(attempt);
        match timeout(CONNECT_TIMEOUT, connect(me, &roster, &peer)).await {
            Ok(Ok((stream, Verdict::Welcome))) => {
                tracing::info!(peer = peer.name, address = peer.address, "link up");
                (pause, complained) = (FIRST_PAUSE, None);
                let stream = Arc::new(stream);
                outbox.open(Arc::clone(&stream));
                let error = tokio::select! {
                    error = outbox.drain(&stream) => error,
                    error = closed(&stream) => error,
                };
                outbox.close();
                tracing::info!(peer = peer.name, %error, "link down");
                if events.send(FromPeers::Unreachable(peer.id)).is_err() {
                    return;
                }
            }
            Ok(Ok((_, verdict))) => {
                if verdict == Verdict::Removed {
                    // The driver outlives its links.
                    let _ = events.send(FromPeers::Removed);
                }
                if complained.replace(verdict) != Some(verdict) {
                    let (name, address) = (&peer.name, &peer.address);
                    tracing::error!(
                        "{name} at {address} refuses this member: {}",
                        verdict.explain()
                    );
                }
                pause = LONGEST_PAUSE;
            }
            Ok(Err(error)) => tracing::debug!(peer = peer.name, %error, "no link"),
            Err(_) => tracing::debug!(peer = peer.name, "no link: connecting timed out"),
        }
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        sleep(Duration::from_millis(millis / 2 + rng.below(millis))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn connect(me: Identity, roster: &Roster, peer: &Peer) -> io::Result<(TcpStream, Verdict)> {
    let mut stream = TcpStream::connect(&peer.address).await?;
    set_up(&stream)?;
    let verdict = greet(&mut stream, &roster.hello(me, peer.id)).await?;
    Ok((stream, verdict))
}

/// Nothing comes back on a dialled link: anything that does is its end.
async fn closed(stream: &TcpStream) -> io::Error {
    let mut byte = [0];
    loop {
        if let Err(error) = stream.readable().await {
            return error;
        }
        match stream.try_read(&mut byte) {
            Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
            Ok(_) => return io::ErrorKind::InvalidData.into(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return error,
        }
    }
}
