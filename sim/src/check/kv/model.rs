//! etcd's key-value store as one would write it without any thought of speed.

use std::collections::BTreeSet;

use protocol::NodeId;
use protocol::raft::Membership;
use store::{
    Alarm, AlarmAction, Command, DeleteRange, Error, LeaseId, Limits, Operation, Outcome, Put,
    Range, RangeResult, Stamp, Txn,
};

use super::leases::{End, Leases};
use super::read;
use super::sessions::{Fate, Sessions};
use super::sound;
use super::versions::{FIRST_REVISION, Held, Versions};

/// The sequential model: commands in, outcomes out, and every past state at hand.
///
/// - a command that changes keys takes the next revision, every other one none;
/// - a command that is refused changes nothing.
#[derive(Clone, Debug)]
pub struct Model {
    limits: Limits,
    revision: i64,
    compact_revision: i64,
    /// Entries passed, which is the name of the next one.
    entries: usize,
    pub(super) versions: Versions,
    pub(super) leases: Leases,
    sessions: Sessions,
    alarms: BTreeSet<(NodeId, Alarm)>,
    /// Members that report themselves short of space.
    short: BTreeSet<NodeId>,
    /// Those whose words count, and those whose words do not any more.
    members: BTreeSet<NodeId>,
    removed: BTreeSet<NodeId>,
    /// Whether the state was ever said to be corrupt.
    pub(super) corrupt: bool,
}

