//! The same box, explored as one would at first: no tables, no renaming, no fingerprints; messages
//! are lost whenever they like, answers to nobody are delivered, and steps that change nothing are
//! steps. What nodes can come to must be the same.

use std::collections::{BTreeMap, BTreeSet};

use protocol::NodeId;
use protocol::raft::{Entry, Role};

use super::super::bits::digest;
use super::super::bounds::Bounds;
use super::super::cluster::Cluster;
use super::super::local::{Happening, Local};
use super::super::search::Explorer;
use super::super::state::State;
use super::super::{NODES, name, number};
use super::ONE;

/// What the nodes are and what history must not forget, whatever is in flight.
type Sight = ([u128; NODES], Vec<Vec<u8>>, Vec<Option<usize>>, u8, u8);

type Parcel = (NodeId, NodeId, protocol::raft::Message);

#[derive(Clone)]
struct Naive {
    nodes: [Local; NODES],
    bag: Vec<Parcel>,
    committed: Vec<Entry>,
    led: Vec<Option<usize>>,
    crashes: u8,
    duplicates: u8,
    proposals: u8,
}

fn shown(committed: &[Entry]) -> Vec<Vec<u8>> {
    committed.iter().map(|entry| entry.to_string().into_bytes()).collect()
}

impl Naive {
    fn new(bounds: &Bounds) -> Self {
        Self {
            nodes: std::array::from_fn(|node| Local::new(&bounds.config(node))),
            bag: Vec::new(),
            committed: Vec::new(),
            led: vec![None; usize::from(bounds.max_term)],
            crashes: 0,
            duplicates: 0,
            proposals: 0,
        }
    }

    fn sight(&self) -> Sight {
        let nodes = self.nodes.each_ref().map(digest);
        (nodes, shown(&self.committed), self.led.clone(), self.crashes, self.proposals)
    }

    fn key(&self) -> u128 {
        let mut bag: Vec<u128> = self.bag.iter().map(digest).collect();
        bag.sort_unstable();
        digest(&(self.sight(), bag, self.duplicates))
    }

    fn after(&self, bounds: &Bounds, node: usize, happening: &Happening) -> Vec<Self> {
        let mut next = self.clone();
        let reaction = self.nodes[node].react(&bounds.config(node), happening).unwrap();
        next.nodes[node] = reaction.local;
        let raft = &next.nodes[node].raft;
        let through = usize::try_from(raft.commit().0).unwrap();
        if through > next.committed.len() {
            next.committed = next.nodes[node].view()[..through].to_vec();
        }
        let was = self.nodes[node].raft.role();
        if raft.role() == Role::Leader && was != Role::Leader {
            next.led[usize::try_from(raft.term().0).unwrap() - 1] = Some(node);
        }
        let sends = reaction.sends.into_iter();
        next.bag.extend(sends.map(|(to, message)| (name(node), to, message)));
        next.fit(usize::from(bounds.in_flight))
    }

    /// All that can remain of the bag.
    fn fit(self, room: usize) -> Vec<Self> {
        if self.bag.len() <= room {
            return vec![self];
        }
        let without = |place| {
            let mut next = self.clone();
            next.bag.remove(place);
            next.fit(room)
        };
        (0..self.bag.len()).flat_map(without).collect()
    }

    fn successors(&self, bounds: &Bounds) -> Vec<Self> {
        let mut next = Vec::new();
        for (node, local) in self.nodes.iter().enumerate() {
            let raft = &local.raft;
            let leads = raft.role() == Role::Leader;
            let open = local.pending.len() < usize::from(bounds.writes);
            let due = if leads {
                local.beats < bounds.heartbeats
            } else {
                raft.term().0 < u64::from(bounds.max_term)
            };
            let mut happen = |happening| next.extend(self.after(bounds, node, &happening));
            if due && open {
                happen(Happening::Timeout);
            }
            if !local.pending.is_empty() {
                happen(Happening::Persisted);
            }
            if leads && open && self.proposals < bounds.max_entries {
                let first = next.len();
                next.extend(self.after(bounds, node, &Happening::Propose(self.proposals)));
                next[first..].iter_mut().for_each(|next| next.proposals += 1);
            }
            if self.crashes < bounds.crashes {
                let first = next.len();
                for torn in [0].into_iter().chain(local.tears()) {
                    next.extend(self.after(bounds, node, &Happening::Crash { torn }));
                }
                next[first..].iter_mut().for_each(|next| next.crashes += 1);
            }
        }
        for (place, (from, to, message)) in self.bag.iter().enumerate() {
            let mut without = self.clone();
            without.bag.remove(place);
            let node = number(*to);
            if self.nodes[node].pending.len() < usize::from(bounds.writes) {
                let happening = Happening::Receive { from: *from, message: message.clone() };
                next.extend(without.after(bounds, node, &happening));
                if self.duplicates < bounds.duplicates {
                    let first = next.len();
                    next.extend(self.after(bounds, node, &happening));
                    next[first..].iter_mut().for_each(|next| next.duplicates += 1);
                }
            }
            next.push(without);
        }
        next
    }
}

