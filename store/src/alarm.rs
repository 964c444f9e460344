//! What members complain of, and what is refused meanwhile.

use alloc::vec::Vec;

use protocol::NodeId;

use crate::meta::Name;
use crate::{Alarm, AlarmAction, Command, Error, Operation, Outcome, Store, Txn};

impl Store {
    /// Whether any member has raised this alarm.
    #[must_use]
    pub fn has_alarm(&self, alarm: Alarm) -> bool {
        self.alarms.iter().any(|(_, raised)| *raised == alarm)
    }

    /// Refuses what the alarms forbid: with [`Alarm::Corrupt`] all that reads or changes keys or
    /// leases, with [`Alarm::NoSpace`] all that grows.
    pub(crate) fn refuse_alarmed(&self, command: &Command) -> Result<(), Error> {
        if self.alarms.is_empty() {
            return Ok(());
        }
        let (changes, grows) = match command {
            Command::Put(_) | Command::LeaseGrant { .. } => (true, true),
            Command::Txn(txn) => (true, puts(txn)),
            Command::DeleteRange(_) | Command::Compact { .. } | Command::LeaseRevoke { .. } => {
                (true, false)
            }
            Command::LeaseRenew { .. }
            | Command::Tick { .. }
            | Command::Alarm { .. }
            | Command::Publish(_)
            | Command::Member(_)
            | Command::Settle { .. } => (false, false),
        };
        if changes && self.has_alarm(Alarm::Corrupt) {
            return Err(Error::Corrupt);
        }
        if grows && self.has_alarm(Alarm::NoSpace) {
            return Err(Error::NoSpace);
        }
        Ok(())
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
                self.alarms.extract_if(.., meant).collect()
            }
        };
        self.dirty.extend(changed.iter().map(|(by, what)| Name::Alarm(*by, *what)));
        Outcome::Alarm(changed)
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
