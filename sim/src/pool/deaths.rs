//! Whether anybody is called dead who lives, in a long time with lost packets.

use std::fmt;
use std::time::Duration;

use protocol::swim::Event;
use serde::Serialize;

use super::{MILLION, Pool};

/// What a pool believed wrongly, in a long time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Deaths {
    /// How many members there were.
    pub members: usize,
    /// For how many hours.
    pub hours: f64,
    /// Packets lost, in percent.
    pub loss: f64,
    /// Probes begun.
    pub probes: u64,
    /// Probes that failed.
    pub probes_failed: u64,
    /// Probes that only a stream answered.
    pub stream_answers: u64,
    /// Accusations that somebody answered.
    pub refutations: u64,
    /// Times that somebody called a living member dead.
    pub false_deaths: u64,
}

/// Lets a pool be for so long. `seen` hears how much of it has passed.
pub fn measure(pool: &mut Pool, time: Duration, mut seen: impl FnMut(Duration, u64)) -> Deaths {
    /// Between two looks.
    const STEP: Duration = Duration::from_secs(10);
    let count = |pool: &Pool| {
        pool.counters().fold([0; 4], |[probes, failed, streams, refuted], counters| {
            [
                probes + counters.probes,
                failed + counters.probes_failed,
                streams + counters.stream_answers,
                refuted + counters.refutations,
            ]
        })
    };
    let before = count(pool);
    let (mut passed, mut false_deaths) = (Duration::ZERO, 0);
    pool.take_told();
    while passed < time {
        let step = STEP.min(time - passed);
        pool.run(step);
        passed += step;
        for told in pool.take_told() {
            if let Event::Failed(facts) = &told.event {
                let lives = pool.place(facts).is_some_and(|member| pool.swim(member).is_some());
                false_deaths += u64::from(lives);
            }
        }
        seen(passed, false_deaths);
    }
    let [probes, probes_failed, stream_answers, refutations] = {
        let after = count(pool);
        [0, 1, 2, 3].map(|which| after[which] - before[which])
    };
    Deaths {
        members: pool.len(),
        hours: time.as_secs_f64() / 3600.0,
        loss: pool.network.loss as f64 / MILLION as f64 * 100.0,
        probes,
        probes_failed,
        stream_answers,
        refutations,
        false_deaths,
    }
}

impl fmt::Display for Deaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} members for {:.2} hours with {} % of the packets lost:",
            self.members, self.hours, self.loss
        )?;
        writeln!(
            f,
            "  {} probes, {} answered by a stream alone, {} failed; {} accusations answered",
            self.probes, self.stream_answers, self.probes_failed, self.refutations
        )?;
        write!(f, "  living members called dead: {}", self.false_deaths)
    }
}