fn naive(bounds: &Bounds) -> BTreeSet<Sight> {
    let mut known = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![Naive::new(bounds)];
    while let Some(state) = open.pop() {
        if known.insert(state.key()) {
            seen.insert(state.sight());
            open.extend(state.successors(bounds));
        }
    }
    seen
}

/// Explores by the tables, but remembers whole states. Gives also how many there are, and how many
/// apart from names.
fn tabled(bounds: &Bounds) -> (BTreeSet<Sight>, usize, usize) {
    let mut cluster = Cluster::new(*bounds, None);
    let mut known: BTreeMap<Vec<u8>, State> = BTreeMap::new();
    let mut orbits = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![cluster.first()];
    let mut scratch = Vec::new();
    while let Some(state) = open.pop() {
        let mut sorted = state;
        sorted.messages[..usize::from(state.count)].sort_unstable();
        let mut bytes = Vec::new();
        sorted.encode(&mut bytes);
        if known.insert(bytes, state).is_some() {
            continue;
        }
        let canonical = cluster.canonical(&state);
        orbits.insert(canonical.fingerprint);
        let logs = &cluster.atlas.logs;
        let committed = logs.entries(logs.committed(state.committed));
        let led = (1..=bounds.max_term).map(|term| state.leader(term)).collect();
        let nodes = state.locals.map(|local| digest(cluster.atlas.local(local)));
        seen.insert((nodes, shown(committed), led, state.crashes, state.proposals));
        cluster.successors(&state, &mut scratch).unwrap();
        open.extend(scratch.iter().map(|next| next.state));
    }
    (seen, known.len(), orbits.len())
}

fn compare(bounds: Bounds) {
    let expected = naive(&bounds);
    let (found, states, _) = tabled(&bounds);
    assert!(expected.len() > 100, "a box worth the name: {}", expected.len());
    assert_eq!(found.len(), expected.len(), "{bounds}");
    assert!(found == expected, "{bounds}");
    let report = Explorer::new(bounds).run(u64::MAX, &mut |_| true);
    assert_eq!(report.states, states as u64, "no two states share a fingerprint");

    let (renamed, _, orbits) = tabled(&Bounds { symmetry: true, ..bounds });
    assert!(renamed == expected, "{bounds}");
    let report = Explorer::new(Bounds { symmetry: true, ..bounds }).run(u64::MAX, &mut |_| true);
    assert!(report.finished);
    assert_eq!(report.states, orbits as u64, "one state for each orbit");
}

#[test]
fn tables_and_laziness_lose_nothing_with_crashes() {
    compare(Bounds { crashes: 1, ..ONE });
}

#[test]
fn tables_and_laziness_lose_nothing_with_duplicates() {
    compare(Bounds { in_flight: 2, duplicates: 1, ..ONE });
}

#[test]
fn tables_and_laziness_lose_nothing_with_two_terms() {
    compare(Bounds { max_term: 2, ..ONE });
}

#[test]
fn tables_and_laziness_lose_nothing_with_commands_and_heartbeats() {
    compare(Bounds { max_entries: 1, heartbeats: 1, ..ONE });
}

#[test]
fn tables_and_laziness_lose_nothing_with_two_writes_under_way() {
    compare(Bounds { max_entries: 1, writes: 2, ..ONE });
}

#[test]
fn tables_and_laziness_lose_nothing_with_pre_vote() {
    compare(Bounds { pre_vote: true, ..ONE });
}

#[test]
fn late_answers_change_nothing() {
    compare(Bounds { crashes: 1, late_answers: true, ..ONE });
}

#[test]
fn commits_are_reached() {
    let (seen, _, _) = tabled(&Bounds { max_entries: 1, ..ONE });
    assert!(seen.iter().any(|sight| sight.1.len() == 2));
}
