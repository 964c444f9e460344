//! The state and its one way to change.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use protocol::{Index as LogIndex, NodeId, Position};

use crate::compact::Pruning;
use crate::equality::Sum;
use crate::index::Index;
use crate::lease::Leases;
use crate::member::Roster;
use crate::meta::{Name, State};
use crate::recent::Recent;
use crate::session::Sessions;
use crate::{
    Alarm, Command, Error, Event, KeyValue, LeaseId, LeaseView, Limits, Member, Outcome, Range,
    Record, Recovery, Revision, Txn, validate,
};

/// The revision of a new store.
pub(crate) const FIRST_REVISION: i64 = 1;
/// The compact revision of a new store, as etcd has it: less than any that can be asked for.
pub(crate) const NEVER_COMPACTED: i64 = -1;

/// The replicated state.
///
/// - a command that changes keys takes one main revision, every other one none;
/// - the index knows every version that has not been pruned, `recent` or the backend its record;
/// - what is read, hashed or told at a revision that is not compacted never changes again;
/// - every lease that a key hangs on exists.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) limits: Limits,
    pub(crate) revision: i64,
    pub(crate) compact_revision: i64,
    pub(crate) applied: Position,
    pub(crate) index: Index,
    pub(crate) recent: Recent,
    pub(crate) leases: Leases,
    pub(crate) sessions: Sessions,
    /// The alarms that operators have raised.
    pub(crate) alarms: BTreeSet<(NodeId, Alarm)>,
    /// The members that report themselves short of space.
    pub(crate) short: BTreeSet<NodeId>,
    pub(crate) members: BTreeMap<NodeId, Member>,
    /// Of the newest versions.
    pub(crate) sum: Sum,
    /// This state was found to differ from that of a majority.
    pub(crate) condemned: Option<LogIndex>,
    pub(crate) roster: Roster,
    /// By the index of their entries.
    pub(crate) recoveries: BTreeMap<LogIndex, Recovery>,
    /// Records that the caller fetched for the next command.
    pub(crate) supplied: BTreeMap<Revision, Option<Record>>,
    pub(crate) watched: bool,
    pub(crate) events: Vec<Arc<Event>>,
    pub(crate) pruning: Pruning,
    /// Metadata that the next flush writes.
    pub(crate) dirty: BTreeSet<Name>,
    /// The numbers and the changed metadata in the flush under way.
    pub(crate) flushing: Option<(State, BTreeSet<Name>)>,
    /// What the last flush completed.
    pub(crate) flushed: Position,
    /// Where this state came as a whole, if it did, as the backend has it.
    pub(crate) installed: Option<Position>,
}

