//! Looks before the leap: what would make a server fail at once, said in one sentence.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::failure::{Failure, Result};

/// The longest time that a folder for backups may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Refuses an address that cannot be listened on. `flag` is the setting to change.
pub(crate) fn port(address: SocketAddr, flag: &str) -> Result {
    let Err(error) = TcpListener::bind(address) else { return Ok(()) };
    Err(Failure::new(match error.kind() {
        ErrorKind::AddrInUse => format!(
            "{address} is taken by another process; stop it, or choose another port with {flag}"
        ),
        ErrorKind::PermissionDenied => {
            format!("{address} needs more rights; choose a port above 1023 with {flag}")
        }
        ErrorKind::AddrNotAvailable => {
            format!("{address} is no address of this machine; choose one of its own with {flag}")
        }
        _ => format!("cannot listen on {address}: {error}; choose another address with {flag}"),
    }))
}

/// This address, or when it is taken one with a port that is free.
pub(crate) fn free(address: SocketAddr) -> Result<SocketAddr> {
    let taken = TcpListener::bind(address).is_err() || UdpSocket::bind(address).is_err();
    let any = SocketAddr::new(address.ip(), if taken { 0 } else { address.port() });
    Ok(TcpListener::bind(any)?.local_addr()?)
}

/// Lets this process open as many files as it has the right to: each connection is one, and the
/// limit that a shell starts with is often 1,024.
pub(crate) fn open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Refused, the limit stays as it was, and the server has room for fewer clients.
    let _refused = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// By which the allocator is told whether to take huge pages.
const HUGE_PAGES: &str = "MIMALLOC_ALLOW_THP";

/// Has this process take its memory in small pages: of one that holds a few megabytes, most would
/// be the unused rest of huge ones. The allocator takes its first before `main` begins and heeds
/// its environment alone, so the process begins once more, as the same one. Where somebody has
/// chosen already, it stays so.
pub(crate) fn small_pages() {
    use std::os::unix::process::CommandExt as _;
    if std::env::var_os(HUGE_PAGES).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut again = std::process::Command::new(program);
    // Refused, the process is a few megabytes larger.
    let _refused = again.args(std::env::args_os().skip(1)).env(HUGE_PAGES, "0").exec();
}

/// Creates a directory if need be, and refuses one that cannot be written to.
pub(crate) fn directory(path: &Path, flag: &str) -> Result {
    probe(path).map_err(|error| unwritable(path, flag, &error))
}

/// The same for the folder of backups, where only what will never do is refused. What may be better
/// by the time of a backup, such as a server for files that is away, is that backup's affair: it
/// does not keep a member from serving.
pub(crate) fn backups(path: &Path, flag: &str) -> Result {
    let (done, looked) = mpsc::channel();
    let folder = path.to_owned();
    // Its own thread: a file server that is away may hold it up for ever.
    std::thread::Builder::new().name("backups".to_owned()).spawn(move || {
        // Nobody waits any more when it takes too long.
        let _late = done.send(probe(&folder));
    })?;
    let Ok(Err(error)) = looked.recv_timeout(PATIENCE) else { return Ok(()) };
    match error.kind() {
        ErrorKind::PermissionDenied
        | ErrorKind::NotADirectory
        | ErrorKind::AlreadyExists
        | ErrorKind::ReadOnlyFilesystem => Err(unwritable(path, flag, &error)),
        _ => Ok(()),
    }
}

fn probe(path: &Path) -> std::io::Result<()> {
    fs::create_dir_all(path)?;
    let probe = path.join(format!(".probe-{}", std::process::id()));
    fs::write(&probe, b"")?;
    fs::remove_file(&probe)
}

fn unwritable(path: &Path, flag: &str, error: &std::io::Error) -> Failure {
    let shown = path.display();
    let why = match error.kind() {
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a file stands in its place".to_owned()
        }
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        _ => error.to_string(),
    };
    Failure::new(format!("cannot write to {shown}: {why}; choose another one with {flag}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_flag_that_moves_it() {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = holder.local_addr().unwrap();
        let failure = port(address, "--listen-client").unwrap_err();
        assert!(failure.text().starts_with(&format!("{address} is taken")));
        assert!(failure.text().ends_with("--listen-client"));
        drop(holder);
        port(address, "--listen-client").unwrap();
    }

    #[test]
    fn a_file_in_the_place_of_a_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        fs::write(&file, b"x").unwrap();
        for path in [file.clone(), file.join("below")] {
            let failure = directory(&path, "--data-dir").unwrap_err();
            assert!(failure.text().contains("a file stands in its place"), "{}", failure.text());
        }
    }

    #[test]
    fn a_directory_is_made_and_left_empty() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("a/b");
        directory(&below, "--data-dir").unwrap();
        assert_eq!(fs::read_dir(&below).unwrap().count(), 0);
    }
}
