//! What the command is told, how it ends, and what is refused.

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::worker::{Desk, Worker, command, queue};

fn run(cluster: &Cluster, desk: &Desk, words: &[&str]) -> Output {
    let mut command = command(cluster, desk, words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_command_is_told_its_place_and_its_exit_code_is_handed_on() {
    let cluster = Cluster::start(1);
    let desk = Desk::new();
    let say = "echo $CONCLAVE_KEY $CONCLAVE_FENCE; \
               \"$0\" lease timetolive $CONCLAVE_LEASE --keys --endpoints $1; exit 7";
    let (binary, endpoint) = (env!("CARGO_BIN_EXE_conclave"), cluster.endpoint(0));
    let words = ["lock", "a b", "--ttl", "3600", "--", "sh", "-c", say, binary, &endpoint];
    let output = run(&cluster, &desk, &words);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let out = text(&output.stdout);
    let (first, second) = out.split_once('\n').unwrap();
    let (key, fence) = first.rsplit_once(' ').unwrap();
    assert!(key.starts_with("a b/") && fence.parse::<u64>().unwrap() > 1, "{out}");
    assert!(second.ends_with(&format!("attached keys([{key}])\n")), "{out}");

    // What is not there, what cannot be run, what kills itself; each time, the next need not wait.
    let ends = [
        (&["no-such-command"][..], 127, "conclave: cannot run no-such-command: "),
        (&["/"], 126, "conclave: cannot run /: "),
        (&["sh", "-c", "kill -9 $$"], 137, ""),
        (&["true"], 0, ""),
    ];
    for (run_this, code, complaint) in ends {
        let words = [&["elect", "a b", "--ttl", "3600", "--"], run_this].concat();
        let output = run(&cluster, &desk, &words);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(text(&output.stderr).starts_with(complaint), "{output:?}");
        assert_eq!(queue(&cluster, &desk, "a b"), 0);
    }
}

#[test]
fn signals_are_the_commands_and_end_who_waits() {
    let cluster = Cluster::start(1);
    let desk = Desk::new();
    let words = ["lock", "x", "--ttl", "3600"];
    let script = "trap 'echo usr1 > usr1' USR1; trap 'exit 9' TERM; echo ready > ready; \
                  while :; do sleep 0.1; done";
    let mut holder = Worker::script(&cluster, &desk, "a", &words, script);
    desk.line("ready");
    let mut waits = Worker::script(&cluster, &desk, "b", &words, "");
    eventually("the second to queue up", || (queue(&cluster, &desk, "x") == 2).then_some(()));
    waits.signal("INT");
    assert_eq!(waits.end(), Some(130));
    assert_eq!(queue(&cluster, &desk, "x"), 1, "it left, and let the next not wait for its lease");
    assert!(!desk.has("b"));
    holder.signal("USR1");
    desk.line("usr1");
    assert!(!holder.has_ended());
    holder.signal("TERM");
    assert_eq!(holder.end(), Some(9));
    assert_eq!(queue(&cluster, &desk, "x"), 0);
    // The shell may tell how what it had started ended.
    let errors = holder.errors() + &waits.errors();
    assert!(!errors.contains("conclave"), "{errors}");
}

#[test]
fn without_a_command_it_is_held_until_ctrl_c() {
    let cluster = Cluster::start(1);
    let desk = Desk::new();
    for (flags, json) in [(&["lock", "x"][..], false), (&["elect", "x", "-o", "json"], true)] {
        let mut child = command(&cluster, &desk, flags).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let first = lines.next().unwrap();
        if json {
            let held: Value = serde_json::from_str(&first).unwrap();
            assert!(held["fence"].as_i64().unwrap() > 1 && held["key"].is_string(), "{held}");
        } else {
            assert!(first.starts_with("x/"), "{first}");
            assert!(lines.next().unwrap().starts_with("fence "));
        }
        assert_eq!(queue(&cluster, &desk, "x"), 1);
        crate::worker::send(u64::from(child.id()), "INT");
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!(queue(&cluster, &desk, "x"), 0);
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let cluster = Cluster::prepare(3, &[]);
    let desk = Desk::new();
    let refused = |words: &[&str]| {
        let output = run(&cluster, &desk, words);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        text(&output.stderr)
    };
    assert!(refused(&["lock", ""]).contains("a name has at least one character"));
    assert!(refused(&["elect", "a\nb"]).contains("a name has no control characters"));
    assert!(refused(&["lock", "x", "--ttl", "1"]).contains("1 is not in 2..=86400"));
    assert!(refused(&["lock", "x", "--ttl", "86401"]).contains("86401 is not in 2..=86400"));
    let grace = refused(&["lock", "x", "--ttl", "4", "--grace", "3s"]);
    assert!(grace.contains("--grace is more than half of --ttl"), "{grace}");
    assert!(refused(&["lock", "x", "-o", "json", "--", "true"]).contains("which CMD is not"));
    let both = refused(&["elect", "x", "--observe", "--ttl", "9"]);
    assert!(both.contains("--observe") && both.contains("--ttl"), "{both}");
}

#[test]
fn who_finds_no_quorum_is_told_so() {
    let mut cluster = Cluster::prepare(3, &[]);
    let desk = Desk::new();
    let nobody = run(&cluster, &desk, &["lock", "x", "--", "true"]);
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    let said = text(&nobody.stderr);
    assert!(said.starts_with("conclave: cannot wait for the lock x: cannot reach "), "{said}");
    assert!(said.contains("is a server running there?"), "{said}");
    cluster.run(0);
    eventually("the one server to answer", || {
        crate::support::get(cluster.members[0].client_port, "/version")
    });
    let alone = run(&cluster, &desk, &["lock", "x", "--timeout", "2s", "--", "true"]);
    assert_eq!(alone.status.code(), Some(1), "{alone:?}");
    let said = text(&alone.stderr);
    assert!(said.contains("a majority of the voters must be up"), "{said}");
}
