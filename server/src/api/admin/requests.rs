//! What can be asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use protocol::swim::message::Name;
use protocol::swim::serf::{Filter, KeyOperation, Question, Topic};
use serde_json::{Map, Value, json};

use super::route::Failed;
use super::views::{query_id, with_payload};
use crate::bootstrap::is_reserved;
use crate::gossip::{Answer, Key, PoolHandle};

/// How long answers to a query may be waited for: what it takes up is taken for so long.
const TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// Every request.
pub(super) const NAMES: [&str; 8] =
    ["join", "leave", "force-leave", "tags", "event", "query", "respond", "keys"];

/// Carries out one of [`NAMES`].
pub(super) async fn carry_out(
    pool: &PoolHandle,
    name: &str,
    body: &Bytes,
) -> Result<Value, Failed> {
    let fields = fields(body)?;
    match name {
        "join" => join(pool, &fields).await,
        "leave" => Ok(json!({ "told": pool.leave().await? })),
        "force-leave" => {
            let node = Name::from(string(&fields, "node")?);
            let prune = flag(&fields, "prune")?;
            pool.force_leave(node, prune).await?;
            Ok(json!({}))
        }
        "tags" => tags(pool, &fields).await,
        "event" => {
            let name = Bytes::from(string(&fields, "name")?.to_owned());
            let coalesce = flag(&fields, "coalesce")?;
            pool.event(name, payload(&fields)?, coalesce).await?;
            Ok(json!({}))
        }
        "query" => query(pool, &fields).await,
        "respond" => {
            let id = u32::try_from(number(&fields, "id")?);
            let id = id.map_err(|_| Failed::Request("\"id\" is too large".to_owned()))?;
            let id = query_id(number(&fields, "ltime")?, id);
            pool.respond(id, payload(&fields)?).await?;
            Ok(json!({}))
        }
        _ => keys(pool, &fields).await,
    }
}

async fn join(pool: &PoolHandle, fields: &Map<String, Value>) -> Result<Value, Failed> {
    let places = strings(fields, "addresses")?;
    if places.is_empty() {
        return Err(Failed::Request("\"addresses\" names nobody".to_owned()));
    }
    let (mut joined, mut failed, mut last) = (0_usize, Map::new(), None);
    for place in places {
        match pool.join(&place).await {
            Ok(_) => joined += 1,
            Err(error) => {
                failed.insert(place, error.to_string().into());
                last = Some(error);
            }
        }
    }
    match last {
        Some(error) if joined == 0 => Err(error.into()),
        Some(_) | None => Ok(json!({ "joined": joined, "failed": failed })),
    }
}

async fn tags(pool: &PoolHandle, fields: &Map<String, Value>) -> Result<Value, Failed> {
    let mut tags = pool.own_tags().await?;
    let before = tags.clone();
    let allow = |name: &str| {
        if !is_reserved(&before, name) {
            return Ok(());
        }
        let text = "is what a server says of itself in its cluster: choose another name";
        Err(Failed::Request(format!("the tag {name:?} {text}")))
    };
    for name in strings(fields, "delete")? {
        allow(&name)?;
        tags.0.remove(name.as_bytes());
    }
    for (name, value) in pairs(fields, "set")? {
        allow(&name)?;
        tags.0.insert(name.into(), value.into());
    }
    pool.set_tags(tags).await?;
    Ok(json!({}))
}

