//! What Lifeguard is for: slow members that accuse the healthy.
//!
//! A pool of [`MEMBERS`], of which C are slow: for [`STORM`] each of them is kept from its work for
//! D, works for I, is kept from it again, in a phase of its own. Then all work, until every
//! suspicion that there was has come to its end. Counted is who was called dead, at whom, although
//! it was never slow.
//!
//! A slow member stands still as a process without a processor does, or is mute: its clocks run and
//! its messages wait, as those of an overloaded process do, and as the paper's experiment has it.
//!
//! Three kinds of pool meet the same slowness: plain SWIM; Lifeguard as its paper has it
//! (self-awareness, dynamic suspicion, buddies); and ours, which beside that notices when it stood
//! still itself ([`Config::stall`]). All suspect for `α = 5` times the logarithm, as the paper does
//! (memberlist's default is 4), those with Lifeguard up to `β = 6` times as long; the other
//! settings are memberlist's for a local network.
//!
//! What is *ours*, since the paper's exact parameters were not at hand: the lists of C, D and I,
//! the lengths of storm and calm, the phases, and what [`super`] says of sockets and of reading.

use std::fmt;
use std::time::Duration;

use protocol::Rng;
use protocol::swim::{Config, Event, suspicion_time};
use serde::Serialize;

use super::{Latency, Options, Pool, Slow};
use crate::plot::{Axis, Plot, Scale, Series};

/// Members of a pool.
pub const MEMBERS: usize = 128;
/// How many of them are slow.
pub const SLOW: [usize; 5] = [1, 4, 8, 16, 32];
/// For how long they are kept from their work, in milliseconds.
pub const PAUSES: [u64; 6] = [128, 512, 2_048, 8_192, 16_384, 32_768];
/// For how long they work between, in milliseconds.
pub const RUNS: [u64; 4] = [1, 16, 256, 4_096];
/// For how long that goes on.
pub const STORM: Duration = Duration::from_mins(2);
/// SWIM's and Lifeguard's α.
pub const ALPHA: u32 = 5;

/// What kind of pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Plain SWIM.
    Swim,
    /// Lifeguard, as its paper has it.
    Lifeguard,
    /// The product.
    Ours,
}

impl Kind {
    /// All, as they stand beside each other.
    pub const ALL: [Self; 3] = [Self::Swim, Self::Lifeguard, Self::Ours];

    /// What a reader calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Swim => "SWIM",
            Self::Lifeguard => "Lifeguard",
            Self::Ours => "ours",
        }
    }

    const fn config(self) -> Config {
        let ours = Config { suspicion_multiplier: ALPHA, ..Config::LAN };
        match self {
            Self::Swim => ours.without_lifeguard(),
            Self::Lifeguard => Config { stall: None, ..ours },
            Self::Ours => ours,
        }
    }
}

/// How slow members are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Slowness {
    /// In which way.
    pub how: Slow,
    /// How many are slow.
    pub slow: usize,
    /// Milliseconds for which they are kept from their work.
    pub pause: u64,
    /// Milliseconds for which they work between.
    pub run: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// Times that anybody called somebody dead who was never slow.
    pub everywhere: u64,
    /// … that somebody did who was never slow either.
    pub at_healthy: u64,
    /// Those who were called dead so, each counted once a world.
    pub victims: u64,
    /// Times that anybody called a slow member dead.
    pub slow_called_dead: u64,
    /// Packets that were sent.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Wrong {
    const fn plus(self, other: Self) -> Self {
        Self {
            everywhere: self.everywhere + other.everywhere,
            at_healthy: self.at_healthy + other.at_healthy,
            victims: self.victims + other.victims,
            slow_called_dead: self.slow_called_dead + other.slow_called_dead,
            packets: self.packets + other.packets,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// One kind of pool under one slowness.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cell {
    /// Which kind.
    pub kind: Kind,
    /// How slow.
    pub slowness: Slowness,
    /// What came of it, in all rounds together.
    pub wrong: Wrong,
}

/// All kinds under all kinds of slowness.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// In which way members were slow.
    pub how: Slow,
    /// Worlds for each cell.
    pub rounds: u32,
    /// The cells.
    pub cells: Vec<Cell>,
}

