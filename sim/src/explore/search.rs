//! Breadth first: every state once, the near ones before the far.

use super::bounds::Bounds;
use super::cluster::{Cluster, Fault, Next};
use super::frontier::Frontier;
use super::laws::{Broken, Claim};
use super::paths::Paths;
use super::report::{Progress, Report};
use super::seen::Seen;
use super::state::State;
use super::trace::{Counterexample, unroll};

/// How many states are explored between two looks at the caller's watch.
const STRIDE: u64 = 1 << 14;

/// An exploration.
pub struct Explorer {
    bounds: Bounds,
    claim: Option<Claim>,
    cluster: Cluster,
    seen: Seen,
    frontier: Frontier,
    paths: Option<Paths>,
    explored: u64,
    transitions: u64,
    depth: u32,
    /// States of the current depth that wait.
    level: u64,
    peak: u64,
    violation: Option<Counterexample>,
}

/// Where a law was broken.
pub(super) struct Wreck {
    /// The state before, in the order in which states were found.
    pub(super) at: u64,
    pub(super) fault: Fault,
}

impl Explorer {
    /// An exploration of this box that has not begun.
    ///
    /// # Panics
    ///
    /// When the bounds are beyond what their fields allow.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self::begin(bounds, None, false)
    }

    /// Looks for the shortest way to a state of which `claim` is false, as if it were a law.
    #[must_use]
    pub fn refuting(bounds: Bounds, claim: Claim) -> Self {
        Self::begin(bounds, Some(claim), false)
    }

    pub(super) fn begin(bounds: Bounds, claim: Option<Claim>, with_paths: bool) -> Self {
        let mut cluster = Cluster::new(bounds, claim);
        let first = cluster.first();
        let first = cluster.canonical(&first);
        let mut seen = Seen::new();
        seen.insert(first.fingerprint);
        let mut frontier = Frontier::new();
        frontier.push(&first.state);
        let paths = with_paths.then(Paths::new);
        Self {
            bounds,
            claim,
            cluster,
            seen,
            frontier,
            paths,
            explored: 0,
            transitions: 0,
            depth: 0,
            level: 1,
            peak: 0,
            violation: None,
        }
    }

    /// Explores until everything is, a law is broken, about `limit_states` states are known, or
    /// `progress` says `false`. May be called again to go on.
    pub fn run(
        &mut self,
        limit_states: u64,
        progress: &mut dyn FnMut(&Progress) -> bool,
    ) -> Report {
        if self.violation.is_none()
            && let Some(wreck) = self.search(limit_states, progress)
        {
            // The way there was not kept: it would cost half as much memory again. The same search
            // finds the same wreck, and this time it leaves a trail.
            let mut again = Self::begin(self.bounds, self.claim, true);
            let same = again.search(u64::MAX, &mut |_| true);
            let same = same.expect("invariant: a search is a function of its bounds");
            assert_eq!(same.at, wreck.at, "a search is a function of its bounds");
            let paths = again.paths.take().expect("invariant: asked for");
            self.violation = Some(unroll(self.bounds, again.cluster, &paths, &same));
        }
        self.report()
    }

    fn search(
        &mut self,
        limit_states: u64,
        progress: &mut dyn FnMut(&Progress) -> bool,
    ) -> Option<Wreck> {
        let mut scratch = Vec::new();
        let mut found = Vec::new();
        while self.seen.len() < limit_states {
            let Some(state) = self.frontier.pop() else { break };
            if self.level == 0 {
                self.depth += 1;
                self.level = self.frontier.len() + 1;
            }
            self.level -= 1;
            let at = self.explored;
            self.explored += 1;
            if let Err(fault) = self.expand(at, &state, &mut scratch, &mut found) {
                return Some(Wreck { at, fault });
            }
            if at % STRIDE == STRIDE - 1 && !progress(&self.progress()) {
                break;
            }
        }
        None
    }

    fn expand(
        &mut self,
        at: u64,
        state: &State,
        scratch: &mut Vec<Next>,
        found: &mut Vec<super::cluster::Canonical>,
    ) -> Result<(), Fault> {
        self.cluster.successors(state, scratch)?;
        found.clear();
        found.extend(scratch.iter().map(|next| self.cluster.canonical(&next.state)));
        self.transitions += found.len() as u64;
        // All places of the set are asked for before the first answer is needed.
        let touched = found.iter().fold(0, |sum, next| sum ^ self.seen.touch(next.fingerprint));
        std::hint::black_box(touched);
        for (ordinal, next) in found.iter().enumerate() {
            if !self.seen.insert(next.fingerprint) {
                continue;
            }
            self.frontier.push(&next.state);
            if let Some(paths) = &mut self.paths {
                paths.push(at, ordinal);
            }
            let judged = self.cluster.judge(&next.state);
            judged.map_err(|broken: Broken| Fault { step: scratch[ordinal].step, broken })?;
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        let paths = self.paths.as_ref().map_or(0, Paths::bytes);
        self.seen.bytes() + self.frontier.bytes() + self.cluster.atlas.bytes() + paths
    }

    fn progress(&mut self) -> Progress {
        self.peak = self.peak.max(self.bytes());
        let (local_states, messages, rows) = self.cluster.atlas.sizes();
        Progress {
            states: self.seen.len(),
            explored: self.explored,
            transitions: self.transitions,
            depth: self.depth,
            local_states: local_states as u64,
            messages: messages as u64,
            reactions: rows as u64,
            bytes: self.bytes(),
        }
    }

    fn report(&mut self) -> Report {
        let progress = self.progress();
        let finished = self.frontier.len() == 0 && self.violation.is_none();
        Report {
            bounds: self.bounds,
            states: progress.states,
            transitions: progress.transitions,
            depth: progress.depth,
            local_states: progress.local_states,
            messages: progress.messages,
            reactions: progress.reactions,
            finished,
            violation: self.violation.clone(),
            peak_bytes: self.peak,
        }
    }
}
