//! Puts at every member, and what came of them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::grpc::{Connection, wire};

/// A put without an answer has failed after this long.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);
/// Each member is asked this often, one put at a time.
const PERIOD: Duration = Duration::from_millis(50);

/// A put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Put {
    /// When it was called.
    pub(crate) called: Instant,
    /// When it was acknowledged.
    pub(crate) acknowledged: Option<Instant>,
}

/// Asks a member until it is told to stop.
pub(crate) fn ask(member: SocketAddr, stop: &AtomicBool) -> Vec<Put> {
    let mut puts = Vec::new();
    let mut connection = None;
    let key = format!("partition/{member}");
    while !stop.load(Ordering::Relaxed) {
        let called = Instant::now();
        let done = put(member, &mut connection, key.as_bytes());
        puts.push(Put { called, acknowledged: done.then(Instant::now) });
        thread::sleep((called + PERIOD).saturating_duration_since(Instant::now()));
    }
    puts
}

fn put(member: SocketAddr, connection: &mut Option<Connection>, key: &[u8]) -> bool {
    let mut link = match connection.take() {
        Some(link) => link,
        None => match Connection::open(member, PATIENCE) {
            Ok(link) => link,
            Err(_) => return false,
        },
    };
    let message = wire::put(key, b"value");
    match link.call("/etcdserverpb.KV/Put", &message, PATIENCE) {
        Ok(answer) => {
            *connection = Some(link);
            answer.is_some()
        }
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            *connection = Some(link);
            false
        }
        Err(_) => false,
    }
}

/// What a member says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) id: u64,
    pub(crate) leader: u64,
    pub(crate) term: u64,
}

/// Asks a member what it knows.
pub(crate) fn standing(member: SocketAddr) -> Option<Standing> {
    let mut connection = Connection::open(member, PATIENCE).ok()?;
    let method = "/etcdserverpb.Maintenance/Status";
    let answer = connection.call(method, &[], PATIENCE).ok()??;
    let fields = wire::fields(&answer)?;
    let field = |number| fields.iter().find(|field| field.0 == number);
    let head = wire::fields(field(1)?.2)?;
    let id = head.iter().find(|field| field.0 == 2)?.1;
    Some(Standing { id, leader: field(4)?.1, term: field(6)?.1 })
}
