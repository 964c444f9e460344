//! Numbered writes: done once, answered alike, remembered within bounds.

use std::collections::BTreeMap;

use bytes::Bytes;
use store::{
    Applied, BackendRead, ClientId, Command, DecodeError, Error, Limits, Outcome, Put,
    SessionLimits, Stamp, Store,
};

use crate::random::Draw;
use crate::rig::{Rig, delete, grant, op_get, op_put, plain, put, txn};

fn client(number: u8) -> ClientId {
    ClientId([number; 16])
}

/// Write `sequence` of a client that tells nothing.
fn stamp(of: u8, sequence: u64) -> Stamp {
    Stamp::new(client(of), sequence, 1).expect("a number from 1 on")
}

/// Write `sequence` of a client that has done with all before `oldest`.
fn told(of: u8, sequence: u64, oldest: u64) -> Stamp {
    Stamp::new(client(of), sequence, oldest).expect("numbers in order")
}

fn once(stamp: Stamp, command: &Command) -> Command {
    command.clone().stamped(stamp)
}

fn tick(elapsed_ms: u32) -> Command {
    Command::Tick { elapsed_ms }
}

fn rig(change: impl FnOnce(&mut SessionLimits)) -> Rig {
    let mut limits = Limits::default();
    change(&mut limits.sessions);
    Rig::new(limits)
}

fn put_prev(key: &str, value: &str) -> Command {
    Command::Put(Put { prev_kv: true, ..plain(key, value) })
}

/// Applies twice, and demands one answer and one change.
fn twice(rig: &mut Rig, command: &Command) -> Applied {
    let first = rig.apply(command);
    let state = (rig.store.revision(), rig.hash());
    assert_eq!(rig.apply(command), first);
    assert_eq!((rig.store.revision(), rig.hash()), state, "the second time changes nothing");
    first
}

#[test]
fn every_kind_of_write_is_done_once_and_answered_alike() {
    let mut rig = Rig::cold();
    rig.put("k", "before");
    rig.flush();
    let transaction = txn(vec![], vec![op_put("t", "1"), op_get("", "")], vec![]);
    let commands = [
        put_prev("k", "after"),
        Command::Txn(transaction),
        grant(7, 60),
        Command::LeaseRevoke { id: store::LeaseId(7) },
        delete("k", ""),
        Command::Compact { revision: 3 },
    ];
    let mut answers = Vec::new();
    for (number, command) in (1..).zip(&commands) {
        answers.push(twice(&mut rig, &once(stamp(1, number), command)));
    }
    assert!(matches!(&answers[0].outcome, Ok(Outcome::Put { prev: Some(kv) })
        if kv.value == "before" && answers[0].revision == 3));
    // Once more, after all of it has gone by, and after a restart.
    rig.flush();
    let mut back = rig.restarted();
    for ((number, command), answer) in (1..).zip(&commands).zip(&answers) {
        let again = once(stamp(1, number), command);
        assert_eq!(rig.apply(&again), *answer);
        assert_eq!(back.apply(&again), *answer);
    }
    assert_eq!(rig.hash(), back.hash());
}

#[test]
fn a_refusal_is_an_answer_too() {
    let mut rig = Rig::cold();
    let leased = Command::Put(Put { lease: Some(Some(store::LeaseId(9))), ..plain("k", "v") });
    let refused = twice(&mut rig, &once(stamp(1, 1), &leased));
    assert_eq!(refused.outcome, Err(Error::LeaseNotFound));
    rig.ok(&grant(9, 60));
    assert_eq!(rig.apply(&once(stamp(1, 1), &leased)), refused, "the first answer stays");
    assert!(rig.apply(&once(stamp(1, 2), &leased)).outcome.is_ok());
}

#[test]
fn a_repeated_grant_answers_the_id_that_was_chosen_first() {
    let mut rig = Rig::cold();
    let first = rig.apply(&once(stamp(1, 1), &grant(11, 60)));
    assert_eq!(rig.apply(&once(stamp(1, 1), &grant(12, 60))), first);
    assert_eq!(rig.store.leases().count(), 1);
}

#[test]
fn an_answer_needs_no_value_that_the_first_time_needed() {
    let mut rig = Rig::cold();
    rig.put("k", "before");
    rig.flush();
    twice(&mut rig, &once(stamp(1, 1), &put_prev("k", "after")));
    assert_eq!(rig.loaded, 1, "the value before was fetched for the first time only");
}

