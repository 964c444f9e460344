//! The shortest way to break a law, told step by step.

use std::fmt;

use protocol::NodeId;
use protocol::raft::{Config, Message, Status};

use super::atlas::Cause;
use super::bounds::Bounds;
use super::cluster::{Cluster, Next};
use super::laws::Broken;
use super::local::{Happening, Local};
use super::paths::Paths;
use super::search::Wreck;
use super::state::State;
use super::symmetry::{Renaming, compose, inverse, rename, rename_node};
use super::{NODES, name, number};

/// Something that happens to a node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// To which.
    pub node: NodeId,
    /// What.
    pub happening: Happening,
    /// It is a message of which a copy stays in flight.
    pub again: bool,
    /// Messages that the network loses in this step: sender, receiver, message.
    pub lost: Vec<(NodeId, NodeId, Message)>,
}

/// A law and the fewest steps that break it.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// What is broken at the end.
    pub broken: Broken,
    /// The steps.
    pub events: Vec<Event>,
    bounds: Bounds,
}

/// A step and what came of it.
struct Played {
    sends: Vec<(NodeId, Message)>,
    status: Status,
}

impl Counterexample {
    /// Plays the steps on three new cores, without any table of the search. Gives how the nodes
    /// stand at the end.
    ///
    /// # Errors
    ///
    /// The law that a step breaks, when it is one that a node alone can break.
    pub fn replay(&self) -> Result<[Status; NODES], Broken> {
        let mut nodes = self.new_nodes();
        for event in &self.events {
            self.play(&mut nodes, event)?;
        }
        Ok(nodes.map(|local| local.raft.status()))
    }

    fn config(&self, node: usize) -> Config {
        self.bounds.config(node)
    }

    fn new_nodes(&self) -> [Local; NODES] {
        std::array::from_fn(|node| Local::new(&self.config(node)))
    }

    fn play(&self, nodes: &mut [Local; NODES], event: &Event) -> Result<Played, Broken> {
        let node = number(event.node);
        let reaction = nodes[node].react(&self.config(node), &event.happening)?;
        nodes[node] = reaction.local;
        Ok(Played { sends: reaction.sends, status: nodes[node].raft.status() })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.node, self.happening)?;
        f.write_str(if self.again { " (a copy stays in flight)" } else { "" })
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.broken)?;
        writeln!(f, "after {} steps:", self.events.len())?;
        let mut nodes = self.new_nodes();
        for (place, event) in self.events.iter().enumerate() {
            writeln!(f, "{:3}. {event}", place + 1)?;
            let Ok(Played { sends, status }) = self.play(&mut nodes, event) else { continue };
            for (to, message) in sends {
                writeln!(f, "       sends to {to}: {message}")?;
            }
            for (from, to, message) in &event.lost {
                writeln!(f, "       lost from {from} to {to}: {message}")?;
            }
            writeln!(f, "       {}", Line(&status))?;
        }
        Ok(())
    }
}

/// How a node stands, in one line.
struct Line<'a>(&'a Status);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status { id, role, hard_state, last, .. } = self.0;
        let (term, commit) = (hard_state.term, hard_state.commit);
        write!(f, "{id} is {role:?} in term {term}, log to {last}, committed to {commit}")
    }
}

/// Tells the way to a wreck in one set of names, though every state on it was renamed.
pub(super) fn unroll(
    bounds: Bounds,
    mut cluster: Cluster,
    paths: &Paths,
    wreck: &Wreck,
) -> Counterexample {
    let mut events = Vec::new();
    let first = cluster.first();
    let mut here = cluster.canonical(&first);
    // From the names of the story to those of the search.
    let mut names: Renaming = cluster.atlas.group.renaming(here.which);
    let mut scratch = Vec::new();
    for ordinal in paths.to(wreck.at) {
        let explored = cluster.successors(&here.state, &mut scratch);
        explored.expect("invariant: the search went through here");
        let next = scratch[ordinal];
        events.push(tell(&cluster, &here.state, &next, names));
        here = cluster.canonical(&next.state);
        names = compose(cluster.atlas.group.renaming(here.which), names);
    }
    let step = wreck.fault.step;
    let next = Next { step, state: here.state };
    let mut last = tell(&cluster, &here.state, &next, names);
    last.lost.clear();
    events.push(last);
    Counterexample { broken: wreck.fault.broken.clone(), events, bounds }
}

fn tell(cluster: &Cluster, before: &State, next: &Next, names: Renaming) -> Event {
    let back = inverse(names);
    let step = next.step;
    let mut pool = before.messages().to_vec();
    if let (Cause::Receive(message), false) = (step.cause, step.again) {
        pool.retain(|&other| other != message);
    }
    // What is gone and was not delivered is lost, or means nothing to its receiver any more.
    let gone = pool.into_iter().filter(|message| !next.state.messages().contains(message));
    let lost = gone.filter(|&message| !cluster.atlas.is_dead(message, &next.state.locals));
    let lost = lost.map(|message| {
        let envelope = cluster.atlas.envelope(message);
        let way = (rename_node(back, envelope.from), rename_node(back, envelope.to));
        (way.0, way.1, envelope.message.clone())
    });
    Event {
        node: rename_node(back, name(step.node)),
        happening: rename(back, &cluster.atlas.happening(step.cause)),
        again: step.again,
        lost: lost.collect(),
    }
}
