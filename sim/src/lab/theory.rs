//! How often votes are split, measured and predicted (thesis §9.1 to §9.3).
//!
//! Timeouts are uniform on a range; a message takes the share `l` of the range's width, always the
//! same. Of `n` servers `s` are up. A vote is split when the `c = s − ⌊n/2⌋ + 1` earliest time out
//! within `l` of each other, for then nobody has enough voters left:
//!
//! ```text
//! p = Σ C(s, k) · lᵏ · (1 − l)ˢ⁻ᵏ    for k = c − 1 … s
//! E = (1 + 1/(s + 1) + l) / (1 − p) + l
//! ```
//!
//! `E` is the mean time until a leader is elected, in widths of the range, from fresh timers on,
//! when the least timeout is one width (what the thesis adds for the heartbeat's phase and for
//! writing is left out on both sides). Even numbers of servers stand out: they split more votes
//! than the odd numbers around them.

use std::fmt;
use std::time::Duration;

use protocol::{Rng, Term, Time};
use serde::Serialize;

use super::cluster::{Cluster, Disk, Guards, Settings, Spread};
use super::fork;
use super::table::Table;

/// The width of the range and the least timeout.
const WIDTH: Duration = Duration::from_secs(1);
const HORIZON: Duration = Duration::from_mins(10);

/// The clusters of the thesis's table: servers, and how many of them are up.
pub const CLUSTERS: [(usize, usize); 10] =
    [(3, 2), (4, 3), (5, 4), (5, 3), (6, 5), (7, 6), (7, 4), (8, 7), (9, 8), (9, 5)];

/// Latencies in thousandths of the range's width.
pub const LATENCIES: [u32; 3] = [50, 100, 200];

/// One cluster at one latency.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    /// How many servers.
    pub servers: usize,
    /// How many of them are up.
    pub up: usize,
    /// The latency, in thousandths of the range's width.
    pub latency_per_mille: u32,
    /// How many elections were held.
    pub trials: u32,
    /// The share of them whose first vote was split.
    pub split: f64,
    /// The same as predicted.
    pub predicted_split: f64,
    /// The mean time to a leader, in widths of the range.
    pub mean: f64,
    /// The same as predicted.
    pub predicted_mean: f64,
}

/// All clusters at all latencies.
#[derive(Clone, Debug, Serialize)]
pub struct Theory {
    /// A cluster's latencies stand together.
    pub points: Vec<Point>,
}

/// Measures every point with `trials` each.
#[must_use]
pub fn run(trials: u32, seed: u64) -> Theory {
    let points = CLUSTERS.into_iter().flat_map(|cluster| {
        LATENCIES.into_iter().map(move |latency| measure(cluster, latency, trials, seed))
    });
    Theory { points: points.collect() }
}

/// Measures one point.
#[must_use]
pub fn measure(
    (servers, up): (usize, usize),
    latency_per_mille: u32,
    trials: u32,
    seed: u64,
) -> Point {
    let latency = WIDTH * latency_per_mille / 1000;
    let settings = Settings {
        nodes: servers,
        election: WIDTH..=WIDTH * 2,
        heartbeat: WIDTH / 2,
        guards: Guards::OFF,
        latency: Spread { from: latency, to: latency },
        disk: Disk::FREE,
    };
    let stream = (servers << 16 | up << 8) as u64 ^ u64::from(latency_per_mille) << 32;
    let mut seeds = Rng::new(fork(seed, stream));
    let mut splits = 0;
    let mut sum = 0.0;
    for _ in 0..trials {
        let mut cluster = Cluster::new(&settings, &vec![0; servers], seeds.next());
        (up..servers).for_each(|n| cluster.crash(n));
        cluster.run(Time(0) + HORIZON, |cluster| !cluster.notes().leaders.is_empty());
        let first = cluster.notes().leaders.first_key_value();
        let (term, at) = first.map_or((Term(0), cluster.now()), |(&term, &(at, _))| (term, at));
        splits += u32::from(term != Term(1));
        sum += (at - Time(0)).as_secs_f64() / WIDTH.as_secs_f64();
    }
    let trials_f = f64::from(trials.max(1));
    let predicted_split = predict(servers, up, f64::from(latency_per_mille) / 1000.0);
    let l = f64::from(latency_per_mille) / 1000.0;
    let first_timeout = 1.0 + 1.0 / (up as f64 + 1.0);
    Point {
        servers,
        up,
        latency_per_mille,
        trials,
        split: f64::from(splits) / trials_f,
        predicted_split,
        mean: sum / trials_f,
        predicted_mean: (first_timeout + l) / (1.0 - predicted_split) + l,
    }
}

/// The chance that a vote is split.
#[must_use]
pub fn predict(servers: usize, up: usize, l: f64) -> f64 {
    let together = up - servers / 2;
    let term = |k: usize| {
        let ways = (0..k).map(|i| (up - i) as f64 / (i + 1) as f64).product::<f64>();
        let apart = std::iter::repeat_n(1.0 - l, up - k).product::<f64>();
        ways * std::iter::repeat_n(l, k).product::<f64>() * apart
    };
    (together..=up).map(term).sum()
}

impl fmt::Display for Theory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Split votes and the time to a leader, measured / predicted (thesis §9.3)")?;
        let mut heading = vec!["servers (up)".to_owned()];
        for latency in LATENCIES {
            let l = f64::from(latency) / 1000.0;
            heading.extend([format!("split, l = {l}"), format!("time, l = {l}")]);
        }
        let mut table = Table::new(&heading.iter().map(String::as_str).collect::<Vec<_>>());
        for points in self.points.chunks(LATENCIES.len()) {
            let name = points.first().map(|point| format!("{} ({})", point.servers, point.up));
            let cells = points.iter().flat_map(|point| {
                let (split, predicted) = (point.split * 100.0, point.predicted_split * 100.0);
                let time = format!("{:.3} / {:.3}", point.mean, point.predicted_mean);
                [format!("{split:.1} % / {predicted:.1} %"), time]
            });
            table.row(name.into_iter().chain(cells));
        }
        write!(f, "{table}")
    }
}
