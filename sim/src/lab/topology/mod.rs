//! Every way in which few nodes can be joined, and what Raft makes of it.
//!
//! All 64 sets of directed links between three nodes and all 1,024 sets of undirected links between
//! five, with the settings of production. Who reaches a majority both ways is *connected*; nobody
//! else can be elected or commit. From each [`Start`] the links become those of the set and stay.
//!
//! 1. Within four of the longest election timeouts there is one leader, where some connected node
//!    could be elected: its log is up to date with a majority that it reaches.
//! 2. From then on, for as long as it is watched (twenty timeouts in a full examination), that node
//!    leads, no term grows by more than one, and what is proposed to it is committed.
//! 3. In a healthy cluster a leader that stays connected stays leader.
//! 4. Where nobody is connected, or nobody leads, no commit index moves after those four timeouts,
//!    whatever is proposed to whom.
//!
//! With equal logs every connected node could be elected. With unequal ones perhaps none: a node
//! outside holds the newer entries, and those that reach a majority need its vote. That is Raft's
//! limit and no failure; it is counted.
//!
//! With ways around broken links ([`Plan::mesh`]) the same holds of whoever is reached over one
//! other node. That is so where links have no direction: elsewhere nodes may not learn who hears
//! them.

mod ablation;
mod report;
mod start;

pub use ablation::{Ablation, Without, ablate};
pub use report::{Finding, Row, Topologies, run, run_part};
pub use start::Start;

use std::fmt;
use std::time::Duration;

use protocol::{Index, Position, Term};
use serde::Serialize;

use super::cluster::{Cluster, Guards};
use super::links::Links;

/// The longest election timeout: the unit of time here.
const TIMEOUT: Duration = Duration::from_secs(2);
const SETTLE: u32 = 4;

/// Which sets of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Family {
    /// The 64 sets of directed links between three nodes.
    Directed3,
    /// The 1,024 sets of undirected links between five nodes.
    Undirected5,
}

impl Family {
    /// How many sets there are.
    #[must_use]
    pub const fn sets(self) -> u32 {
        match self {
            Self::Directed3 => 64,
            Self::Undirected5 => 1024,
        }
    }

    /// The set with this number.
    #[must_use]
    pub fn links(self, set: u32) -> Links {
        match self {
            Self::Directed3 => Links::directed(3, set),
            Self::Undirected5 => Links::undirected(5, set),
        }
    }

    const fn nodes(self) -> usize {
        match self {
            Self::Directed3 => 3,
            Self::Undirected5 => 5,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Directed3 => "3 nodes, directed",
            Self::Undirected5 => "5 nodes, undirected",
        }
    }
}

/// How the sets are examined.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The protections; the laws are those of all three.
    pub guards: Guards,
    /// Nodes find ways around broken links: whoever is reached over one other node is reached.
    pub mesh: bool,
    /// For how many election timeouts a leader, or the lack of one, is watched.
    pub watch: u32,
    /// How many runs each set gets from each start.
    pub seeds: u32,
    /// Where the seeds come from.
    pub seed: u64,
}

impl Plan {
    /// Who reaches whom, when these are the links.
    fn reach(&self, links: &Links) -> Links {
        if self.mesh { links.within_one_hop() } else { links.clone() }
    }

    /// As in production, and watched for twenty timeouts.
    #[must_use]
    pub const fn new(seeds: u32, seed: u64) -> Self {
        Self { guards: Guards::ON, mesh: false, watch: 20, seeds, seed }
    }
}

/// What goes against the laws of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Breach {
    /// The first: nobody leads, though a connected node could be elected.
    NoLeader,
    /// The first: several nodes believe that they lead.
    SeveralLeaders,
    /// The first: the one that leads reaches no majority.
    Unconnected,
    /// The second: another leader, or none for a while.
    Unstable,
    /// The second: the leader does not commit.
    Stuck,
    /// The second: terms grow beside the leader, which the next contact with it will end.
    TermsGrow,
    /// The third: a leader of a healthy cluster that stayed connected was deposed.
    Deposed,
    /// The fourth: a commit without a majority.
    Commit,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoLeader => "no leader",
            Self::SeveralLeaders => "several leaders",
            Self::Unconnected => "unconnected leader",
            Self::Unstable => "leader changes",
            Self::Stuck => "leader cannot commit",
            Self::TermsGrow => "terms grow",
            Self::Deposed => "leader deposed",
            Self::Commit => "commit without majority",
        })
    }
}

