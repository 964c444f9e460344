//! What wraps messages on their way: label, encryption, checksum, compression.
//!
//! ```text
//! packet   label( encrypt( checksum( compress( message or compound ))))
//! stream   label( encrypt(           compress( message )))
//! ```
//!
//! Each layer is optional. Laws:
//!
//! - *Whoever has keys takes nothing that is not encrypted with one of them,* unless
//!   [`Policy::verify_incoming`] is off: that, and [`Policy::verify_outgoing`], are for bringing
//!   encryption into a pool that lives. First everybody gets the key with both off, then outgoing
//!   goes on everywhere, then incoming.
//! - *The label is authenticated,* though it is not hidden: a packet of one pool does not pass as
//!   one of another, though both have the same key.
//! - *Bytes that nobody vouches for are bounded before they are unpacked.*

use bytes::Bytes;
use parking_lot::RwLock;
use protocol::swim::Label;
use protocol::swim::message::{Message, StreamMessage};
use protocol::swim::wire::envelope::{label as write_label, unlabel};
use protocol::swim::wire::{
    Compressed, Error, Item, Limits, Packer, Part, Sealed, StreamReader, checksum, encode,
    encode_stream, parts,
};

use super::keyring::Keyring;
use super::lzw::{LzwError, compress, decompress};
use super::refusal::{Refusal, Refusals};

/// Bytes that a packet may decompress to: what a datagram could have held.
const PACKET_MAX: usize = 64 << 10;
/// Bytes that a stream may decompress to: upstream's bound.
pub(super) const STREAM_MAX: usize = 40 << 20;
/// Packets below this are not worth the attempt: nothing of their size repeats itself.
const COMPRESS_MIN: usize = 128;

/// How bytes are wrapped.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The pool's label.
    pub label: Label,
    /// Refuse what is not encrypted, where there are keys.
    pub verify_incoming: bool,
    /// Encrypt what is sent, where there are keys.
    pub verify_outgoing: bool,
    /// Compress what is sent.
    pub compress: bool,
}

impl Default for Policy {
    fn default() -> Self {
        let label = Label::default();
        Self { label, verify_incoming: true, verify_outgoing: true, compress: true }
    }
}

/// Room to wrap packets in, which serves one after the other: an answer to a ping then takes no
/// memory of its own.
#[derive(Debug, Default)]
pub struct Scratch {
    packet: Vec<u8>,
    out: Vec<u8>,
}

/// Wraps and unwraps. Shared by all that send and receive.
#[derive(Debug)]
pub struct Envelope {
    policy: Policy,
    keys: RwLock<Option<Keyring>>,
}

impl Envelope {
    /// An envelope with these keys, if any.
    #[must_use]
    pub const fn new(policy: Policy, keys: Option<Keyring>) -> Self {
        Self { policy, keys: RwLock::new(keys) }
    }

    /// The keys now.
    #[must_use]
    pub fn keyring(&self) -> Option<Keyring> {
        self.keys.read().clone()
    }

    /// Other keys from now on.
    pub fn put_keyring(&self, keyring: Keyring) {
        *self.keys.write() = Some(keyring);
    }

    /// Bytes that a packet loses to its envelope.
    #[must_use]
    pub fn overhead(&self) -> usize {
        let label = self.policy.label.bytes().len();
        let label = if label == 0 { 0 } else { 2 + label };
        let sealed = if self.keys.read().is_some() { Sealed::sealed_len(false, 0) } else { 0 };
        label + sealed + checksum::SIZE
    }

    /// Gives the packets that carry these messages, most often one, to `each`.
    pub fn seal_packets(
        &self,
        messages: &[Message],
        with_checksum: bool,
        budget: usize,
        scratch: &mut Scratch,
        mut each: impl FnMut(&[u8]),
    ) {
        if let [message] = messages {
            scratch.packet.clear();
            encode(message, &mut scratch.packet);
            return each(self.seal_packet(scratch, with_checksum));
        }
        let mut packer = Packer::new(budget);
        messages.iter().for_each(|message| packer.push(message));
        for packet in packer.finish() {
            scratch.packet = packet;
            each(self.seal_packet(scratch, with_checksum));
        }
    }

