//! Whether machines are still what they were: production's lives and acquaintances, on disks of the
//! machines, and what the server does about them, in virtual time.
//!
//! A node that the others do not welcome any more ends for good, and a machine that never ran takes
//! its place under another name, as soon as a member that has the evidence gets its wish through.
//! In production it is the same machine; here names and machines are one.
//!
//! Only worlds in which disks are lost have any of this: elsewhere everybody is what it was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use node::{Acquaintances, Judgement, Life, Request};
use parking_lot::RwLock;
use protocol::Time;
use storage::disk::{FaultPlan, FaultyDisk};
use storage::state::FaultyFiles;
use store::MemberChange;

use super::backend::{Medium, ROOM};
use super::{Machine, World};
use crate::fault::Fault;
use crate::invariants::LOSSES;
use crate::marks::Mark;
use crate::seen::{Place, Seen, id};
use crate::storm::{Kind, Step};
use crate::trace::name;

/// How often links that are not up are dialled.
const DIAL: Duration = Duration::from_millis(500);
/// What is said on a refused link is known to whoever dialled after this.
const TOLD: Duration = Duration::from_millis(5);
/// How often a newcomer asks.
const ASK: Duration = Duration::from_secs(2);
/// Of so many starts one leaves a copy of the disks.
const COPIED: u64 = 3;

/// What a machine's disk holds besides log and state.
#[derive(Clone, Debug)]
pub(crate) struct Papers {
    pub(crate) life: Life,
    met: Acquaintances,
}

impl Papers {
    pub(super) const fn new(incarnation: u64) -> Self {
        Self { life: Life::new(incarnation), met: Acquaintances::new() }
    }
}

/// All that was on a machine's disks when its process was about to start.
#[derive(Debug)]
pub(crate) struct Copy {
    log: FaultyDisk,
    state: Medium,
    papers: Papers,
}

/// What a world knows of lives.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    /// Disks are lost in this world.
    matter: bool,
    /// Numbers given out; none is given twice.
    numbers: u64,
    /// When members have dialled each other last.
    dialled: Time,
    /// Nodes that ended because they had forgotten, and the machines that are to take their places.
    heirs: BTreeMap<Place, Place>,
}

impl Lives {
    pub(super) fn new(matter: bool) -> Self {
        Self { matter, ..Self::default() }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        1 << 32 | self.numbers
    }
}

impl World {
    /// A process is about to start: production counts it before anything else.
    pub(super) fn count_start(&mut self, at: Place) {
        if !self.lives.matter {
            return;
        }
        let number = self.lives.number();
        let keeps = self.options.storm.kinds.contains(&Kind::OldDisk) && self.storm.is_damaged(at);
        let machine = &mut self.machines[at];
        if keeps && (machine.copy.is_none() || number.is_multiple_of(COPIED)) {
            let log = machine.log.get().clone();
            let (state, papers) = (machine.state.copied(), machine.papers.clone());
            machine.copy = Some(Copy { log, state, papers });
        }
        machine.papers.life.start(number);
    }

    /// Takes a machine's disks away, or puts a copy in their place. The node is down.
    pub(crate) fn lose_disks(&mut self, at: Place, kind: Kind) -> Option<()> {
        let (seed, incarnation) = (self.lives.number(), self.lives.number());
        let machine = &mut self.machines[at];
        let what = if kind == Kind::OldDisk {
            let Copy { log, state, papers } = machine.copy.take()?;
            *machine.log.get() = log;
            machine.log.get().clear_plan();
            (machine.state, machine.papers) = (state, papers);
            LOSSES[1]
        } else {
            *machine.log.get() = FaultyDisk::new(FaultPlan { seed, ..FaultPlan::default() });
            machine.state.set_aside(seed);
            (machine.papers, machine.copy) = (Papers::new(incarnation), None);
            LOSSES[0]
        };
        machine.staged = false;
        let fault = Fault::Other { name: what, at: Some(at) };
        self.eyes.see(self.now, &Seen::Fault(&fault));
        Some(())
    }

    /// Whether there is, or could be, a link from one node to another: production sends nothing to
    /// whoever does not welcome it, and takes nothing in before it is noted who says it.
    pub(super) fn may_speak(&mut self, from: Place, to: Place) -> bool {
        if !self.lives.matter {
            return true;
        }
        let judged = self.machines[to].papers.met.judge(id(from), &self.machines[from].papers.life);
        match judged {
            Judgement::Welcome { news } => {
                if news && self.is_linked(from, to) {
                    self.introduce(from, to);
                }
                true
            }
            Judgement::Outdated | Judgement::Forgotten => {
                let ended = self.machines[from].retired || !self.machines[from].has_process();
                if !ended && self.is_linked(from, to) {
                    let life = self.machines[from].papers.life.boot();
                    self.schedule(TOLD, Step::Disown { at: from, by: to, boot: life });
                }
                false
            }
        }
    }

