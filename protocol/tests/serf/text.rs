//! What a trace shows of values.

use std::time::Duration;

use bytes::Bytes;
use protocol::Time;
use protocol::swim::Address;
use protocol::swim::message::Facts;
use protocol::swim::serf::{
    self, Event, Filter, Known, LTime, Message, PushPull, Query, QueryId, Response, Status, Tags,
};

pub(crate) fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn seconds(time: Time) -> String {
    format!("{:.3}", Duration::from_nanos(time.0).as_secs_f64())
}

/// `a` for 10.0.0.1 and so on.
pub(crate) fn whom(to: Address) -> String {
    match to.addr.as_bytes() {
        [10, 0, 0, place] if to.port == 7946 => char::from(b'a' + place - 1).to_string(),
        _ => to.to_string(),
    }
}

pub(crate) fn query_id(id: QueryId) -> String {
    format!("{}#{}", id.ltime.0, id.id)
}

fn id(ltime: LTime, id: u32) -> String {
    query_id(QueryId { ltime, id })
}

pub(crate) fn message(bytes: &Bytes) -> String {
    match serf::decode(bytes) {
        Err(error) => format!("{error:?}"),
        Ok(Message::Leave(leave)) => {
            let prune = if leave.prune { " prune" } else { "" };
            format!("leave {} {}{prune}", leave.node, leave.ltime.0)
        }
        Ok(Message::Join(join)) => format!("join {} {}", join.node, join.ltime.0),
        Ok(Message::PushPull(state)) => push_pull(&state),
        Ok(Message::Event(event)) => {
            let coalesce = if event.coalesce { " coalesce" } else { "" };
            let (name, payload) = (text(&event.name), text(&event.payload));
            format!("event {} {name} {payload}{coalesce}", event.ltime.0)
        }
        Ok(Message::Query(asked)) => query(&asked),
        Ok(Message::Response(response)) => answer(&response),
        Ok(Message::Conflict(None)) => "nobody".into(),
        Ok(Message::Conflict(Some(member))) => {
            let (addr, port) = (member.addr, member.port);
            let status = status(member.status);
            format!("{} {status} at {}", member.name, whom(Address { addr, port }))
        }
        Ok(Message::KeyRequest(request)) => format!("key {}", text(&request.key)),
        Ok(Message::KeyResponse(response)) => {
            let keys = response.keys.len();
            let (message, primary) = (text(&response.message), text(&response.primary_key));
            format!("keys result={} {keys} primary={primary} {message}", response.result)
                .trim_end()
                .into()
        }
        Ok(Message::Relay(relay)) => {
            let to = whom(Address { addr: relay.addr, port: relay.port });
            format!("relay to {to}: {}", message(&relay.message))
        }
    }
}

fn query(query: &Query) -> String {
    let mut shown = format!("query {} {}", id(query.ltime, query.id), text(&query.name));
    if !query.payload.is_empty() {
        let payload = &query.payload;
        let inner = serf::decode(payload).is_ok();
        shown += &format!(" {}", if inner { message(payload) } else { text(payload) });
    }
    for filter in &query.filters {
        shown += &match Filter::decode(filter).unwrap() {
            Filter::Nodes(nodes) => format!(" {nodes:?}"),
            Filter::Tag { tag, expression } => format!(" {}~{}", text(&tag), text(&expression)),
        };
    }
    if query.flags & Query::ACK != 0 {
        shown += " ack";
    }
    let timeout = Duration::from_nanos(query.timeout_ns.try_into().unwrap());
    format!("{shown} in {timeout:?}")
}

fn answer(response: &Response) -> String {
    let id = id(response.ltime, response.id);
    if response.flags & Response::ACK != 0 {
        return format!("ack {id} of {}", response.from);
    }
    let payload = &response.payload;
    // An answer to one of Serf's own questions begins with a control character.
    let inner = payload.first().is_some_and(|&byte| byte < 10);
    let payload = if inner { message(payload) } else { text(payload) };
    format!("answer {id} of {}: {payload}", response.from)
}

pub(crate) fn push_pull(state: &PushPull) -> String {
    let status: Vec<String> =
        state.status.iter().map(|(name, ltime)| format!("{name}:{}", ltime.0)).collect();
    let left: Vec<String> = state.left.iter().map(ToString::to_string).collect();
    let events: Vec<String> = state
        .events
        .iter()
        .flat_map(|(_, moment)| {
            moment.events.iter().map(|event| format!("{}:{}", moment.ltime.0, text(&event.name)))
        })
        .collect();
    format!(
        "clocks {} {} {} [{}] left [{}] events [{}]",
        state.ltime.0,
        state.event_ltime.0,
        state.query_ltime.0,
        status.join(" "),
        left.join(" "),
        events.join(" ")
    )
}

pub(crate) fn status(status: Status) -> &'static str {
    match status {
        Status::None => "none",
        Status::Alive => "alive",
        Status::Leaving => "leaving",
        Status::Left => "left",
        Status::Failed => "failed",
    }
}

pub(crate) fn known(known: &Known) -> String {
    let facts = &known.facts;
    let (place, tags) = (whom(Address::of(facts)), tags(facts));
    let shown =
        format!("{} {} {} at {place} {tags}", facts.name, status(known.status), known.ltime.0);
    shown.trim_end().into()
}

fn tags(facts: &Facts) -> String {
    let tags = Tags::decode(&facts.meta).unwrap_or_default();
    let pairs = tags.0.iter().filter(|(_, value)| !value.is_empty());
    pairs
        .map(|(name, value)| format!("{}={}", text(name), text(value)))
        .collect::<Vec<_>>()
        .join(" ")
}

pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::Joined(facts) => format!("{} joined", facts.name),
        Event::Left(facts) => format!("{} left", facts.name),
        Event::Failed(facts) => format!("{} failed", facts.name),
        Event::Updated(facts) => format!("{} updated {}", facts.name, tags(facts)),
        Event::Reaped(facts) => format!("{} reaped", facts.name),
        Event::User(event) => {
            format!("event {} {} {}", event.ltime.0, text(&event.name), text(&event.payload))
        }
        Event::Query { id, source, name, payload, deadline } => {
            let (id, name, payload) = (query_id(*id), text(name), text(payload));
            format!("query {id} by {source}: {name} {payload} until {}", seconds(*deadline))
        }
        Event::Suspected { member, by } => format!("{} suspected by {by}", member.name),
        Event::Refuted { incarnation } => format!("refuted with {incarnation}"),
        Event::Conflict { held, other } => {
            let other = whom(Address::of(other));
            format!("conflict over {}: at {} and {other}", held.name, whom(Address::of(held)))
        }
        Event::ConflictVote { matching, responses, kept } => {
            format!("vote: {matching} of {responses}, kept={kept}")
        }
        Event::Refused { member, reason } => format!("refused {member}: {reason:?}"),
        Event::Link { member, link } => format!("link to {}: {link:?}", member.name),
        Event::Stalled(time) => format!("stalled for {:.3}", time.as_secs_f64()),
    }
}