/// All combinations for members that are slow in this way.
pub fn all(how: Slow) -> impl Iterator<Item = (Kind, Slowness)> {
    SLOW.into_iter().flat_map(move |slow| {
        PAUSES.into_iter().flat_map(move |pause| {
            RUNS.into_iter().flat_map(move |run| {
                let slowness = Slowness { how, slow, pause, run };
                Kind::ALL.into_iter().map(move |kind| (kind, slowness))
            })
        })
    })
}

/// Measures one cell. The three kinds meet the same slowness in the same rounds.
#[must_use]
pub fn measure(kind: Kind, slowness: Slowness, rounds: u32, seed: u64) -> Cell {
    let worlds = (0..rounds).map(|round| world(kind, slowness, seed.wrapping_add(round.into())));
    Cell { kind, slowness, wrong: worlds.fold(Wrong::default(), Wrong::plus) }
}

fn world(kind: Kind, slowness: Slowness, seed: u64) -> Wrong {
    let config = kind.config();
    let calm = suspicion_time(MEMBERS, ALPHA, config.probe_interval)
        * config.suspicion_max_multiplier
        + Duration::from_secs(10);
    let options = Options { members: MEMBERS, config, latency: Latency::LAN, loss: 0, seed };
    let mut pool = Pool::formed(options);
    let mut rng = Rng::new(seed ^ 0x736c_6f77);
    let (pause, run) = (Duration::from_millis(slowness.pause), Duration::from_millis(slowness.run));
    // Who is slow does not matter: the first ones. When they are next:
    let round = u64::try_from((pause + run).as_nanos()).unwrap_or(u64::MAX);
    let mut next: Vec<_> =
        (0..slowness.slow).map(|_| pool.now() + Duration::from_nanos(rng.below(round))).collect();
    let sent = |pool: &Pool| {
        (0..MEMBERS).fold((0, 0), |(packets, bytes), member| {
            let meter = pool.meter(member);
            (packets + meter.packets_out, bytes + meter.bytes_out)
        })
    };
    let (end, before) = (pool.now() + STORM, sent(&pool));
    while let Some((at, member)) = next.iter().zip(0..).map(|(&at, member)| (at, member)).min() {
        if at >= end {
            break;
        }
        pool.run(at - pool.now());
        pool.slow(member, slowness.how, pause);
        next[member] = at + pause + run;
    }
    pool.run(end - pool.now());
    let after = sent(&pool);
    pool.run(pause + calm);
    let mut wrong =
        Wrong { packets: after.0 - before.0, bytes: after.1 - before.1, ..Wrong::default() };
    let mut victims = [false; MEMBERS];
    for told in pool.take_told() {
        let Event::Failed(facts) = &told.event else { continue };
        match pool.place(facts) {
            Some(member) if member >= slowness.slow => {
                wrong.everywhere += 1;
                wrong.at_healthy += u64::from(told.by >= slowness.slow);
                victims[member] = true;
            }
            Some(_) => wrong.slow_called_dead += 1,
            None => {}
        }
    }
    wrong.victims = victims.into_iter().map(u64::from).sum();
    wrong
}

impl Table {
    /// All cells of a kind that are so, together.
    #[must_use]
    pub fn sum(&self, kind: Kind, so: impl Fn(&Slowness) -> bool) -> Wrong {
        let cells = self.cells.iter().filter(|cell| cell.kind == kind && so(&cell.slowness));
        cells.fold(Wrong::default(), |sum, cell| sum.plus(cell.wrong))
    }

