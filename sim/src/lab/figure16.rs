//! Raft's figure 16 (Raft §9.3): how long a cluster is without a leader after a crash.
//!
//! Five servers in one room. The leader has just been heard by all when it crashes, at a moment
//! uniform in its heartbeat interval (half the least election timeout). Of the four that remain,
//! with four logs of different lengths, two can be elected. Measured is the time from the crash
//! until a survivor hears the new leader.
//!
//! The model of the room: a message takes 0.1 ms; a candidate's term and vote for itself take
//! 1–5 ms on its disk before anyone is asked; a vote for another takes 5–12 ms on the voter's, the
//! work of answering included, and a voter that refuses is free at once; the last heartbeat reached
//! the four within 2 ms of each other (for the line without any randomness within 0.1 ms: there the
//! room decides everything).
//!
//! The published percentiles are read from the vector drawings of the thesis (thesis §9.4): they
//! are of `LogCabin`, on five real machines. The figure's cores run without pre-vote, quorum check
//! and stickiness; what a core with all three does is measured beside it.

use std::fmt;
use std::time::Duration;

use protocol::raft::{Body, Message};
use protocol::{Index, Rng, Term, Time};
use serde::Serialize;

use super::cluster::{Cluster, Disk, Guards, Settings, Spread};
use super::fork;
use super::sample::{Sample, Summary};
use super::table::{Table, difference, millis};
use crate::plot::{Axis, Plot, Scale, Series};

const NODES: usize = 5;
/// The place of the leader that crashes.
const CRASHED: usize = NODES - 1;
/// When a trial is given up: the published worst case is 528 s, of the line that hardly ever ends.
const HORIZON: Duration = Duration::from_mins(1);

/// What the paper's machines measured, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Published {
    /// The range of election timeouts: least and most.
    pub range: (u64, u64),
    /// The mean.
    pub mean: f64,
    /// The 10th, 25th, 50th, 75th, 90th, 95th and 99th percentile.
    pub percentiles: [Option<f64>; 7],
    /// The worst trial.
    pub max: f64,
    /// The share of trials that needed one round of timeouts, in percent.
    pub first_round: Option<f64>,
}

const fn published(
    range: (u64, u64),
    mean: f64,
    p: [f64; 7],
    max: f64,
    first_round: Option<f64>,
) -> Published {
    let p99 = if p[6] > 0.0 { Some(p[6]) } else { None };
    let percentiles = [Some(p[0]), Some(p[1]), Some(p[2]), Some(p[3]), Some(p[4]), Some(p[5]), p99];
    Published { range, mean, percentiles, max, first_round }
}

/// The ten lines of the figure: first the upper panel, then the lower one, which shares 150–300.
pub const PUBLISHED: [Published; 10] = [
    published(
        (150, 150),
        54_289.0,
        [19_972.0, 28_497.0, 41_111.0, 60_675.0, 84_949.0, 121_449.0, 0.0],
        528_086.0,
        Some(0.0),
    ),
    published(
        (150, 151),
        1536.0,
        [434.0, 737.0, 1199.0, 1944.0, 3133.0, 4007.0, 6013.0],
        8232.0,
        Some(2.5),
    ),
    published(
        (150, 155),
        345.0,
        [119.0, 154.0, 287.0, 435.0, 609.0, 764.0, 1242.0],
        2143.0,
        Some(29.0),
    ),
    published(
        (150, 175),
        164.0,
        [107.0, 121.0, 141.0, 164.0, 291.0, 314.0, 467.0],
        610.0,
        Some(84.0),
    ),
    published(
        (150, 200),
        156.0,
        [110.0, 125.0, 146.0, 167.0, 194.0, 296.0, 352.0],
        512.0,
        Some(93.0),
    ),
    published(
        (150, 300),
        181.0,
        [125.0, 144.0, 171.0, 208.0, 244.0, 265.0, 415.0],
        603.0,
        Some(97.0),
    ),
    published((100, 200), 125.0, [85.0, 100.0, 120.0, 145.0, 166.0, 182.0, 277.0], 335.0, None),
    published((50, 100), 71.0, [48.0, 56.0, 67.0, 79.0, 96.0, 120.0, 169.0], 253.0, None),
    published((25, 50), 48.0, [31.0, 35.0, 43.0, 52.0, 74.0, 83.0, 119.0], 276.0, None),
    published((12, 24), 35.0, [20.0, 24.0, 30.0, 42.0, 53.0, 67.0, 87.0], 152.0, None),
];

