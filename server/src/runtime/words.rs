//! What happens to a replica, in words for whoever reads the log file.

use std::collections::BTreeSet;

use protocol::NodeId;
use protocol::raft::{Event, Membership, Role};
use protocol::zab::{self, Abandon, Mode};
use store::Store;

/// What the consensus core tells of itself.
pub(super) fn event(event: &node::Event, store: &Store) -> String {
    match event {
        node::Event::Raft(event) => of_raft(event, store),
        node::Event::Zab(event) => of_zab(event, store),
    }
}

fn of_zab(event: &zab::Event, store: &Store) -> String {
    use zab::{Phase, Role};
    let of = |id: NodeId| member(id, store);
    match event {
        zab::Event::Role { role, phase, epoch, leader } => match (role, phase, leader) {
            (Role::Leading, Phase::Broadcast, _) => format!("this member leads in epoch {epoch}"),
            (Role::Leading, Phase::Synchronization, _) => format!(
                "this member was voted for, and brings those who follow it up to date; its own \
                 history is of epoch {epoch}"
            ),
            (Role::Leading, _, _) => format!(
                "this member was voted for, and asks who follows it; its own history is of epoch \
                 {epoch}"
            ),
            (Role::Looking, _, _) => format!("this member looks for a leader after epoch {epoch}"),
            (Role::Following | Role::Observing, _, Some(leader)) => {
                format!("this member follows {} in epoch {epoch}", of(*leader))
            }
            (Role::Following | Role::Observing, Phase::Synchronization, None) => {
                format!("this member is brought up to date; its own history is of epoch {epoch}")
            }
            (Role::Following | Role::Observing, _, None) => format!(
                "this member has voted, and knocks at the leader; its own history is of epoch \
                 {epoch}"
            ),
        },
        zab::Event::Abandoned(why) => format!("the leader is given up: {}", abandoned(*why)),
        zab::Event::Synchronizing { peer, mode } => match mode {
            Mode::Diff(from) => format!("{} is sent what comes after {from}", of(*peer)),
            Mode::Trunc(to) => format!("{} goes back to {to}, and is sent the rest", of(*peer)),
            Mode::Snap => format!("{} is sent the state", of(*peer)),
        },
        zab::Event::PeerAhead { peer } => {
            format!("{} knows more than this member, and does not follow it", of(*peer))
        }
        zab::Event::Truncated { from, through } => {
            format!("entries {from} to {through} of the log were never committed: they are removed")
        }
        zab::Event::DoubtResolved { through } => {
            format!("the log is sound up to entry {through} again: this member votes")
        }
    }
}

const fn abandoned(why: Abandon) -> &'static str {
    match why {
        Abandon::InitLimit => "the members did not become one in time",
        Abandon::SyncLimit => "it, or a majority, is silent",
        Abandon::LinkLost => "the link to it ended",
        Abandon::NotLeading => "it does not lead",
        Abandon::OldEpoch => "its epoch is lower than one that was promised",
        Abandon::Overtaken => "a member has promised a higher epoch",
        Abandon::Deserted => "nobody came",
        Abandon::Illegal => "it said what no leader says",
        Abandon::Stalled => "the disk does not answer",
        Abandon::Replaced => "the state was replaced",
    }
}

fn of_raft(event: &Event, store: &Store) -> String {
    let of = |id: NodeId| member(id, store);
    match event {
        Event::Role { role, term, leader } => match (role, leader) {
            (Role::Leader, _) => format!("this member leads in term {term}"),
            (Role::Candidate, _) => format!("this member asks for votes in term {term}"),
            (Role::PreCandidate, _) => format!(
                "no leader is heard: this member asks whether it could be elected after term {term}"
            ),
            (Role::Follower, Some(leader)) => {
                format!("this member follows {} in term {term}", of(*leader))
            }
            (Role::Follower, None) => format!("no leader is known in term {term}"),
        },
        Event::Truncated { from, through } => {
            format!("entries {from} to {through} of the log were never committed: they are removed")
        }
        Event::DoubtResolved { through } => {
            format!("the log is sound up to entry {through} again: this member votes")
        }
        Event::Departed { heir: Some(heir) } => {
            format!("this member has no vote any more, and hands over to {}", of(*heir))
        }
        Event::Departed { heir: None } => {
            "this member has no vote any more, and leads no longer".to_owned()
        }
        Event::Stalled { heir } => {
            format!("the disk of this leader does not answer: it hands over to {}", of(*heir))
        }
        Event::Stranded { peer, next, first } => format!(
            "{} needs entry {next}, and the log begins with {first}: it is sent the state",
            of(*peer)
        ),
    }
}

/// Who the members are.
pub(super) fn members(membership: &Membership, store: &Store) -> String {
    let list = |ids: &BTreeSet<NodeId>| {
        let all: Vec<String> = ids.iter().map(|id| member(*id, store)).collect();
        if all.is_empty() { "none is known yet".to_owned() } else { all.join(", ") }
    };
    let mut text = format!("members with a vote: {}", list(&membership.voters));
    if !membership.outgoing.is_empty() {
        text += &format!("; until the change is done: {}", list(&membership.outgoing));
    }
    if !membership.learners.is_empty() {
        text += &format!("; without a vote: {}", list(&membership.learners));
    }
    text
}

/// A member's name, as far as it is known, and its id.
fn member(id: NodeId, store: &Store) -> String {
    let told = store.members().find(|it| it.id == id && !it.name.is_empty());
    told.map_or_else(|| id.to_string(), |it| format!("{} ({id})", it.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Term;
    use store::Limits;

    #[test]
    fn each_phase_of_zab_has_words_of_its_own() {
        use zab::{Phase, Role};
        let store = Store::new(Limits::default());
        let mut all = BTreeSet::new();
        for (role, phase, leader) in [
            (Role::Looking, Phase::Election, None),
            (Role::Leading, Phase::Discovery, None),
            (Role::Leading, Phase::Synchronization, None),
            (Role::Leading, Phase::Broadcast, Some(NodeId(7))),
            (Role::Following, Phase::Discovery, None),
            (Role::Following, Phase::Synchronization, None),
            (Role::Following, Phase::Broadcast, Some(NodeId(7))),
        ] {
            for epoch in [Term(3), Term(4)] {
                let event = zab::Event::Role { role, phase, epoch, leader };
                all.insert(super::event(&node::Event::Zab(event), &store));
            }
        }
        assert_eq!(all.len(), 14, "{all:#?}");
        assert!(all.iter().all(|text| text.contains("epoch ") && !text.contains('(')), "{all:#?}");
    }

    #[test]
    fn roles_and_members_are_told_in_words() {
        let store = Store::new(Limits::default());
        let (role, term, leader) = (Role::Follower, Term(3), Some(NodeId(7)));
        let text = event(&node::Event::Raft(Event::Role { role, term, leader }), &store);
        assert_eq!(text, "this member follows 7 in term 3");
        let mut membership = Membership::of([NodeId(1), NodeId(2)]);
        membership.learners.insert(NodeId(3));
        let text = members(&membership, &store);
        let ids = [1, 2, 3].map(|id| NodeId(id).to_string());
        let wanted =
            format!("members with a vote: {}, {}; without a vote: {}", ids[0], ids[1], ids[2]);
        assert_eq!(text, wanted);
        assert!(members(&Membership::default(), &store).ends_with("none is known yet"));
    }
}
