//! Requests, answers, messages and faults in a few words.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use node::codec::Envelope;
use node::{Body as ReplyBody, Reply, Request};
use protocol::NodeId;
use protocol::raft::{Body, Entry, Mend, Message, Payload};
use store::watch::WatchResponse;
use store::{Command, KeyRange, Operation, Outcome, Row, View};

use super::line::{Kind, Spot, name};
use crate::fault::{DiskFault, Fault};
use crate::seen::place;

/// The most characters of a key or value that are shown.
const SHOWN: usize = 16;

/// Bytes as text, cut short.
fn bytes(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    if text.len() <= SHOWN { text } else { format!("{}…", &text[..SHOWN]) }
}

fn who(id: NodeId) -> String {
    place(id).map_or_else(|| id.to_string(), name)
}

fn keys(range: &KeyRange) -> String {
    if range.is_single() {
        bytes(&range.key)
    } else if range.is_open() {
        format!("{}…", bytes(&range.key))
    } else {
        format!("{}…{}", bytes(&range.key), bytes(&range.end))
    }
}

pub(super) fn command(command: &Command) -> String {
    match command {
        Command::Put(put) => match &put.value {
            Some(value) => format!("put {}={}", bytes(&put.key), bytes(value)),
            None => format!("put {}", bytes(&put.key)),
        },
        Command::DeleteRange(delete) => format!("delete {}", keys(&delete.range)),
        Command::Txn(txn) => match (&txn.compare[..], &txn.success[..]) {
            ([_, ..], [Operation::Put(put)]) => {
                let value = put.value.as_deref().map_or_else(String::new, bytes);
                format!("put {}={value} if unchanged", bytes(&put.key))
            }
            _ => format!("txn of {}", txn.success.len().max(txn.failure.len())),
        },
        Command::Compact { revision } => format!("compact {revision}"),
        Command::LeaseGrant { id, ttl } => format!("grant lease {:x} {ttl} s", id.0),
        Command::LeaseRevoke { id } => format!("revoke lease {:x}", id.0),
        Command::LeaseRenew { ids } => format!("renew {} leases", ids.len()),
        Command::Tick { elapsed_ms } => format!("tick {elapsed_ms} ms"),
        Command::Alarm { .. } => "alarm".to_owned(),
        Command::Publish(member) => format!("publish {}", who(member.id)),
        Command::StateHash { member, .. } => format!("{} tells its state", who(*member)),
        Command::Once { stamp, command: inner } => {
            format!("{} (write {})", self::command(inner), stamp.sequence())
        }
        Command::SpaceReport { member, short: true } => format!("{} is short", who(*member)),
        Command::SpaceReport { member, short: false } => format!("{} has space", who(*member)),
        Command::Member(change) => format!("wish {change:?}"),
        Command::Recovered(recovery) => format!("recovered from {}", recovery.cluster.0),
        Command::Settle { ticket, refusal } => format!("refuse wish {ticket}: {refusal:?}"),
    }
}

/// What stands in an entry.
pub(crate) fn payload(payload: &Payload) -> String {
    match payload {
        Payload::Empty => "no-op".to_owned(),
        Payload::Command(sealed) => sealed_command(sealed),
        Payload::Membership(_) => "members".to_owned(),
    }
}

/// Whether an entry is a member's introduction of itself: routine of every new leader's first
/// moments.
pub(super) fn introduces(payload: &Payload) -> bool {
    let Payload::Command(sealed) = payload else { return false };
    is_introduction(sealed)
}

pub(super) fn is_introduction(sealed: &bytes::Bytes) -> bool {
    let opened = Envelope::open(sealed.clone()).ok();
    let command = opened.and_then(|envelope| Command::decode(envelope.command).ok());
    matches!(command, Some(Command::Publish(_)))
}

fn sealed_command(sealed: &bytes::Bytes) -> String {
    let opened = Envelope::open(sealed.clone()).ok();
    opened
        .and_then(|envelope| Command::decode(envelope.command).ok())
        .map_or_else(|| bytes(sealed), |inner| command(&inner))
}

