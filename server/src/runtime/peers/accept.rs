//! The receiving side: whoever dials shows who it is, then its frames are read.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use node::Judgement;
use node::Message;
use node::codec::{DecodeError, FRAME_HEADER, FrameHeader, decode_packet, unframe};
use prometheus_client::metrics::counter::Counter;
use protocol::NodeId;
use protocol::mesh::Packet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::FromPeers;
use super::handshake::{self, Hello, Identity, Verdict, answer, hear_magic, no_peer};
use super::join::{self, Admission, Ask, JoinRequest};
use super::refusals::Refusals;
use super::roster::Roster;
use super::set_up;
use crate::api::metrics::PeerMetrics;
use crate::runtime::register::Register;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Handshakes that may be under way at once; further connections are closed.
const MAX_STRANGERS: usize = 64;
const READ_CHUNK: usize = 64 << 10;
/// Bytes that are read of a greeting in another version before the connection is closed.
const FAREWELL: usize = 8 << 10;

/// What the receiving side knows of the others.
#[derive(Debug)]
pub(crate) struct Acceptor {
    pub(super) me: Identity,
    pub(super) roster: Roster,
    pub(super) register: Register,
    messages: mpsc::Sender<FromPeers>,
    /// A link is silent when nothing came for this long: its place may then be taken.
    silence: Duration,
    metrics: PeerMetrics,
    /// What came over others and was not believed.
    pub(super) refused: Counter,
    claims: Mutex<BTreeMap<NodeId, Claim>>,
    refusals: Refusals,
}

/// Which process is heard as a member.
#[derive(Clone, Copy, Debug)]
struct Claim {
    incarnation: u64,
    heard: Instant,
    links: usize,
}

impl Claim {
    fn is_alive(&self, silence: Duration) -> bool {
        self.links > 0 && self.heard.elapsed() < silence
    }
}

impl Acceptor {
    pub(crate) fn new(
        us: (Identity, Roster, Register),
        messages: mpsc::Sender<FromPeers>,
        silence: Duration,
        (metrics, refused): (PeerMetrics, Counter),
    ) -> Arc<Self> {
        let (claims, refusals) = (Mutex::default(), Refusals::default());
        let (me, roster, register) = us;
        Arc::new(Self {
            me,
            roster,
            register,
            messages,
            silence,
            metrics,
            refused,
            claims,
            refusals,
        })
    }

    /// Judges a hello. Whoever is welcome has the place, and is known durably; the flag says that
    /// it is the first that is known here of the dialler.
    async fn judge(&self, hello: &Hello) -> io::Result<(Verdict, bool)> {
        let (verdict, unknown) = self.roster.judge(hello, self.me);
        if verdict != Verdict::Welcome {
            return Ok((verdict, false));
        }
        // Whoever runs is asked nothing: a second process that shows an older life is its problem.
        if self.is_taken(hello.from) {
            return Ok((Verdict::Duplicate, false));
        }
        let verdict = match self.register.meet(hello.from.id, &hello.life, &hello.known).await? {
            Judgement::Welcome { .. } if self.claim(hello.from) => Verdict::Welcome,
            Judgement::Welcome { .. } => Verdict::Duplicate,
            Judgement::Outdated => Verdict::Outdated,
            Judgement::Forgotten => Verdict::Forgotten,
        };
        Ok((verdict, unknown))
    }

    /// Whether another process is heard as this member.
    fn is_taken(&self, who: Identity) -> bool {
        let claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let other = claims.get(&who.id).filter(|claim| claim.incarnation != who.incarnation);
        other.is_some_and(|claim| claim.is_alive(self.silence))
    }

    /// Those who are heard.
    fn present(&self) -> BTreeSet<NodeId> {
        let claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = claims.iter().filter(|(_, claim)| claim.is_alive(self.silence));
        alive.map(|(id, _)| *id).collect()
    }

    fn claim(&self, who: Identity) -> bool {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let fresh = Claim { incarnation: who.incarnation, heard: now, links: 0 };
        let claim = claims.entry(who.id).or_insert(fresh);
        if claim.incarnation != who.incarnation {
            if claim.is_alive(self.silence) {
                return false;
            }
            *claim = fresh;
        }
        claim.links += 1;
        claim.heard = now;
        true
    }

