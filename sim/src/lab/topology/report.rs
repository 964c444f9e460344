//! All sets of links from all starts, counted.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Breach, Family, Outcome, Plan, Start, TIMEOUT, examine};
use crate::lab::fork;
use crate::lab::table::Table;

/// One row of the table: all sets of a family that do, or do not, have a connected node.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which sets.
    pub family: Family,
    /// What came before.
    pub start: Start,
    /// Whether they have a connected node.
    pub connected: bool,
    /// How many sets of links.
    pub sets: usize,
    /// How many runs.
    pub runs: usize,
    /// Runs at whose settling one node led.
    pub elected: usize,
    /// Runs in which no connected node could be elected, and none was.
    pub limit: usize,
    /// The median time until the leader led, in election timeouts.
    pub median: Option<f64>,
    /// The longest.
    pub worst: Option<f64>,
    /// The most that terms grew until then.
    pub most_terms: u64,
    /// Runs against the laws.
    pub breaches: usize,
}

/// A run against the laws, and how to repeat it.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Which family.
    pub family: Family,
    /// The number of the set in it.
    pub set: u32,
    /// The links, spelled out.
    pub links: String,
    /// What came before.
    pub start: Start,
    /// The seed of [`examine`].
    pub seed: u64,
    /// What happened.
    pub breach: Breach,
}

/// The table.
#[derive(Clone, Debug, Serialize)]
pub struct Topologies {
    /// Its rows.
    pub rows: Vec<Row>,
    /// Every run against the laws.
    pub findings: Vec<Finding>,
}

/// Examines every set of both families from every start.
#[must_use]
pub fn run(plan: &Plan) -> Topologies {
    let mut all = Topologies { rows: Vec::new(), findings: Vec::new() };
    for family in [Family::Directed3, Family::Undirected5] {
        for start in Start::ALL {
            let part = run_part(family, start, plan);
            all.rows.extend(part.rows);
            all.findings.extend(part.findings);
        }
    }
    all
}

/// Examines every set of a family from one start.
#[must_use]
pub fn run_part(family: Family, start: Start, plan: &Plan) -> Topologies {
    let mut findings = Vec::new();
    let mut tallies = [Tally::default(), Tally::default()];
    for set in 0..family.sets() {
        let links = family.links(set);
        let tally = &mut tallies[usize::from(plan.reach(&links).connected().next().is_some())];
        tally.sets += 1;
        for n in 0..plan.seeds {
            let seed = fork(plan.seed, u64::from(set) << 32 | u64::from(n));
            let outcome = examine(family, set, start, plan, seed);
            tally.count(&outcome);
            findings.extend(outcome.breach.map(|breach| {
                let links = links.to_string();
                Finding { family, set, links, start, seed, breach }
            }));
        }
    }
    let rows = tallies.into_iter().zip([false, true]).rev();
    let rows = rows.map(|(tally, connected)| tally.row(family, start, connected)).collect();
    Topologies { rows, findings }
}

#[derive(Default)]
struct Tally {
    sets: usize,
    runs: usize,
    limit: usize,
    breaches: usize,
    most_terms: u64,
    took: Vec<Duration>,
}

impl Tally {
    fn count(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.breaches += usize::from(outcome.breach.is_some());
        let limit = outcome.connected && outcome.took.is_none() && !outcome.electable;
        self.limit += usize::from(limit);
        self.most_terms = self.most_terms.max(outcome.burnt);
        self.took.extend(outcome.took);
    }

    fn row(mut self, family: Family, start: Start, connected: bool) -> Row {
        self.took.sort();
        let timeouts = |took: &Duration| took.as_secs_f64() / TIMEOUT.as_secs_f64();
        Row {
            family,
            start,
            connected,
            sets: self.sets,
            runs: self.runs,
            elected: self.took.len(),
            limit: self.limit,
            median: self.took.get(self.took.len() / 2).map(timeouts),
            worst: self.took.last().map(timeouts),
            most_terms: self.most_terms,
            breaches: self.breaches,
        }
    }
}

impl fmt::Display for Topologies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Every way to join few nodes: time in longest election timeouts")?;
        let mut table = Table::new(&[
            "links",
            "before",
            "some majority",
            "sets",
            "runs",
            "leader",
            "Raft's limit",
            "median",
            "worst",
            "terms ≤",
            "breaches",
        ]);
        for row in &self.rows {
            let time =
                |time: Option<f64>| time.map_or("–".to_owned(), |time| format!("{time:.2}"));
            table.row([
                row.family.name().to_owned(),
                row.start.name().to_owned(),
                if row.connected { "reached" } else { "none" }.to_owned(),
                row.sets.to_string(),
                row.runs.to_string(),
                row.elected.to_string(),
                row.limit.to_string(),
                time(row.median),
                time(row.worst),
                row.most_terms.to_string(),
                row.breaches.to_string(),
            ]);
        }
        write!(f, "{table}")?;
        for finding in &self.findings {
            let Finding { family, set, links, start, seed, breach } = finding;
            let (family, start) = (family.name(), start.name());
            writeln!(f, "{family} set {set} [{links}], {start}, seed {seed}: {breach}")?;
        }
        Ok(())
    }
}
