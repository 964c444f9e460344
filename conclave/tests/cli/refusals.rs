//! First runs that go wrong: one clear sentence that says what to do, and an exit code.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::said::{Store, run, say};
use crate::support::cluster::Cluster;
use crate::support::free_ports;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_taken_port_is_named_with_the_flag_that_moves_it() {
    let dir = tempfile::tempdir().unwrap();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let sentence = |flag: &str| {
        format!("{taken} is taken by another process; stop it, or choose another port with {flag}")
    };
    assert_eq!(say(&["dev", "--listen-client", &taken]).fails(1), sentence("--listen-client"));

    let free = format!("127.0.0.1:{}", free_ports(1)[0]);
    let agent = [
        "agent",
        "--server",
        "--name",
        "a",
        "--data-dir",
        text(dir.path()),
        "--listen-client",
        &free,
        "--listen-peer",
        &taken,
        "--initial-cluster",
        &format!("a={taken},b=127.0.0.1:1"),
    ];
    assert_eq!(say(&agent).fails(1), sentence("--listen-peer"));

    let port = taken.rsplit_once(':').unwrap().1;
    let local = ["local", "--dir", text(dir.path()), "--base-port", port];
    assert_eq!(say(&local).fails(1), sentence("--base-port"));

    let strange = say(&["dev", "--listen-client", "192.0.2.1:2379"]).fails(1);
    let words = "192.0.2.1:2379 is no address of this machine; choose one of its own with \
                 --listen-client";
    assert_eq!(strange, words);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"x").unwrap();
    let ports = free_ports(2);
    let [free, peer] = [0, 1].map(|at| format!("127.0.0.1:{}", ports[at]));
    // Not even root may make a directory in /proc.
    let places = [
        (file.clone(), "a file stands in its place"),
        (file.join("below"), "a file stands in its place"),
        ("/proc/conclave".into(), ""),
    ];
    for (place, why) in places {
        for command in [&["dev"][..], &["agent", "--server"]] {
            let flags = ["--data-dir", text(&place), "--listen-client", &free];
            let flags = [&flags[..], &["--listen-peer", &peer]].concat();
            let sentence = say(&[command, &flags].concat()).fails(1);
            let start = format!("cannot write to {}: {why}", place.display());
            assert!(sentence.starts_with(&start), "{sentence}");
            assert!(sentence.ends_with("; choose another one with --data-dir"), "{sentence}");
        }
    }
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

#[test]
fn flags_that_are_wrong_or_contradict_each_other_are_named() {
    assert!(say(&["dev", "--listen-cilent", "x"]).misused().contains("'--listen-cilent'"));
    assert!(say(&["kv", "gte", "k"]).misused().contains("'gte'"));
    assert!(say(&["dev", "--listen-client", "2379"]).misused().contains("'2379'"));
    assert!(say(&["kv", "get", "k", "--limit", "x"]).misused().contains("'x'"));
    let both = say(&["kv", "get", "k", "--prefix", "--from-key"]).misused();
    assert!(both.contains("--prefix") && both.contains("--from-key"), "{both}");

    let dir = tempfile::tempdir().unwrap();
    let agent = |flags: &[&str]| {
        let start = ["agent", "--server", "--name", "a", "--data-dir", text(dir.path())];
        say(&[&start, flags].concat()).fails(2)
    };
    let names = agent(&["--initial-cluster", "b=127.0.0.1:1,c=127.0.0.1:2"]);
    assert!(names.starts_with("--name a is not among --initial-cluster (b, c)"), "{names}");
    let twice = agent(&["--initial-cluster", "a=127.0.0.1:1,b=127.0.0.1:1"]);
    assert_eq!(twice, "--initial-cluster has the address 127.0.0.1:1 twice");
    let timers = agent(&["--heartbeat-interval", "2s"]);
    assert!(timers.starts_with("--election-timeout (1000 ms) must be longer than"), "{timers}");
    // Which of several checks complains is not the point, but that it is understood.
    let free = format!("127.0.0.1:{}", free_ports(1)[0]);
    let flags = ["--reads", "lease:5", "--check-quorum", "false"];
    let lease = say(&[&["dev", "--listen-client", &free][..], &flags].concat());
    assert!(lease.errors.contains("lease reads need check-quorum"), "{lease:?}");
    assert!([Some(1), Some(2)].contains(&lease.code), "{lease:?}");

    let exposed = say(&["agent", "--listen-http", "0.0.0.0:0", "--listen-gossip", "127.0.0.1:0"]);
    assert!(exposed.fails(1).starts_with("--listen-http 0.0.0.0:0 can be reached"));
    let nowhere = say(&["agent", "--server"]).fails(2);
    assert!(nowhere.starts_with("a server needs --data-dir DIR"), "{nowhere}");
    let founder = say(&["agent", "--bootstrap-expect", "3"]).fails(2);
    assert!(founder.starts_with("--bootstrap-expect is for servers: give --server"), "{founder}");
    let several = say(&["dev", "--initial-cluster", "dev=127.0.0.1:1,b=127.0.0.1:2"]).fails(2);
    assert!(several.contains("--data-dir") || several.contains("conclave local"), "{several}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was begun");
}

