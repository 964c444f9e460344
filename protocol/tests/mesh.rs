//! Ways around broken links: all graphs of four members, and what happens when links change.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::mesh::{Config, Input, Mesh, Output, Packet};
use protocol::{NodeId, Time};

const MS: Duration = Duration::from_millis(1);
/// How long a packet is under way.
const LATENCY: Duration = MS;

/// Members, and links that work or do not.
struct World {
    now: Time,
    meshes: Vec<Mesh<u64>>,
    /// `links[from][to]`.
    links: Vec<Vec<bool>>,
    under_way: BTreeMap<(Time, u64), (usize, usize, Packet<u64>)>,
    sequence: u64,
    /// Who got which message of whom.
    delivered: BTreeSet<(usize, NodeId, u64)>,
    transmitted: u64,
}

fn id(n: usize) -> NodeId {
    NodeId(u64::try_from(n).unwrap() + 1)
}

fn place(id: NodeId) -> usize {
    usize::try_from(id.0 - 1).unwrap()
}

fn mesh(n: usize, size: usize, life: u64) -> Mesh<u64> {
    let config = Config { id: id(n), life, interval: 100 * MS, patience: 350 * MS };
    let mut mesh = Mesh::new(config);
    mesh.handle(Time(0), Input::Members((0..size).map(id).collect()));
    mesh
}

impl World {
    fn new(size: usize) -> Self {
        Self {
            now: Time(0),
            meshes: (0..size).map(|n| mesh(n, size, 7)).collect(),
            links: vec![vec![true; size]; size],
            under_way: BTreeMap::new(),
            sequence: 0,
            delivered: BTreeSet::new(),
            transmitted: 0,
        }
    }

    fn tell(&mut self, n: usize, input: Input<u64>) {
        self.meshes[n].handle(self.now, input);
        while let Some(output) = self.meshes[n].poll_output() {
            match output {
                Output::Transmit { to, packet } => {
                    self.transmitted += 1;
                    if self.links[n][place(to)] {
                        self.sequence += 1;
                        let key = (self.now + LATENCY, self.sequence);
                        self.under_way.insert(key, (n, place(to), packet));
                    }
                }
                Output::Deliver { from, message } => {
                    assert!(self.delivered.insert((n, from, message)), "delivered twice");
                }
            }
        }
    }

    /// Lets time pass.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let timers = (0..self.meshes.len()).filter_map(|n| self.meshes[n].poll_timeout());
            let arrival = self.under_way.keys().next().map(|key| key.0);
            let next = timers.chain(arrival).min().unwrap().max(self.now);
            if next > end {
                break;
            }
            self.now = next;
            match self.under_way.first_key_value() {
                Some((key, _)) if key.0 == next => {
                    let (_, (from, to, packet)) = self.under_way.pop_first().unwrap();
                    self.tell(to, Input::Arrived { from: id(from), packet });
                }
                _ => (0..self.meshes.len()).for_each(|n| self.tell(n, Input::Timeout)),
            }
        }
        self.now = end;
    }

    /// Says something to everybody; gives who gets it within a few round trips.
    fn reached(&mut self) -> BTreeSet<(usize, usize)> {
        self.delivered.clear();
        let size = self.meshes.len();
        for from in 0..size {
            for to in (0..size).filter(|&to| to != from) {
                self.tell(from, Input::Send { to: id(to), message: 1, once: false });
            }
        }
        self.pass(10 * LATENCY);
        self.delivered.iter().map(|&(to, from, _)| (place(from), to)).collect()
    }

    /// Whether packets get from one to another over whatever chain of links.
    fn connected(&self, from: usize, to: usize) -> bool {
        let mut seen = BTreeSet::from([from]);
        for _ in 0..self.meshes.len() {
            let next = |&n: &usize| (0..self.meshes.len()).filter(move |&m| self.links[n][m]);
            seen = seen.iter().flat_map(next).chain(seen.iter().copied()).collect();
        }
        seen.contains(&to)
    }
}

/// The links of a directed graph, by its number.
fn draw(world: &mut World, graph: u32) {
    let size = world.meshes.len();
    let pairs = (0..size).flat_map(|a| (0..size).filter(move |&b| a != b).map(move |b| (a, b)));
    for (bit, (from, to)) in pairs.enumerate() {
        world.links[from][to] = graph >> bit & 1 == 1;
    }
}

