//! What a member of the pool keeps for its next life: its keys and its incarnation.
//!
//! ```text
//! DIR/gossip/LOCK           empty; held with flock while an agent uses the folder
//! DIR/gossip/keyring.json   ["key in base64", …], the one that encrypts first, as Serf writes it
//! DIR/gossip/incarnation    20 bytes; docs/formats.md
//! ```
//!
//! The last two are written whole under another name, synced and renamed. All are mode 0600: the
//! folder's keys open the pool.
//!
//! A lost incarnation costs a moment: the others accuse the member of being who it was before, and
//! it answers. So nothing waits for that file, and one that cannot be read is as good as none. A
//! keyring that cannot be read stops the start: without its keys nobody would listen.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::keyring::{Key, Keyring};

const FOLDER: &str = "gossip";
const LOCK: &str = "LOCK";
const KEYRING: &str = "keyring.json";
const INCARNATION: &str = "incarnation";
const MAGIC: &[u8; 8] = b"CNCLINCA";
const VERSION: u32 = 1;
/// Bytes of the file of the incarnation.
const SIZE: usize = 20;

/// The folder, which is this process's alone: it is unlocked when the last copy of this is dropped.
#[derive(Clone, Debug)]
pub(super) struct Notebook {
    folder: PathBuf,
    _lock: Arc<File>,
}

impl Notebook {
    /// The notebook in a data directory; both are made if need be.
    ///
    /// # Errors
    /// What the system said; [`ErrorKind::WouldBlock`] when another process uses it.
    pub(super) fn open(data_dir: &Path) -> io::Result<Self> {
        let folder = data_dir.join(FOLDER);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(folder.join(LOCK))?;
        lock.try_lock()?;
        Ok(Self { folder, _lock: Arc::new(lock) })
    }

    /// Where the keyring is.
    pub(super) fn keyring_path(&self) -> PathBuf {
        self.folder.join(KEYRING)
    }

    /// The keyring; `None` when none was ever written.
    pub(super) fn keyring(&self) -> io::Result<Option<Keyring>> {
        let text = match fs::read_to_string(self.keyring_path()) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let keys: Vec<String> = serde_json::from_str(&text).map_err(invalid)?;
        let keys: Result<Vec<_>, _> = keys.iter().map(|key| Key::from_base64(key)).collect();
        let ring = Keyring::of(keys.map_err(invalid)?).map_err(invalid)?;
        ring.map(Some).ok_or_else(|| invalid("it has no key"))
    }

    /// Keeps a keyring. It is durable when this returns.
    pub(super) fn keep_keyring(&self, ring: &Keyring) -> io::Result<()> {
        let keys: Vec<String> = ring.keys().map(Key::to_base64).collect();
        let text = serde_json::to_string_pretty(&keys).map_err(invalid)?;
        self.replace(KEYRING, text.as_bytes())
    }

    /// The last incarnation, if it is known.
    pub(super) fn incarnation(&self) -> Option<u32> {
        let bytes: [u8; SIZE] = fs::read(self.folder.join(INCARNATION)).ok()?.try_into().ok()?;
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| bytes[at + byte]));
        let sound = word(0) == crc32fast::hash(&bytes[4..]) && word(4) == VERSION;
        (sound && bytes[8..16] == *MAGIC).then(|| word(16))
    }

    /// Keeps an incarnation.
    pub(super) fn keep_incarnation(&self, incarnation: u32) -> io::Result<()> {
        let content = [&VERSION.to_le_bytes(), &MAGIC[..], &incarnation.to_le_bytes()].concat();
        let checksum = crc32fast::hash(&content).to_le_bytes();
        self.replace(INCARNATION, &[&checksum[..], &content].concat())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.folder.join(format!("{name}.new"));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, self.folder.join(name))?;
        File::open(&self.folder)?.sync_all()
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_folder_is_one_agents_until_it_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let notebook = Notebook::open(dir.path()).unwrap();
        let copy = notebook.clone();
        drop(notebook);
        let refused = Notebook::open(dir.path()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
        drop(copy);
        Notebook::open(dir.path()).unwrap();
    }

    #[test]
    fn an_incarnation_comes_back_unless_it_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let notebook = Notebook::open(dir.path()).unwrap();
        assert_eq!(notebook.incarnation(), None);
        notebook.keep_incarnation(77).unwrap();
        notebook.keep_incarnation(78).unwrap();
        assert_eq!(notebook.incarnation(), Some(78));
        let path = dir.path().join("gossip/incarnation");
        let mut bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len(), SIZE);
        for at in 0..SIZE {
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert_eq!(notebook.incarnation(), None, "byte {at}");
            bytes[at] ^= 1;
        }
    }

    #[test]
    fn a_keyring_comes_back_as_serf_writes_it_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let notebook = Notebook::open(dir.path()).unwrap();
        assert!(notebook.keyring().unwrap().is_none());
        let keys = [[1; 16], [2; 16]].map(|key| Key::new(&key).unwrap());
        let ring = Keyring::of(keys.clone()).unwrap().unwrap();
        notebook.keep_keyring(&ring).unwrap();
        let back = notebook.keyring().unwrap().unwrap();
        assert!(back.keys().eq(keys.iter()));
        let path = notebook.keyring_path();
        let text = fs::read_to_string(&path).unwrap();
        let written = "[\n  \"AQEBAQEBAQEBAQEBAQEBAQ==\",\n  \"AgICAgICAgICAgICAgICAg==\"\n]";
        assert_eq!(text, written);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for wrong in ["[]", "{}", "[\"x\"]", "[\"AQ==\"]"] {
            fs::write(&path, wrong).unwrap();
            assert_eq!(notebook.keyring().unwrap_err().kind(), ErrorKind::InvalidData, "{wrong}");
        }
    }
}
