//! What a group keeps: `DIR/elections/ID`, drawn in `docs/formats.md`.
//!
//! A file is written whole under another name, synced, renamed, and the folder is synced: what was
//! granted before stands until then. The folder belongs to the process that holds the lock of
//! `DIR/gossip`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use protocol::bully::Durable;
use protocol::bully::wire::{Group, decode_durable, encode_durable};
use xxhash_rust::xxh3::xxh3_64;

use super::settings::{GroupSettings, Wish};

const FOLDER: &str = "elections";
const MAGIC: &[u8; 8] = b"CNCLELEC";
const VERSION: u32 = 1;
/// Bytes of the largest file: far more than one can have.
const SIZE_MAX: u64 = 64 << 10;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The agent whose promises these are.
    pub(super) agent: String,
    pub(super) group: Group,
    pub(super) settings: GroupSettings,
    pub(super) durable: Durable,
}

/// The folder of all groups of an agent.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join(FOLDER))
    }

    /// Where a group's file is.
    pub(super) fn path(&self, group: &Group) -> PathBuf {
        self.0.join(format!("{:016x}", xxh3_64(group.as_str().as_bytes())))
    }

    /// All groups that this agent belongs to.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub(super) fn read(&self, agent: &str) -> Result<Vec<Record>, String> {
        let fail =
            |path: &Path, error: io::Error| format!("cannot read {}: {error}", path.display());
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fail(&self.0, error)),
        };
        let mut records = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| fail(&self.0, error))?.path();
            // One that was being written stands for nothing yet.
            if path.extension().is_some_and(|extension| extension == "new") {
                continue;
            }
            let bytes = read_whole(&path).map_err(|error| fail(&path, error))?;
            let record = Record::decode(&bytes);
            let record = record.filter(|record| self.path(&record.group) == path);
            let Some(record) = record else { return Err(damaged(&path)) };
            if record.agent != agent {
                return Err(format!(
                    "{} is of the agent {:?}, and this one is {agent:?}: what that one granted in \
                     the group {:?} is not this one's. Start it with its own --name, or give this \
                     one a data directory of its own",
                    path.display(),
                    record.agent,
                    record.group.as_str()
                ));
            }
            records.push(record);
        }
        Ok(records)
    }

    /// Writes a group's file; it is durable when this returns.
    pub(super) fn write(&self, record: &Record) -> io::Result<()> {
        let bytes = record.encode().ok_or_else(|| io::Error::other("it is too large"))?;
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let path = self.path(&record.group);
        let new = path.with_extension("new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(&self.0)?.sync_all()?;
        // The folder itself may be new.
        self.0.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    }
}

fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > SIZE_MAX {
        return Ok(Vec::new());
    }
    fs::read(path)
}

fn damaged(path: &Path) -> String {
    format!(
        "{} is damaged, and with it what this agent has granted in a group that it elects in: it \
         could grant the same again. Start it as a new member: with another --name, and a data \
         directory without that file",
        path.display()
    )
}

impl Record {
    fn encode(&self) -> Option<Vec<u8>> {
        let settings = self.settings.to_string();
        let mut body = VERSION.to_le_bytes().to_vec();
        body.extend_from_slice(MAGIC);
        for text in [self.agent.as_str(), self.group.as_str()] {
            body.push(u8::try_from(text.len()).ok()?);
            body.extend_from_slice(text.as_bytes());
        }
        body.extend_from_slice(&u16::try_from(settings.len()).ok()?.to_le_bytes());
        body.extend_from_slice(settings.as_bytes());
        encode_durable(&self.durable, &mut body)?;
        Some([&crc32fast::hash(&body).to_le_bytes()[..], &body].concat())
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
        let short = |rest: &'_ [u8]| {
            let (length, rest) = rest.split_first()?;
            let (text, rest) = rest.split_at_checked(usize::from(*length))?;
            Some((String::from_utf8(text.to_vec()).ok()?, rest.to_vec()))
        };
        let (agent, rest) = short(rest)?;
        let (group, rest) = short(&rest)?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (settings, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let settings = Wish::parse(std::str::from_utf8(settings).ok()?).ok()?;
        let settings = GroupSettings::of(&settings).ok()?;
        let durable = decode_durable(rest)?;
        Some(Self { agent, group: Group::new(&group)?, settings, durable })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::NodeId;
    use protocol::bully::{Ballot, Electorate, Epoch};

    use super::*;

    fn record(epoch: u64) -> Record {
        let lease = Duration::from_secs(5);
        let ballot = Ballot { epoch: Epoch(epoch), holder: NodeId(3), lease };
        let electorate = Electorate::first([NodeId(3), NodeId(4)].into_iter().collect());
        Record {
            agent: "a".to_owned(),
            group: Group::new("web").unwrap(),
            settings: GroupSettings::of(&Wish::parse("expect=2,ttl=5s").unwrap()).unwrap(),
            durable: Durable { ballot: Some(ballot), electorate: Some(electorate), pledge: None },
        }
    }

    #[test]
    fn what_is_written_is_read_by_the_same_agent() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::of(&dir.path().join("new"));
        assert_eq!(folder.read("a"), Ok(Vec::new()));
        folder.write(&record(1)).unwrap();
        folder.write(&record(2)).unwrap();
        assert_eq!(folder.read("a"), Ok(vec![record(2)]));
        assert!(folder.read("b").unwrap_err().contains("\"a\""));
        // What a crash leaves of a write is nothing.
        let path = folder.path(&record(2).group);
        fs::write(path.with_extension("new"), b"half").unwrap();
        assert_eq!(folder.read("a"), Ok(vec![record(2)]));
        // A file under another group's name is not that group's.
        fs::rename(&path, path.with_file_name("0000000000000000")).unwrap();
        assert!(folder.read("a").unwrap_err().contains("is damaged"));
    }

    #[test]
    fn no_flipped_bit_and_no_missing_end_is_taken_for_a_record() {
        let bytes = record(7).encode().unwrap();
        assert_eq!(Record::decode(&bytes), Some(record(7)));
        for length in 0..bytes.len() {
            assert_eq!(Record::decode(&bytes[..length]), None, "{length} bytes");
        }
        for bit in 0..8 * bytes.len() {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::decode(&bytes), None, "bit {bit}");
        }
    }

    #[test]
    fn a_file_stays_readable_from_version_to_version() {
        let bytes = record(7).encode().unwrap();
        assert_eq!(crc32fast::hash(&bytes[4..]), FROZEN, "{bytes:02x?}");
    }

    /// On disks since version 0.2.
    const FROZEN: u32 = 4_253_110_145;
}
