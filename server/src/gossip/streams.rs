//! Streams: one question and one answer each, within a deadline.
//!
//! What others may open is bounded three ways: in number ([`STREAMS_MAX`]), in time, and in memory:
//! a stream has [`SMALL`] bytes for the asking, as they come and unpacked, and whatever is more
//! waits for one of a few places ([`LARGE_MAX`]). All that a stream carries is read by the one who
//! takes it in ([`StreamOpener`]); nothing here looks inside.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::swim::message::{Ack, Name, Ping, PushPull, StreamMessage};
use protocol::swim::{Address, ExchangeId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::complaints::Complaints;
use super::envelope::{Envelope, Opened, STREAM_MAX, StreamOpener, expand};
use super::failure::Failure;
use super::refusal::Refusal;
use super::sockets::from_wire;
use super::traffic::Traffic;

/// Streams of others under way at a time; further ones are closed at once, as upstream does.
const STREAMS_MAX: usize = 128;
/// Bytes that every stream may bring.
const SMALL: usize = 1 << 20;
/// Streams of others that may bring more at a time, and as many of our own.
const LARGE_MAX: usize = 4;
/// How much is read at once, in bytes.
const PIECE: usize = 16 << 10;
/// How long accepting rests when the system has no socket to give.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// What streams bring to the member.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A ping was acknowledged.
    Acked(u32),
    /// An exchange has ended.
    Exchanged(ExchangeId, Result<PushPull, Failure>),
    /// Somebody began one, and waits for the answer.
    Asked(PushPull, oneshot::Sender<PushPull>),
    /// A message of the layer above.
    Told(Bytes),
}

/// What all streams share.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) own: Name,
    pub(super) envelope: Arc<Envelope>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) complaints: Arc<Complaints>,
    pub(super) arrivals: mpsc::Sender<Arrival>,
    /// How long a stream of somebody else may take.
    pub(super) patience: Duration,
    large: Semaphore,
    /// Strangers that are slow must not keep this member's own exchanges from their end.
    large_own: Semaphore,
}

impl Streams {
    pub(super) fn new(
        own: Name,
        envelope: Arc<Envelope>,
        (traffic, complaints): (Arc<Traffic>, Arc<Complaints>),
        arrivals: mpsc::Sender<Arrival>,
        patience: Duration,
    ) -> Self {
        let (large, large_own) = (Semaphore::new(LARGE_MAX), Semaphore::new(LARGE_MAX));
        Self { own, envelope, traffic, complaints, arrivals, patience, large, large_own }
    }

    /// Asks a member over a stream whether it is there.
    pub(super) async fn ping(self: Arc<Self>, to: Address, ping: Ping, deadline: Instant) {
        let seq = ping.seq;
        match self.ask(to, StreamMessage::Ping(ping), deadline).await {
            Ok(StreamMessage::Ack(ack)) if ack.seq == seq => {
                let _ended = self.arrivals.send(Arrival::Acked(seq)).await;
            }
            Ok(_) => self.traffic.refusals.count(Refusal::Answer),
            Err(failure) => self.traffic.refusals.count(failure.refusal()),
        }
    }

    /// Exchanges everything with a member.
    pub(super) async fn exchange(
        self: Arc<Self>,
        id: ExchangeId,
        to: Address,
        state: PushPull,
        deadline: Instant,
    ) {
        let asked = self.ask(to, StreamMessage::PushPull(state), deadline);
        let state = match asked.await {
            Ok(StreamMessage::PushPull(state)) => Ok(state),
            Ok(StreamMessage::Error(text)) => {
                let text = text.utf8_chunks().map(|chunk| chunk.valid()).collect::<String>();
                let text = text.escape_debug().to_string();
                tracing::warn!(%to, "the pool's member refuses to exchange states: {text}");
                Err(Failure::Told(text))
            }
            Ok(_) => Err(Failure::Answer(Refusal::Answer)),
            Err(failure) => {
                tracing::debug!(%to, ?failure, "an exchange of states came to nothing");
                Err(failure)
            }
        };
        if let Err(failure) = &state {
            self.traffic.refusals.count(failure.refusal());
        }
        let _ended = self.arrivals.send(Arrival::Exchanged(id, state)).await;
    }

    async fn ask(
        &self,
        to: Address,
        message: StreamMessage,
        deadline: Instant,
    ) -> Result<StreamMessage, Failure> {
        let to = from_wire(to).ok_or(Failure::Closed)?;
        let connected = timeout_at(deadline, TcpStream::connect(to)).await;
        let mut stream = connected.map_err(|_| Failure::Unconnected)?.map_err(Failure::Connect)?;
        self.traffic.streams_out.one();
        let answered = async {
            self.send(&mut stream, &message, true).await?;
            drop(message);
            self.receive(&mut stream, false).await.map(|(answer, _place)| answer)
        };
        timeout_at(deadline, answered).await.map_err(|_| Failure::Unanswered)?.map_err(Into::into)
    }

