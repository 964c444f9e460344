//! Whole processes under test: each binds loopback on free ports, keeps its files in a folder of
//! its own, and is ended by its id.
#![allow(dead_code, reason = "every test binary uses its own part")]

pub(crate) mod agent;
pub(crate) mod cluster;
pub(crate) mod etcdctl;
pub(crate) mod harm;
pub(crate) mod serf;
pub(crate) mod small_disk;
pub(crate) mod writers;

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long a condition may take to come true on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` gives something.
///
/// # Panics
/// When it does not before [`PATIENCE`] ends.
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "in vain waited for: {what}");
        // The pause of a poll with a deadline, not a guess at a duration.
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a command to its end, which must come by itself: a server that should have refused to start
/// fails the test and does not hold it up.
///
/// # Panics
/// When it does not end before [`PATIENCE`] does.
pub(crate) fn ended(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    end_of(command.spawn().unwrap())
}

/// The end of a process, as [`ended`].
pub(crate) fn end_of(child: Child) -> Output {
    let (alive, ends) = mpsc::channel::<()>();
    let id = child.id();
    let watch = std::thread::spawn(move || {
        let is_late = ends.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
        if is_late {
            agent::signal(id, "KILL");
        }
        is_late
    });
    let output = child.wait_with_output().unwrap();
    drop(alive);
    assert!(!watch.join().unwrap(), "this should have ended by itself: {output:?}");
    output
}

/// Ports that nobody listens on, all different: of one call. Whoever needs two asks for two.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let bound: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    bound.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// One HTTP/1.1 GET; status code and body.
pub(crate) fn get(port: u16, path: &str) -> Option<(u16, String)> {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_string()))
}
