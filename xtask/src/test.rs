//! `cargo xtask test`: everything that must hold before a merge, cheapest first.
//!
//! Where `CI=true` it is strict: every peer must be there, and the lock file must be current. There
//! incremental compilation is off too, since nothing is ever compiled a second time.

use std::error::Error;
use std::process::Command;

use crate::pipeline::{self, Step};
use crate::repo::Repo;
use crate::{codegen, peers, space, tidy};

/// What the gates run, many times as fast, is left out of the tests.
const NOT_IN_GATES: &str = "not (binary_id(sim::gate) | binary_id(sim::lab) | \
                            binary_id(sim::seeds) | binary_id(sim::zab_worlds))";

/// Worlds that must break no law before a merge.
const GATE_SEEDS: &str = "2000";

/// Runs of each body that meets harmed messages of the pool: about a minute in all.
const FUZZ_EXECUTIONS: &str = "10000000";

/// Where bugs can be planted, and the tests that need them there.
const PLANTED: [&str; 5] = ["protocol", "store", "node", "storage", "sim"];
const HUNTS: [&str; 9] = [
    "mutants",
    "serf_mutants",
    "swim_mutants",
    "pool_mutants",
    "founding_mutants",
    "bully_mutants",
    "zab_mutants",
    "seeds",
    "fail_fast",
];

/// Judges the checkout; never writes into its sources.
pub(crate) fn run(repo: &Repo) -> Result<(), Box<dyn Error>> {
    let strict = std::env::var("CI").is_ok_and(|value| value == "true");
    let cargo = Cargo { repo, strict };
    println!(
        "{}",
        if strict { "CI=true: strict" } else { "CI is not `true`: peers may be missing" }
    );
    let mut steps = sources(repo, &cargo);
    steps.extend(builds(repo, &cargo));
    steps.extend(gates(&cargo));
    pipeline::run(steps)
}

/// What needs no build of the project.
fn sources<'a>(repo: &'a Repo, cargo: &'a Cargo<'_>) -> Vec<Step<'a>> {
    vec![
        Step {
            name: "space",
            proves: "the disks have room for the builds and the tests' servers",
            again: "cargo xtask test   (it is the first step)",
            run: Box::new(|| space::check(repo)),
        },
        Step {
            name: "fmt",
            proves: "the code is formatted as rustfmt formats it",
            again: "cargo fmt --all --check   (cargo xtask fix writes)",
            run: Box::new(|| cargo.call(&["fmt", "--all", "--check"], &[])),
        },
        Step {
            name: "tidy",
            proves: "the laws of the house that no compiler knows",
            again: "cargo xtask tidy",
            run: Box::new(|| tidy::run(repo)),
        },
        Step {
            name: "codegen",
            proves: "the generated code is what the contract in etcdpb/proto gives",
            again: "cargo xtask codegen --check   (without --check it writes)",
            run: Box::new(|| codegen::check(repo)),
        },
    ]
}

/// What does.
fn builds<'a>(repo: &'a Repo, cargo: &'a Cargo<'_>) -> Vec<Step<'a>> {
    vec![
        Step {
            name: "clippy",
            proves: "no lint of the workspace fires, tests included",
            again: "cargo clippy --workspace --all-targets -- -D warnings",
            run: Box::new(|| {
                let lint = ["clippy", "--workspace", "--all-targets"];
                cargo.call(&lint, &["--", "-D", "warnings"])
            }),
        },
        Step {
            name: "doc",
            proves: "the documentation builds, and every link in it leads somewhere",
            again: "RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps",
            run: Box::new(|| cargo.call(&["doc", "--workspace", "--no-deps"], &[])),
        },
        Step {
            name: "tests",
            proves: "units, traces, models, crash points, fuzz bodies, whole processes and peers",
            again: "cargo xtask test --only tests",
            run: Box::new(|| tests(repo, cargo)),
        },
    ]
}