    fn seal_packet<'a>(&self, scratch: &'a mut Scratch, with_checksum: bool) -> &'a [u8] {
        let Scratch { packet, out } = scratch;
        if self.policy.compress && packet.len() >= COMPRESS_MIN {
            let compressed = compress(packet);
            if Compressed::written_len(&compressed) < packet.len() {
                packet.clear();
                Compressed::write(&compressed, packet);
            }
        }
        if with_checksum {
            *packet = checksum::seal(packet);
        }
        let keys = self.keys.read();
        let keys = keys.as_ref().filter(|_| self.policy.verify_outgoing);
        let label = self.policy.label.bytes();
        if keys.is_none() && label.is_empty() {
            return packet;
        }
        out.clear();
        write_label(label, out).expect("invariant: a label has at most 255 bytes");
        match keys {
            Some(keys) => keys.seal(nonce(), packet, label, out),
            None => out.extend_from_slice(packet),
        }
        out
    }

    /// The messages of a packet, in order, and the first reason for which something in it was
    /// refused. All that is refused is counted, and takes as little along as it can.
    pub fn open_packet(
        &self,
        packet: Bytes,
        refusals: &Refusals,
    ) -> (Vec<Message>, Option<Refusal>) {
        let mut contents = Contents { messages: Vec::new(), refused: None, refusals };
        match self.unwrap(packet) {
            Ok(packet) => parts(packet).for_each(|part| contents.take(part)),
            Err(refusal) => contents.refuse(refusal),
        }
        (contents.messages, contents.refused)
    }

    /// A packet without label and encryption.
    fn unwrap(&self, packet: Bytes) -> Result<Bytes, Refusal> {
        let (label, packet) = unlabel(packet)?;
        let received = (!label.is_empty()).then_some(&label[..]);
        if !self.policy.label.admits(received) {
            return Err(Refusal::Label);
        }
        let keys = self.keys.read();
        let Some(keys) = keys.as_ref() else { return Ok(packet) };
        match keys.open(&packet, &label) {
            Some(plain) => Ok(plain.into()),
            None if !self.policy.verify_incoming => Ok(packet),
            None if Sealed::read(&packet).is_ok() => Err(Refusal::Key),
            None => Err(Refusal::Plaintext),
        }
    }

    /// A stream that carries this. The one who opens a connection puts the label in front; the one
    /// who answers does not.
    ///
    /// # Errors
    /// [`Error::Long`] when no stream can carry so much.
    pub fn seal_stream(&self, message: &StreamMessage, opens: bool) -> Result<Vec<u8>, Error> {
        let mut plain = Vec::new();
        encode_stream(message, &mut plain);
        if self.policy.compress {
            let compressed = compress(&plain);
            plain.clear();
            Compressed::write(&compressed, &mut plain);
        }
        let label = self.policy.label.bytes();
        let mut out = Vec::new();
        if opens {
            write_label(label, &mut out)?;
        }
        let keys = self.keys.read();
        let Some(keys) = keys.as_ref().filter(|_| self.policy.verify_outgoing) else {
            out.append(&mut plain);
            return Ok(out);
        };
        let front = Sealed::stream_front(Sealed::sealed_len(false, plain.len()))?;
        out.extend_from_slice(&front);
        keys.seal(nonce(), &plain, &[&front[..], label].concat(), &mut out);
        Ok(out)
    }

    /// Whether a stream that begins so, behind its label, may be read on.
    fn admits_stream(&self, first: u8) -> Result<(), Refusal> {
        const ENCRYPTED: u8 = 10;
        let must = self.keys.read().is_some() && self.policy.verify_incoming;
        if must && first != ENCRYPTED { Err(Refusal::Plaintext) } else { Ok(()) }
    }

    fn decrypt(&self, front: [u8; 5], blob: &Bytes) -> Result<Vec<u8>, Refusal> {
        let keys = self.keys.read();
        let keys = keys.as_ref().ok_or(Refusal::NoKeys)?;
        let extra = [&front[..], self.policy.label.bytes()].concat();
        keys.open(blob, &extra).ok_or(Refusal::Key)
    }
}

/// What a packet has come to so far.
struct Contents<'a> {
    messages: Vec<Message>,
    refused: Option<Refusal>,
    refusals: &'a Refusals,
}

impl Contents<'_> {
    fn refuse(&mut self, refusal: Refusal) {
        self.refusals.count(refusal);
        self.refused.get_or_insert(refusal);
    }

    fn take(&mut self, part: Result<Part, Error>) {
        let compressed = match part {
            Ok(Part::Message(message)) => return self.messages.push(message),
            Ok(Part::Compressed(compressed)) => compressed,
            Err(error) => return self.refuse(error.into()),
        };
        let inner = match unpack(&compressed, PACKET_MAX) {
            Ok(inner) => inner,
            Err(refusal) => return self.refuse(refusal),
        };
        for part in parts(inner.into()) {
            match part {
                Ok(Part::Message(message)) => self.messages.push(message),
                Ok(Part::Compressed(_)) => self.refuse(Error::Nesting.into()),
                Err(error) => self.refuse(error.into()),
            }
        }
    }
}

/// What a stream has come to.
#[derive(Debug)]
pub enum Opened {
    /// Its message.
    Message(StreamMessage),
    /// Its message, compressed: to be had by [`expand`].
    Packed(Compressed),
}

