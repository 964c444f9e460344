//! Elections by gossip: programs that stand, and those that observe.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use protocol::bully::{Epoch, Part};
use serde_json::{Value, json};

use super::requests::{fields, number, string, strings};
use super::route::{Body, Failed, finish, with_body};
use crate::elections::{ElectionError, Elections, GroupView, Program, Told, Wish, boot_time, loss};
use crate::gossip::PoolHandle;

/// Every request.
pub(super) const NAMES: [&str; 5] = ["stand", "observe", "stopped", "report", "electors"];

fn elections(pool: &PoolHandle) -> Result<&Elections, Failed> {
    pool.elections().ok_or(Failed::Election(ElectionError::Ended))
}

pub(super) async fn list(pool: &PoolHandle) -> Result<Value, Failed> {
    Ok(elections(pool)?.list().await?.iter().map(group).collect())
}

/// Carries out one of [`NAMES`].
pub(super) async fn carry_out(
    pool: &PoolHandle,
    name: &str,
    body: &Bytes,
) -> Result<Response<Body>, Failed> {
    let (elections, fields) = (elections(pool)?, fields(body)?);
    let name_of_group = string(&fields, "group")?;
    match name {
        "stand" => {
            let settings = fields.get("settings").and_then(Value::as_str).unwrap_or_default();
            let wish = Wish::parse(settings).map_err(Failed::Request)?;
            Ok(lines(elections.stand(name_of_group, wish).await?))
        }
        "observe" => Ok(lines(elections.observe(name_of_group).await?)),
        "stopped" => {
            let epoch = Epoch(number(&fields, "epoch")?);
            elections.stopped(name_of_group, epoch).await?;
            Ok(finish(Ok(json!({}))))
        }
        "electors" => {
            elections
                .change(name_of_group, strings(&fields, "electors")?.into_iter().collect())
                .await?;
            Ok(finish(Ok(json!({}))))
        }
        _ => {
            elections.report(name_of_group, number(&fields, "freshness")?).await?;
            Ok(finish(Ok(json!({}))))
        }
    }
}

fn lines(program: Program) -> Response<Body> {
    let lines = stream::unfold(program, |mut program| async move {
        let line = line(program.next().await?);
        let frame = Frame::data(Bytes::from(format!("{line}\n")));
        Some((Ok::<_, Infallible>(frame), program))
    });
    with_body(StatusCode::OK, "application/x-ndjson", StreamBody::new(lines).boxed_unsync())
}

fn line(told: Told) -> Value {
    let number = |epoch: Option<Epoch>| epoch.map(|epoch| epoch.0);
    match told {
        Told::Settings(settings) => {
            let now = boot_time().0;
            json!({ "event": "settings", "settings": settings.to_string(), "now": now })
        }
        Told::Leader(leader) => {
            let leader =
                leader.map(|(name, epoch)| json!({ "name": name, "epoch": number(epoch) }));
            json!({ "event": "leader", "leader": leader })
        }
        Told::Elected { epoch, until } => {
            json!({ "event": "elected", "epoch": number(epoch), "until": until })
        }
        Told::Extended { epoch, until } => {
            json!({ "event": "extended", "epoch": epoch.0, "until": until })
        }
        Told::Lost { epoch, why } => {
            json!({ "event": "lost", "epoch": number(epoch), "why": loss(why) })
        }
        Told::Warning(text) => json!({ "event": "warning", "text": text }),
    }
}

fn group(view: &GroupView) -> Value {
    let status = &view.status;
    let part = match status.part {
        _ if view.is_broken => "broken",
        Part::Follower => "follower",
        Part::Candidate => "candidate",
        Part::Leader => "leader",
        Part::Stopping => "stopping",
    };
    let leader = view.leader.as_ref().map(|name| {
        let epoch = status.leader.and_then(|leader| leader.epoch);
        json!({ "name": name, "epoch": epoch.map(|epoch| epoch.0) })
    });
    json!({
        "group": view.group,
        "settings": view.settings.to_string(),
        "part": part,
        "stands": view.stands,
        "leader": leader,
        "granted": status.ballot.map(|ballot| ballot.epoch.0),
        "until": status.lease.filter(|_| !view.is_broken).map(|lease| lease.until.0),
        "electorate": view.electorate,
        "changes": view.changes,
        "founding": view.founding,
        "dropped": status.dropped,
        "refused": view.refused,
    })
}
