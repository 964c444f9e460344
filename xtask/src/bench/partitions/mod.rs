//! Partial partitions: Conclave beside etcd, members that reach some others and not all.
//!
//! Each run starts a cluster anew, each member in a network of its own ([`net`]); once all serve,
//! the links of a [`shape`] stay and all others lose everything. One client at each member puts all
//! the while, twenty times a second, each put with half a second to be answered ([`load`]). Both
//! systems have heartbeats of 100 ms and elections after 1 to 2 s. What is reported: the longest
//! time without any acknowledged put, how much terms grew, and puts that failed at members that
//! still reach somebody ([`report`]).
//!
//! Needs the rights of root, for the networks.

mod grpc;
mod load;
mod net;
mod report;
mod shape;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use self::load::{Put, Standing};
use self::net::Net;
use self::report::{Outcome, Row};
use self::shape::{SHAPES, Shape};
use super::cluster::Ground;
use super::process::Process;
use super::system::{Addresses, Programs, System};
use super::{build, located};
use crate::peers;
use crate::repo::Repo;

const USAGE: &str = "\
usage: cargo xtask bench partitions [options]

  --runs N         runs of each partition and system (5)
  --seconds S      how long each partition lasts (15)
  --shapes LIST    of H1, H2, chained, quorum-loss, isolated (all)
  --systems LIST   of conclave, etcd (both)
  --dir D          where the members keep their data (target/bench)
  --binary FILE    measure this program instead of building one
";

/// How long a cluster may take until all its members serve.
const START: Duration = Duration::from_secs(60);
/// How long all members have served before links break.
const QUIET: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug)]
struct Options {
    runs: u64,
    seconds: u64,
    shapes: Vec<Shape>,
    systems: Vec<System>,
    dir: Option<PathBuf>,
    binary: Option<PathBuf>,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            runs: 5,
            seconds: 15,
            shapes: SHAPES.to_vec(),
            systems: System::BOTH.to_vec(),
            dir: None,
            binary: None,
        };
        for pair in words.chunks(2) {
            let &[flag, value] = pair else {
                return Err(format!("{} needs a value\n\n{USAGE}", pair[0]).into());
            };
            let refuse = || format!("{flag} {value}\n\n{USAGE}");
            let number = || value.parse().ok().filter(|it| (1..10_000).contains(it));
            match flag {
                "--runs" => options.runs = number().ok_or_else(refuse)?,
                "--seconds" => options.seconds = number().ok_or_else(refuse)?,
                "--shapes" => {
                    let shapes = value.split(',').map(Shape::named);
                    options.shapes = shapes.collect::<Option<_>>().ok_or_else(refuse)?;
                }
                "--systems" => {
                    let named = |name: &str| {
                        System::BOTH.into_iter().find(|system| system.to_string() == name)
                    };
                    let systems = value.split(',').map(named);
                    options.systems = systems.collect::<Option<_>>().ok_or_else(refuse)?;
                }
                "--dir" => options.dir = Some(value.into()),
                "--binary" => options.binary = Some(value.into()),
                _ => return Err(format!("no option {flag}\n\n{USAGE}").into()),
            }
        }
        Ok(options)
    }
}

/// Measures as the words ask, and prints the table.
pub(crate) fn run(repo: &Repo, words: &[&str]) -> Result<(), Box<dyn Error>> {
    if let ["help" | "--help" | "-h"] = words {
        print!("{USAGE}");
        return Ok(());
    }
    let options = Options::parse(words)?;
    let etcd = peers::etcd(repo)?;
    let dir = options.dir.clone().unwrap_or_else(|| repo.target().join("bench"));
    let ground = Ground::new(&dir)?;
    let conclave = options.binary.clone().map_or_else(|| build(repo), |binary| located(&binary))?;
    let programs = Programs { conclave, etcd };
    let most = options.shapes.iter().map(|shape| shape.members).max().unwrap_or(0);
    let net = Net::new(most, ground.janitor())?;
    let mut rows = Vec::new();
    let mut failures = 0;
    for &shape in &options.shapes {
        for &system in &options.systems {
            let mut row = Row { shape, system, outcomes: Vec::new() };
            for number in 1..=options.runs {
                let folder = ground.path().join(format!("{}-{system}-{number}", shape.name));
                let place = Place { programs: &programs, ground: &ground, net: &net, folder };
                match place.run(shape, system, Duration::from_secs(options.seconds)) {
                    Ok(outcome) => {
                        let Outcome { gap, terms, failed } = &outcome;
                        let gap = gap.as_secs_f64();
                        eprintln!(
                            "{} {system} {number}: {gap:.2} s, +{terms}, {failed:?}",
                            shape.name
                        );
                        row.outcomes.push(outcome);
                    }
                    Err(error) => {
                        failures += 1;
                        eprintln!("{} {system} {number}: {error}", shape.name);
                    }
                }
            }
            rows.push(row);
        }
    }
    print!("median [least–greatest] of all runs\n\n{}", report::lines(&rows));
    if failures == 0 { Ok(()) } else { Err(format!("{failures} runs are missing").into()) }
}

