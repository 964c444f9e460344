//! Samples of durations and what is told of them.

use std::time::Duration;

use serde::Serialize;

/// Measured durations in milliseconds, ascending, and how many trials did not end in time.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    millis: Vec<f64>,
    open: usize,
}

/// What a sample comes to, in milliseconds. A percentile that lies among the trials which did not
/// end is `None`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Summary {
    /// How many trials there were.
    pub trials: usize,
    /// How many of them did not end in time.
    pub open: usize,
    /// The mean of those that ended.
    pub mean: Option<f64>,
    /// A tenth lies at or below.
    pub p10: Option<f64>,
    /// A quarter lies at or below.
    pub p25: Option<f64>,
    /// Half lies at or below.
    pub p50: Option<f64>,
    /// Three quarters lie at or below.
    pub p75: Option<f64>,
    /// Nine tenths lie at or below.
    pub p90: Option<f64>,
    /// 95 in 100 lie at or below.
    pub p95: Option<f64>,
    /// 99 in 100 lie at or below.
    pub p99: Option<f64>,
    /// 999 in 1,000 lie at or below.
    pub p999: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

impl FromIterator<Option<Duration>> for Sample {
    /// One trial each; `None` for one that did not end in time.
    fn from_iter<I: IntoIterator<Item = Option<Duration>>>(trials: I) -> Self {
        let mut sample = Self::default();
        for trial in trials {
            match trial {
                Some(duration) => sample.millis.push(duration.as_secs_f64() * 1e3),
                None => sample.open += 1,
            }
        }
        sample.millis.sort_by(f64::total_cmp);
        sample
    }
}

impl Sample {
    /// How many trials there were.
    #[must_use]
    pub const fn trials(&self) -> usize {
        self.millis.len() + self.open
    }

    /// The least value that `per_mille` of a thousand trials do not exceed.
    #[must_use]
    pub fn percentile(&self, per_mille: usize) -> Option<f64> {
        let rank = (self.trials() * per_mille).div_ceil(1000).max(1);
        self.millis.get(rank - 1).copied()
    }

    /// The share of all trials that took longer than `millis`.
    #[must_use]
    pub fn share_above(&self, millis: f64) -> f64 {
        let above = self.trials() - self.millis.partition_point(|&value| value <= millis);
        above as f64 / self.trials().max(1) as f64
    }

    /// The figures.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let ended = self.millis.len();
        let sum: f64 = self.millis.iter().sum();
        Summary {
            trials: self.trials(),
            open: self.open,
            mean: (ended > 0).then(|| sum / ended as f64),
            p10: self.percentile(100),
            p25: self.percentile(250),
            p50: self.percentile(500),
            p75: self.percentile(750),
            p90: self.percentile(900),
            p95: self.percentile(950),
            p99: self.percentile(990),
            p999: self.percentile(999),
            max: self.percentile(1000),
        }
    }

    /// The cumulative distribution in percent, with at most `points` steps.
    #[must_use]
    pub fn cumulative(&self, points: usize) -> Vec<(f64, f64)> {
        let ended = self.millis.len();
        let stride = ended.div_ceil(points.max(1)).max(1);
        let percent = |rank: usize| rank as f64 * 100.0 / self.trials() as f64;
        let mut curve: Vec<_> =
            self.millis.first().map(|&first| (first, 0.0)).into_iter().collect();
        let ranks = (1..=ended).filter(|rank| rank % stride == 0 || *rank == ended);
        curve.extend(ranks.map(|rank| (self.millis[rank - 1], percent(rank))));
        curve
    }
}
