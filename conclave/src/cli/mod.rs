//! The tree of commands, one file each.

mod agent;
mod bench;
mod completions;
mod dev;
mod elect;
mod hold;
mod http;
mod inspect;
mod json;
mod kv;
mod lease;
mod local;
mod lock;
mod measured;
mod member;
mod members;
mod output;
mod paragraphs;
mod recover;
mod sim;
mod snapshot;
mod start_line;
mod status;
mod table;
mod target;

pub(crate) use hold::tether::become_command;
pub(crate) use target::block_on;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::failure::Result;

/// Agreement, membership, health and leaders for groups of machines.
///
/// `conclave dev` starts a server on this machine; then, in another terminal:
///
///   conclave kv put greeting hello
///   conclave kv get greeting
///   conclave status
#[derive(Debug, Parser)]
#[command(name = "conclave", version, propagate_version = true, max_term_width = 100)]
#[command(verbatim_doc_comment, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Dev),
    Local(local::Local),
    Agent(agent::Agent),
    /// Read, write and watch keys.
    #[command(subcommand)]
    Kv(kv::Kv),
    /// Grant, renew and revoke leases.
    #[command(subcommand)]
    Lease(lease::Lease),
    Lock(lock::Lock),
    Elect(elect::Elect),
    /// Members of the consensus group.
    #[command(subcommand)]
    Member(member::Member),
    Members(members::Members),
    Status(status::Status),
    /// Back up a cluster, look into a backup, begin a new cluster from one.
    #[command(subcommand)]
    Snapshot(snapshot::Snapshot),
    Recover(recover::Recover),
    /// Look into a data directory, without changing it.
    #[command(subcommand)]
    Inspect(inspect::Inspect),
    /// Measure throughput and latency; prove that nothing acknowledged was lost.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Worlds from seeds: watch elections, repeat a failure, prove that the checks see.
    #[command(subcommand)]
    Sim(sim::Sim),
    Completions(completions::Completions),
}

impl Cli {
    /// Reads the command line. Does not come back when it is wrong, or asks for help.
    pub(crate) fn read() -> Self {
        let matches = paragraphs::joined(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    pub(crate) fn run(self) -> Result {
        match self.command {
            Command::Dev(dev) => dev.run(),
            Command::Local(local) => local.run(),
            Command::Agent(agent) => agent.run(),
            Command::Kv(kv) => kv.run(),
            Command::Lease(lease) => lease.run(),
            Command::Lock(lock) => lock.run(),
            Command::Elect(elect) => elect.run(),
            Command::Member(member) => member.run(),
            Command::Members(members) => members.run(),
            Command::Status(status) => status.run(),
            Command::Snapshot(snapshot) => snapshot.run(),
            Command::Recover(recover) => recover.run(),
            Command::Inspect(inspect) => inspect.run(),
            Command::Bench(bench) => bench.run(),
            Command::Sim(sim) => sim.run(),
            Command::Completions(completions) => completions.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            if command.has_subcommands() {
                command.get_subcommands().for_each(|child| check(child, &path));
                return;
            }
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Example"), "{path} has no example");
        }
        let command = Cli::command();
        command.get_subcommands().for_each(|child| check(child, "conclave"));
    }

    #[test]
    fn a_wrong_flag_is_a_usage_error() {
        let error = Cli::try_parse_from(["conclave", "kv", "get", "--nope", "k"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
