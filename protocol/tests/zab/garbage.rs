//! Words that make no sense, in any order: they are survived. What a lying peer may break is
//! agreement, so there is no judge here; the core's own laws are on.

use bytes::Bytes;
use protocol::zab::{
    Entry, Generation, Input, Message, Mode, Notification, Output, Payload, Phase, ReadId, Refusal,
    Restored, Role, Stance, Tag, Tail, Vote, Zab,
};
use protocol::{Index, NodeId, Position, Rng, Term, Time};

use crate::world::{MS, World, brisk, id};

/// Small numbers, mostly; now and then one that leaves no room.
fn number(rng: &mut Rng) -> u64 {
    match rng.below(40) {
        0 => u64::MAX - rng.below(3),
        1 => (1 << 62) - 1 + rng.below(2),
        _ => rng.below(6),
    }
}

fn position(rng: &mut Rng) -> Position {
    Position::new(Term(number(rng)), Index(number(rng)))
}

fn tail(rng: &mut Rng) -> Tail {
    let runs = (0..rng.below(4)).map(|_| position(rng)).collect();
    Tail { runs, last: position(rng) }
}

fn entries(rng: &mut Rng, base: Position) -> Vec<Entry> {
    let wild = rng.below(4) == 0;
    let entry = |more: u64, rng: &mut Rng| {
        let index = Index(base.index.0.saturating_add(more));
        let position = if wild { position(rng) } else { Position::new(base.term, index) };
        Entry { position, payload: Payload::Command(Bytes::from_static(b"?")) }
    };
    (1..=rng.below(4)).map(|more| entry(more, rng)).collect()
}

fn notification(rng: &mut Rng) -> Notification {
    let stances = [Stance::Looking, Stance::Following, Stance::Leading];
    let stance = stances[usize::try_from(rng.below(3)).unwrap()];
    let vote = Vote { epoch: Term(number(rng)), last: position(rng), leader: NodeId(rng.below(6)) };
    Notification { stance, round: number(rng), vote: (rng.below(5) > 0).then_some(vote) }
}

fn message(rng: &mut Rng) -> Message {
    let base = position(rng);
    let (term, index) = (Term(number(rng)), Index(number(rng)));
    match rng.below(26) {
        0..=3 => Message::Notification(notification(rng)),
        4 => Message::LearnerInfo { accepted: term, observer: rng.below(4) == 0 },
        5 => Message::NotLeading,
        6 => Message::LeaderInfo { epoch: term },
        7 => Message::AckEpoch { current: Some(term), tail: tail(rng) },
        8 => Message::AckEpoch { current: None, tail: tail(rng) },
        9 => Message::Sync(Mode::Diff(base)),
        10 => Message::Sync(Mode::Trunc(base)),
        11 => Message::Sync(Mode::Snap),
        12 => Message::Resume { tail: tail(rng) },
        13 => Message::Stored { through: index },
        14 => Message::NewLeader { epoch: term },
        15 => Message::AckLeader { epoch: term, through: index },
        16 => Message::UpToDate { commit: index },
        17 => Message::Proposals { base, entries: entries(rng, base) },
        18 => Message::Inform { base, entries: entries(rng, base) },
        19 => Message::Ack { through: index },
        20 => Message::Commit { through: index },
        21 => Message::Ping { round: number(rng), trim: index },
        22 => Message::Pong { round: number(rng) },
        23 => Message::Requests { requests: vec![(Tag(1), Bytes::from_static(b"!"))] },
        24 => Message::ReadIndex { reads: vec![ReadId(number(rng))] },
        _ => Message::RequestsRefused { tags: vec![Tag(1)], reason: Refusal::Overloaded },
    }
}

/// Words of node 3 that fit what the node is waiting for: random ones do not get far.
fn fitting(rng: &mut Rng, zab: &Zab) -> Message {
    let (last, status) = (zab.last(), zab.status());
    let accepted = status.epochs.accepted;
    let choice = rng.below(3);
    match (status.role, status.phase) {
        (Role::Leading, _) => match choice {
            0 => Message::LearnerInfo { accepted, observer: false },
            1 => {
                let tail = Tail { runs: vec![Position::ORIGIN], last: Position::ORIGIN };
                Message::AckEpoch { current: Some(Term(0)), tail }
            }
            _ => Message::AckLeader { epoch: accepted, through: last.index },
        },
        (_, Phase::Election) => {
            let vote = Vote { epoch: status.epochs.current, last, leader: id(3) };
            let stance = if choice == 0 { Stance::Looking } else { Stance::Leading };
            let round = status.round;
            Message::Notification(Notification { stance, round, vote: Some(vote) })
        }
        (_, Phase::Discovery) if choice == 0 => Message::LeaderInfo { epoch: accepted.next() },
        (_, Phase::Discovery) => Message::Sync(Mode::Diff(last)),
        (_, Phase::Synchronization | Phase::Broadcast) => match choice {
            0 => Message::Proposals { base: last, entries: entries(rng, last) },
            1 if status.phase == Phase::Broadcast => Message::Commit { through: last.index },
            1 => Message::NewLeader { epoch: accepted },
            _ => Message::UpToDate { commit: last.index },
        },
    }
}

fn life(seed: u64, reached: &mut [u64; 2]) {
    let mut rng = Rng::new(seed);
    let config = World::new(1, 3, 1, &brisk()).hosts[&id(2)].config.clone();
    let mut zab = Zab::new(config, Restored::default(), seed).unwrap();
    let (mut now, mut generation) = (Time(0), 0);
    zab.handle(now, Input::Timeout);
    for peer in [1, 3, 4] {
        zab.handle(now, Input::LinkUp { peer: id(peer), generation: Generation(0) });
    }
    for _ in 0..400 {
        let peer = id([1, 3, 4][usize::try_from(rng.below(3)).unwrap()]);
        let fits = rng.below(8) > 0;
        let peer = if fits { id(3) } else { peer };
        let word = if fits { fitting(&mut rng, &zab) } else { message(&mut rng) };
        let input = match rng.below(30) {
            0 => Input::Propose { tag: Tag(1), command: Bytes::from_static(b"c") },
            1 => Input::Read(ReadId(rng.next())),
            2 | 3 => Input::Timeout,
            4 => Input::LinkDown { peer, generation: Generation(generation) },
            _ => Input::Receive { from: peer, generation: Generation(generation), message: word },
        };
        now = now + MS * u32::try_from(rng.below(20)).unwrap();
        zab.handle(now, input);
        while let Some(output) = zab.poll_output() {
            let answer = match output {
                Output::Persist { id, .. } => Some(Input::Persisted(id)),
                Output::Cancel { after } => Some(Input::Cancelled(after)),
                Output::Commit(entries) => {
                    entries.last().map(|entry| Input::Applied(entry.position.index))
                }
                _ => None,
            };
            if let Some(answer) = answer {
                zab.handle(now, answer);
            }
        }
        reached[0] += u64::from(zab.role() == Role::Leading);
        reached[1] += u64::from(zab.leader().is_some());
        if rng.below(25) == 0 {
            generation += 1;
            for peer in [1, 3, 4] {
                let generation = Generation(generation);
                zab.handle(now, Input::LinkUp { peer: id(peer), generation });
            }
        }
    }
}

#[test]
fn no_words_in_any_order_bring_a_node_down() {
    let mut reached = [0, 0];
    for seed in 0..400 {
        life(seed, &mut reached);
    }
    assert!(reached.iter().all(|&times| times > 100), "it got somewhere: {reached:?}");
}
