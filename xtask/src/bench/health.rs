//! `GET /health`, which both systems answer with 200 once they can read through a quorum.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A member that is starting may leave a question open; a new one then asks again.
const PATIENCE: Duration = Duration::from_millis(250);
/// `HTTP/1.1 200`.
const STATUS_BYTES: usize = 12;

/// Whether a member says now that it is healthy.
pub(crate) fn is_healthy(member: SocketAddr) -> bool {
    status(member).is_ok_and(|line| line.starts_with(b"HTTP/1.") && line.ends_with(b" 200"))
}

fn status(member: SocketAddr) -> io::Result<[u8; STATUS_BYTES]> {
    let mut line = [0; STATUS_BYTES];
    ask(member, "/health", PATIENCE)?.read_exact(&mut line)?;
    Ok(line)
}

/// Asks a member for a page; the answer can be read from what is returned, and may take so long.
pub(crate) fn ask(member: SocketAddr, path: &str, patience: Duration) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&member, patience)?;
    stream.set_read_timeout(Some(patience))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {member}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn only_200_is_healthy() {
        let answers = [
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.0 200 OK\r\n\r\n", true),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", false),
            ("HTTP/1.1", false),
            ("SSH-2.0-some 200", false),
        ];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        for (answer, healthy) in answers {
            thread::scope(|scope| {
                scope.spawn(|| {
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let mut byte = [0];
                        stream.read_exact(&mut byte).unwrap();
                        request.extend(byte);
                    }
                    assert!(request.starts_with(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:"));
                    stream.write_all(answer.as_bytes()).unwrap();
                });
                assert_eq!(is_healthy(address), healthy, "{answer}");
            });
        }
        drop(listener);
        assert!(!is_healthy(address));
    }
}