/// What became of one set of links.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether anyone is connected.
    pub connected: bool,
    /// Whether a connected node could be elected, at the start or at the end of the four timeouts.
    pub electable: bool,
    /// How long it took until the leader led that stood at the end of the four timeouts; zero for
    /// one that led before.
    pub took: Option<Duration>,
    /// How much the highest term grew in the four timeouts.
    pub burnt: u64,
    /// What went against the laws of this module.
    pub breach: Option<Breach>,
}

/// Runs one set of links from one start, with a seed of its own.
#[must_use]
pub fn examine(family: Family, set: u32, start: Start, plan: &Plan, seed: u64) -> Outcome {
    let links = family.links(set);
    let nodes = family.nodes();
    let mut cluster = start.begin(nodes, plan, seed);
    let (begun, term) = (cluster.now(), cluster.term());
    cluster.connect(links.clone());
    let links = plan.reach(&links);
    let settled = begun + TIMEOUT * SETTLE;
    let begun_with = sole_leader(&cluster);
    let electable_at_first = is_electable(&cluster, &links);
    let mut last = (begun_with, begun);
    cluster.run(settled, |cluster| {
        let leader = sole_leader(cluster);
        if leader != last.0 {
            last = (leader, cluster.now());
        }
        false
    });
    // After a storm, what was under way may still change logs.
    let calm = start != Start::Storm;
    let electable = calm && electable_at_first || is_electable(&cluster, &links);
    let connected = links.connected().next().is_some();
    let burnt = cluster.term().0 - term.0;
    let took = last.0.map(|_| last.1 - begun);
    let deposed = begun_with
        .filter(|_| start == Start::Healthy)
        .is_some_and(|leader| links.connected().any(|n| n == leader.0) && last.0 != Some(leader));
    let breach = match last.0 {
        _ if deposed => Some(Breach::Deposed),
        Some(leader) => watch_leader(&mut cluster, &links, leader, plan.watch),
        None if cluster.leaders().count() > 1 => Some(Breach::SeveralLeaders),
        None if electable => Some(Breach::NoLeader),
        None => watch_nobody(&mut cluster, nodes, plan.watch),
    };
    Outcome { connected, electable, took, burnt, breach }
}

/// The one that leads with its term; `None` while several believe that they do.
fn sole_leader(cluster: &Cluster) -> Option<(usize, Term)> {
    let mut leaders = cluster.leaders();
    let leader = leaders.next()?;
    leaders.next().is_none().then(|| (leader, cluster.raft(leader).term()))
}

/// Raft §5.4.1: whether the log of a connected node is up to date with those of a majority among
/// the nodes that it reaches.
fn is_electable(cluster: &Cluster, links: &Links) -> bool {
    let last = |n: usize| -> Position { cluster.raft(n).last() };
    links.connected().any(|n| {
        let votes = links.circle(n).filter(|&voter| last(n) >= last(voter));
        votes.count() >= links.majority()
    })
}

/// The leader stays, and commits. Gives what went wrong.
fn watch_leader(
    cluster: &mut Cluster,
    links: &Links,
    leader: (usize, Term),
    watch: u32,
) -> Option<Breach> {
    if !links.connected().any(|n| n == leader.0) {
        return Some(Breach::Unconnected);
    }
    let term = cluster.term();
    for _ in 0..2 {
        cluster.propose(leader.0);
        let proposed = cluster.raft(leader.0).last().index;
        let until = cluster.now() + TIMEOUT * watch / 2;
        let changed = cluster.run(until, |cluster| sole_leader(cluster) != Some(leader));
        if changed {
            return Some(Breach::Unstable);
        }
        if cluster.raft(leader.0).commit() < proposed {
            return Some(Breach::Stuck);
        }
    }
    (cluster.term().0 > term.0 + 1).then_some(Breach::TermsGrow)
}

/// Nobody leads, and nothing is committed. Gives what went wrong.
fn watch_nobody(cluster: &mut Cluster, nodes: usize, watch: u32) -> Option<Breach> {
    let before: Index = cluster.commit();
    for _ in 0..watch {
        for n in 0..nodes {
            cluster.propose(n);
        }
        let until = cluster.now() + TIMEOUT;
        cluster.run(until, |_| false);
    }
    (cluster.commit() > before).then_some(Breach::Commit)
}
