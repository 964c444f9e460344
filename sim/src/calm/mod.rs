//! After the storm: a part of the world is healed for good, and must make progress.
//!
//! The *core* is a random majority of the nodes that still have what they made durable. Its links,
//! disks and clocks are right from now on; the rest of the world stays as the storm left it. Within
//! a bound the core must have a leader (`docs/simulator.md`: RI16), answer every client, and its
//! members must hold the same state.
//!
//! What is demanded follows from what the world's options promise: without pre-vote, check-quorum
//! or stickiness a node outside may disturb, so the whole world is healed then, and the bound is
//! wider.
//!
//! Where members change, all that is whole is healed first, and what operators wish must come to
//! its end (`members.rs`); the core is then drawn from the members that there are.

mod members;

use std::time::Duration;

use crate::draw::Draw;
use crate::seen::{Place, Violation, place};
use crate::storm::{Kind, Step};
use crate::world::{TRUE_RATE, Weather, World};

const LAW: &str = "RI16 liveness";
/// How long clients go on after the core has a leader.
const BUSY: Duration = Duration::from_secs(8);
/// Room for restarts, syncs and flushes beside what is counted in election timeouts.
const SLACK: Duration = Duration::from_secs(3);
/// Until the last of those who lag has caught up, an entry or two a round trip.
const CATCH_UP: Duration = Duration::from_secs(120);
/// Until watchers have been told the last, an event or two a turn.
const SETTLE: Duration = Duration::from_secs(30);
/// Until the last of them has read a whole history, record by record, from a slow disk.
const HISTORY: Duration = Duration::from_secs(1_800);

impl World {
    /// Ends the storm, heals a core and demands progress.
    ///
    /// # Errors
    /// The first law that was broken.
    pub(crate) fn calm_down(&mut self) -> Result<(), Violation> {
        let core =
            if self.options.changes_members() { self.settle_members()? } else { self.heal_core() };
        let healed = self.now;
        self.eyes.healed_at = Some(healed);
        // Whoever led in the storm may believe it for a while yet.
        let longest = *self.options.consensus.election.end();
        self.run_for(longest * 2);
        let timeouts = if self.keeps_promises() { 2 } else { 20 };
        let bound = longest * timeouts + self.storm.slowest_restart() + SLACK;
        self.demand(LAW, "a leader of the healed core", bound, |world| world.core_led(&core))?;
        self.keep_leader(&core);
        self.judged()?;
        self.crowd.stop();
        let bound = self.options.stores.request_timeout + self.options.crowd.patience + bound;
        self.demand(LAW, "answers to all clients", bound, |world| world.crowd.outstanding() == 0)?;
        self.demand(LAW, "equal members of the core", CATCH_UP, |world| world.core_equal(&core))?;
        self.equal_states(&core);
        self.run_for(SETTLE);
        self.demand(LAW, "watchers told of all", HISTORY, |world| world.core_told(&core))?;
        self.judged()?;
        self.recover_rest()
    }

    /// Everything is healed, and whoever was damaged comes back by itself: with nobody's help but
    /// the others', its log and its state get whole, and it votes again. Only who has lost its term
    /// and vote does not (`recovery`).
    fn recover_rest(&mut self) -> Result<(), Violation> {
        let mut all = self.remaining();
        self.mend(&all);
        // Who comes back from a lost disk comes back as one who was never here.
        all.extend((0..self.nodes()).filter(|at| self.machines[*at].life == 0));
        self.network.heal_among(&all, Weather { loss: 0, flips: 0, ..self.options.weather });
        // A learner that was cut off may take its place only now, and another one leave for it.
        let left = |world: &Self| {
            let mut left = world.remaining();
            left.retain(|at| world.has_disks(*at));
            left
        };
        let holds = |world: &Self| {
            let (left, voting) = (left(world), |at: &Place| !world.is_in_doubt(*at));
            !world.awaits_return() && world.core_equal(&left) && left.iter().all(voting)
        };
        self.demand(LAW, "the damaged to recover", CATCH_UP, holds)?;
        self.equal_states(&left(self));
        self.judged()
    }

    /// Clients go on for a while; the leader stays. Where the world's options promise it, whatever
    /// those outside try: a term that grows is a leader deposed.
    fn keep_leader(&mut self, core: &[Place]) {
        let look = |world: &Self| {
            let terms: Vec<_> = core.iter().filter_map(|at| Some(world.view(*at)?.term)).collect();
            let lives: u64 = core.iter().map(|at| world.machines[*at].life).sum();
            (terms.into_iter().max(), lives)
        };
        let (before, lives) = look(self);
        self.run_for(BUSY);
        let (after, now) = look(self);
        if self.keeps_promises() && lives == now && before != after {
            self.eyes.violate(self.now, LAW, || {
                format!("the healed core changed its leader: term {before:?}, then {after:?}")
            });
        }
    }

    fn judged(&self) -> Result<(), Violation> {
        self.violation().map_or(Ok(()), |violation| Err(violation.clone()))
    }

