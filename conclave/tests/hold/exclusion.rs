//! Never two at once.

use std::process::Stdio;

use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::worker::{Desk, Worker, command, queue};

const CONTENDERS: usize = 5;
const ROUNDS: usize = 4;

/// Adds one to a counter, without any care of its own, and notes whoever is there at the time.
const ADD_ONE: &str = "mkdir inside || echo overlap >> overlaps; n=$(cat counter); sleep 0.02; \
                       echo $((n + 1)) > counter; echo $CONCLAVE_FENCE >> fences; rmdir inside";

fn contend(words: &[&str]) {
    let cluster = Cluster::start(3);
    let desk = Desk::new();
    desk.write("counter", "0\n");
    std::thread::scope(|scope| {
        let work = || {
            for _ in 0..ROUNDS {
                let words = [words, &["--ttl", "60", "--", "sh", "-c", ADD_ONE]].concat();
                let mut command = command(&cluster, &desk, &words);
                let output = command.stderr(Stdio::piped()).output().unwrap();
                assert!(output.status.success(), "{output:?}");
            }
        };
        (0..CONTENDERS).for_each(|_| drop(scope.spawn(work)));
    });
    assert_eq!(desk.read("overlaps"), "");
    assert_eq!(desk.number("counter"), (CONTENDERS * ROUNDS) as u64);
    let fences = desk.read("fences");
    let fences: Vec<u64> = fences.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(fences.len(), CONTENDERS * ROUNDS);
    assert!(fences.is_sorted_by(|a, b| a < b), "a token must grow with each holder: {fences:?}");
    // Everybody has left, instead of being waited for until its lease ends.
    assert_eq!(queue(&cluster, &desk, "counter"), 0);
}

#[test]
fn five_contenders_for_a_lock_add_to_a_counter_one_at_a_time() {
    contend(&["lock", "counter"]);
}

#[test]
fn s2_11_so_do_five_candidates_for_a_group() {
    contend(&["elect", "counter"]);
}

#[test]
fn who_waits_says_so() {
    let cluster = Cluster::start(1);
    let desk = Desk::new();
    let held = Worker::script(&cluster, &desk, "held", &["lock", "l"], "while :; do sleep 1; done");
    desk.number("held");
    let waits = Worker::start(&cluster, &desk, "waits", &["lock", "l"]);
    eventually("it to say that it waits", || {
        waits.errors().contains("the lock l is another's: this one waits").then_some(())
    });
    assert_eq!(held.errors(), "");
}
