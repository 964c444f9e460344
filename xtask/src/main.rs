//! The project's only scripts, in the project's only language.
//!
//! `test` judges and never writes into the sources; `fix` and `codegen` write. Everything that
//! continuous integration does is `test`, so that what it says can be repeated at any desk.

mod bench;
mod codegen;
mod peers;
mod pipeline;
mod repo;
mod space;
mod test;
mod tidy;

use std::error::Error;
use std::process::{Command, ExitCode};

use crate::repo::Repo;

const USAGE: &str = "\
usage: cargo xtask <command>

  test                 everything that must hold before a merge; what CI runs
  test --only tests    the tests alone, with their peers
  fix                  format, and let clippy mend what it can
  codegen [--check]    make the protobuf code (or prove that it is fresh)
  tidy                 hold the sources to the laws that no compiler knows
  peers                find or fetch the programs that tests run against, and print where they are
  bench [--help]       Conclave beside etcd 3.5.1: ratios of speed, processor time and memory
  bench growth|leases|hang|cost    what one event costs those who write meanwhile
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let repo = Repo::here();
    let outcome = match words.as_slice() {
        ["test"] => test::run(&repo),
        ["test", "--only", "tests"] => test::only_tests(&repo),
        ["fix"] => fix(&repo),
        ["codegen"] => codegen::generate(&repo),
        ["codegen", "--check"] => codegen::check(&repo),
        ["tidy"] => tidy::run(&repo),
        ["peers"] => peers::set_up(&repo, true).map(drop),
        ["bench", options @ ..] => bench::run(&repo, options),
        [bench::janitor::WORD] => bench::janitor::serve(std::io::stdin().lock()),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Clippy comes first: what it writes is not formatted.
fn fix(repo: &Repo) -> Result<(), Box<dyn Error>> {
    let lint = ["clippy", "--workspace", "--all-targets", "--fix", "--allow-dirty"];
    pipeline::call(
        Command::new("cargo").args(lint).arg("--allow-staged").current_dir(repo.root()),
    )?;
    pipeline::call(Command::new("cargo").args(["fmt", "--all"]).current_dir(repo.root()))
}
