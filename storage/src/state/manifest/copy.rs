//! One of the two copies of a manifest, as a file.
//!
//! ```text
//! 0   [8]  "manifest"
//! 8   u32  format version, 1
//! 12  u32  which copy: 0 or 1
//! 16  u64  generation
//! 24  u64  cluster
//! 32  u64  node
//! 40  u32  CRC32C of the 40 bytes before
//! 44       zeros
//! 64       records, the first of them a whole one, and zeros to the end of the file
//! ```
//!
//! The two copies are alike but for the header's field `which` and checksum.

use protocol::{ClusterId, NodeId};

use super::super::error::OpenError;
use super::super::fields::Fields;
use super::super::salt::{Kind, Salt};
use super::edit::{Contents, Edit, Place};
use crate::Identity;

/// Bytes before the first record.
pub(super) const HEADER: usize = 64;

const MAGIC: &[u8; 8] = b"manifest";
const VERSION: u32 = 1;
const PREFIX: &str = "manifest-";

/// One of the two copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Which {
    A,
    B,
}

impl Which {
    pub(super) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    pub(super) fn file_name(self, generation: u64) -> String {
        let letter = match self {
            Self::A => 'a',
            Self::B => 'b',
        };
        format!("{PREFIX}{generation:016x}-{letter}")
    }

    /// The generation and copy that a file's name claims.
    pub(super) fn of_file_name(name: &str) -> Option<(u64, Self)> {
        let (generation, letter) = name.strip_prefix(PREFIX)?.split_once('-')?;
        let which = match letter {
            "a" => Self::A,
            "b" => Self::B,
            _ => return None,
        };
        Some((u64::from_str_radix(generation, 16).ok()?, which))
    }
}

/// Whether a file is a manifest's, by its name.
pub(in super::super) fn is_file_name(name: &str) -> bool {
    name.starts_with(PREFIX)
}

pub(super) fn header(identity: Identity, generation: u64, which: Which) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    let number: u32 = match which {
        Which::A => 0,
        Which::B => 1,
    };
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&identity.cluster.0.to_le_bytes());
    bytes.extend_from_slice(&identity.node.0.to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes.resize(HEADER, 0);
    bytes
}

/// What a copy holds, up to its last whole record.
#[derive(Clone, Debug)]
pub(super) struct Valid {
    pub(super) contents: Contents,
    pub(super) sequence: u64,
    pub(super) chain: u32,
    /// Where the last whole record ends.
    pub(super) end: usize,
}

/// Reads a copy. `None` when it holds no whole record: torn when it was created, or damaged.
///
/// # Errors
/// When the header is sound, and another's or of another version.
pub(super) fn parse(
    bytes: &[u8],
    identity: Identity,
    generation: u64,
    which: Which,
) -> Result<Option<Valid>, OpenError> {
    if !judge_header(bytes, identity)? {
        return Ok(None);
    }
    if bytes.get(..HEADER) != Some(&header(identity, generation, which)) {
        return Ok(None);
    }
    let salt = Salt::new(identity, Kind::Manifest, generation);
    let mut valid = Valid { contents: Contents::default(), sequence: 0, chain: 0, end: HEADER };
    loop {
        let first = valid.end == HEADER;
        let place = Place {
            offset: valid.end as u64,
            chain: valid.chain,
            sequence: valid.sequence + u64::from(!first),
        };
        let rest = &bytes[valid.end..];
        let Some((edit, decoded)) = Edit::decode(rest, salt, place, first) else { break };
        valid.contents.apply(edit);
        valid.sequence = decoded.sequence;
        valid.chain = decoded.checksum;
        valid.end += decoded.length;
    }
    Ok((valid.end > HEADER).then_some(valid))
}

/// Whether the header is sound.
fn judge_header(bytes: &[u8], identity: Identity) -> Result<bool, OpenError> {
    let mut fields = Fields::new(bytes);
    let mut read = || {
        let magic = fields.bytes(8)?;
        let (version, _which, _generation) = (fields.u32()?, fields.u32()?, fields.u64()?);
        let (cluster, node) = (ClusterId(fields.u64()?), NodeId(fields.u64()?));
        Some((magic == MAGIC, version, cluster, node, fields.u32()?))
    };
    let Some((true, version, cluster, node, checksum)) = read() else { return Ok(false) };
    if crc32c::crc32c(&bytes[..40]) != checksum {
        return Ok(false);
    }
    if version != VERSION {
        return Err(OpenError::Version(version));
    }
    if (Identity { cluster, node }) != identity {
        return Err(OpenError::Foreign { cluster, node });
    }
    Ok(true)
}
