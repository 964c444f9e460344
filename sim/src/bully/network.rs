//! The network: datagrams that are lost, late, doubled, and sent into cut ways.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::Rng;

use crate::draw::Draw;

/// How the network is. Chances are of a hundred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) lost: u64,
    pub(super) doubled: u64,
    /// Those that come very late.
    pub(super) late: u64,
    pub(super) delay: Duration,
    pub(super) lateness: Duration,
    /// Ways that are cut, from one place to another.
    pub(super) cut: BTreeSet<(usize, usize)>,
}

impl Network {
    /// After how long each copy of a datagram arrives.
    pub(super) fn carry(&self, rng: &mut Rng, from: usize, to: usize) -> Vec<Duration> {
        if self.cut.contains(&(from, to)) || rng.percent(self.lost) {
            return Vec::new();
        }
        let copies = if rng.percent(self.doubled) { 2 } else { 1 };
        let least = Duration::from_micros(50);
        let one = |_| match rng.percent(self.late) {
            true => rng.between(&(self.delay..=self.lateness)),
            false => rng.between(&(least..=self.delay)),
        };
        (0..copies).map(one).collect()
    }

    /// Only those at one place reach each other.
    pub(super) fn split(&mut self, places: &[u64]) {
        let all = 0..places.len();
        let pairs = all.clone().flat_map(|from| all.clone().map(move |to| (from, to)));
        self.cut = pairs.filter(|(from, to)| places[*from] != places[*to]).collect();
    }

    /// Everything arrives, and soon.
    pub(super) fn heal(&mut self) {
        (self.lost, self.doubled, self.late) = (0, 0, 0);
        self.cut.clear();
    }
}