/// Where a run takes place.
struct Place<'a> {
    programs: &'a Programs,
    ground: &'a Ground,
    net: &'a Net<'a>,
    folder: PathBuf,
}

impl Place<'_> {
    fn run(&self, shape: Shape, system: System, time: Duration) -> Result<Outcome, Box<dyn Error>> {
        self.net.heal()?;
        fs::create_dir(&self.folder)?;
        let all: Vec<Addresses> = (0..shape.members).map(addresses).collect();
        let start = |at: usize| self.start(system, &all, at);
        let processes = (0..shape.members).map(start).collect::<Result<Vec<_>, _>>()?;
        let outcome = self.measure(shape, &all, processes, time);
        // Logs of a run that failed tell why; all others only take room.
        let _ = outcome.is_ok().then(|| fs::remove_dir_all(&self.folder));
        outcome
    }

    fn start(
        &self,
        system: System,
        all: &[Addresses],
        at: usize,
    ) -> Result<Process<'_>, Box<dyn Error>> {
        let data = self.folder.join(&all[at].name);
        let mut command = system.command(self.programs, &all[at], all, Path::new(&data));
        match system {
            System::Conclave => {
                command.args(["--heartbeat-interval", "100ms", "--election-timeout", "1s"])
            }
            System::Etcd => {
                command.args(["--heartbeat-interval", "100", "--election-timeout", "1000"])
            }
        };
        let log = self.folder.join(format!("{}.log", all[at].name));
        Process::start(&mut self.net.within(at, &command), &log, self.ground.janitor())
    }

    fn measure(
        &self,
        shape: Shape,
        all: &[Addresses],
        processes: Vec<Process<'_>>,
        time: Duration,
    ) -> Result<Outcome, Box<dyn Error>> {
        let mut processes: Vec<Option<Process<'_>>> = processes.into_iter().map(Some).collect();
        await_all(all)?;
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let clients: Vec<_> =
                all.iter().map(|member| scope.spawn(|| load::ask(member.client, &stop))).collect();
            let measured = (|| -> Result<_, Box<dyn Error>> {
                thread::sleep(QUIET);
                let (leader, before) = agreed(all).ok_or("the leader has changed by itself")?;
                // Who plays which part: the leader the leader's, the others theirs in turn.
                let mut parts: Vec<usize> = (0..shape.members).filter(|at| *at != leader).collect();
                parts.insert(shape.leader, leader);
                let cut = Instant::now();
                if let Some(dead) = shape.dead {
                    processes[parts[dead]] = None;
                }
                for (one, other) in shape.cuts() {
                    self.net.cut(parts[one], parts[other])?;
                }
                thread::sleep(time);
                let end = Instant::now();
                let standings = all.iter().filter_map(|member| load::standing(member.client));
                let after = standings.map(|it| it.term).max().unwrap_or(before);
                Ok((parts, cut, end, after - before))
            })();
            stop.store(true, Ordering::Relaxed);
            let mut puts: Vec<Vec<Put>> = Vec::new();
            for client in clients {
                puts.push(client.join().map_err(|_| "a client has panicked")?);
            }
            let (parts, cut, end, terms) = measured?;
            let by_part: Vec<Vec<Put>> = parts.iter().map(|at| puts[*at].clone()).collect();
            Ok(Outcome::of(&by_part, cut, end, terms))
        })
    }
}

fn addresses(at: usize) -> Addresses {
    let name = format!("m{at}");
    Addresses { name, client: Net::address(at, 2379), peer: Net::address(at, 2380) }
}

/// Waits until all members know one leader and one term.
fn await_all(all: &[Addresses]) -> Result<(), Box<dyn Error>> {
    let deadline = Instant::now() + START;
    while agreed(all).is_none() {
        if Instant::now() >= deadline {
            return Err(format!("not all members serve after {} s", START.as_secs()).into());
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// The leader's place and the term, when all members say the same.
fn agreed(all: &[Addresses]) -> Option<(usize, u64)> {
    let standings: Vec<Standing> =
        all.iter().map(|member| load::standing(member.client)).collect::<Option<_>>()?;
    let first = standings.first()?;
    let same = |it: &Standing| (it.leader, it.term) == (first.leader, first.term);
    let leader = standings.iter().position(|it| it.id == first.leader)?;
    standings.iter().all(same).then_some((leader, first.term))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_and_what_cannot_be_meant_is_refused() {
        let parse = |text: &str| Options::parse(&text.split_whitespace().collect::<Vec<_>>());
        let options = parse("--runs 2 --seconds 3 --shapes H2,chained --systems etcd").unwrap();
        assert_eq!((options.runs, options.seconds, options.shapes.len()), (2, 3, 2));
        assert_eq!(options.systems, [System::Etcd]);
        for bad in ["--runs 0", "--shapes H3", "--systems zk", "--nothing 1", "--runs"] {
            assert!(parse(bad).unwrap_err().to_string().contains("usage"), "{bad}");
        }
    }
}
