//! Figures: what one event costs those who write meanwhile.
//!
//! `cargo xtask bench` compares steady loads; here something happens under a load, once or a few
//! times, and what counts is the time it takes and how the puts of the same run fared before and
//! meanwhile. Each figure is a word:
//!
//! | word | what happens |
//! |---|---|
//! | `growth` | a fourth member gets a large state; a backup of it is saved, and restored |
//! | `leases` | many leases end in the same second |
//! | `hang` | the leader's disk stops answering |
//! | `cost` | nothing: puts with and without request ids, or of two builds, in turns |
//!
//! Both systems go through the same, one after the other; each is alone on the machine meanwhile.
//! `docs/figures.md` has what came of it.

mod cost;
mod frozen;
mod growth;
mod hang;
mod leases;
mod options;
mod restored;

use std::error::Error;
use std::time::{Duration, Instant};

use super::client::Client;
use super::cluster::{Cluster, Ground};
use super::steady::Window;
use super::system::{Programs, System};
use super::table::table;
use super::{build, located};
use crate::peers;
use crate::repo::Repo;

use self::options::Options;

/// The words that [`run`] takes.
pub(super) const WORDS: [&str; 4] = ["growth", "leases", "hang", "cost"];

/// What every figure needs.
struct Bench<'a> {
    programs: &'a Programs,
    ground: &'a Ground,
    client: &'a Client,
    options: &'a Options,
}

/// Measures one figure, and prints it.
pub(super) fn run(repo: &Repo, word: &str, words: &[&str]) -> Result<(), Box<dyn Error>> {
    if let ["help" | "--help" | "-h"] = words {
        print!("{}", options::USAGE);
        return Ok(());
    }
    let options = Options::parse(words)?;
    let (etcd, etcdctl) = peers::both(repo)?;
    let dir = options.dir.clone().unwrap_or_else(|| repo.target().join("bench"));
    let ground = Ground::new(&dir)?;
    let conclave = options.binary.clone().map_or_else(|| build(repo), |binary| located(&binary))?;
    let programs = Programs { conclave, etcd };
    let machine = super::machine::Machine::look(repo, &programs, ground.path());
    print!("{}", machine.text());
    let client = Client::new(programs.conclave.clone());
    let bench = Bench { programs: &programs, ground: &ground, client: &client, options: &options };
    match word {
        "growth" => bench.each(|system| growth::measure(&bench, system, &etcdctl)),
        "leases" => bench.each(|system| leases::measure(&bench, system)),
        "hang" => hang::measure(&bench),
        _ => cost::measure(&bench),
    }
}

impl Bench<'_> {
    /// For each of the systems that are asked for.
    fn each(
        &self,
        mut measure: impl FnMut(System) -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        let asked = |system: &System| self.options.only.is_none_or(|only| only == *system);
        System::BOTH.into_iter().filter(asked).try_for_each(|system| {
            measure(system).map_err(|error| format!("{system}: {error}").into())
        })
    }

    fn cluster(
        &self,
        system: System,
        name: &str,
        words: &[&str],
    ) -> Result<Cluster<'_>, Box<dyn Error>> {
        Cluster::prepare(system, self.programs, self.ground, name, words)
    }
}

/// How long some work took.
fn timed<T>(
    work: impl FnOnce() -> Result<T, Box<dyn Error>>,
) -> Result<(T, Duration), Box<dyn Error>> {
    let start = Instant::now();
    let done = work()?;
    Ok((done, start.elapsed()))
}

/// A table of windows: what was going on, and how puts fared.
fn windows(rows: &[(String, Window)]) -> String {
    let headings = ["", "puts", "failed", "p50 ms", "p99 ms", "max ms", "longest silence ms"];
    let cells = |(name, window): &(String, Window)| {
        let Window { answers, failures, p50_ms, p99_ms, max_ms, gap_ms } = window;
        let mut cells = vec![name.clone(), answers.to_string(), failures.to_string()];
        cells.extend([p50_ms, p99_ms, max_ms, gap_ms].map(|ms| format!("{ms:.2}")));
        cells
    };
    table(&headings, &rows.iter().map(cells).collect::<Vec<_>>())
}
