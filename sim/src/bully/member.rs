//! One candidate: the process that may die, the disk that may not, the clock, and the program.

use std::collections::{BTreeMap, VecDeque};

use protocol::bully::{
    Bully, Config, Durable, Electorate, Leader, Lease, Shown, Standing, WriteId,
};
use protocol::{NodeId, Rng, Time};

use super::agenda::Waiting;
use super::clock::Clock;

/// A process. It ends with all that is here.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) core: Bully,
    /// On their way to the disk, in order.
    pub(super) writing: VecDeque<(WriteId, Durable)>,
    /// Which setting of the timer counts, and to when.
    pub(super) setting: u64,
    pub(super) armed: Option<Time>,
    /// What the pool has told it last of each.
    pub(super) known: BTreeMap<usize, (Shown, Standing)>,
    /// What it has told last.
    pub(super) electorate: Option<Electorate>,
    pub(super) leader: Option<Leader>,
    /// It leads, in the classic mode.
    pub(super) leads: bool,
    /// It stands still, for the so manieth time, and this has come meanwhile.
    pub(super) still: Option<(u64, Waiting)>,
}

/// A candidate.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) config: Config,
    pub(super) disk: Durable,
    pub(super) clock: Clock,
    /// How often it has started.
    pub(super) life: u64,
    pub(super) process: Option<Process>,
    /// The lease in the program's hands, which no crash of the process ends.
    pub(super) office: Option<Lease>,
    /// What it shows, or showed last.
    pub(super) shown: Option<Shown>,
}

impl Member {
    pub(super) fn new(config: Config, clock: Clock) -> Self {
        Self {
            config,
            disk: Durable::default(),
            clock,
            life: 0,
            process: None,
            office: None,
            shown: None,
        }
    }

    pub(super) fn id(&self) -> NodeId {
        self.config.id
    }

    pub(super) fn start(&mut self, rng: &mut Rng) {
        self.life += 1;
        let core = Bully::new(self.config.clone(), self.disk.clone(), rng.next());
        self.process = Some(Process {
            core,
            writing: VecDeque::new(),
            setting: 0,
            armed: None,
            known: BTreeMap::new(),
            electorate: None,
            leader: None,
            leads: false,
            still: None,
        });
    }

    /// The lease that it uses at this true time.
    pub(super) fn uses(&self, now: u64) -> Option<Lease> {
        self.office.filter(|lease| self.clock.time(now) < lease.until)
    }

    pub(super) fn is_up(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.still.is_none())
    }
}
