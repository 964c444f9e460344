//! The least client of gRPC: one call after the other on one connection, each with a deadline.
//!
//! Programs that are started for each call cost more than what is measured here, and a client that
//! looks for another member hides it. This one knows as much of HTTP/2 (RFC 9113) as unary calls of
//! few bytes need: no compression of headers, no pushes, windows that are never full. A call that
//! is answered with a message has succeeded; one that is refused has trailers alone.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW: u8 = 8;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection to one member.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    host: String,
    next: u32,
    /// What was read and is no whole frame yet.
    read: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(member: SocketAddr, patience: Duration) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&member, patience)?;
        stream.set_nodelay(true)?;
        let mut hello = PREFACE.to_vec();
        frame(&mut hello, SETTINGS, 0, 0, &[]);
        stream.write_all(&hello)?;
        Ok(Self { stream, host: member.to_string(), next: 1, read: Vec::new() })
    }

    /// Calls a method; `None` when it was refused.
    pub(crate) fn call(
        &mut self,
        method: &str,
        message: &[u8],
        patience: Duration,
    ) -> io::Result<Option<Vec<u8>>> {
        let deadline = Instant::now() + patience;
        let id = self.next;
        self.next += 2;
        self.stream.write_all(&request(id, &self.host, method, message, patience))?;
        let answer = self.answer(id, deadline);
        if answer.is_err() {
            let mut reset = Vec::new();
            // CANCEL.
            frame(&mut reset, RESET, 0, id, &8_u32.to_be_bytes());
            let _ = self.stream.write_all(&reset);
        }
        answer
    }

    fn answer(&mut self, id: u32, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
        let mut data = Vec::new();
        loop {
            let (kind, flags, stream, payload) = self.frame(deadline)?;
            let mine = stream == id;
            match kind {
                DATA => {
                    let mut more = Vec::new();
                    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                    if length > 0 {
                        frame(&mut more, WINDOW, 0, 0, &length.to_be_bytes());
                        self.stream.write_all(&more)?;
                    }
                    if mine {
                        data.extend(payload);
                    }
                }
                SETTINGS | PING if flags & ACK == 0 => {
                    let mut ack = Vec::new();
                    let echo = if kind == PING { payload.as_slice() } else { &[] };
                    frame(&mut ack, kind, ACK, 0, echo);
                    self.stream.write_all(&ack)?;
                }
                GOAWAY => return Err(io::ErrorKind::ConnectionAborted.into()),
                RESET if mine => return Ok(None),
                _ => {}
            }
            if mine && matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                // One message: a flag and a length before it.
                return Ok((data.len() >= 5).then(|| data.split_off(5)));
            }
        }
    }

    fn frame(&mut self, deadline: Instant) -> io::Result<(u8, u8, u32, Vec<u8>)> {
        loop {
            if let Some(head) = self.read.first_chunk::<HEAD>() {
                let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8;
                let length = length | usize::from(head[2]);
                let (kind, flags) = (head[3], head[4]);
                let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) << 1 >> 1;
                if self.read.len() >= HEAD + length {
                    let payload = self.read[HEAD..HEAD + length].to_vec();
                    self.read.drain(..HEAD + length);
                    return Ok((kind, flags, stream, payload));
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.read.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn request(id: u32, host: &str, method: &str, message: &[u8], patience: Duration) -> Vec<u8> {
    let timeout = format!("{}m", patience.as_millis());
    // RFC 7541, appendix A: POST and http are 3 and 6, path and authority have names 4 and 1.
    let mut headers = vec![0x83, 0x86];
    literal(&mut headers, &[0x04], method);
    literal(&mut headers, &[0x01], host);
    // Name 31, in a prefix of four bits.
    literal(&mut headers, &[0x0f, 0x10], "application/grpc");
    for (name, value) in [("te", "trailers"), ("grpc-timeout", timeout.as_str())] {
        headers.push(0);
        literal(&mut headers, &[], name);
        literal(&mut headers, &[], value);
    }
    let mut out = Vec::new();
    frame(&mut out, HEADERS, END_HEADERS, id, &headers);
    let length = u32::try_from(message.len()).expect("messages here are short");
    let body = [&[0][..], &length.to_be_bytes(), message].concat();
    frame(&mut out, DATA, END_STREAM, id, &body);
    out
}

/// A text behind its length, which fits into seven bits here.
fn literal(out: &mut Vec<u8>, name: &[u8], text: &str) {
    out.extend_from_slice(name);
    out.push(u8::try_from(text.len()).ok().filter(|it| *it < 127).expect("texts here are short"));
    out.extend_from_slice(text.as_bytes());
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("frames here are short");
    out.extend_from_slice(&length.to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// What `PutRequest` and `StatusResponse` need of protobuf.
pub(crate) mod wire {
    /// A put.
    pub(crate) fn put(key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for (tag, bytes) in [(0x0a, key), (0x12, value)] {
            out.push(tag);
            out.push(u8::try_from(bytes.len()).ok().filter(|it| *it < 128).expect("short"));
            out.extend_from_slice(bytes);
        }
        out
    }

    /// The numbers of a message's fields, and the bytes of those that have some.
    pub(crate) fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, u64, &[u8])>> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            let value = varint(&mut bytes)?;
            let mut inner = &[][..];
            match key & 7 {
                0 => {}
                2 => {
                    let length = usize::try_from(value).ok()?;
                    inner = bytes.get(..length)?;
                    bytes = &bytes[length..];
                }
                _ => return None,
            }
            fields.push((key >> 3, value, inner));
        }
        Some(fields)
    }

    fn varint(bytes: &mut &[u8]) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&first, rest) = bytes.split_first()?;
            *bytes = rest;
            value |= u64::from(first & 127) << shift;
            if first < 128 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_as_protobuf_is_read_again() {
        let bytes = wire::put(b"key", b"value");
        let fields = wire::fields(&bytes).unwrap();
        assert_eq!(fields, [(1, 3, &b"key"[..]), (2, 5, &b"value"[..])]);
        assert_eq!(wire::fields(&[0x30, 0xac, 0x02]), Some(vec![(6, 300, &[][..])]));
        assert_eq!(wire::fields(&[0x30]), None);
    }

    #[test]
    fn a_frame_has_its_length_its_kind_and_its_stream_before_it() {
        let mut out = Vec::new();
        frame(&mut out, RESET, 0, 7, &[1, 2]);
        assert_eq!(out, [0, 0, 2, 3, 0, 0, 0, 0, 7, 1, 2]);
    }
}