#[test]
fn a_file_of_settings_is_read_strictly() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("conclave.toml");
    let refusal = |content: &str| {
        fs::write(&file, content).unwrap();
        let sentence = say(&["agent", "--config", text(&file)]).fails(2);
        assert!(sentence.contains(text(&file)), "{sentence}");
        sentence
    };
    assert!(refusal("lisen-client = \"127.0.0.1:1\"").contains("unknown setting lisen-client"));
    assert!(refusal("heartbeat-interval = \"soon\"").contains("invalid value 'soon'"));
    assert!(refusal("name = { a = 1 }").contains("name takes a single value"));
    let missing = say(&["agent", "--config", text(&dir.path().join("none.toml"))]).fails(2);
    assert!(missing.starts_with("cannot read ") && missing.contains("none.toml"), "{missing}");

    fs::write(&file, "name =").unwrap();
    let said = say(&["agent", "--config", text(&file)]);
    assert_eq!(said.code, Some(2));
    assert!(said.errors.contains("is not TOML") && !said.errors.contains("panicked"), "{said:?}");

    let mut command = crate::support::cluster::conclave();
    command.args(["agent", "--server"]).env("CONCLAVE_DATADIR", "/tmp/x");
    let sentence = run(&mut command, b"").fails(2);
    assert!(
        sentence.starts_with("the environment: unknown setting CONCLAVE_DATADIR"),
        "{sentence}"
    );
}

#[test]
fn an_endpoint_that_is_none_is_named() {
    let port = free_ports(1)[0];
    let nobody = format!("127.0.0.1:{port}");
    for command in
        [&["kv", "get", "k"][..], &["kv", "put", "k", "v"], &["lease", "list"], &["member", "list"]]
    {
        let sentence = say(&[command, &["--endpoints", &nobody]].concat()).fails(1);
        assert!(sentence.starts_with(&format!("cannot reach {nobody}: ")), "{sentence}");
        assert!(sentence.contains("--endpoints"), "{sentence}");
    }
    let malformed = say(&["kv", "get", "k", "--endpoints", "not an address"]).fails(2);
    assert!(malformed.contains("not an address"), "{malformed}");
    let secure = say(&["kv", "get", "k", "--endpoints", "https://127.0.0.1:1"]).fails(2);
    assert!(secure.contains("https"), "{secure}");

    // Something else listens there, and says so, or nothing.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || {
        use std::io::Write;
        // Ends with the test: the last connection is its own.
        while let Ok((mut stream, _)) = other.accept() {
            if stream.write_all(b"220 mail.example.org ESMTP\r\n").is_err() {
                continue;
            }
            let mut greeting = [0; 4];
            if stream.peek(&mut greeting).is_ok_and(|read| &greeting[..read] == b"stop") {
                return;
            }
        }
    });
    let said = say(&["kv", "get", "k", "--endpoints", &address, "--timeout", "2s"]);
    assert!(said.fails(1).contains(&address));
    let mut stop = std::net::TcpStream::connect(&address).unwrap();
    std::io::Write::write_all(&mut stop, b"stop").unwrap();
    thread.join().unwrap();
}

#[test]
fn a_server_that_is_silent_is_given_up_in_time() {
    let store = Store::start();
    store.cluster.signal(0, "STOP");
    let endpoint = store.cluster.endpoint(0);
    let said = say(&["kv", "put", "k", "v", "--endpoints", &endpoint, "--timeout", "300ms"]);
    let sentence = said.fails(1);
    assert!(sentence.contains(&endpoint) && sentence.contains("in time"), "{sentence}");
    store.cluster.signal(0, "CONT");
}

#[test]
fn a_data_directory_has_one_owner() {
    let mut cluster = Cluster::start_with(1, &["--profile", "lan-fast"]);
    let dir = text(&cluster.members[0].dir).to_owned();
    let ports = free_ports(2);
    let [free, other] = [0, 1].map(|at| format!("127.0.0.1:{}", ports[at]));
    let second = |cluster: &Cluster, name: &str| {
        let peer = cluster.members[0].peer_port;
        let members = format!("{name}=127.0.0.1:{peer}");
        say(&[
            "agent",
            "--server",
            "--name",
            name,
            "--data-dir",
            &dir,
            "--listen-client",
            &free,
            "--listen-peer",
            &other,
            "--initial-cluster",
            &members,
        ])
    };
    let words = |why: &str| format!("cannot use the data directory: {dir} {why}");
    let locked = last_sentence(second(&cluster, "m0"));
    assert!(locked.starts_with(&words("is in use by another process")), "{locked}");
    cluster.kill(0);
    let foreign = last_sentence(second(&cluster, "m1"));
    assert!(foreign.starts_with(&words("belongs to node ")), "{foreign}");
    for sentence in [locked, foreign] {
        assert!(sentence.contains("--data-dir"), "what to do about it: {sentence}");
    }
    // Its owner still has it.
    cluster.run(0);
    cluster.await_healthy();
    cluster.assert_unharmed();
}

/// The sentence of a server that did not start. Its log may have lines before it.
pub(crate) fn last_sentence(said: crate::said::Said) -> String {
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(!said.errors.contains("panicked"), "{said:?}");
    let last = said.errors.lines().last().and_then(|line| line.strip_prefix("conclave: "));
    last.unwrap_or_else(|| panic!("no sentence: {said:?}")).to_owned()
}
