//! `conclave status`.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;
use client::Client;
use client::etcdserverpb::{Member, MemberListResponse, StatusResponse};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::member::not_started;
use super::output::{self, Format, Output};
use super::table::{size, table};
use super::target::{Target, block_on};
use crate::config::duration;
use crate::failure::{Failure, Result};

/// Clears a terminal and goes to its first line.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// How every member is: role, term, positions in the log, revision, size, health.
///
/// The given endpoints are asked for the list of members, and then each member itself. Exits
/// with 1 when a member does not answer or reports a problem, and when a voter has not started yet;
/// a new member that has not is only shown.
///
/// Examples:
///
///   conclave status
///   conclave status --watch
///   conclave status --endpoints 10.0.0.1:2379 -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Status {
    /// Print it again and again until stopped.
    #[arg(long)]
    watch: bool,
    /// The time between two prints.
    #[arg(long, default_value = "1s", value_parser = duration, value_name = "TIME")]
    #[arg(requires = "watch")]
    interval: Duration,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

/// What is known of one member that was asked.
#[derive(Debug)]
struct Row {
    endpoint: String,
    name: Option<String>,
    answer: Result<StatusResponse, client::Error>,
}

/// All that is known.
#[derive(Debug, Default)]
struct Known {
    asked: Vec<Row>,
    /// Members that nobody can ask, as they have not started yet.
    waiting: Vec<Member>,
}

impl Status {
    pub(crate) fn run(&self) -> Result {
        block_on(async {
            loop {
                let known = self.ask().await?;
                self.print(&known)?;
                if !self.watch {
                    return verdict(&known);
                }
                tokio::time::sleep(self.interval).await;
            }
        })
    }

    fn print(&self, known: &Known) -> Result {
        match self.output.format {
            Format::Json => output::json(&document(known)),
            Format::Plain => {
                let clear = self.watch && std::io::stdout().is_terminal();
                let text = render(known);
                output::bytes(format!("{}{text}", if clear { CLEAR } else { "" }).as_bytes())
            }
        }
    }

    /// Asks every member that the given endpoints know of, all at once.
    async fn ask(&self) -> Result<Known> {
        let members = self.target.client()?.member_list(false).await.ok();
        let endpoints = everybody(&self.target.endpoints, members.as_ref());
        let client = Client::new(self.target.options(endpoints.clone()))?;
        let mut asked = JoinSet::new();
        for (position, one) in client.each().into_iter().enumerate() {
            asked.spawn(async move { (position, one.status().await) });
        }
        let mut rows = Vec::with_capacity(endpoints.len());
        while let Some(joined) = asked.join_next().await {
            let (position, answer) = joined.map_err(Failure::new)?;
            let endpoint = endpoints[position].clone();
            let name = answer.as_ref().ok().and_then(|status| name(members.as_ref()?, status));
            rows.push((position, Row { endpoint, name, answer }));
        }
        rows.sort_by_key(|(position, _)| *position);
        let asked = rows.into_iter().map(|(_, row)| row).collect();
        let listed = members.map(|list| list.members).unwrap_or_default();
        let waiting = listed.into_iter().filter(|member| member.name.is_empty()).collect();
        Ok(Known { asked, waiting })
    }
}

/// The given endpoints, and those of members that are not among them.
fn everybody(given: &[String], members: Option<&MemberListResponse>) -> Vec<String> {
    let mut known = BTreeSet::new();
    let mut endpoints = Vec::new();
    let listed = members.into_iter().flat_map(|list| &list.members);
    let advertised = listed.filter_map(|member| member.client_ur_ls.first());
    for endpoint in given.iter().chain(advertised) {
        if known.insert(bare(endpoint).to_owned()) {
            endpoints.push(endpoint.clone());
        }
    }
    endpoints
}

/// An endpoint without its scheme.
fn bare(endpoint: &str) -> &str {
    endpoint.strip_prefix("http://").unwrap_or(endpoint).trim_end_matches('/')
}

fn name(members: &MemberListResponse, status: &StatusResponse) -> Option<String> {
    let id = member_id(status);
    members.members.iter().find(|member| member.id == id).map(|member| member.name.clone())
}

fn member_id(status: &StatusResponse) -> u64 {
    status.header.as_ref().map_or(0, |header| header.member_id)
}

fn role(status: &StatusResponse) -> &'static str {
    if status.is_learner {
        "learner"
    } else if status.leader != 0 && status.leader == member_id(status) {
        "leader"
    } else {
        "follower"
    }
}

/// How many entries a member's state is behind the farthest log position that any one reports.
fn lag(rows: &[Row], status: &StatusResponse) -> u64 {
    let answers = rows.iter().filter_map(|row| row.answer.as_ref().ok());
    let farthest = answers.map(|status| status.raft_index).max().unwrap_or(0);
    farthest.saturating_sub(status.raft_applied_index)
}

fn render(known: &Known) -> String {
    let rows = &known.asked[..];
    let headings = [
        "ENDPOINT", "NAME", "ID", "ROLE", "TERM", "COMMIT", "APPLIED", "LAG", "REVISION",
        "DB SIZE", "HEALTH",
    ];
    let cells = |row: &Row| {
        let mut cells = vec![bare(&row.endpoint).to_owned()];
        cells.extend(match &row.answer {
            Ok(status) => answered(rows, row, status),
            Err(error) => {
                let mut cells = vec!["-".to_owned(); headings.len() - 2];
                cells.push(error.to_string());
                cells
            }
        });
        cells
    };
    let waiting = |member: &Member| {
        let mut cells = vec!["-".to_owned(); headings.len()];
        cells[2] = format!("{:016x}", member.id);
        cells[3] = if member.is_learner { "learner" } else { "voter" }.to_owned();
        cells[headings.len() - 1] = not_started(member);
        cells
    };
    let rows = rows.iter().map(cells).chain(known.waiting.iter().map(waiting));
    table(&headings, &rows.collect::<Vec<_>>())
}

