//! The state of a member that does not run, up to the end of its log.
//!
//! The state's files are copied, since opening them mends and flushing changes them; the log is
//! only read. Where the state is damaged and the log has everything from the first entry on, the
//! log alone will do.

use std::fs;
use std::path::Path;

use node::codec::Envelope;
use protocol::raft::{Entry, HardState, Membership, Payload};
use protocol::{Index, Position};
use storage::disk::RealDisk;
use storage::log::{Covered, LogOptions, Reading};
use storage::state::{State, StateOptions};
use store::{Backend, BackendRead, Command, Limits, Revision, Store};

use super::RecoverError;
use super::survivor::Survivor;

/// Bytes of entries read at once.
const PORTION: usize = 4 << 20;
/// So much is applied between two flushes, in bytes.
const FLUSH: usize = 16 << 20;
/// Records read at once while the index is rebuilt, and bytes of them.
const SCAN: usize = 10_000;
const SCAN_BYTES: usize = 8 << 20;

/// All that a survivor has.
pub(super) struct Replayed {
    /// A copy of the survivor's, with all of the log applied and flushed.
    pub(super) state: State,
    pub(super) store: Store,
    pub(super) hard_state: HardState,
    /// How far the survivor's own state had come: what it has applied was committed.
    pub(super) flushed: Index,
    pub(super) doubt: Option<Index>,
}

/// Copies the state into `scratch` and brings it to the end of the log.
pub(super) fn replay(survivor: &Survivor, scratch: &Path) -> Result<Replayed, RecoverError> {
    let directory = &survivor.directory;
    let path = directory.path();
    let damaged = |what: String| RecoverError::Damaged { path: path.to_owned(), what };
    let copied = copy(&directory.state(), scratch).map_err(super::written);
    let found = copied.and_then(|()| open(survivor, scratch).map_err(damaged));
    let covered = match &found {
        Ok((_, store)) => Covered { applied: store.applied(), installed: store.installed() },
        Err(_) => Covered::default(),
    };
    let disk = RealDisk::open_read_only(directory.log()).map_err(|it| damaged(it.to_string()))?;
    let log = Reading::open(disk, LogOptions::new(directory.identity()), covered);
    let log = log.map_err(|error| damaged(format!("its log: {error}")));
    let (mut state, mut store, log) = match (found, log) {
        (Ok((state, store)), log) => (state, store, log?),
        // It has all that the state had, and more.
        (Err(RecoverError::Damaged { .. }), Ok(log)) if log.base() == Position::ORIGIN => {
            clear(scratch).map_err(super::written)?;
            let (state, store) = open(survivor, scratch).map_err(damaged)?;
            (state, store, log)
        }
        (Err(error), _) => return Err(error),
    };
    let flushed = store.applied().index;
    let unreadable = |what: String| damaged(format!("its log: {what}"));
    while store.applied().index < log.last().index {
        let next = store.applied().index.next();
        let entries = log.read(next, PORTION).map_err(|error| unreadable(error.to_string()))?;
        for entry in &entries {
            apply(&mut store, &state, entry).map_err(unreadable)?;
        }
        flush(&mut store, &mut state, FLUSH).map_err(super::written)?;
    }
    flush(&mut store, &mut state, 0).map_err(super::written)?;
    let (hard_state, doubt) = (log.hard_state(), log.doubt());
    Ok(Replayed { state, store, hard_state, flushed, doubt })
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn clear(folder: &Path) -> std::io::Result<()> {
    fs::read_dir(folder)?.try_for_each(|entry| fs::remove_file(entry?.path()))
}

/// The state and the store in these files.
fn open(survivor: &Survivor, files: &Path) -> Result<(State, Store), String> {
    let identity = survivor.directory.identity();
    let wrong = |error: &dyn std::fmt::Display| format!("its state: {error}");
    let state = State::open(files, identity, StateOptions::default()).map_err(|e| wrong(&e))?;
    let meta = state.meta().map_err(|error| wrong(&error))?;
    let mut restoring = Store::restore(Limits::default(), meta).map_err(|error| wrong(&error))?;
    let (view, mut from) = (state.view(), Revision::default());
    loop {
        let records = view.part(from, SCAN, SCAN_BYTES).map_err(|error| wrong(&error))?;
        let Some((last, _)) = records.last() else { break };
        from = Revision::new(last.main, last.sub + 1);
        records.iter().for_each(|(revision, record)| restoring.record(*revision, record));
    }
    drop(view);
    // What is dead stays: the next start finds it dead once more.
    let (store, _) = restoring.finish().map_err(|error| wrong(&error))?;
    Ok((state, store))
}

/// Applies an entry as a member does.
fn apply(store: &mut Store, state: &State, entry: &Entry) -> Result<(), String> {
    let position = entry.position;
    let unreadable = |what: &str| {
        format!("the {what} at {position} cannot be read: a newer version of this program wrote it")
    };
    match &entry.payload {
        Payload::Empty => store.note_applied(position),
        Payload::Membership(bytes) => {
            let known = Membership::decode(bytes).map_err(|_| unreadable("configuration"))?;
            let applied = store.apply_membership(position, &known);
            applied.map_err(|_| unreadable("configuration"))?;
            store.take_settled();
        }
        Payload::Command(bytes) => {
            let envelope = Envelope::open(bytes.clone()).map_err(|_| unreadable("command"))?;
            let command = Command::decode(envelope.command).map_err(|_| unreadable("command"))?;
            supply(store, state, &command)?;
            // Refusals are part of the state's history as well.
            let _answer = store.apply(position, &command);
        }
    }
    Ok(())
}

/// Fetches what a command needs of older values.
fn supply(store: &mut Store, state: &State, command: &Command) -> Result<(), String> {
    loop {
        let missing = store.missing(command);
        if missing.is_empty() {
            return Ok(());
        }
        for revision in missing {
            let record = state.get(revision).map_err(|error| error.to_string())?;
            let record = record.ok_or_else(|| format!("the state has lost revision {revision}"))?;
            store.supply(revision, Some(record));
        }
    }
}

/// Flushes when more than so many bytes wait.
fn flush(store: &mut Store, state: &mut State, most: usize) -> Result<(), store::BackendError> {
    if most > 0 && store.unflushed_bytes() < most {
        return Ok(());
    }
    let Some(flush) = store.begin_flush() else { return Ok(()) };
    state.flush(&flush)?;
    store.flushed(flush.applied);
    Ok(())
}
