//! The simulation of elections across a continent (thesis §9.4, and thesis §9.5 for unequal logs).
//!
//! Five servers, a message takes 30–40 ms, election timeouts are 300–600 ms; all timers start at
//! zero, disks and processors cost nothing. Measured is the time until a leader is elected, with
//! none, one or two of the five down, and with logs that are equal or all different.

use std::fmt;
use std::time::Duration;

use protocol::{Rng, Time};
use serde::Serialize;

use super::cluster::{Cluster, Disk, Guards, Settings, Spread};
use super::fork;
use super::sample::{Sample, Summary};
use super::table::{Table, difference, millis};
use crate::plot::{Axis, Plot, Scale, Series};

const NODES: usize = 5;
const HORIZON: Duration = Duration::from_mins(1);

/// What the thesis's drawings say, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Published {
    /// How many of the five are down.
    pub failed: usize,
    /// Whether all logs are the same.
    pub equal_logs: bool,
    /// The mean; a lower bound where the drawing ends before the curve.
    pub mean: f64,
    /// The drawing ends before the curve: the mean is without its tail.
    pub clipped: bool,
    /// The 10th, 50th, 90th, 95th and 99th percentile.
    pub percentiles: [Option<f64>; 5],
}

/// The six curves.
pub const PUBLISHED: [Published; 6] = [
    curve(0, true, 430.0, false, [375.0, 410.0, 489.0, 526.0, 834.0]),
    curve(1, true, 469.0, false, [379.0, 423.0, 563.0, 814.0, 1007.0]),
    curve(2, true, 624.0, true, [387.0, 469.0, 1074.0, 1336.0, 1933.0]),
    curve(0, false, 493.0, false, [386.0, 471.0, 614.0, 0.0, 943.0]),
    curve(1, false, 550.0, false, [392.0, 502.0, 782.0, 0.0, 1315.0]),
    curve(2, false, 703.0, true, [416.0, 599.0, 1149.0, 0.0, 2017.0]),
];

const fn curve(
    failed: usize,
    equal_logs: bool,
    mean: f64,
    clipped: bool,
    p: [f64; 5],
) -> Published {
    let p95 = if p[3] > 0.0 { Some(p[3]) } else { None };
    let percentiles = [Some(p[0]), Some(p[1]), Some(p[2]), p95, Some(p[4])];
    Published { failed, equal_logs, mean, clipped, percentiles }
}

/// One curve.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// The published figures.
    pub published: Published,
    /// Ours, under the thesis's model.
    pub ours: Summary,
    /// Ours with pre-vote, quorum check and stickiness, as in production.
    pub guarded: Summary,
    /// The trials behind `ours`.
    #[serde(skip)]
    pub sample: Sample,
}

/// All six curves.
#[derive(Clone, Debug, Serialize)]
pub struct Wan {
    /// In the order of [`PUBLISHED`].
    pub curves: Vec<Curve>,
}

/// Measures all six curves with `trials` each.
#[must_use]
pub fn run(trials: u32, seed: u64) -> Wan {
    Wan { curves: PUBLISHED.iter().map(|curve| measure(curve, trials, seed)).collect() }
}

/// Measures one curve.
#[must_use]
pub fn measure(published: &Published, trials: u32, seed: u64) -> Curve {
    let sample = |guards| -> Sample {
        let stream = u64::from(published.equal_logs) << 8 | published.failed as u64;
        let mut seeds = Rng::new(fork(seed, stream));
        (0..trials).map(|_| trial(published, guards, seeds.next())).collect()
    };
    let ours = sample(Guards::OFF);
    let guarded = sample(Guards::ON).summary();
    Curve { published: *published, ours: ours.summary(), guarded, sample: ours }
}

fn trial(published: &Published, guards: Guards, seed: u64) -> Option<Duration> {
    let settings = Settings {
        nodes: NODES,
        election: Duration::from_millis(300)..=Duration::from_millis(600),
        heartbeat: Duration::from_millis(150),
        guards,
        latency: Spread::millis(30, 40),
        disk: Disk::FREE,
    };
    // Which of them fail makes no difference: among those that are left only the order counts.
    let lengths = if published.equal_logs { [1; NODES] } else { [1, 2, 3, 4, 5] };
    let mut cluster = Cluster::new(&settings, &lengths, seed);
    for n in 0..published.failed {
        cluster.crash(NODES - 1 - n);
    }
    cluster.run(Time(0) + HORIZON, |cluster| !cluster.notes().leaders.is_empty());
    cluster.notes().leaders.values().next().map(|&(at, _)| at - Time(0))
}

impl Wan {
    /// All curves: lines are ours, rings are the published percentiles.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let series = |curve: &Curve| {
            let percents = [10.0, 50.0, 90.0, 95.0, 99.0];
            let rings = curve.published.percentiles.into_iter().zip(percents);
            Series {
                name: curve.name(),
                line: curve.sample.cumulative(400),
                rings: rings.filter_map(|(at, percent)| Some((at?, percent))).collect(),
            }
        };
        Plot {
            title: "Elections across a continent".to_owned(),
            subtitle: "Five servers 30–40 ms apart (thesis §9.4; the production core)".to_owned(),
            x: Axis {
                label: "time until a leader is elected (ms)".to_owned(),
                from: 300.0,
                to: 3000.0,
                scale: Scale::Logarithmic,
            },
            y: Axis {
                label: "cumulative percent".to_owned(),
                from: 0.0,
                to: 100.0,
                scale: Scale::Linear,
            },
            series: self.curves.iter().map(series).collect(),
            rings: "published percentiles".to_owned(),
        }
        .to_svg()
    }
}

impl fmt::Display for Wan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Elections across a continent (thesis §9.4): milliseconds to a leader")?;
        let heading = ["curve", "", "mean", "p10", "p50", "p90", "p95", "p99", "p99.9", "max"];
        let mut table = Table::new(&heading);
        for curve in &self.curves {
            curve.rows(&mut table);
        }
        write!(f, "{table}")
    }
}

impl Curve {
    /// `1 failed, equal logs`.
    #[must_use]
    pub fn name(&self) -> String {
        let logs = if self.published.equal_logs { "equal logs" } else { "different logs" };
        format!("{} failed, {logs}", self.published.failed)
    }

    fn rows(&self, table: &mut Table) {
        let theirs = &self.published;
        let [p10, p50, p90, p95, p99] = theirs.percentiles;
        let published = [Some(theirs.mean), p10, p50, p90, p95, p99, None, None];
        let cells = |summary: &Summary| {
            let Summary { mean, p10, p50, p90, p95, p99, p999, max, .. } = *summary;
            [mean, p10, p50, p90, p95, p99, p999, max]
        };
        let row = |name: &str, what: &str, cells: Vec<String>| {
            [name.to_owned(), what.to_owned()].into_iter().chain(cells).collect::<Vec<_>>()
        };
        let shown = |values: &[Option<f64>; 8]| values.map(millis).to_vec();
        let mut first = shown(&published);
        if theirs.clipped {
            first[0] = format!("≥ {}", first[0]);
        }
        table.row(row(&self.name(), "published", first));
        let ours = cells(&self.ours);
        table.row(row("", "ours", shown(&ours)));
        let apart = ours.into_iter().zip(published);
        let apart = apart.map(|(ours, theirs)| difference(ours, theirs)).collect();
        table.row(row("", "difference", apart));
        table.row(row("", "production", shown(&cells(&self.guarded))));
    }
}
