use alloc::vec::Vec;

use super::*;

const WHO: NodeId = NodeId(7);

/// What may happen to a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Start,
    Raise,
    /// A copy of it is kept.
    Copy,
    /// The copy takes its place.
    PutBack,
    /// It is emptied.
    Wipe,
    /// It greets, and is judged.
    Greet,
}

const DEEDS: [Deed; 6] =
    [Deed::Start, Deed::Raise, Deed::Copy, Deed::PutBack, Deed::Wipe, Deed::Greet];

/// A directory that remembers all of its past, as real ones do not.
#[derive(Clone)]
struct Twin {
    life: Life,
    /// Every count of it: who counted.
    past: Vec<u64>,
}

/// Plays deeds and holds each judgement against the obvious: whoever is shown is welcome exactly
/// when its past begins with the past that was welcomed last.
fn play(deeds: &[Deed]) {
    let mut draw = 100;
    let mut drawn = || {
        draw += 1;
        draw
    };
    let mut now = Twin { life: Life::new(drawn()), past: Vec::new() };
    let mut copy = now.clone();
    let mut met = Acquaintances::default();
    let mut welcomed: Option<Twin> = None;
    for deed in deeds {
        match deed {
            Deed::Start => {
                let nonce = drawn();
                now.life.start(nonce);
                now.past.push(nonce);
            }
            Deed::Raise => {
                let Some(&nonce) = now.past.last() else { continue };
                now.life.raise();
                now.past.push(nonce);
            }
            Deed::Copy => copy = now.clone(),
            Deed::PutBack => now = copy.clone(),
            Deed::Wipe => now = Twin { life: Life::new(drawn()), past: Vec::new() },
            Deed::Greet => {
                if now.past.is_empty() {
                    continue;
                }
                let same = welcomed.as_ref().is_none_or(|known| {
                    known.life.incarnation == now.life.incarnation
                        && now.past.starts_with(&known.past)
                });
                let judged = met.judge(WHO, &now.life);
                let welcome = matches!(judged, Judgement::Welcome { .. });
                assert_eq!(welcome, same, "{deeds:?}: {judged:?}");
                if welcome {
                    met.note(WHO, &now.life);
                    welcomed = Some(now.clone());
                }
            }
        }
        let read = Life::decode(&now.life.encode());
        assert_eq!(read.as_ref(), Some(&now.life));
    }
    assert_eq!(Acquaintances::decode(&met.encode()), Some(met));
}

#[test]
fn whoever_has_lived_what_is_known_of_it_is_welcome_and_nobody_else() {
    // All rows of up to seven deeds, the last one of which is a greeting.
    for length in 0..7_u32 {
        for number in 0..6_usize.pow(length) {
            let deed = |at: u32| DEEDS[number / 6_usize.pow(at) % 6];
            let mut deeds: Vec<Deed> = (0..length).map(deed).collect();
            deeds.push(Deed::Greet);
            play(&deeds);
        }
    }
}

#[test]
fn a_copy_does_not_grow_into_the_present() {
    let mut life = Life::new(1);
    life.start(10);
    let mut copy = life.clone();
    let mut met = Acquaintances::default();
    (11..15).for_each(|nonce| life.start(nonce));
    met.note(WHO, &life);
    for nonce in 50..60 {
        copy.start(nonce);
        assert_eq!(met.judge(WHO, &copy), Judgement::Outdated, "{copy:?}");
    }
    life.start(15);
    assert_eq!(met.judge(WHO, &life), Judgement::Welcome { news: true });
}

#[test]
fn a_copy_that_was_made_before_the_last_count_is_told_without_a_start() {
    let mut life = Life::new(1);
    life.start(10);
    let mut copy = life.clone();
    life.raise();
    let mut met = Acquaintances::default();
    met.note(WHO, &life);
    copy.start(11);
    assert_eq!(met.judge(WHO, &copy), Judgement::Outdated);
}

#[test]
fn whoever_started_too_often_to_remember_is_judged_by_its_count() {
    let mut life = Life::new(1);
    life.start(10);
    let mut met = Acquaintances::default();
    met.note(WHO, &life);
    (0..2 * MAX_RUNS as u64).for_each(|nonce| life.start(1_000 + nonce));
    assert_eq!(life.runs.len(), MAX_RUNS);
    assert_eq!(met.judge(WHO, &life), Judgement::Welcome { news: true });
    assert_eq!(Life::decode(&life.encode()), Some(life));
}

#[test]
fn a_life_has_a_first_run() {
    let mut life = Life::new(1);
    assert!(life.is_first_run());
    life.start(2);
    life.raise();
    assert!(life.is_first_run());
    life.start(3);
    assert!(!life.is_first_run());
}

#[test]
fn what_nobody_wrote_is_nobodys_life() {
    let mut life = Life::new(1);
    life.start(2);
    life.start(3);
    let bytes = life.encode();
    for cut in 0..bytes.len() {
        let whole = cut % 16 == 1 && cut > 1;
        assert_eq!(Life::decode(&bytes[..cut]).is_some(), whole, "{cut}");
    }
    let mut descends = bytes.clone();
    descends[33] = 1;
    assert_eq!(Life::decode(&descends), None);
    let mut beyond = bytes;
    beyond[33] = 9;
    assert_eq!(Life::decode(&beyond), None);
    assert_eq!(Acquaintances::decode(&[]), None);
    assert_eq!(Acquaintances::decode(&[VERSION]), Some(Acquaintances::default()));
    assert_eq!(Acquaintances::decode(&[VERSION; 65]), None, "twice the same member");
    let mut met = Acquaintances::default();
    met.note(WHO, &Life::decode(&bytes_of_two_runs()).unwrap());
    let bytes = met.encode();
    for cut in 2..bytes.len() {
        assert_eq!(Acquaintances::decode(&bytes[..cut]), None, "{cut}");
    }
    let twice = [&bytes[..], &bytes[1..]].concat();
    assert_eq!(Acquaintances::decode(&twice), None, "twice the same member");
}

