//! The state backend on disk: records under their revisions, in immutable tables.
//!
//! ```text
//!   flush ──► table-…3 ──┐                     get, scan: any thread
//!             table-…2   ├── named by ── manifest-…-a  manifest-…-b
//!             table-…1 ──┘                (the same twice)
//!   maintain: table-…1 + table-…2 ──► table-…4, without what is dead and may go
//!   install: all of them ──► table-…5 table-…6, staged from elsewhere
//! ```
//!
//! What it is: the replicated log is the durability, and this is where records go once memory lets
//! go of them. Each flush writes one table of records and then one edit of the manifest, which
//! names the table and carries metadata and the applied position: the flush happens with the edit
//! or not at all. Tables are merged and rewritten in small steps, so that their number stays small
//! and the space of dead revisions returns to the file system.
//!
//! What it gives:
//!
//! - **One flush point.** After a crash at any place the state stands at exactly one flush, never
//!   older than the last that was acknowledged.
//! - **No wrong value.** Every byte is under a checksum that covers where it belongs; a record is
//!   verified each time it is read. A damaged manifest copy is mended from the other.
//! - **No resurrection.** A dead tombstone goes after the older puts that died before it or along
//!   with it, so that no restart finds a put without the tombstone that ended it (`garbage.rs`).
//! - **No waiting.** Readers never wait for the owner's I/O.
//! - **A view.** One flush can be pinned and read at leisure while the state goes on (`view.rs`).
//! - **A switch.** A state from elsewhere takes the place of this one in one step, or not at all
//!   (`staging.rs`).
//! - **A full disk is survived.** A flush that finds no space has changed nothing and may be tried
//!   again; reads go on; a table that is wholly dead can be removed without any free space, unless
//!   an older table holds up a tombstone in it: then that needs a copy.
//!
//! What is left out, and what follows:
//!
//! - Dead marks are not durable: after a restart the index finds the dead again. For that the law
//!   of tombstones stands, which costs space: up to a quarter of what lives (`plan.rs`).
//! - There is no cache: the kernel's pages are the cache, and their checksum is computed each time.
//! - There is no compression, so that a point read stays one read and one checksum.
//! - A damaged table is not mended here: its records are fetched from a peer as a whole state.
//!   Until then the dead of it stay, and the tombstones that they hold up.
//! - Two damages at once, one in each copy of the manifest, are refused and not mended.
//!
//! `docs/state-backend.md` says why no engine from elsewhere stands here.

mod backend;
mod error;
mod faulty;
mod fields;
mod files;
mod garbage;
mod inspect;
mod job;
mod maintain;
mod manifest;
mod options;
mod owner;
mod plan;
mod reader;
mod salt;
mod staging;
mod table;
mod verify;
mod version;
mod view;

pub use backend::DiskBackend;
pub use error::OpenError;
pub use faulty::FaultyFiles;
pub use files::{Files, RealFiles};
pub use inspect::{Inspection, TableInspection, TableSummary, inspect, inspect_files};
pub use manifest::CopyInspection;
pub use options::StateOptions;
pub use owner::{Reader, State};
pub use reader::DiskReader;
pub use verify::Verified;
pub use view::{DiskView, View, Weight};
