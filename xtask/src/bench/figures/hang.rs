//! The leader's disk hangs: who leads then, and how long nobody could write.
//!
//! The load goes to the other two members, as that of clients does who have left the one that does
//! not answer. Three set-ups: Conclave with the log on the node's thread and with a thread of its
//! own, and etcd.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use super::super::cluster::{Cluster, MEMBERS};
use super::super::metrics::Metrics;
use super::super::spread::Spread;
use super::super::steady::{Moment, Steady, Window};
use super::super::system::System;
use super::super::table::table;
use super::Bench;
use super::frozen::Disk;

/// How long another may take to lead.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);
/// Before the disk hangs, and after there is a new leader: the load settles.
const CALM: Duration = Duration::from_secs(3);

/// What one hang came to.
struct Fall {
    /// Until another member said that it leads.
    leader_s: f64,
    /// The longest silence among the answers from the hang on.
    silence_s: f64,
    window: Window,
}

pub(super) fn measure(bench: &Bench<'_>) -> Result<(), Box<dyn Error>> {
    let set_ups: [(&str, System, &[&str]); 3] = [
        ("conclave, log on the node's thread", System::Conclave, &["--threads", "shared"]),
        ("conclave, log on a thread of its own", System::Conclave, &["--threads", "split:1"]),
        ("etcd", System::Etcd, &[]),
    ];
    let mut rows = Vec::new();
    for (at, (name, system, words)) in set_ups.into_iter().enumerate() {
        if bench.options.only.is_some_and(|only| only != system) {
            continue;
        }
        let falls = falls(bench, system, &format!("hang-{at}"), words)?;
        let spread = |figure: fn(&Fall) -> f64| {
            let spread = Spread::of(falls.iter().map(figure));
            spread.map_or_else(|| "–".to_owned(), |spread| spread.to_string())
        };
        let failed: usize = falls.iter().map(|fall| fall.window.failures).sum();
        rows.push(vec![
            name.to_owned(),
            falls.len().to_string(),
            spread(|fall| fall.leader_s),
            spread(|fall| fall.silence_s),
            spread(|fall| fall.window.max_ms / 1e3),
            failed.to_string(),
        ]);
    }
    let headings =
        ["", "hangs", "new leader s", "longest silence s", "slowest put s", "puts failed"];
    print!("{}", table(&headings, &rows));
    Ok(())
}

fn falls(
    bench: &Bench<'_>,
    system: System,
    name: &str,
    words: &[&str],
) -> Result<Vec<Fall>, Box<dyn Error>> {
    let mut cluster = bench.cluster(system, name, words)?;
    // Declared after the cluster would be dropped before it, under the members' feet.
    let mut disks = Vec::new();
    for at in 0..MEMBERS {
        let data = cluster.data(at);
        let place = data.parent().ok_or("a member has a folder")?;
        disks.push(Disk::mount(place, bench.ground)?);
    }
    let begun = cluster.begin(bench.client);
    let falls = begun.and_then(|()| {
        let runs = bench.options.runs.unwrap_or(10);
        (1..=runs).map(|run| fall(bench, &mut cluster, &disks, run)).collect()
    });
    cluster.stop();
    drop(disks);
    falls
}

fn fall(
    bench: &Bench<'_>,
    cluster: &mut Cluster<'_>,
    disks: &[Disk],
    run: u64,
) -> Result<Fall, Box<dyn Error>> {
    let old = cluster.await_leader(bench.client)?;
    let others: Vec<usize> = (0..MEMBERS).filter(|at| *at != old).collect();
    let shown: Vec<String> =
        others.iter().map(|at| cluster.addresses()[*at].client.to_string()).collect();
    let rate = bench.options.rate();
    let mut load = Steady::start(bench.client, bench.ground, &shown.join(","), rate)?;
    load.watch(CALM)?;
    let from = Moment::now();
    let hang = disks[old].hang()?;
    let new = await_other(cluster, &others)?;
    let leader_s = new.seconds_since(from);
    load.watch(CALM)?;
    let window = load.read()?.window(from, Moment::now());
    drop(hang);
    drop(load);
    cluster.await_healthy()?;
    let silence_s = window.gap_ms / 1e3;
    eprintln!("{} hang {run}: leader {leader_s:.2} s, silence {silence_s:.2} s", cluster.system);
    Ok(Fall { leader_s, silence_s, window })
}

/// Waits until one of these leads.
fn await_other(cluster: &Cluster<'_>, others: &[usize]) -> Result<Moment, Box<dyn Error>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for at in others {
            let metrics = Metrics::of(cluster.addresses()[*at].client);
            if metrics.is_ok_and(|metrics| metrics.sum("etcd_server_is_leader") == Some(1.0)) {
                return Ok(Moment::now());
            }
        }
        if Instant::now() >= deadline {
            return Err(format!("nobody else leads after {} s", PATIENCE.as_secs()).into());
        }
        thread::sleep(PAUSE);
    }
}