fn bytes_of_two_runs() -> Vec<u8> {
    let mut life = Life::new(1);
    life.start(2);
    life.start(3);
    life.encode()
}

#[test]
fn what_was_noted_without_runs_is_read() {
    let mut bytes = Vec::from([VERSION]);
    put(&mut bytes, [WHO.0, 1, 2, 3]);
    let met = Acquaintances::decode(&bytes).unwrap();
    let life = Life::decode(&bytes_of_two_runs()).unwrap();
    assert_eq!(met.judge(WHO, &life), Judgement::Welcome { news: false });
    assert!(met.is_run(WHO, 3) && !met.is_run(WHO, 2));
    let mut copy = Life::new(1);
    (7..10).for_each(|nonce| copy.start(nonce));
    assert_eq!(met.judge(WHO, &copy), Judgement::Outdated);
}

/// What two others may make of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Talk {
    Start,
    Copy,
    PutBack,
    /// It greets the first, or the second.
    Greet(usize),
    /// The first tells the second, or the other way round.
    Tell(usize),
}

/// Without the last two, the copy is of the empty directory, and one of them is never told.
const TALKS: [Talk; 7] = [
    Talk::Start,
    Talk::PutBack,
    Talk::Greet(0),
    Talk::Greet(1),
    Talk::Tell(1),
    Talk::Tell(0),
    Talk::Copy,
];

/// Plays what happens, and holds two laws at each greeting: whoever is welcome has lived what was
/// welcomed there before; whoever has lived all that was ever welcomed anywhere is welcome.
fn overhear(talks: &[Talk]) {
    let mut nonce = 100;
    let mut now = Twin { life: Life::new(1), past: Vec::new() };
    let mut copy = now.clone();
    let mut met = [Acquaintances::default(), Acquaintances::default()];
    let mut welcomed = [Vec::new(), Vec::new()];
    for talk in talks {
        match *talk {
            Talk::Start => {
                nonce += 1;
                now.life.start(nonce);
                now.past.push(nonce);
            }
            Talk::Copy => copy = now.clone(),
            Talk::PutBack => now = copy.clone(),
            Talk::Tell(from) => {
                let told = Acquaintances::decode(&met[from].encode()).unwrap();
                met[1 - from].learn(&told);
            }
            Talk::Greet(_) if now.past.is_empty() => {}
            Talk::Greet(at) => {
                let judged = met[at].judge(WHO, &now.life);
                let welcome = matches!(judged, Judgement::Welcome { .. });
                let lived = |past: &Vec<u64>| now.past.starts_with(past);
                assert!(!welcome || lived(&welcomed[at]), "{talks:?}: {judged:?} forgets");
                assert!(welcome || !welcomed.iter().all(lived), "{talks:?}: {judged:?} is unjust");
                if welcome {
                    met[at].note(WHO, &now.life);
                    welcomed[at] = now.past.clone();
                }
            }
        }
    }
}

#[test]
fn what_another_one_tells_takes_no_evidence_away() {
    for (kinds, length) in [(7_usize, 6_u32), (5, 8)] {
        for number in 0..kinds.pow(length) {
            let talk = |at: u32| TALKS[number / kinds.pow(at) % kinds];
            let talks: Vec<Talk> = (0..length).map(talk).collect();
            overhear(&talks);
        }
    }
}

#[test]
fn a_copy_that_one_has_welcomed_is_refused_by_who_knew_better() {
    let mut life = Life::new(1);
    let mut copy = life.clone();
    life.start(10);
    let (mut met, mut other) = (Acquaintances::default(), Acquaintances::default());
    met.note(WHO, &life);
    (20..23).for_each(|nonce| copy.start(nonce));
    other.note(WHO, &copy);
    assert!(!met.learn(&other), "it has counted further, and has forgotten a start");
    assert_eq!(met.judge(WHO, &copy), Judgement::Outdated);
    life.start(11);
    met.note(WHO, &life);
    let mut third = Acquaintances::default();
    assert!(third.learn(&met) && third.is_run(WHO, 11));
}

#[test]
fn what_others_have_met_is_known_too_and_the_first_directory_stays() {
    let mut life = Life::new(1);
    life.start(10);
    let mut told = Acquaintances::default();
    told.note(WHO, &life);
    let mut met = Acquaintances::default();
    assert!(met.learn(&told) && !met.learn(&told));
    assert_eq!(met, told);
    life.raise();
    told.note(WHO, &life);
    assert!(met.learn(&told), "it has counted on");
    let mut other = Life::new(2);
    (20..25).for_each(|nonce| other.start(nonce));
    told.note(WHO, &other);
    assert!(!met.learn(&told));
    assert_eq!(met.judge(WHO, &other), Judgement::Forgotten);
    met.forget(|who| who == WHO);
    assert!(!met.knows(WHO));
}
