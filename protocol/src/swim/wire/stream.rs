//! Streams: what a connection carries, in each direction one message.
//!
//! ```text
//! ping, ack, error      kind u8 | {…}
//! user                  08 | {UserMsgLen} | so many bytes
//! push/pull             06 | {Join, Nodes, UserStateLen} | so many rows {…} | so many bytes
//! ```
//!
//! Nothing says how long a stream is, and whoever sends one waits for the answer without closing
//! its side. So it is read as it arrives, until it is complete.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::body::{self, Header};
use super::msgpack::{Length, Reader, Scan, Sink};
use super::{Compressed, Error, kind};
use crate::swim::message::{NodeState, PushPull, StreamMessage};

/// Appends a message: its kind and its body.
pub fn encode_stream(message: &StreamMessage, out: &mut Vec<u8>) {
    match message {
        StreamMessage::Ping(ping) => {
            out.push(kind::PING);
            body::write_ping(out, ping);
        }
        StreamMessage::Ack(ack) => {
            out.push(kind::ACK);
            body::write_ack(out, ack);
        }
        StreamMessage::PushPull(table) => {
            out.push(kind::PUSH_PULL);
            let size = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
            let (nodes, user) = (size(table.nodes.len()), size(table.user.len()));
            body::write_header(out, Header { nodes, user, join: table.join });
            table.nodes.iter().for_each(|row| body::write_row(out, row));
            out.put(&table.user);
        }
        StreamMessage::User(bytes) => {
            out.push(kind::USER);
            body::write_user_header(out, bytes.len());
            out.put(bytes);
        }
        StreamMessage::Error(text) => {
            out.push(kind::ERROR);
            body::write_error(out, text);
        }
    }
}

/// Bytes of one row of a push/pull, for whoever counts what a table would take.
#[must_use]
pub fn row_len(row: &NodeState) -> usize {
    let mut length = Length::default();
    body::write_row(&mut length, row);
    length.0
}

/// How much a stream may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows of a table.
    pub nodes: usize,
    /// Bytes of one row, and of any other struct.
    pub row: usize,
    /// Bytes of all rows together.
    pub rows: usize,
    /// Bytes of the layer above: of its share of a push/pull, or of a message.
    pub user: usize,
    /// Bytes that may be encrypted.
    pub sealed: usize,
    /// Bytes that may be compressed.
    pub compressed: usize,
}

impl Default for Limits {
    /// Upstream's, where it has one: 2^20 rows, 20 MiB of the layer above, 20 MiB encrypted. It has
    /// none for rows, nor for what is compressed; all rows here may have what it lets bytes
    /// decompress to.
    fn default() -> Self {
        let mebibytes = |count: usize| count << 20;
        Self {
            nodes: 1 << 20,
            row: 64 << 10,
            rows: mebibytes(40),
            user: mebibytes(20),
            sealed: mebibytes(20),
            compressed: mebibytes(20),
        }
    }
}

/// What a stream turned out to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The label with which it begins. More follows.
    Label(Bytes),
    /// An encrypted blob, to be taken apart by [`Sealed`](super::Sealed), and the bytes in front
    /// of it, which are authenticated with it. What it hides goes to
    /// [`StreamReader::decrypted`].
    Sealed {
        /// Kind and length.
        front: [u8; 5],
        /// The blob.
        blob: Bytes,
    },
    /// Compressed bytes. What becomes of them goes to [`StreamReader::decompressed`].
    Compressed(Compressed),
    /// The message.
    Message(StreamMessage),
}

/// Reads a stream as it arrives.
///
/// - Each byte is looked at once or twice, however small the pieces are in which they arrive.
/// - A row that cannot be believed is [refused](StreamReader::refused) without its neighbours: one
///   poisoned row that peers keep must not keep everybody from joining them.
/// - After an item that is not a label, or an error, nothing is read any more.
#[derive(Debug)]
pub struct StreamReader {
    limits: Limits,
    /// Which envelopes may still come: a label outermost, then encryption, then compression.
    depth: Depth,
    /// What has arrived and was not read.
    unread: BytesMut,
    /// Where the value at the front of that ends.
    scan: Scan,
    stage: Stage,
    refused: BTreeMap<Error, usize>,
}

