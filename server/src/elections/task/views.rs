//! Groups as people know them: by names.

use protocol::NodeId;
use protocol::bully::{Electorate, Epoch, Leader};

use super::Task;
use crate::elections::group::Group;
use crate::elections::handle::GroupView;
use crate::elections::settings::Who;
use crate::elections::{candidate, words};

impl Task {
    pub(super) fn known(&self, leader: Option<Leader>) -> Option<(String, Option<Epoch>)> {
        leader.map(|leader| (self.name_of(leader.id), leader.epoch))
    }

    /// The name of an agent; its id while no name is known.
    pub(super) fn name_of(&self, id: NodeId) -> String {
        if id == self.own {
            return self.agent.clone();
        }
        if let Some(peer) = self.peers.get(&id) {
            return peer.name.clone();
        }
        // Whom a list names is known by that name before it is met.
        let listed = self.groups.values().filter_map(|group| group.settings.who.as_ref());
        let mut names = listed.flat_map(Who::names);
        names.find(|name| candidate(name) == id).map_or_else(|| id.to_string(), str::to_owned)
    }

    /// The same, of an id as text.
    pub(super) fn name_of_text(&self, text: &str) -> String {
        let id = self.peers.keys().find(|id| id.to_string() == text);
        match id {
            Some(id) => self.name_of(*id),
            None if self.own.to_string() == text => self.agent.clone(),
            None => text.to_owned(),
        }
    }

    /// What a program should know that may wait for long.
    pub(super) fn advice(&self, group: &Group) -> Option<String> {
        match (&group.settings.who, group.core().status().electorate) {
            (_, Some(electorate)) if electorate.has(self.own) => None,
            (_, Some(electorate)) => {
                let names = electorate.everybody().map(|id| self.name_of(id)).collect::<Vec<_>>();
                Some(words::decides_not(&self.agent, &names))
            }
            (Some(Who::Expect(expect @ 2..)), None) => {
                Some(format!("nobody leads before {expect} agents of this group have met"))
            }
            (_, None) => None,
        }
    }

    pub(super) fn view(&self, group: &Group) -> GroupView {
        let status = group.core().status();
        let members = status.electorate.iter().flat_map(Electorate::everybody);
        GroupView {
            group: group.name.to_string(),
            settings: group.settings.clone(),
            leader: group.leader().map(|leader| self.name_of(leader.id)),
            founding: status
                .meeting
                .as_ref()
                .filter(|_| status.electorate.is_none())
                .map(|meeting| words::founding(meeting, |id| self.name_of_text(id))),
            is_broken: group.is_broken(),
            electorate: members.map(|id| self.name_of(id)).collect(),
            changes: status.electorate.as_ref().is_some_and(Electorate::is_joint),
            stands: group.stands(),
            refused: self.refused,
            status,
        }
    }
}
