//! Every byte that is not what was written is noticed, and said where.

use protocol::Rng;
use storage::backup::fuzz::fuzz_backup;
use storage::backup::{BackupError, survey, verify};
use storage::state::State;

use crate::rig::Rig;

fn whole() -> Vec<u8> {
    let mut rig = Rig::new(State::memory());
    rig.fill(&mut Rng::new(5), 40);
    rig.backup()
}

/// The bytes of the parts with a checksum of their own: the header, each piece with its length, the
/// zeros, the digest.
fn parts(bytes: &[u8]) -> Vec<(usize, usize)> {
    let (mut parts, mut at) = (vec![(0, 512)], 512);
    loop {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let end = at + 4 + usize::try_from(length).unwrap();
        parts.push((at, end));
        let kind = bytes[at + 4];
        at = end;
        if kind == 3 {
            break;
        }
    }
    let digest = bytes.len() - 32;
    parts.extend([(at, digest), (digest, bytes.len())]);
    parts
}

#[test]
fn every_flipped_bit_is_an_error_that_says_where() {
    let whole = whole();
    let parts = parts(&whole);
    assert!(parts.len() > 4 && whole.len() > 3000, "{} {}", parts.len(), whole.len());
    let mut rng = Rng::new(9);
    for at in 0..whole.len() {
        for mask in [1 << (at % 8), 1 + u8::try_from(rng.below(255)).unwrap()] {
            let mut flipped = whole.clone();
            flipped[at] ^= mask;
            let (begin, end) = *parts.iter().find(|(_, end)| at < *end).unwrap();
            let error = verify(&flipped[..]).unwrap_err();
            match error {
                BackupError::Damaged { offset, .. } => {
                    let offset = usize::try_from(offset).unwrap();
                    assert!((begin..end).contains(&offset), "{at} of {begin}..{end}: {offset}");
                }
                other => panic!("byte {at}: {other}"),
            }
            assert!(survey(&flipped[..]).is_err());
        }
    }
}

#[test]
fn a_file_that_is_cut_anywhere_or_added_to_is_refused() {
    let whole = whole();
    for length in 0..whole.len() {
        let error = verify(&whole[..length]).unwrap_err();
        let cut = matches!(error, BackupError::Length { found, .. } if found == length as u64);
        assert!(cut || length < 512 && matches!(error, BackupError::Foreign), "{length}: {error}");
    }
    let longer = [&whole[..], &[0]].concat();
    assert!(matches!(verify(&longer[..]), Err(BackupError::Length { .. })));
}

#[test]
fn pieces_of_two_backups_make_none() {
    let one = whole();
    let mut rig = Rig::new(State::memory());
    rig.fill(&mut Rng::new(6), 40);
    let other = rig.backup();
    let (parts, others) = (parts(&one), parts(&other));
    // The second piece of the other in the place of the first one's.
    let mut mixed = one[..parts[2].0].to_vec();
    mixed.extend_from_slice(&other[others[2].0..others[2].1]);
    mixed.extend_from_slice(&one[parts[2].1..]);
    let error = verify(&mixed[..]).unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
}

#[test]
fn any_bytes_are_an_answer_and_never_a_panic() {
    let mut rng = Rng::new(17);
    let mut sensible = 0;
    for length in (0..4_000).map(|number| number % 200) {
        let bytes: Vec<u8> = (0..length).map(|_| rng.next().to_le_bytes()[0]).collect();
        fuzz_backup(&bytes);
        // Mostly small numbers: more of it makes sense.
        let small: Vec<u8> = bytes.iter().map(|byte| byte % 7).collect();
        sensible += usize::from(fuzz_backup(&small));
    }
    assert!(sensible > 10, "{sensible}");
}

#[test]
fn bytes_that_nobody_would_write_are_refused() {
    let whole = whole();
    let mut rng = Rng::new(13);
    for _ in 0..3_000 {
        let mut bytes = whole.clone();
        let from = usize::try_from(rng.below(bytes.len() as u64)).unwrap();
        let length = usize::try_from(rng.below(64)).unwrap();
        for byte in bytes[from..].iter_mut().take(length) {
            *byte = rng.next().to_le_bytes()[0];
        }
        assert!(bytes == whole || verify(&bytes[..]).is_err());
    }
}
