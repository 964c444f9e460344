//! Three nodes and a network: what can happen next, and what must be true.
//!
//! The network delivers in any order, so what is in flight is a bag. A message is lost only when
//! room is needed: one that is lost earlier can as well lie there undelivered. Hence a step that
//! would overfill the bag has a successor for every choice of what stays; and a delivery that
//! changes nothing is no step at all.

use super::atlas::{Atlas, Cause, Outcome};
use super::bits::narrow;
use super::bounds::Bounds;
use super::laws::{Broken, Claim, Law, demand};
use super::members::decide;
use super::state::{ROOM, State};
use super::symmetry::ORDER;
use super::{NODES, name};

/// A step, and the state after it, in the names of the state before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) step: Step,
    pub(super) state: State,
}

/// Something happens to a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) node: usize,
    pub(super) cause: Cause,
    /// A message that is delivered stays in flight.
    pub(super) again: bool,
}

/// A law broken by a step.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) step: Step,
    pub(super) broken: Broken,
}

/// The rules of the game.
pub(super) struct Cluster {
    pub(super) atlas: Atlas,
    bounds: Bounds,
    claim: Option<Claim>,
    /// By the order of the nodes' classes: the renaming that sorts them.
    sorting: [usize; 27],
}

/// A state, brought to the one that stands for all that differ from it in names only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Canonical {
    pub(super) state: State,
    /// The renaming that was used.
    pub(super) which: usize,
    pub(super) fingerprint: u64,
}

