//! A node that mends its log before it begins: production's machine for that, and what the server
//! does around it, in virtual time.

use std::collections::BTreeSet;

use node::{Input, MendConfig, MendInput, MendOutput, Mending, gather};
use protocol::{NodeId, Position, Rng, Time};
use storage::log::Salvage;

use super::disk::SharedDisk;
use super::{Machine, Status, World};
use crate::marks::Mark;
use crate::seen::{Place, Seen, place};

/// A node that does not run yet.
pub(crate) struct Patient {
    mending: Mending,
    salvage: Salvage<SharedDisk>,
    /// The true time at which it asks again.
    pub(crate) timer: Option<Time>,
}

impl Machine {
    /// Begins to mend instead of running.
    pub(super) fn admit(
        &mut self,
        config: &node::Config,
        peers: BTreeSet<NodeId>,
        salvage: Salvage<SharedDisk>,
        rng: &mut Rng,
    ) {
        let config = MendConfig {
            peers,
            term: salvage.hard_state().term,
            life: rng.next(),
            interval: config.raft.heartbeat * 2,
        };
        let mending = Mending::new(config, salvage.wanted().collect(), salvage.is_helpless());
        self.status = Status::Mending(Box::new(Patient { mending, salvage, timer: None }));
    }

    /// Whether an operator may let it start, in doubt or with its doubt dismissed.
    pub(crate) fn is_undecided(&self) -> bool {
        matches!(&self.status, Status::Mending(patient) if patient.salvage.is_undecided())
    }

    /// Whether it mends its log.
    pub(crate) fn is_mending(&self) -> bool {
        matches!(self.status, Status::Mending(_))
    }

    fn patient(&mut self) -> Option<&mut Patient> {
        match &mut self.status {
            Status::Mending(patient) => Some(patient),
            Status::Down | Status::Up(_) | Status::Paused(_) => None,
        }
    }
}

impl World {
    /// What a running node would be told.
    pub(super) fn feed_patient(&mut self, at: Place, input: Input) {
        let input = match input {
            Input::Timeout => MendInput::Timeout,
            Input::Receive { from, message } => MendInput::Receive { from, message },
            _ => return,
        };
        let machine = &mut self.machines[at];
        let local = machine.clock.local(self.now);
        if let Some(patient) = machine.patient() {
            patient.mending.handle(local, input);
        }
    }

    /// Carries out everything that a mending node wants now.
    pub(super) fn drain_patient(&mut self, at: Place) {
        while let Some(patient) = self.machines[at].patient() {
            let Some(output) = patient.mending.poll_output() else { break };
            self.treat(at, output);
        }
        let machine = &mut self.machines[at];
        let clock = machine.clock;
        if let Some(patient) = machine.patient() {
            patient.timer = patient.mending.poll_timeout().map(|local| clock.when(local));
        }
    }

    fn treat(&mut self, at: Place, output: MendOutput) {
        let local = self.machines[at].clock.local(self.now);
        let Some(Patient { mending, salvage, .. }) = self.machines[at].patient() else { return };
        match output {
            MendOutput::Send { to, message } => self.send(at, to, message),
            MendOutput::Look { peer, life, wanted } => {
                let (entries, absent) = gather(wanted, |position| salvage.find(position));
                mending.handle(local, MendInput::Found { peer, life, entries, absent });
            }
            MendOutput::Fill(entries) => match salvage.fill(&entries) {
                Ok(()) => {
                    let wanted: Vec<Position> = salvage.wanted().collect();
                    mending.handle(local, MendInput::Filled(wanted));
                }
                Err(error) => self.halt(at, &format!("the log failed: {error}")),
            },
            MendOutput::Healed => {
                self.eyes.marks.hit(Mark::LogMended);
                self.machines[at].status = Status::Down;
                self.start(at);
            }
            MendOutput::Surrender { leader, last, .. } => {
                if let Some(leader) = place(leader) {
                    self.surrender(at, leader, last);
                }
            }
        }
    }

    /// A leader has not got what is lost here: what it sends takes the place of it.
    fn surrender(&mut self, at: Place, leader: Place, last: Position) {
        let status = std::mem::replace(&mut self.machines[at].status, Status::Down);
        let Status::Mending(patient) = status else { return };
        self.eyes.see(self.now, &Seen::Surrendered { at, leader, last });
        self.eyes.marks.hit(Mark::LogSurrendered);
        if patient.salvage.is_undecided() {
            drop(patient);
            return self.start_as(at, super::script::How::Led(last.index));
        }
        match patient.salvage.surrender(last.index) {
            Ok(_) => self.start(at),
            Err(error) => self.halt(at, &format!("the log failed: {error}")),
        }
    }

    /// Whether what this node may have acknowledged is in doubt, and nothing else is wrong.
    pub(crate) fn is_in_doubt(&self, at: Place) -> bool {
        let doubt = self.node(at).is_some_and(|node| node.core().status().doubt.is_some());
        doubt || self.machines[at].is_undecided()
    }

    /// A mending node, for stories: how many entries it still lacks.
    #[must_use]
    pub fn lacks(&self, at: Place) -> Option<usize> {
        match &self.machines[at].status {
            Status::Mending(patient) => Some(patient.mending.wanted().len()),
            Status::Down | Status::Up(_) | Status::Paused(_) => None,
        }
    }

    /// Flips a bit in the record of an entry on a node's disk. False when it is not there.
    pub fn spoil_entry(&mut self, at: Place, index: u64) -> bool {
        let mut disk = self.machines[at].log.get();
        let Ok(Some(found)) = storage::log::inspect(&*disk) else { return false };
        let mut entries = found.segments.iter().flat_map(|segment| {
            let entries = segment.writes.iter().flat_map(|write| &write.entries);
            entries.map(|entry| (segment.file.clone(), entry.position.index.0, entry.offset))
        });
        let place = entries.find(|(_, found, _)| *found == index);
        let spoilt = place.is_some_and(|(file, _, offset)| {
            disk.flip(&file, usize::try_from(offset).unwrap_or(0) + 33, 4)
        });
        drop(disk);
        if spoilt {
            let what = crate::fault::DiskFault::Rot;
            self.eyes.see(self.now, &Seen::Fault(&crate::fault::Fault::Disk { at, what }));
        }
        spoilt
    }
}
