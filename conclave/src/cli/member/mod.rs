//! `conclave member`: the members of the consensus group.

mod add;
mod demote;
mod invitation;
mod list;
mod move_leader;
mod promote;
mod remove;
mod replace;
mod rows;
mod update;

use clap::Subcommand;
use client::etcdserverpb::Member as Row;

use crate::cli::start_line::bare;
use crate::failure::{Failure, Result};

#[derive(Debug, Subcommand)]
pub(crate) enum Member {
    List(list::List),
    Add(add::Add),
    Remove(remove::Remove),
    Update(update::Update),
    Promote(promote::Promote),
    Demote(demote::Demote),
    Replace(replace::Replace),
    MoveLeader(move_leader::MoveLeader),
}

impl Member {
    pub(crate) fn run(self) -> Result {
        match self {
            Member::List(list) => list.run(),
            Member::Add(add) => add.run(),
            Member::Remove(remove) => remove.run(),
            Member::Update(update) => update.run(),
            Member::Promote(promote) => promote.run(),
            Member::Demote(demote) => demote.run(),
            Member::Replace(replace) => replace.run(),
            Member::MoveLeader(move_leader) => move_leader.run(),
        }
    }
}

/// The id of the member that somebody means: by its name, its id in hexadecimal, or its peer
/// address. One that has not started yet has no name.
fn find(members: &[Row], meant: &str) -> Result<u64> {
    let id = u64::from_str_radix(meant.strip_prefix("0x").unwrap_or(meant), 16).ok();
    let mut named = members.iter().filter(|member| member.name == meant);
    match (named.next(), named.next()) {
        (Some(member), None) => return Ok(member.id),
        (Some(_), Some(_)) => {
            return Err(Failure::usage(format!(
                "several members are called {meant}; give the id of the one that is meant"
            )));
        }
        (None, _) => {}
    }
    if let Some(id) = id.filter(|id| members.iter().any(|member| member.id == *id)) {
        return Ok(id);
    }
    let is_there = |member: &&Row| member.peer_ur_ls.iter().any(|url| bare(url) == bare(meant));
    let mut there = members.iter().filter(is_there);
    match (there.next(), there.next()) {
        (Some(member), None) => return Ok(member.id),
        // One that is being replaced, and its successor.
        (Some(_), Some(_)) => {
            return Err(Failure::usage(format!(
                "several members have the address {meant}; give the id of the one that is meant"
            )));
        }
        (None, _) => {}
    }
    let known: Vec<String> = members.iter().map(describe).collect();
    let known = known.join(", ");
    Err(Failure::new(format!(
        "no member has the name, the id or the peer address {meant}; there are: {known}"
    )))
}

/// The same, of a member that has no vote, or has one: there is nothing to do about any other.
fn find_one(members: &[Row], meant: &str, learner: bool) -> Result<u64> {
    let id = find(members, meant)?;
    let is_learner = members.iter().any(|member| member.id == id && member.is_learner);
    match (is_learner, learner) {
        (true, false) => Err(Failure::new(format!("{meant} is a learner already"))),
        (false, true) => Err(Failure::new(format!("{meant} is a voter already"))),
        (true, true) | (false, false) => Ok(id),
    }
}

/// A member in a list of them.
fn describe(member: &Row) -> String {
    let Row { id, name, .. } = member;
    if name.is_empty() {
        return format!("{id:016x} ({})", not_started(member));
    }
    format!("{id:016x} {name}")
}

/// What is said of a member that has not started yet.
pub(crate) fn not_started(member: &Row) -> String {
    let urls = member.peer_ur_ls.iter().map(|url| bare(url));
    format!("not started, at {}", urls.collect::<Vec<_>>().join(", "))
}

/// A peer URL as it is sent: without a scheme it is HTTP.
fn peer_url(text: &str) -> Result<String, String> {
    if let Some(address) = text.strip_prefix("https://") {
        return Err(format!("there is no TLS between members yet: give http://{address}"));
    }
    let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    match url.strip_prefix("http://").and_then(|address| address.rsplit_once(':')) {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(url),
        _ => Err(format!("{text:?} is no peer URL such as http://10.0.0.4:2380")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_meant_by_its_name_or_its_id() {
        let member = |id, name: &str| Row { id, name: name.into(), ..Row::default() };
        let members = [member(0x1a, "n1"), member(2, "n2"), member(3, ""), member(4, "n4")];
        assert_eq!(find(&members, "n1"), Ok(0x1a));
        assert_eq!(find(&members, "000000000000001a"), Ok(0x1a));
        assert_eq!(find(&members, "0x3"), Ok(3));
        assert!(find(&members, "n3").unwrap_err().text().contains("n2"));
        let waiting = Row { id: 9, peer_ur_ls: vec!["http://h:7".into()], ..Row::default() };
        assert_eq!(find(std::slice::from_ref(&waiting), "h:7"), Ok(9));
        assert_eq!(find(std::slice::from_ref(&waiting), "http://h:7/"), Ok(9));
        let known = find(&[waiting], "d").unwrap_err();
        assert!(known.text().ends_with("0000000000000009 (not started, at h:7)"), "{known:?}");
        let twins = [member(1, "n"), member(2, "n")];
        assert!(find(&twins, "n").unwrap_err().text().contains("several"));
    }

    #[test]
    fn a_peer_url_may_go_without_its_scheme() {
        assert_eq!(peer_url("10.0.0.4:2380"), Ok("http://10.0.0.4:2380".into()));
        assert_eq!(peer_url("http://[::1]:2380"), Ok("http://[::1]:2380".into()));
        for wrong in ["", "h", "h:x", "https://h:1", "http://:1"] {
            assert!(peer_url(wrong).is_err(), "{wrong}");
        }
    }
}