/// How near a line must come to the published one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Band {
    /// Mean and median within ten percent, the 90th percentile within twenty.
    Close,
    /// Mean and median within a quarter, the 90th percentile within a third.
    Quarter,
    /// Mean and median within a factor of two.
    Factor2,
    /// At least 95 in 100 trials take longer than ten seconds. How much longer depended on the
    /// jitter of five schedulers, and is not compared.
    Endless,
}

impl Band {
    /// With less randomness than a vote takes to be written, the room decides more than the range.
    const fn of(range: (u64, u64)) -> Self {
        match range.1 - range.0 {
            0 => Self::Endless,
            1..=4 => Self::Factor2,
            5..=11 => Self::Quarter,
            12.. => Self::Close,
        }
    }

    fn holds(self, sample: &Sample, theirs: &Published) -> bool {
        let summary = sample.summary();
        let (p50, p90) = (theirs.percentiles[2], theirs.percentiles[4]);
        let within = |ours: Option<f64>, theirs: Option<f64>, least: f64, most: f64| {
            let ratio = ours.zip(theirs).map(|(ours, theirs)| ours / theirs);
            ratio.is_some_and(|ratio| (least..=most).contains(&ratio))
        };
        let both = |least, most| {
            within(summary.mean, Some(theirs.mean), least, most)
                && within(summary.p50, p50, least, most)
        };
        match self {
            Self::Close => both(0.9, 1.1) && within(summary.p90, p90, 0.8, 1.2),
            Self::Quarter => both(0.75, 1.25),
            Self::Factor2 => both(0.5, 2.0),
            Self::Endless => sample.share_above(10_000.0) >= 0.95,
        }
    }
}

/// One line of the figure.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The published figures.
    pub published: Published,
    /// Ours, under the figure's model.
    pub ours: Summary,
    /// The share of our trials that needed one round of timeouts, in percent.
    pub first_round: f64,
    /// Ours with pre-vote, quorum check and stickiness, as in production.
    pub guarded: Summary,
    /// How near it must come.
    pub band: Band,
    /// Whether it does.
    pub within: bool,
    /// The trials behind `ours`.
    #[serde(skip)]
    pub sample: Sample,
}

/// Both panels of the figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure16 {
    /// In the order of [`PUBLISHED`].
    pub lines: Vec<Line>,
}

/// Measures all ten lines with `trials` each, and a tenth as many for 150–150 ms, whose trials
/// hardly ever end.
#[must_use]
pub fn run(trials: u32, seed: u64) -> Figure16 {
    Figure16 { lines: PUBLISHED.iter().map(|line| measure(line, trials, seed)).collect() }
}

/// Measures one line.
#[must_use]
pub fn measure(published: &Published, trials: u32, seed: u64) -> Line {
    let band = Band::of(published.range);
    let trials = if band == Band::Endless { trials.div_ceil(10) } else { trials };
    let outcomes = |guards| -> Vec<Outcome> {
        let stream = published.range.0 << 32 | published.range.1;
        let mut seeds = Rng::new(fork(seed, stream));
        (0..trials).map(|_| trial(published.range, guards, seeds.next())).collect()
    };
    let plain = outcomes(Guards::OFF);
    let sample: Sample = plain.iter().map(|outcome| outcome.took).collect();
    let first =
        plain.iter().filter(|outcome| outcome.took.is_some() && outcome.first_round).count();
    let guarded: Sample = outcomes(Guards::ON).iter().map(|outcome| outcome.took).collect();
    Line {
        published: *published,
        ours: sample.summary(),
        first_round: first as f64 * 100.0 / plain.len().max(1) as f64,
        guarded: guarded.summary(),
        band,
        within: band.holds(&sample, published),
        sample,
    }
}

struct Outcome {
    took: Option<Duration>,
    /// Nobody had to campaign twice.
    first_round: bool,
}

fn trial(range: (u64, u64), guards: Guards, seed: u64) -> Outcome {
    let (least, most) = (Duration::from_millis(range.0), Duration::from_millis(range.1));
    let settings = Settings {
        nodes: NODES,
        election: least..=most,
        heartbeat: least / 2,
        guards,
        latency: Spread::micros(100, 100),
        disk: Disk {
            own_vote: Spread::millis(1, 5),
            vote: Spread::millis(5, 12),
            rest: Spread::NONE,
        },
    };
    let mut cluster = Cluster::new(&settings, &[2, 3, 4, 5, 5], seed);
    cluster.crash(CRASHED);
    let skew = if range.0 == range.1 { Spread::micros(0, 100) } else { Spread::millis(0, 2) };
    for survivor in 0..CRASHED {
        let body = Body::Heartbeat { round: 1, commit: Index(1), trim: Index(0) };
        let after = skew.draw(cluster.rng());
        cluster.inject(after, CRASHED, survivor, Message { term: Term(1), body });
    }
    let crash = Time(0) + Spread { from: Duration::ZERO, to: least / 2 }.draw(cluster.rng());
    cluster.run(crash + HORIZON, |cluster| cluster.notes().heard.is_some());
    let notes = cluster.notes();
    Outcome {
        took: notes.heard.map(|heard| heard - crash),
        first_round: notes.campaigns.iter().all(|&campaigns| campaigns < 2),
    }
}

