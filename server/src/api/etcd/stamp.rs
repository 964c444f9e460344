//! Request ids: which write of which client a call is, as its metadata says.
//!
//! ```text
//! conclave-client      the client: a UUID, drawn by the client for itself
//! conclave-sequence    its number for this write: 1, 2, … ; the same when the write is repeated
//! conclave-oldest      optional: the lowest number that it may still repeat
//! ```
//!
//! A write with an id is done at most once, and answered alike however often it is sent, to
//! whichever member. etcd's clients send none, and nothing changes for them. An id beside a call
//! that changes nothing is not looked at.

use http::{HeaderMap, HeaderValue};
use store::{ClientId, Stamp};
use tonic::Status;

const CLIENT: &str = "conclave-client";
const SEQUENCE: &str = "conclave-sequence";
/// What `Status` says of a server that understands these: a client must not repeat a write that
/// another one would do twice.
pub(super) const UNDERSTOOD: &str = "conclave-request-ids";
const OLDEST: &str = "conclave-oldest";

/// The request id of a call, if it has one.
///
/// # Errors
/// `InvalidArgument` for one that is malformed or incomplete. Nothing was done.
pub(super) fn stamp(headers: &HeaderMap) -> Result<Option<Stamp>, Status> {
    let (client, sequence) = match (headers.get(CLIENT), headers.get(SEQUENCE)) {
        (Some(client), Some(sequence)) => (client, sequence),
        (None, None) => return Ok(None),
        (Some(_), None) | (None, Some(_)) => {
            return Err(malformed("conclave-client and conclave-sequence belong together"));
        }
    };
    let Some(client) = uuid(client.as_bytes()) else {
        return Err(malformed("conclave-client is no UUID"));
    };
    let Some(sequence) = number(sequence) else {
        return Err(malformed("conclave-sequence is no number from 1 to 2^64 - 1"));
    };
    let oldest = headers.get(OLDEST).map_or(Some(1), number);
    let stamp = oldest.and_then(|oldest| Stamp::new(ClientId(client), sequence, oldest));
    match stamp {
        Some(stamp) => Ok(Some(stamp)),
        None => Err(malformed("conclave-oldest is no number from 1 to conclave-sequence")),
    }
}

fn malformed(why: &str) -> Status {
    Status::invalid_argument(format!("etcdserver: malformed request id: {why}"))
}

/// A number from 1 on, in decimal digits and nothing else.
fn number(value: &HeaderValue) -> Option<u64> {
    let digits = value.as_bytes();
    let plain = digits.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(digits).ok().filter(|_| plain)?;
    text.parse().ok().filter(|number| *number > 0)
}

/// The bytes of a UUID: 32 hexadecimal digits, with the usual four hyphens or none at all.
fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let hyphens = match text.len() {
        32 => 0,
        36 if [8, 13, 18, 23].iter().all(|place| text[*place] == b'-') => 4,
        _ => return None,
    };
    let mut digits = text.iter().filter(|byte| hyphens == 0 || **byte != b'-');
    let mut digit = || char::from(*digits.next()?).to_digit(16);
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        *byte = u8::try_from(digit()? << 4 | digit()?).ok()?;
    }
    digits.next().is_none().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "00112233-4455-6677-8899-aabbccddeeff";

    fn read(pairs: &[(&'static str, &str)]) -> Result<Option<Stamp>, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        stamp(&headers).map_err(|status| {
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
            status.message().to_owned()
        })
    }

    #[test]
    fn a_call_without_an_id_has_none() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[(OLDEST, "7")]), Ok(None));
    }

    #[test]
    fn an_id_is_read_in_either_spelling() {
        let stamp = read(&[(CLIENT, UUID), (SEQUENCE, "7")]).unwrap().unwrap();
        assert_eq!((stamp.client().to_string().as_str(), stamp.sequence()), (UUID, 7));
        assert_eq!(stamp.oldest(), 1);
        let plain = UUID.replace('-', "").to_uppercase();
        let other = read(&[(CLIENT, &plain), (SEQUENCE, "7"), (OLDEST, "5")]).unwrap().unwrap();
        assert_eq!((other.client(), other.oldest()), (stamp.client(), 5));
    }

    #[test]
    fn a_malformed_id_is_refused_and_named() {
        let said = |pairs: &[(&'static str, &str)]| read(pairs).unwrap_err();
        assert!(said(&[(CLIENT, UUID)]).contains("belong together"));
        assert!(said(&[(SEQUENCE, "1")]).contains("belong together"));
        for text in
            ["", "x", "0", "00112233445566778899aabbccddeef", "g0112233445566778899aabbccddeeff"]
        {
            assert!(said(&[(CLIENT, text), (SEQUENCE, "1")]).contains("is no UUID"), "{text}");
        }
        let misplaced = "0011223-34455-6677-8899-aabbccddeeff";
        let crowded = "00112233-4455-6677-8899-aabbccdd-eff";
        for text in [misplaced, crowded] {
            assert!(said(&[(CLIENT, text), (SEQUENCE, "1")]).contains("is no UUID"), "{text}");
        }
        for number in ["0", "-1", "+1", "1.0", "", "18446744073709551616"] {
            let pairs = [(CLIENT, UUID), (SEQUENCE, number)];
            assert!(said(&pairs).contains("conclave-sequence is no number"), "{number}");
        }
        for oldest in ["0", "8", "x"] {
            let pairs = [(CLIENT, UUID), (SEQUENCE, "7"), (OLDEST, oldest)];
            assert!(said(&pairs).contains("conclave-oldest"), "{oldest}");
        }
    }
}
