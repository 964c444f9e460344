//! The peer port: who may speak there, and what happens to those who may not.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use client::Client;
use node::codec::{FRAME_HEADER, MAX_FRAME, frame};
use node::{Acquaintances, Life};
use storage::datadir::{Note, Notes};
use storage::disk::RealDisk;
use tokio::runtime::Runtime;

use super::support::cluster::Cluster;
use super::support::{PATIENCE, eventually};
use super::wire::noise;

const MAGIC: &[u8; 8] = b"CNCLPEER";
const VERSION: u32 = 4;
/// Magic, version, cluster and id of who answers; the verdict stands behind.
const ANSWER: usize = 8 + 4 + 8 + 8;

// The verdicts, as they stand on the wire.
const WELCOME: u8 = 0;
const OTHER_VERSION: u8 = 1;
const OTHER_CLUSTER: u8 = 2;
const NOT_ME: u8 = 3;
const STRANGER: u8 = 4;
const DUPLICATE: u8 = 5;
const FORGOTTEN: u8 = 8;

/// What a dialler says first.
#[derive(Clone, Copy)]
struct Hello<'a> {
    version: u32,
    cluster: u64,
    from: u64,
    to: u64,
    incarnation: u64,
    life: &'a Life,
}

impl Hello<'_> {
    fn bytes(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.version.to_le_bytes());
        for number in [self.cluster, self.from, self.to, self.incarnation] {
            bytes.extend(number.to_le_bytes());
        }
        // The index of a configuration as old as can be, and no address to be reached at.
        bytes.extend([0; 8 + 2]);
        for part in [self.life.encode(), Acquaintances::default().encode()] {
            bytes.extend(u16::try_from(part.len()).unwrap().to_le_bytes());
            bytes.extend(part);
        }
        bytes
    }
}

fn dial(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Waits until the member ends the connection; whatever it says before is given.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        let ended = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
        assert!(ended.contains(&error.kind()), "the member does not end the connection: {error}");
    }
    bytes
}

/// What is sent in place of a hello must get no answer.
fn is_ignored(port: u16, bytes: &[u8]) {
    let mut stream = dial(port);
    let _refused = stream.write_all(bytes);
    let _closed = stream.shutdown(Shutdown::Write);
    assert_eq!(rest(&mut stream), b"");
}

/// The verdict upon a hello, and the connection.
fn verdict(port: u16, hello: Hello<'_>) -> (u8, TcpStream) {
    let mut stream = dial(port);
    stream.write_all(&hello.bytes()).unwrap();
    let mut answer = [0; ANSWER + 1];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer[..8], MAGIC);
    (answer[ANSWER], stream)
}

/// A member's cluster, and the ids of all members in their places.
fn identities(runtime: &Runtime, cluster: &Cluster) -> (u64, Vec<u64>) {
    let header = |at: usize| {
        let status = runtime.block_on(cluster.client(at).status()).unwrap();
        status.header.unwrap()
    };
    let ids = (0..cluster.members.len()).map(|at| header(at).member_id).collect();
    (header(0).cluster_id, ids)
}

fn serves(runtime: &Runtime, client: &Client, what: &str) {
    eventually(&format!("a put after {what}"), || {
        runtime.block_on(client.put(what.to_owned(), "v")).ok()
    });
}

/// Bytes that follow a proper handshake and are no frames, or frames of no messages.
fn garbage() -> Vec<(&'static str, Vec<u8>)> {
    let oversized = [u32::try_from(MAX_FRAME + 1).unwrap().to_le_bytes(), [0; 4]].concat();
    let mut bad_sum = Vec::new();
    frame(&mut bad_sum, |out| out.extend(noise(3, 100))).unwrap();
    bad_sum[FRAME_HEADER + 50] ^= 1;
    let mut no_message = Vec::new();
    frame(&mut no_message, |out| out.extend(noise(4, 100))).unwrap();
    let mut empty = Vec::new();
    frame(&mut empty, |_| {}).unwrap();
    vec![
        ("noise", noise(5, 100_000)),
        ("a frame beyond the limit", oversized),
        ("a frame of 4 GiB", vec![0xff; FRAME_HEADER]),
        ("a frame with a wrong checksum", bad_sum),
        ("a frame without a message in it", no_message),
        ("an empty frame", empty),
        ("another handshake", MAGIC.repeat(10)),
    ]
}