/// The two panels of the drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    /// How much randomness is needed: 150 ms and up.
    Randomness,
    /// How short the timeouts may be: 12–24 ms and up.
    Shortness,
}

impl Figure16 {
    /// One panel of the figure: lines are ours, rings are the published percentiles.
    #[must_use]
    pub fn to_svg(&self, panel: Panel) -> String {
        let (from, to, scale, subtitle) = match panel {
            Panel::Randomness => {
                (100.0, 100_000.0, Scale::Logarithmic, "How much randomness election timeouts need")
            }
            Panel::Shortness => (0.0, 600.0, Scale::Linear, "How short election timeouts may be"),
        };
        let lines = self.lines.iter().filter(|line| line.panels().contains(&panel));
        Plot {
            title: "Time without a leader after a crash".to_owned(),
            subtitle: format!("{subtitle} (Raft, figure 16; the production core)"),
            x: Axis { label: "time since crash (ms)".to_owned(), from, to, scale },
            y: Axis {
                label: "cumulative percent".to_owned(),
                from: 0.0,
                to: 100.0,
                scale: Scale::Linear,
            },
            series: lines.map(Line::series).collect(),
            rings: "published percentiles".to_owned(),
        }
        .to_svg()
    }
}

impl fmt::Display for Figure16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Raft figure 16: milliseconds from the crash to the new leader's first word")?;
        let mut table = Table::new(&[
            "timeouts",
            "",
            "mean",
            "p10",
            "p25",
            "p50",
            "p75",
            "p90",
            "p95",
            "p99",
            "max",
            "one round",
            "within",
        ]);
        for line in &self.lines {
            line.rows(&mut table);
        }
        write!(f, "{table}")
    }
}

impl Line {
    /// `150–300 ms`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}–{} ms", self.published.range.0, self.published.range.1)
    }

    /// Where it is drawn; the widest range joins the panels.
    const fn panels(&self) -> &[Panel] {
        match self.published.range {
            (150, 300) => &[Panel::Randomness, Panel::Shortness],
            (150, _) => &[Panel::Randomness],
            (_, _) => &[Panel::Shortness],
        }
    }

    fn series(&self) -> Series {
        let percents = [10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0];
        let rings = self.published.percentiles.into_iter().zip(percents);
        let ended = self.ours.open < self.ours.trials;
        let note = if ended { "" } else { ": > 60 s" };
        Series {
            name: self.name() + note,
            line: self.sample.cumulative(400),
            rings: rings.filter_map(|(at, percent)| Some((at?, percent))).collect(),
        }
    }

    fn rows(&self, table: &mut Table) {
        let theirs = &self.published;
        let their_max = Some(theirs.max);
        let ours = &self.ours;
        let cells = |summary: &Summary| {
            let Summary { mean, p10, p25, p50, p75, p90, p95, p99, max, .. } = *summary;
            [mean, p10, p25, p50, p75, p90, p95, p99, max]
        };
        let published =
            [Some(theirs.mean)].into_iter().chain(theirs.percentiles).chain([their_max]);
        let published: Vec<_> = published.collect();
        let row = |name: &str, what: &str, cells: Vec<String>, round: String, last: String| {
            let names = [name.to_owned(), what.to_owned()];
            names.into_iter().chain(cells).chain([round, last]).collect::<Vec<_>>()
        };
        let shown = |values: &[Option<f64>]| values.iter().copied().map(millis).collect();
        let rounds = theirs.first_round.map_or("–".to_owned(), |share| format!("{share:.1} %"));
        table.row(row(&self.name(), "published", shown(&published), rounds, String::new()));
        let first = format!("{:.1} %", self.first_round);
        let within = if self.within { "yes" } else { "NO" };
        table.row(row("", "ours", shown(&cells(ours)), first, within.to_owned()));
        let apart = cells(ours).into_iter().zip(&published);
        let apart = apart.map(|(ours, &theirs)| difference(ours, theirs)).collect();
        let open = if ours.open > 0 { format!("{} open", ours.open) } else { String::new() };
        table.row(row("", "difference", apart, open, String::new()));
        let guarded = shown(&cells(&self.guarded));
        table.row(row("", "production", guarded, String::new(), String::new()));
    }
}