/// What applying a command gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The store's revision (main) afterwards, for the header of the answer; for a stamped write
    /// that came again, the one of its first answer.
    pub revision: i64,
    /// The answer; an error leaves the state as it was.
    pub outcome: Result<Outcome, Error>,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            revision: FIRST_REVISION,
            compact_revision: NEVER_COMPACTED,
            applied: Position::ORIGIN,
            index: Index::default(),
            recent: Recent::new(Revision::default()),
            leases: Leases::default(),
            sessions: Sessions::default(),
            alarms: BTreeSet::new(),
            short: BTreeSet::new(),
            members: BTreeMap::new(),
            sum: Sum::default(),
            condemned: None,
            roster: Roster::default(),
            recoveries: BTreeMap::new(),
            supplied: BTreeMap::new(),
            watched: false,
            events: Vec::new(),
            pruning: Pruning::new(NEVER_COMPACTED),
            dirty: BTreeSet::new(),
            flushing: None,
            flushed: Position::ORIGIN,
            installed: None,
        }
    }

    /// Checks a command before it is proposed.
    ///
    /// # Errors
    /// The first of etcd's checks that fails: [`Error::TooManyOps`], [`Error::EmptyKey`],
    /// [`Error::DuplicateKey`], [`Error::RequestTooLarge`].
    pub fn validate(limits: &Limits, command: &Command) -> Result<(), Error> {
        validate::command(limits, command)
    }

    /// Checks a read.
    ///
    /// # Errors
    /// [`Error::EmptyKey`].
    pub fn validate_range(range: &Range) -> Result<(), Error> {
        validate::range(range)
    }

    /// Checks a transaction, such as a read-only one, which is not proposed.
    ///
    /// # Errors
    /// As [`Store::validate`].
    pub fn validate_txn(limits: &Limits, txn: &Txn) -> Result<(), Error> {
        validate::txn(txn, limits.max_txn_ops)
    }

    /// The newest revision (main).
    #[must_use]
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// The oldest readable revision (main); −1 before the first compaction.
    #[must_use]
    pub const fn compact_revision(&self) -> i64 {
        self.compact_revision
    }

    /// The position of the last entry applied.
    #[must_use]
    pub const fn applied(&self) -> Position {
        self.applied
    }

    /// Where this state came as a whole from another member, if it did and was restored from a
    /// backend since: its log may not have followed.
    #[must_use]
    pub const fn installed(&self) -> Option<Position> {
        self.installed
    }

    /// Keys that are there at the newest revision.
    #[must_use]
    pub const fn keys(&self) -> u64 {
        self.index.live()
    }

    /// What members have told of themselves, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// A lease, if it exists.
    #[must_use]
    pub fn lease(&self, id: LeaseId) -> Option<LeaseView<'_>> {
        self.leases.view(id)
    }

    /// All leases, ascending.
    pub fn leases(&self) -> impl Iterator<Item = LeaseId> {
        self.leases.ids()
    }

    /// How many leases there are.
    #[must_use]
    pub fn lease_count(&self) -> usize {
        self.leases.len()
    }

    /// Whether there is any lease: without one, and without [`Store::has_sessions`], no tick is
    /// needed.
    #[must_use]
    pub fn has_leases(&self) -> bool {
        self.leases.len() > 0
    }

    /// Whether leases are over that the last tick had no room for: another tick should follow.
    #[must_use]
    pub fn lease_due(&self) -> bool {
        !self.has_alarm(Alarm::Corrupt) && self.leases.due().next().is_some()
    }

    /// Whether changes are told ([`Store::take_events`]). Without watchers, making events is
    /// spared.
    pub fn set_watched(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// The changes since the last call, in order, for as long as the store was watched.
    pub fn take_events(&mut self) -> Vec<Arc<Event>> {
        core::mem::take(&mut self.events)
    }

    /// Hands over a record that [`Store::missing`] or [`Store::missing_for_plan`] named. It is
    /// kept until the next command is applied. `None` says that the backend has lost it.
    pub fn supply(&mut self, revision: Revision, record: Option<Record>) {
        self.supplied.insert(revision, record);
    }

    /// Forgets what was supplied, such as for a plan, when no command is about to be applied.
    pub fn forget_supplied(&mut self) {
        self.supplied.clear();
    }

    /// Applies the entry at a position that has no command.
    ///
    /// # Panics
    /// As [`Store::apply`].
    pub fn note_applied(&mut self, position: Position) {
        assert!(position.index > self.applied.index, "entries are applied once, in order");
        self.applied = position;
    }

    /// Applies the command at a position of the log. Everything [`Store::missing`] names has been
    /// supplied; where the backend had lost a record ([`Store::supply`]), the command is refused
    /// with [`Error::Corrupt`], and this replica must stop, since others do not refuse it.
    ///
    /// # Panics
    /// When positions do not ascend, or a record is missing.
    pub fn apply(&mut self, position: Position, command: &Command) -> Applied {
        self.note_applied(position);
        let applied = if let Command::Once { stamp, command } = command {
            self.apply_once(stamp, command)
        } else {
            let outcome = self.execute(command);
            Applied { revision: self.revision, outcome }
        };
        self.supplied.clear();
        applied
    }

    pub(crate) fn execute(&mut self, command: &Command) -> Result<Outcome, Error> {
        self.refuse_alarmed(command)?;
        validate::sound(command)?;
        match command {
            Command::Put(put) => self.apply_put(put),
            Command::DeleteRange(delete) => self.apply_delete(delete),
            Command::Txn(txn) => self.apply_txn(txn),
            Command::Compact { revision } => self.apply_compact(*revision),
            Command::LeaseGrant { id, ttl } => self.apply_grant(*id, *ttl),
            Command::LeaseRevoke { id } => self.apply_revoke(*id),
            Command::LeaseRenew { ids } => Ok(self.apply_renew(ids)),
            Command::Tick { elapsed_ms } => Ok(self.apply_tick(*elapsed_ms)),
            Command::Alarm { action, member, alarm } => {
                Ok(self.apply_alarm(*action, *member, *alarm))
            }
            // Told before it was removed.
            Command::Publish(member) if self.was_removed(member.id) => Ok(Outcome::Done),
            Command::Publish(member) => {
                self.dirty.insert(Name::Member(member.id));
                self.members.insert(member.id, member.clone());
                Ok(Outcome::Done)
            }
            // What a member makes of it is no part of the state.
            Command::StateHash { .. } => Ok(Outcome::Done),
            Command::Once { .. } => unreachable!("a stamped command is no stamped one"),
            Command::SpaceReport { member, short } => Ok(self.apply_report(*member, *short)),
            Command::Member(change) => self.apply_member(change),
            Command::Settle { ticket, refusal } => Ok(self.apply_settle(*ticket, *refusal)),
            Command::Recovered(recovery) => Ok(self.apply_recovery(recovery)),
        }
    }

    /// The revision to read at when a client asks for `revision`.
    pub(crate) fn readable(&self, revision: i64) -> Result<i64, Error> {
        if revision > self.revision {
            return Err(Error::FutureRevision);
        }
        let revision = if revision <= 0 { self.revision } else { revision };
        if revision < self.compact_revision { Err(Error::Compacted) } else { Ok(revision) }
    }

    /// The record of a revision, if it is in memory or was supplied.
    pub(crate) fn held(&self, revision: Revision) -> Option<&Record> {
        held(&self.recent, &self.supplied, revision)
    }
}

/// The record of a revision, from what is in memory or was supplied.
pub(crate) fn held<'a>(
    recent: &'a Recent,
    supplied: &'a BTreeMap<Revision, Option<Record>>,
    revision: Revision,
) -> Option<&'a Record> {
    recent.get(revision).or_else(|| supplied.get(&revision)?.as_ref())
}

/// The key and value of a record that must be a put.
pub(crate) fn key_value(record: &Record) -> &KeyValue {
    match record {
        Record::Put(kv) => kv,
        Record::Tombstone { .. } => panic!("invariant: the index says this revision is a put"),
    }
}
