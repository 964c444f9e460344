//! Small files of a data directory that are overwritten in place: what its node keeps besides log
//! and state.
//!
//! ```text
//! file:   copy 0 · copy 1, each of a fixed length, in pages of its own; of its full length from
//!         the beginning
//!
//! copy:    0  u32  CRC32C of all that follows, up to the end of the content
//!          4  u32  version: 1               8  8 bytes  which file
//!         16  u64  generation              24  u32  length of the content
//!         28  content …                        then anything
//! ```
//!
//! Laws:
//!
//! - What was written stands in both copies, durably. So damage of either one costs nothing: were
//!   they written alternately, damage of the newer one would silently bring back the older.
//! - A copy is overwritten only while the other one is durable and has what was written last. So a
//!   crash leaves the old content or the new one, whole; the higher generation holds.
//! - A file is made whole, filled, under another name. From then on nothing in it takes room that
//!   it does not have: a disk that is full to the last byte takes every write of a note. (Where a
//!   file system writes nothing in place, that is its affair.)
//! - What is found at a start, in either copy, may stand only in the memory of a kernel whose sync
//!   had failed: both are written anew before anybody believes it.
//!
//! A sync that fails ends nothing here: it says nothing about the copy that it was for, which is
//! not read in this process, and is written whole before it counts for anything.

use std::io;
use std::path::{Path, PathBuf};

use super::{DataDirError, classify};
use crate::disk::Disk;

const VERSION: u32 = 1;
const HEAD: usize = 28;

/// Which note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// `LIFE`: the directory's own life.
    Life,
    /// `ACQUAINTANCES`: the lives of the members that were met.
    Acquaintances,
}

impl Note {
    /// All names under which notes may stand.
    pub(super) const NAMES: [&str; 4] = [
        Self::Life.name(),
        Self::Life.new_name(),
        Self::Acquaintances.name(),
        Self::Acquaintances.new_name(),
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Life => "LIFE",
            Self::Acquaintances => "ACQUAINTANCES",
        }
    }

    const fn new_name(self) -> &'static str {
        match self {
            Self::Life => "LIFE.new",
            Self::Acquaintances => "ACQUAINTANCES.new",
        }
    }

    const fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Life => b"CNCLLIFE",
            Self::Acquaintances => b"CNCLACQU",
        }
    }

    /// Bytes of a copy. There is room for all that a greeting may tell.
    const fn copy_bytes(self) -> usize {
        match self {
            Self::Life => 4 << 10,
            Self::Acquaintances => 36 << 10,
        }
    }
}

/// Where a note stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Nothing on the disk has a higher one.
    generation: u64,
    /// The copy that has, durably, what was written last.
    sound: usize,
}

/// The notes of one directory. Whoever has them is the only one to read and write them.
#[derive(Clone, Debug)]
pub struct Notes<D> {
    disk: D,
    /// The directory, for errors.
    path: PathBuf,
    places: [Option<Place>; 2],
}

impl<D: Disk> Notes<D> {
    /// The notes on a disk, which is the directory that this path names.
    pub fn new(disk: D, path: impl AsRef<Path>) -> Self {
        Self { disk, path: path.as_ref().to_owned(), places: [None; 2] }
    }

    /// The disk, for what happens to disks.
    pub fn disk_mut(&mut self) -> &mut D {
        &mut self.disk
    }

    /// The content of a note; `None` when it was never written. Comes before the first
    /// [`Notes::write`] of that note, as it finds out where it stands.
    ///
    /// # Errors
    /// [`DataDirError::DamagedNote`] when neither copy is what was written.
    pub fn read(&mut self, note: Note) -> Result<Option<Vec<u8>>, DataDirError> {
        if !self.exists(note.name()).map_err(self.failed(note))? {
            return Ok(None);
        }
        let first = self.copy(note, 0).map_err(self.failed(note))?;
        let second = self.copy(note, 1).map_err(self.failed(note))?;
        let sound = usize::from(generation(second.as_ref()) > generation(first.as_ref()));
        let found = if sound == 0 { first } else { second };
        let Some(found) = found else { return Err(self.damaged(note)) };
        // First the one that has it: to the same bytes no crash does harm.
        let written =
            self.put(note, sound, &found).and_then(|()| self.put(note, 1 - sound, &found));
        written.map_err(self.failed(note))?;
        let place = Place { generation: generation(Some(&found)), sound };
        self.places[note as usize] = Some(place);
        Ok(Some(found[HEAD..].to_vec()))
    }

