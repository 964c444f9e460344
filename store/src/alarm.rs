//! What members complain of, and what is refused meanwhile.
//!
//! There are two ways to the same alarm. An operator raises one and clears it, as in etcd. A member
//! that is short of space reports it, and reports the end of it; so its alarm goes as it came, and
//! never takes an operator's along. Whoever looks sees one alarm of a kind and a member, whichever
//! way it came, and clearing it by hand clears both; a member that is still short then reports
//! again.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use protocol::NodeId;

use crate::meta::Name;
use crate::{Alarm, AlarmAction, Command, Error, Operation, Outcome, Store, Txn};

impl Store {
    /// Whether any member has raised this alarm.
    #[must_use]
    pub fn has_alarm(&self, alarm: Alarm) -> bool {
        self.alarms.iter().any(|(_, raised)| *raised == alarm)
            || (alarm == Alarm::NoSpace && !self.short.is_empty())
    }

    /// The alarms that are raised, by member.
    pub fn alarms(&self) -> impl Iterator<Item = (NodeId, Alarm)> {
        let short = self.short.iter().map(|member| (*member, Alarm::NoSpace));
        let all: BTreeSet<_> = self.alarms.iter().copied().chain(short).collect();
        all.into_iter()
    }

    /// Whether a member has reported itself short of space.
    #[must_use]
    pub fn is_short(&self, member: NodeId) -> bool {
        self.short.contains(&member)
    }

    /// Whether a command is refused for want of space, now as when it is applied. One that was done
    /// before is not: it gets its answer.
    #[must_use]
    pub fn refuses_growth(&self, command: &Command) -> bool {
        let again = matches!(command, Command::Once { stamp, .. } if !self.is_first(stamp));
        !again && self.has_alarm(Alarm::NoSpace) && weight(command) == Weight::Grows
    }

    /// Refuses what the alarms forbid: with [`Alarm::Corrupt`] all that reads or changes keys or
    /// leases, with [`Alarm::NoSpace`] all that grows.
    pub(crate) fn refuse_alarmed(&self, command: &Command) -> Result<(), Error> {
        if self.alarms.is_empty() && self.short.is_empty() {
            return Ok(());
        }
        let weight = weight(command);
        if weight != Weight::None && self.has_alarm(Alarm::Corrupt) {
            return Err(Error::Corrupt);
        }
        if weight == Weight::Grows && self.has_alarm(Alarm::NoSpace) {
            return Err(Error::NoSpace);
        }
        Ok(())
    }

    /// Nobody is told what was there before: a member asks for itself, of itself.
    pub(crate) fn apply_report(&mut self, member: NodeId, short: bool) -> Outcome {
        self.dirty.insert(Name::Short(member));
        // Told before it was removed, it would stand for ever.
        if short && !self.was_removed(member) {
            self.short.insert(member);
        } else {
            self.short.remove(&member);
        }
        Outcome::Done
    }

    /// Raising answers with the alarm, also when it was raised before; clearing with those that
    /// were.
    pub(crate) fn apply_alarm(
        &mut self,
        action: AlarmAction,
        member: Option<NodeId>,
        alarm: Option<Alarm>,
    ) -> Outcome {
        let changed: Vec<(NodeId, Alarm)> = match (action, member.zip(alarm)) {
            (AlarmAction::Activate, Some(named)) => {
                self.alarms.insert(named);
                Vec::from([named])
            }
            (AlarmAction::Activate, None) => Vec::new(),
            (AlarmAction::Deactivate, _) => {
                let meant = |(by, what): &(NodeId, Alarm)| {
                    member.is_none_or(|member| member == *by)
                        && alarm.is_none_or(|alarm| alarm == *what)
                };
                let mut cleared: BTreeSet<_> = self.alarms.extract_if(.., meant).collect();
                let reported = |by: &NodeId| meant(&(*by, Alarm::NoSpace));
                for by in self.short.extract_if(.., reported) {
                    self.dirty.insert(Name::Short(by));
                    cleared.insert((by, Alarm::NoSpace));
                }
                cleared.into_iter().collect()
            }
        };
        self.dirty.extend(changed.iter().map(|(by, what)| Name::Alarm(*by, *what)));
        Outcome::Alarm(changed)
    }
}

/// What a command does to the space that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// It changes neither keys nor leases.
    None,
    /// It changes some, and makes none.
    Shrinks,
    /// It may make some.
    Grows,
}

fn weight(command: &Command) -> Weight {
    match command {
        Command::Put(_) | Command::LeaseGrant { .. } => Weight::Grows,
        Command::Txn(txn) if puts(txn) => Weight::Grows,
        Command::Once { command, .. } => weight(command),
        Command::Txn(_)
        | Command::DeleteRange(_)
        | Command::Compact { .. }
        | Command::LeaseRevoke { .. } => Weight::Shrinks,
        Command::LeaseRenew { .. }
        | Command::Tick { .. }
        | Command::Alarm { .. }
        | Command::Publish(_)
        | Command::StateHash { .. }
        | Command::SpaceReport { .. }
        | Command::Member(_)
        | Command::Settle { .. }
        | Command::Recovered(_) => Weight::None,
    }
}

/// Whether either branch puts, at any depth.
fn puts(txn: &Txn) -> bool {
    txn.success.iter().chain(&txn.failure).any(|operation| match operation {
        Operation::Put(_) => true,
        Operation::Range(_) | Operation::DeleteRange(_) => false,
        Operation::Txn(inner) => puts(inner),
    })
}
