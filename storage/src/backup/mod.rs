//! A backup: one flush of a state as a file that needs nothing else.
//!
//! ```text
//!   View ──► BackupWriter ──► blocks ──► a client's stream, or a file (place.rs)
//!   file ──► BackupReader ──► pieces ──► survey: what is in it      restore: a new data directory
//! ```
//!
//! ```text
//! header │ length piece │ length piece │ … │ length end piece │ zeros │ SHA-256
//! 512                                                                   32 bytes
//! ```
//!
//! The pieces are those that members send each other ([`store::snapshot`]). Laws:
//!
//! - the length of the file is known before its first byte is written, so that whoever receives it
//!   can tell how much is left; zeros fill what the estimate was too large by;
//! - all but the digest is a multiple of 512 bytes, so that a file whose length modulo 512 is 32
//!   has its digest: etcd's tools go by that;
//! - nothing of a file is believed before its checksum was right, and a file is whole only with its
//!   end, its zeros and its digest;
//! - every damaged byte is an error that says where: the header and each piece have checksums of
//!   their own, and the digest covers all;
//! - neither side holds more than a piece and a batch of records, whatever the size of the state.
//!
//! What is left out: compression, and encryption. Parts of a state are not backed up: each file
//! holds all of it, history back to the last compaction included.

mod error;
mod fill;
pub mod fuzz;
mod header;
mod pipe;
mod place;
mod reader;
mod stamp;
mod survey;
mod writer;

pub use error::BackupError;
pub use fill::{FillError, fill, fill_as};
pub use header::{Header, Origin};
pub use pipe::Pipe;
pub use place::{BackupFile, PlaceError};
pub use reader::{BackupReader, verify};
pub use stamp::Stamp;
pub use survey::{Survey, survey};
pub use writer::BackupWriter;

/// Everything is cut into blocks of this many bytes, but for the last one before the digest.
pub const BLOCK_BYTES: usize = 32 << 10;
/// The bytes of the digest at the end.
pub const DIGEST_BYTES: usize = 32;
/// All but the digest is a multiple of this many bytes.
const UNIT: u64 = 512;
/// The most bytes of a piece; one larger record has a piece of its own.
const PIECE_BYTES: usize = 64 << 10;
/// A piece that claims to be larger than this is damaged: no record is.
const PIECE_MAX: usize = 64 << 20;
/// The most records read at once.
const BATCH: usize = 64;
/// The record that makes a batch so many bytes is its last one.
const BATCH_BYTES: usize = 1 << 20;
