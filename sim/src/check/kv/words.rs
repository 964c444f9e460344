//! Commands and requests in few words, for whoever reads a violation.

use std::fmt::Write;

use bytes::Bytes;
use node::Request;
use store::{Command, KeyRange, Operation as Step, Put, Txn};

use crate::history::{Ending, Operation};
use crate::seen::seconds;

/// Bytes of a key or value shown.
const SHOWN: usize = 32;

fn text(bytes: &Bytes) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN)];
    let dots = if bytes.len() > SHOWN { "…" } else { "" };
    format!("{}{dots}", shown.escape_ascii())
}

fn keys(range: &KeyRange) -> String {
    if range.is_single() {
        text(&range.key)
    } else {
        format!("[{}, {})", text(&range.key), text(&range.end))
    }
}

fn put(put: &Put) -> String {
    let value = put.value.as_ref().map_or_else(|| "(kept)".into(), text);
    let lease = match put.lease {
        Some(Some(lease)) => format!(" on lease {lease}"),
        Some(None) => String::new(),
        None => " on its lease".into(),
    };
    format!("put {}={value}{lease}", text(&put.key))
}

fn txn(it: &Txn) -> String {
    let branch = |steps: &[Step]| {
        let steps = steps.iter().map(|step| match step {
            Step::Range(range) => format!("get {}", keys(&range.keys)),
            Step::Put(it) => put(it),
            Step::DeleteRange(it) => format!("delete {}", keys(&it.range)),
            Step::Txn(nested) => txn(nested),
        });
        steps.collect::<Vec<_>>().join("; ")
    };
    let compares = it.compare.iter().map(|compare| keys(&compare.range)).collect::<Vec<_>>();
    format!(
        "txn(if {} then {} else {})",
        compares.join(", "),
        branch(&it.success),
        branch(&it.failure)
    )
}

/// A command.
pub(crate) fn command(it: &Command) -> String {
    match it {
        Command::Put(it) => put(it),
        Command::DeleteRange(it) => format!("delete {}", keys(&it.range)),
        Command::Txn(it) => txn(it),
        Command::Compact { revision } => format!("compact to {revision}"),
        Command::LeaseGrant { id, ttl } => format!("grant lease {id} for {ttl} s"),
        Command::LeaseRevoke { id } => format!("revoke lease {id}"),
        Command::LeaseRenew { ids } => format!("renew {} leases", ids.len()),
        Command::Tick { elapsed_ms } => format!("tick of {elapsed_ms} ms"),
        Command::Alarm { .. } => "alarm".into(),
        Command::Publish(member) => format!("publish member {}", member.id.0),
        Command::StateHash { member, .. } => format!("hash of member {}", member.0),
        Command::Once { stamp, command: it } => {
            format!("{} (write {} of {})", command(it), stamp.sequence(), stamp.client())
        }
        Command::SpaceReport { member, short } => format!("member {} short: {short}", member.0),
        Command::Member(change) => format!("wish {change:?}"),
        Command::Recovered(recovery) => format!("recovered from {}", recovery.cluster.0),
        Command::Settle { ticket, refusal } => format!("refuse wish {ticket}: {refusal:?}"),
    }
}

fn request(it: &Request) -> String {
    match it {
        Request::Write(it) => command(it),
        Request::Compact { revision, physical } => {
            format!("compact {}to {revision}", if *physical { "physically " } else { "" })
        }
        Request::Range { range, serializable } => {
            let at = if range.revision > 0 {
                format!(" at revision {}", range.revision)
            } else {
                String::new()
            };
            let how = if *serializable { "serializable " } else { "" };
            format!("{how}get {}{at}", keys(&range.keys))
        }
        Request::ReadTxn { txn: it, serializable } => {
            format!("{}{}", if *serializable { "serializable " } else { "" }, txn(it))
        }
        Request::LeaseRenew(id) => format!("renew lease {id}"),
        Request::LeaseTimeToLive { id, .. } => format!("time to live of lease {id}"),
        Request::Leases => "list of leases".into(),
        Request::HashKv { revision } => format!("hash at {revision}"),
        Request::Members { .. } => "members".into(),
        Request::Alarms => "alarms".into(),
        Request::Status => "status".into(),
        Request::Settle => "settle".into(),
        Request::Barrier => "barrier".into(),
        Request::MoveLeader(to) => format!("move leadership to {}", to.0),
        Request::Once { request: it, .. } => request(it),
        Request::MemberChange(change) => format!("wish {change:?}"),
    }
}

/// An operation: who, what, when, and what it was told.
pub(crate) fn operation(it: &Operation) -> String {
    let mut line = format!("client {}: {}", it.client, request(&it.request));
    let returned = it.returned.map_or_else(|| "…".into(), |at| format!("{:.3} s", seconds(at)));
    let _ = write!(line, " ({:.3} s – {returned}", seconds(it.called));
    let _ = match &it.ending {
        Ending::Answered(answer) => {
            write!(line, ", answered at revision {})", answer.header.revision)
        }
        Ending::Refused(why, header) => {
            write!(line, ", refused at revision {}: {why:?})", header.revision)
        }
        Ending::Unknown => write!(line, ", outcome unknown)"),
    };
    line
}
