//! Partitions by shape.

use super::Kind;
use crate::draw::Draw;
use crate::seen::Place;
use protocol::Rng;

/// From whom to whom.
type Link = (Place, Place);

/// The links that a shape of partition cuts among `nodes` nodes.
pub(super) fn links(kind: Kind, nodes: usize, leader: Place, rng: &mut Rng) -> Vec<Link> {
    let mut order: Vec<Place> = (0..nodes).collect();
    rng.shuffle(&mut order);
    let one = order[0];
    match kind {
        Kind::Split => {
            let size = 1 + rng.place(nodes.saturating_sub(1).max(1));
            all(nodes, |from, to| side(&order, size, from) != side(&order, size, to))
        }
        Kind::IsolateOne => all(nodes, |from, to| from == one || to == one),
        Kind::IsolateLeader => all(nodes, |from, to| from == leader || to == leader),
        Kind::OneWay => vec![(one, order[nodes - 1])],
        Kind::DeafLeader => all(nodes, |_, to| to == leader),
        Kind::MuteLeader => all(nodes, |from, _| from == leader),
        Kind::Bridge => {
            let half = 1 + (nodes - 1) / 2;
            all(nodes, |from, to| {
                from != one && to != one && side(&order, half, from) != side(&order, half, to)
            })
        }
        Kind::Chain => {
            let place = |at: Place| order.iter().position(|other| *other == at).unwrap_or(0);
            all(nodes, |from, to| place(from).abs_diff(place(to)) > 1)
        }
        Kind::Star => {
            let center = if one == leader { order[nodes - 1] } else { one };
            all(nodes, |from, to| from != center && to != center)
        }
        Kind::Ring => {
            // Each hears itself and those next to it on a ring, as many as make a majority.
            let place = |at: Place| order.iter().position(|other| *other == at).unwrap_or(0);
            let reach = (nodes / 2).div_ceil(2);
            all(nodes, |from, to| {
                let apart = place(from).abs_diff(place(to));
                apart.min(nodes - apart) > reach
            })
        }
        _ => Vec::new(),
    }
}

fn side(order: &[Place], size: usize, at: Place) -> bool {
    order.iter().take(size).any(|other| *other == at)
}

fn all(nodes: usize, cut: impl Fn(Place, Place) -> bool) -> Vec<Link> {
    let pairs = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
    pairs.filter(|(from, to)| from != to && cut(*from, *to)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_leaves_everyone_a_majority_that_differs() {
        let cut = links(Kind::Ring, 5, 0, &mut Rng::new(7));
        for at in 0..5 {
            let heard = (0..5).filter(|from| !cut.contains(&(*from, at))).count();
            assert_eq!(heard, 3);
        }
        assert_eq!(cut.len(), 10);
    }

    #[test]
    fn a_mute_leader_hears_all() {
        let cut = links(Kind::MuteLeader, 3, 1, &mut Rng::new(7));
        assert_eq!(cut, [(1, 0), (1, 2)]);
    }

    #[test]
    fn a_bridge_is_heard_by_both_sides_and_nobody_else_is() {
        for seed in 0..50 {
            let cut = links(Kind::Bridge, 5, 0, &mut Rng::new(seed));
            assert_eq!(cut.len(), 8, "two by two, both ways");
        }
    }
}
