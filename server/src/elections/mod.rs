//! Groups of agents that elect over gossip: `protocol::bully`, carried out.
//!
//! ```text
//!                   thread "gossip"
//! pool ──members──▶ ┌──────┐ ◀─calls── Elections: the admin API, for programs
//!      ◀─letters──▶ │ task │ ──lines─▶ one program that stands, any that observe
//!      ◀─own tag─── └──────┘ ◀───────▶ DIR/elections: a file for each group
//! ```
//!
//! - `settings`: what is said of a group, as text and as the core's configuration;
//! - `file`: what a group keeps, and where;
//! - `group`: one core, what it has seen, and its programs;
//! - `task`, `calls`, `peers`: all groups of this agent, between the pool and the programs;
//! - `words`: what an operator is told;
//! - `handle`: elections for the rest of the process.
//!
//! An agent belongs to a group once it is told so, in its settings or by a program that stands, and
//! then for good: its grants count, whether it has a program or not. It stands for election while a
//! program does.
//!
//! Time is that of the machine since it was started, with the time that it was suspended: a lease
//! must not last longer because of that.

mod calls;
mod clock;
mod file;
mod group;
mod handle;
mod peers;
mod settings;
mod task;
mod words;

pub use clock::boot_time;
pub use handle::{ElectionError, Elections, GroupView, Program, Told};
pub use settings::{GroupSettings, Mode, Who, Wish};

pub(crate) use words::loss;

pub(crate) use task::{Office, letters};

use protocol::NodeId;
use xxhash_rust::xxh3::xxh3_64;

/// The id of a candidate: that of the agent of this name. Never 0.
fn candidate(agent: &str) -> NodeId {
    NodeId(xxh3_64(&[b"candidate\0", agent.as_bytes()].concat()).max(1))
}

#[cfg(test)]
mod tests {
    use super::candidate;

    #[test]
    fn ids_stay_what_they_are_from_version_to_version() {
        assert_eq!(candidate("agent-8").0, FROZEN);
    }

    /// In the files of groups since version 0.2: to change it is to lose every one of them.
    const FROZEN: u64 = 14_884_358_249_492_943_099;
}
