//! A member whose state is wrong, with every checksum right, is found out by the others, serves
//! nobody, says so, and has its state anew by itself.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use client::etcdserverpb::{AlarmRequest, AlarmType};
use storage::datadir::DataDir;
use storage::state::{State, StateOptions};
use store::{BackendRead, Record, Revision};
use support::cluster::{Cluster, conclave};
use support::writers::Writers;
use support::{PATIENCE, eventually, get};
use tokio::runtime::Runtime;

/// Changes the newest value of a key in the state of a member that does not run, as its own
/// backend writes it: all checksums hold.
fn spoil(dir: &Path, key: &str) {
    let identity = DataDir::identity(dir).unwrap().unwrap();
    let held = DataDir::open(dir, identity).unwrap();
    let mut state = State::open(&held.state(), identity, StateOptions::default()).unwrap();
    let end = Revision::new(i64::MAX, 0);
    let mut records = state.scan(Revision::default(), end, usize::MAX).unwrap();
    let found = records.iter_mut().rev().find_map(|(_, record)| match record {
        Record::Put(kv) if kv.key == key.as_bytes() => Some(kv),
        Record::Put(_) | Record::Tombstone { .. } => None,
    });
    let kv = found.unwrap();
    kv.value = b"WRONG".to_vec().into();
    let (meta, applied) = (state.meta().unwrap(), state.applied());
    state.stage_begin().unwrap();
    state.stage(&records).unwrap();
    state.install(&meta, applied).unwrap();
}

/// How often members compare their states.
const COMPARED_EVERY: Duration = Duration::from_secs(1);

/// What was seen of a member while its state was wrong.
#[derive(Debug, Default)]
struct Seen {
    wrong_values: u32,
    refused: u32,
    unhealthy: bool,
    in_status: bool,
    alarm: bool,
}

/// A cluster of three with keys `k/00` … and a follower that is down.
struct Stage {
    runtime: Runtime,
    cluster: Cluster,
    leader: usize,
    hurt: usize,
}

impl Stage {
    fn new(extra: &[&str], keys: impl Fn(usize) -> Vec<u8>) -> Self {
        let runtime = Runtime::new().unwrap();
        let cluster = Cluster::start_with(3, extra);
        let client = cluster.any_client();
        for number in 0..16 {
            let key = format!("k/{number:02}");
            eventually("a put", || runtime.block_on(client.put(key.clone(), keys(number))).ok());
        }
        let leader = cluster.leader(&runtime);
        let hurt = (0..3).find(|at| *at != leader).unwrap();
        Self { runtime, cluster, leader, hurt }
    }

    /// Waits until nothing is compared any more: all that there was to compare has been.
    fn await_silence(&self) {
        let port = self.cluster.members[self.hurt].client_port;
        let mut last = (None, Instant::now());
        eventually("silence", || {
            let (_, page) = get(port, "/metrics")?;
            let compared = |line: &str| line.starts_with("conclave_states_compared");
            let line = page.lines().find(|line| compared(line)).map(str::to_owned);
            if line != last.0 {
                last = (line, Instant::now());
            }
            (last.1.elapsed() > 3 * COMPARED_EVERY).then_some(())
        });
    }

    fn writers(&self) -> Writers {
        let others = (0..3).filter(|at| *at != self.hurt);
        let others: Vec<String> = others.map(|at| self.cluster.endpoint(at)).collect();
        Writers::start(&self.runtime, &others, 4)
    }