fn answered(rows: &[Row], row: &Row, status: &StatusResponse) -> Vec<String> {
    let revision = status.header.as_ref().map_or(0, |header| header.revision);
    vec![
        row.name.clone().unwrap_or_else(|| "-".to_owned()),
        format!("{:016x}", member_id(status)),
        role(status).to_owned(),
        status.raft_term.to_string(),
        status.raft_index.to_string(),
        status.raft_applied_index.to_string(),
        lag(rows, status).to_string(),
        revision.to_string(),
        size(u64::try_from(status.db_size).unwrap_or(0)),
        health(status),
    ]
}

fn health(status: &StatusResponse) -> String {
    if !status.errors.is_empty() {
        status.errors.join("; ")
    } else if status.leader == 0 {
        "no leader".to_owned()
    } else {
        "ok".to_owned()
    }
}

fn document(known: &Known) -> Value {
    let rows = &known.asked[..];
    let object = |row: &Row| match &row.answer {
        Ok(status) => json!({
            "endpoint": row.endpoint,
            "name": row.name,
            "id": member_id(status),
            "role": role(status),
            "leader": status.leader,
            "term": status.raft_term,
            "commit": status.raft_index,
            "applied": status.raft_applied_index,
            "lag": lag(rows, status),
            "revision": status.header.as_ref().map(|header| header.revision),
            "db_size": status.db_size,
            "db_size_in_use": status.db_size_in_use,
            "version": status.version,
            "healthy": health(status) == "ok",
            "health": health(status),
        }),
        Err(error) => json!({
            "endpoint": row.endpoint,
            "healthy": false,
            "health": error.to_string(),
        }),
    };
    let waiting = |member: &Member| {
        json!({
            "endpoint": null,
            "id": member.id,
            "peer_urls": member.peer_ur_ls,
            "role": if member.is_learner { "learner" } else { "voter" },
            "healthy": member.is_learner,
            "health": not_started(member),
        })
    };
    rows.iter().map(object).chain(known.waiting.iter().map(waiting)).collect()
}

fn verdict(known: &Known) -> Result {
    let is_well = |row: &&Row| row.answer.as_ref().is_ok_and(|status| health(status) == "ok");
    let well = known.asked.iter().filter(is_well).count();
    // Without a vote nobody misses it.
    let missed = known.waiting.iter().filter(|member| !member.is_learner).count();
    let all = known.asked.len() + missed;
    if well == all {
        return Ok(());
    }
    let text = format!("{} of {all} members are not healthy", all - well);
    Err(Failure::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::etcdserverpb::ResponseHeader;

    fn asked(asked: Vec<Row>) -> Known {
        Known { asked, waiting: Vec::new() }
    }

    fn row(member_id: u64, leader: u64, index: u64, applied: u64) -> Row {
        let header = ResponseHeader { member_id, revision: 5, ..ResponseHeader::default() };
        let status = StatusResponse {
            header: Some(header),
            leader,
            raft_index: index,
            raft_applied_index: applied,
            ..StatusResponse::default()
        };
        Row { endpoint: format!("h:{member_id}"), name: None, answer: Ok(status) }
    }

    #[test]
    fn lag_is_measured_from_the_farthest_member() {
        let rows = [row(1, 1, 90, 90), row(2, 1, 100, 80)];
        let lags = rows.iter().map(|row| lag(&rows, row.answer.as_ref().unwrap()));
        assert_eq!(lags.collect::<Vec<_>>(), [10, 20]);
    }

    #[test]
    fn a_member_without_a_leader_is_not_healthy() {
        verdict(&asked(vec![row(1, 1, 1, 1), row(2, 1, 1, 1)])).unwrap();
        let failure = verdict(&asked(vec![row(1, 1, 1, 1), row(2, 0, 1, 1)])).unwrap_err();
        assert_eq!(failure.text(), "1 of 2 members are not healthy");
    }

    #[test]
    fn who_has_not_started_is_shown_and_missed_when_it_has_a_vote() {
        let peer_ur_ls = vec!["http://h:7".to_owned()];
        let mut known = asked(vec![row(1, 1, 1, 1)]);
        known.waiting = vec![Member { id: 9, is_learner: true, peer_ur_ls, ..Member::default() }];
        let text = render(&known);
        let line = text.lines().last().unwrap();
        assert!(line.contains("0000000000000009  learner"), "{line}");
        assert!(line.ends_with("not started, at h:7"), "{line}");
        verdict(&known).unwrap();
        known.waiting[0].is_learner = false;
        assert_eq!(verdict(&known).unwrap_err().text(), "1 of 2 members are not healthy");
        assert_eq!(document(&known)[1]["healthy"], false);
    }

    #[test]
    fn members_are_added_once_to_the_given_endpoints() {
        let member = |url: &str| Member { client_ur_ls: vec![url.into()], ..Member::default() };
        let members = vec![member("http://a:1"), member("http://b:1"), Member::default()];
        let list = MemberListResponse { members, ..MemberListResponse::default() };
        let endpoints = everybody(&["a:1".into(), "a:1".into()], Some(&list));
        assert_eq!(endpoints, ["a:1", "http://b:1"]);
        assert_eq!(everybody(&["a:1".into()], None), ["a:1"]);
    }

    #[test]
    fn the_table_has_a_line_for_each_member_and_says_who_leads() {
        let text = render(&asked(vec![row(1, 1, 9, 9), row(2, 1, 9, 8)]));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].contains(" leader ") && lines[2].contains(" follower "));
    }
}