#[test]
fn what_has_no_number_stays_as_it_is() {
    for command in [tick(1), Command::LeaseRenew { ids: vec![] }] {
        assert_eq!(once(stamp(1, 1), &command), command);
    }
    let numbered = once(stamp(1, 1), &put("k", "v"));
    assert_eq!(once(stamp(2, 2), &numbered), numbered);
    assert!(Stamp::new(client(1), 0, 0).is_none());
    assert!(Stamp::new(client(1), 4, 0).is_none());
    assert!(Stamp::new(client(1), 4, 5).is_none());
}

#[test]
fn what_a_client_has_done_with_is_forgotten_and_never_done_again() {
    let mut rig = Rig::cold();
    for number in 1..=3 {
        rig.ok(&once(stamp(1, number), &put("k", "v")));
    }
    rig.ok(&once(told(1, 5, 3), &put("k", "v")));
    let late = |number| once(stamp(1, number), &put("k", "late"));
    assert_eq!(rig.refused(&late(1)), Error::StampForgotten);
    assert_eq!(rig.refused(&late(2)), Error::StampForgotten);
    assert_eq!(rig.apply(&late(3)).revision, 4, "it may still be repeated");
    assert_eq!(rig.apply(&late(4)).revision, 6, "it had not come yet");
    rig.flush();
    assert_eq!(rig.restarted().refused(&late(2)), Error::StampForgotten);
}

#[test]
fn beyond_the_window_the_lowest_numbers_are_refused() {
    let mut rig = rig(|limits| limits.window = 3);
    for number in 1..=5 {
        rig.ok(&once(stamp(1, number), &put("k", "v")));
    }
    assert_eq!(rig.refused(&once(stamp(1, 2), &put("k", "v"))), Error::StampForgotten);
    for number in 3..=5 {
        twice(&mut rig, &once(stamp(1, number), &put("k", "v")));
    }
    assert_eq!(rig.get("k").expect("it is there").version, 5);
}

/// It came too late for the window: it is done, and not again, and displaces no higher one.
#[test]
fn a_late_low_number_leaves_the_window_as_it_is() {
    for window in 1..=3 {
        let mut rig = rig(|limits| limits.window = window);
        let last = 10 + window as u64;
        for number in 11..=last {
            rig.ok(&once(stamp(1, number), &put("k", "v")));
        }
        rig.ok(&once(stamp(1, 3), &put("late", "v")));
        rig.ok(&once(stamp(1, 4), &put("late", "v")));
        for late in [3, 4] {
            let again = once(stamp(1, late), &put("late", "v"));
            assert_eq!(rig.refused(&again), Error::StampForgotten);
        }
        for number in 11..=last {
            twice(&mut rig, &once(stamp(1, number), &put("k", "v")));
        }
        rig.ok(&once(stamp(1, last + 1), &put("k", "v")));
        assert_eq!(rig.refused(&once(stamp(1, 11), &put("k", "v"))), Error::StampForgotten);
        assert_eq!(rig.get("late").expect("it is there").version, 2);
    }
}

#[test]
fn a_session_ends_when_it_was_not_used_for_long_enough_by_the_logs_clock() {
    let mut rig = rig(|limits| limits.keep_ms = 10_000);
    rig.ok(&once(stamp(1, 1), &put("k", "v")));
    rig.ok(&tick(9_000));
    // A repeated write is a use.
    rig.ok(&once(stamp(1, 1), &put("k", "v")));
    rig.ok(&tick(9_999));
    assert_eq!(rig.store.session_count(), 1);
    rig.flush();
    let mut back = rig.restarted();
    for rig in [&mut rig, &mut back] {
        rig.ok(&tick(1));
        assert!(!rig.store.has_sessions());
        rig.flush();
        assert!(!rig.restarted().store.has_sessions());
    }
    // Whoever says that it has had answers is told; who does not is a new client.
    assert_eq!(rig.refused(&once(told(1, 3, 2), &put("k", "v"))), Error::SessionUnknown);
    assert_eq!(rig.apply(&once(stamp(1, 2), &put("k", "v"))).revision, 3);
}

