//! A small disk that fills up: growth is refused in time, and a disk that is full to the last byte
//! costs nothing that was acknowledged.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::collections::BTreeMap;

use client::Client;
use etcdpb::etcdserverpb::{AlarmRequest, DeleteRangeRequest, RangeRequest};
use support::cluster::{Cluster, DISK_RESERVED};
use support::small_disk::SmallDisk;
use support::{etcdctl, eventually, get};
use tokio::runtime::Runtime;

/// The member on the small disk.
const SMALL: usize = 0;
const NO_SPACE: &str = "etcdserver: mvcc: database space exceeded";

fn value(number: u32, size: usize) -> Vec<u8> {
    number.to_le_bytes().repeat(size / 4)
}

fn metric(cluster: &Cluster, at: usize, name: &str) -> u64 {
    let page = get(cluster.members[at].client_port, "/metrics").unwrap().1;
    let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().parse().unwrap()
}

/// What was acknowledged, by key.
struct Known {
    numbers: BTreeMap<String, u32>,
    /// The length of each value in bytes.
    size: usize,
}

impl Default for Known {
    fn default() -> Self {
        Self { numbers: BTreeMap::new(), size: 256 << 10 }
    }
}

impl Known {
    /// Puts until a put is refused, which must be for want of space.
    fn fill(&mut self, runtime: &Runtime, client: &Client, first: u32) -> u32 {
        for number in first..first + 2_000 {
            let key = format!("k/{number:05}");
            match runtime.block_on(client.put(key.clone(), value(number, self.size))) {
                Ok(_) => _ = self.numbers.insert(key, number),
                Err(error) => {
                    assert_eq!(error.to_string(), NO_SPACE);
                    return number;
                }
            }
        }
        panic!("a small disk took everything");
    }

    /// Deletes the older half, and gives up its history.
    fn halve(&mut self, runtime: &Runtime, client: &Client) {
        let half = self.numbers.keys().nth(self.numbers.len() / 2).unwrap().clone();
        let request = DeleteRangeRequest {
            key: "k/".into(),
            range_end: half.clone().into(),
            ..DeleteRangeRequest::default()
        };
        let answer = runtime.block_on(client.delete(request)).unwrap();
        self.numbers = self.numbers.split_off(&half);
        let revision = answer.header.unwrap().revision;
        runtime.block_on(client.compact(revision, false)).unwrap();
    }

    /// All of it is there, and nothing else.
    fn assert_there(&self, runtime: &Runtime, client: &Client) {
        for (key, number) in &self.numbers {
            let kv = eventually("a read", || runtime.block_on(client.get(key.clone())).ok());
            assert!(kv.unwrap().value == value(*number, self.size), "{key} has changed");
        }
        let request = RangeRequest {
            key: "k/".into(),
            range_end: "k0".into(),
            count_only: true,
            ..RangeRequest::default()
        };
        let count = eventually("a count", || runtime.block_on(client.range(request.clone())).ok());
        assert_eq!(count.count, i64::try_from(self.numbers.len()).unwrap());
    }
}

fn await_put(runtime: &Runtime, client: &Client) {
    eventually("writes to go on", || runtime.block_on(client.put("again", "1")).ok());
}

fn await_alarm(cluster: &Cluster) {
    for at in 0..cluster.members.len() {
        eventually("the alarm", || {
            let (status, body) = get(cluster.members[at].client_port, "/health")?;
            (status == 503 && body.contains("ALARM NOSPACE")).then_some(())
        });
    }
}

fn list_alarms(cluster: &Cluster) {
    let Some(program) = etcdctl::find() else { return };
    let etcdctl = etcdctl::Etcdctl::new(&program, &cluster.endpoints());
    let listed = etcdctl.ok(&["alarm", "list"]);
    assert!(listed.contains("alarm:NOSPACE") && listed.lines().count() == 1, "{listed}");
    // Cleared by hand it comes back: the disk is what it was.
    assert!(etcdctl.ok(&["alarm", "disarm"]).contains("alarm:NOSPACE"));
    eventually("the alarm again", || {
        etcdctl.ok(&["alarm", "list"]).contains("alarm:NOSPACE").then_some(())
    });
}

