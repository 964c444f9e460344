//! Fuzz bodies, run here on seeded input. A body takes any bytes and panics when a law is broken.

use bytes::Bytes;
use store::{Command, DecodeError, Limits, Record, Store};

use crate::random::Draw;

/// A command decoder never panics; what it accepts is encoded as it came, and can be validated.
pub(crate) fn command(data: &[u8]) -> Result<(), DecodeError> {
    let command = Command::decode(Bytes::copy_from_slice(data))?;
    let mut out = Vec::new();
    command.encode(&mut out);
    assert_eq!(out, data, "a command has one encoding");
    let _ = Store::validate(&Limits::default(), &command);
    Ok(())
}

/// A record decoder never panics; what it accepts is encoded as it came.
pub(crate) fn record(data: &[u8]) -> Result<(), DecodeError> {
    let record = Record::decode(Bytes::copy_from_slice(data))?;
    let mut out = Vec::new();
    record.encode(&mut out);
    assert_eq!(out, data, "a record has one encoding");
    let is_tombstone = matches!(record, Record::Tombstone { .. });
    assert_eq!(Record::is_tombstone_bytes(data), Ok(is_tombstone));
    Ok(())
}

/// Any command that can be decoded may stand in a log: applying it never panics, and leaves a
/// store that can be flushed and restored.
pub(crate) fn log(data: &[u8]) {
    let mut rig = crate::rig::Rig::cold();
    for chunk in data.split(|byte| *byte == 0xee) {
        if let Ok(command) = Command::decode(Bytes::copy_from_slice(chunk)) {
            let _ = rig.apply(&command);
            rig.flush();
            rig.prune_step(1);
        }
    }
    assert_eq!(rig.restarted().hash(), rig.hash());
}

/// Valid bytes with a few of them changed, cut or doubled: they reach deeper than noise.
fn damaged(draw: &mut Draw, bytes: &mut Vec<u8>) {
    for _ in 0..draw.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = draw.below(bytes.len());
        match draw.below(5) {
            0 => bytes[at] = draw.pick(&[0, 1, 2, 0x7f, 0x80, 0xff]),
            1 => bytes[at] ^= 1 << draw.below(8),
            2 => bytes.truncate(at),
            3 => drop(bytes.remove(at)),
            _ => bytes.insert(at, bytes[at]),
        }
    }
}

#[test]
fn command_bytes_of_any_kind() {
    let mut draw = Draw::new(1);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut bytes = Vec::new();
        draw.command(9).encode(&mut bytes);
        damaged(&mut draw, &mut bytes);
        accepted += usize::from(command(&bytes).is_ok());
    }
    assert!((2_000..19_000).contains(&accepted), "{accepted} of 20,000 were accepted");
    for _ in 0..20_000 {
        let len = draw.below(60);
        let mut noise = vec![1];
        noise.extend((0..len).map(|_| draw.pick(&[0, 0, 0, 1, 2, 3, 4, 9, 0xff])));
        let _ = command(&noise);
    }
}

#[test]
fn record_bytes_of_any_kind() {
    let mut draw = Draw::new(2);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let key = draw.key();
        let record_of = if draw.one_in(3) {
            Record::Tombstone { key }
        } else {
            let (value, lease) = (draw.value(), Some(store::LeaseId(5)).filter(|_| draw.one_in(2)));
            let (create_revision, mod_revision, version) = (2, 3, draw.between(1, 9));
            let kv = store::KeyValue { key, value, create_revision, mod_revision, version, lease };
            Record::Put(kv)
        };
        let mut bytes = Vec::new();
        record_of.encode(&mut bytes);
        damaged(&mut draw, &mut bytes);
        accepted += usize::from(record(&bytes).is_ok());
    }
    assert!((2_000..19_000).contains(&accepted), "{accepted} of 20,000 were accepted");
}

#[test]
fn logs_of_any_kind() {
    let mut draw = Draw::new(3);
    for _ in 0..300 {
        let mut bytes = Vec::new();
        for _ in 0..20 {
            let mut one = Vec::new();
            draw.command(9).encode(&mut one);
            damaged(&mut draw, &mut one);
            bytes.extend(one);
            bytes.push(0xee);
        }
        log(&bytes);
    }
}
