//! What something costs: puts with it and without it, in turns, so that only neighbours in time
//! are divided by each other.
//!
//! Request ids are a matter of the client, and one cluster serves both; of two builds, each has a
//! cluster of its own.

use std::error::Error;

use super::super::client::Client;
use super::super::cluster::Cluster;
use super::super::options::{Kind, Load};
use super::super::slices::{self, Slice};
use super::super::spread::Spread;
use super::super::system::{Programs, System};
use super::super::table::table;
use super::{Bench, located};

/// Puts under way at once.
const LOADS: [u32; 3] = [1, 64, 256];
const SECONDS: u64 = 4;
const PAIRS: u64 = 5;

/// One side: a client, and which of the clusters it loads.
struct Side {
    client: Client,
    cluster: usize,
}

pub(super) fn measure(bench: &Bench<'_>) -> Result<(), Box<dyn Error>> {
    let against = bench.options.against.as_deref().map(located).transpose()?;
    let against = against.map(|conclave| {
        let etcd = bench.programs.etcd.clone();
        Programs { conclave, etcd }
    });
    let mut clusters = Vec::new();
    for (programs, name) in [(Some(bench.programs), "conclave"), (against.as_ref(), "against")] {
        let Some(programs) = programs else { continue };
        let mut cluster = Cluster::prepare(System::Conclave, programs, bench.ground, name, &[])?;
        cluster.begin(bench.client)?;
        clusters.push(cluster);
    }
    let with = Side { client: bench.client.clone(), cluster: 0 };
    let (what, without) = if against.is_some() {
        // One client program for both: what differs are the members.
        ("this build ÷ the other", Side { client: bench.client.clone(), cluster: 1 })
    } else {
        let client = bench.client.with("--no-exactly-once");
        ("with request ids ÷ without", Side { client, cluster: 0 })
    };
    let mut rows = Vec::new();
    for clients in LOADS {
        let pairs = pairs(bench, &mut clusters, clients, [&with, &without])?;
        rows.push(row(clients, &pairs));
    }
    let headings = ["load", "ops/s", "p50", "p99", "CPU/op, all", "CPU/op, leader"];
    print!("\n{what}\n{}", table(&headings, &rows));
    Ok(())
}

fn pairs(
    bench: &Bench<'_>,
    clusters: &mut [Cluster<'_>],
    clients: u32,
    [with, without]: [&Side; 2],
) -> Result<Vec<(Slice, Slice)>, Box<dyn Error>> {
    let seconds = bench.options.seconds.unwrap_or(SECONDS);
    let load = Load { kind: Kind::Put, clients };
    let mut slice =
        |side: &Side| slices::slice(&mut clusters[side.cluster], &side.client, load, seconds);
    let mut pairs = Vec::new();
    for number in 0..=bench.options.runs.unwrap_or(PAIRS) {
        // Who comes first takes turns, too.
        let pair = if number % 2 == 0 {
            let first = slice(with)?;
            (first, slice(without)?)
        } else {
            let first = slice(without)?;
            (slice(with)?, first)
        };
        eprintln!(
            "{load} pair {number}: {:.0}/s, {:.0}/s; CPU µs/op {:.0}, {:.0}",
            pair.0.outcome.per_second,
            pair.1.outcome.per_second,
            pair.0.cpu_all(),
            pair.1.cpu_all()
        );
        // The first is to warm up.
        if number > 0 {
            pairs.push(pair);
        }
    }
    Ok(pairs)
}

fn row(clients: u32, pairs: &[(Slice, Slice)]) -> Vec<String> {
    let ratio = |figure: fn(&Slice) -> Option<f64>| {
        let both = pairs.iter().filter_map(|(with, without)| figure(with).zip(figure(without)));
        Spread::of_ratios(both).map_or_else(|| "–".to_owned(), |spread| spread.to_string())
    };
    vec![
        format!("put:{clients}"),
        ratio(|slice| Some(slice.outcome.per_second)),
        ratio(|slice| Some(slice.outcome.p50_ms)),
        ratio(|slice| Some(slice.outcome.p99_ms)),
        ratio(|slice| Some(slice.cpu_all())),
        ratio(Slice::cpu_leader),
    ]
}
