//! HTTP/2 by hand, so that it can be spoken wrongly.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::support::PATIENCE;

/// RFC 9113 §3.4.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// A flag of `SETTINGS`.
const ACK: u8 = 1;
/// Flags of `HEADERS`; the first one is also a flag of `DATA`.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// The longest payload that a peer must take unless it says more (RFC 9113 §4.2).
pub(crate) const MAX_PAYLOAD: usize = 16_384;

/// One frame, right or wrong (RFC 9113 §4.1). Its length is that of the payload.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Numbers behind each other, as the payload of a frame.
pub(crate) fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// The payload of a `SETTINGS` frame that allows `window` bytes on each stream.
pub(crate) fn window_setting(window: u32) -> Vec<u8> {
    let mut payload = vec![0, 4];
    payload.extend(window.to_be_bytes());
    payload
}

/// Fields without compression (RFC 7541 §6.2.2).
pub(crate) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        text(&mut block, name);
        text(&mut block, value);
    }
    block
}

/// RFC 7541 §5.1 and RFC 7541 §5.2, not Huffman-coded.
fn text(block: &mut Vec<u8>, text: &str) {
    let mut rest = text.len();
    if rest < 127 {
        block.push(u8::try_from(rest).unwrap());
    } else {
        block.push(127);
        rest -= 127;
        while rest >= 128 {
            block.push(u8::try_from(rest % 128).unwrap() | 128);
            rest /= 128;
        }
        block.push(u8::try_from(rest).unwrap());
    }
    block.extend_from_slice(text.as_bytes());
}

/// The fields of a call of `method`.
pub(crate) fn call(method: &str) -> Vec<u8> {
    fields(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ])
}

/// A gRPC message, not compressed.
pub(crate) fn message(body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Bytes that look like nothing, the same in every run (Marsaglia's xorshift64).
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.max(1);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A frame that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// A connection that sends what it is told to.
#[derive(Debug)]
pub(crate) struct Raw {
    stream: TcpStream,
}

impl Raw {
    pub(crate) fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// A connection that has begun HTTP/2 as it should, with empty settings.
    pub(crate) fn http2(port: u16) -> Self {
        let mut raw = Self::open(port);
        raw.send(PREFACE).unwrap();
        raw.send(&frame(SETTINGS, 0, 0, &[])).unwrap();
        raw
    }

    /// The same, once it has taken the server's settings and the connection's window: from then
    /// on megabytes may be sent. Before, it is 64 KiB (RFC 9113 §6.9.2).
    pub(crate) fn agreed(port: u16) -> Self {
        let mut raw = Self::http2(port);
        raw.until(|frame| frame.kind == SETTINGS && frame.flags == 0);
        raw.send(&frame(SETTINGS, ACK, 0, &[])).unwrap();
        raw.until(|frame| frame.kind == WINDOW_UPDATE && frame.stream == 0);
        raw
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that nothing more comes.
    pub(crate) fn finish(&mut self) {
        // A server that has closed the connection already is content, too.
        let _closed = self.stream.shutdown(Shutdown::Write);
    }

    /// Everything that comes until the server ends the connection.
    ///
    /// # Panics
    /// When it does not end before the patience does.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Err(error) = self.stream.read_to_end(&mut bytes) {
            let ended = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
            assert!(ended.contains(&error.kind()), "the server does not end it: {error}");
        }
        bytes
    }

    /// Whether the server has neither closed nor reset the connection. What it may have said is
    /// lost.
    pub(crate) fn is_open(&mut self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let open = loop {
            match self.stream.read(&mut [0; 1024]) {
                Ok(0) => break false,
                Ok(_) => {}
                Err(error) => break error.kind() == io::ErrorKind::WouldBlock,
            }
        };
        self.stream.set_nonblocking(false).unwrap();
        open
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.exactly(&mut head)?;
        let [a, b, c, kind, flags, s, t, u, v] = head;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap();
        let mut payload = vec![0; length];
        self.exactly(&mut payload)?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes([s, t, u, v]), payload })
    }

    fn exactly(&mut self, buffer: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(buffer) {
            Ok(()) => Some(()),
            Err(error) => {
                let silent = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
                assert!(!silent.contains(&error.kind()), "the server says nothing more");
                None
            }
        }
    }

    /// Reads until a frame is as wanted.
    ///
    /// # Panics
    /// When the connection ends first.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Frame {
        let mut others = Vec::new();
        while let Some(frame) = self.next() {
            if wanted(&frame) {
                return frame;
            }
            others.push((frame.kind, frame.flags, frame.stream, frame.payload.len()));
        }
        panic!("the connection ends before what was waited for; there came {others:?}")
    }
}
