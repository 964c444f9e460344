//! The ledger: what a bench was told about each of its writes, in a file that survives it.
//!
//! ```text
//! conclave-ledger 1
//! try KEY TAG              a write is about to be sent
//! ack KEY TAG REVISION     it was acknowledged at this revision
//! ```
//!
//! A line is handed to the operating system before the bench goes on: `try` before the request
//! is sent, `ack` before the client that waited sends its next one. Killing the bench at any
//! moment loses no line but the one that it is writing; only a crash of the machine could. The
//! tag is unique to one write, and its value begins with it. Keys have no spaces or line ends:
//! the bench makes them.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::failure::{Failure, Result};

const TITLE: &str = "conclave-ledger 1";

/// Identifies one write: which run, and which of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tag {
    pub(crate) run: u64,
    pub(crate) number: u64,
}

impl Tag {
    /// The tag that a value begins with.
    pub(crate) fn of_value(value: &[u8]) -> Option<Tag> {
        let end = value.iter().position(|&byte| byte == b'.').unwrap_or(value.len());
        std::str::from_utf8(&value[..end]).ok()?.parse().ok()
    }

    /// A value of `bytes` bytes that begins with the tag; longer if the tag is.
    pub(crate) fn value(self, bytes: usize) -> Vec<u8> {
        let mut value = self.to_string().into_bytes();
        if value.len() < bytes {
            value.push(b'.');
            value.resize(bytes, b'x');
        }
        value
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.run, self.number)
    }
}

impl FromStr for Tag {
    type Err = ();

    fn from_str(text: &str) -> Result<Tag, ()> {
        let (run, number) = text.split_once('-').ok_or(())?;
        let run = u64::from_str_radix(run, 16).map_err(|_| ())?;
        Ok(Tag { run, number: number.parse().map_err(|_| ())? })
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Try { key: String, tag: Tag },
    Ack { key: String, tag: Tag, revision: i64 },
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Try { key, tag } => write!(f, "try {key} {tag}"),
            Entry::Ack { key, tag, revision } => write!(f, "ack {key} {tag} {revision}"),
        }
    }
}

impl FromStr for Entry {
    type Err = ();

    fn from_str(line: &str) -> Result<Entry, ()> {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["try", key, tag] => Ok(Entry::Try { key: key.to_owned(), tag: tag.parse()? }),
            ["ack", key, tag, revision] => Ok(Entry::Ack {
                key: key.to_owned(),
                tag: tag.parse()?,
                revision: revision.parse().map_err(|_| ())?,
            }),
            _ => Err(()),
        }
    }
}

/// A ledger that is being written. Several runs may append to one file.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
}

impl Ledger {
    /// Opens a ledger, new or not. A line that a killed bench left half written is ended first.
    pub(crate) fn open(path: &Path) -> Result<Ledger> {
        let fail = |error: io::Error| refuse(path, &error);
        let options = OpenOptions::new().create(true).append(true).read(true).clone();
        let mut file = options.open(path).map_err(fail)?;
        let length = file.seek(SeekFrom::End(0)).map_err(fail)?;
        if length == 0 {
            file.write_all(format!("{TITLE}\n").as_bytes()).map_err(fail)?;
        } else {
            check_title(&mut file, path)?;
            file.seek(SeekFrom::End(-1)).map_err(fail)?;
            if io::Read::bytes(&file).next().transpose().map_err(fail)? != Some(b'\n') {
                file.write_all(b"\n").map_err(fail)?;
            }
        }
        Ok(Ledger { path: path.to_owned(), file })
    }

    /// Appends one line with one write, unbuffered.
    pub(crate) fn append(&mut self, entry: &Entry) -> Result {
        let line = format!("{entry}\n");
        self.file.write_all(line.as_bytes()).map_err(|error| refuse(&self.path, &error))
    }
}

/// Calls `each` for every line of a ledger, and returns how many could not be read: at most one
/// for each bench that was killed.
pub(crate) fn read(path: &Path, mut each: impl FnMut(Entry)) -> Result<u64> {
    let fail = |error: io::Error| refuse(path, &error);
    let mut file = File::open(path).map_err(fail)?;
    check_title(&mut file, path)?;
    file.seek(SeekFrom::Start(0)).map_err(fail)?;
    let mut torn = 0;
    for line in BufReader::new(file).split(b'\n').skip(1) {
        let line = line.map_err(fail)?;
        let entry = std::str::from_utf8(&line).ok().and_then(|line| line.parse().ok());
        match entry {
            Some(entry) => each(entry),
            None => torn += 1,
        }
    }
    Ok(torn)
}

fn check_title(file: &mut File, path: &Path) -> Result {
    let fail = |error: io::Error| refuse(path, &error);
    file.seek(SeekFrom::Start(0)).map_err(fail)?;
    let mut first = Vec::new();
    let limit = TITLE.len() as u64 + 1;
    BufReader::new(io::Read::take(file, limit)).read_until(b'\n', &mut first).map_err(fail)?;
    if first == format!("{TITLE}\n").as_bytes() {
        return Ok(());
    }
    let text = format!("{} is not a ledger of this version; name another file", path.display());
    Err(Failure::new(text))
}

fn refuse(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot use the ledger {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: Tag = Tag { run: 0xabc, number: 17 };

    fn ack(revision: i64) -> Entry {
        Entry::Ack { key: "bench/1".into(), tag: TAG, revision }
    }

    fn all(path: &Path) -> (Vec<Entry>, u64) {
        let mut entries = Vec::new();
        let torn = read(path, |entry| entries.push(entry)).unwrap();
        (entries, torn)
    }

    #[test]
    fn a_value_gives_its_tag_back() {
        for bytes in [0, 1, 18, 19, 20, 21, 256] {
            let value = TAG.value(bytes);
            assert_eq!(Tag::of_value(&value), Some(TAG));
            assert!(value.len() >= bytes);
        }
        assert_eq!(TAG.value(256).len(), 256);
        assert_eq!(Tag::of_value(b""), None);
        assert_eq!(Tag::of_value(b"hello"), None);
        assert_eq!(Tag::of_value(b"\xff-1.x"), None);
    }

    #[test]
    fn what_is_appended_is_read_again_over_several_runs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let attempt = Entry::Try { key: "bench/1".into(), tag: TAG };
        for entry in [attempt.clone(), ack(5)] {
            Ledger::open(&path).unwrap().append(&entry).unwrap();
        }
        assert_eq!(all(&path), (vec![attempt, ack(5)], 0));
    }

    #[test]
    fn a_half_written_line_is_counted_and_spoils_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        Ledger::open(&path).unwrap().append(&ack(5)).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"ack bench/2 0").unwrap();
        assert_eq!(all(&path), (vec![ack(5)], 1));
        Ledger::open(&path).unwrap().append(&ack(6)).unwrap();
        assert_eq!(all(&path), (vec![ack(5), ack(6)], 1));
    }

    #[test]
    fn another_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes");
        std::fs::write(&path, "dear diary").unwrap();
        assert!(Ledger::open(&path).unwrap_err().text().contains("not a ledger"));
        assert!(read(&path, |_| ()).unwrap_err().text().contains("not a ledger"));
        assert_eq!(std::fs::read(&path).unwrap(), b"dear diary");
    }
}
