//! What all contenders share: the network, the disks, and how long silence is borne.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;

use crate::lab::cluster::Spread;

const MS: Duration = Duration::from_millis(1);

/// What all contenders share.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a message is under way. Messages of one way arrive in order.
    pub latency: Spread,
    /// How long a write takes. Writes of one node never overlap.
    pub sync: Spread,
    /// Between two signs of life: heartbeats, pings, renewals, rounds of gossip.
    pub beat: Duration,
    /// How much silence is borne: Raft and the pool draw from it, Zab and leases are in its middle.
    pub silence: RangeInclusive<Duration>,
    /// How long Zab's elected vote waits for a better one.
    pub finalize: Duration,
    /// How long Bully waits for an answer.
    pub alive: Duration,
    /// How long Bully waits for a better candidate's victory.
    pub victory: Duration,
}

impl Settings {
    /// Members that are near each other, and quick disks.
    #[must_use]
    pub const fn near() -> Self {
        Self {
            latency: Spread::micros(500, 1_500),
            sync: Spread::micros(500, 1_500),
            beat: Duration::from_millis(50),
            silence: Duration::from_millis(150)..=Duration::from_millis(300),
            finalize: Duration::from_millis(50),
            alive: Duration::from_millis(5),
            victory: Duration::from_millis(10),
        }
    }

    /// The same with so many times the patience, for long runs.
    #[must_use]
    pub fn patient(times: u32) -> Self {
        let near = Self::near();
        let silence = *near.silence.start() * times..=*near.silence.end() * times;
        Self { beat: near.beat * times, silence, ..near }
    }

    /// The middle of the silence that is borne.
    #[must_use]
    pub fn limit(&self) -> Duration {
        (*self.silence.start() + *self.silence.end()) / 2
    }

    /// In words, for those who read figures.
    #[must_use]
    pub fn told(&self) -> Told {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        Told {
            latency_ms: [ms(self.latency.from), ms(self.latency.to)],
            sync_ms: [ms(self.sync.from), ms(self.sync.to)],
            beat_ms: ms(self.beat),
            silence_ms: [ms(*self.silence.start()), ms(*self.silence.end())],
            zab_silence_and_lease_ms: ms(self.limit()),
            finalize_ms: ms(self.finalize),
            alive_ms: ms(self.alive),
            victory_ms: ms(self.victory),
        }
    }
}

/// Settings as numbers of milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// The least and the most.
    pub latency_ms: [f64; 2],
    /// The least and the most.
    pub sync_ms: [f64; 2],
    /// Between two signs of life.
    pub beat_ms: f64,
    /// What Raft and the pool draw from.
    pub silence_ms: [f64; 2],
    /// The limit of Zab, and the length of a lease.
    pub zab_silence_and_lease_ms: f64,
    /// Zab's wait for a better vote.
    pub finalize_ms: f64,
    /// Bully's wait for an answer.
    pub alive_ms: f64,
    /// Bully's wait for a victory.
    pub victory_ms: f64,
}

/// How long the fault of a scenario lasts, and how long is looked at what follows.
pub(super) const HOLD: Duration = Duration::from_secs(2);
/// Between a fault and the last message that it may have caused directly.
pub(super) const GRACE: Duration = MS.saturating_mul(20);
