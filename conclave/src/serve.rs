//! Runs a server in this process until something ends it.

use std::future::Future;
use std::io::Read as _;
use std::net::SocketAddr;
use std::time::Duration;

use server::Agent;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

use crate::cli::block_on;
use crate::failure::{Failure, Result};
use crate::preflight;

/// The time between two looks at a server that is starting.
const LOOK: Duration = Duration::from_millis(25);
/// The longest time that one look may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);
/// The most of an answer to a look that is read, in bytes.
const ANSWER_MAX: u64 = 64 << 10;

/// What besides a signal ends the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leash {
    /// Nothing.
    None,
    /// The end of standard input: whoever started this process has ended.
    Stdin,
}

/// Runs an agent until SIGINT, SIGTERM or the end of its leash; then it stops in good order.
/// `ready` is called once it serves.
pub(crate) fn run(agent: Agent, leash: Leash, ready: impl FnOnce() -> Result) -> Result {
    look_first(&agent)?;
    preflight::open_files();
    let server = agent.server.as_ref();
    let address = server.map_or(agent.listen_http, |config| config.listen_client);
    let (stop, stopping) = watch::channel(false);
    let (ended, end) = oneshot::channel();
    let server = std::thread::Builder::new().name("server".to_owned());
    let server = server.spawn(move || {
        // The receiver is there until this thread has ended.
        drop(ended.send(agent.run(stopping).map_err(Failure::from)));
    })?;
    let result = block_on(async {
        let mut end = std::pin::pin!(outcome(end));
        let mut stopped = std::pin::pin!(asked_to_stop(leash)?);
        tokio::select! {
            result = &mut end => return result,
            () = &mut stopped => {}
            () = healthy(address) => {
                ready()?;
                tokio::select! {
                    result = &mut end => return result,
                    () = &mut stopped => {}
                }
            }
        }
        stop.send_replace(true);
        end.await
    });
    // A failure here, such as a reader that is gone, stops the server as well.
    stop.send_replace(true);
    match server.join() {
        Ok(()) => result,
        Err(_) => Err(Failure::new("the server stopped because of a bug; the log says where")),
    }
}

/// Refuses what would make the agent fail at once.
fn look_first(agent: &Agent) -> Result {
    if let Some(config) = &agent.server {
        preflight::port(config.listen_client, "--listen-client")?;
        if config.initial_cluster.len() > 1 || config.expects_peers {
            preflight::port(config.listen_peer, "--listen-peer")?;
        }
        if let Some(path) = &config.data_dir {
            preflight::directory(path, "--data-dir")?;
        }
        if let Some(backups) = &config.backups {
            preflight::backups(&backups.dir, "--backup-dir")?;
        }
    }
    if let Some(pool) = &agent.pool {
        preflight::port(pool.listen, "--listen-gossip")?;
        preflight::port(agent.listen_http, "--listen-http")?;
        if let Some(path) = &pool.data_dir {
            preflight::directory(path, "--data-dir")?;
        }
    }
    Ok(())
}

async fn outcome(end: oneshot::Receiver<Result>) -> Result {
    match end.await {
        Ok(result) => result,
        // The thread panicked, and says so when it is joined.
        Err(_) => Ok(()),
    }
}

/// Registers for signals at once, and then waits for one, or for the end of the leash.
pub(crate) fn asked_to_stop(leash: Leash) -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (released, release) = oneshot::channel::<()>();
    // Kept where nothing lets go: the leash is then never released.
    let mut held = Some(released);
    if leash == Leash::Stdin {
        let released = held.take();
        // Its own thread: a read of standard input cannot be given up.
        let thread = std::thread::Builder::new().name("leash".to_owned());
        thread.spawn(move || {
            let mut stdin = std::io::stdin().lock();
            let mut ignored = [0; 256];
            while matches!(stdin.read(&mut ignored), Ok(1..)) {}
            drop(released);
        })?;
    }
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = release => {}
        }
        drop(held);
    })
}

/// Waits until the server at `address` says that it is healthy.
pub(crate) async fn healthy(address: SocketAddr) {
    loop {
        let look = tokio::time::timeout(LOOK_TIMEOUT, is_healthy(address));
        if matches!(look.await, Ok(Ok(true))) {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Asks `/health` once.
async fn is_healthy(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}