#[test]
fn s1_22_writes_end_before_a_small_disk_is_full_and_go_on_by_themselves() {
    let Some(disk) = SmallDisk::mount(224) else { return };
    let runtime = Runtime::new().unwrap();
    let flags = ["--disk-reserved", "64MiB", "--log-keep", "1MiB"];
    let dirs = [(SMALL, disk.path().join("member"))];
    let mut cluster = Cluster::start_in(3, &flags, &dirs);
    let other = cluster.client(1);
    let mut known = Known::default();
    let mut next = known.fill(&runtime, &other, 0);
    assert!(next > 100, "refused after {next} values of 256 KiB");
    await_alarm(&cluster);
    assert_eq!(metric(&cluster, SMALL, "conclave_disk_short "), 1);
    assert_eq!(metric(&cluster, 1, "conclave_disk_short "), 0);
    assert!(metric(&cluster, SMALL, "conclave_disk_free_bytes ") > 16 << 20, "a reserve is left");
    assert_eq!(metric(&cluster, SMALL, "conclave_disk_reserved_bytes "), 64 << 20);
    for at in 0..3 {
        let client = cluster.client(at);
        // What the log gives back meanwhile may end the alarm once more.
        let mut refused = |what: &str, call: &dyn Fn() -> Option<client::Error>| {
            let error = eventually(what, || {
                call().or_else(|| {
                    next = known.fill(&runtime, &other, next);
                    None
                })
            });
            assert_eq!(error.to_string(), NO_SPACE);
        };
        refused("a refused put", &|| runtime.block_on(client.put("more", "1")).err());
        refused("a refused lease", &|| runtime.block_on(client.lease_grant(60, 0)).err());
        known.assert_there(&runtime, &client);
    }
    list_alarms(&cluster);

    // Space given back from inside: nobody clears the alarm.
    known.halve(&runtime, &other);
    await_put(&runtime, &other);
    let alarms = runtime.block_on(other.alarm(AlarmRequest::default())).unwrap().alarms;
    assert!(alarms.is_empty(), "{alarms:?}");
    known.assert_there(&runtime, &cluster.client(SMALL));

    // Someone else takes all of it: to the last byte, and the process is killed and started there.
    let foreign = disk.fill();
    await_alarm(&cluster);
    known.halve(&runtime, &other);
    cluster.kill(SMALL);
    cluster.run(SMALL);
    await_alarm(&cluster);
    known.assert_there(&runtime, &cluster.client(SMALL));
    std::fs::remove_file(foreign).unwrap();
    await_put(&runtime, &other);
    cluster.await_healthy();
    known.fill(&runtime, &other, next);
    for at in 0..3 {
        known.assert_there(&runtime, &cluster.client(at));
    }
    cluster.assert_equal(&runtime);
    cluster.assert_unharmed();
}

#[test]
fn without_a_reserve_a_full_disk_holds_writes_up_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount(96) else { return };
    let runtime = Runtime::new().unwrap();
    let dirs = [(SMALL, disk.path().join("member"))];
    let mut cluster = Cluster::start_in(1, &["--disk-reserved", "0"], &dirs);
    let client = cluster.client(SMALL);
    let mut known = Known::default();
    let foreign = disk.fill();
    // The log has room in the segments that are there already, and then no more.
    let mut held_up = None;
    for number in 0..400 {
        let key = format!("k/{number:05}");
        match runtime.block_on(client.put(key.clone(), value(number, known.size))) {
            Ok(_) => _ = known.numbers.insert(key, number),
            Err(error) => {
                held_up = Some((key, number, error.to_string()));
                break;
            }
        }
    }
    let (key, number, error) = held_up.expect("a full disk took everything");
    assert!(error.contains("timed out") || error.contains("in time"), "{error}");
    assert!(
        known.numbers.len() > 50,
        "two segments of the log take more than {}",
        known.numbers.len()
    );
    cluster.assert_unharmed();
    // What was not acknowledged may be there or not; what was, is.
    cluster.kill(SMALL);
    cluster.run(SMALL);
    std::fs::remove_file(foreign).unwrap();
    cluster.await_healthy();
    let client = cluster.client(SMALL);
    if eventually("a read", || runtime.block_on(client.get(key.clone())).ok()).is_some() {
        known.numbers.insert(key, number);
    }
    known.assert_there(&runtime, &client);
    await_put(&runtime, &client);
    cluster.assert_unharmed();
}

#[test]
fn the_reserve_that_a_small_disk_has_by_itself_ends_writes_before_it_is_full() {
    let Some(disk) = SmallDisk::mount(120) else { return };
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::prepare(1, &[]);
    cluster.members[SMALL].dir = disk.path().join("member");
    let mut command = cluster.command(SMALL);
    command.env_remove(DISK_RESERVED);
    cluster.run_by(SMALL, command);
    cluster.await_healthy();
    assert_eq!(metric(&cluster, SMALL, "conclave_disk_reserved_bytes "), 60 << 20);
    let client = cluster.client(SMALL);
    let mut known = Known { size: 1 << 20, ..Known::default() };
    let next = known.fill(&runtime, &client, 0);
    await_alarm(&cluster);
    let told = |words: &str| cluster.log(&cluster.members[SMALL].name).contains(words);
    assert!(!told("found no room") && !told("cannot flush"), "refused too late");
    // What gives space back has room, and writes go on when the log and what is left fit.
    (0..3).for_each(|_| known.halve(&runtime, &client));
    await_put(&runtime, &client);
    known.fill(&runtime, &client, next);
    // This time tables are put together, too, which may leave a flush no room for a while.
    assert!(!told("cannot flush"), "what is tried again is no error");
    known.assert_there(&runtime, &client);
    cluster.assert_unharmed();
}
