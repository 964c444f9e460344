//! What a cluster has been through before its links become those of a set.

use std::time::Duration;

use protocol::Rng;
use serde::Serialize;

use super::{Plan, TIMEOUT};
use crate::lab::cluster::{Cluster, Disk, Settings, Spread};
use crate::lab::fork;
use crate::lab::links::Links;

/// How long the storm lasts, and how long one set of links does in it.
const STORM: Duration = Duration::from_secs(10);
const GUST: Spread = Spread::millis(100, 1500);

/// The four beginnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Start {
    /// Fresh nodes, equal logs.
    Cold,
    /// All links were up, and a leader had committed to all: equal logs.
    Healthy,
    /// Fresh nodes with logs of random lengths.
    Unequal,
    /// Ten seconds of links that come and go, under proposals to everyone.
    Storm,
}

impl Start {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cold, Self::Healthy, Self::Unequal, Self::Storm];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Healthy => "healthy",
            Self::Unequal => "unequal logs",
            Self::Storm => "storm",
        }
    }

    /// A cluster that has been through it.
    pub(super) fn begin(self, nodes: usize, plan: &Plan, seed: u64) -> Cluster {
        let settings = Settings {
            nodes,
            election: TIMEOUT / 2..=TIMEOUT,
            heartbeat: Duration::from_millis(100),
            guards: plan.guards,
            latency: Spread::micros(200, 2000),
            disk: Disk {
                own_vote: Spread::millis(1, 5),
                vote: Spread::millis(1, 5),
                rest: Spread::millis(1, 5),
            },
        };
        let mut lengths = vec![0; nodes];
        if self == Self::Unequal {
            let mut rng = Rng::new(fork(seed, 1));
            lengths.fill_with(|| 1 + rng.below(3));
        }
        let mut cluster = Cluster::new(&settings, &lengths, seed);
        if plan.mesh {
            cluster.look_for_ways();
        }
        match self {
            Self::Cold | Self::Unequal => {}
            Self::Healthy => be_healthy(&mut cluster, nodes),
            Self::Storm => be_stormy(&mut cluster, nodes),
        }
        cluster
    }
}

/// All links up until everything that the leader has is everywhere; then any moment between two
/// heartbeats.
fn be_healthy(cluster: &mut Cluster, nodes: usize) {
    let patience = cluster.now() + TIMEOUT * 10;
    let equal = |cluster: &Cluster| {
        let leader = cluster.leaders().next();
        leader.is_some_and(|leader| {
            let (last, commit) = (cluster.raft(leader).last(), cluster.raft(leader).commit());
            let same = |n| cluster.raft(n).last() == last && cluster.raft(n).commit() == commit;
            commit == last.index && (0..nodes).all(same)
        })
    };
    assert!(cluster.run(patience, equal), "a whole cluster elects and commits");
    let moment = cluster.now() + Spread::millis(0, 100).draw(cluster.rng());
    cluster.run(moment, |_| false);
}

fn be_stormy(cluster: &mut Cluster, nodes: usize) {
    let end = cluster.now() + STORM;
    while cluster.now() < end {
        let bits = cluster.rng().next().to_le_bytes();
        let bits = u32::from_le_bytes([bits[0], bits[1], bits[2], bits[3]]);
        cluster.connect(Links::directed(nodes, bits));
        for n in 0..nodes {
            cluster.propose(n);
        }
        let until = (cluster.now() + GUST.draw(cluster.rng())).min(end);
        cluster.run(until, |_| false);
    }
}
