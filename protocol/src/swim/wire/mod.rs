//! The gossip wire: messages as the bytes that memberlist speaks.
//!
//! A message is one byte, its kind, and then a map in msgpack with the names of the fields as keys.
//! `docs/formats.md` draws it. From the inside out:
//!
//! ```text
//! message        encode, encoded_len
//! └ compound     Packer: up to 127 messages in one packet
//!   └ checksum   checksum::seal: for a peer that is known to understand it
//!     └ …        compression (inside the checksum), encryption and label: the shell's; their
//!                framing is in envelope
//! packet ─► parts: its messages, one by one, each with its own refusal
//! stream ─► StreamReader: fed with whatever has arrived; no length tells where a stream ends
//! ```
//!
//! Laws:
//!
//! - *What is written is what memberlist writes, byte for byte.* Fields in the order of their
//!   names, numbers as short and unsigned as they can be, byte strings of the old specification
//!   alone.
//! - *What is read may come from any version of it, or from nobody's.* Any family of integers, any
//!   of strings, fields in any order, missing, unknown, or as an array without names.
//! - *A refusal has a reason* ([`Error`]), and takes as little along as it can: a part of a packet
//!   or a row of a table, and not their neighbours.
//! - *Memory is bounded by what has arrived,* never by what is announced; and work by its length:
//!   nothing here recurses.
//!
//! Not here: LZW, AES-GCM and time, which are the shell's.

mod body;
pub mod checksum;
mod compound;
pub mod envelope;
mod error;
mod kind;
pub(in crate::swim) mod msgpack;
mod packet;
mod stream;

pub use compound::{PARTS_MAX, Packer};
pub use envelope::{Compressed, Sealed};
pub use error::Error;
pub use packet::{Part, Parts, encode, encoded_len, parts};
pub use stream::{Item, Limits, StreamReader, encode_stream, row_len};
