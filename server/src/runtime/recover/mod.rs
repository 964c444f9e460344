//! From what one survivor has to a cluster that can go on, when a majority is lost for good.
//!
//! ```text
//!   survivors' directories ──► the one with the most (survivor.rs)      read, never changed
//!     its state, copied ─┐
//!     its log ───────────┴──► replayed to its end (replay.rs)           in DIR/scratch
//!                                   │ what was found is said, and somebody confirms
//!   DIR/state ◄── inheritance ──────┘     as from a backup, with sessions, one voter, a new id
//!   DIR/log   ◄── the record of it: the first entry
//! ```
//!
//! It is a restore whose backup is made on the spot, from a member that does not run: the same
//! pieces, checksums and steps. Laws:
//!
//! - nothing in a survivor's directory is changed: whoever finds better data later still has it;
//! - everything that can fail for what a survivor has fails before anybody is asked to confirm;
//! - the whole log is kept, with entries that the survivor did not know to be committed. Each may
//!   have been acknowledged, and one that was not is like a request whose answer was lost: its
//!   client must reckon with both;
//! - the new cluster has an id of its own, drawn at random, and one voter. A member of the old one
//!   that comes back is refused by it, whatever it remembers. So nobody has to prove here that the
//!   others are gone; that two clusters then serve clients, if a majority of the old one is alive,
//!   no tool can prevent that sees only one of them, and the operator is told;
//! - the directory names its member and its members, so that it is started with the settings as
//!   they were: what these say of the first members is of the past, as ever;
//! - that it was done, when, with what and without whom is the first entry of the new log
//!   ([`store::Recovery`]) and stays in the state of every later member;
//! - the directory is whole or no member starts on it ([`storage::datadir`]).
//!
//! What is left out: putting together one log out of several survivors. What only a shorter or
//! damaged one has is not taken over. An entry that was acknowledged by the lost members alone is
//! lost; with the longest log of all that are left, no other choice has more.

mod replay;
mod survivor;

use std::io::BufReader;
use std::path::PathBuf;

use node::codec::Envelope;
use protocol::raft::{Entry, Membership, Payload, Write};
use protocol::{ClusterId, Index, NodeId, Position};
use storage::Identity;
use storage::backup::{BackupReader, BackupWriter, FillError, Header, Origin, Pipe, fill_as};
use storage::datadir::{Building, DataDirError};
use storage::disk::RealDisk;
use storage::log::{Log, LogOptions};
use storage::state::{State, StateOptions};
use store::{Bump, Command, MemberTable, Part, Recovery, Seat, succeed};
use thiserror::Error;

use super::identity::new_member_id;
use super::members::address_of;
use super::open::random;
use replay::Replayed;
pub use survivor::Looked;
use survivor::Survivor;

/// Bytes of the state read at once.
const BUFFER: usize = 256 << 10;

/// What is to be recovered.
#[derive(Clone, Debug)]
pub struct Recover {
    /// The data directories of survivors, which do not run; at least one.
    pub survivors: Vec<PathBuf>,
    /// The directory to make; nothing may stand there but an empty one.
    pub data_dir: PathBuf,
    /// Where its peers will reach the member, as `HOST:PORT`; where they did before by default.
    pub peer: Option<String>,
    /// How revisions go on.
    pub bump: Bump,
}

/// What was found, before anything is made of it.
#[derive(Clone, Debug)]
pub struct Found {
    /// All directories given, the one that is used first.
    pub looked: Vec<Looked>,
    /// The name that the member had told.
    pub name: Option<String>,
    /// The term that it had come to.
    pub term: protocol::Term,
    /// The last entry; all up to here is kept.
    pub last: Position,
    /// What it knew to be committed.
    pub commit: Index,
    /// Entries up to this index may have been acknowledged and are not there.
    pub doubt: Option<Index>,
    /// The revision (main).
    pub revision: i64,
    /// Keys at that revision.
    pub keys: u64,
    /// Leases.
    pub leases: u64,
    /// The other members, with their names as far as they are known.
    pub given_up: Vec<(NodeId, String)>,
}

impl Found {
    /// The directory that is used.
    #[must_use]
    pub fn used(&self) -> &Looked {
        &self.looked[0]
    }

    /// How many entries the member did not know to be committed.
    #[must_use]
    pub fn unsure(&self) -> u64 {
        self.last.index.0.saturating_sub(self.commit.0)
    }
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The new cluster.
    pub cluster: ClusterId,
    /// Its one member.
    pub member: NodeId,
    /// The revision (main) that it goes on from.
    pub revision: i64,
    /// Where its peers will reach it: `host:port`.
    pub peer: String,
}

