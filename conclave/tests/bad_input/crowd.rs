//! Ten thousand connections that say nothing, and some that say it slowly.

use std::io;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Runtime;

use super::support::eventually;
use super::support::writers::Writers;
use super::wire::{PREFACE, Raw, SETTINGS, frame};
use super::{lone, patient, serves};

const CROWD: u64 = 10_000;
/// Descriptors that are left for everything else, here and in the member.
const SPARE: u64 = 500;
/// What one idle connection may cost the member, in bytes.
const COST: u64 = 32 << 10;
const DRIBBLERS: usize = 30;

/// Raises the limit of open files for this process and the members it starts, and gives how many
/// connections it allows.
fn room() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Without the right to it, the limit stays as it is.
    let _unchanged = setrlimit(Resource::Nofile, raised);
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    CROWD.min(allowed.saturating_sub(SPARE))
}

/// A connection that never finishes what it has begun to say.
struct Dribbler {
    raw: Raw,
    words: std::iter::Cycle<std::iter::Copied<std::slice::Iter<'static, u8>>>,
}

impl Dribbler {
    fn start(port: u16, number: usize) -> Self {
        let mut raw = Raw::open(port);
        // The head of a request that goes on and on; the beginning of a preface, and no more.
        let (opening, words): (&[u8], &'static [u8]) = match number % 2 {
            0 => (b"GET /health HTTP/1.1\r\n", b"X-A: b\r\n"),
            _ => (&PREFACE[..12], b""),
        };
        raw.send(opening).unwrap();
        Self { raw, words: words.iter().copied().cycle() }
    }

    /// Says one more byte; whether the server still listens.
    fn dribble(&mut self) -> bool {
        match self.words.next() {
            Some(word) => self.raw.send(&[word]).is_ok(),
            None => self.raw.is_open(),
        }
    }
}

fn connect(port: u16, count: u64) -> io::Result<Vec<TcpStream>> {
    use std::io::Write;
    let begun = [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
    (0..count)
        .map(|number| {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            // Every other one begins HTTP/2, and asks nothing.
            if number % 2 == 0 {
                stream.write_all(&begun)?;
            }
            Ok(stream)
        })
        .collect()
}

#[test]
fn ten_thousand_idle_connections_and_slow_ones_are_borne() {
    let count = room();
    let runtime = Runtime::new().unwrap();
    let mut cluster = lone();
    let port = cluster.members[0].client_port;
    let client = patient(&cluster);
    serves(&runtime, &client, "before");
    let before = cluster.resident(0);
    let mut dribblers: Vec<Dribbler> =
        (0..DRIBBLERS).map(|number| Dribbler::start(port, number)).collect();
    let writers = Writers::start(&runtime, &cluster.endpoints(), 4);

    let began = Instant::now();
    let crowd = connect(port, count).unwrap();
    // Those behind them in the queue are served: all have been accepted.
    serves(&runtime, &patient(&cluster), "newcomer");
    let took = began.elapsed();
    let grown = cluster.resident(0).saturating_sub(before);
    let acknowledged = writers.acknowledged();
    eventually("puts to go on", || (writers.acknowledged() > acknowledged + 50).then_some(()));
    eprintln!(
        "{count} idle connections within {took:?}: {} KiB more in use, {} puts meanwhile",
        grown >> 10,
        writers.acknowledged()
    );
    assert!(grown < count * COST + (32 << 20), "{} MiB more in use", grown >> 20);

    // Who does not say what it wants in time is let go; the others stay served.
    eventually("the slow ones to be let go", || {
        dribblers.retain_mut(Dribbler::dribble);
        dribblers.is_empty().then_some(())
    });
    drop(crowd);
    serves(&runtime, &client, "after");
    writers.finish(&runtime, &client);
    cluster.assert_unharmed();
}

/// A member's process with a limit of open files, killed when dropped.
struct Limited(Child);

impl Limited {
    fn start(command: &Command, files: usize) -> Self {
        let script = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).arg(command.get_program()).args(command.get_args());
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(shell.spawn().unwrap())
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A log that cannot create its next segment ends its node: clients must not be able to take the
/// descriptors that it needs.
#[test]
fn more_connections_than_open_files_leave_the_log_its_own() {
    const FILES: usize = 250;
    let runtime = Runtime::new().unwrap();
    let mut cluster = lone();
    cluster.kill(0);
    let mut limited = Limited::start(&cluster.command(0), FILES);
    cluster.await_answer(0);
    let client = patient(&cluster);
    serves(&runtime, &client, "before");

    let crowd = connect(cluster.members[0].client_port, 2 * u64::try_from(FILES).unwrap()).unwrap();
    // More than two segments of the log, by the client that is connected already.
    for number in 0..40 {
        runtime.block_on(client.put(format!("large/{number}"), vec![7; 1 << 20])).unwrap();
    }
    assert!(limited.0.try_wait().unwrap().is_none(), "the member has ended");
    // Whoever came too late is served when others leave.
    drop(crowd);
    serves(&runtime, &patient(&cluster), "after");
}
