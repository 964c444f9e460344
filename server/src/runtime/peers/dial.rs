//! The sending side: a link to every other member, dialled again for as long as it takes.
//!
//! A member that is said to be reached elsewhere keeps its link for as long as it holds, and is
//! looked for at both places afterwards: a wrong address cuts nobody off.
//!
//! A member that leaves the configuration may still have to be told so: its link is kept until
//! nothing has been said on it for a while.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use node::Message;
use node::codec::{encode_packet, frame};
use protocol::mesh::Packet;
use protocol::{NodeId, Rng};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::handshake::{Identity, Verdict, greet};
use super::outbox::Outbox;
use super::roster::Roster;
use super::set_up;
use super::{Disowned, FromPeers};
use crate::api::metrics::{PeerCounters, PeerMetrics};
use crate::runtime::register::Register;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A link to somebody who is no member is closed when it was not used for this long.
const UNUSED: Duration = Duration::from_secs(30);
/// Of so many such links it is known where they led.
const MAX_LAPSED: usize = 64;

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
    speaker: Speaker,
    metrics: PeerMetrics,
    links: BTreeMap<NodeId, Link>,
    /// Those whose links were closed because they were not used. They are dialled again when there
    /// is something to say to them: who was a stranger may lead by now, and does not say again
    /// where it is for as long as its own link holds.
    /// The oldest comes first, and makes room.
    lapsed: VecDeque<Peer>,
    /// Whether some of them lead to nobody who is a member.
    strays: bool,
    events: mpsc::UnboundedSender<FromPeers>,
}

/// What this member says of itself when it dials.
#[derive(Clone, Debug)]
struct Speaker {
    me: Identity,
    roster: Roster,
    register: Register,
}