    /// Takes streams of others, for ever.
    pub(super) async fn accept(self: Arc<Self>, listener: TcpListener) {
        let room = Arc::new(Semaphore::new(STREAMS_MAX));
        loop {
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept streams of the pool");
                    sleep(EXHAUSTED_PAUSE).await;
                    continue;
                }
            };
            self.traffic.streams_in.one();
            let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
                self.traffic.refusals.count(Refusal::Busy);
                continue;
            };
            let streams = Arc::clone(&self);
            tokio::spawn(async move {
                streams.traffic.streams_open.rise();
                streams.serve(stream, from).await;
                streams.traffic.streams_open.fall();
                drop(place);
            });
        }
    }

    async fn serve(&self, mut stream: TcpStream, from: SocketAddr) {
        let served = timeout(self.patience, self.answer(&mut stream)).await;
        if let Err(refusal) = served.unwrap_or(Err(Refusal::Slow)) {
            self.traffic.refusals.count(refusal);
            self.complaints.refused(from, refusal);
            tracing::debug!(%from, "a stream of the pool was refused: {refusal}");
        }
    }

    async fn answer(&self, stream: &mut TcpStream) -> Result<(), Refusal> {
        // The place is held until the member has taken the message in.
        let (message, _place) = match self.receive(stream, true).await {
            Ok(received) => received,
            Err(refusal) => {
                if let Some(text) = told(refusal) {
                    let error = StreamMessage::Error(Bytes::from_static(text.as_bytes()));
                    self.send(stream, &error, false).await?;
                }
                return Err(refusal);
            }
        };
        match message {
            StreamMessage::Ping(ping) => {
                if !ping.node.is_empty() && ping.node != self.own {
                    return Err(Refusal::Answer);
                }
                let ack = Ack { seq: ping.seq, payload: Bytes::new() };
                self.send(stream, &StreamMessage::Ack(ack), false).await
            }
            StreamMessage::PushPull(state) => {
                let (reply, answer) = oneshot::channel();
                let asked = self.arrivals.send(Arrival::Asked(state, reply)).await;
                asked.map_err(|_| Refusal::Broken)?;
                let state = answer.await.map_err(|_| Refusal::Busy)?;
                self.send(stream, &StreamMessage::PushPull(state), false).await
            }
            StreamMessage::User(message) => {
                let told = self.arrivals.send(Arrival::Told(message)).await;
                told.map_err(|_| Refusal::Broken)
            }
            StreamMessage::Ack(_) | StreamMessage::Error(_) => Err(Refusal::Answer),
        }
    }

    async fn send(
        &self,
        stream: &mut TcpStream,
        message: &StreamMessage,
        opens: bool,
    ) -> Result<(), Refusal> {
        let bytes = self.envelope.seal_stream(message, opens)?;
        stream.write_all(&bytes).await.map_err(broken)?;
        self.traffic.stream_bytes_out.add(bytes.len());
        Ok(())
    }

    /// The message of a stream, and the place that it takes if it is large.
    async fn receive(
        &self,
        stream: &mut TcpStream,
        opened_by_other: bool,
    ) -> Result<(StreamMessage, Option<SemaphorePermit<'_>>), Refusal> {
        let large = if opened_by_other { &self.large } else { &self.large_own };
        let take = async || large.acquire().await.expect("it is never closed");
        let mut opener = StreamOpener::new(opened_by_other);
        let mut piece = vec![0; PIECE];
        let mut received = 0;
        let mut place: Option<SemaphorePermit<'_>> = None;
        let opened = loop {
            let read = stream.read(&mut piece).await.map_err(broken)?;
            if read == 0 {
                return Err(Refusal::Broken);
            }
            received += read;
            self.traffic.stream_bytes_in.add(read);
            if received > SMALL && place.is_none() {
                place = Some(take().await);
            }
            let opened = opener.push(&piece[..read], &self.envelope, &self.traffic.refusals)?;
            if let Some(opened) = opened {
                break opened;
            }
        };
        let packed = match opened {
            Opened::Message(message) => return Ok((message, place)),
            Opened::Packed(packed) => packed,
        };
        // A few bytes may become many: what is large only then waits for a place, too, and is
        // unpacked where it holds nobody up.
        match expand(&packed, SMALL, &self.traffic.refusals) {
            Err(Refusal::Bomb) => {}
            Err(refusal) => return Err(refusal),
            Ok(message) => return Ok((message, place)),
        }
        if place.is_none() {
            place = Some(take().await);
        }
        let traffic = Arc::clone(&self.traffic);
        let unpack = move || expand(&packed, STREAM_MAX, &traffic.refusals);
        let unpacked = tokio::task::spawn_blocking(unpack).await;
        unpacked.map_err(|_| Refusal::Broken)?.map(|message| (message, place))
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn broken(_error: io::Error) -> Refusal {
    Refusal::Broken
}

/// What the other side is told of a refusal, in upstream's words where it has some. Who speaks in
/// another pool, or breaks off, is told nothing.
const fn told(refusal: Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::Plaintext => Some("encryption is configured but remote state is not encrypted"),
        Refusal::NoKeys => Some("remote state is encrypted and encryption is not configured"),
        Refusal::Key => Some("no installed keys could decrypt the message"),
        Refusal::Compression => Some("what is compressed is damaged"),
        Refusal::Bomb => Some("what is compressed becomes too large"),
        Refusal::Wire(_) => Some("this is no message of the pool"),
        Refusal::Label
        | Refusal::Slow
        | Refusal::Busy
        | Refusal::Answer
        | Refusal::Remote
        | Refusal::Broken => None,
    }
}
