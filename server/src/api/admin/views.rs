//! The pool as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use protocol::swim::message::{Facts, Name};
use protocol::swim::serf::{Event, QueryId};
use protocol::swim::{Address, Link};
use serde_json::{Map, Value, json};

use super::route::Failed;
use crate::gossip::{PoolHandle, PoolMember, Standing, tags_of};

pub(super) async fn members(pool: &PoolHandle) -> Result<Value, Failed> {
    Ok(list(&pool.members().await?))
}

pub(super) fn list(members: &[PoolMember]) -> Value {
    members.iter().map(|member| member_of(&member.facts, member.standing)).collect()
}

fn member_of(facts: &Facts, standing: Standing) -> Value {
    let tags: Map<String, Value> =
        tags_of(facts).into_iter().map(|(name, value)| (name, value.into())).collect();
    json!({
        "name": facts.name.to_string(),
        "address": Address::of(facts).to_string(),
        "status": standing.as_str(),
        "tags": tags,
    })
}

pub(super) async fn pool(pool: &PoolHandle) -> Result<Value, Failed> {
    let status = pool.status().await?;
    let (swim, serf) = (&status.swim, &status.serf);
    let link =
        |(name, link): &(Name, Link)| json!({ "member": name.to_string(), "fault": word(*link) });
    let refused: Map<String, Value> = pool
        .traffic()
        .refusals
        .iter()
        .map(|(refusal, count)| (refusal.label().to_owned(), count.into()))
        .collect();
    Ok(json!({
        "name": swim.name.to_string(),
        "address": pool.advertised().to_string(),
        "incarnation": swim.incarnation,
        "members": {
            "alive": swim.alive,
            "suspect": swim.suspect,
            "failed": serf.failed,
            "left": serf.left,
        },
        "health_score": swim.health_score,
        "broken_links": swim.links.iter().map(link).collect::<Vec<_>>(),
        "refused": refused,
        "ltime": {
            "members": serf.time.0,
            "events": serf.event_time.0,
            "queries": serf.query_time.0,
        },
        "queued": swim.queued,
    }))
}

pub(super) const fn word(link: Link) -> &'static str {
    match link {
        Link::StreamsOnly => "it answers over TCP and not over UDP",
        Link::HelpersOnly => "it answers other members and not this one",
    }
}

/// An event, as a line of the stream.
pub(super) fn event(event: &Event) -> Value {
    let member = |word: &str, facts: &Facts, standing| {
        let member = member_of(facts, standing);
        json!({ "event": word, "member": member })
    };
    match event {
        Event::Joined(facts) => member("joined", facts, Standing::Alive),
        Event::Left(facts) => member("left", facts, Standing::Left),
        Event::Failed(facts) => member("failed", facts, Standing::Failed),
        Event::Updated(facts) => member("updated", facts, Standing::Alive),
        Event::Reaped(facts) => json!({ "event": "forgotten", "name": facts.name.to_string() }),
        Event::Suspected { member: facts, by } => {
            let mut line = member("suspected", facts, Standing::Suspect);
            line["by"] = by.to_string().into();
            line
        }
        Event::User(event) => with_payload(
            json!({
                "event": "user",
                "name": text(&event.name),
                "ltime": event.ltime.0,
                "coalesce": event.coalesce,
            }),
            &event.payload,
        ),
        Event::Query { id, source, name, payload, .. } => with_payload(
            json!({
                "event": "query",
                "name": text(name),
                "from": source.to_string(),
                "ltime": id.ltime.0,
                "id": id.id,
            }),
            payload,
        ),
        Event::Refuted { incarnation } => json!({ "event": "refuted", "incarnation": incarnation }),
        Event::Conflict { held, other } => json!({
            "event": "conflict",
            "name": held.name.to_string(),
            "held": Address::of(held).to_string(),
            "other": Address::of(other).to_string(),
        }),
        Event::ConflictVote { matching, responses, kept } => json!({
            "event": "conflict-vote", "for": matching, "votes": responses, "kept": kept,
        }),
        Event::Refused { member, reason } => json!({
            "event": "refused", "name": member.to_string(), "reason": format!("{reason:?}"),
        }),
        Event::Link { member, link } => json!({
            "event": "link",
            "name": member.name.to_string(),
            "fault": link.map(word),
        }),
        Event::Stalled(lost) => json!({
            "event": "stalled", "ms": u64::try_from(lost.as_millis()).unwrap_or(u64::MAX),
        }),
    }
}

/// A payload in base64, and as text where it is text.
pub(super) fn with_payload(mut value: Value, payload: &[u8]) -> Value {
    if let Ok(text) = std::str::from_utf8(payload) {
        value["payload"] = text.into();
    }
    value["payload_base64"] = STANDARD.encode(payload).into();
    value
}

pub(super) fn query_id(ltime: u64, id: u32) -> QueryId {
    QueryId { ltime: protocol::swim::serf::LTime(ltime), id }
}

fn text(bytes: &Bytes) -> String {
    Name::from(bytes.clone()).to_string()
}