pub(super) fn request(request: &Request) -> String {
    match request {
        Request::Write(inner) => command(inner),
        Request::Compact { revision, .. } => format!("compact {revision}"),
        Request::Range { range, serializable: false } => format!("read {}", keys(&range.keys)),
        Request::Range { range, serializable: true } => {
            format!("read {} (serializable)", keys(&range.keys))
        }
        Request::ReadTxn { .. } => "read-only txn".to_owned(),
        Request::LeaseRenew(id) => format!("renew lease {:x}", id.0),
        Request::LeaseTimeToLive { id, .. } => format!("life of lease {:x}", id.0),
        Request::Leases => "leases".to_owned(),
        Request::HashKv { .. } => "hash".to_owned(),
        Request::Members { .. } => "members".to_owned(),
        Request::Alarms => "alarms".to_owned(),
        Request::Status => "status".to_owned(),
        Request::Settle => "settle".to_owned(),
        Request::Barrier => "barrier".to_owned(),
        Request::MoveLeader(to) => format!("move leadership to {}", who(*to)),
        Request::Once { stamp, request: inner } => {
            format!("{} (write {})", self::request(inner), stamp.sequence())
        }
        Request::MemberChange(change) => format!("wish {change:?}"),
    }
}

pub(super) fn reply(reply: &Reply) -> String {
    match &reply.body {
        Ok(ReplyBody::Outcome(outcome)) => outcome_words(outcome, reply.header.revision),
        Ok(ReplyBody::View(view)) => rows(view),
        Ok(ReplyBody::TxnView(_)) => "read".to_owned(),
        Ok(ReplyBody::TimeToLive(None)) => "no such lease".to_owned(),
        Ok(ReplyBody::TimeToLive(Some(time))) => format!("{} s left", time.remaining),
        Ok(ReplyBody::Renewed(seconds)) => format!("renewed, {seconds} s"),
        Ok(ReplyBody::Leases(ids)) => format!("{} leases", ids.len()),
        Ok(ReplyBody::Hash { hash, .. }) => format!("hash {hash:08x}"),
        Ok(ReplyBody::Members(members)) => format!("{} members", members.len()),
        Ok(ReplyBody::Alarms(alarms)) => format!("{} alarms", alarms.len()),
        Ok(ReplyBody::Status(_) | ReplyBody::Done) => "done".to_owned(),
        Err(failure) => spaced(&format!("{failure:?}")),
    }
}

fn outcome_words(outcome: &Outcome, revision: i64) -> String {
    match outcome {
        Outcome::Txn { succeeded: false, .. } => "compare failed".to_owned(),
        Outcome::DeleteRange { deleted, .. } => format!("{deleted} deleted, revision {revision}"),
        Outcome::Put { .. }
        | Outcome::Txn { .. }
        | Outcome::Range(_)
        | Outcome::LeaseGrant { .. }
        | Outcome::LeaseRenew(_)
        | Outcome::Alarm(_)
        | Outcome::Queued(_)
        | Outcome::Done => format!("done, revision {revision}"),
    }
}

fn rows(view: &View) -> String {
    match view.rows() {
        [] => "nothing there".to_owned(),
        [Row::Held(kv)] => format!("{}={}", bytes(&kv.key), bytes(&kv.value)),
        rows => format!("{} keys", rows.len()),
    }
}