#[derive(Debug)]
struct Link {
    name: String,
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
        (me, roster, register): (Identity, Roster, Register),
        events: mpsc::UnboundedSender<FromPeers>,
        metrics: &PeerMetrics,
    ) -> Self {
        let (links, lapsed, metrics) = (BTreeMap::new(), VecDeque::new(), metrics.clone());
        let speaker = Speaker { me, roster, register };
        Self { speaker, metrics, links, lapsed, strays: false, events }
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
        if id == self.speaker.me.id {
            return;
        }
        if let Some(link) = self.links.get(&id) {
            return link.places.moved(&peer.address);
        }
        self.lapsed.retain(|peer| peer.id != id);
        let outbox = Outbox::default();
        let (name, places) = (peer.name.clone(), Places::at(peer.address.clone()));
        let counters = self.metrics.of(id);
        let (speaker, events) = (self.speaker.clone(), self.events.clone());
        let whom = (peer, places.clone());
        let task = tokio::spawn(keep_up(speaker, whom, outbox.clone(), events));
        let link = Link { name, places, stray: None, outbox, turn: Vec::new(), counters, task };
        self.links.insert(id, link);
    }

    /// Queues a packet for this turn, and gives how many bytes it has.
    pub(crate) fn push(&mut self, to: NodeId, packet: &Packet<Message>) -> usize {
        if let Some(at) = self.lapsed.iter().position(|peer| peer.id == to)
            && let Some(peer) = self.lapsed.remove(at)
        {
            self.dial_newcomer(peer);
        }
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
            self.hang_up(UNUSED);
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

/// Closing what nobody needs.
impl Links {
    /// Closes links to those who are no members that were not used for so long.
    fn hang_up(&mut self, after: Duration) {
        let unused = |link: &Link| link.stray.is_some_and(|used| used.elapsed() >= after);
        for (id, link) in self.links.extract_if(.., |_, link| unused(link)) {
            link.task.abort();
            let address = link.places.of(0);
            if self.lapsed.len() == MAX_LAPSED {
                self.lapsed.pop_front();
            }
            self.lapsed.push_back(Peer { id, name: link.name, address });
        }
        self.strays = self.links.values().any(|link| link.stray.is_some());
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
    speaker: Speaker,
    (mut peer, places): (Peer, Places),
    outbox: Outbox,
    events: mpsc::UnboundedSender<FromPeers>,
) {
    let mut rng = Rng::new(speaker.me.incarnation ^ peer.id.0);
    let mut pause = FIRST_PAUSE;
    let mut complained = None;
    for attempt in 0.. {
        peer.address = places.of(attempt);
        // Taken before the greeting: what is counted meanwhile is told after it.
        let told = speaker.register.watch();
        match timeout(CONNECT_TIMEOUT, speaker.connect(&peer)).await {
            Ok(Ok((stream, Verdict::Welcome))) => {
                tracing::info!(peer = peer.name, address = peer.address, "link up");
                (pause, complained) = (FIRST_PAUSE, None);
                let stream = Arc::new(stream);
                outbox.open(Arc::clone(&stream));
                let error = tokio::select! {
                    error = outbox.drain(&stream) => error,
                    error = closed(&stream) => error,
                    error = speaker.keep_telling(&peer, told) => error,
                };
                outbox.close();
                tracing::info!(peer = peer.name, %error, "link down");
                if events.send(FromPeers::Unreachable(peer.id)).is_err() {
                    return;
                }
            }
            Ok(Ok((_, verdict))) => {
                if let Some(event) = Speaker::dismissal(&peer, verdict) {
                    // The driver outlives its links.
                    let _ = events.send(event);
                }
                let by_itself = verdict == Verdict::NotMe && speaker.roster.is_at(&peer.address);
                if complained.replace(verdict) != Some(verdict) && !by_itself {
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

impl Speaker {
    async fn connect(&self, peer: &Peer) -> io::Result<(TcpStream, Verdict)> {
        let mut stream = TcpStream::connect(&peer.address).await?;
        set_up(&stream)?;
        let hello =
            self.roster.hello(self.me, peer.id, (self.register.life(), self.register.known()));
        let verdict = greet(&mut stream, &hello).await?;
        Ok((stream, verdict))
    }

    /// Greets again, beside the link, when this member has counted on. Ends when it is refused, or
    /// the other side is gone.
    async fn keep_telling(&self, peer: &Peer, mut told: watch::Receiver<u64>) -> io::Error {
        loop {
            if told.changed().await.is_err() {
                return std::future::pending().await;
            }
            match timeout(CONNECT_TIMEOUT, self.connect(peer)).await {
                Ok(Ok((_, Verdict::Welcome))) => {}
                Ok(Ok(_)) => return io::ErrorKind::PermissionDenied.into(),
                Ok(Err(error)) => return error,
                Err(_) => return io::ErrorKind::TimedOut.into(),
            }
        }
    }

    /// What a refusal means for this member, if it ends it.
    fn dismissal(peer: &Peer, verdict: Verdict) -> Option<FromPeers> {
        let disowned = || Disowned { by: peer.address.clone(), why: verdict.explain() };
        match verdict {
            Verdict::Removed => Some(FromPeers::Removed(disowned())),
            Verdict::Outdated | Verdict::Forgotten => Some(FromPeers::Disowned(disowned())),
            Verdict::Welcome
            | Verdict::Version
            | Verdict::Cluster
            | Verdict::NotMe
            | Verdict::Stranger
            | Verdict::Duplicate => None,
        }
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use protocol::raft::{self, Body};
    use protocol::{ClusterId, Term};

    use super::*;

    fn said() -> Packet<Message> {
        Packet::Direct(raft::Message { term: Term(1), body: Body::TimeoutNow }.into())
    }

    #[tokio::test]
    async fn a_stranger_whose_link_was_closed_is_dialled_again_when_there_is_something_to_say() {
        let me = Identity { cluster: ClusterId(1), id: NodeId(1), incarnation: 0 };
        let roster = Roster::new(me.id, String::new(), BTreeSet::new());
        let register = Register::open(None, 0, || 0).unwrap();
        let (events, _queue) = mpsc::unbounded_channel();
        let metrics = crate::api::metrics::Metrics::default().peers().clone();
        let mut links = Links::new((me, roster, register), events, &metrics);
        let stranger = Peer { id: NodeId(8), name: "8".into(), address: "127.0.0.1:1".into() };
        assert_eq!(links.push(stranger.id, &said()), 0, "nobody knows where it is");
        links.dial_newcomer(stranger.clone());
        links.hang_up(Duration::ZERO);
        assert!(links.links.is_empty());
        assert!(links.push(stranger.id, &said()) > 0);
        assert!(links.links[&stranger.id].places.of(0) == stranger.address && links.strays);
        assert!(links.lapsed.is_empty());
        // Of too many, the newest are known.
        for id in 0..MAX_LAPSED as u64 {
            links.dial_newcomer(Peer { id: NodeId(100 + id), ..stranger.clone() });
        }
        links.hang_up(Duration::ZERO);
        assert!(links.lapsed.len() == MAX_LAPSED && links.links.is_empty());
        assert_eq!(links.push(stranger.id, &said()), 0);
        assert!(links.push(NodeId(100), &said()) > 0);
    }
}
