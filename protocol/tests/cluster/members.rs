//! Members that come and go while everything else goes wrong.

use std::collections::BTreeSet;

use protocol::NodeId;
use protocol::raft::{Config, Entry, Input, Membership, Payload, Restored, Role};

use crate::world::World;

/// The members as of the last of these entries; `None` when none of them says.
pub(crate) fn membership(entries: &[Entry]) -> Option<Membership> {
    entries.iter().rev().find_map(|entry| match &entry.payload {
        Payload::Membership(bytes) => Some(Membership::decode(bytes).unwrap()),
        Payload::Empty | Payload::Command(_) => None,
    })
}

impl World {
    /// Nodes join that know of nobody, and from now on leaders are asked for other members.
    pub(crate) fn comes_alive(&mut self) {
        // Raft §6: whoever was removed and does not know it would depose leaders without end.
        for config in &mut self.configs {
            config.stickiness = true;
        }
        let first = self.configs[0].clone();
        for _ in 0..=self.rng.below(3) {
            let id = NodeId(u64::try_from(self.configs.len()).unwrap() + 1);
            let nobody = BTreeSet::new;
            let config = Config { id, voters: nobody(), learners: nobody(), ..first.clone() };
            self.configs.push(config);
        }
        self.living = true;
        self.populate();
    }

    /// Asks a leader for other members, wise or not.
    pub(crate) fn reconfigure(&mut self) {
        let leads = |n: &usize| self.nodes[*n].up && self.nodes[*n].raft.role() == Role::Leader;
        let leaders: Vec<usize> = (0..self.nodes.len()).filter(leads).collect();
        if leaders.is_empty() {
            return;
        }
        let n = leaders[self.pick(leaders.len())];
        let mut membership = self.nodes[n].raft.membership().clone();
        membership.outgoing.clear();
        let before = membership.clone();
        for _ in 0..=self.rng.below(3) {
            let place = self.pick(self.nodes.len());
            let id = self.nodes[place].id;
            let voted = membership.voters.remove(&id);
            let learned = membership.learners.remove(&id);
            match (voted, learned, self.rng.below(3)) {
                (true, _, 0) | (_, true, 0) => {}
                (true, _, 1) | (false, false, _) => drop(membership.learners.insert(id)),
                (true, ..) | (_, true, _) => drop(membership.voters.insert(id)),
            }
        }
        if membership.is_sane() && membership != before {
            self.changes += 1;
            self.input(n, Input::Reconfigure { membership });
        }
    }

    /// A core of `n` that continues from `restored`.
    pub(crate) fn core(&self, n: usize, restored: Restored, seed: u64) -> protocol::raft::Raft {
        protocol::raft::Raft::new(self.configs[n].clone(), restored, seed)
    }
}