/// `LeaderChanged` as "leader changed".
fn spaced(camel: &str) -> String {
    let mut text = String::with_capacity(camel.len() + 4);
    for (place, letter) in camel.char_indices() {
        if letter.is_ascii_uppercase() && place > 0 && !text.ends_with('(') {
            text.push(' ');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

pub(super) fn kind(message: &Message) -> Kind {
    match message.body {
        Body::PreVote { .. } => Kind::PreVote,
        Body::PreVoteReply { .. } => Kind::PreVoteReply,
        Body::Vote { .. } => Kind::Vote,
        Body::VoteReply { .. } => Kind::VoteReply,
        Body::Append { .. } => Kind::Append,
        Body::AppendAccepted { .. } => Kind::Accepted,
        Body::AppendRejected(_) => Kind::Rejected,
        Body::Heartbeat { .. } => Kind::Heartbeat,
        Body::HeartbeatReply { .. } => Kind::HeartbeatReply,
        Body::Propose { .. } => Kind::Propose,
        Body::ReadIndex { .. } | Body::ReadIndexReply { .. } => Kind::Read,
        Body::TransferLeadership { .. } | Body::TimeoutNow => Kind::Transfer,
        Body::Snapshot { .. } | Body::SnapshotReply { .. } | Body::Mend(_) => Kind::Snapshot,
    }
}

/// What a message says, in the notation of the protocol's traces; commands are read.
pub(super) fn message(message: &Message) -> String {
    match &message.body {
        Body::Append { base, entries, commit, .. } => {
            format!("t{} Append base={base} [{}] commit={commit}", message.term, listed(entries))
        }
        Body::Propose { commands, .. } => {
            format!("t{} Propose {}", message.term, proposed(commands))
        }
        Body::PreVote { .. }
        | Body::PreVoteReply { .. }
        | Body::Vote { .. }
        | Body::VoteReply { .. }
        | Body::AppendAccepted { .. }
        | Body::AppendRejected(_)
        | Body::Heartbeat { .. }
        | Body::HeartbeatReply { .. }
        | Body::ReadIndex { .. }
        | Body::ReadIndexReply { .. }
        | Body::TransferLeadership { .. }
        | Body::TimeoutNow
        | Body::Snapshot { .. }
        | Body::SnapshotReply { .. }
        | Body::Mend(_) => message.to_string(),
    }
}

fn listed(entries: &[Entry]) -> String {
    let mut text = String::new();
    for (place, entry) in entries.iter().enumerate() {
        if place == 8 {
            let _ = write!(text, " … {}", entries[entries.len() - 1].position);
            break;
        }
        let space = if place == 0 { "" } else { " " };
        let _ = write!(text, "{space}{}", entry.position);
    }
    text
}

fn proposed(commands: &[bytes::Bytes]) -> String {
    let texts: Vec<_> = commands.iter().take(3).map(sealed_command).collect();
    let more = if commands.len() > 3 { ", …" } else { "" };
    format!("{}{more}", texts.join(", "))
}

/// What a message says, short enough for an arrow.
pub(super) fn label(message: &Message) -> String {
    let yes = |granted: bool| if granted { "yes" } else { "no" };
    match &message.body {
        Body::PreVote { last } => format!("pre-vote t{}? log ends {last}", message.term),
        Body::PreVoteReply { granted } => format!("pre-vote: {}", yes(*granted)),
        Body::Vote { last, .. } => format!("vote in t{}? log ends {last}", message.term),
        Body::VoteReply { granted } => format!("vote: {}", yes(*granted)),
        Body::Append { base, entries, commit, .. } => match (entries.first(), entries.last()) {
            (Some(one), Some(last)) if one.position == last.position => {
                format!("append {} after {base}", one.position)
            }
            (Some(Entry { position: one, .. }), Some(Entry { position: last, .. }))
                if one.term == last.term =>
            {
                format!("append {}–{last} after {base}", one.index)
            }
            (Some(first), Some(last)) => {
                format!("append {}…{} after {base}", first.position, last.position)
            }
            _ => format!("commit {commit}"),
        },
        Body::AppendAccepted { matched } => format!("has through {matched}"),
        Body::AppendRejected(rejection) => match rejection.conflict {
            Some(conflict) => format!("no: t{} from {}", conflict.term, conflict.index),
            None => format!("no: log ends {}", rejection.last),
        },
        Body::Heartbeat { commit, .. } => format!("heartbeat t{}, commit {commit}", message.term),
        Body::HeartbeatReply { .. } => format!("heard, t{}", message.term),
        Body::Propose { commands, .. } => proposed(commands),
        Body::ReadIndex { .. } => "read index?".to_owned(),
        Body::ReadIndexReply { index: Some(index), .. } => format!("read index {index}"),
        Body::ReadIndexReply { index: None, .. } => "no read index".to_owned(),
        Body::TransferLeadership { to } => format!("transfer to {}", who(*to)),
        Body::TimeoutNow => "campaign now".to_owned(),
        Body::Snapshot { last, .. } => format!("snapshot {last}"),
        Body::SnapshotReply { .. } => "snapshot received".to_owned(),
        Body::Mend(Mend::Ask { wanted, .. }) => match wanted.first() {
            Some(first) => format!("lost: {first} …{}", wanted.len()),
            None => "who leads?".to_owned(),
        },
        Body::Mend(Mend::Reply { entries, leads, .. }) => {
            let leads = if leads.is_some() { ", leads" } else { "" };
            format!("{} of them{leads}", entries.len())
        }
    }
}

pub(super) fn watched(response: &WatchResponse) -> String {
    match response {
        WatchResponse::Created { revision, .. } => format!("watch created, revision {revision}"),
        WatchResponse::Refused { .. } => "watch refused".to_owned(),
        WatchResponse::Events { revision, events, .. } => {
            format!("watch: {} events, revision {revision}", events.len())
        }
        WatchResponse::Canceled { .. } => "watch ended".to_owned(),
        WatchResponse::Progress { .. } => "watch progress".to_owned(),
    }
}

/// A fault's name, whom it strikes, and the whole in words.
pub(super) fn fault(fault: &Fault) -> (String, Option<usize>, String) {
    match fault {
        Fault::Cut { shape, links } => ((*shape).to_owned(), None, cut(shape, links)),
        Fault::Healed => ("healed".to_owned(), None, "all links carry again".to_owned()),
        Fault::Over { name } => ("over".to_owned(), None, format!("{name} is over")),
        Fault::Disk { at, what } => {
            let name = disk(*what);
            (name.to_owned(), Some(*at), format!("{}: {name}", self::name(*at)))
        }
        Fault::Drift { at, rate } => {
            let percent = (i128::from(*rate) - 1_000_000) / 10_000;
            let text = format!("{}: clock {percent:+} %", name(*at));
            ("clock drift".to_owned(), Some(*at), text)
        }
        Fault::Jump { at, by_ms } => {
            ("clock jump".to_owned(), Some(*at), format!("{}: clock jumps {by_ms:+} ms", name(*at)))
        }
        Fault::Other { name: what, at: Some(at) } => {
            ((*what).to_owned(), Some(*at), format!("{}: {what}", name(*at)))
        }
        Fault::Other { name, at: None } => ((*name).to_owned(), None, (*name).to_owned()),
    }
}

fn cut(shape: &str, links: &[(usize, usize)]) -> String {
    if let Some(groups) = groups(links) {
        return format!("{shape}: {groups}");
    }
    let mut text = format!("{shape}: ");
    let mut told = 0;
    for &(from, to) in links {
        let both = links.contains(&(to, from));
        if both && from > to {
            continue;
        }
        if told == 6 {
            text.push_str(", …");
            break;
        }
        let comma = if told == 0 { "" } else { ", " };
        let arrow = if both { "–" } else { "→" };
        let _ = write!(text, "{comma}{}{arrow}{}", name(from), name(to));
        told += 1;
    }
    text
}

/// The cut as groups of nodes, `n1 n2 | n3`, when that is what it is.
fn groups(links: &[(usize, usize)]) -> Option<String> {
    let nodes: BTreeSet<usize> = links.iter().flat_map(|(from, to)| [*from, *to]).collect();
    let apart: BTreeSet<(usize, usize)> = links.iter().copied().collect();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for node in nodes {
        let fits = |group: &&mut Vec<usize>| !apart.contains(&(group[0], node));
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(node),
            None => groups.push(vec![node]),
        }
    }
    let same = |one: usize, two: usize| groups.iter().any(|g| g.contains(&one) && g.contains(&two));
    let all: Vec<usize> = groups.iter().flatten().copied().collect();
    let fits = all.iter().all(|&one| {
        all.iter().all(|&two| one == two || apart.contains(&(one, two)) != same(one, two))
    });
    let names = |group: &Vec<usize>| group.iter().map(|at| name(*at)).collect::<Vec<_>>().join(" ");
    let texts: Vec<String> = groups.iter().map(names).collect();
    (fits && groups.len() > 1).then(|| texts.join(" | "))
}

const fn disk(what: DiskFault) -> &'static str {
    match what {
        DiskFault::WriteError => "the next write fails",
        DiskFault::SyncError => "the next sync fails",
        DiskFault::Full => "the disk is full",
        DiskFault::Short => "the next write is torn",
        DiskFault::Astray => "the next write goes astray",
        DiskFault::Rot => "a bit of the log rots",
        DiskFault::HeadRot => "a bit of the log's head rots",
        DiskFault::StateRot => "a bit of the state rots",
        DiskFault::ReadError => "a read fails",
        DiskFault::Slow => "syncs are slow",
        DiskFault::Stuck => "syncs are stuck",
    }
}

/// Entries as a list of places: `4@1 5@1`, the middle of a long one left out.
pub(super) fn spots(entries: &[Spot]) -> String {
    match entries {
        [first, _, _, _, .., last] => format!("{first} … {last}"),
        few => few.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    }
}
