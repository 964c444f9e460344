//! A fourth member gets a large state under load; then a backup of it is saved and restored.

use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::cluster::{self, Cluster};
use super::super::metrics::Metrics;
use super::super::steady::{Moment, Steady, Window};
use super::super::system::{Addresses, System};
use super::restored::{self, Tools};
use super::{Bench, timed, windows};

/// The length of a value: with its key and what is kept beside it, about a kibibyte.
const VALUE_BYTES: u64 = 1024;
/// Keys in a transaction of the fill: 100 KiB at once.
const BATCH: u64 = 100;
/// How long the newcomer may take.
const PATIENCE: Duration = Duration::from_secs(900);
const PAUSE: Duration = Duration::from_millis(100);
/// What a rewritten state may settle in before anything is measured.
const SETTLE: Duration = Duration::from_secs(5);

pub(super) fn measure(
    bench: &Bench<'_>,
    system: System,
    etcdctl: &Path,
) -> Result<(), Box<dyn Error>> {
    let mut cluster = bench.cluster(system, &system.to_string(), &[])?;
    cluster.begin(bench.client)?;
    let endpoints = cluster.endpoints();
    let (_, filled) = timed(|| fill(bench, &endpoints))?;
    println!("\n{system}: {} keys of {VALUE_BYTES} bytes put in {filled:.1?}", bench.options.keys);
    let mut load = Steady::start(bench.client, bench.ground, &endpoints, bench.options.rate())?;
    let calm = Duration::from_secs(bench.options.seconds.unwrap_or(10));
    load.watch(SETTLE)?;

    let mut rows = vec![("before".to_owned(), load.watch(calm)?)];
    println!("memory before: {}", memory(&cluster)?);
    for at in 0..cluster.addresses().len() {
        cluster.process(at)?.reset_peak()?;
    }
    let ((at, grown), window) = load.during(|| grow(bench, &mut cluster, &endpoints))?;
    rows.push(("a member joins".to_owned(), window));
    let received = Metrics::of(cluster.addresses()[at].client)?
        .sum("etcd_network_peer_received_bytes")
        .ok_or("the newcomer does not tell what it has received")?;
    println!(
        "a voter after {grown:.1?}; it has received {:.0} MiB; peaks meanwhile: {}",
        received / f64::from(1 << 20),
        memory(&cluster)?
    );
    rows.push(("after it".to_owned(), load.watch(calm)?));

    let leader = cluster.await_leader(bench.client)?;
    cluster.process(leader)?.reset_peak()?;
    let tools = Tools { bench, system, etcdctl };
    let asked = cluster.addresses()[leader].client.to_string();
    let ((backup, saved), window) = load.during(|| timed(|| tools.save(&asked)))?;
    rows.push(("a backup is saved".to_owned(), window));
    let from = Moment::now();
    println!(
        "backup: {:.0} MiB in {saved:.1?}; peaks meanwhile: {}",
        backup.bytes as f64 / f64::from(1 << 20),
        memory(&cluster)?
    );
    rows.push(("after it".to_owned(), load.watch(calm)?));
    rows.push(worst_second(&load, from)?);
    print!("{}", windows(&rows));
    let hash = tools.hash(&asked, backup.revision)?;
    drop(load);
    drop(cluster);
    restored::measure(&tools, &backup, hash)
}

fn fill(bench: &Bench<'_>, endpoints: &str) -> Result<Value, Box<dyn Error>> {
    let keys = bench.options.keys.to_string();
    let (total, size) = ((bench.options.keys / BATCH).to_string(), VALUE_BYTES.to_string());
    let batch = BATCH.to_string();
    let words = [
        "bench",
        "put",
        "--sequential",
        "--clients",
        "8",
        "--timeout",
        "60s",
        "--total",
        &total,
        "--key-space",
        &keys,
        "--value-size",
        &size,
        "--batch",
        &batch,
    ];
    bench.client.ask(endpoints, &words)
}

/// Adds a member, starts it, and waits until it votes.
fn grow(
    bench: &Bench<'_>,
    cluster: &mut Cluster<'_>,
    endpoints: &str,
) -> Result<(usize, Duration), Box<dyn Error>> {
    let newcomer = cluster::newcomer("newcomer")?;
    let url = format!("http://{}", newcomer.peer);
    let by_hand = cluster.system == System::Etcd;
    let start = Instant::now();
    let mut add = vec!["member", "add", &url];
    add.extend(by_hand.then_some("--learner"));
    let added = bench.client.ask(endpoints, &add)?;
    let id = added["member"]["id"].as_u64().ok_or("`member add` does not tell the new id")?;
    let at = cluster.join(newcomer)?;
    let deadline = start + PATIENCE;
    while !votes(bench, endpoints, id)? {
        if by_hand {
            // It is refused for as long as the learner is behind.
            let _refused = bench.client.ask(endpoints, &["member", "promote", &format!("{id:x}")]);
        }
        if Instant::now() >= deadline {
            return Err(format!("the newcomer does not vote after {} s", PATIENCE.as_secs()).into());
        }
        thread::sleep(PAUSE);
    }
    Ok((at, start.elapsed()))
}

fn votes(bench: &Bench<'_>, endpoints: &str, id: u64) -> Result<bool, Box<dyn Error>> {
    let list = bench.client.ask(endpoints, &["member", "list"])?;
    let mut members = list["members"].as_array().ok_or("`member list` lists nothing")?.iter();
    Ok(members.any(|member| member["id"] == id && member["is_learner"] == false))
}

/// What each member has, and its peak since that was forgotten.
fn memory(cluster: &Cluster<'_>) -> Result<String, Box<dyn Error>> {
    let mut all = Vec::new();
    for (at, Addresses { name, .. }) in cluster.addresses().iter().enumerate() {
        let memory = cluster.process(at)?.memory()?;
        let mib = |kib: u64| kib / 1024;
        all.push(format!("{name} {} of {}", mib(memory.resident_kib), mib(memory.peak_kib)));
    }
    Ok(format!("{} MiB", all.join(", ")))
}

/// The last ten seconds before a moment, second by second: the one with the highest p99.
fn worst_second(load: &Steady<'_>, to: Moment) -> Result<(String, Window), Box<dyn Error>> {
    let samples = load.read()?;
    let second = |ago: u64| {
        let end = to.before(Duration::from_secs(ago));
        samples.window(end.before(Duration::from_secs(1)), end)
    };
    let worst = (0..10).map(second).max_by(|one, other| one.p99_ms.total_cmp(&other.p99_ms));
    Ok(("worst second of the save's last 10".to_owned(), worst.unwrap_or_default()))
}
