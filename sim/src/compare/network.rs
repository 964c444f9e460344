//! The network: ways that keep their order, and links that begin anew.
//!
//! A message takes a time drawn from one distribution and comes no sooner than the one before it on
//! its way. It is lost when its way is cut at its arrival. Nobody is told of a cut, nor of a crash:
//! silence is all there is.
//!
//! For Zab two ways are one link with a generation, as a connection is: while one of them is cut
//! nothing arrives on either, and when both are whole again a new generation begins, of which both
//! ends are told.

use protocol::{Rng, Time};

use crate::lab::cluster::Spread;
use crate::lab::links::Links;

/// All ways between the nodes of a contest.
#[derive(Debug)]
pub(super) struct Network {
    nodes: usize,
    links: Links,
    latency: Spread,
    /// When the last message of each way arrives.
    last: Vec<Time>,
    /// Of each pair, at the place of its lower one first.
    generations: Vec<u64>,
}

impl Network {
    pub(super) fn new(nodes: usize, latency: Spread) -> Self {
        Self {
            nodes,
            links: Links::full(nodes),
            latency,
            last: vec![Time(0); nodes * nodes],
            generations: vec![0; nodes * nodes],
        }
    }

    pub(super) const fn is_open(&self, from: usize, to: usize) -> bool {
        self.links.is_up(from, to)
    }

    /// Whether both ways are whole.
    pub(super) const fn joins(&self, a: usize, b: usize) -> bool {
        self.links.is_up(a, b) && self.links.is_up(b, a)
    }

    /// When a message that is sent now arrives.
    pub(super) fn arrival(&mut self, now: Time, from: usize, to: usize, rng: &mut Rng) -> Time {
        let last = &mut self.last[from * self.nodes + to];
        *last = (now + self.latency.draw(rng)).max(*last);
        *last
    }

    pub(super) fn generation(&self, a: usize, b: usize) -> u64 {
        self.generations[a.min(b) * self.nodes + a.max(b)]
    }

    /// The link begins anew: gives the old and the new generation.
    pub(super) fn renew(&mut self, a: usize, b: usize) -> (u64, u64) {
        let generation = &mut self.generations[a.min(b) * self.nodes + a.max(b)];
        *generation += 1;
        (*generation - 1, *generation)
    }

    /// Replaces the ways, and gives the pairs that are whole again.
    pub(super) fn connect(&mut self, links: Links) -> Vec<(usize, usize)> {
        let pairs = (0..self.nodes).flat_map(|a| (a + 1..self.nodes).map(move |b| (a, b)));
        let cut: Vec<_> = pairs.filter(|&(a, b)| !self.joins(a, b)).collect();
        self.links = links;
        cut.into_iter().filter(|&(a, b)| self.joins(a, b)).collect()
    }
}