    /// Whether what a node says is believed when it comes over another one: production asks whether
    /// the very process is known that says it.
    pub(super) fn may_speak_over(&self, origin: Place, target: Place) -> bool {
        let life = &self.machines[origin].papers.life;
        let judged = self.machines[target].papers.met.judge(id(origin), life);
        !self.lives.matter || judged == Judgement::Welcome { news: false }
    }

    /// Whether a connection can be made.
    fn is_linked(&mut self, from: Place, to: Place) -> bool {
        let cut = self.network.link(from, to).cut || self.network.link(to, from).cut;
        !cut && self.machines[to].has_process()
    }

    fn introduce(&mut self, from: Place, to: Place) {
        let Papers { life, met } = self.machines[from].papers.clone();
        let known = &mut self.machines[to].papers.met;
        known.note(id(from), &life);
        known.learn(&met);
    }

    /// Lets everybody who runs dial everybody else, as production does all the time.
    pub(super) fn dial_all(&mut self) {
        if !self.lives.matter || self.now < self.lives.dialled + DIAL {
            return;
        }
        self.lives.dialled = self.now;
        let up = self.up();
        for &from in &up {
            for &to in up.iter().filter(|to| **to != from) {
                if self.may_speak(from, to) && self.is_linked(from, to) {
                    self.introduce(from, to);
                }
            }
        }
    }

    /// A node learns that another one does not take it for what it was: it ends at once.
    pub(crate) fn disown(&mut self, at: Place, by: Place, boot: u64) {
        let machine = &self.machines[at];
        if machine.retired || !machine.has_process() || machine.papers.life.boot() != boot {
            return;
        }
        self.note(&format!("{} is told by {} that it has forgotten", name(at), name(by)));
        self.eyes.marks.hit(Mark::Disowned);
        self.crash(at);
        self.machines[at].retired = true;
        if self.appoint_heir(at).is_some() {
            self.schedule(Duration::ZERO, Step::Rejoin(at));
        }
    }

    /// Names the machine that is to take a node's place, and starts it.
    fn appoint_heir(&mut self, old: Place) -> Option<Place> {
        self.lives.heirs.remove(&old);
        // The last one: operators take the first.
        let known = self.eyes.invariants.ever_members();
        let fresh = |at: &Place| !known.contains(&id(*at)) && self.machines[*at].life == 0;
        let taken = |at: &Place| self.lives.heirs.values().any(|heir| heir == at);
        let heir = (self.options.nodes..self.nodes()).rfind(|at| fresh(at) && !taken(at))?;
        self.lives.heirs.insert(old, heir);
        self.start_later(Duration::from_millis(1), heir);
        Some(heir)
    }

    /// Whether somebody knows that a node was removed for good: its name is never given again.
    fn was_removed(&self, at: Place) -> bool {
        let mut alive = self.machines.iter().filter_map(Machine::alive);
        alive.any(|running| running.node.store().was_removed(id(at)))
    }

    /// A newcomer asks whoever has the evidence, until it has a seat or there is none to be had.
    pub(crate) fn rejoin(&mut self, old: Place) {
        let Some(&heir) = self.lives.heirs.get(&old) else { return };
        let members = self.committed_members();
        if members.contains(id(heir)) || !members.contains(id(old)) {
            if members.contains(id(heir)) {
                self.eyes.marks.hit(Mark::Rejoined);
            }
            self.lives.heirs.remove(&old);
            return;
        }
        // An operator may take out at once who was taken in. Production asks under a new name each
        // time.
        let heir = match self.was_removed(heir) {
            false => heir,
            true => match self.appoint_heir(old) {
                Some(next) => next,
                None => return,
            },
        };
        let life = self.machines[old].papers.life.clone();
        let refutes = |at: &Place| {
            let judged = self.machines[*at].papers.met.judge(id(old), &life);
            !matches!(judged, Judgement::Welcome { .. })
        };
        // All of them, as in production: one that was removed, and does not know it, gets no wish
        // through.
        let asked: Vec<Place> = self.up().into_iter().filter(refutes).collect();
        for at in asked {
            let peer_urls = vec![format!("http://n{}:2380", heir + 1)];
            let change = MemberChange::Replace { old: id(old), id: id(heir), peer_urls };
            self.ask(at, Request::MemberChange(change));
        }
        self.schedule(ASK, Step::Rejoin(old));
    }

    /// Whether somebody still waits to be taken in again.
    pub(crate) fn awaits_return(&self) -> bool {
        !self.lives.heirs.is_empty()
    }
}

impl Medium {
    /// A copy that shares nothing with this.
    fn copied(&self) -> Self {
        match self {
            Self::Memory(memory) => Self::Memory(Arc::new(RwLock::new(memory.read().clone()))),
            Self::Disk(files) => {
                let disk = files.disk().clone();
                let copy = FaultyFiles::new(disk, ROOM);
                copy.disk().clear_plan();
                Self::Disk(copy)
            }
        }
    }
}