/// Reads one stream as it arrives.
#[derive(Debug)]
pub struct StreamOpener {
    reader: StreamReader,
    /// What has arrived while it is not known whether it may be read at all.
    front: Option<Vec<u8>>,
    opened_by_other: bool,
}

impl StreamOpener {
    /// At the front of a connection that somebody else has opened, or of the answer on one of
    /// ours.
    #[must_use]
    pub fn new(opened_by_other: bool) -> Self {
        let reader = StreamReader::new(Limits::default());
        Self { reader, front: Some(Vec::new()), opened_by_other }
    }

    /// Takes what has arrived, and gives the message once it is whole.
    ///
    /// # Errors
    /// Why the stream is not taken. Nothing more is read from it then.
    pub fn push(
        &mut self,
        bytes: &[u8],
        envelope: &Envelope,
        refusals: &Refusals,
    ) -> Result<Option<Opened>, Refusal> {
        match &mut self.front {
            None => self.reader.push(bytes),
            Some(front) => {
                front.extend_from_slice(bytes);
                let Some(behind) =
                    behind_label(front, &envelope.policy.label, self.opened_by_other)?
                else {
                    return Ok(None);
                };
                envelope.admits_stream(front[behind])?;
                self.reader.push(front);
                self.front = None;
            }
        }
        loop {
            let item = self.reader.read()?;
            for (error, count) in self.reader.refused() {
                if self.reader.is_done() {
                    refusals.add((*error).into(), *count as u64);
                }
            }
            match item {
                None if self.reader.is_done() => return Err(Error::Short.into()),
                None => return Ok(None),
                Some(Item::Label(_)) => {}
                Some(Item::Message(message)) => return Ok(Some(Opened::Message(message))),
                Some(Item::Sealed { front, blob }) => {
                    let plain = envelope.decrypt(front, &blob)?;
                    let reader = StreamReader::decrypted(Limits::default(), &plain);
                    return whole(reader, refusals).map(Some);
                }
                Some(Item::Compressed(compressed)) => {
                    return Ok(Some(Opened::Packed(compressed)));
                }
            }
        }
    }
}

/// Where a stream goes on behind its label, once that is known and admitted.
fn behind_label(
    front: &[u8],
    own: &Label,
    opened_by_other: bool,
) -> Result<Option<usize>, Refusal> {
    const LABEL: u8 = 0xf4;
    let behind = match front {
        [] | [LABEL] => return Ok(None),
        // An answer carries no label: the one who asked has given it.
        [LABEL, ..] if !opened_by_other => return Err(Error::Label.into()),
        [LABEL, 0, ..] => return Err(Error::Label.into()),
        [LABEL, length, rest @ ..] => {
            let Some(label) = rest.get(..usize::from(*length)) else { return Ok(None) };
            if !own.admits(Some(label)) {
                return Err(Refusal::Label);
            }
            2 + label.len()
        }
        _ if opened_by_other && !own.admits(None) => return Err(Refusal::Label),
        _ => 0,
    };
    Ok((front.len() > behind).then_some(behind))
}

/// What stands in a stream of which all is there.
fn whole(mut reader: StreamReader, refusals: &Refusals) -> Result<Opened, Refusal> {
    let item = reader.read()?;
    for (error, count) in reader.refused() {
        refusals.add((*error).into(), *count as u64);
    }
    match item {
        Some(Item::Message(message)) => Ok(Opened::Message(message)),
        Some(Item::Compressed(compressed)) => Ok(Opened::Packed(compressed)),
        Some(Item::Label(_) | Item::Sealed { .. }) => Err(Error::Nesting.into()),
        None => Err(Error::Short.into()),
    }
}

/// The message of a compressed stream, if it takes no more than `most` bytes, which are at most
/// [`STREAM_MAX`].
///
/// # Errors
/// [`Refusal::Bomb`] when it takes more; and whatever a message is refused for.
pub(super) fn expand(
    compressed: &Compressed,
    most: usize,
    refusals: &Refusals,
) -> Result<StreamMessage, Refusal> {
    let plain = unpack(compressed, most.min(STREAM_MAX))?;
    match whole(StreamReader::decompressed(Limits::default(), &plain), refusals)? {
        Opened::Message(message) => Ok(message),
        Opened::Packed(_) => Err(Error::Nesting.into()),
    }
}

fn unpack(compressed: &Compressed, most: usize) -> Result<Vec<u8>, Refusal> {
    decompress(&compressed.buf, most).map_err(|error| match error {
        LzwError::Corrupt => Refusal::Compression,
        LzwError::Long => Refusal::Bomb,
    })
}

/// Twelve bytes that were never used with any key.
fn nonce() -> [u8; 12] {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).expect("invariant: the system has randomness once it is up");
    nonce
}

#[cfg(test)]
mod tests;
