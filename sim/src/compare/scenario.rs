//! What happens to all contenders alike.

use serde::Serialize;

use crate::lab::links::Links;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// All nodes start at once, with empty disks.
    ColdStart,
    /// The leader's machine is gone: nobody is told.
    LeaderCrash,
    /// The leader is cut off from all others.
    LeaderAlone,
    /// The leader is on the smaller side of a split; on one of two halves with an even number.
    Split,
    /// Nobody hears the leader, and it hears all.
    Mute,
    /// One follower does not hear the leader; all else is well.
    OneWay,
    /// Two sides see each other only through one node; the leader is on a side.
    Bridge,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ColdStart,
        Self::LeaderCrash,
        Self::LeaderAlone,
        Self::Split,
        Self::Mute,
        Self::OneWay,
        Self::Bridge,
    ];
    /// Those in which nodes do not reach each other for a while.
    pub const PARTITIONS: [Self; 5] =
        [Self::LeaderAlone, Self::Split, Self::Mute, Self::OneWay, Self::Bridge];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ColdStart => "cold start",
            Self::LeaderCrash => "leader crashes",
            Self::LeaderAlone => "leader alone",
            Self::Split => "split in two",
            Self::Mute => "leader is mute",
            Self::OneWay => "one deaf follower",
            Self::Bridge => "bridge",
        }
    }

    /// The ways that are left, of so many nodes, to this leader's disadvantage.
    pub(super) fn links(self, nodes: usize, leader: usize) -> Links {
        // The leader first, then the others in their order.
        let order: Vec<usize> = (0..nodes).map(|n| (leader + n) % nodes).collect();
        let mut links = Links::full(nodes);
        let mut cut = |from: usize, to: usize| links.set(order[from], order[to], false);
        let pairs = (0..nodes).flat_map(|a| (0..nodes).map(move |b| (a, b)));
        for (a, b) in pairs.filter(|(a, b)| a != b) {
            let is_cut = match self {
                Self::ColdStart | Self::LeaderCrash => false,
                Self::LeaderAlone => a == 0 || b == 0,
                Self::Split => (a < nodes / 2) != (b < nodes / 2),
                Self::Mute => a == 0,
                Self::OneWay => (a, b) == (0, 1),
                Self::Bridge => {
                    let side = nodes.div_ceil(2) - 1;
                    let is_bridge = a == side || b == side;
                    !is_bridge && (a < side) != (b < side)
                }
            };
            if is_cut {
                cut(a, b);
            }
        }
        links
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_that_are_left_are_those_of_the_drawings() {
        let left = |scenario: Scenario, nodes| scenario.links(nodes, 0).to_string();
        assert_eq!(left(Scenario::LeaderAlone, 3), "2–3");
        assert_eq!(left(Scenario::Split, 4), "1–2 3–4");
        assert_eq!(left(Scenario::Split, 3), "2–3");
        assert_eq!(left(Scenario::Mute, 3), "1←2 1←3 2–3");
        assert_eq!(left(Scenario::OneWay, 3), "1←2 1–3 2–3");
        assert_eq!(left(Scenario::Bridge, 3), "1–2 2–3");
        assert_eq!(left(Scenario::Bridge, 5), "1–2 1–3 2–3 3–4 3–5 4–5");
        assert_eq!(Scenario::Bridge.links(3, 2).to_string(), "1–2 1–3", "the leader is 3");
    }
}
