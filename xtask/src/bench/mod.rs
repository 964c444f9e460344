//! Bench: Conclave beside etcd 3.5.1, on one machine, in one run.
//!
//! Three members of each system run on loopback with fresh data on the same disk. One client
//! program loads both, in slices that alternate, and what is reported are quotients of neighbouring
//! slices. Before and after each slice the processor time of every member is read from Linux, so
//! that speed and cost are known of the same seconds.
//!
//! - Nothing that was started outlives the run: guards end it by its id, and when the run itself is
//!   killed, the [`janitor`] does.
//! - A slice in which a request failed is not a slice: its pair is left out, and the run fails once
//!   it has told the rest.
//!
//! Left out: networks and their delays, more than one machine, a client that leaves the members
//! the processors. `docs/benchmarks.md` says what that does to the figures.

mod client;
mod cluster;
mod figures;
mod health;
pub(crate) mod janitor;
mod machine;
mod metrics;
mod options;
mod partitions;
mod process;
mod report;
mod slices;
mod spread;
mod startup;
mod steady;
mod system;
mod table;

use std::error::Error;
use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use self::client::{Client, Until, Work};
use self::cluster::{Cluster, Ground};
use self::machine::Machine;
use self::options::{Kind, Options};
use self::report::{Report, Rss};
use self::startup::Startup;
use self::system::{Programs, System};
use crate::repo::Repo;
use crate::{peers, pipeline};

/// The requests that fill the keys that are read later: five for each of the client's 10,000, which
/// leaves fewer than one in a hundred without a value. Both systems get the same ones.
const FILL: Until = Until::Requests { total: 50_000, key_space: 10_000 };
const FILL_CLIENTS: u32 = 64;

/// Measures as the words ask, and prints the report.
pub(crate) fn run(repo: &Repo, words: &[&str]) -> Result<(), Box<dyn Error>> {
    if let [word, rest @ ..] = words
        && figures::WORDS.contains(word)
    {
        return figures::run(repo, word, rest);
    }
    if let ["help" | "--help" | "-h"] = words {
        print!("{}", options::USAGE);
        return Ok(());
    }
    if let ["partitions", words @ ..] = words {
        return partitions::run(repo, words);
    }
    let options = Options::parse(words)?;
    // First what may be missing, then what takes minutes.
    let write = |text: &str| match &options.json {
        Some(path) => fs::write(path, text).map_err(|error| format!("{}: {error}", path.display())),
        None => Ok(()),
    };
    write("")?;
    let etcd = peers::etcd(repo)?;
    let dir = options.dir.clone().unwrap_or_else(|| repo.target().join("bench"));
    let ground = Ground::new(&dir)?;
    let conclave = options.binary.clone().map_or_else(|| build(repo), |binary| located(&binary))?;
    let programs = Programs { conclave, etcd };

    let report = measure(repo, &programs, &ground, &options)?;
    print!("{}", report.text(&options, small));
    write(&format!("{:#}\n", report.json(&options)))?;
    match report.missing().count() {
        0 => Ok(()),
        count => Err(format!("{count} measurements are missing").into()),
    }
}

fn measure(
    repo: &Repo,
    programs: &Programs,
    ground: &Ground,
    options: &Options,
) -> Result<Report, Box<dyn Error>> {
    let machine = Machine::look(repo, programs, ground.path());
    let client = Client::new(programs.conclave.clone());
    let mut clusters = start(programs, ground, &client)?;
    if options.loads.iter().any(|load| load.kind == Kind::Range) {
        fill(&clusters, &client)?;
    }
    let loads = options
        .loads
        .iter()
        .map(|load| slices::measure(&mut clusters, &client, *load, options))
        .collect();
    // What fails from here on must not take the figures of many minutes with it.
    let mut failures = Vec::new();
    let memory = kept("memory", memory(&clusters, &client), &mut failures);
    // The next clusters take the places of these, and a quiet machine.
    drop(clusters);
    let startup = options
        .startup_keys
        .and_then(|keys| kept("start-up", startup(programs, ground, &client, keys), &mut failures));
    Ok(Report { machine, loads, memory, startup, failures })
}

/// What was measured, or a note that it was not.
fn kept<T>(
    what: &str,
    outcome: Result<T, Box<dyn Error>>,
    failures: &mut Vec<String>,
) -> Option<T> {
    outcome.map_err(|error| failures.push(format!("{what}: {error}"))).ok()
}

fn start<'a>(
    programs: &'a Programs,
    ground: &'a Ground,
    client: &Client,
) -> Result<[Cluster<'a>; 2], Box<dyn Error>> {
    let [ours, theirs] = System::BOTH;
    let begin = |system| Cluster::start(system, programs, ground, client);
    Ok([begin(ours)?, begin(theirs)?])
}

fn fill(clusters: &[Cluster<'_>; 2], client: &Client) -> Result<(), Box<dyn Error>> {
    for cluster in clusters {
        let work = Work { kind: Kind::Put, clients: FILL_CLIENTS, until: FILL };
        client
            .load(&cluster.endpoints(), work)
            .map_err(|error| format!("cannot fill {}: {error}", cluster.system))?;
    }
    Ok(())
}

fn startup(
    programs: &Programs,
    ground: &Ground,
    client: &Client,
    keys: u64,
) -> Result<Startup, Box<dyn Error>> {
    startup::measure(&mut start(programs, ground, client)?, client, keys)
}

fn memory([ours, theirs]: &[Cluster<'_>; 2], client: &Client) -> Result<[Rss; 2], Box<dyn Error>> {
    let rss = |cluster: &Cluster<'_>| -> Result<Rss, Box<dyn Error>> {
        Ok(Rss { members: cluster.memory()?, leader: cluster.leader(client)? })
    };
    Ok([rss(ours)?, rss(theirs)?])
}

/// Builds what users run.
fn build(repo: &Repo) -> Result<PathBuf, Box<dyn Error>> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--package", "conclave", "--manifest-path"]);
    cargo.arg(repo.path("Cargo.toml")).arg("--target-dir").arg(repo.target());
    pipeline::call(&mut cargo)?;
    located(&repo.target().join("release").join("conclave"))
}

fn located(program: &Path) -> Result<PathBuf, Box<dyn Error>> {
    Ok(fs::canonicalize(program).map_err(|error| format!("{}: {error}", program.display()))?)
}

/// Fainter, where that can be seen.
fn small(text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
}
