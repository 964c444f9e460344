//! `/livez` and `/readyz`: lists of checks, each of which has a path of its own below.
//!
//! `?verbose` shows the list, `?exclude=NAME` leaves a check out; a failure always shows it.

use std::fmt::Write;

use http::StatusCode;
use node::Body;
use store::Alarm;

use super::query::Query;
use super::{Page, TEXT, health};
use crate::api::etcd::Api;
use crate::api::etcd::route::text;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// Should the process be left running?
    Live,
    /// Should it be sent clients?
    Ready,
}

/// One thing that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    DataCorruption,
    SerializableRead,
    LinearizableRead,
    NonLearner,
}

impl Check {
    const fn name(self) -> &'static str {
        match self {
            Self::DataCorruption => "data_corruption",
            Self::SerializableRead => "serializable_read",
            Self::LinearizableRead => "linearizable_read",
            Self::NonLearner => "non_learner",
        }
    }
}

impl Probe {
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "livez" => Some(Self::Live),
            "readyz" => Some(Self::Ready),
            _ => None,
        }
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.checks().iter().any(|check| check.name() == name)
    }

    const fn checks(self) -> &'static [Check] {
        match self {
            Self::Live => &[Check::SerializableRead],
            Self::Ready => &[
                Check::DataCorruption,
                Check::SerializableRead,
                Check::LinearizableRead,
                Check::NonLearner,
            ],
        }
    }
}

/// Makes a check; the text says what speaks against it.
async fn run(api: &Api, check: Check) -> Result<(), String> {
    match check {
        Check::SerializableRead => Ok(health::read(api, true).await?),
        Check::LinearizableRead => Ok(health::read(api, false).await?),
        Check::DataCorruption => match api.call(node::Request::Status).await.body {
            Ok(Body::Status(status)) => {
                let own = health::must_not_serve(&status);
                let corrupt =
                    own || status.alarms.iter().any(|(_, alarm)| *alarm == Alarm::Corrupt);
                if corrupt { Err("alarm activated: CORRUPT".into()) } else { Ok(()) }
            }
            Ok(_) => Err("the node gave an answer of another kind".into()),
            Err(failure) => Err(text(failure).into()),
        },
        Check::NonLearner => {
            let request = node::Request::Members { linearizable: false };
            match api.call(request).await.body {
                Ok(Body::Members(members)) => {
                    let own = api.headers.member();
                    let learner = members.iter().any(|info| info.member.id == own && info.learner);
                    if learner { Err("not supported for learner".into()) } else { Ok(()) }
                }
                Ok(_) => Err("the node gave an answer of another kind".into()),
                Err(failure) => Err(text(failure).into()),
            }
        }
    }
}

/// The page for what the checks said.
fn worded(results: &[(&str, Result<(), String>)], verbose: bool) -> Page {
    let mut list = String::new();
    for (name, result) in results {
        match result {
            Ok(()) => writeln!(list, "[+]{name} ok"),
            Err(reason) => writeln!(list, "[-]{name} failed: {reason}"),
        }
        .expect("strings take everything");
    }
    if results.iter().any(|(_, result)| result.is_err()) {
        return Page::error(StatusCode::SERVICE_UNAVAILABLE, &list);
    }
    if !verbose {
        list.clear();
    }
    list.push_str("ok\n");
    Page::ok(TEXT, list)
}

/// What a server says that serves nothing yet.
pub(super) fn waiting(reason: &str) -> Page {
    worded(&[("group", Err(reason.to_owned()))], false)
}

pub(super) async fn page(api: &Api, probe: Probe, only: Option<&str>, query: &Query<'_>) -> Page {
    let mut results = Vec::new();
    for check in probe.checks() {
        let name = check.name();
        let wanted = only.map_or_else(|| !query.says("exclude", name), |only| only == name);
        if wanted {
            results.push((name, run(api, *check).await));
        }
    }
    worded(&results, query.has("verbose"))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::{Probe, worded};

    #[test]
    fn silent_unless_asked() {
        let results = [("serializable_read", Ok(()))];
        let page = worded(&results, false);
        assert_eq!((page.code, page.body.as_str()), (StatusCode::OK, "ok\n"));
        assert_eq!(worded(&results, true).body, "[+]serializable_read ok\nok\n");
        assert_eq!(worded(&[], true).body, "ok\n");
    }

    #[test]
    fn a_failure_shows_every_check() {
        let results =
            [("serializable_read", Ok(())), ("linearizable_read", Err("no leader".to_owned()))];
        let page = worded(&results, false);
        assert_eq!(page.code, StatusCode::SERVICE_UNAVAILABLE);
        let list = "[+]serializable_read ok\n[-]linearizable_read failed: no leader\n\n";
        assert_eq!(page.body, list);
    }

    #[test]
    fn readiness_asks_for_more_than_life() {
        assert!(Probe::Live.has("serializable_read") && !Probe::Live.has("linearizable_read"));
        for name in ["data_corruption", "serializable_read", "linearizable_read", "non_learner"] {
            assert!(Probe::Ready.has(name));
        }
    }
}
