//! Links in order, with generations: a pair of queues that break together.

use std::collections::{BTreeMap, VecDeque};

use protocol::zab::{Generation, Message};
use protocol::{NodeId, Time};

/// What reaches one end of a link.
#[derive(Clone, Debug)]
pub(crate) enum Parcel {
    Up(Generation),
    Down(Generation),
    Message(Generation, Message),
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    queue: VecDeque<(Time, Parcel)>,
    /// Nothing arrives, and nothing is lost.
    stalled: bool,
}

/// The link between two nodes.
///
/// - Both ways carry one generation, and lose everything when it ends.
#[derive(Debug, Default)]
struct Link {
    generation: u64,
    up: bool,
    /// When it is made anew; `None` while it may not be.
    up_at: Option<Time>,
    ways: [Way; 2],
}

/// All links between some nodes.
#[derive(Debug, Default)]
pub(crate) struct Network {
    links: BTreeMap<(NodeId, NodeId), Link>,
}

/// Which link, and which of its ways leads to `to`.
fn place(from: NodeId, to: NodeId) -> ((NodeId, NodeId), usize) {
    if from < to { ((from, to), 1) } else { ((to, from), 0) }
}

impl Link {
    fn push(&mut self, way: usize, at: Time, parcel: Parcel) {
        let queue = &mut self.ways[way].queue;
        let at = queue.back().map_or(at, |last| last.0.max(at));
        queue.push_back((at, parcel));
    }
}

impl Network {
    pub(crate) fn new(ids: &[NodeId]) -> Self {
        let pairs = ids.iter().flat_map(|&a| ids.iter().map(move |&b| (a, b)));
        let links = pairs.filter(|(a, b)| a < b).map(|pair| (pair, Link::default()));
        Self { links: links.collect() }
    }

    /// The link may be made anew at this time.
    pub(crate) fn connect(&mut self, a: NodeId, b: NodeId, at: Time) {
        let link = self.links.get_mut(&place(a, b).0).unwrap();
        if !link.up {
            link.up_at.get_or_insert(at);
        }
    }

    /// The generation ends. Both ends are told, `quiet` excepted.
    pub(crate) fn cut(&mut self, a: NodeId, b: NodeId, at: Time, quiet: Option<NodeId>) {
        let (pair, _) = place(a, b);
        let link = self.links.get_mut(&pair).unwrap();
        link.up_at = None;
        if !core::mem::take(&mut link.up) {
            return;
        }
        let generation = Generation(link.generation);
        for (way, end) in [(0, pair.0), (1, pair.1)] {
            // Who has not even heard that the link came up hears nothing of its end either.
            let unheard = link.ways[way].queue.iter().any(|it| matches!(it.1, Parcel::Up(_)));
            link.ways[way].queue.retain(|it| matches!(it.1, Parcel::Down(_)));
            link.ways[way].stalled = false;
            if !unheard && Some(end) != quiet {
                link.push(way, at, Parcel::Down(generation));
            }
        }
    }

    /// Whoever is at this end hears nothing any more of what is under way.
    pub(crate) fn deafen(&mut self, node: NodeId) {
        for (pair, link) in &mut self.links {
            for (way, end) in [(0, pair.0), (1, pair.1)] {
                if end == node {
                    link.ways[way].queue.clear();
                }
            }
        }
    }

    pub(crate) fn stall(&mut self, from: NodeId, to: NodeId, stalled: bool) {
        let (pair, way) = place(from, to);
        self.links.get_mut(&pair).unwrap().ways[way].stalled = stalled;
    }

    pub(crate) fn generation(&self, a: NodeId, b: NodeId) -> Generation {
        Generation(self.links[&place(a, b).0].generation)
    }

    /// Puts a message on its way, when the link is still the one it was meant for.
    pub(crate) fn send(
        &mut self,
        (from, to): (NodeId, NodeId),
        generation: Generation,
        message: Message,
        at: Time,
    ) {
        let (pair, way) = place(from, to);
        let link = self.links.get_mut(&pair).unwrap();
        if link.up && link.generation == generation.0 {
            link.push(way, at, Parcel::Message(generation, message));
        }
    }

    /// The next thing to happen on any link, unless `gate` holds it back.
    pub(crate) fn next(
        &self,
        gate: &dyn Fn(NodeId, NodeId, &Message) -> bool,
    ) -> Option<(Time, Happening)> {
        let mut first: Option<(Time, Happening)> = None;
        let mut offer = |at: Time, what: Happening| {
            if first.is_none_or(|(time, _)| at < time) {
                first = Some((at, what));
            }
        };
        for (&pair, link) in &self.links {
            if let Some(at) = link.up_at {
                offer(at, Happening::Up(pair.0, pair.1));
            }
            for (way, from, to) in [(0, pair.1, pair.0), (1, pair.0, pair.1)] {
                let way = &link.ways[way];
                let Some((at, parcel)) = way.queue.front() else { continue };
                let message = match parcel {
                    Parcel::Message(_, message) => Some(message),
                    Parcel::Up(_) | Parcel::Down(_) => None,
                };
                let held = message.is_some_and(|it| way.stalled || gate(from, to, it));
                if !held {
                    offer(*at, Happening::Arrival(from, to));
                }
            }
        }
        first
    }

    pub(crate) fn come_up(&mut self, a: NodeId, b: NodeId, now: Time) {
        let link = self.links.get_mut(&place(a, b).0).unwrap();
        (link.up, link.up_at) = (true, None);
        link.generation += 1;
        let generation = Generation(link.generation);
        for way in 0..2 {
            link.push(way, now, Parcel::Up(generation));
        }
    }

    pub(crate) fn take(&mut self, from: NodeId, to: NodeId) -> Option<Parcel> {
        let (pair, way) = place(from, to);
        self.links.get_mut(&pair).unwrap().ways[way].queue.pop_front().map(|it| it.1)
    }

    /// Takes messages off their way.
    pub(crate) fn forget(&mut self, from: NodeId, to: NodeId, which: impl Fn(&Message) -> bool) {
        let (pair, way) = place(from, to);
        let gone = |it: &(Time, Parcel)| matches!(&it.1, Parcel::Message(_, word) if which(word));
        self.links.get_mut(&pair).unwrap().ways[way].queue.retain(|it| !gone(it));
    }

    /// What is on its way from one node to another.
    pub(crate) fn on_the_way(&self, from: NodeId, to: NodeId) -> impl Iterator<Item = &Message> {
        let (pair, way) = place(from, to);
        self.links[&pair].ways[way].queue.iter().filter_map(|it| match &it.1 {
            Parcel::Message(_, message) => Some(message),
            Parcel::Up(_) | Parcel::Down(_) => None,
        })
    }
}

/// What can happen on a network.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    Up(NodeId, NodeId),
    Arrival(NodeId, NodeId),
}
