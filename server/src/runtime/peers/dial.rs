//! The sending side: a link to every other member, dialled again for as long as it takes.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use node::codec::{encode_message, frame};
use protocol::raft::Message;
use protocol::{NodeId, Rng};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::FromPeers;
use super::handshake::{Identity, Verdict, greet};
use super::outbox::Outbox;
use super::set_up;
use crate::api::metrics::{PeerCounters, PeerMetrics};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Another member.
#[derive(Clone, Debug)]
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
    links: BTreeMap<NodeId, Link>,
    events: mpsc::UnboundedSender<FromPeers>,
}

#[derive(Debug)]
struct Link {
    outbox: Outbox,
    /// Frames of this turn, sent by one write.
    turn: Vec<u8>,
    counters: PeerCounters,
    task: tokio::task::JoinHandle<()>,
}

impl Links {
    /// Starts dialling.
    pub(crate) fn start(
        me: Identity,
        peers: Vec<Peer>,
        events: mpsc::UnboundedSender<FromPeers>,
        metrics: &PeerMetrics,
    ) -> Self {
        let links = peers.into_iter().map(|peer| {
            let outbox = Outbox::default();
            let id = peer.id;
            let counters = metrics.of(id);
            let task = tokio::spawn(keep_up(me, peer, outbox.clone(), events.clone()));
            (id, Link { outbox, turn: Vec::new(), counters, task })
        });
        Self { links: links.collect(), events }
    }

    /// Queues a message for this turn.
    pub(crate) fn push(&mut self, to: NodeId, message: &Message) {
        let Some(link) = self.links.get_mut(&to) else { return };
        if frame(&mut link.turn, |out| encode_message(message, out)).is_err() {
            tracing::error!(peer = %to, "a message is too large for a frame and was dropped");
        }
    }

    /// Sends everything queued in this turn.
    pub(crate) fn flush(&mut self) {
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

impl Drop for Links {
    fn drop(&mut self) {
        self.links.values().for_each(|link| link.task.abort());
    }
}

async fn keep_up(
    me: Identity,
    peer: Peer,
    outbox: Outbox,
    events: mpsc::UnboundedSender<FromPeers>,
) {
    let mut rng = Rng::new(me.incarnation ^ peer.id.0);
    let mut pause = FIRST_PAUSE;
    let mut complained = None;
    loop {
        match timeout(CONNECT_TIMEOUT, connect(me, &peer)).await {
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

async fn connect(me: Identity, peer: &Peer) -> io::Result<(TcpStream, Verdict)> {
    let mut stream = TcpStream::connect(&peer.address).await?;
    set_up(&stream)?;
    let verdict = greet(&mut stream, me, peer.id).await?;
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