/// Why nothing was recovered. The survivors' directories are as they were.
#[derive(Debug, Error)]
pub enum RecoverError {
    /// A directory cannot be read.
    #[error("cannot read the survivor: {source}{}", advice(.source))]
    Survivor {
        /// Why not.
        source: DataDirError,
    },
    /// There is no member's data.
    #[error("{} holds no member's data: give the data directory of a member", .0.display())]
    Nothing(PathBuf),
    /// They are not of one cluster.
    #[error(
        "{} is of cluster {:x} and {} of cluster {:x}: give directories of one cluster only",
        .0[0].0.display(), .0[0].1.0, .0[1].0.display(), .0[1].1.0
    )]
    Mixed(Box<[(PathBuf, ClusterId); 2]>),
    /// Something in it is damaged.
    #[error(
        "{}: {what}. Recover from another survivor, if there is one (leave this directory out), or \
         from a backup with `conclave snapshot restore`", path.display()
    )]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What.
        what: String,
    },
    /// It was no member any more.
    #[error(
        "{}: this member was removed from its cluster, so its data ends there: give the directory \
         of one that was not", .0.display()
    )]
    Removed(PathBuf),
    /// There is no other member.
    #[error(
        "{}: this member is the only one of its cluster, so no majority is lost: start it as it is",
        .0.display()
    )]
    Alone(PathBuf),
    /// Nobody knows where the member is to be reached.
    #[error("where peers reach this member is not in its data: give it with --peer HOST:PORT")]
    NoAddress,
    /// The new directory cannot be made.
    #[error("cannot make the new data directory: {source}{}", advice(.source))]
    DataDir {
        /// What stands in the way.
        #[from]
        source: DataDirError,
    },
    /// It cannot be written.
    #[error("cannot write the new data directory: {0}")]
    Write(String),
}

fn advice(error: &DataDirError) -> &'static str {
    match error {
        DataDirError::NotEmpty(_) => {
            "; the recovered member gets a new directory: choose another one with --data-dir"
        }
        DataDirError::Locked(_) => {
            "; stop the member that runs on it. If it answers requests, no majority is lost"
        }
        DataDirError::Unfinished(_) => "; it was being made and holds nothing that could be used",
        DataDirError::NotADirectory(_)
        | DataDirError::NotWritable { .. }
        | DataDirError::Version { .. }
        | DataDirError::Foreign { .. }
        | DataDirError::Damaged(_)
        | DataDirError::DamagedNote(_)
        | DataDirError::Io { .. } => "",
    }
}

/// A recovery of which all is known, and that nobody has confirmed yet.
pub struct Recovering {
    building: Building,
    survivor: Survivor,
    replayed: Replayed,
    found: Found,
    bump: Bump,
    seat: Seat,
}

impl Recovering {
    /// Reads the survivors, takes the one with the most, and replays its log.
    ///
    /// # Errors
    /// [`RecoverError`]; of the new directory nothing is left, but for a crash.
    pub fn begin(wanted: &Recover) -> Result<Self, RecoverError> {
        let (survivor, looked) = survivor::best(&wanted.survivors)?;
        let building = Building::begin(&wanted.data_dir)?;
        match Self::prepare(wanted, &survivor, looked, &building) {
            Ok((replayed, found, seat)) => {
                Ok(Self { building, survivor, replayed, found, bump: wanted.bump, seat })
            }
            Err(error) => {
                building.give_up()?;
                Err(error)
            }
        }
    }

    fn prepare(
        wanted: &Recover,
        survivor: &Survivor,
        looked: Vec<Looked>,
        building: &Building,
    ) -> Result<(Replayed, Found, Seat), RecoverError> {
        let replayed = replay::replay(survivor, &building.scratch()?)?;
        let (store, me) = (&replayed.store, survivor.directory.identity().node);
        let path = || survivor.directory.path().to_owned();
        let name = |id| store.members().find(|it| it.id == id).map(|it| it.name.clone());
        let others: Vec<NodeId> = match store.membership() {
            Some(known) if !known.contains(me) => return Err(RecoverError::Removed(path())),
            Some(known) => known.members().into_iter().filter(|id| *id != me).collect(),
            None => store.members().map(|it| it.id).filter(|id| *id != me).collect(),
        };
        if others.is_empty() {
            return Err(RecoverError::Alone(path()));
        }
        let seat = seat(wanted, &replayed, me).ok_or(RecoverError::NoAddress)?;
        let found = Found {
            looked,
            name: name(me),
            term: replayed.hard_state.term,
            last: store.applied(),
            commit: replayed.hard_state.commit.max(replayed.flushed).min(store.applied().index),
            doubt: replayed.doubt.filter(|doubt| *doubt > store.applied().index),
            revision: store.revision(),
            keys: store.keys(),
            leases: store.lease_count() as u64,
            given_up: others.into_iter().map(|id| (id, name(id).unwrap_or_default())).collect(),
        };
        Ok((replayed, found, seat))
    }

