//! A data directory is one agent's: two would be each other's next life.

use std::io::Read as _;
use std::process::{Child, Stdio};

use crate::support::agent::{Agent, Space};
use crate::support::cluster::conclave;
use crate::support::{eventually, free_ports};

/// A process that is killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended by itself, unless the test failed.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

#[test]
fn a_second_agent_is_told_that_its_directory_is_taken() {
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let mut first = Agent::start(&space, dir.path(), "a1", &["--data-dir", data]);
    let address = |port: u16| format!("127.0.0.1:{port}");
    let ports: Vec<String> = free_ports(4).into_iter().map(address).collect();
    let server = ["--server", "--listen-client", &ports[2], "--listen-peer", &ports[3]];
    for more in [&server[..0], &server] {
        let mut second = conclave();
        second.args(["agent", "--name", "a2", "--data-dir", data, "--log", "error"]);
        second.args(["--listen-gossip", &ports[0], "--listen-http", &ports[1]]).args(more);
        let second = second.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut second = Process(second.spawn().unwrap());
        let ended = eventually("the second to end", || second.0.try_wait().unwrap());
        let mut said = String::new();
        second.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let wanted = format!(
            "conclave: cannot use the data directory: {data} is in use by another process; stop \
             that one, or choose another directory with --data-dir\n"
        );
        assert_eq!((ended.code(), said), (Some(1), wanted), "{more:?}");
    }
    assert_eq!(first.members().len(), 1, "the first goes on");

    // However it ends, the directory is free then.
    first.kill();
    let second = Agent::start(&space, dir.path(), "a2", &["--data-dir", data]);
    assert_eq!(second.members()[0].name, "a2");
}
