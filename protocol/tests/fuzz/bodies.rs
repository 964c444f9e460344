//! What must hold of any bytes at all. The fuzz targets under coverage run the same.

use bytes::Bytes;
use protocol::bully::wire as letters;
use protocol::swim::message::{Addr, Facts, Name, StreamMessage, Vsn};
use protocol::swim::serf::{self, Filter, Tags};
use protocol::swim::wire::envelope::unlabel;
use protocol::swim::wire::{
    Error, Item, Limits, Part, Sealed, StreamReader, checksum, encode, encode_stream, encoded_len,
    parts,
};
use protocol::swim::{Address, Config, Identity, Input, StreamId, Swim};
use protocol::{Rng, Time};

/// Rows of a member that hears anything from anybody.
const MEMBERS: usize = 64;

/// A datagram: messages, compounds, checksums, and what wraps them.
pub(crate) fn packet(data: &[u8]) {
    let packet = Bytes::copy_from_slice(data);
    let _ = Sealed::read(&packet);
    let Ok((_, packet)) = unlabel(packet) else { return };
    // Nobody finds a checksum by trying: what is below one is tried, too.
    let sealed = Bytes::from(checksum::seal(&packet));
    for part in parts(packet).chain(parts(sealed)).flatten() {
        let Part::Message(message) = part else { continue };
        let mut again = Vec::new();
        encode(&message, &mut again);
        assert_eq!(again.len(), encoded_len(&message), "a length is a length");
        let back: Vec<_> = parts(again.into()).collect();
        assert_eq!(back, [Ok(Part::Message(message))], "a message survives being passed on");
    }
}

/// A connection: the first byte says in what pieces the others arrive.
pub(crate) fn stream(data: &[u8]) {
    let Some((&piece, data)) = data.split_first() else { return };
    let whole = read(data, data.len().max(1));
    let pieces = read(data, usize::from(piece) + 1);
    assert_eq!(pieces, whole, "a stream is the same however it arrives");
    for item in whole.0 {
        let Item::Message(message) = item else { continue };
        let mut again = Vec::new();
        encode_stream(&message, &mut again);
        let back = read(&again, again.len());
        assert_eq!(back, (vec![Item::Message(message)], None), "a message survives the wire");
    }
}

fn read(data: &[u8], piece: usize) -> (Vec<Item>, Option<Error>) {
    let mut reader = StreamReader::new(Limits::default());
    let mut items = Vec::new();
    for chunk in data.chunks(piece) {
        reader.push(chunk);
        loop {
            match reader.read() {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return (items, Some(error)),
            }
        }
    }
    (items, None)
}

/// What Serf's layer says within user messages, meta, push/pull and queries.
pub(crate) fn serf(data: &[u8]) {
    let data = Bytes::copy_from_slice(data);
    if let Ok(message) = serf::decode(&data) {
        let mut again = Vec::new();
        serf::encode(&message, &mut again);
        assert_eq!(again.len(), serf::encoded_len(&message), "a length is a length");
        if let serf::Message::Query(query) = &message {
            query.filters.iter().for_each(|filter| drop(Filter::decode(filter)));
        }
        assert_eq!(serf::decode(&again.into()), Ok(message), "a message survives the wire");
    }
    if let Ok(tags) = Tags::decode(&data) {
        assert_eq!(Tags::decode(&tags.encode()), Ok(tags), "tags survive the wire");
    }
    if let Ok(filter) = Filter::decode(&data) {
        assert_eq!(Filter::decode(&filter.encode()), Ok(filter), "a filter survives the wire");
    }
}

/// What candidates say to each other, and what they keep: written in one way only.
pub(crate) fn letter(data: &[u8]) {
    if let Some(letter) = letters::decode(data) {
        assert_eq!(letters::encode(&letter).as_deref(), Some(data), "there is one way to write it");
    }
    if let Some(durable) = letters::decode_durable(data) {
        let mut again = Vec::new();
        assert_eq!(letters::encode_durable(&durable, &mut again), Some(()));
        assert_eq!(again, data, "there is one way to write it");
    }
}

/// A member that is told whatever the bytes say, as packets and as exchanges, while time passes:
/// it keeps its laws and its bounds, and goes on.
#[derive(Debug)]
pub(crate) struct Victim {
    swim: Swim,
    rng: Rng,
    now: Time,
    asked: u64,
}

impl Victim {
    /// A member of that seed.
    pub(crate) fn new(seed: u64) -> Self {
        let facts = Facts {
            name: Name::from("a"),
            addr: Addr::from([127, 0, 0, 1]),
            port: 7946,
            meta: Bytes::new(),
            vsn: Vsn::SERF,
        };
        let config = Config { members: MEMBERS, lane_messages: 32, relays: 32, ..Config::LAN };
        let swim = Swim::new(config, Identity { facts, incarnation: None }, seed);
        Self { swim, rng: Rng::new(seed), now: Time(0), asked: 0 }
    }

    /// Some bytes arrive, and some time passes.
    pub(crate) fn hears(&mut self, data: &[u8]) {
        self.now = Time(self.now.0 + self.rng.below(200_000_000));
        let from = Address { addr: Addr::from([127, 0, 0, 2]), port: 7946 };
        let found = parts(Bytes::copy_from_slice(data)).flatten();
        let messages: Vec<_> = found
            .filter_map(|part| match part {
                Part::Message(message) => Some(message),
                Part::Compressed(_) => None,
            })
            .collect();
        if !messages.is_empty() {
            self.handle(Input::Receive { from, messages });
        }
        for item in read(data, data.len().max(1)).0 {
            if let Item::Message(StreamMessage::PushPull(state)) = item {
                self.asked += 1;
                self.handle(Input::Asked { id: StreamId(self.asked), state });
            }
        }
        while self.swim.poll_timeout().is_some_and(|at| at <= self.now) {
            self.handle(Input::Timeout);
        }
        self.swim.assert_invariants();
        let status = self.swim.status();
        let rows = status.alive + status.suspect + status.dead + status.left;
        assert!(rows <= MEMBERS, "{rows} rows");
        assert!(status.queued <= MEMBERS, "one message a member waits at most");
    }

    fn handle(&mut self, input: Input) {
        self.swim.handle(self.now, input);
        let mut outputs = 0;
        while let Some(output) = self.swim.poll_output() {
            drop(output);
            outputs += 1;
            assert!(outputs < 100_000, "outputs without end");
        }
    }
}
