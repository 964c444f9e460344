//! What a group has to tell an operator, in words that say what to do.

use protocol::bootstrap::{Status, Warning as Meeting};
use protocol::bully::wire::Group;
use protocol::bully::{ChangeRefusal, Loss, Warning};

/// Who has which id is only known to the pool: `name` finds the name of an id, as text.
pub(super) fn warning(warning: &Warning, name: impl Fn(&str) -> String) -> String {
    match warning {
        Warning::OtherGroup(id) => apart(&format!("{} is in one", name(&id.to_string()))),
        Warning::Crowded | Warning::Meeting(Meeting::Crowded) => {
            "more agents than are heeded are in this group: some are not seen".to_owned()
        }
        Warning::Meeting(Meeting::OtherNumber { name: id, theirs, ours }) => format!(
            "{} says expect={theirs} and this agent expect={ours}: no electorate is founded with \
             it; start one of them again with the other's number",
            name(id)
        ),
        Warning::Meeting(Meeting::Same { one, other }) => format!(
            "{} and {} share a name: no electorate is founded with either; give one another --name",
            name(&one.0),
            name(&other.0)
        ),
        Warning::Meeting(Meeting::TwoClusters { one, other }) => {
            apart(&format!("{} is in one, {} in the other", name(&one.1), name(&other.1)))
        }
        Warning::Meeting(Meeting::Forgot { name: id }) => format!(
            "{} shows a pledge that it had left: its data directory was lost or is an older copy. \
             What it shows is not counted on",
            name(id)
        ),
        Warning::Meeting(Meeting::Absurd { name: id }) => {
            format!("{} shows what can be no pledge of its own; it is not counted on", name(id))
        }
    }
}

/// Why a term of office has ended.
pub(crate) const fn loss(why: Loss) -> &'static str {
    match why {
        Loss::Expired => "no majority has answered in time",
        Loss::Superseded => "another one leads",
        Loss::Resigned => "its program has left",
        Loss::HandedOver => "a better candidate takes over",
        Loss::Removed => "it does not belong to the electorate any more",
    }
}

/// What has no electorate cannot change it.
pub(super) const CLASSIC: &str =
    "in a classic group nobody decides but ranks: it has no electorate";

/// Why an electorate was not changed.
pub(super) fn refusal(refusal: ChangeRefusal) -> String {
    match refusal {
        ChangeRefusal::NotLeader => led_elsewhere(None),
        ChangeRefusal::UnderWay => {
            "the electorate is being settled: try again in a moment".to_owned()
        }
        ChangeRefusal::Size => "nobody would decide, or too many would".to_owned(),
    }
}

pub(super) fn led_elsewhere(leader: Option<&str>) -> String {
    match leader {
        Some(name) => format!("this group is led by {name}: ask that agent, with --http"),
        None => "nobody leads this group, as far as this agent knows: the electorate is changed \
                 by its leader"
            .to_owned(),
    }
}

pub(super) fn size(most: usize) -> String {
    format!("an electorate has 1 to {most} agents")
}

/// An elector that would never decide anything.
pub(super) fn nobody(elector: &str, group: &Group) -> String {
    let group = group.as_str();
    format!(
        "no living agent {elector:?} is in the group {group:?}: let a program stand there, or \
         start it with --groups, in the same words as everywhere; then ask again"
    )
}

/// An agent that does not know a group.
pub(super) fn not_in(group: &Group) -> String {
    format!(
        "this agent is not in the group {:?}: it is from when a program has stood there, or with \
         --groups",
        group.as_str()
    )
}

/// One who stands and is not asked.
pub(super) fn decides_not(agent: &str, electorate: &[String]) -> String {
    let names = electorate.join(", ");
    format!(
        "{agent} is not among those who decide in this group ({names}), and cannot lead it: its \
         program waits until --change-electors takes it in"
    )
}

pub(super) fn unfinished() -> String {
    "the group is led from here no more: the change may be done or not. Look who decides (GET \
     /v1/conclave/elections) and ask its next leader again"
        .to_owned()
}

pub(super) fn broken() -> String {
    "what this agent grants in this group could not be written: see to the disk and start the \
     agent again"
        .to_owned()
}

pub(super) fn no_folder() -> String {
    "what a member grants has to survive it: start this agent with --data-dir DIR; or say \
     mode=classic, which promises nothing"
        .to_owned()
}

pub(super) fn too_many(most: usize) -> String {
    format!("an agent can be in {most} groups at most: start another one")
}

/// How far the founding of an electorate has come.
pub(super) fn founding(status: &Status, name: impl Fn(&str) -> String) -> String {
    match status {
        Status::Meeting { met, expect } => format!("{met} of {expect} agents have met"),
        Status::Watching => "others are about to found the group without this agent".to_owned(),
        Status::Pledged { missing, .. } => {
            let missing: Vec<String> = missing.iter().map(|id| name(id)).collect();
            format!("this agent has pledged, and waits for the word of {}", missing.join(", "))
        }
        Status::Barred => "there is a group, and nobody alive to ask; or there are several".into(),
        Status::Forming => "this agent founds the group".to_owned(),
        Status::Following(_) | Status::Settled(_) => {
            "there is a group, whose leader takes this agent in".to_owned()
        }
    }
}

fn apart(who: &str) -> String {
    format!(
        "there are two groups of this name, with electorates that were founded apart or declared \
         with other lists ({who}): each has a leader of its own. Give one of them another name"
    )
}

#[cfg(test)]
mod tests {
    use protocol::NodeId;

    use super::*;

    #[test]
    fn agents_are_called_by_their_names() {
        let name = |id: &str| if id == NodeId(7).to_string() { "seven" } else { "?" }.to_owned();
        let text = warning(&Warning::OtherGroup(NodeId(7)), name);
        assert!(text.contains("(seven is in one)") && text.contains("another name"), "{text}");
        let id = NodeId(7).to_string();
        let meeting = Meeting::OtherNumber { name: id, theirs: 3, ours: 2 };
        let text = warning(&Warning::Meeting(meeting), name);
        assert!(text.starts_with("seven says expect=3 and this agent expect=2"), "{text}");
    }
}
