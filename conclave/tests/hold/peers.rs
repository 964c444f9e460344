//! Debian's etcdctl stands in the same queues.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use crate::support::cluster::Cluster;
use crate::support::etcdctl::{Etcdctl, find};
use crate::support::eventually;
use crate::worker::{Desk, Worker, queue, send};

/// An etcdctl that goes on until Ctrl-C. Dropped, it is killed.
struct Theirs {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Theirs {
    fn start(program: &Path, cluster: &Cluster, words: &[&str]) -> Theirs {
        let ctl = Etcdctl::new(program, &cluster.endpoints());
        let mut command = ctl.command(words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Theirs { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    /// Ctrl-C, and the wait for its end.
    fn stop(mut self) {
        send(u64::from(self.child.id()), "INT");
        self.child.wait().unwrap();
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        // It may have been stopped.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn await_queue(cluster: &Cluster, desk: &Desk, count: usize) {
    eventually("all to queue up", || (queue(cluster, desk, "x") == count).then_some(()));
}

#[test]
fn etcdctl_lock_and_conclave_lock_exclude_each_other() {
    let Some(program) = find() else { return };
    let cluster = Cluster::start(1);
    let desk = Desk::new();
    let mut theirs = Theirs::start(&program, &cluster, &["lock", "x"]);
    let key = theirs.line();
    assert!(key.starts_with("x/"), "{key}");
    let ours = ["lock", "x", "--ttl", "3600"];
    let until_told = "while [ ! -e stop ]; do sleep 0.1; done";
    let mut worker = Worker::script(&cluster, &desk, "a", &ours, until_told);
    await_queue(&cluster, &desk, 2);
    // It asks for its key at once, and puts it behind ours.
    let mut next = Theirs::start(&program, &cluster, &["lock", "x", "echo", "in"]);
    await_queue(&cluster, &desk, 3);
    assert!(!desk.has("a"), "etcdctl holds");
    theirs.stop();
    desk.number("a");
    assert!(next.child.try_wait().unwrap().is_none(), "conclave holds");
    desk.write("stop", "");
    assert_eq!(worker.end(), Some(0));
    assert_eq!(next.line(), "in");
    next.stop();
    await_queue(&cluster, &desk, 0);
}

#[test]
fn etcdctl_elect_and_conclave_elect_stand_in_one_election() {
    let Some(program) = find() else { return };
    let cluster = Cluster::start(1);
    let desk = Desk::new();
    let mut theirs = Theirs::start(&program, &cluster, &["elect", "x", "one"]);
    let key = theirs.line();
    assert_eq!((&key[..2], theirs.line().as_str()), ("x/", "one"));
    let ours = ["elect", "x", "--value", "two", "--ttl", "3600"];
    let script = "echo $CONCLAVE_KEY > key; while :; do sleep 0.1; done";
    let worker = Worker::script(&cluster, &desk, "a", &ours, script);
    await_queue(&cluster, &desk, 2);
    assert!(!desk.has("a"), "etcdctl leads");
    let mut follower = Theirs::start(&program, &cluster, &["elect", "-l", "x"]);
    assert_eq!([follower.line(), follower.line()], [key, "one".to_owned()]);
    theirs.stop();
    let key = desk.line("key");
    assert_eq!([follower.line(), follower.line()], [key, "two".to_owned()]);
    drop(worker);
}