impl Model {
    /// An empty store.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            revision: FIRST_REVISION,
            compact_revision: -1,
            entries: 0,
            versions: Versions::default(),
            leases: Leases::default(),
            sessions: Sessions::default(),
            alarms: BTreeSet::new(),
            short: BTreeSet::new(),
            members: BTreeSet::new(),
            removed: BTreeSet::new(),
            corrupt: false,
        }
    }

    /// The newest revision.
    #[must_use]
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// The oldest revision that may be read; −1 before the first compaction.
    #[must_use]
    pub const fn compact_revision(&self) -> i64 {
        self.compact_revision
    }

    /// The answer to a read at a revision, whatever revision it asked for and whether or not that
    /// is compacted.
    #[must_use]
    pub fn read(&self, range: &Range, at: i64) -> RangeResult {
        read::range(&self.versions, range, at)
    }

    /// The answer to a read-only transaction at a revision; `None` when it writes.
    #[must_use]
    pub fn read_txn(&self, txn: &Txn, at: i64) -> Option<Outcome> {
        read::txn(&self.versions, txn, at)
    }

    /// The leases that are alive, ascending.
    #[must_use]
    pub fn leases(&self) -> Vec<LeaseId> {
        self.leases.alive_after(self.entries)
    }

    /// Milliseconds left and seconds granted; `None` when there is no such lease.
    #[must_use]
    pub fn time_to_live(&self, id: LeaseId) -> Option<(u64, i64)> {
        let left = self.leases.left_after(id, self.entries)?;
        Some((left.remaining_ms, left.granted))
    }

    /// Passes an entry that has no command.
    pub fn pass(&mut self) {
        self.entries += 1;
    }

    /// Other members. Whoever is none of them any more has no say: not that its disk is full, not
    /// what alarms it has raised.
    pub fn set_members(&mut self, membership: &Membership) {
        let members = membership.members();
        let gone: Vec<NodeId> = self.members.difference(&members).copied().collect();
        for id in gone {
            self.short.remove(&id);
            self.alarms.retain(|(by, _)| *by != id);
            self.removed.insert(id);
        }
        self.members = members;
    }

    /// Executes the next entry.
    ///
    /// # Errors
    /// As etcd refuses it; nothing has changed then.
    pub fn apply(&mut self, command: &Command) -> Result<Outcome, Error> {
        let outcome = self.execute(command);
        self.entries += 1;
        outcome
    }

    fn execute(&mut self, command: &Command) -> Result<Outcome, Error> {
        if let Some(error) = self.forbidden(command).or_else(|| sound::flaw(command)) {
            return Err(error);
        }
        match command {
            Command::Put(put) => {
                self.check_lease(put)?;
                self.check_key(put)?;
                Ok(self.atomically(|this, main| this.put(put, main)))
            }
            Command::DeleteRange(delete) => {
                Ok(self.atomically(|this, main| this.delete(delete, main)))
            }
            Command::Txn(txn) => {
                let path = self.choose(txn);
                self.check_puts(&path)?;
                self.check_reads(&path)?;
                Ok(self.atomically(|this, main| this.follow(&path, main)))
            }
            Command::Compact { revision } => self.compact(*revision),
            Command::LeaseGrant { id, ttl } => self.grant(*id, *ttl),
            Command::LeaseRevoke { id } => {
                if !self.leases.is_alive(*id) {
                    return Err(Error::LeaseNotFound);
                }
                self.end_lease(*id, End::Revoked);
                Ok(Outcome::Done)
            }
            Command::LeaseRenew { ids } => {
                let entry = self.entries;
                let renewed = ids.iter().map(|id| (*id, self.leases.renew(entry, *id)));
                Ok(Outcome::LeaseRenew(renewed.map(|(id, ttl)| (id, ttl.unwrap_or(0))).collect()))
            }
            Command::Tick { elapsed_ms } => {
                let due = self.leases.tick(self.entries, *elapsed_ms);
                let most =
                    if self.raised(Alarm::Corrupt) { 0 } else { self.limits.expiries_per_tick };
                due.into_iter().take(most).for_each(|id| self.end_lease(id, End::Expired));
                let (limits, most) = (&self.limits.sessions, self.limits.expiries_per_tick);
                self.sessions.tick(*elapsed_ms, limits, most);
                Ok(Outcome::Done)
            }
            Command::Alarm { action, member, alarm } => Ok(self.alarm(*action, *member, *alarm)),
            Command::Once { command, .. } => self.execute(command),
            Command::Recovered(_) => Ok(Outcome::Done),
            Command::SpaceReport { member, short } => {
                if *short && !self.removed.contains(member) {
                    self.short.insert(*member);
                } else {
                    self.short.remove(member);
                }
                Ok(Outcome::Done)
            }
            // What members tell of themselves is no affair of this model.
            Command::Publish(_)
            | Command::StateHash { .. }
            | Command::Member(_)
            | Command::Settle { .. } => Ok(Outcome::Done),
        }
    }

    /// What a numbered write comes to as the next entry. It is to be executed if it is the first.
    pub(super) fn numbered(&mut self, stamp: &Stamp) -> Fate {
        self.sessions.write(stamp, &self.limits.sessions)
    }

    /// What alarms forbid.
    fn forbidden(&self, command: &Command) -> Option<Error> {
        let (touches, grows) = match command {
            Command::Once { command, .. } => return self.forbidden(command),
            Command::Put(_) | Command::LeaseGrant { .. } => (true, true),
            Command::Txn(txn) => (true, has_put(txn)),
            Command::DeleteRange(_) | Command::Compact { .. } | Command::LeaseRevoke { .. } => {
                (true, false)
            }
            Command::LeaseRenew { .. }
            | Command::Tick { .. }
            | Command::Alarm { .. }
            | Command::Publish(_)
            | Command::StateHash { .. }
            | Command::SpaceReport { .. }
            | Command::Recovered(_)
            | Command::Member(_)
            | Command::Settle { .. } => (false, false),
        };
        if touches && self.raised(Alarm::Corrupt) {
            Some(Error::Corrupt)
        } else {
            (grows && self.raised(Alarm::NoSpace)).then_some(Error::NoSpace)
        }
    }

    fn raised(&self, alarm: Alarm) -> bool {
        self.alarms.iter().any(|(_, what)| *what == alarm)
            || (alarm == Alarm::NoSpace && !self.short.is_empty())
    }

    fn alarm(
        &mut self,
        action: AlarmAction,
        member: Option<NodeId>,
        alarm: Option<Alarm>,
    ) -> Outcome {
        let named = |(by, what): (NodeId, Alarm)| {
            member.is_none_or(|member| member == by) && alarm.is_none_or(|alarm| alarm == what)
        };
        let told: Vec<(NodeId, Alarm)> = match action {
            AlarmAction::Activate => member.zip(alarm).into_iter().collect(),
            AlarmAction::Deactivate => {
                let short = self.short.iter().map(|by| (*by, Alarm::NoSpace));
                let all: BTreeSet<_> = self.alarms.iter().copied().chain(short).collect();
                all.into_iter().filter(|raised| named(*raised)).collect()
            }
        };
        for raised in &told {
            match action {
                AlarmAction::Activate => self.alarms.insert(*raised),
                AlarmAction::Deactivate => {
                    let short = raised.1 == Alarm::NoSpace && self.short.remove(&raised.0);
                    self.alarms.remove(raised) || short
                }
            };
        }
        self.corrupt |= self.raised(Alarm::Corrupt);
        Outcome::Alarm(told)
    }

    fn compact(&mut self, revision: i64) -> Result<Outcome, Error> {
        if revision <= self.compact_revision {
            return Err(Error::Compacted);
        }
        if revision > self.revision {
            return Err(Error::FutureRevision);
        }
        self.compact_revision = revision;
        Ok(Outcome::Done)
    }

    fn grant(&mut self, id: LeaseId, ttl: i64) -> Result<Outcome, Error> {
        if id.0 == 0 {
            return Err(Error::LeaseNotFound);
        }
        if ttl > self.limits.max_lease_ttl {
            return Err(Error::LeaseTtlTooLarge);
        }
        if self.leases.is_alive(id) {
            return Err(Error::LeaseExists);
        }
        let ttl = ttl.max(self.limits.min_lease_ttl);
        self.leases.grant(self.entries, id, ttl);
        Ok(Outcome::LeaseGrant { id, ttl })
    }

    /// A lease ends, and its keys go with it, in order and in one revision.
    fn end_lease(&mut self, id: LeaseId, how: End) {
        let main = self.revision + 1;
        for key in self.versions.attached(id, self.revision) {
            self.versions.push(&key, main, None);
        }
        self.revision = self.versions.newest();
        self.leases.end(self.entries, id, how);
    }

    /// Does what takes at most one revision.
    fn atomically(&mut self, act: impl FnOnce(&mut Self, i64) -> Outcome) -> Outcome {
        let outcome = act(self, self.revision + 1);
        self.revision = self.versions.newest();
        outcome
    }

    fn check_lease(&self, put: &Put) -> Result<(), Error> {
        let missing = put.lease.flatten().is_some_and(|id| !self.leases.is_alive(id));
        if missing { Err(Error::LeaseNotFound) } else { Ok(()) }
    }

    fn check_key(&self, put: &Put) -> Result<(), Error> {
        let keeps = put.value.is_none() || put.lease.is_none();
        let missing = keeps && self.versions.held(&put.key, self.revision).is_none();
        if missing { Err(Error::KeyNotFound) } else { Ok(()) }
    }

    fn put(&mut self, put: &Put, main: i64) -> Outcome {
        let before = self.versions.at(&put.key, main);
        let (created, version) =
            before.as_ref().map_or((main, 1), |kv| (kv.create_revision, kv.version + 1));
        let value = put.value.clone().or_else(|| before.as_ref().map(|kv| kv.value.clone()));
        let lease = put.lease.unwrap_or_else(|| before.as_ref().and_then(|kv| kv.lease));
        let held = Held { value: value.unwrap_or_default(), created, version, lease };
        self.versions.push(&put.key, main, Some(held));
        Outcome::Put { prev: before.filter(|_| put.prev_kv) }
    }

    fn delete(&mut self, delete: &DeleteRange, main: i64) -> Outcome {
        let prev: Vec<_> = self.versions.range(&delete.range, main).collect();
        for kv in &prev {
            self.versions.push(&kv.key, main, None);
        }
        let deleted = i64::try_from(prev.len()).unwrap_or(i64::MAX);
        Outcome::DeleteRange { deleted, prev: if delete.prev_kv { prev } else { Vec::new() } }
    }
}

