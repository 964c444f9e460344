//! The network between members: how long a packet takes, which are lost, which ways are closed.
//!
//! - *Packets* take the time of [`Latency`] and are lost with one chance each, the same everywhere.
//!   They overtake each other.
//! - *Ways* may be closed, each direction for itself, for packets alone or for everything.
//! - *Streams* need both directions. They lose nothing; what the network lost of them costs time,
//!   as Linux waits before it sends again: a second for the first packet of a connection, 200 ms
//!   for the others, twice as long each further time. Bytes take their time at a gigabit a second.
//!
//! Left out: bandwidth of packets and of members, so nothing is slow because it is much.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::Rng;

/// The parts of [`Network::loss`].
pub const MILLION: u64 = 1_000_000;
/// Before the first packet of a connection is sent again.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Before another one is.
const LATER_WAIT: Duration = Duration::from_millis(200);
/// Of streams, per microsecond.
const BYTES_A_MICROSECOND: u64 = 125;

/// How long a packet takes: anything between `least` and `most`, and one in `rare` up to `worst`
/// longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// No packet is faster.
    pub least: Duration,
    /// Most packets are not slower.
    pub most: Duration,
    /// One packet in so many takes longer; 0: none.
    pub rare: u64,
    /// By how much, at most.
    pub worst: Duration,
}

impl Latency {
    /// A local network: 0.2 to 1 ms, and one packet in a hundred up to 20 ms longer.
    pub const LAN: Self = Self {
        least: Duration::from_micros(200),
        most: Duration::from_millis(1),
        rare: 100,
        worst: Duration::from_millis(20),
    };

    fn draw(&self, rng: &mut Rng) -> Duration {
        let up_to = |rng: &mut Rng, most: Duration| {
            Duration::from_nanos(rng.below(u64::try_from(most.as_nanos()).unwrap_or(u64::MAX)))
        };
        let usual = self.least + up_to(rng, self.most.saturating_sub(self.least));
        if self.rare > 0 && rng.below(self.rare) == 0 {
            usual + up_to(rng, self.worst)
        } else {
            usual
        }
    }
}

/// What lies between the members.
#[derive(Clone, Debug)]
pub struct Network {
    /// How long packets take.
    pub latency: Latency,
    /// How many packets of a million are lost.
    pub loss: u64,
    /// Nothing goes from the first to the second.
    pub closed: BTreeSet<(usize, usize)>,
    /// No packet goes from the first to the second.
    pub no_packets: BTreeSet<(usize, usize)>,
    rng: Rng,
}

impl Network {
    /// A network with every way open.
    #[must_use]
    pub const fn new(latency: Latency, loss: u64, seed: u64) -> Self {
        let rng = Rng::new(seed);
        Self { latency, loss, closed: BTreeSet::new(), no_packets: BTreeSet::new(), rng }
    }

    /// Closes every way between these and the others of so many.
    pub fn cut_off(&mut self, inside: &[usize], members: usize) {
        for &one in inside {
            for other in (0..members).filter(|other| !inside.contains(other)) {
                self.closed.insert((one, other));
                self.closed.insert((other, one));
            }
        }
    }

    /// Opens every way, and loses nothing any more.
    pub fn heal(&mut self) {
        self.closed.clear();
        self.no_packets.clear();
        self.loss = 0;
    }

    /// How long a packet takes; `None`: it never arrives.
    pub(super) fn packet(&mut self, from: usize, to: usize) -> Option<Duration> {
        let way = (from, to);
        if self.loss > 0 && self.rng.below(MILLION) < self.loss {
            return None;
        }
        // In a large pool the sets are empty nearly always.
        let closed = !self.closed.is_empty() && self.closed.contains(&way)
            || !self.no_packets.is_empty() && self.no_packets.contains(&way);
        (!closed).then(|| self.latency.draw(&mut self.rng))
    }

    /// How long it takes until a connection is there; `None`: it never is.
    pub(super) fn connect(&mut self, from: usize, to: usize) -> Option<Duration> {
        if self.closed.contains(&(from, to)) || self.closed.contains(&(to, from)) {
            return None;
        }
        let there_and_back = self.latency.draw(&mut self.rng) + self.latency.draw(&mut self.rng);
        Some(there_and_back + self.again(2, FIRST_WAIT))
    }

    /// How long so many bytes of a stream take in one direction.
    pub(super) fn carry(&mut self, bytes: u64) -> Duration {
        let sending = Duration::from_micros(bytes / BYTES_A_MICROSECOND);
        self.latency.draw(&mut self.rng) + sending + self.again(1, LATER_WAIT)
    }

    /// What losses cost a stream that needs so many packets to arrive one after the other.
    fn again(&mut self, packets: u64, wait: Duration) -> Duration {
        let (mut wait, mut lost) = (wait, Duration::ZERO);
        // After six the connection is given up upstream; its asker has long stopped waiting.
        for _ in 0..6 {
            if self.loss == 0 || (0..packets).all(|_| self.rng.below(MILLION) >= self.loss) {
                break;
            }
            lost += wait;
            wait *= 2;
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_take_their_time_and_some_are_lost() {
        let mut network = Network::new(Latency::LAN, MILLION / 10, 1);
        let taken: Vec<_> = (0..20_000).filter_map(|_| network.packet(0, 1)).collect();
        assert!((17_700..18_300).contains(&taken.len()), "{}", taken.len());
        assert!(taken.iter().all(|&time| time >= Latency::LAN.least));
        let slow = taken.iter().filter(|&&time| time > Latency::LAN.most).count();
        assert!((100..260).contains(&slow), "{slow}");
    }

    #[test]
    fn ways_are_closed_in_one_direction_and_streams_need_both() {
        let mut network = Network::new(Latency::LAN, 0, 1);
        network.no_packets.insert((0, 1));
        assert!(network.packet(0, 1).is_none() && network.packet(1, 0).is_some());
        assert!(network.connect(0, 1).is_some());
        network.closed.insert((1, 0));
        assert!(network.connect(0, 1).is_none() && network.connect(1, 0).is_none());
        network.heal();
        network.cut_off(&[0, 1], 3);
        assert!(network.packet(0, 1).is_some() && network.packet(2, 1).is_none());
    }

    #[test]
    fn losses_cost_streams_time_and_nothing_else() {
        let mut network = Network::new(Latency::LAN, 0, 1);
        assert!(network.carry(12_500_000) >= Duration::from_millis(100));
        network.loss = MILLION;
        assert!(network.connect(0, 1).is_some_and(|time| time >= 63 * FIRST_WAIT));
    }
}
