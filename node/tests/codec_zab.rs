//! The bytes of Zab's messages: each is read back as it was, and nothing else is read at all.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use bytes::Bytes;
use node::Message;
use node::codec::{DecodeError, decode_message, encode_message};
use protocol::link::{Frame, Session};
use protocol::zab::{self, Mode, Notification, Refusal, Stance, Tail, Vote};
use protocol::{Entry, Index, NodeId, Payload, Position, ReadId, Rng, Tag, Term};

fn position(rng: &mut Rng) -> Position {
    Position::new(Term(rng.below(9)), Index(rng.below(1_000)))
}

fn tail(rng: &mut Rng) -> Tail {
    Tail { runs: (0..rng.below(4)).map(|_| position(rng)).collect(), last: position(rng) }
}

fn entries(rng: &mut Rng, base: Position) -> Vec<Entry> {
    let entry = |n: u64| Entry {
        position: Position::new(base.term, Index(base.index.0 + n)),
        payload: match n % 3 {
            0 => Payload::Empty,
            1 => Payload::Command(Bytes::from(vec![7; 5])),
            _ => Payload::Membership(Bytes::from_static(b"members")),
        },
    };
    (1..=rng.below(4)).map(entry).collect()
}

/// Every word there is, with drawn fields.
fn words(rng: &mut Rng) -> Vec<zab::Message> {
    use zab::Message as Word;
    let base = position(rng);
    let (index, flag) = (Index(rng.next()), rng.below(2) == 0);
    let vote = Vote { epoch: Term(3), last: position(rng), leader: NodeId(rng.next()) };
    let reads: Vec<ReadId> = (0..rng.below(3)).map(ReadId).collect();
    let reason = [Refusal::NoLeader, Refusal::Overloaded, Refusal::LeaderChanged]
        [usize::try_from(rng.below(3)).unwrap()];
    let stances = [Stance::Looking, Stance::Following, Stance::Leading];
    let mut words: Vec<Word> = stances
        .into_iter()
        .map(|stance| {
            let vote = flag.then_some(vote);
            Word::Notification(Notification { stance, round: rng.next(), vote })
        })
        .collect();
    words.extend([
        Word::LearnerInfo { accepted: Term(rng.next()), observer: flag },
        Word::NotLeading,
        Word::LeaderInfo { epoch: Term(rng.next()) },
        Word::AckEpoch { current: flag.then(|| Term(rng.next())), tail: tail(rng) },
        Word::Sync(Mode::Diff(base)),
        Word::Sync(Mode::Trunc(base)),
        Word::Sync(Mode::Snap),
        Word::Resume { tail: tail(rng) },
        Word::Stored { through: index },
        Word::NewLeader { epoch: Term(rng.next()) },
        Word::AckLeader { epoch: Term(rng.next()), through: index },
        Word::UpToDate { commit: index },
        Word::Proposals { base, entries: entries(rng, base) },
        Word::Inform { base, entries: entries(rng, base) },
        Word::Ack { through: index },
        Word::Commit { through: index },
        Word::Ping { round: rng.next(), trim: index },
        Word::Pong { round: rng.next() },
        Word::Requests { requests: vec![(Tag(rng.next()), Bytes::from_static(b"put"))] },
        Word::RequestsRefused { tags: vec![Tag(1), Tag(rng.next())], reason },
        Word::ReadIndex { reads: reads.clone() },
        Word::ReadIndexReply { reads, index },
        Word::Snapshot { last: base, number: 3, data: Bytes::from_static(b"piece"), done: flag },
        Word::SnapshotReply { last: base, next: flag.then_some(4) },
    ]);
    words
}

fn frames(rng: &mut Rng) -> Vec<Message> {
    let mut end = || Session { life: rng.next(), number: rng.next() };
    let (mine, yours) = (end(), end());
    let mut frames = vec![
        Frame::Open { mine, yours: None },
        Frame::Open { mine, yours: Some(yours) },
        Frame::Beat { mine, yours, said: rng.next() },
    ];
    let number = rng.next();
    let word = |message| Frame::Word { mine, yours, number, message };
    frames.extend(words(rng).into_iter().map(word));
    frames.into_iter().map(Message::Zab).collect()
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    encode_message(message, &mut out);
    out
}

#[test]
fn every_message_comes_back_and_no_part_of_one_is_read() {
    let mut rng = Rng::new(1);
    for _ in 0..50 {
        for message in frames(&mut rng) {
            let bytes = encoded(&message);
            assert_eq!(decode_message(bytes.clone().into()).as_ref(), Ok(&message));
            for end in 0..bytes.len() {
                let cut = decode_message(bytes[..end].to_vec().into());
                assert!(cut.is_err(), "{end} bytes of {} of {message}", bytes.len());
            }
            let longer = [&bytes[..], &[0]].concat();
            assert_eq!(decode_message(longer.into()), Err(DecodeError::Trailing), "{message}");
        }
    }
}

#[test]
fn harmed_bytes_are_another_message_or_none() {
    let mut rng = Rng::new(2);
    for _ in 0..200 {
        for message in frames(&mut rng) {
            let mut bytes = encoded(&message);
            let bit = rng.below(bytes.len() as u64 * 8);
            bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
            if let Ok(other) = decode_message(bytes.into()) {
                assert_ne!(other, message, "a bit changed, and nothing was noticed");
            }
        }
    }
}

/// The layout that `docs/formats.md` draws.
#[test]
fn a_vote_stands_where_the_drawing_has_it() {
    let (mine, yours) = (Session { life: 0xA1, number: 1 }, Session { life: 0xB1, number: 2 });
    let last = Position::new(Term(3), Index(9));
    let vote = Some(Vote { epoch: Term(4), last, leader: NodeId(5) });
    let word = Notification { stance: Stance::Looking, round: 6, vote };
    let message = zab::Message::Notification(word);
    let bytes = encoded(&Message::Zab(Frame::Word { mine, yours, number: 7, message }));
    let mut drawn = vec![52];
    [0xA1_u64, 1, 0xB1, 2, 7].iter().for_each(|it| drawn.extend(it.to_le_bytes()));
    drawn.extend([1, 0]);
    drawn.extend(6_u64.to_le_bytes());
    drawn.push(1);
    [4_u64, 3, 9, 5].iter().for_each(|it| drawn.extend(it.to_le_bytes()));
    assert_eq!(bytes, drawn);
}
