//! How long a member takes to come back with a full store.
//!
//! Both systems are filled through the front door with the same keys. Then a follower is stopped
//! in peace and started again, a few times, the systems taking turns; the clock runs from the start
//! of the process until its first healthy answer, which takes a read through a quorum. The files
//! are in the page cache by then, for both.

use std::error::Error;
use std::time::Duration;

use super::client::{Client, Until, Work};
use super::cluster::{Cluster, MEMBERS};
use super::options::Kind;

/// How often each system is started again.
const ROUNDS: usize = 3;
const FILLERS: u32 = 256;
/// Keys are drawn at random. From a space so much larger than their number, few are drawn twice:
/// half a per mille.
const SPACE_PER_KEY: u64 = 1_000;

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) struct Startup {
    /// How many keys each system held.
    pub(crate) keys: u64,
    /// Round by round: ours, theirs.
    pub(crate) rounds: Vec<(Duration, Duration)>,
}

/// Fills both, and restarts a follower of each in turns.
pub(crate) fn measure(
    clusters: &mut [Cluster<'_>; 2],
    client: &Client,
    keys: u64,
) -> Result<Startup, Box<dyn Error>> {
    let mut held = Vec::new();
    for cluster in clusters.iter_mut() {
        eprintln!("start-up: filling {} with {keys} keys", cluster.system);
        let until = Until::Requests { total: keys, key_space: keys.saturating_mul(SPACE_PER_KEY) };
        let work = Work { kind: Kind::Put, clients: FILLERS, until };
        client
            .load(&cluster.endpoints(), work)
            .map_err(|error| format!("cannot fill {}: {error}", cluster.system))?;
        held.push(client.count(&cluster.endpoints())?);
    }
    if held[0] != held[1] {
        return Err(format!("the same puts left {} and {} keys", held[0], held[1]).into());
    }
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        let [ours, theirs] = clusters;
        let pair = (restart_follower(ours, client)?, restart_follower(theirs, client)?);
        eprintln!("start-up round {round}: conclave {:.2?}, etcd {:.2?}", pair.0, pair.1);
        rounds.push(pair);
    }
    Ok(Startup { keys: held[0], rounds })
}

/// A follower, so that no election is part of the time.
fn restart_follower(
    cluster: &mut Cluster<'_>,
    client: &Client,
) -> Result<Duration, Box<dyn Error>> {
    let leader = cluster.leader(client)?;
    let leader = leader.ok_or_else(|| format!("{} has no leader", cluster.system))?;
    cluster.restart((leader + 1) % MEMBERS)
}
