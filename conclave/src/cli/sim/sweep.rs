//! `conclave sim sweep`.

use std::time::Duration;

use clap::{ArgGroup, Args};
use serde_json::{Value, json};
use sim::Kind;
use sim::case::Case;
use sim::marks::Mark;
use sim::sweep::{Sweep as Plan, Tally, sweep};

use super::progress::{Progress, bar, left};
use super::run::seed::violation;
use super::{interrupt, panics, parallel};
use crate::cli::output::{self, Format, Output};
use crate::failure::{Failure, Result};

/// Run the worlds of many seeds on all cores. A seed that fails is told at once, with the command
/// that repeats it; the sum comes at the end, or when Ctrl-C ends it. Exits with 1 when a law was
/// broken, or when it was ended early.
///
/// Examples:
///
///   conclave sim sweep --seeds 2000
///   conclave sim sweep --minutes 30 --from 100000 --twice-every 10
///   conclave sim sweep --seeds 200 --busy -o json
///   conclave sim sweep --seeds 30000 --zab
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, group = ArgGroup::new("length").required(true))]
pub(crate) struct Sweep {
    /// How many seeds.
    #[arg(long, group = "length", value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// For how long seeds are begun, in minutes; 0.5 is half a minute.
    #[arg(long, group = "length", value_name = "N", value_parser = minutes)]
    minutes: Option<Duration>,
    /// The first seed.
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    from: u64,
    /// Three busy nodes and every kind of fault, instead of what each seed draws.
    #[arg(long)]
    busy: bool,
    /// Groups that run Zab, with the faults that can befall one.
    #[arg(long)]
    zab: bool,
    /// Worlds at once; as many as there are cores, when it is not said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Run each seed that this divides a second time: it must be the same. 0 does so with none.
    #[arg(long, default_value_t = 0, value_name = "N")]
    twice_every: u64,
    /// Begin no seed after one has failed.
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    output: Output,
}

fn minutes(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().map(|minutes| minutes * 60.0);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| !time.is_zero()).ok_or_else(|| format!("{text:?} is no number of minutes"))
}

impl Sweep {
    pub(crate) fn run(&self) -> Result {
        let plan = self.plan()?;
        panics::quieten();
        interrupt::watch();
        let mut progress = Progress::new();
        let mut told = 0;
        let tally = sweep(&plan, &mut |tally| {
            for failure in &tally.failures[told..] {
                let (case, violation) = (&failure.case, &failure.violation);
                progress.say(&format!("{violation}\n  repeat: conclave sim run {case}"));
            }
            told = tally.failures.len();
            progress.show(|elapsed| self.line(tally, elapsed));
            let over = self.minutes.is_some_and(|minutes| progress.elapsed() >= minutes);
            !over && !interrupt::came()
        });
        progress.clear();
        match self.output.format {
            Format::Plain => output::line(&tally)?,
            Format::Json => output::json(&document(&tally))?,
        }
        self.verdict(&tally)
    }

    fn plan(&self) -> Result<Plan> {
        let end = match self.seeds {
            Some(seeds) => self.from.checked_add(seeds),
            None => Some(u64::MAX),
        };
        let end = end.filter(|end| *end > self.from).ok_or_else(|| {
            Failure::usage(format!("there are not so many seeds from {} on", self.from))
        })?;
        Ok(Plan {
            seeds: self.from..end,
            ground: Case { busy: self.busy, zab: self.zab, ..Case::default() },
            threads: self.threads.map_or_else(parallel::cores, usize::from),
            twice_every: self.twice_every,
            fail_fast: self.fail_fast,
        })
    }

    /// How far it is.
    fn line(&self, tally: &Tally, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64().max(1e-3);
        let share = match (self.seeds, self.minutes) {
            (Some(seeds), _) => tally.seeds as f64 / seeds as f64,
            (None, Some(minutes)) => seconds / minutes.as_secs_f64(),
            (None, None) => 0.0,
        };
        let of = self.seeds.map_or_else(String::new, |seeds| format!("/{seeds}"));
        format!(
            "{} {}{of}  {:.1} seeds/s  {:.1} cluster-hours  {} violations  {}",
            bar(share),
            tally.seeds,
            tally.seeds as f64 / seconds,
            tally.hours(),
            tally.failures.len(),
            left(share, elapsed),
        )
    }

    fn verdict(&self, tally: &Tally) -> Result {
        let failed = tally.failures.len();
        if failed > 0 {
            return Err(Failure::new(format!("{failed} of {} seeds break a law", tally.seeds)));
        }
        if interrupt::came() {
            let text =
                format!("ended early, after {} seeds; none of them broke a law", tally.seeds);
            return Err(Failure::new(text));
        }
        Ok(())
    }
}

fn document(tally: &Tally) -> Value {
    let faults: Value = Kind::ALL
        .iter()
        .zip(&tally.struck)
        .map(|(kind, worlds)| {
            let strikes = tally.marks.strikes(*kind);
            (kind.name().to_owned(), json!({ "strikes": strikes, "worlds": worlds }))
        })
        .collect();
    let marks: Value = Mark::ALL
        .into_iter()
        .zip(&tally.reached)
        .map(|(mark, worlds)| {
            let times = tally.marks.reached(mark);
            (format!("{mark:?}"), json!({ "times": times, "worlds": worlds }))
        })
        .collect();
    let failure = |case: &Case, broken| {
        json!({
            "case": case.to_string(),
            "violation": violation(broken),
            "repeat": format!("conclave sim run {case}"),
        })
    };
    let failures = tally.failures.iter();
    json!({
        "seeds": tally.seeds,
        "twice": tally.twice,
        "meagre": tally.meagre,
        "cluster_hours": tally.hours(),
        "steps": tally.steps,
        "operations": {
            "called": tally.called,
            "answered": tally.answered,
            "unknown": tally.unknown,
        },
        "faults": faults,
        "marks": marks,
        "hash": format!("{:016x}", tally.hash),
        "failures": failures.map(|f| failure(&f.case, &f.violation)).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_positive_numbers() {
        assert_eq!(minutes("0.5"), Ok(Duration::from_secs(30)));
        assert_eq!(minutes("90"), Ok(Duration::from_secs(5_400)));
        for wrong in ["0", "-1", "x", "", "NaN", "inf", "1e300"] {
            assert!(minutes(wrong).is_err(), "{wrong}");
        }
    }
}
