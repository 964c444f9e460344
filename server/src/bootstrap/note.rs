//! The pledge on the disk.
//!
//! ```text
//! PLEDGE   0  u32  CRC32 of all that follows      4  u32  version: 1
//!          8  8 bytes  "CNCLPLDG"                16  u8   how many are named
//!         17  each: id u64 | name: length u16, text | peer address: length u16, text
//! ```
//!
//! Names and addresses are empty while they are not known; when a group is founded all are. The
//! file is written whole under another name, synced, renamed, and the directory is synced: what was
//! pledged before stands until then.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use protocol::NodeId;
use protocol::bootstrap::{Pledge, Seat};

use crate::config::InitialMember;

const NAME: &str = "PLEDGE";
const NEW: &str = "PLEDGE.new";
const MAGIC: &[u8; 8] = b"CNCLPLDG";
const VERSION: u32 = 1;

/// What the file holds: the servers that are pledged, in ascending order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    seats: Vec<Seat>,
}

impl Note {
    /// A pledge, before its servers are known.
    pub(super) fn pledged(pledge: &Pledge) -> Self {
        let seat = |id: &NodeId| Seat { id: *id, name: String::new(), peer: String::new() };
        Self { seats: pledge.servers().iter().map(seat).collect() }
    }

    /// A group that is being founded.
    pub(super) fn founded(seats: &[Seat]) -> Self {
        Self { seats: seats.to_vec() }
    }

    /// The pledge.
    pub(super) fn pledge(&self) -> Option<Pledge> {
        Pledge::new(self.seats.iter().map(|seat| seat.id))
    }

    /// Who founds the group, once that is known of all.
    pub(super) fn founders(&self) -> Option<Vec<InitialMember>> {
        let known = |seat: &Seat| !seat.name.is_empty() && !seat.peer.is_empty();
        let member =
            |seat: &Seat| InitialMember { name: seat.name.clone(), peer: seat.peer.clone() };
        self.seats.iter().all(known).then(|| self.seats.iter().map(member).collect())
    }

    fn encode(&self) -> io::Result<Vec<u8>> {
        let length = |length: usize| u16::try_from(length).map_err(invalid);
        let mut body = VERSION.to_le_bytes().to_vec();
        body.extend_from_slice(MAGIC);
        body.push(u8::try_from(self.seats.len()).map_err(invalid)?);
        for seat in &self.seats {
            body.extend_from_slice(&seat.id.0.to_le_bytes());
            for text in [&seat.name, &seat.peer] {
                body.extend_from_slice(&length(text.len())?.to_le_bytes());
                body.extend_from_slice(text.as_bytes());
            }
        }
        Ok([&crc32fast::hash(&body).to_le_bytes()[..], &body].concat())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (sum, body) = bytes.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*sum) != crc32fast::hash(body) {
            return None;
        }
        let (version, rest) = body.split_first_chunk::<4>()?;
        let (magic, rest) = rest.split_first_chunk::<8>()?;
        if u32::from_le_bytes(*version) != VERSION || magic != MAGIC {
            return None;
        }
        let (count, mut rest) = rest.split_first()?;
        let mut seats = Vec::new();
        for _ in 0..*count {
            let (id, more) = rest.split_first_chunk::<8>()?;
            rest = more;
            let (name, peer) = (text(&mut rest)?, text(&mut rest)?);
            seats.push(Seat { id: NodeId(u64::from_le_bytes(*id)), name, peer });
        }
        let note = Self { seats };
        let sound = note.pledge().is_some_and(|pledge| pledge.size() == note.seats.len());
        (sound && rest.is_empty()).then_some(note)
    }
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let (length, more) = rest.split_first_chunk::<2>()?;
    let (text, more) = more.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    *rest = more;
    String::from_utf8(text.to_vec()).ok()
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

/// Where the note of a data directory is.
pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

/// Reads the note of a data directory; `None` when nothing was ever pledged there.
///
/// # Errors
/// It cannot be read, or is damaged: what was pledged is not known then, which is not nothing.
pub(super) fn read(data_dir: &Path) -> io::Result<Option<Note>> {
    match fs::read(path(data_dir)) {
        Ok(bytes) => Note::decode(&bytes).map(Some).ok_or_else(|| invalid("it is damaged")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the note of a data directory; it is durable when this returns.
///
/// # Errors
/// What the system said; the note from before stands, or this one does.
pub(super) fn write(data_dir: &Path, note: &Note) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    let new = data_dir.join(NEW);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&note.encode()?)?;
    file.sync_all()?;
    fs::rename(&new, path(data_dir))?;
    File::open(data_dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(id: u64) -> Seat {
        Seat { id: NodeId(id), name: format!("n{id}"), peer: format!("h{id}:2380") }
    }

    #[test]
    fn what_is_written_is_read_and_founders_are_known_when_all_are() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("new");
        assert_eq!(read(&dir).unwrap(), None);
        let pledge = Pledge::new([NodeId(7), NodeId(3)]).unwrap();
        write(&dir, &Note::pledged(&pledge)).unwrap();
        let note = read(&dir).unwrap().unwrap();
        assert_eq!((note.pledge(), note.founders()), (Some(pledge.clone()), None));
        write(&dir, &Note::founded(&[seat(3), seat(7)])).unwrap();
        let note = read(&dir).unwrap().unwrap();
        assert_eq!(note.pledge(), Some(pledge));
        assert_eq!(note.founders().unwrap()[1].peer, "h7:2380");
    }

    #[test]
    fn no_flipped_bit_and_no_missing_end_is_taken_for_a_pledge() {
        let bytes = Note::founded(&[seat(3), seat(7)]).encode().unwrap();
        assert!(Note::decode(&bytes).is_some());
        for length in 0..bytes.len() {
            assert_eq!(Note::decode(&bytes[..length]), None, "{length} bytes");
        }
        for bit in 0..8 * bytes.len() {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Note::decode(&bytes), None, "bit {bit}");
        }
    }

    #[test]
    fn a_pledge_stays_readable_from_version_to_version() {
        let bytes = Note::founded(&[seat(1)]).encode().unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, FROZEN);
    }

    /// On disks since version 0.2.
    const FROZEN: &str = "7bf21ff801000000434e434c504c44470101000000000000\
                          0002006e31070068313a32333830";
}