impl Cluster {
    pub(super) fn new(bounds: Bounds, claim: Option<Claim>) -> Self {
        bounds.validate();
        let atlas = Atlas::new(bounds);
        let mut sorting = [0; 27];
        if bounds.symmetry {
            for nodes in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                sorting[nodes[0] * 9 + nodes[1] * 3 + nodes[2]] = atlas.group.that_orders(nodes);
            }
        }
        Self { atlas, bounds, claim, sorting }
    }

    /// Three nodes that have just been switched on.
    pub(super) fn first(&mut self) -> State {
        State {
            locals: self.atlas.first(),
            committed: 0,
            led: 0,
            crashes: 0,
            duplicates: 0,
            proposals: 0,
            changes: 0,
            count: 0,
            messages: [0; ROOM],
        }
    }

    /// Everything that can happen next.
    ///
    /// # Errors
    ///
    /// Something of it breaks a law.
    pub(super) fn successors(&mut self, state: &State, out: &mut Vec<Next>) -> Result<(), Fault> {
        out.clear();
        for node in 0..NODES {
            self.local_steps(state, node, out)?;
        }
        for (place, &message) in state.messages().iter().enumerate() {
            if state.messages()[..place].contains(&message) {
                continue;
            }
            let (node, cause) = (self.atlas.receiver(message), Cause::Receive(message));
            let facts = self.atlas.facts(state.locals[node]);
            // Nobody campaigns beyond the last term, though asked to by a leader that goes.
            let beyond = facts.term >= self.bounds.max_term && self.atlas.urges(message);
            if facts.blocked || beyond {
                continue;
            }
            self.take(state, Step { node, cause, again: false }, out)?;
            if state.duplicates < self.bounds.duplicates {
                self.take(state, Step { node, cause, again: true }, out)?;
            }
        }
        Ok(())
    }

    fn local_steps(
        &mut self,
        state: &State,
        node: usize,
        out: &mut Vec<Next>,
    ) -> Result<(), Fault> {
        let facts = *self.atlas.facts(state.locals[node]);
        let step = |cause| Step { node, cause, again: false };
        if facts.times_out && !facts.blocked {
            self.take(state, step(Cause::Timeout), out)?;
        }
        if facts.writes {
            self.take(state, step(Cause::Persisted), out)?;
        }
        if facts.leads && !facts.blocked && state.proposals < self.bounds.max_entries {
            self.take(state, step(Cause::Propose(state.proposals)), out)?;
        }
        let asked = usize::from(state.changes) < self.bounds.changes.len();
        if facts.leads && !facts.blocked && asked {
            self.take(state, step(Cause::Change(state.changes)), out)?;
        }
        if state.crashes < self.bounds.crashes {
            for torn in (0..16).filter(|&torn| torn == 0 || facts.tears >> torn & 1 == 1) {
                self.take(state, step(Cause::Crash(torn)), out)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, state: &State, step: Step, out: &mut Vec<Next>) -> Result<(), Fault> {
        let fault = |broken| Fault { step, broken };
        let outcome = self.atlas.outcome(state.locals[step.node], step.cause).map_err(fault)?;
        let idle = outcome.local == state.locals[step.node] && self.atlas.sends(outcome).is_empty();
        if idle {
            return Ok(());
        }
        let mut next = *state;
        self.settle(&mut next, step.node, outcome.local).map_err(fault)?;
        match step.cause {
            Cause::Propose(_) => next.proposals += 1,
            Cause::Change(_) => next.changes += 1,
            Cause::Crash(_) => next.crashes += 1,
            Cause::Receive(_) => next.duplicates += u8::from(step.again),
            Cause::Timeout | Cause::Persisted => {}
        }
        self.scatter(&next, step, outcome, out);
        Ok(())
    }

    /// Puts the node's new state in its place and takes note of what history must not forget.
    fn settle(&mut self, next: &mut State, node: usize, local: u32) -> Result<(), Broken> {
        let before = *self.atlas.facts(next.locals[node]);
        let after = *self.atlas.facts(local);
        next.locals[node] = local;
        if after.committed != before.committed {
            let logs = &mut self.atlas.logs;
            next.committed = logs.commit(next.committed, after.committed, after.term)?;
            if after.leads && self.bounds.has_names() {
                self.judge_commit(next, node)?;
            }
        }
        if after.leads && (!before.leads || after.term != before.term) {
            let leader = next.leader(after.term);
            demand(leader.is_none(), Law::ElectionSafety, || {
                format!("term {} gets a second leader", after.term)
            })?;
            next.set_leader(after.term, node);
        }
        Ok(())
    }

    /// Adds a successor for each choice of messages that the network can keep.
    fn scatter(&self, next: &State, step: Step, outcome: Outcome, out: &mut Vec<Next>) {
        let mut pool = [0; 2 * ROOM];
        let mut count = 0;
        let mut delivered = match step.cause {
            Cause::Receive(message) if !step.again => Some(message),
            Cause::Receive(_)
            | Cause::Timeout
            | Cause::Persisted
            | Cause::Propose(_)
            | Cause::Change(_)
            | Cause::Crash(_) => None,
        };
        for &message in next.messages().iter().chain(self.atlas.sends(outcome)) {
            if delivered == Some(message) {
                delivered = None;
            } else if !self.atlas.is_dead(message, &next.locals) {
                pool[count] = message;
                count += 1;
            }
        }
        let room = usize::from(self.bounds.in_flight);
        let mut state = *next;
        if count <= room {
            state.put(&pool[..count]);
            return out.push(Next { step, state });
        }
        // Each set bit is a message that stays.
        for kept in 0u32..1 << count {
            if kept.count_ones() as usize != room {
                continue;
            }
            state.messages = [0; ROOM];
            let chosen = (0..count).filter(|&place| kept >> place & 1 == 1);
            for (slot, place) in state.messages.iter_mut().zip(chosen) {
                *slot = pool[place];
            }
            state.count = narrow(room);
            out.push(Next { step, state });
        }
    }

    /// The state that stands for this one.
    pub(super) fn canonical(&self, state: &State) -> Canonical {
        let plain = Canonical { state: *state, which: 0, fingerprint: 0 };
        if self.atlas.group.len() == 1 {
            return Canonical { fingerprint: state.fingerprint(), ..plain };
        }
        let [a, b, c] = state.locals.map(|local| self.atlas.facts(local).class);
        if a != b && b != c && a != c {
            let mut nodes = [0, 1, 2];
            nodes.sort_unstable_by_key(|&node| [a, b, c][node]);
            let which = self.sorting[nodes[0] * 9 + nodes[1] * 3 + nodes[2]];
            return self.renamed(state, which);
        }
        // Nodes of one class: whichever order of them gives the least fingerprint.
        (0..ORDER)
            .filter(|&which| {
                let mut classes = [0; NODES];
                for (new, class) in self.atlas.group.renaming(which).into_iter().zip([a, b, c]) {
                    classes[usize::from(new)] = class;
                }
                classes.is_sorted()
            })
            .map(|which| self.renamed(state, which))
            .min_by_key(|canonical| canonical.fingerprint)
            .expect("invariant: something sorts")
    }

    fn renamed(&self, state: &State, which: usize) -> Canonical {
        let renaming = self.atlas.group.renaming(which);
        let mut renamed = *state;
        for (&new, &local) in renaming.iter().zip(&state.locals) {
            renamed.locals[usize::from(new)] = self.atlas.twin(local, which);
        }
        for message in &mut renamed.messages[..usize::from(state.count)] {
            *message = self.atlas.message_twin(*message, which);
        }
        renamed.led = 0;
        for term in 1..=self.bounds.max_term {
            if let Some(leader) = state.leader(term) {
                renamed.set_leader(term, usize::from(renaming[leader]));
            }
        }
        Canonical { state: renamed, which, fingerprint: renamed.fingerprint() }
    }

    /// What must be true of every state.
    ///
    /// # Errors
    ///
    /// It is not.
    pub(super) fn judge(&self, state: &State) -> Result<(), Broken> {
        let logs = &self.atlas.logs;
        let facts = state.locals.map(|local| *self.atlas.facts(local));
        for (one, two) in [(0, 1), (0, 2), (1, 2)] {
            let (one, two) = (facts[one].log, facts[two].log);
            demand(logs.matches(one, two), Law::LogMatching, || {
                format!("{} and {}", logs.show(one), logs.show(two))
            })?;
        }
        for leader in facts.iter().filter(|facts| facts.leads) {
            let owed = logs.committed_before(state.committed, leader.term);
            demand(logs.is_prefix(owed, leader.log), Law::LeaderCompleteness, || {
                let (owed, log) = (logs.show(owed), logs.show(leader.log));
                format!("the leader of term {} has {log}, and {owed} was committed", leader.term)
            })?;
        }
        if self.bounds.has_names() {
            return self.judge_claim(state);
        }
        let committed = logs.committed(state.committed);
        let copies = facts.iter().filter(|facts| logs.is_prefix(committed, facts.disk)).count();
        demand(copies > NODES / 2, Law::CommitDurable, || {
            format!("{} was committed and is on {copies} disks", logs.show(committed))
        })?;
        self.judge_claim(state)
    }

    /// What a leader commits is on the disks of those who decide, as its log has them. Later ones
    /// may decide without them: that they have it is leader completeness.
    fn judge_commit(&self, state: &State, leader: usize) -> Result<(), Broken> {
        let logs = &self.atlas.logs;
        let membership = self.atlas.local(state.locals[leader]).raft.membership();
        let committed = self.atlas.facts(state.locals[leader]).committed;
        let holds =
            |node: &usize| logs.is_prefix(committed, self.atlas.facts(state.locals[*node]).disk);
        let holders = (0..NODES).filter(holds).map(name).collect();
        demand(decide(membership, &holders), Law::CommitDurable, || {
            let log = logs.show(committed);
            format!("{log} is committed by {membership:?} and on the disks of {holders:?}")
        })
    }

    fn judge_claim(&self, state: &State) -> Result<(), Broken> {
        let Some(claim) = self.claim else { return Ok(()) };
        let nodes = state.locals.map(|local| self.atlas.local(local).raft.status());
        let nodes = [&nodes[0], &nodes[1], &nodes[2]];
        demand(claim(&nodes), Law::Claim, || "here it does not hold".into())
    }
}
