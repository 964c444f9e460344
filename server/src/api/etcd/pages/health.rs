//! `/health`: one answer, with the first reason against it.
//!
//! `?serializable=true` asks about this member alone, `?exclude=NOSPACE` looks past an alarm.

use http::StatusCode;
use node::{Body, NodeStatus};
use store::Alarm;

use super::query::Query;
use super::{Page, TEXT};
use crate::api::etcd::Api;
use crate::api::etcd::convert::alarm_to_pb;
use crate::api::etcd::route::text;

/// The first alarm or lack of a leader that speaks against health.
fn reason(status: &NodeStatus, query: &Query<'_>, serializable: bool) -> Option<&'static str> {
    for (_, alarm) in &status.alarms {
        if query.says("exclude", alarm_to_pb(*alarm).as_str_name()) {
            continue;
        }
        return Some(match alarm {
            Alarm::NoSpace => "ALARM NOSPACE",
            Alarm::Corrupt => "ALARM CORRUPT",
        });
    }
    if must_not_serve(status) && !query.says("exclude", "CORRUPT") {
        return Some("ALARM CORRUPT");
    }
    (!serializable && status.core.leader.is_none()).then_some("RAFT NO LEADER")
}

/// Whether this member's own state was found wrong. What is wrong with another's speaks against
/// that one alone.
pub(super) fn must_not_serve(status: &NodeStatus) -> bool {
    status.condemned.is_some() || status.rebuilding
}

/// The answer. Reasons are plain text without quotes.
fn worded(reason: Option<String>) -> Page {
    match reason {
        None => Page::ok(TEXT, r#"{"health":"true","reason":""}"#.into()),
        Some(reason) => Page::error(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!(r#"{{"health":"false","reason":"{reason}"}}"#),
        ),
    }
}

/// What a server says that serves nothing yet.
pub(super) fn waiting(reason: &str) -> Page {
    // It may have names in it, which are others' to choose.
    let plain = |c: char| if c == '"' || c == '\\' || c.is_control() { '\'' } else { c };
    worded(Some(reason.chars().map(plain).collect()))
}

/// Whether this member can read, confirmed by a quorum or on its own.
pub(super) async fn read(api: &Api, serializable: bool) -> Result<(), &'static str> {
    let request = if serializable { node::Request::Status } else { node::Request::Barrier };
    api.call(request).await.body.map(drop).map_err(text)
}

pub(super) async fn page(api: &Api, query: &Query<'_>) -> Page {
    let serializable = query.says("serializable", "true");
    let status = api.call(node::Request::Status).await.body;
    let reason = match status {
        Ok(Body::Status(status)) => match reason(&status, query, serializable) {
            Some(reason) => Some(reason.to_owned()),
            None => {
                let read = read(api, serializable).await;
                read.err().map(|error| format!("RANGE ERROR:{error}"))
            }
        },
        Ok(_) => Some("RANGE ERROR:the node gave an answer of another kind".to_owned()),
        Err(failure) => Some(format!("RANGE ERROR:{}", text(failure))),
    };
    api.metrics().health(reason.is_none());
    worded(reason)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use protocol::NodeId;
    use store::Alarm;

    use super::{Query, reason, worded};
    use crate::api::etcd::status_of_one;

    #[test]
    fn health_is_etcds_to_the_letter() {
        let healthy = worded(None);
        assert_eq!(healthy.code, StatusCode::OK);
        assert_eq!(healthy.body, "{\"health\":\"true\",\"reason\":\"\"}");
        let sick = worded(Some("RAFT NO LEADER".into()));
        assert_eq!(sick.code, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(sick.body, "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}\n");
    }

    #[test]
    fn the_first_reason_counts_and_can_be_excluded() {
        let none = Query::of("");
        let mut node = status_of_one();
        assert_eq!(reason(&node, &none, false), None);
        node.core.leader = None;
        assert_eq!(reason(&node, &none, false), Some("RAFT NO LEADER"));
        assert_eq!(reason(&node, &none, true), None);
        node.alarms = vec![(NodeId(1), Alarm::NoSpace), (NodeId(2), Alarm::Corrupt)];
        assert_eq!(reason(&node, &none, true), Some("ALARM NOSPACE"));
        let exclude = Query::of("exclude=NOSPACE");
        assert_eq!(reason(&node, &exclude, true), Some("ALARM CORRUPT"));
        let exclude = Query::of("exclude=NOSPACE&exclude=CORRUPT");
        assert_eq!(reason(&node, &exclude, true), None);
        assert_eq!(reason(&node, &exclude, false), Some("RAFT NO LEADER"));
    }

    #[test]
    fn a_state_that_is_wrong_speaks_against_its_own_member_only() {
        let none = Query::of("");
        let mut node = status_of_one();
        node.deviants = vec![NodeId(2)];
        assert_eq!(reason(&node, &none, false), None);
        node.rebuilding = true;
        assert_eq!(reason(&node, &none, true), Some("ALARM CORRUPT"));
        assert_eq!(reason(&node, &Query::of("exclude=CORRUPT"), true), None);
    }
}