    /// Whether `conclave status` tells of the member that its state is wrong.
    fn status_tells(&self) -> bool {
        let endpoint = self.cluster.endpoint(self.hurt);
        let output = conclave().args(["status", "--endpoints", &endpoint]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let own = text.lines().find(|line| line.starts_with(&endpoint)).unwrap_or_default();
        !output.status.success() && own.contains("alarm:CORRUPT") && own.contains("had anew")
    }

    /// Whether another member lists the alarm.
    fn alarm_is_listed(&self) -> bool {
        let request = AlarmRequest::default();
        let alarms = self.runtime.block_on(self.cluster.client(self.leader).alarm(request));
        let corrupt = i32::from(AlarmType::Corrupt);
        alarms.is_ok_and(|it| it.alarms.iter().any(|alarm| alarm.alarm == corrupt))
    }

    /// Looks at the member until it has been found out and serves the right value again.
    fn watch(&self, key: &str) -> Seen {
        let mut seen = Seen::default();
        let client = self.cluster.client(self.hurt);
        let port = self.cluster.members[self.hurt].client_port;
        let deadline = Instant::now() + PATIENCE;
        let began = Instant::now();
        let mut found: Option<Duration> = None;
        loop {
            assert!(Instant::now() < deadline, "in vain: {seen:?}");
            let read = self.runtime.block_on(client.get(key.to_owned()));
            match read {
                Ok(kv) if kv.as_ref().is_some_and(|kv| kv.value[..] == *b"WRONG") => {
                    assert!(found.is_none(), "the wrong value came back");
                    seen.wrong_values += 1;
                }
                Ok(kv) => {
                    assert!(kv.is_some(), "an acknowledged key is gone");
                    println!("found out after {found:?}, back after {:?}", began.elapsed());
                    return seen;
                }
                Err(error) if error.message() == "etcdserver: corrupt cluster" => {
                    found.get_or_insert(began.elapsed());
                    seen.refused += 1;
                    let health = get(port, "/health");
                    let told = |(status, body): (u16, String)| {
                        status == 503 && body.contains("ALARM CORRUPT")
                    };
                    seen.unhealthy |= health.is_some_and(told);
                    seen.in_status |= seen.in_status || self.status_tells();
                    seen.alarm |= seen.alarm || self.alarm_is_listed();
                }
                // Between the end of the replica and its new beginning.
                Err(_) => {}
            }
        }
    }

    fn finish(mut self, writers: Writers, seen: &Seen) {
        println!("{seen:?}");
        assert!(seen.refused > 0 && seen.unhealthy && seen.in_status && seen.alarm, "{seen:?}");
        self.cluster.await_answer(self.hurt);
        eventually("the end of the alarm", || (!self.alarm_is_listed()).then_some(()));
        let total = writers.finish(&self.runtime, &self.cluster.any_client());
        println!("{total} writes were acknowledged meanwhile");
        assert!(total > 0);
        self.cluster.assert_equal(&self.runtime);
        self.cluster.assert_unharmed();
        let log = self.cluster.log(&self.cluster.members[self.hurt].name);
        assert!(log.contains("that of a majority") && log.contains("it is put aside"), "{log}");
        assert!(self.cluster.members[self.hurt].dir.join("state.damaged-1").is_dir());
        // What it was given is its own, and it counts: with another gone there is a quorum.
        self.cluster.kill(self.hurt);
        self.cluster.run(self.hurt);
        self.cluster.await_healthy();
        self.cluster.kill(self.leader);
        let client = self.cluster.any_client();
        eventually("a write by two", || self.runtime.block_on(client.put("after", "all")).ok());
    }
}

#[test]
fn a_changed_value_is_found_out_under_load_and_replayed_from_the_log() {
    let mut stage = Stage::new(&[], |number| number.to_string().into());
    let writers = stage.writers();
    stage.cluster.terminate(stage.hurt);
    spoil(&stage.cluster.members[stage.hurt].dir, "k/07");
    stage.cluster.run(stage.hurt);
    let seen = stage.watch("k/07");
    stage.finish(writers, &seen);
}

#[test]
fn a_changed_value_whose_log_was_trimmed_comes_from_the_leader_under_load() {
    let mut stage =
        Stage::new(&["--log-keep", "1MiB"], |number| vec![u8::try_from(number).unwrap(); 1 << 20]);
    let dir = stage.cluster.members[stage.hurt].dir.clone();
    let client = stage.cluster.any_client();
    let mut round = 0_u8;
    eventually("the log to be trimmed", || {
        round += 1;
        let (key, value) = (format!("big/{:02}", round % 16), vec![round; 1 << 20]);
        eventually("a put", || stage.runtime.block_on(client.put(key.clone(), value.clone())).ok());
        (!dir.join("log").join(format!("{:016x}.seg", 1)).exists()).then_some(())
    });
    let writers = stage.writers();
    stage.cluster.terminate(stage.hurt);
    spoil(&dir, "k/07");
    stage.cluster.run(stage.hurt);
    let seen = stage.watch("k/07");
    stage.finish(writers, &seen);
}

#[test]
fn a_leader_with_a_changed_value_hands_over_and_no_write_fails() {
    let mut stage = Stage::new(&[], |number| number.to_string().into());
    // Nothing changes from here on, so nothing is compared until it leads and clients write again.
    stage.await_silence();
    stage.cluster.terminate(stage.hurt);
    spoil(&stage.cluster.members[stage.hurt].dir, "k/07");
    stage.cluster.run(stage.hurt);
    let client = stage.cluster.client(stage.hurt);
    let id = eventually("its id", || {
        let status = stage.runtime.block_on(client.status()).ok()?;
        status.header.map(|header| header.member_id)
    });
    eventually("its leadership", || {
        let status = stage.runtime.block_on(client.status()).ok()?;
        if status.leader != id && status.leader != 0 {
            let leader = stage.cluster.client(stage.cluster.leader(&stage.runtime));
            let _ = stage.runtime.block_on(leader.move_leader(id));
        }
        (status.leader == id).then_some(())
    });
    let all = Writers::start(&stage.runtime, &stage.cluster.endpoints(), 4);
    let seen = stage.watch("k/07");
    assert_eq!(all.failures(), Vec::<String>::new());
    println!("the longest pause of writes: {:?}", all.longest_gap());
    stage.leader = stage.cluster.leader(&stage.runtime);
    if stage.leader == stage.hurt {
        stage.leader = (stage.hurt + 1) % 3;
    }
    stage.finish(all, &seen);
}