/// What may still stand around a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Outside,
    Labelled,
    Decrypted,
    Decompressed,
}

/// What is read next.
#[derive(Debug)]
enum Stage {
    Kind,
    Label,
    Sealed,
    /// One struct after this kind.
    Struct(u8),
    Rows(Table),
    User {
        size: usize,
        table: Option<PushPull>,
    },
    Done,
}

/// A table while its rows arrive.
#[derive(Debug)]
struct Table {
    nodes: Vec<NodeState>,
    /// Rows to come.
    left: usize,
    /// Bytes that rows have taken.
    taken: usize,
    user: usize,
    join: bool,
}

/// What one step of reading led to, and what is read next.
#[derive(Debug)]
enum Step {
    /// More bytes are needed.
    Wait(Stage),
    Next(Stage),
    Found(Item, Stage),
}

impl StreamReader {
    /// At the front of a connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::at(limits, Depth::Outside, BytesMut::new())
    }

    /// In what was encrypted, all of which is there.
    #[must_use]
    pub fn decrypted(limits: Limits, bytes: &[u8]) -> Self {
        Self::at(limits, Depth::Decrypted, BytesMut::from(bytes))
    }

    /// In what was compressed, all of which is there.
    #[must_use]
    pub fn decompressed(limits: Limits, bytes: &[u8]) -> Self {
        Self::at(limits, Depth::Decompressed, BytesMut::from(bytes))
    }

    fn at(limits: Limits, depth: Depth, unread: BytesMut) -> Self {
        let (scan, stage) = (Scan::new(), Stage::Kind);
        Self { limits, depth, unread, scan, stage, refused: BTreeMap::new() }
    }

    /// Takes what has arrived. Read until there is nothing more before the next piece: only that
    /// bounds what waits here.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.is_done() {
            self.unread.extend_from_slice(bytes);
        }
    }

    /// Reads on: `None` when more bytes are needed, or everything was read.
    ///
    /// # Errors
    /// Why the stream is refused. What had arrived of its message is lost.
    pub fn read(&mut self) -> Result<Option<Item>, Error> {
        loop {
            let step = match core::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Kind => self.kind(),
                Stage::Label => self.label(),
                Stage::Sealed => self.sealed(),
                Stage::Struct(kind) => self.body(kind),
                Stage::Rows(table) => self.row(table),
                Stage::User { size, table } => Ok(self.user(size, table)),
                Stage::Done => return Ok(None),
            };
            match step? {
                Step::Next(stage) => self.stage = stage,
                Step::Wait(stage) => {
                    self.stage = stage;
                    return Ok(None);
                }
                Step::Found(item, stage) => {
                    self.stage = stage;
                    return Ok(Some(item));
                }
            }
        }
    }

    /// Whether everything was read or refused. A stream that ends before is [`Error::Short`].
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// How many rows of the table were refused so far, by reason.
    #[must_use]
    pub const fn refused(&self) -> &BTreeMap<Error, usize> {
        &self.refused
    }

    fn kind(&mut self) -> Result<Step, Error> {
        let Some(&kind) = self.unread.first() else { return Ok(Step::Wait(Stage::Kind)) };
        let _ = self.unread.split_to(1);
        Ok(Step::Next(match kind {
            kind::LABEL if self.depth == Depth::Outside => Stage::Label,
            kind::LABEL => return Err(Error::Label),
            kind::ENCRYPTED if self.depth < Depth::Decrypted => Stage::Sealed,
            kind::COMPRESSED if self.depth < Depth::Decompressed => Stage::Struct(kind),
            kind::PING | kind::ACK | kind::PUSH_PULL | kind::USER | kind::ERROR => {
                Stage::Struct(kind)
            }
            _ => return Err(Error::Kind),
        }))
    }

    fn label(&mut self) -> Result<Step, Error> {
        let Some(&length) = self.unread.first() else { return Ok(Step::Wait(Stage::Label)) };
        let length = usize::from(length);
        if length == 0 {
            return Err(Error::Label);
        }
        if self.unread.len() <= length {
            return Ok(Step::Wait(Stage::Label));
        }
        self.depth = Depth::Labelled;
        let label = self.unread.split_to(1 + length).freeze().slice(1..);
        Ok(Step::Found(Item::Label(label), Stage::Kind))
    }

    fn sealed(&mut self) -> Result<Step, Error> {
        let Some(&[a, b, c, d]) = self.unread.first_chunk::<4>() else {
            return Ok(Step::Wait(Stage::Sealed));
        };
        let size = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if size > self.limits.sealed {
            return Err(Error::Long);
        }
        if self.unread.len() - 4 < size {
            return Ok(Step::Wait(Stage::Sealed));
        }
        let _ = self.unread.split_to(4);
        let blob = self.unread.split_to(size).freeze();
        let front = [kind::ENCRYPTED, a, b, c, d];
        Ok(Step::Found(Item::Sealed { front, blob }, Stage::Done))
    }

    /// The struct that stands behind a kind.
    fn body(&mut self, kind: u8) -> Result<Step, Error> {
        let limit = if kind == kind::COMPRESSED { self.limits.compressed } else { self.limits.row };
        let Some(value) = self.value(limit)? else { return Ok(Step::Wait(Stage::Struct(kind))) };
        let mut reader = Reader::new(&value, 0);
        let reader = &mut reader;
        let message = match kind {
            kind::PING => StreamMessage::Ping(body::read_ping(reader)?),
            kind::ACK => StreamMessage::Ack(body::read_ack(reader)?),
            kind::ERROR => StreamMessage::Error(body::read_error(reader)?),
            kind::COMPRESSED => {
                let compressed = Compressed::read(reader)?;
                return Ok(Step::Found(Item::Compressed(compressed), Stage::Done));
            }
            kind::USER => {
                let size = self.user_size(body::read_user_header(reader)?)?;
                return Ok(Step::Next(Stage::User { size, table: None }));
            }
            _ => {
                let header = body::read_header(reader)?;
                return self.table(header).map(|table| Step::Next(Stage::Rows(table)));
            }
        };
        Ok(Step::Found(Item::Message(message), Stage::Done))
    }

    fn table(&self, header: Header) -> Result<Table, Error> {
        let left = usize::try_from(header.nodes).map_err(|_| Error::Range)?;
        if left > self.limits.nodes {
            return Err(Error::Count);
        }
        let user = self.user_size(header.user)?;
        Ok(Table { nodes: Vec::new(), left, taken: 0, user, join: header.join })
    }

    fn row(&mut self, mut table: Table) -> Result<Step, Error> {
        while table.left > 0 {
            let Some(value) = self.value(self.limits.row)? else {
                return Ok(Step::Wait(Stage::Rows(table)));
            };
            table.left -= 1;
            table.taken += value.len();
            if table.taken > self.limits.rows {
                return Err(Error::Long);
            }
            match body::read_row(&mut Reader::new(&value, 0)) {
                Ok(row) => table.nodes.push(row),
                Err(error) => *self.refused.entry(error).or_default() += 1,
            }
        }
        let Table { nodes, user: size, join, .. } = table;
        let table = Some(PushPull { join, nodes, user: Bytes::new() });
        Ok(Step::Next(Stage::User { size, table }))
    }

    fn user(&mut self, size: usize, table: Option<PushPull>) -> Step {
        if self.unread.len() < size {
            return Step::Wait(Stage::User { size, table });
        }
        let user = self.unread.split_to(size).freeze();
        let message = match table {
            Some(table) => StreamMessage::PushPull(PushPull { user, ..table }),
            None => StreamMessage::User(user),
        };
        Step::Found(Item::Message(message), Stage::Done)
    }

    fn user_size(&self, size: i64) -> Result<usize, Error> {
        let size = usize::try_from(size).map_err(|_| Error::Range)?;
        if size > self.limits.user { Err(Error::Long) } else { Ok(size) }
    }

    /// The value at the front of what was not read, once it is whole.
    fn value(&mut self, limit: usize) -> Result<Option<Bytes>, Error> {
        let Some(size) = self.scan.run(&self.unread, limit)? else { return Ok(None) };
        self.scan = Scan::new();
        Ok(Some(self.unread.split_to(size).freeze()))
    }
}