    /// Notes that a process was heard. False when another one has taken its place meanwhile.
    fn heard(&self, who: Identity) -> bool {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let claim = claims.get_mut(&who.id).filter(|claim| claim.incarnation == who.incarnation);
        claim.map(|claim| claim.heard = Instant::now()).is_some()
    }

    /// Notes that a process was heard over another member. False when another process is, or may
    /// still be, heard in its place.
    pub(super) fn heard_over(&self, id: NodeId, incarnation: u64) -> bool {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Claim { incarnation, heard: Instant::now(), links: 0 };
        let claim = claims.entry(id).or_insert(fresh);
        if claim.incarnation == incarnation {
            claim.heard = fresh.heard;
        } else if claim.heard.elapsed() >= self.silence {
            *claim = fresh;
        }
        claim.incarnation == incarnation
    }

    /// A link has ended; gives whether it was the last one of a process that is to be heard.
    fn release(&self, who: Identity) -> bool {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let claim = claims.get_mut(&who.id).filter(|claim| claim.incarnation == who.incarnation);
        claim.is_some_and(|claim| {
            claim.links = claim.links.saturating_sub(1);
            claim.links == 0
        })
    }
}

/// Accepts links until the task is dropped.
pub(crate) async fn listen(listener: TcpListener, acceptor: Arc<Acceptor>) {
    let strangers = Arc::new(tokio::sync::Semaphore::new(MAX_STRANGERS));
    let mut links = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let Ok(permit) = Arc::clone(&strangers).try_acquire_owned() else { continue };
                    let acceptor = Arc::clone(&acceptor);
                    links.spawn(async move {
                        if let Err(error) = serve(stream, &acceptor, permit).await {
                            tracing::debug!(%address, %error, "peer connection ended");
                        }
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: leave the others room to end.
                    tracing::warn!(%error, "cannot accept a peer connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = links.join_next() => {}
        }
    }
}

async fn serve(
    mut stream: TcpStream,
    acceptor: &Acceptor,
    permit: tokio::sync::OwnedSemaphorePermit,
) -> io::Result<()> {
    set_up(&stream)?;
    let greeting = timeout(HANDSHAKE_TIMEOUT, hear(&mut stream)).await??;
    let hello = match greeting {
        Greeting::Peer(hello) => hello,
        Greeting::OtherVersion => {
            answer(&mut stream, acceptor.me, Verdict::Version).await?;
            return farewell(&mut stream).await;
        }
        Greeting::Newcomer(admission) => {
            let admission = timeout(HANDSHAKE_TIMEOUT, admit(acceptor, admission)).await?;
            join::answer(&mut stream, admission).await?;
            return farewell(&mut stream).await;
        }
    };
    drop(permit);
    let (verdict, unnamed) = acceptor.judge(&hello).await.inspect_err(|error| {
        tracing::error!(%error, "cannot note whom this member has met: a link is refused");
    })?;
    if verdict != Verdict::Welcome {
        acceptor.refusals.tell(&hello, verdict);
        return answer(&mut stream, acceptor.me, verdict).await;
    }
    if unnamed && !hello.address.is_empty() {
        let newcomer = FromPeers::Newcomer(hello.from.id, hello.address.clone());
        // A node that has ended closes its links by itself.
        let _ = acceptor.messages.send(newcomer).await;
    }
    let welcomed = async {
        answer(&mut stream, acceptor.me, verdict).await?;
        receive(stream, acceptor, hello.from).await
    };
    let result = welcomed.await;
    if acceptor.release(hello.from) {
        // A node that has ended hears nobody anyway.
        let _ = acceptor.messages.send(FromPeers::Broke(hello.from.id)).await;
    }
    result
}

/// What a connection is for.
enum Greeting {
    Peer(Box<Hello>),
    OtherVersion,
    /// What it asks; `None` in another version.
    Newcomer(Option<Ask>),
}

/// Ends a connection of which not all may have been read: closed at once, it could be reset before
/// the answer has arrived.
async fn farewell(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut rest = [0; FAREWELL];
    let mut read = 0;
    while read < FAREWELL {
        match timeout(HANDSHAKE_TIMEOUT, stream.read(&mut rest[read..])).await?? {
            0 => break,
            more => read += more,
        }
    }
    Ok(())
}

async fn hear(stream: &mut TcpStream) -> io::Result<Greeting> {
    match hear_magic(stream).await? {
        handshake::MAGIC => {
            let hello = handshake::hear(stream).await?;
            Ok(hello.map_or(Greeting::OtherVersion, |hello| Greeting::Peer(Box::new(hello))))
        }
        join::MAGIC => Ok(Greeting::Newcomer(join::hear(stream).await?)),
        _ => Err(no_peer()),
    }
}

/// Asks the node about a newcomer.
async fn admit(acceptor: &Acceptor, question: Option<Ask>) -> Admission {
    let Some(ask) = question else { return Admission::Version };
    let (answer, answered) = tokio::sync::oneshot::channel();
    let request = FromPeers::Join(JoinRequest { ask, present: acceptor.present(), answer });
    // Whoever is ending knows nobody.
    let _ = acceptor.messages.send(request).await;
    answered.await.unwrap_or(Admission::Unknown)
}

async fn receive(mut stream: TcpStream, acceptor: &Acceptor, from: Identity) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(READ_CHUNK);
    let received = acceptor.metrics.of(from.id).received;
    loop {
        let wanted = missing(&buffer).map_err(invalid)?;
        buffer.reserve(wanted.max(READ_CHUNK));
        let read = stream.read_buf(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        received.inc_by(read as u64);
        let mut packets = take_packets(&mut buffer).map_err(invalid)?;
        if packets.is_empty() {
            continue;
        }
        if !acceptor.heard(from) {
            // Two processes must never speak for one member; this one may dial and claim again.
            tracing::warn!(from = %from.id, "another process has taken this peer's place");
            return Ok(());
        }
        packets.retain(|packet| acceptor.believes(from, packet));
        // A full queue stops the reading, and so the sender: TCP's own back-pressure.
        if acceptor.messages.send(FromPeers::Packets(from.id, packets)).await.is_err() {
            return Ok(());
        }
    }
}

fn invalid(error: DecodeError) -> io::Error {
    tracing::error!(%error, "a peer sent bytes that are no message; its link is closed");
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

/// How many bytes the frame at the front still lacks; 0 when its header is not there yet.
fn missing(buffer: &BytesMut) -> Result<usize, DecodeError> {
    match buffer.first_chunk::<FRAME_HEADER>() {
        None => Ok(0),
        Some(header) => {
            let length = FrameHeader::decode(*header)?.length;
            Ok((FRAME_HEADER + length).saturating_sub(buffer.len()))
        }
    }
}

/// Takes all whole frames off the front.
fn take_packets(buffer: &mut BytesMut) -> Result<Vec<Packet<Message>>, DecodeError> {
    let mut packets = Vec::new();
    while let Some(header) = buffer.first_chunk::<FRAME_HEADER>() {
        let header = FrameHeader::decode(*header)?;
        if buffer.len() < FRAME_HEADER + header.length {
            break;
        }
        // A copy of its own: what is kept of a message must not keep the whole read buffer, and the
        // buffer is used again.
        let body = Bytes::copy_from_slice(&buffer[FRAME_HEADER..FRAME_HEADER + header.length]);
        buffer.advance(FRAME_HEADER + header.length);
        packets.push(decode_packet(unframe(header, body)?)?);
    }
    Ok(packets)
}

#[cfg(test)]
mod tests {
    use protocol::ClusterId;

    use super::*;

    #[test]
    fn a_process_whose_place_was_taken_is_not_heard_any_more() {
        let identity = |incarnation| Identity { cluster: ClusterId(1), id: NodeId(2), incarnation };
        let (messages, _queue) = mpsc::channel(1);
        let me = Identity { cluster: ClusterId(1), id: NodeId(1), incarnation: 0 };
        let metrics = crate::api::metrics::Metrics::default().peers().clone();
        let metrics = (metrics, Counter::default());
        let roster = Roster::new(me.id, String::new(), [NodeId(2)].into());
        let register = Register::open(None, 0, || 0).unwrap();
        let acceptor = Acceptor::new((me, roster, register), messages, Duration::ZERO, metrics);
        assert!(acceptor.claim(identity(7)) && acceptor.heard(identity(7)));
        // It is silent for as long as this acceptor waits.
        assert!(acceptor.claim(identity(8)) && acceptor.heard(identity(8)));
        assert!(!acceptor.heard(identity(7)));
    }
}