#[test]
fn without_room_the_one_that_was_idle_longest_goes_and_never_too_early() {
    let mut rig = rig(|limits| (limits.clients, limits.keep_min_ms) = (2, 5_000));
    for of in [3, 1] {
        rig.ok(&once(stamp(of, 1), &put("k", "v")));
        rig.ok(&tick(2_000));
    }
    let new = once(stamp(2, 1), &put("k", "v"));
    assert_eq!(rig.refused(&new), Error::TooManySessions);
    rig.ok(&tick(1_000));
    assert_eq!(rig.apply(&new).revision, 4);
    assert_eq!(rig.store.session_count(), 2);
    twice(&mut rig, &once(stamp(1, 1), &put("k", "v")));
    assert_eq!(rig.refused(&once(told(3, 2, 2), &put("k", "v"))), Error::SessionUnknown);
    rig.flush();
    assert_eq!(rig.restarted().store.session_count(), 2);
}

#[test]
fn answers_without_room_lose_their_content_and_are_not_done_again() {
    let mut rig = rig(|limits| limits.client_bytes = 200);
    let large = "x".repeat(120);
    rig.put("k", &large);
    let (first, second) = (once(stamp(1, 1), &put_prev("k", &large)), stamp(1, 2));
    twice(&mut rig, &first);
    twice(&mut rig, &once(second, &put_prev("k", &large)));
    assert!(rig.store.session_bytes() <= 200);
    let lost = rig.apply(&first);
    assert_eq!((lost.outcome, lost.revision), (Err(Error::AnswerForgotten), 3));
    rig.put("k", &"y".repeat(500));
    let third = once(stamp(1, 3), &put_prev("k", "v"));
    rig.ok(&third);
    assert_eq!(rig.apply(&third).outcome, Err(Error::AnswerForgotten), "never had room");
    twice(&mut rig, &once(second, &put("k", "")));
    assert_eq!(rig.get("k").expect("it is there").version, 5);
    rig.flush();
    assert_eq!(rig.restarted().store.session_bytes(), rig.store.session_bytes());
}

#[test]
fn all_answers_together_stay_within_their_bound() {
    let mut rig = rig(|limits| limits.total_bytes = 1_000);
    rig.put("k", &"x".repeat(100));
    for of in 1..=50 {
        rig.ok(&once(stamp(of, 1), &put_prev("k", &"x".repeat(100))));
        assert!(rig.store.session_bytes() <= 1_000);
    }
    assert_eq!(rig.store.session_count(), 50);
    twice(&mut rig, &once(stamp(1, 1), &put("k", "")));
    let crowded = rig.apply(&once(stamp(50, 1), &put("k", "")));
    assert_eq!(crowded.outcome, Err(Error::AnswerForgotten));
}

/// Against a table of all answers ever given, and a store that gets each write once: under random
/// writes, repeats, restarts and snapshots both stay the same.
#[test]
fn sessions_random_repeats_change_nothing_and_get_the_first_answer() {
    let mut repeats = 0;
    for seed in 0..40 {
        let mut draw = Draw::new(seed);
        let mut rig = rig(|limits| limits.window = 1_000);
        let mut plain = Rig::new(Limits::default());
        let mut given: BTreeMap<(u8, u64), Applied> = BTreeMap::new();
        for _ in 0..300 {
            let command = draw.command(rig.store.revision());
            let of = u8::try_from(draw.below(3)).expect("small");
            let number = u64::try_from(draw.below(60) + 1).expect("small");
            let numbered = once(stamp(of, number), &command);
            let applied = rig.apply(&numbered);
            if numbered == command {
                assert_eq!(plain.apply(&command), applied);
            } else if let Some(first) = given.get(&(of, number)) {
                repeats += 1;
                assert_eq!(&applied, first, "seed {seed}");
            } else {
                assert_eq!(plain.apply(&command), applied, "seed {seed}");
                given.insert((of, number), applied);
            }
            if draw.one_in(40) {
                rig.flush();
                rig = rig.restarted();
            }
        }
        assert_eq!(rig.hash(), plain.hash());
        assert_eq!(rig.store.revision(), plain.store.revision());
    }
    assert!(repeats > 3_000, "{repeats}");
}

