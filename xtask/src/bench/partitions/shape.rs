//! Which links stay: the five partial partitions of the table.
//!
//! Members are named by their parts, from 0: which process plays which part is decided when it is
//! known who leads.

use std::collections::BTreeSet;

/// A partial partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// How many members there are.
    pub(crate) members: usize,
    /// Who leads when the links break.
    pub(crate) leader: usize,
    /// Who is killed at that moment.
    pub(crate) dead: Option<usize>,
    /// The links that stay, by pairs.
    pub(crate) links: &'static [(usize, usize)],
}

pub(crate) const SHAPES: [Shape; 5] = [
    Shape {
        name: "H1",
        members: 5,
        leader: 2,
        dead: None,
        links: &[(0, 1), (0, 2), (1, 2), (1, 3), (2, 4)],
    },
    Shape {
        name: "H2",
        members: 5,
        leader: 3,
        dead: Some(4),
        links: &[(0, 1), (0, 2), (1, 2), (1, 3)],
    },
    Shape { name: "chained", members: 3, leader: 2, dead: None, links: &[(0, 1), (1, 2)] },
    Shape {
        name: "quorum-loss",
        members: 5,
        leader: 2,
        dead: None,
        links: &[(0, 1), (0, 2), (0, 3), (0, 4)],
    },
    Shape {
        name: "isolated",
        members: 5,
        leader: 0,
        dead: None,
        links: &[(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)],
    },
];

impl Shape {
    pub(crate) fn named(name: &str) -> Option<Self> {
        SHAPES.into_iter().find(|shape| shape.name == name)
    }

    /// The pairs whose link breaks.
    pub(crate) fn cuts(&self) -> impl Iterator<Item = (usize, usize)> {
        let pairs = (0..self.members).flat_map(|a| (a + 1..self.members).map(move |b| (a, b)));
        pairs.filter(|pair| !self.links.contains(pair))
    }

    /// Who reaches nobody any more, and cannot serve whatever anybody does.
    pub(crate) fn alone(&self) -> BTreeSet<usize> {
        let linked = |part: &usize| self.links.iter().any(|(a, b)| a == part || b == part);
        (0..self.members).filter(|part| !linked(part)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_pairs_in_order_and_the_rest_is_cut() {
        for shape in SHAPES {
            assert!(shape.leader < shape.members, "{}", shape.name);
            assert!(shape.links.iter().all(|(a, b)| a < b && *b < shape.members));
            let all = shape.members * (shape.members - 1) / 2;
            assert_eq!(shape.cuts().count() + shape.links.len(), all, "{}", shape.name);
        }
        let named = |name| Shape::named(name).unwrap().alone().into_iter().collect::<Vec<_>>();
        assert_eq!((named("H1"), named("H2"), named("isolated")), (vec![], vec![4], vec![0]));
    }
}