    /// How many times fewer of the healthy a kind calls dead than SWIM does; `None`: it calls
    /// nobody dead.
    #[must_use]
    pub fn fewer(&self, kind: Kind) -> Option<f64> {
        let [swim, other] = [Kind::Swim, kind].map(|kind| self.sum(kind, |_| true).everywhere);
        (other > 0).then(|| swim as f64 / other as f64)
    }

    /// False positives by how long members stand still.
    #[must_use]
    pub fn by_pause(&self) -> String {
        let x = Axis {
            label: "pause of the slow members (s)".to_owned(),
            from: 0.1,
            to: 40.0,
            scale: Scale::Logarithmic,
        };
        let points = |kind| {
            let sum = |pause| self.sum(kind, |slowness| slowness.pause == pause).everywhere;
            PAUSES.map(|pause| (pause as f64 / 1000.0, sum(pause) as f64)).to_vec()
        };
        self.plot(x, "False positives by the length of pauses", points)
    }

    /// False positives by how many members are slow.
    #[must_use]
    pub fn by_slow(&self) -> String {
        let x = Axis {
            label: "slow members, of 128".to_owned(),
            from: 1.0,
            to: 40.0,
            scale: Scale::Logarithmic,
        };
        let points = |kind| {
            let sum = |slow| self.sum(kind, |slowness| slowness.slow == slow).everywhere;
            SLOW.map(|slow| (slow as f64, sum(slow) as f64)).to_vec()
        };
        self.plot(x, "False positives by the number of slow members", points)
    }

    fn plot(&self, x: Axis, title: &str, points: impl Fn(Kind) -> Vec<(f64, f64)>) -> String {
        let series = |kind: Kind| {
            // Nothing has no place on this axis: it stands on its foot.
            let line: Vec<_> = points(kind).into_iter().map(|(x, y)| (x, y.max(1.0))).collect();
            Series { name: kind.name().to_owned(), rings: line.clone(), line }
        };
        let series: Vec<Series> = Kind::ALL.into_iter().map(series).collect();
        let most = series.iter().flat_map(|series| &series.line).map(|&(_, y)| y);
        let most = most.fold(10.0, f64::max);
        Plot {
            title: title.to_owned(),
            subtitle: format!(
                "Healthy members called dead, at anybody: 128 members, slow ones {}, rounds: {}",
                self.how.name(),
                self.rounds
            ),
            x,
            y: Axis {
                label: "healthy ones called dead (1: never)".to_owned(),
                from: 1.0,
                to: 10f64.powf(most.log10().ceil()),
                scale: Scale::Logarithmic,
            },
            series,
            rings: String::new(),
        }
        .to_svg()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = "times that a healthy member was called dead: SWIM / Lifeguard / ours";
        writeln!(f, "slow members {}; {heading}", self.how.name())?;
        write!(f, "{:>10}", "D ╲ C")?;
        SLOW.iter().try_for_each(|slow| write!(f, "{slow:>20}"))?;
        writeln!(f)?;
        for pause in PAUSES {
            write!(f, "{:>8} s", format!("{:.3}", pause as f64 / 1000.0))?;
            for slow in SLOW {
                let of = |kind| {
                    self.sum(kind, |slowness| (slowness.slow, slowness.pause) == (slow, pause))
                };
                let [swim, lifeguard, ours] = Kind::ALL.map(|kind| of(kind).everywhere);
                write!(f, "{:>20}", format!("{swim} / {lifeguard} / {ours}"))?;
            }
            writeln!(f)?;
        }
        for kind in Kind::ALL {
            let sum = self.sum(kind, |_| true);
            let fewer = self.fewer(kind).map_or_else(|| "–".to_owned(), |by| format!("{by:.1}"));
            writeln!(
                f,
                "{:<10} {} everywhere (1/{fewer}), {} at the healthy, {} victims; slow ones called \
                 dead {} times; {} packets, {} MB",
                kind.name(),
                sum.everywhere,
                sum.at_healthy,
                sum.victims,
                sum.slow_called_dead,
                sum.packets,
                sum.bytes / 1_000_000
            )?;
        }
        Ok(())
    }
}