async fn query(pool: &PoolHandle, fields: &Map<String, Value>) -> Result<Value, Failed> {
    let name = Bytes::from(string(fields, "name")?.to_owned());
    let nodes: Vec<Name> =
        strings(fields, "nodes")?.iter().map(|node| Name::from(node.as_str())).collect();
    let mut filters = Vec::new();
    if !nodes.is_empty() {
        filters.push(Filter::Nodes(nodes));
    }
    for (tag, expression) in pairs(fields, "tags")? {
        filters.push(Filter::Tag { tag: tag.into(), expression: expression.into() });
    }
    let timeout = match fields.get("timeout_ms") {
        None => None,
        Some(_) => {
            let timeout = Duration::from_millis(number(fields, "timeout_ms")?);
            if timeout > TIMEOUT_MAX {
                let text = format!("\"timeout_ms\" must be at most {}", TIMEOUT_MAX.as_millis());
                return Err(Failed::Request(text));
            }
            Some(timeout)
        }
    };
    let question = Question {
        topic: Topic::Named { name, payload: payload(fields)? },
        filters,
        ack: true,
        relay_factor: 0,
        timeout,
    };
    let mut coming = pool.query(question).await?;
    let (mut arrived, mut answers) = (Vec::new(), Vec::new());
    while let Some(answer) = coming.recv().await {
        match answer {
            Answer::Arrived(from) => arrived.push(from.to_string()),
            Answer::Answered(from, payload) => {
                answers.push(with_payload(json!({ "from": from.to_string() }), &payload));
            }
            Answer::Asked | Answer::Refused(_) => {}
        }
    }
    Ok(json!({ "arrived": arrived, "answers": answers }))
}

async fn keys(pool: &PoolHandle, fields: &Map<String, Value>) -> Result<Value, Failed> {
    let key = || {
        let key = Key::from_base64(string(fields, "key")?);
        let key = key.map_err(|error| Failed::Request(error.to_string()))?;
        Ok::<_, Failed>(Bytes::from(key.into_bytes()))
    };
    let operation = match string(fields, "operation")? {
        "list" => KeyOperation::List,
        "install" => KeyOperation::Install(key()?),
        "use" => KeyOperation::Use(key()?),
        "remove" => KeyOperation::Remove(key()?),
        other => {
            let text = format!("no operation {other:?}: list, install, use or remove");
            return Err(Failed::Request(text));
        }
    };
    let report = pool.keys(operation).await?;
    Ok(json!({
        "done": report.is_done(),
        "members": report.members,
        "answered": report.answered,
        "refused": report.refused,
        "keys": report.keys,
        "primary": report.primary,
    }))
}

pub(super) fn fields(body: &Bytes) -> Result<Map<String, Value>, Failed> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(body)
        .map_err(|error| Failed::Request(format!("the body is no JSON object: {error}")))
}

fn wrong(name: &str, what: &str) -> Failed {
    Failed::Request(format!("\"{name}\" must be {what}"))
}

pub(super) fn string<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a str, Failed> {
    let text = fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| wrong(name, "a text"))
}

fn flag(fields: &Map<String, Value>, name: &str) -> Result<bool, Failed> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(value) => value.as_bool().ok_or_else(|| wrong(name, "true or false")),
    }
}

pub(super) fn number(fields: &Map<String, Value>, name: &str) -> Result<u64, Failed> {
    fields.get(name).and_then(Value::as_u64).ok_or_else(|| wrong(name, "a number"))
}

pub(super) fn strings(fields: &Map<String, Value>, name: &str) -> Result<Vec<String>, Failed> {
    let list = match fields.get(name) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(value) => value.as_array().ok_or_else(|| wrong(name, "a list of texts"))?,
    };
    let texts = list.iter().map(|value| value.as_str().map(str::to_owned));
    texts.collect::<Option<_>>().ok_or_else(|| wrong(name, "a list of texts"))
}

fn pairs(fields: &Map<String, Value>, name: &str) -> Result<BTreeMap<String, String>, Failed> {
    let map = match fields.get(name) {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(value) => value.as_object().ok_or_else(|| wrong(name, "an object of texts"))?,
    };
    let pair = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    map.iter().map(pair).collect::<Option<_>>().ok_or_else(|| wrong(name, "an object of texts"))
}

fn payload(fields: &Map<String, Value>) -> Result<Bytes, Failed> {
    if let Some(value) = fields.get("payload_base64") {
        let text = value.as_str().ok_or_else(|| wrong("payload_base64", "a text"))?;
        let bytes = STANDARD.decode(text).map_err(|_| wrong("payload_base64", "base64"))?;
        return Ok(bytes.into());
    }
    match fields.get("payload") {
        None | Some(Value::Null) => Ok(Bytes::new()),
        Some(value) => {
            let text = value.as_str().ok_or_else(|| wrong("payload", "a text"))?;
            Ok(Bytes::from(text.to_owned()))
        }
    }
}
