//! What waits to be sent on one link, and the socket it goes to.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, BytesMut};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Bytes that may wait on one link, besides those of one turn. Beyond them messages are dropped:
/// whoever is that far behind is caught up from the log.
const MAX_WAITING: usize = 64 << 20;

/// The sending side of one link. The driver writes here directly, so that bytes leave before the
/// driver goes on to sync its log; what the socket does not take at once, the link's task sends.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    inner: Arc<Mutex<Inner>>,
    more: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    stream: Option<Arc<TcpStream>>,
    waiting: BytesMut,
}

/// Nothing was sent: the link is down or its queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dropped;

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link is up: from now on bytes go to this socket.
    pub(super) fn open(&self, stream: Arc<TcpStream>) {
        let mut inner = self.lock();
        inner.stream = Some(stream);
        inner.waiting.clear();
    }

    /// The link is down: what waited is lost.
    pub(super) fn close(&self) {
        *self.lock() = Inner::default();
    }

    /// Sends bytes, now as far as the socket takes them.
    pub(super) fn send(&self, bytes: &[u8]) -> Result<(), Dropped> {
        let mut inner = self.lock();
        let Some(stream) = inner.stream.clone() else { return Err(Dropped) };
        // What one turn has to say always fits into an empty queue.
        if !inner.waiting.is_empty() && inner.waiting.len() + bytes.len() > MAX_WAITING {
            return Err(Dropped);
        }
        let sent = if inner.waiting.is_empty() { stream.try_write(bytes).unwrap_or(0) } else { 0 };
        if sent < bytes.len() {
            inner.waiting.extend_from_slice(&bytes[sent..]);
            // An error shows again in the task, which then closes the link.
            self.more.notify_one();
        }
        Ok(())
    }

    /// Sends what waits, for as long as the link lives.
    pub(super) async fn drain(&self, stream: &TcpStream) -> io::Error {
        loop {
            self.more.notified().await;
            loop {
                if let Err(error) = stream.writable().await {
                    return error;
                }
                let mut inner = self.lock();
                if inner.waiting.is_empty() {
                    break;
                }
                match stream.try_write(&inner.waiting) {
                    Ok(sent) => inner.waiting.advance(sent),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return error,
                }
            }
        }
    }
}
