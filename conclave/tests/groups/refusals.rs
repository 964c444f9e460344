//! What cannot be is refused in a sentence that says what to do.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::stage::{Stage, WORK};
use crate::support::agent::Space;
use crate::support::cluster::conclave;
use crate::support::{ended, eventually, free_ports};

fn fails(command: &mut Command, code: i32) -> String {
    let output = ended(command);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_flags_of_one_algorithm_are_not_the_others() {
    let error = fails(conclave().args(["elect", "g", "--rank", "1", "--", "true"]), 2);
    assert!(error.contains("--rank is for --algorithm bully"), "{error}");
    let words = ["elect", "g", "--algorithm", "bully", "--value", "x", "--", "true"];
    let error = fails(conclave().args(words), 2);
    assert!(error.contains("--value is for --algorithm raft"), "{error}");
    let error = fails(conclave().args(["elect", "g", "--algorithm", "zab"]), 2);
    assert!(error.contains("raft, bully"), "{error}");
    let http = format!("127.0.0.1:{}", free_ports(1)[0]);
    let words = ["elect", "g", "--algorithm", "bully", "--http", &http, "--expect", "1"];
    let error = fails(conclave().args(words), 1);
    assert!(error.contains("no agent answers at") && error.contains("conclave agent"), "{error}");
}

#[test]
fn what_a_group_is_cannot_be_said_twice_in_two_ways() {
    let stage = Stage::new(1);
    let error = stage.fails(0, 2, &["g", "--", "true"]);
    assert!(error.contains("who decides in this group is not said"), "{error}");
    assert!(error.contains("--expect N") && error.contains("--electors A,B,C"), "{error}");
    let error = stage.fails(0, 1, &["g", "--observe"]);
    assert!(error.contains("this agent is not in the group \"g\""), "{error}");
    let _leads = stage.stands(0, "one", &["g", "--expect", "1", "--ttl", "5"], WORK);
    stage.leader("one");
    let error = stage.fails(0, 1, &["g", "--", "true"]);
    assert!(error.contains("a program stands in this group at this agent already"), "{error}");
    for other in [["--expect", "3"], ["--ttl", "6"], ["--mode", "classic"]] {
        let error = stage.fails(0, 1, &[&["g"], &other[..], &["--", "true"]].concat());
        assert!(error.contains("goes by mode=safe,expect=1,"), "{error}");
        assert!(error.contains(&format!("differs in {};", &other[0][2..])), "{error}");
    }
    let error = stage.fails(0, 2, &["g".repeat(65).as_str(), "--expect", "1", "--", "true"]);
    assert!(error.contains("no name of a group"), "{error}");
}

#[test]
fn a_grant_that_would_be_forgotten_is_not_made() {
    let mut stage = Stage::new(0);
    stage.add_bare(&[]);
    let error = stage.fails(0, 1, &["g", "--expect", "1", "--", "true"]);
    assert!(error.contains("--data-dir"), "{error}");
    let [gossip, http] = Space::default().addresses();
    let words = ["agent", "--listen-gossip", &gossip, "--listen-http", &http];
    let error = fails(conclave().args(words).args(["--group", "g:expect=1"]), 1);
    assert!(error.contains("the group \"g\": ") && error.contains("--data-dir"), "{error}");
    let error = fails(conclave().args(words).args(["--group", "g:size=1"]), 2);
    assert!(error.contains("no setting \"size\""), "{error}");
}

#[test]
fn a_damaged_file_stops_the_start() {
    let mut stage = Stage::new(1);
    assert!(stage.says(0, &["g", "--expect", "1", "--", "true"]).status.success());
    stage.agents[0].kill();
    let data = stage.dir.path().join("agent-0");
    let files = std::fs::read_dir(data.join("elections")).unwrap();
    // The kill may have left one that was being written: that one is nothing yet.
    let is_whole = |path: &PathBuf| path.extension().is_none();
    let file = files.map(|file| file.unwrap().path()).find(is_whole).unwrap();
    let sound = std::fs::read(&file).unwrap();
    let mut harmed = sound.clone();
    harmed[sound.len() / 2] ^= 1;
    std::fs::write(&file, &harmed).unwrap();
    let start = |name: &str| {
        let [gossip, http] = Space::default().addresses();
        let mut command = conclave();
        command.args(["agent", "--name", name, "--data-dir"]).arg(&data);
        command.args(["--listen-gossip", &gossip, "--listen-http", &http]);
        command
    };
    let error = fails(&mut start("agent-0"), 1);
    assert!(error.contains("is damaged") && error.contains("another --name"), "{error}");
    std::fs::write(&file, &sound).unwrap();
    let error = fails(&mut start("agent-9"), 1);
    assert!(error.contains("is of the agent \"agent-0\""), "{error}");
    let mut child = start("agent-0").stderr(Stdio::null()).spawn().unwrap();
    let folder = data.join("gossip/incarnation");
    eventually("the agent to start", || folder.exists().then_some(()));
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Leases end by the time since the machine's start, which is another one on another machine.
#[test]
fn an_agent_of_another_machine_is_none_to_stand_at() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let http = listener.local_addr().unwrap().to_string();
    let elsewhere = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4_096];
        assert!(stream.read(&mut request).unwrap() > 0);
        let line = r#"{"event":"settings","settings":"expect=1","now":1}"#;
        stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{line}\n").as_bytes()).unwrap();
        // As long as the program listens.
        stream.read(&mut request).unwrap_or_default();
    });
    let words = ["elect", "g", "--algorithm", "bully", "--http", &http, "--expect", "1"];
    let error = fails(conclave().args(words).args(["--", "true"]), 1);
    assert!(error.contains("stand at the agent of this machine"), "{error}");
    elsewhere.join().unwrap();
}