/// What runs for long, optimised and with every assertion on; and the examples.
fn gates<'a>(cargo: &'a Cargo<'_>) -> Vec<Step<'a>> {
    vec![
        Step {
            name: "seeds",
            proves: "2,000 worlds of the simulator break no law, and run twice they are the same, \
                     nor do some with Zab; elections take what was published",
            again: "SEEDS=2000 cargo test --profile gate -p sim --test gate --test lab --test \
                    zab_worlds",
            run: Box::new(|| {
                let gate = ["test", "--profile", "gate", "-p", "sim", "--test", "gate"];
                let mut command = cargo.command(&gate);
                command.args(["--test", "lab", "--test", "zab_worlds"]);
                command.env("SEEDS", GATE_SEEDS).args(["--", "--nocapture"]);
                pipeline::call(&mut command)
            }),
        },
        Step {
            name: "fuzz",
            proves: "no bytes from a pool make a member panic, forget its laws or grow",
            again: "EXECUTIONS=10000000 cargo test --profile gate -p protocol --test fuzz",
            run: Box::new(|| {
                let fuzz = ["test", "--profile", "gate", "-p", "protocol", "--test", "fuzz"];
                let mut command = cargo.command(&fuzz);
                command.env("EXECUTIONS", FUZZ_EXECUTIONS).args(["--", "--nocapture"]);
                pipeline::call(&mut command)
            }),
        },
        Step {
            name: "mutants",
            proves: "planted bugs are noticed: each by its own test, the core set by the simulator",
            again: "cargo test --profile gate -p sim --features mutants --test mutants   (and the \
                    others of `HUNTS` in xtask/src/test.rs)",
            run: Box::new(|| {
                let mut command = cargo.command(&["test", "--profile", "gate"]);
                command.args(PLANTED.iter().flat_map(|package| ["-p", package]));
                command.args(["--features", "sim/mutants"]);
                command.args(HUNTS.iter().flat_map(|test| ["--test", test]));
                command.args(["--", "--nocapture"]);
                pipeline::call(&mut command)
            }),
        },
        Step {
            name: "doctests",
            proves: "the examples in the documentation run",
            again: "cargo test --workspace --doc",
            run: Box::new(|| cargo.call(&["test", "--quiet", "--workspace", "--doc"], &[])),
        },
    ]
}

/// The tests alone, with the peers that they need.
pub(crate) fn only_tests(repo: &Repo) -> Result<(), Box<dyn Error>> {
    let strict = std::env::var("CI").is_ok_and(|value| value == "true");
    tests(repo, &Cargo { repo, strict })
}

fn tests(repo: &Repo, cargo: &Cargo<'_>) -> Result<(), Box<dyn Error>> {
    let found = peers::set_up(repo, cargo.strict)?;
    let mut command = if has_nextest() {
        let mut command = cargo.command(&["nextest", "run", "--workspace"]);
        command.args(["--filterset", NOT_IN_GATES]);
        command
    } else {
        println!("    cargo-nextest is not installed: `cargo test` runs the tests, more slowly");
        let mut command = cargo.command(&["test", "--workspace", "--lib", "--bins", "--tests"]);
        command.arg("--no-fail-fast");
        command
    };
    pipeline::call(command.envs(found))
}

fn has_nextest() -> bool {
    let output = Command::new("cargo").args(["nextest", "--version"]).output();
    output.is_ok_and(|output| output.status.success())
}

/// How cargo is called here.
struct Cargo<'a> {
    repo: &'a Repo,
    strict: bool,
}

impl Cargo<'_> {
    /// The command of these words: the first names what cargo shall do.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("cargo");
        command.args(words).current_dir(self.repo.root()).env("RUSTDOCFLAGS", "-D warnings");
        if self.strict {
            command.env("CARGO_INCREMENTAL", "0");
            if words.first() != Some(&"fmt") {
                command.arg("--locked");
            }
        }
        command
    }

    fn call(&self, words: &[&str], after: &[&str]) -> Result<(), Box<dyn Error>> {
        pipeline::call(self.command(words).args(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(strict: bool, words: &[&str]) -> Vec<String> {
        let repo = Repo::here();
        let command = Cargo { repo: &repo, strict }.command(words);
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn strict_means_locked_where_cargo_knows_the_word() {
        assert_eq!(arguments(true, &["doc", "--no-deps"]), ["doc", "--no-deps", "--locked"]);
        assert_eq!(arguments(true, &["fmt", "--check"]), ["fmt", "--check"]);
        assert_eq!(arguments(false, &["doc"]), ["doc"]);
    }

    #[test]
    fn every_step_has_a_name_of_its_own() {
        let repo = Repo::here();
        let cargo = Cargo { repo: &repo, strict: false };
        let steps = sources(&repo, &cargo).into_iter();
        let steps = steps.chain(builds(&repo, &cargo)).chain(gates(&cargo));
        let mut names: Vec<_> = steps.map(|step| step.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