#[test]
fn strangers_and_impostors_on_the_peer_port_change_nothing() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    let client = cluster.any_client();
    let (id, members) = identities(&runtime, &cluster);
    let port = cluster.members[0].peer_port;
    let (from, to, life) = (members[1], members[0], &Life::new(1));
    let proper = Hello { version: VERSION, cluster: id, from, to, incarnation: 77, life };

    for (seed, length) in [(1, 3), (2, 44), (3, 100_000)] {
        is_ignored(port, &noise(seed, length));
    }
    is_ignored(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    is_ignored(port, &[&b"CNCLPEEP"[..], &proper.bytes()[8..]].concat());
    is_ignored(port, &proper.bytes()[..53]);
    serves(&runtime, &client, "noise");

    let cases = [
        ("an old version", Hello { version: 1, ..proper }, OTHER_VERSION),
        ("a version of the future", Hello { version: u32::MAX, ..proper }, OTHER_VERSION),
        ("another cluster", Hello { cluster: !id, ..proper }, OTHER_CLUSTER),
        ("the wrong address", Hello { to: members[2], ..proper }, NOT_ME),
        ("a stranger", Hello { from: 1, ..proper }, STRANGER),
        ("nobody", Hello { from: 0, ..proper }, STRANGER),
        ("the member's own id", Hello { from: members[0], ..proper }, DUPLICATE),
        ("the id of a live member", proper, DUPLICATE),
    ];
    for (what, hello, wanted) in cases {
        let (given, mut stream) = verdict(port, hello);
        assert_eq!(given, wanted, "{what}");
        assert_eq!(rest(&mut stream), b"", "{what}: the member ends it");
        serves(&runtime, &client, what);
    }

    // A crowd that says nothing: the links that are up stay up.
    let silent: Vec<TcpStream> = (0..200).map(|_| dial(port)).collect();
    serves(&runtime, &client, "a silent crowd");
    drop(silent);
    cluster.assert_unharmed();
    cluster.assert_equal(&runtime);
}

#[test]
fn garbage_after_a_proper_handshake_ends_the_link_and_the_member_gets_it_back() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    let client = cluster.any_client();
    let (id, members) = identities(&runtime, &cluster);
    let port = cluster.members[0].peer_port;
    // Only the place of a member that is away can be taken.
    cluster.kill(2);
    // And only by whoever has its directory.
    let dir = &cluster.members[2].dir;
    let mut notes = Notes::new(RealDisk::open_named(dir, &["LIFE"]).unwrap(), dir);
    let note = notes.read(Note::Life).unwrap().unwrap();
    let (from, to, life) = (members[2], members[0], &Life::decode(&note).unwrap());
    let impostor = Hello { version: VERSION, cluster: id, from, to, incarnation: 78, life };
    let stranger = Hello { life: &Life::new(1), ..impostor };
    eventually("the place of the member that is away", || {
        (verdict(port, stranger).0 == FORGOTTEN).then_some(())
    });
    let welcomed = || {
        eventually("the place of the member that is away", || {
            let (given, stream) = verdict(port, impostor);
            (given == WELCOME).then_some(stream)
        })
    };
    for (what, bytes) in garbage() {
        let mut stream = welcomed();
        let _refused = stream.write_all(&bytes);
        assert_eq!(rest(&mut stream), b"", "{what}");
        serves(&runtime, &client, what);
    }
    // A frame that does not end holds up nobody but its own link.
    let mut half = welcomed();
    half.write_all(&[0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3]).unwrap();
    serves(&runtime, &client, "half a frame");

    // The member comes back while its place is held, by somebody who says nothing more.
    cluster.run(2);
    cluster.await_healthy();
    serves(&runtime, &cluster.client(2), "the return");
    assert_eq!(rest_or_open(&mut half), b"");
    cluster.assert_unharmed();
    cluster.assert_equal(&runtime);
}

/// Nothing is ever said on a link that was dialled, whether it is still open or not.
fn rest_or_open(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_nonblocking(true).unwrap();
    let mut bytes = Vec::new();
    let _open_or_closed = stream.read_to_end(&mut bytes);
    bytes
}