#[test]
fn in_every_graph_of_four_whoever_can_be_reached_over_one_other_is() {
    let mut relayed = 0;
    for graph in 0..1 << 12 {
        let mut world = World::new(4);
        world.pass(150 * MS);
        draw(&mut world, graph);
        world.pass(Duration::from_secs(2));
        let reached = world.reached();
        for from in 0..4 {
            for to in (0..4).filter(|&to| to != from) {
                let direct = world.links[from][to];
                let relay = |r: usize| world.links[from][r] && world.links[r][to];
                // Who cannot learn what the others hear cannot know the way either.
                let over = (0..4).filter(|&r| r != from && r != to && relay(r));
                let known =
                    world.connected(to, from) && over.clone().any(|r| world.connected(r, from));
                let told = reached.contains(&(from, to));
                assert!(!direct || told, "graph {graph:b}: {from} to {to}, which are linked");
                assert!(!known || told, "graph {graph:b}: {from} to {to}, over another");
                assert!(direct || over.count() > 0 || !told, "graph {graph:b}: {from} to {to}");
                relayed += u32::from(told && !direct);
            }
        }
    }
    assert!(relayed > 1_000, "hardly anything was passed on: {relayed}");
}

#[test]
fn a_broken_link_is_gone_around_well_within_an_election_timeout_and_used_again() {
    let mut world = World::new(3);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.meshes[0].way(id(2)), id(2));
    (world.links[0][2], world.links[2][0]) = (false, false);
    world.pass(560 * MS);
    assert_eq!((world.meshes[0].way(id(2)), world.meshes[2].way(id(0))), (id(1), id(1)));
    assert_eq!(world.reached().len(), 6);
    assert_eq!(world.meshes[1].passed_on(), 2);
    (world.links[0][2], world.links[2][0]) = (true, true);
    world.pass(220 * MS);
    assert_eq!((world.meshes[0].way(id(2)), world.meshes[2].way(id(0))), (id(2), id(0)));
}

#[test]
fn what_is_said_once_into_a_broken_link_arrives_and_into_a_sound_one_is_not_said_again() {
    let mut world = World::new(3);
    world.pass(Duration::from_secs(1));
    (world.links[0][2], world.links[2][0]) = (false, false);
    world.tell(0, Input::Send { to: id(2), message: 7, once: true });
    world.tell(0, Input::Send { to: id(2), message: 8, once: false });
    // This one arrives at once; the world asserts that nothing does so twice.
    world.tell(0, Input::Send { to: id(1), message: 9, once: true });
    world.pass(560 * MS);
    assert!(world.delivered.contains(&(2, id(0), 7)) && world.delivered.contains(&(1, id(0), 9)));
    assert!(!world.delivered.contains(&(2, id(0), 8)), "whoever waits for an answer asks again");
    world.pass(Duration::from_secs(2));
    world.tell(0, Input::Send { to: id(2), message: 10, once: true });
    world.pass(Duration::from_secs(2));
    assert!(world.delivered.contains(&(2, id(0), 10)));
}

#[test]
fn a_link_that_is_known_to_be_down_is_gone_around_at_once() {
    let mut world = World::new(3);
    world.pass(Duration::from_secs(1));
    (world.links[0][2], world.links[2][0]) = (false, false);
    world.tell(2, Input::Down(id(0)));
    world.pass(110 * MS);
    assert_eq!(world.meshes[0].way(id(2)), id(1), "the others say so");
}

#[test]
fn a_member_that_starts_again_is_believed() {
    let mut world = World::new(3);
    world.pass(Duration::from_secs(60));
    // Its views are numbered from the start again, and are news all the same.
    world.meshes[2] = mesh(2, 3, 8);
    (world.links[0][2], world.links[2][0]) = (false, false);
    world.pass(800 * MS);
    assert_eq!(world.reached().len(), 6);
}

#[test]
fn a_chain_of_four_is_reached_over_one_and_not_over_two() {
    let mut world = World::new(4);
    for (a, b) in [(0, 2), (0, 3), (1, 3)] {
        (world.links[a][b], world.links[b][a]) = (false, false);
    }
    world.pass(Duration::from_secs(2));
    let reached = world.reached();
    assert!(reached.contains(&(0, 2)) && reached.contains(&(3, 1)));
    assert!(!reached.contains(&(0, 3)) && !reached.contains(&(3, 0)));
}

#[test]
fn strangers_are_delivered_and_change_no_way() {
    let mut world = World::new(2);
    world.pass(Duration::from_secs(1));
    // Whom to hear is for the protocol above to judge: a candidate may have been added since.
    world.tell(0, Input::Arrived { from: NodeId(9), packet: Packet::Direct(5) });
    assert!(world.delivered.contains(&(0, NodeId(9), 5)));
    let before = world.transmitted;
    world.tell(0, Input::Members(BTreeSet::from([id(0)])));
    assert_eq!(world.meshes[0].poll_timeout(), None);
    world.tell(0, Input::Arrived { from: id(1), packet: Packet::Hello(Vec::new()) });
    assert_eq!(world.transmitted, before, "nobody is left to say hello to");
}
