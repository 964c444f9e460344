//! Which protocol a new connection speaks.
//!
//! HTTP/2 opens with 24 fixed bytes (RFC 9113 §3.4); anything else is taken for HTTP/1. What was
//! read to find out is given back to the protocol. A connection that does not decide in time is
//! closed: before that it has cost a socket and a timer, nothing else.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.0 or 1.1, or nothing that we know.
    Http1,
    /// HTTP/2 without negotiation.
    Http2,
}

/// A connection with the bytes in front of it that were read already.
#[derive(Debug)]
pub(super) struct Opened<S> {
    head: [u8; PREFACE.len()],
    taken: usize,
    held: usize,
    stream: S,
}

/// Reads until the protocol is known; `None` when the client closes before.
pub(super) async fn detect<S: AsyncRead + Unpin>(
    mut stream: S,
) -> io::Result<Option<(Protocol, Opened<S>)>> {
    let mut head = [0; PREFACE.len()];
    let mut held = 0;
    let protocol = loop {
        let Some(room) = head.get_mut(held..).filter(|room| !room.is_empty()) else {
            break Protocol::Http2;
        };
        match stream.read(room).await? {
            0 => return Ok(None),
            read => held += read,
        }
        if head.get(..held) != PREFACE.get(..held) {
            break Protocol::Http1;
        }
    };
    Ok(Some((protocol, Opened { head, taken: 0, held, stream })))
}

impl<S: AsyncRead + Unpin> AsyncRead for Opened<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(rest) = this.head.get(this.taken..this.held).filter(|rest| !rest.is_empty()) {
            let give = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..give]);
            this.taken += give;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opened<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::{PREFACE, Protocol, detect};

    /// What is detected, and what the protocol then reads, when `sent` arrives in two pieces.
    async fn detected(sent: &[u8], cut: usize) -> Option<(Protocol, Vec<u8>)> {
        let (mut client, server) = tokio::io::duplex(1024);
        let (first, second) = sent.split_at(cut);
        let write = async move {
            client.write_all(first).await.unwrap();
            tokio::task::yield_now().await;
            // Closed early when the protocol was clear from the first piece: not an error.
            let _closed = client.write_all(second).await;
        };
        let read = async {
            let (protocol, mut opened) = detect(server).await.unwrap()?;
            let mut bytes = Vec::new();
            opened.read_to_end(&mut bytes).await.unwrap();
            Some((protocol, bytes))
        };
        tokio::join!(write, read).1
    }

    #[tokio::test]
    async fn the_protocol_is_found_and_no_byte_is_lost() {
        let http2 = [&PREFACE[..], b"and frames"].concat();
        let cases: [(&[u8], Protocol); 4] = [
            (&http2, Protocol::Http2),
            (b"GET /health HTTP/1.1\r\n\r\n", Protocol::Http1),
            (b"PRI * HTTP/1.0\r\n\r\nnothing", Protocol::Http1),
            (b"\0garbage", Protocol::Http1),
        ];
        for (sent, protocol) in cases {
            for cut in 0..sent.len() {
                assert_eq!(detected(sent, cut).await, Some((protocol, sent.to_vec())), "{cut}");
            }
        }
    }

    #[tokio::test]
    async fn a_client_that_leaves_undecided_is_no_connection() {
        assert_eq!(detected(&PREFACE[..10], 5).await, None);
        assert_eq!(detected(b"", 0).await, None);
    }
}
