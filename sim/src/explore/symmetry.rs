//! The ways to rename the nodes.

use protocol::NodeId;

use super::local::Happening;
use super::{NODES, name, number};

/// `renaming[old] = new`.
pub(super) type Renaming = [u8; NODES];

/// Renamings that can be put one after the other, and undone. The first changes nothing.
pub(super) struct Group {
    renamings: Vec<Renaming>,
}

const ALL: [Renaming; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// The most renamings there are.
pub(super) const ORDER: usize = ALL.len();

impl Group {
    /// All renamings, or only the one that changes nothing.
    pub(super) fn new(symmetry: bool) -> Self {
        let order = if symmetry { ORDER } else { 1 };
        Self { renamings: ALL[..order].to_vec() }
    }

    pub(super) fn len(&self) -> usize {
        self.renamings.len()
    }

    pub(super) fn renaming(&self, which: usize) -> Renaming {
        self.renamings[which]
    }

    fn find(&self, renaming: Renaming) -> usize {
        let same = |&candidate: &Renaming| candidate == renaming;
        self.renamings.iter().position(same).expect("invariant: a group is closed")
    }

    /// `second` after `first`.
    pub(super) fn after(&self, second: usize, first: usize) -> usize {
        self.find(compose(self.renamings[second], self.renamings[first]))
    }

    /// The renaming that gives these nodes, in this order, the names 0, 1, 2.
    pub(super) fn that_orders(&self, nodes: [usize; NODES]) -> usize {
        let mut renaming = [0; NODES];
        for (new, &old) in (0u8..).zip(&nodes) {
            renaming[old] = new;
        }
        self.find(renaming)
    }
}

/// `second` after `first`.
pub(super) fn compose(second: Renaming, first: Renaming) -> Renaming {
    first.map(|node| second[usize::from(node)])
}

/// What undoes a renaming.
pub(super) fn inverse(renaming: Renaming) -> Renaming {
    let mut back = [0; NODES];
    for (old, &new) in (0u8..).zip(&renaming) {
        back[usize::from(new)] = old;
    }
    back
}

pub(super) fn rename_node(renaming: Renaming, id: NodeId) -> NodeId {
    name(usize::from(renaming[number(id)]))
}

/// Messages name nobody beside sender and receiver, as nobody asks for a transfer. Who names
/// members has no renamings.
pub(super) fn rename(renaming: Renaming, happening: &Happening) -> Happening {
    match happening {
        Happening::Receive { from, message } => {
            Happening::Receive { from: rename_node(renaming, *from), message: message.clone() }
        }
        other @ (Happening::Timeout
        | Happening::Persisted
        | Happening::Propose(_)
        | Happening::Change(_)
        | Happening::Crash { .. }) => other.clone(),
    }
}
