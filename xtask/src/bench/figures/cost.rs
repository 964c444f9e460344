//! What something costs: puts with it and without it, in turns, so that only neighbours in time
//! are divided by each other.
//!
//! Request ids are a matter of the client, and one cluster serves both; of two builds, each has a
//! cluster of its own.

use std::error::Error;

use super::super::client::{Client, Outcome, Until, Work};
use super::super::cluster::Cluster;
use super::super::options::Kind;
use super::super::spread::Spread;
use super::super::system::{Programs, System};
use super::super::table::table;
use super::{Bench, located};

/// Puts under way at once.
const LOADS: [u32; 3] = [1, 64, 256];
const SECONDS: u64 = 4;
const PAIRS: u64 = 5;

/// One side: a client and the cluster that it loads.
struct Side<'a> {
    client: Client,
    endpoints: String,
    _cluster: Option<Cluster<'a>>,
}

pub(super) fn measure(bench: &Bench<'_>) -> Result<(), Box<dyn Error>> {
    let against = bench.options.against.as_deref().map(located).transpose()?;
    let against = against.map(|conclave| Programs { conclave, etcd: bench.programs.etcd.clone() });
    let start = |programs, name| {
        let mut cluster = Cluster::prepare(System::Conclave, programs, bench.ground, name, &[])?;
        cluster.begin(bench.client)?;
        Ok::<_, Box<dyn Error>>(cluster)
    };
    let cluster = start(bench.programs, "conclave")?;
    let endpoints = cluster.endpoints();
    let with = Side { client: bench.client.clone(), endpoints, _cluster: Some(cluster) };
    let Some(programs) = &against else {
        let client = bench.client.with("--no-exactly-once");
        let without = Side { client, endpoints: with.endpoints.clone(), _cluster: None };
        return compare(bench, "with request ids ÷ without", &with, &without);
    };
    let cluster = start(programs, "against")?;
    let endpoints = cluster.endpoints();
    // One client program for both: what differs are the members.
    let other = Side { client: bench.client.clone(), endpoints, _cluster: Some(cluster) };
    compare(bench, "this build ÷ the other", &with, &other)
}

fn compare(
    bench: &Bench<'_>,
    what: &str,
    with: &Side<'_>,
    without: &Side<'_>,
) -> Result<(), Box<dyn Error>> {
    let mut rows = Vec::new();
    for clients in LOADS {
        let mut pairs = Vec::new();
        for number in 0..=bench.options.runs.unwrap_or(PAIRS) {
            // Who comes first takes turns, too.
            let pair = if number % 2 == 0 {
                let first = slice(bench, with, clients)?;
                (first, slice(bench, without, clients)?)
            } else {
                let first = slice(bench, without, clients)?;
                (slice(bench, with, clients)?, first)
            };
            eprintln!(
                "put:{clients} pair {number}: {:.0}/s, {:.0}/s",
                pair.0.per_second, pair.1.per_second
            );
            if number > 0 {
                pairs.push(pair);
            }
        }
        let ratio = |figure: fn(&Outcome) -> f64| {
            let ratios = pairs.iter().map(|(with, without)| (figure(with), figure(without)));
            Spread::of_ratios(ratios).map_or_else(|| "–".to_owned(), |spread| spread.to_string())
        };
        rows.push(vec![
            format!("put:{clients}"),
            ratio(|outcome| outcome.per_second),
            ratio(|outcome| outcome.p50_ms),
            ratio(|outcome| outcome.p99_ms),
        ]);
    }
    print!("\n{what}\n{}", table(&["load", "ops/s", "p50", "p99"], &rows));
    Ok(())
}

fn slice(bench: &Bench<'_>, side: &Side<'_>, clients: u32) -> Result<Outcome, Box<dyn Error>> {
    let until = Until::Seconds(bench.options.seconds.unwrap_or(SECONDS));
    side.client.load(&side.endpoints, Work { kind: Kind::Put, clients, until })
}