/// Whether a transaction puts anywhere, on whichever branch.
fn has_put(txn: &Txn) -> bool {
    txn.success.iter().chain(&txn.failure).any(|operation| match operation {
        Operation::Put(_) => true,
        Operation::Txn(nested) => has_put(nested),
        Operation::Range(_) | Operation::DeleteRange(_) => false,
    })
}

/// The branch that a transaction takes, all comparisons judged on the state before it.
struct Path<'a> {
    succeeded: bool,
    steps: Vec<Step<'a>>,
}

enum Step<'a> {
    Range(&'a Range),
    Put(&'a Put),
    Delete(&'a DeleteRange),
    Nested(Path<'a>),
}

impl Model {
    fn choose<'a>(&self, txn: &'a Txn) -> Path<'a> {
        let succeeded = read::succeeds(&self.versions, txn, self.revision);
        let steps = read::branch(txn, succeeded).iter().map(|operation| match operation {
            Operation::Range(range) => Step::Range(range),
            Operation::Put(put) => Step::Put(put),
            Operation::DeleteRange(delete) => Step::Delete(delete),
            Operation::Txn(nested) => Step::Nested(self.choose(nested)),
        });
        Path { succeeded, steps: steps.collect() }
    }

    /// All puts are looked at before the first read, as in etcd: that decides which of several
    /// errors is told.
    fn check_puts(&self, path: &Path) -> Result<(), Error> {
        path.steps.iter().try_for_each(|step| match step {
            Step::Put(put) => self.check_key(put).and_then(|()| self.check_lease(put)),
            Step::Nested(path) => self.check_puts(path),
            Step::Range(_) | Step::Delete(_) => Ok(()),
        })
    }

    /// Only 0 is the latest revision here; a negative one is held against the compact revision.
    fn check_reads(&self, path: &Path) -> Result<(), Error> {
        path.steps.iter().try_for_each(|step| match step {
            Step::Range(range) if range.revision > self.revision => Err(Error::FutureRevision),
            Step::Range(range) if range.revision != 0 && range.revision < self.compact_revision => {
                Err(Error::Compacted)
            }
            Step::Nested(path) => self.check_reads(path),
            Step::Range(_) | Step::Put(_) | Step::Delete(_) => Ok(()),
        })
    }

    fn follow(&mut self, path: &Path, main: i64) -> Outcome {
        let mut responses = Vec::new();
        for step in &path.steps {
            let outcome = match step {
                Step::Range(range) => {
                    let newest = self.versions.newest();
                    Outcome::Range(read::within(&self.versions, range, newest))
                }
                Step::Put(put) => self.put(put, main),
                Step::Delete(delete) => self.delete(delete, main),
                Step::Nested(path) => self.follow(path, main),
            };
            // etcd leaves the header of a nested transaction out.
            let nested = matches!(step, Step::Nested(_));
            responses.push((if nested { 0 } else { self.versions.newest() }, outcome));
        }
        Outcome::Txn { succeeded: path.succeeded, responses }
    }
}
