//! The hunt, in a build with bugs.

use std::time::Duration;

use protocol::mutant::{Mutant, plant};
use serde_json::{Value, json};
use sim::hunt::{Ground, Kill, hunt};
use sim::shrink::{Shrunk, shrink};

use super::super::meter::timed;
use super::super::progress::Progress;
use super::super::run::seed::violation;
use super::super::shrink::quietly;
use super::super::{interrupt, panics, parallel};
use super::Mutants;
use crate::cli::output::{self, Format};
use crate::cli::table::table;
use crate::failure::{Failure, Result};

/// What became of one.
struct Hunted {
    mutant: Mutant,
    ground: Ground,
    seeds: u64,
    cpu: Duration,
    kill: Option<Kill>,
    shrunk: Option<Shrunk>,
}

impl Mutants {
    pub(crate) fn run(&self) -> Result {
        let mutants = self.chosen()?;
        let end = self.from.checked_add(self.seeds);
        let end = end.ok_or_else(|| Failure::usage("there are not so many seeds"))?;
        panics::quieten();
        interrupt::watch();
        let mut progress = Progress::new();
        let mut hunted = Vec::new();
        for (number, mutant) in mutants.iter().enumerate() {
            progress.show(|_| format!("{} of {}: {}", number + 1, mutants.len(), mutant.name()));
            let one = self.hunt(*mutant, end)?;
            let law = one.law();
            progress.say(&format!("{:<7}{:>6} seeds  {law}", mutant.name(), one.seeds));
            hunted.push(one);
            if interrupt::came() {
                break;
            }
        }
        progress.clear();
        self.show(&hunted)?;
        verdict(&hunted, mutants.len())
    }

    fn chosen(&self) -> Result<Vec<Mutant>> {
        if self.only.is_empty() {
            let all = Mutant::ALL.iter().copied();
            return Ok(all.filter(|mutant| mutant.core() || !self.core).collect());
        }
        let named = self.only.iter().map(|name| {
            Mutant::named(name).ok_or_else(|| {
                let all: Vec<_> = Mutant::ALL.iter().map(|mutant| mutant.name()).collect();
                Failure::usage(format!("no bug is called {name}; there are {}", all.join(", ")))
            })
        });
        named.collect()
    }

    fn hunt(&self, mutant: Mutant, end: u64) -> Result<Hunted> {
        let threads = self.threads.map_or_else(parallel::cores, usize::from);
        let (cpu, hunt) = timed(|| hunt(mutant, self.from..end, threads, 0));
        let shrunk = match &hunt.kill {
            Some(Kill::World(kill)) if self.shrink > 0 => {
                plant(Some(mutant));
                let shrunk = quietly(|| shrink(&kill.case, self.shrink, &mut |_, _| {}));
                plant(None);
                shrunk?
            }
            _ => None,
        };
        Ok(Hunted { mutant, ground: hunt.ground, seeds: hunt.seeds, cpu, kill: hunt.kill, shrunk })
    }

    fn show(&self, hunted: &[Hunted]) -> Result {
        if self.output.format == Format::Json {
            return output::json(&hunted.iter().map(document).collect());
        }
        let headings = ["MUTANT", "CORE", "SEEDS", "CPU S", "LAW", "STEPS", "FAULTS", "GROUND"];
        let rows: Vec<Vec<String>> = hunted.iter().map(cells).collect();
        output::bytes(table(&headings, &rows).as_bytes())
    }
}

fn verdict(hunted: &[Hunted], wanted: usize) -> Result {
    let survived: Vec<_> = hunted.iter().filter(|hunted| hunted.survived()).collect();
    if !survived.is_empty() {
        let names: Vec<_> = survived.iter().map(|hunted| hunted.mutant.name()).collect();
        return Err(Failure::new(format!("{} survive: {}", names.len(), names.join(", "))));
    }
    if hunted.len() < wanted {
        return Err(Failure::new(format!("ended early, after {} of {wanted}", hunted.len())));
    }
    Ok(())
}

impl Hunted {
    fn is_elsewhere(&self) -> bool {
        matches!(self.ground, Ground::Disks(_))
    }

    fn survived(&self) -> bool {
        self.kill.is_none() && !self.is_elsewhere()
    }

    /// The law that was broken.
    fn law(&self) -> String {
        let none = if self.is_elsewhere() { "not hunted here" } else { "SURVIVED" };
        self.kill.as_ref().map_or_else(|| none.to_owned(), Kill::law)
    }
}

/// The steps to the violation and the faults on the way: of the shrunk world, or of the box.
fn least(hunted: &Hunted) -> [Option<u64>; 2] {
    match (&hunted.kill, &hunted.shrunk) {
        (Some(Kill::Steps(found)), _) => [u64::try_from(found.events.len()).ok(), None],
        (Some(Kill::World(_)), Some(shrunk)) => {
            [Some(shrunk.report.steps), Some(shrunk.report.marks.faults())]
        }
        (Some(Kill::World(_)) | None, _) => [None, None],
    }
}

fn cells(hunted: &Hunted) -> Vec<String> {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let [steps, faults] = least(hunted).map(number);
    vec![
        hunted.mutant.name().to_owned(),
        if hunted.mutant.core() { "★" } else { "" }.to_owned(),
        number(Some(hunted.seeds).filter(|_| matches!(hunted.ground, Ground::Worlds(_)))),
        format!("{:.1}", hunted.cpu.as_secs_f64()),
        hunted.law(),
        steps,
        faults,
        hunted.ground.to_string(),
    ]
}

fn document(hunted: &Hunted) -> Value {
    let least = hunted.shrunk.as_ref().map(|shrunk| {
        json!({
            "case": shrunk.case.to_string(),
            "steps": shrunk.report.steps,
            "faults": shrunk.report.marks.faults(),
            "operations": shrunk.report.counts.all.called,
            "violation": shrunk.report.violation.as_ref().map(violation),
        })
    });
    let kill = hunted.kill.as_ref().map(|kill| match kill {
        Kill::World(kill) => {
            json!({ "case": kill.case.to_string(), "violation": violation(&kill.violation) })
        }
        Kill::Steps(found) => json!({
            "law": found.broken.law.to_string(),
            "what": found.broken.seen,
            "steps": found.events.len(),
        }),
    });
    json!({
        "mutant": hunted.mutant.name(),
        "core": hunted.mutant.core(),
        "what": hunted.mutant.what(),
        "detector": hunted.mutant.detector(),
        "ground": hunted.ground.to_string(),
        "seeds": hunted.seeds,
        "cpu_seconds": hunted.cpu.as_secs_f64(),
        "kill": kill,
        "least": least,
    })
}
