//! What survives: the log, the state, and the directory that both live in.
//!
//! ```text
//!   raft ──── entries, term, vote ────► log     durable before anything is promised
//!   store ─── flushes of records ─────► state   may lag behind; the log is replayed over it
//! ```
//!
//! A node promises what its **log** holds: entries and hard state leave with one sync, and nothing
//! that depends on them is said before. The **state** is where applied records go once memory lets
//! go of them. Each of its flushes is atomic and says up to which entry it reaches; a start takes
//! the last one and replays the log from there. So whatever the state has lost since costs time and
//! no data, and the log may be trimmed up to what the state has.
//!
//! The map:
//!
//! - [`datadir`]: the directory, its lock, its owner and its version;
//! - [`log`]: segments that tell a write torn by a crash from one damaged later;
//! - [`state`]: immutable, checksummed tables and the manifest that names them;
//! - [`backup`]: one flush of a state as a file of its own, for a cluster of tomorrow;
//! - [`disk`]: the little that the log asks of a disk, and a disk that fails on purpose. The state
//!   has a trait of its own, [`state::Files`], since its readers do not wait for its writer;
//! - [`Identity`]: whose all of it is; in every checksum of log and state.
//!
//! Laws of both:
//!
//! - every byte that is read was verified, together with whose it is and where it stands;
//! - damage is reported and never served; what can be told from the rest is mended, what cannot is
//!   left as it is;
//! - after a failed sync nothing more is written: what the disk holds is unknown. A full disk
//!   refuses a flush of the state and changes nothing.
//!
//! Every byte is drawn in `docs/formats.md`, every fault in `docs/faults.md`.

pub mod backup;
pub mod datadir;
pub mod disk;
mod identity;
pub mod log;
pub mod state;

pub use identity::Identity;
