//! Slices of load that alternate between the systems.
//!
//! A machine is never equally fast for long. Each slice on ours therefore has a neighbour in time
//! on theirs, and only neighbours are divided by each other. The first slice of each load warms up
//! caches and connections, and is thrown away.

use std::error::Error;

use super::client::{Client, Outcome, Until, Work};
use super::cluster::{Cluster, MEMBERS};
use super::options::{Load, Options};

/// One slice on one system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    pub(crate) outcome: Outcome,
    /// The processor time that each member used during it, in microseconds.
    pub(crate) cpu_us: [f64; MEMBERS],
    /// Who led from its beginning to its end. None when that changed.
    pub(crate) leader: Option<usize>,
}

/// Two neighbours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) conclave: Slice,
    pub(crate) etcd: Slice,
}

/// Everything about one load.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) load: Load,
    pub(crate) pairs: Vec<Pair>,
    /// Why a pair is missing, in words.
    pub(crate) failures: Vec<String>,
}

impl Slice {
    /// Of all members, in microseconds an operation.
    pub(crate) fn cpu_all(&self) -> f64 {
        self.per_operation(self.cpu_us.iter().sum())
    }

    /// Of the leader, in microseconds an operation.
    pub(crate) fn cpu_leader(&self) -> Option<f64> {
        self.leader.map(|leader| self.per_operation(self.cpu_us[leader]))
    }

    /// Of the followers together, in microseconds an operation.
    pub(crate) fn cpu_followers(&self) -> Option<f64> {
        self.cpu_leader().map(|leader| self.cpu_all() - leader)
    }

    fn per_operation(&self, us: f64) -> f64 {
        us / self.outcome.acknowledged as f64
    }
}

/// Runs one load on both, slice after slice.
pub(crate) fn measure(
    clusters: &mut [Cluster<'_>; 2],
    client: &Client,
    load: Load,
    options: &Options,
) -> Measured {
    let mut measured = Measured { load, pairs: Vec::new(), failures: Vec::new() };
    for number in 0..=options.slices {
        match pair(clusters, client, load, options.seconds) {
            Ok(pair) => {
                let (ours, theirs) = (pair.conclave.outcome, pair.etcd.outcome);
                let name = if number == 0 { "warm-up".into() } else { format!("pair {number}") };
                eprintln!(
                    "{load} {name}: conclave {:.0}/s, etcd {:.0}/s",
                    ours.per_second, theirs.per_second
                );
                if number > 0 {
                    measured.pairs.push(pair);
                }
            }
            Err(error) => {
                eprintln!("{load} pair {number}: {error}");
                measured.failures.push(format!("{load} pair {number}: {error}"));
            }
        }
    }
    measured
}

fn pair(
    [ours, theirs]: &mut [Cluster<'_>; 2],
    client: &Client,
    load: Load,
    seconds: u64,
) -> Result<Pair, Box<dyn Error>> {
    let take = |cluster: &mut Cluster<'_>| {
        slice(cluster, client, load, seconds)
            .map_err(|error| format!("{}: {error}", cluster.system))
    };
    Ok(Pair { conclave: take(ours)?, etcd: take(theirs)? })
}

/// One load on one cluster.
pub(crate) fn slice(
    cluster: &mut Cluster<'_>,
    client: &Client,
    load: Load,
    seconds: u64,
) -> Result<Slice, Box<dyn Error>> {
    cluster.await_healthy()?;
    let Load { kind, clients } = load;
    let leader = cluster.leader(client)?;
    let before = cluster.cpu_us()?;
    let work = Work { kind, clients, until: Until::Seconds(seconds) };
    let outcome = client.load(&cluster.endpoints(), work)?;
    let after = cluster.cpu_us()?;
    let leader = leader.filter(|_| cluster.leader(client).is_ok_and(|now| now == leader));
    let cpu_us = std::array::from_fn(|at| after[at] - before[at]);
    if cpu_us.iter().sum::<f64>() <= 0.0 {
        return Err("its processes used no time: is the program a script around another?".into());
    }
    Ok(Slice { outcome, cpu_us, leader })
}

#[cfg(test)]
pub(super) fn sample(per_second: f64, cpu_us: [f64; MEMBERS], leader: Option<usize>) -> Slice {
    let outcome = Outcome { acknowledged: 100, per_second, p50_ms: 1.0, p99_ms: 4.0 };
    Slice { outcome, cpu_us, leader }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_shared_out_over_operations_and_roles() {
        let slice = sample(1.0, [1_000.0, 5_000.0, 2_000.0], Some(1));
        assert_eq!(slice.cpu_all(), 80.0);
        assert_eq!((slice.cpu_leader(), slice.cpu_followers()), (Some(50.0), Some(30.0)));
    }

    #[test]
    fn a_slice_that_changed_its_leader_has_no_roles() {
        let slice = sample(1.0, [1_000.0, 5_000.0, 2_000.0], None);
        assert_eq!(slice.cpu_all(), 80.0);
        assert_eq!((slice.cpu_leader(), slice.cpu_followers()), (None, None));
    }
}
