//! Messages as scripts write them: the inverse of their `Display`.

use bytes::Bytes;
use protocol::raft::{Body, Entry, Message, Parcel, Payload, ReadId, Rejection};
use protocol::{Index, NodeId, Position, Term};

/// The value of `key=value` among words.
pub(crate) fn option<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

pub(crate) fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("{word} is not a number"))
}

pub(crate) fn position(word: &str) -> Position {
    let (index, term) = word.split_once('@').expect("INDEX@TERM");
    Position::new(Term(number(term)), Index(number(index)))
}

/// `A>B`.
pub(crate) fn link(word: &str) -> (NodeId, NodeId) {
    let (from, to) = word.split_once('>').expect("A>B");
    (NodeId(number(from)), NodeId(number(to)))
}

fn entry(word: &str) -> Entry {
    let word = word.trim_matches(['[', ']']);
    match word.split_once('=') {
        Some((place, "members:?")) => {
            let payload = Payload::Membership(Bytes::from_static(b"?"));
            Entry { position: position(place), payload }
        }
        Some((place, command)) => {
            let payload = Payload::Command(Bytes::copy_from_slice(command.as_bytes()));
            Entry { position: position(place), payload }
        }
        None => Entry { position: position(word), payload: Payload::Empty },
    }
}

/// `tTERM BODY…`.
pub(crate) fn message(words: &[&str]) -> Message {
    let term = Term(number(words[0].strip_prefix('t').expect("tTERM")));
    let rest = &words[2..];
    let index = |key| Index(option(rest, key).map_or(0, number));
    let place = |key| option(rest, key).map(position);
    let last = || place("last").unwrap_or(Position::ORIGIN);
    let granted = rest.first() == Some(&"yes");
    let round = option(rest, "round").map_or(0, number);
    let reads = || rest.iter().filter_map(|word| word.trim_matches(['[', ']']).strip_prefix('r'));
    let reads = || reads().map(|id| ReadId(number(id))).collect();
    let body = match words[1] {
        "PreVote" => Body::PreVote { last: last() },
        "PreVoteReply" => Body::PreVoteReply { granted },
        "Vote" => Body::Vote { last: last(), transfer: rest.contains(&"transfer") },
        "VoteReply" => Body::VoteReply { granted },
        "Append" => {
            let entries = rest.iter().filter(|word| !word.contains("=") || word.contains('@'));
            let entries = entries.filter(|word| !word.starts_with("base=") && **word != "[]");
            let entries = entries.map(|word| entry(word)).collect();
            let base = place("base").unwrap_or(Position::ORIGIN);
            Body::Append { base, entries, commit: index("commit"), trim: index("trim") }
        }
        "AppendAccepted" => Body::AppendAccepted { matched: Index(number(rest[0])) },
        "AppendRejected" => Body::AppendRejected(Rejection {
            base: index("base"),
            conflict: place("conflict"),
            last: last(),
        }),
        "Heartbeat" => Body::Heartbeat { round, commit: index("commit"), trim: index("trim") },
        "HeartbeatReply" => Body::HeartbeatReply { round },
        "Propose" => {
            let command = |word: &&str| Bytes::copy_from_slice(word.as_bytes());
            let commands = rest.iter().filter(|word| !word.starts_with("parcel="));
            // Nodes draw their lives; 0 stands for whoever speaks in the script.
            let number = option(rest, "parcel").map_or(1, number);
            let parcel = Parcel { life: 0, number };
            Body::Propose { parcel, commands: commands.map(command).collect() }
        }
        "ReadIndex" => Body::ReadIndex { reads: reads() },
        "ReadIndexReply" => {
            let index = rest.last().and_then(|word| word.parse().ok()).map(Index);
            Body::ReadIndexReply { reads: reads(), index }
        }
        "TransferLeadership" => {
            Body::TransferLeadership { to: NodeId(option(rest, "to").map_or(0, number)) }
        }
        "TimeoutNow" => Body::TimeoutNow,
        "Snapshot" => {
            let number = option(rest, "number").map_or(0, number);
            let (data, done) = (Bytes::from_static(b"state"), rest.contains(&"end"));
            Body::Snapshot { last: last(), number, data, done }
        }
        "SnapshotReply" => {
            Body::SnapshotReply { last: last(), next: option(rest, "next").map(number) }
        }
        other => panic!("{other} is no message"),
    };
    Message { term, body }
}