    /// What was found.
    #[must_use]
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// Nobody confirms it: what was begun is removed.
    ///
    /// # Errors
    /// [`RecoverError::DataDir`]: something is left, on which no member starts.
    pub fn give_up(self) -> Result<(), RecoverError> {
        let Self { building, replayed, .. } = self;
        drop(replayed);
        Ok(building.give_up()?)
    }

    /// Makes the new directory. `at_ms`: now, in milliseconds since 1970, UTC.
    ///
    /// # Errors
    /// [`RecoverError`]; no member starts on what is there, and the next attempt goes over it.
    pub fn finish(self, at_ms: u64) -> Result<Recovered, RecoverError> {
        let Self { building, survivor, replayed, found, bump, seat } = self;
        let old = survivor.directory.identity();
        let member = new_member_id(&seat.peer_urls, random());
        let identity = Identity { cluster: ClusterId(random().max(1)), node: member };
        let peer = seat.peer_urls.first().and_then(|url| address_of(url)).unwrap_or_default();
        let peer = peer.to_owned();
        let context = MemberTable { seats: [(member, seat)].into() }.encode();
        let members = Membership { context, ..Membership::of([member]) };
        let header = write_state(
            (&building, identity),
            &replayed,
            Origin { identity: old, taken_at_ms: at_ms },
            (bump, &members),
        )?;
        let (header, revision) = header;
        let recovery = Recovery {
            at_ms,
            cluster: old.cluster,
            survivor: old.node,
            last: header.applied,
            commit: found.commit,
            doubt: found.doubt,
            given_up: found.given_up,
        };
        write_log(&building, identity, header.applied, recovery).map_err(written)?;
        drop(replayed);
        building.finish(identity)?;
        Ok(Recovered { cluster: identity.cluster, member, revision, peer })
    }
}

fn written(error: impl std::fmt::Display) -> RecoverError {
    RecoverError::Write(error.to_string())
}

/// Where the member is reached: as wished, as the configuration says, or as it told itself.
fn seat(wanted: &Recover, replayed: &Replayed, me: NodeId) -> Option<Seat> {
    let store = &replayed.store;
    let seated = store.membership().and_then(|known| MemberTable::of(known).ok());
    let seated = seated.and_then(|mut table| table.seats.remove(&me)).map(|seat| seat.peer_urls);
    let told = store.members().find(|it| it.id == me).map(|it| it.peer_urls.clone());
    let wished = wanted.peer.as_ref().map(|peer| vec![format!("http://{peer}")]);
    let known = [wished, seated, told].into_iter().flatten().find(|urls| !urls.is_empty());
    known.map(|peer_urls| Seat { part: Part::Voter, replaces: None, peer_urls })
}

/// Writes the state as from a backup, and gives what that would have said of itself, and the
/// revision that the new cluster goes on from.
fn write_state(
    (building, identity): (&Building, Identity),
    replayed: &Replayed,
    origin: Origin,
    (bump, members): (Bump, &Membership),
) -> Result<(Header, i64), RecoverError> {
    let mut state = State::open(&building.state(), identity, StateOptions::default());
    let state = state.as_mut().map_err(|error| written(&*error))?;
    let writer = BackupWriter::new(replayed.state.view(), origin).map_err(written)?;
    let pipe = BufReader::with_capacity(BUFFER, Pipe::new(writer));
    let mut reader = BackupReader::open(pipe).map_err(written)?;
    let header = *reader.header();
    let inherit = |meta, applied| succeed(meta, applied, bump, members);
    let filled = fill_as(state, &mut reader, inherit, |_| {});
    let revision = filled.map_err(|error| match error {
        FillError::Backup(error) => written(error),
        FillError::State(error) => written(error),
    })?;
    Ok((header, revision))
}

/// Begins the log after what the state has, with the record of all this.
fn write_log(
    building: &Building,
    identity: Identity,
    after: Position,
    recovery: Recovery,
) -> Result<(), Box<dyn std::error::Error>> {
    let disk = RealDisk::open(building.log())?;
    let (mut log, _) = Log::open(disk, LogOptions::new(identity))?;
    log.reset(after)?;
    // No process has this number: nobody waits for an answer.
    let nobody = 0;
    let command = Command::Recovered(recovery);
    let payload = Payload::Command(Envelope::seal(identity.node, nobody, 0, &command));
    let position = Position::new(after.term, after.index.next());
    let entries = vec![Entry { position, payload }];
    log.append(&Write { entries, ..Write::default() })?;
    log.sync()?;
    log.close()?;
    Ok(())
}
