//! What each protection is for: the laws of the topologies with some of them off.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Breach, Family, Plan, Start, run_part};
use crate::lab::cluster::Guards;
use crate::lab::table::Table;

/// One choice of protections.
#[derive(Clone, Debug, Serialize)]
pub struct Without {
    /// Which are on.
    pub guards: Guards,
    /// How many runs there were.
    pub runs: usize,
    /// How many of them went against which law.
    pub breaches: BTreeMap<Breach, usize>,
}

/// All eight choices, for one family of sets.
#[derive(Clone, Debug, Serialize)]
pub struct Ablation {
    /// Which sets.
    pub family: Family,
    /// From none on to all three.
    pub choices: Vec<Without>,
}

/// Examines every set of a family from every start under all eight choices of protections; those
/// of `plan` do not matter.
#[must_use]
pub fn ablate(family: Family, plan: &Plan) -> Ablation {
    let choices = (0..8u8).map(|bits| Guards {
        pre_vote: bits & 1 > 0,
        check_quorum: bits & 2 > 0,
        stickiness: bits & 4 > 0,
    });
    let choices = choices.map(|guards| {
        let mut without = Without { guards, runs: 0, breaches: BTreeMap::new() };
        for start in Start::ALL {
            let part = run_part(family, start, &Plan { guards, ..*plan });
            without.runs += part.rows.iter().map(|row| row.runs).sum::<usize>();
            for finding in part.findings {
                *without.breaches.entry(finding.breach).or_default() += 1;
            }
        }
        without
    });
    Ablation { family, choices: choices.collect() }
}

impl fmt::Display for Ablation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Runs against the laws, by protections ({})", self.family.name())?;
        let seen = |breach: &Breach| self.choices.iter().any(|c| c.breaches.contains_key(breach));
        let all = [
            Breach::NoLeader,
            Breach::SeveralLeaders,
            Breach::Unconnected,
            Breach::Unstable,
            Breach::Stuck,
            Breach::TermsGrow,
            Breach::Deposed,
            Breach::Commit,
        ];
        let columns: Vec<Breach> = all.into_iter().filter(seen).collect();
        let names = ["pre-vote", "check quorum", "stickiness", "runs"].map(str::to_owned);
        let heading = names.into_iter().chain(columns.iter().map(Breach::to_string));
        let heading: Vec<String> = heading.collect();
        let mut table = Table::new(&heading.iter().map(String::as_str).collect::<Vec<_>>());
        for Without { guards, runs, breaches } in &self.choices {
            let Guards { pre_vote, check_quorum, stickiness } = *guards;
            let mark = |on| if on { "on" } else { "–" }.to_owned();
            let switches = [pre_vote, check_quorum, stickiness].map(mark);
            let counts = columns.iter().map(|breach| breaches.get(breach).copied().unwrap_or(0));
            let counts = counts.map(|count| count.to_string());
            table.row(switches.into_iter().chain([runs.to_string()]).chain(counts));
        }
        write!(f, "{table}")
    }
}
