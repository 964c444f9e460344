//! Answers as bytes: what a session remembers of a write.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use super::record::{read_key_value, write_key_value};
use super::{DecodeError, Reader, put_i64, put_len};
use crate::{Error, KeyValue, LeaseId, MAX_TXN_DEPTH, Outcome, RangeResult};

/// The first byte of a refusal; the error's own follows.
const REFUSED: u8 = 0;

/// An outcome as bytes.
///
/// # Panics
/// For the outcome of a command that has no stamp: renewals and alarms.
pub(crate) fn write_answer(outcome: &Result<Outcome, Error>) -> Bytes {
    let mut out = Vec::new();
    match outcome {
        Ok(outcome) => write_outcome(&mut out, outcome),
        Err(error) => out.extend_from_slice(&[REFUSED, error_tag(*error)]),
    }
    Bytes::from(Box::<[u8]>::from(out))
}

/// The outcome that these bytes are.
pub(crate) fn read_answer(bytes: Bytes) -> Result<Result<Outcome, Error>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let answer = match reader.u8()? {
        REFUSED => Err(error_of(reader.u8()?)?),
        tag => Ok(read_outcome(&mut reader, tag, MAX_TXN_DEPTH)?),
    };
    reader.end(answer)
}

fn write_list(out: &mut Vec<u8>, kvs: &[KeyValue]) {
    put_len(out, kvs.len());
    kvs.iter().for_each(|kv| write_key_value(out, kv));
}

fn write_outcome(out: &mut Vec<u8>, outcome: &Outcome) {
    match outcome {
        Outcome::Put { prev } => {
            out.extend_from_slice(&[1, u8::from(prev.is_some())]);
            prev.iter().for_each(|kv| write_key_value(out, kv));
        }
        Outcome::DeleteRange { deleted, prev } => {
            out.push(2);
            put_i64(out, *deleted);
            write_list(out, prev);
        }
        Outcome::Txn { succeeded, responses } => {
            out.extend_from_slice(&[3, u8::from(*succeeded)]);
            put_len(out, responses.len());
            for (revision, outcome) in responses {
                put_i64(out, *revision);
                write_outcome(out, outcome);
            }
        }
        Outcome::Range(result) => {
            out.extend_from_slice(&[4, u8::from(result.more)]);
            put_i64(out, result.count);
            write_list(out, &result.kvs);
        }
        Outcome::LeaseGrant { id, ttl } => {
            out.push(5);
            put_i64(out, id.0);
            put_i64(out, *ttl);
        }
        Outcome::Done => out.push(6),
        Outcome::LeaseRenew(_) | Outcome::Alarm(_) | Outcome::Queued(_) => {
            panic!("invariant: the decoder stamps no renewal, no alarm and no wish for members")
        }
    }
}

fn read_outcome(r: &mut Reader, tag: u8, depth: usize) -> Result<Outcome, DecodeError> {
    Ok(match tag {
        1 => Outcome::Put { prev: if r.flag()? { Some(read_key_value(r)?) } else { None } },
        2 => Outcome::DeleteRange { deleted: r.i64()?, prev: r.list(read_key_value)? },
        3 => {
            let left = depth.checked_sub(1).ok_or(DecodeError::Depth)?;
            let succeeded = r.flag()?;
            let responses = r.list(|r| {
                let (revision, tag) = (r.i64()?, r.u8()?);
                Ok((revision, read_outcome(r, tag, left)?))
            })?;
            Outcome::Txn { succeeded, responses }
        }
        4 => {
            let (more, count) = (r.flag()?, r.i64()?);
            Outcome::Range(RangeResult { kvs: r.list(read_key_value)?, more, count })
        }
        5 => Outcome::LeaseGrant { id: LeaseId(r.i64()?), ttl: r.i64()? },
        6 => Outcome::Done,
        _ => return Err(DecodeError::Tag("answer")),
    })
}

/// The errors that a place in the log may answer with, and their bytes.
const ERRORS: [(Error, u8); 15] = [
    (Error::EmptyKey, 1),
    (Error::KeyNotFound, 2),
    (Error::ValueProvided, 3),
    (Error::LeaseProvided, 4),
    (Error::TooManyOps, 5),
    (Error::DuplicateKey, 6),
    (Error::InvalidSortOption, 7),
    (Error::RequestTooLarge, 8),
    (Error::LeaseNotFound, 9),
    (Error::LeaseExists, 10),
    (Error::LeaseTtlTooLarge, 11),
    (Error::Compacted, 12),
    (Error::FutureRevision, 13),
    (Error::NoSpace, 14),
    (Error::Corrupt, 15),
];

fn error_tag(error: Error) -> u8 {
    let known = ERRORS.iter().find(|(known, _)| *known == error);
    known.expect("invariant: a command that is carried out answers with one of these").1
}

fn error_of(tag: u8) -> Result<Error, DecodeError> {
    let known = ERRORS.iter().find(|(_, known)| *known == tag);
    known.map(|(error, _)| *error).ok_or(DecodeError::Tag("refusal"))
}