    /// Writes a note durably.
    ///
    /// # Errors
    /// [`DataDirError`]: the old content stands, or the new one.
    pub fn write(&mut self, note: Note, content: &[u8]) -> Result<(), DataDirError> {
        self.try_write(note, content).map_err(self.failed(note))
    }

    fn try_write(&mut self, note: Note, content: &[u8]) -> io::Result<()> {
        if HEAD + content.len() > note.copy_bytes() {
            let text = format!("no room in it for {} bytes", content.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let Some(place) = self.places[note as usize] else { return self.create(note, content) };
        let generation = place.generation + 1;
        self.places[note as usize] = Some(Place { generation, ..place });
        let bytes = seal(note, generation, content);
        for copy in [1 - place.sound, place.sound] {
            self.put(note, copy, &bytes)?;
            self.places[note as usize] = Some(Place { generation, sound: copy });
        }
        Ok(())
    }

    /// The first content of a note, or the first after one that was damaged in both copies.
    fn create(&mut self, note: Note, content: &[u8]) -> io::Result<()> {
        let (new, name) = (note.new_name(), note.name());
        if self.exists(name)? {
            let is_sound = self.copy(note, 0)?.or(self.copy(note, 1)?).is_some();
            if is_sound {
                return Err(io::Error::other("it is written before it was read"));
            }
            self.disk.remove(name)?;
        }
        if self.exists(new)? {
            self.disk.remove(new)?;
        }
        self.disk.create(new, 2 * note.copy_bytes() as u64)?;
        let place = Place { generation: 1, sound: 0 };
        let bytes = seal(note, place.generation, content);
        for copy in [0, 1] {
            self.disk.write(new, offset(note, copy), &bytes)?;
        }
        self.disk.sync(new)?;
        self.disk.rename(new, name)?;
        self.disk.sync(name)?;
        self.places[note as usize] = Some(place);
        Ok(())
    }

    fn put(&mut self, note: Note, copy: usize, bytes: &[u8]) -> io::Result<()> {
        self.disk.write(note.name(), offset(note, copy), bytes)?;
        self.disk.sync(note.name())
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        Ok(self.disk.list()?.iter().any(|file| file.name == name))
    }

    /// The bytes of a copy, up to the end of its content; `None` when it is not what was written.
    fn copy(&self, note: Note, copy: usize) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; note.copy_bytes()];
        match self.disk.read(note.name(), offset(note, copy), &mut bytes) {
            Ok(()) => Ok(unseal(note, bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What to say of a note whose content is not what its node writes.
    #[must_use]
    pub fn damaged(&self, note: Note) -> DataDirError {
        DataDirError::DamagedNote(self.path.join(note.name()))
    }

    fn failed(&self, note: Note) -> impl FnOnce(io::Error) -> DataDirError + use<D> {
        let path = self.path.join(note.name());
        move |error| classify(&path)(error)
    }
}

fn offset(note: Note, copy: usize) -> u64 {
    (copy * note.copy_bytes()) as u64
}

fn seal(note: Note, generation: u64, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("invariant: the content fits into a copy");
    let mut bytes = vec![0; 4];
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(note.magic());
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(content);
    let sum = crc32c::crc32c(&bytes[4..]);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn unseal(note: Note, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let length = u32::from_le_bytes(bytes[HEAD - 4..HEAD].try_into().ok()?);
    let end = HEAD.checked_add(usize::try_from(length).ok()?)?;
    let covered = bytes.get(4..end)?;
    let sound = bytes[..4] == crc32c::crc32c(covered).to_le_bytes()
        && bytes[4..8] == VERSION.to_le_bytes()
        && bytes[8..16] == *note.magic();
    bytes.truncate(end);
    sound.then_some(bytes)
}

/// Of a sealed copy; 0 for one that is none.
fn generation(copy: Option<&Vec<u8>>) -> u64 {
    let bytes = copy.and_then(|bytes| bytes.get(16..24)?.try_into().ok());
    bytes.map_or(0, u64::from_le_bytes)
}
