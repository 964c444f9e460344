//! RI12: the members change one step at a time, and only those that a configuration names decide
//! (Raft §6; thesis §4.1, with the correction of 2015).

use std::collections::BTreeMap;

use node::{Reply, Request, RequestId};
use protocol::raft::{Membership, Payload, Write};
use protocol::{Index, NodeId, Term};
use store::MemberChange;

use super::configurations::decides;
use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};
use super::vote_durability::VoteDurability;
use crate::seen::{Place, View, id, place};

pub(super) const LAW: &str = "RI12 membership";

/// - Configurations in one log form a chain: each differs from the one before it by at most one
///   voter, or joins old and new ones, or ends such a joining. Who was removed does not come back.
/// - One that a leader made is the only one that it does not know to be committed, and came after
///   an entry of its own term was.
/// - Who is elected has the votes of a majority of its configuration (joint: of both halves), and
///   who asks for votes may be a voter still, as far as it knows what is committed.
/// - An operator who is told that the members are as wished has had a configuration committed in
///   which they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// What operators wish, and what was known to be committed when they asked.
    wishes: BTreeMap<u64, (Index, MemberChange)>,
    /// What they were told in this turn: where, and what they had wished.
    told: Vec<(Place, Index, MemberChange)>,
}

impl Changes {
    /// An operator wishes.
    pub(super) fn asked(&mut self, ghosts: &Ghosts, id: RequestId, request: &Request) {
        if let Request::MemberChange(change) = request {
            self.wishes.insert(id.0, (ghosts.committed.last(), change.clone()));
        }
    }

    /// An operator is answered.
    pub(super) fn replied(&mut self, at: Place, id: RequestId, reply: &Reply) {
        if self.wishes.is_empty() {
            return;
        }
        if let Some((since, change)) = self.wishes.remove(&id.0)
            && reply.body.is_ok()
        {
            self.told.push((at, since, change));
        }
    }

    /// What operators were told is so, or was while they waited: it may have been so before.
    pub(super) fn turn(&mut self, ghosts: &Ghosts, at: Place, view: &View) -> Verdict {
        for (_, since, change) in self.told.extract_if(.., |(whose, ..)| *whose == at) {
            let log = &ghosts.nodes[at].log;
            let mut all = ghosts.configurations.since(log, view.commit, since);
            if !all.any(|membership| is_so(&change, membership)) {
                let what = format!("node {at} says that the members are as wished: {change:?}");
                return broken(LAW, format!("{what}; in no committed configuration they are"));
            }
        }
        Ok(())
    }
}

fn is_so(change: &MemberChange, membership: &Membership) -> bool {
    !membership.is_joint() && change.on(membership).is_ok_and(|after| after == *membership)
}

/// Entries are handed to a disk: each configuration among them follows from the one before it.
/// Judged after the ghost has taken the write.
pub(super) fn handed(ghosts: &Ghosts, at: Place, write: &Write) -> Verdict {
    let configurations = write.entries.iter().filter_map(|entry| match &entry.payload {
        Payload::Membership(bytes) => Some((entry.position, bytes)),
        Payload::Empty | Payload::Command(_) => None,
    });
    for (position, bytes) in configurations {
        let Ok(next) = Membership::decode(bytes) else {
            return broken(LAW, format!("node {at} writes a bad configuration at {position}"));
        };
        let log = &ghosts.nodes[at].log;
        let mut before = ghosts.configurations.within(log, position.index.previous());
        let Some((index, last)) = before.next() else { continue };
        if !follows(last, &next) {
            let what = format!("node {at} writes {next} at {position}");
            return broken(LAW, format!("{what}, which does not follow {last} at {index}"));
        }
        let gone = |id: &NodeId| next.contains(*id) && !last.contains(*id);
        if let Some(id) = before.flat_map(|(_, older)| older.members()).find(gone) {
            return broken(LAW, format!("node {at} writes {next} at {position}: {id} comes back"));
        }
    }
    Ok(())
}

/// Raft §6, thesis §4.1: old and new majorities always share a node.
fn follows(last: &Membership, next: &Membership) -> bool {
    if last.is_joint() {
        return !next.is_joint() && next.voters == last.voters;
    }
    if next.is_joint() {
        return next.outgoing == last.voters;
    }
    last.voters.symmetric_difference(&next.voters).count() <= 1
}

/// A look at a leader after its turn. What earlier leaders left may be more than one change that it
/// does not know to be committed; its own is the only one.
pub(super) fn leads(ghosts: &Ghosts, at: Place, view: &View) -> Verdict {
    let log = &ghosts.nodes[at].log;
    let after = |(index, _): &(Index, &Membership)| *index > view.commit;
    let term = |index| log.position(index).map(|position| position.term);
    let mut pending = ghosts.configurations.within(log, log.last_index()).take_while(after);
    let own = |(index, _): &(Index, &Membership)| term(*index) == Some(view.term);
    let Some((last, _)) = pending.next().filter(own) else { return Ok(()) };
    if let Some((other, _)) = pending.next() {
        let what = format!("node {at} leads in term {} and commits {}", view.term, view.commit);
        return broken(LAW, format!("{what}; two changes are under way, at {other} and {last}"));
    }
    if term(view.commit) != Some(view.term) {
        let what = format!("node {at} changes the members at {last} in term {}", view.term);
        return broken(LAW, format!("{what}, in which nothing is committed yet"));
    }
    Ok(())
}

/// A node leads: enough of those have voted for it whose votes count. While the members are those
/// of the beginning, RI1 and RI4 say as much.
pub(super) fn elected(ghosts: &Ghosts, votes: &VoteDurability, at: Place, term: Term) -> Verdict {
    if ghosts.configurations.is_first() {
        return Ok(());
    }
    let (index, membership) = ghosts.configurations.in_force(&ghosts.nodes[at].log);
    let voted = |voter| place(voter).is_some_and(|voter| votes.has_voted(voter, term, id(at)));
    if decides(membership, voted) {
        return Ok(());
    }
    let voters: Vec<Place> =
        (0..ghosts.nodes.len()).filter(|voter| votes.has_voted(*voter, term, id(at))).collect();
    let what = format!("node {at} leads in term {term} with the votes of nodes {voters:?}");
    broken(LAW, format!("{what}; in force is {membership} at {index}"))
}

/// A node asks for votes.
pub(super) fn campaigns(ghosts: &Ghosts, at: Place) -> Verdict {
    let ghost = &ghosts.nodes[at];
    let commit = ghost.view.map_or(ghost.hard.commit, |view| view.commit);
    let mut known = ghosts.configurations.since(&ghost.log, ghost.log.last_index(), commit);
    if known.any(|membership| membership.votes(id(at))) {
        return Ok(());
    }
    broken(LAW, format!("node {at} asks for votes and is no voter, as far as it can know"))
}
