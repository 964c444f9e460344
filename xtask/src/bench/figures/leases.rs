//! Many leases end in the same second: without keys, and with one key each.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use super::super::cluster::Cluster;
use super::super::metrics::Metrics;
use super::super::steady::{Moment, Steady, Window};
use super::super::system::System;
use super::{Bench, windows};

/// How often the members are asked how many are left.
const PAUSE: Duration = Duration::from_millis(100);
/// How long after their time the last may end.
const PATIENCE: Duration = Duration::from_secs(600);
/// Grants under way at once.
const CLIENTS: &str = "128";

pub(super) fn measure(bench: &Bench<'_>, system: System) -> Result<(), Box<dyn Error>> {
    let mut cluster = bench.cluster(system, &system.to_string(), &[])?;
    cluster.begin(bench.client)?;
    let endpoints = cluster.endpoints();
    let mut load = Steady::start(bench.client, bench.ground, &endpoints, bench.options.rate())?;
    println!("\n{system}: {} leases that end together", bench.options.leases);
    let mut rows = Vec::new();
    for attach in [false, true] {
        let with = if attach { "with a key each" } else { "without keys" };
        let (granted, end) = grant(bench, &endpoints, attach)?;
        println!("{with}: granted in {granted:.1?}");
        let leader = cluster.await_leader(bench.client)?;
        let (began, ended) = watch(&cluster, leader, bench.options.leases, end)?;
        println!("{with}: the last has ended {:.2} s after the first", ended.seconds_since(began));
        let samples = load.read()?;
        let calm = Duration::from_secs(bench.options.seconds.unwrap_or(10));
        // The ends lie within a second of each other, and a look at them is a little late.
        let eve = began.before(Duration::from_secs(1));
        rows.push((format!("{with}: before"), samples.window(eve.before(calm), eve)));
        rows.push((format!("{with}: while they end"), samples.window(eve, ended)));
        let worst = worst_second(&samples, eve, ended);
        rows.push((format!("{with}: the worst second"), worst));
        load.watch(Duration::from_secs(2))?;
    }
    print!("{}", windows(&rows));
    Ok(())
}

/// Grants them all, and tells how long that took and when they end.
fn grant(
    bench: &Bench<'_>,
    endpoints: &str,
    attach: bool,
) -> Result<(Duration, Instant), Box<dyn Error>> {
    let (total, ends_in) = (bench.options.leases.to_string(), bench.options.ends_in);
    let (prefix, ends) = (if attach { "leased/" } else { "none/" }, format!("{ends_in}s"));
    let mut words = vec!["bench", "lease", "--clients", CLIENTS, "--total", &total];
    words.extend(["--ends-in", &ends, "--key-prefix", prefix, "--timeout", "60s"]);
    words.extend(attach.then_some("--attach"));
    let start = Instant::now();
    bench.client.ask(endpoints, &words)?;
    Ok((start.elapsed(), start + Duration::from_secs(ends_in)))
}

/// Waits for their end: from the last look at which all were there to the first without any.
fn watch(
    cluster: &Cluster<'_>,
    leader: usize,
    all: u64,
    end: Instant,
) -> Result<(Moment, Moment), Box<dyn Error>> {
    let mut began = Moment::now();
    loop {
        let left = alive(cluster, leader)?;
        if left >= all as f64 {
            began = Moment::now();
        }
        if left <= 0.0 {
            return Ok((began, Moment::now()));
        }
        if Instant::now() >= end + PATIENCE {
            return Err(format!("{left} leases are left long after their time").into());
        }
        thread::sleep(PAUSE);
    }
}

/// How many leases there are.
fn alive(cluster: &Cluster<'_>, leader: usize) -> Result<f64, Box<dyn Error>> {
    let metrics = Metrics::of(cluster.addresses()[leader].client)?;
    let count = match cluster.system {
        System::Conclave => metrics.sum("conclave_leases"),
        System::Etcd => {
            let of = |what| metrics.sum(&format!("etcd_debugging_lease_{what}"));
            of("granted").zip(of("revoked")).map(|(granted, revoked)| granted - revoked)
        }
    };
    Ok(count.ok_or("the leader does not tell how many leases there are")?)
}

fn worst_second(samples: &super::super::steady::Samples, from: Moment, to: Moment) -> Window {
    let mut worst = Window::default();
    let mut end = to;
    while end > from {
        let start = end.before(Duration::from_secs(1)).max(from);
        let window = samples.window(start, end);
        if window.p99_ms > worst.p99_ms {
            worst = window;
        }
        end = start;
    }
    worst
}
