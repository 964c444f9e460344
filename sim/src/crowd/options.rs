//! How many clients there are, and what they are like.

use std::ops::RangeInclusive;
use std::time::Duration;

use protocol::Rng;

use super::Mix;

/// How many clients there are, and what they are like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Clients that do one operation after the other.
    pub clients: u32,
    /// Clients that watch, each over one stream at a time.
    pub watchers: u32,
    /// Keys that everybody reads, writes, deletes and compares, alone and in ranges; at least 1.
    pub keys: u32,
    /// Of these, the first few that half of all operations go to.
    pub hot_keys: u32,
    /// Keys that are only put, read and deleted one at a time, so that the search for a
    /// linearization stays short. With none, ranges may also begin at the very first key.
    pub single_keys: u32,
    /// How often each kind of operation is chosen.
    pub mix: Mix,
    /// The pause of a client between an answer and its next operation.
    pub think: RangeInclusive<Duration>,
    /// Requests arrive at multiples of this, so that they meet in batches.
    pub grid: Option<Duration>,
    /// The way between client and node, each way; streams keep their order.
    pub delay: RangeInclusive<Duration>,
    /// Of a million requests or answers, so many are lost. Streams lose nothing.
    pub loss_ppm: u32,
    /// How long a client waits for an answer.
    pub patience: Duration,
    /// The most operations begun by clients on their own.
    pub max_operations: Option<u64>,
    /// The length of a value; a little more where a value needs it to be unique.
    pub value_bytes: RangeInclusive<usize>,
    /// Leases that clients know of and put keys on; older ones are forgotten. At least 1.
    pub leases: u32,
    /// Of a thousand streams, so many are read slowly.
    pub slow_per_mille: u32,
    /// How writes are repeated, by those clients that number them.
    pub repeats: Repeats,
}

/// How writes are numbered and repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// Of a thousand clients, so many number their writes.
    pub per_mille: u32,
    /// How long such a client waits before it asks another node, again and again until its
    /// patience ends.
    pub after: RangeInclusive<Duration>,
    /// It says which of its writes it may still repeat.
    pub tells: bool,
}

impl Repeats {
    /// Nobody numbers anything.
    #[must_use]
    pub const fn none() -> Self {
        Self { per_mille: 0, after: micros(300_000)..=micros(300_000), tells: false }
    }

    /// Everybody numbers their writes, and repeats them soon.
    #[must_use]
    pub const fn all() -> Self {
        Self { per_mille: 1_000, after: micros(50_000)..=micros(500_000), tells: true }
    }

    /// Drawn: in about half of all worlds somebody numbers.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        let per_mille = [0, 0, 0, 300, 700, 1_000][usize::try_from(rng.below(6)).unwrap_or(0)];
        let least = 20_000 + rng.below(800_000);
        let most = least + rng.below(1_000_000);
        let tells = rng.below(3) > 0;
        Self { per_mille, after: micros(least)..=micros(most), tells }
    }
}

/// A duration of so many microseconds.
const fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

impl Options {
    /// Everything drawn, each kind of operation off with a chance of 30 %. Without outages that
    /// makes 14 to 400 operations a second, 30 on average.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        let mut within = |from: u64, to: u64| from + rng.below(to - from + 1);
        let clients = u32::try_from(within(2, 20)).unwrap_or(2);
        let keys = u32::try_from(within(2, 40)).unwrap_or(2);
        let hot_keys = u32::try_from(within(1, 4)).unwrap_or(1);
        let single_keys = u32::try_from(within(0, 14).saturating_sub(4)).unwrap_or(0);
        let watchers = u32::try_from(within(0, 8).saturating_sub(1)).unwrap_or(0);
        // Most worlds are calm, so that many of them fit into a minute; a few are hectic.
        let rate = match within(0, 63) {
            0..30 => 14,
            30..50 => 20,
            50..59 => 40,
            59..63 => 100,
            _ => 400,
        };
        let think = u64::from(clients) * 1_000_000 / rate;
        let grid = [None, None, Some(micros(1_000)), Some(micros(5_000)), Some(micros(20_000))]
            [usize::try_from(within(0, 4)).unwrap_or(0)];
        let near = within(20, 2_000);
        let far = near + within(0, 20_000);
        let loss_ppm = [0, 0, 100, 1_000, 10_000][usize::try_from(within(0, 4)).unwrap_or(0)];
        let patience = micros(within(300_000, 8_000_000));
        let shortest = usize::try_from(within(0, 16)).unwrap_or(0);
        let longest = [16, 64, 256, 4_096][usize::try_from(within(0, 3)).unwrap_or(0)];
        let leases = u32::try_from(within(1, 12)).unwrap_or(1);
        let slow_per_mille = [0, 100, 500][usize::try_from(within(0, 2)).unwrap_or(0)];
        Self {
            clients,
            watchers,
            keys,
            hot_keys,
            single_keys,
            mix: Mix::draw(rng),
            think: micros(think / 4)..=micros(think * 7 / 4),
            grid,
            delay: micros(near)..=micros(far),
            loss_ppm,
            patience,
            max_operations: None,
            value_bytes: shortest..=longest.max(shortest),
            leases,
            slow_per_mille,
            repeats: Repeats::none(),
        }
    }

    /// More than 100 operations a second, outages included: about half of them linearizable reads
    /// and half of them writes of all kinds.
    #[must_use]
    pub const fn busy() -> Self {
        Self {
            clients: 18,
            watchers: 4,
            keys: 24,
            hot_keys: 3,
            single_keys: 8,
            mix: Mix::all(),
            think: micros(20_000)..=micros(120_000),
            grid: Some(micros(50_000)),
            delay: micros(200)..=micros(2_000),
            loss_ppm: 500,
            patience: micros(2_000_000),
            max_operations: None,
            value_bytes: 8..=48,
            leases: 8,
            slow_per_mille: 100,
            repeats: Repeats::none(),
        }
    }

    /// Nobody does anything on their own: for scenarios, which ask themselves. Nothing is lost,
    /// and the way is always equally short.
    #[must_use]
    pub const fn quiet() -> Self {
        Self {
            clients: 0,
            watchers: 0,
            keys: 1,
            hot_keys: 1,
            single_keys: 0,
            mix: Mix::none(),
            think: micros(10_000)..=micros(10_000),
            grid: None,
            delay: micros(500)..=micros(500),
            loss_ppm: 0,
            patience: micros(5_000_000),
            max_operations: None,
            value_bytes: 8..=8,
            leases: 1,
            slow_per_mille: 0,
            repeats: Repeats::none(),
        }
    }
}
