//! What a log entry carries: a command, and whose it is.

use alloc::vec::Vec;

use bytes::Bytes;
use protocol::NodeId;

use super::DecodeError;
use super::reader::Reader;

/// A command on its way through the log, with the return address of whoever waits for its outcome.
///
/// ```text
/// origin u64 | incarnation u64 | sequence u64 | command …
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The replica that proposed it.
    pub origin: NodeId,
    /// Which run of that replica's process: a replayed entry must not answer a request of a later
    /// run that happens to have the same sequence number.
    pub incarnation: u64,
    /// The replica's number for it.
    pub sequence: u64,
    /// The encoded [`store::Command`].
    pub command: Bytes,
}

impl Envelope {
    /// Encodes a command along with its return address.
    #[must_use]
    pub fn seal(
        origin: NodeId,
        incarnation: u64,
        sequence: u64,
        command: &store::Command,
    ) -> Bytes {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(&origin.0.to_le_bytes());
        bytes.extend_from_slice(&incarnation.to_le_bytes());
        bytes.extend_from_slice(&sequence.to_le_bytes());
        command.encode(&mut bytes);
        // Records live on as slices of this: room to grow would be kept with them.
        Bytes::copy_from_slice(&bytes)
    }

    /// Decodes the return address; the command stays as it is.
    ///
    /// # Errors
    /// [`DecodeError::Short`].
    pub fn open(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            origin: NodeId(reader.u64()?),
            incarnation: reader.u64()?,
            sequence: reader.u64()?,
            command: reader.rest(),
        })
    }
}
