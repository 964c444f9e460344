//! How soon the dead are found.
//!
//! SWIM §3.1: whoever dies is probed for the first time after e/(e − 1) = 1.58 periods on average,
//! whatever the size of the pool; counted in whole periods of those that are left, each of whom
//! begins one probe in each. Told here: the beginning of the first probe that gets no answer, in
//! such periods; the first accusation, which follows when that probe has failed; the first to call
//! it dead; the last to hear so.

use std::fmt;
use std::time::Duration;

use protocol::Time;
use protocol::swim::Event;
use serde::Serialize;

use super::{Options, Pool};
use crate::lab::sample::{Sample, Summary};

/// At most one of so many members is killed, or the pool would be another one.
const ONE_IN: usize = 20;
/// For how long is waited for the last one to be called dead by everybody.
const PATIENCE: Duration = Duration::from_mins(5);

/// How soon the dead were found.
#[derive(Clone, Debug, Serialize)]
pub struct Detection {
    /// How many members there were.
    pub members: usize,
    /// How many died.
    pub kills: usize,
    /// Whole periods until the first probe that got no answer, on average.
    pub periods: f64,
    /// e/(e − 1).
    pub periods_in_theory: f64,
    /// Milliseconds from death to the first accusation.
    pub suspected: Summary,
    /// Milliseconds from death until somebody called it dead.
    pub failed: Summary,
    /// Milliseconds from death until everybody did.
    pub known: Summary,
}

/// One death and what was seen of it.
struct Death {
    victim: usize,
    at: Time,
    suspected: Option<Time>,
    failed: Option<Time>,
    known: Option<Time>,
    knowing: usize,
}

/// Kills so many members, in as many pools as are needed.
#[must_use]
pub fn measure(options: &Options, kills: usize) -> Detection {
    let mut pools = 0;
    let mut periods = Vec::new();
    let mut seen: Vec<[Option<Duration>; 3]> = Vec::new();
    while seen.len() < kills {
        let seed = options.seed.wrapping_add(pools << 32);
        let mut pool = Pool::formed(Options { seed, ..options.clone() });
        let here = (options.members / ONE_IN).max(1).min(kills - seen.len());
        let interval = options.config.probe_interval;
        for death in kill(&mut pool, here) {
            let since = |at: Option<Time>| at.map(|at| at - death.at);
            let asked = pool.members[death.victim].unanswered;
            let whole = since(asked).map(|time| time.as_secs_f64() / interval.as_secs_f64());
            periods.extend(whole.map(|periods| periods.ceil().max(1.0)));
            seen.push([since(death.suspected), since(death.failed), since(death.known)]);
        }
        pools += 1;
    }
    let summary =
        |which: usize| seen.iter().map(|times| times[which]).collect::<Sample>().summary();
    let e = std::f64::consts::E;
    Detection {
        members: options.members,
        kills: seen.len(),
        periods: periods.iter().sum::<f64>() / periods.len().max(1) as f64,
        periods_in_theory: e / (e - 1.0),
        suspected: summary(0),
        failed: summary(1),
        known: summary(2),
    }
}

/// Kills members one after the other, about a second apart, and watches the others.
fn kill(pool: &mut Pool, kills: usize) -> Vec<Death> {
    let mut deaths: Vec<Death> = Vec::new();
    let mut place_of = vec![usize::MAX; pool.len()];
    while deaths.len() < kills {
        let victim = pool.below(pool.len());
        if place_of[victim] != usize::MAX {
            continue;
        }
        pool.crash(victim);
        place_of[victim] = deaths.len();
        let (suspected, failed, known) = (None, None, None);
        deaths.push(Death { victim, at: pool.now(), suspected, failed, known, knowing: 0 });
        // Not in step with anybody's periods.
        let pause = 500 + pool.below(1000) as u64;
        pool.run(Duration::from_millis(pause));
        look(pool, &place_of, &mut deaths);
    }
    let all = pool.len() - kills;
    pool.run_until(PATIENCE, Duration::from_millis(250), |pool| {
        look(pool, &place_of, &mut deaths);
        deaths.iter().all(|death| death.knowing >= all)
    });
    deaths.iter_mut().filter(|death| death.knowing < all).for_each(|death| death.known = None);
    deaths
}

fn look(pool: &mut Pool, place_of: &[usize], deaths: &mut [Death]) {
    for told in pool.take_told() {
        let (Event::Suspected { member: facts, .. } | Event::Failed(facts)) = &told.event else {
            continue;
        };
        let place = pool.place(facts).map_or(usize::MAX, |victim| place_of[victim]);
        let Some(death) = deaths.get_mut(place).filter(|death| told.at >= death.at) else {
            continue;
        };
        if let Event::Failed(_) = &told.event {
            death.failed.get_or_insert(told.at);
            death.known = Some(told.at);
            // Those who die later may have heard of it as well.
            death.knowing += usize::from(pool.swim(told.by).is_some());
        } else {
            death.suspected.get_or_insert(told.at);
        }
    }
}

impl fmt::Display for Detection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} deaths: probed first after {:.2} whole periods, {:.2} in theory ({:+.1} %)",
            self.kills,
            self.periods,
            self.periods_in_theory,
            (self.periods / self.periods_in_theory - 1.0) * 100.0
        )?;
        let seconds = |millis: Option<f64>| {
            millis.map_or_else(|| "–".to_owned(), |millis| format!("{:.2} s", millis / 1000.0))
        };
        for (what, summary) in [
            ("suspected", &self.suspected),
            ("called dead", &self.failed),
            ("known to all", &self.known),
        ] {
            writeln!(
                f,
                "  {what:<12} after {} (mean), {} (half), {} (99 of 100), {} (last)",
                seconds(summary.mean),
                seconds(summary.p50),
                seconds(summary.p99),
                seconds(summary.max)
            )?;
        }
        Ok(())
    }
}