    /// Whether nodes outside of the core cannot disturb it.
    fn keeps_promises(&self) -> bool {
        let consensus = &self.options.consensus;
        consensus.pre_vote && consensus.check_quorum && consensus.stickiness
    }

    fn heal_core(&mut self) -> Vec<Place> {
        self.storm.end();
        let core = self.choose_core();
        self.mend(&core);
        let voters = |world: &Self, at: Place| {
            world.node(at).is_some_and(|node| node.core().status().doubt.is_none())
        };
        let whole = core.iter().filter(|at| voters(self, **at)).count();
        if whole < self.nodes() / 2 + 1 {
            self.dismiss_doubts(&core);
        }
        self.crowd.restrict(&core);
        self.shut_out(&core);
        core
    }

    /// Nothing is wrong with these any more, nor with what joins them.
    fn mend(&mut self, places: &[Place]) {
        let weather = self.options.weather;
        self.network.heal_among(places, Weather { loss: 0, flips: 0, ..weather });
        for &at in places {
            self.set_clock(at, TRUE_RATE, 0);
            self.machines[at].heal();
            self.resume(at);
            self.unstick(at);
            self.start(at);
        }
    }

    /// Keeps the others from leading the core: they no longer hear it, or are no longer heard. What
    /// they may still do is disturb, where the core is protected from that.
    fn shut_out(&mut self, core: &[Place]) {
        let both = (true, true);
        let choices =
            if self.keeps_promises() { [both, (true, false), (false, true)] } else { [both; 3] };
        let mut all = None;
        for outsider in (0..self.nodes()).filter(|at| !core.contains(at)) {
            let drawn = all.unwrap_or_else(|| self.storm.rng().one_of(&choices));
            // With ways around broken links, a deaf one and a mute one would be a whole one.
            all = self.options.mesh.then_some(drawn);
            let (deaf, mute) = drawn;
            for &at in core {
                self.network.link(at, outsider).cut = deaf;
                self.network.link(outsider, at).cut = mute;
            }
        }
    }

    /// What an operator does who knows that no disk of these nodes was damaged: what they are in
    /// doubt about was never acknowledged.
    fn dismiss_doubts(&mut self, core: &[Place]) {
        for &at in core {
            if self.is_in_doubt(at) && !self.storm.is_damaged(at) {
                self.crash(at);
                self.start_dismissing(at);
            }
        }
    }

    /// A majority of those that have what they made durable, or all of them.
    fn choose_core(&mut self) -> Vec<Place> {
        let majority = self.nodes() / 2 + 1;
        let mut whole: Vec<Place> = (0..self.nodes()).filter(|at| self.is_whole(*at)).collect();
        if self.keeps_promises() && whole.len() > majority {
            let rng = self.storm.rng();
            rng.shuffle(&mut whole);
            let size = majority + rng.place(whole.len() - majority + 1);
            whole.truncate(size);
            whole.sort_unstable();
        }
        whole
    }

    /// Whether a node can run on what its disks hold.
    fn has_disks(&self, at: Place) -> bool {
        !self.machines[at].lost && !self.machines[at].retired
    }

    fn is_whole(&self, at: Place) -> bool {
        !self.machines[at].lost && !self.storm.is_damaged(at)
    }

    /// Whether one of the core leads it, and all of it follows in one term.
    fn core_led(&self, core: &[Place]) -> bool {
        let views: Vec<_> = core.iter().filter_map(|at| self.view(*at)).collect();
        let Some(first) = views.first() else { return false };
        let leader = first.leader.and_then(place);
        views.len() == core.len()
            && leader.is_some_and(|leader| core.contains(&leader))
            && views.iter().all(|view| (view.term, view.leader) == (first.term, first.leader))
    }

    /// Whether all of the core have applied the same, and all there is.
    fn core_equal(&self, core: &[Place]) -> bool {
        let views: Vec<_> = core.iter().filter_map(|at| self.view(*at)).collect();
        let Some(first) = views.first() else { return false };
        views.len() == core.len()
            && views.iter().all(|view| view.applied == first.last && view.last == first.last)
    }

    /// Whether no watcher in the core has anything of the past left to be told.
    fn core_told(&self, core: &[Place]) -> bool {
        let told = |at: &Place| self.node(*at).is_none_or(|node| node.status().slow_watchers == 0);
        core.iter().all(told)
    }

    fn equal_states(&mut self, core: &[Place]) {
        let digest = |at: &Place| self.node(*at).and_then(crate::world::digest);
        let digests: Vec<_> = core.iter().map(digest).collect();
        if digests.windows(2).any(|pair| pair[0] != pair[1]) {
            self.eyes.violate(self.now, "MI6 state hash", || {
                format!("the members of the core end with different states: {digests:x?}")
            });
        }
    }

    /// Begins the storm.
    pub(crate) fn begin_storm(&mut self) {
        if self.options.storm.kinds.contains(&Kind::Drift) {
            for at in 0..self.nodes() {
                let rate = self.storm.rate();
                self.set_clock(at, rate, 0);
            }
        }
        if !self.options.storm.kinds.is_empty() {
            self.schedule(Duration::from_secs(1), Step::Strike);
        }
    }
}