/// The number of the state covers what clients were answered: it goes by the log alone, is kept up
/// where sessions come, go, and lose answers, and is another one when an answer is.
#[test]
fn the_number_of_the_state_covers_answers_and_goes_by_the_log() {
    let tight = |limits: &mut SessionLimits| {
        *limits = SessionLimits {
            clients: 4,
            window: 3,
            client_bytes: 120,
            total_bytes: 300,
            keep_ms: 4_000,
            keep_min_ms: 1_000,
        };
    };
    for seed in 0..30 {
        let mut draw = Draw::new(seed);
        let (mut busy, mut steady) = (rig(tight), rig(tight));
        for number in 1..200 {
            let of = u8::try_from(draw.below(7)).expect("small");
            let sequence = u64::try_from(number / 4 + draw.below(4) + 1).expect("small");
            let oldest = if draw.one_in(3) { sequence } else { 1 };
            let command = if draw.one_in(6) {
                tick(700)
            } else {
                once(told(of, sequence, oldest), &put_prev("k", &"v".repeat(draw.below(60))))
            };
            assert_eq!(busy.apply(&command), steady.apply(&command), "seed {seed}");
            if draw.one_in(20) {
                busy.flush();
                busy = busy.restarted();
            }
            busy.store.assert_sum();
            steady.store.assert_sum();
            assert_eq!(busy.store.state_hash(), steady.store.state_hash(), "seed {seed}");
        }
    }
    let number = |commands: &[Command]| {
        let mut rig = rig(|_| ());
        rig.put("k", "v");
        commands.iter().for_each(|command| drop(rig.apply(command)));
        rig.store.state_hash()
    };
    let read = |key| Command::Txn(txn(vec![], vec![op_get(key, "")], vec![]));
    let get = read("k");
    let mut numbers = vec![
        number(&[]),
        number(&[once(stamp(1, 1), &get)]),
        number(&[once(stamp(2, 1), &get)]),
        number(&[once(stamp(1, 2), &get)]),
        number(&[once(stamp(1, 1), &get), once(told(1, 2, 2), &get)]),
        number(&[once(stamp(1, 1), &read("l"))]),
    ];
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 6);
}

fn encoded(command: &Command) -> Vec<u8> {
    let mut bytes = Vec::new();
    command.encode(&mut bytes);
    bytes
}

#[test]
fn a_numbered_command_has_the_documented_bytes() {
    let command = once(told(0xab, 5, 3), &delete("a", ""));
    let number = |low: u8| [low, 0, 0, 0, 0, 0, 0, 0];
    let plain = encoded(&delete("a", ""));
    let expected = [&[1, 13][..], &[0xab; 16], &number(5), &number(3), &plain[1..]].concat();
    assert_eq!(encoded(&command), expected);
    assert_eq!(Command::decode(expected.clone().into()), Ok(command));
    for len in 0..expected.len() {
        assert!(Command::decode(expected[..len].to_vec().into()).is_err(), "cut at {len}");
    }
    let with = |place: usize, byte: u8| {
        let mut bytes = expected.clone();
        bytes[place] = byte;
        Command::decode(bytes.into())
    };
    let numbers = Err(DecodeError::Number("sequence of a stamp"));
    assert_eq!(with(26, 0), numbers, "no oldest");
    assert_eq!(with(26, 6), numbers, "oldest beyond the number");
    assert!(with(34, 8).is_err(), "a tick has no number");
    assert!(with(34, 13).is_err(), "no number within a number");
}

#[test]
fn a_damaged_session_is_refused_at_the_start() {
    let mut rig = Rig::cold();
    for number in 1..=3 {
        rig.ok(&once(stamp(1, number), &put_prev("k", "v")));
    }
    rig.flush();
    let meta = rig.backend.meta().expect("memory does not fail");
    let restore = |value: Bytes| {
        let mut meta = meta.clone();
        let session = meta.iter_mut().find(|(name, _)| name[..] == [&b"s"[..], &[1; 16]].concat());
        session.expect("the session is kept").1 = value;
        Store::restore(Limits::default(), meta)
    };
    let kept = meta.iter().find(|(name, _)| name.len() == 17).expect("it is kept").1.clone();
    assert!(restore(kept.clone()).is_ok());
    for len in 0..kept.len() {
        assert!(restore(kept.slice(..len)).is_err(), "cut at {len}");
    }
    let with = |place: usize, byte: u8| {
        let mut value = kept.to_vec();
        value[place] = byte;
        restore(value.into()).is_err()
    };
    assert!(with(0, 1), "an answer at the floor");
    assert!(with(20, 9), "numbers that do not ascend");
    assert!(with(36, 2), "a flag that is none");
    assert!(with(41, 77), "an answer without a meaning");
}
