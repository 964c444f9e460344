//! Which nodes hear which: a set of directed links.

use std::fmt;

/// The most nodes that a set of links joins.
pub const MOST_NODES: usize = 16;

/// A set of directed links between few nodes.
#[derive(Clone, PartialEq, Eq)]
pub struct Links {
    nodes: usize,
    /// For each sender, one bit a receiver.
    hears: [u16; MOST_NODES],
}

impl Links {
    /// No link at all.
    ///
    /// # Panics
    ///
    /// With more than [`MOST_NODES`] nodes.
    #[must_use]
    pub fn none(nodes: usize) -> Self {
        assert!(nodes <= MOST_NODES, "a laboratory is small");
        Self { nodes, hears: [0; MOST_NODES] }
    }

    /// Everyone hears everyone.
    #[must_use]
    pub fn full(nodes: usize) -> Self {
        Self::directed(nodes, u32::MAX).fill()
    }

    /// The set whose bit `k` of `bits` is the k-th directed link, in the order 1→2, 1→3, …, 2→1, ….
    #[must_use]
    pub fn directed(nodes: usize, bits: u32) -> Self {
        let mut links = Self::none(nodes);
        let pairs = (0..nodes).flat_map(|a| (0..nodes).map(move |b| (a, b)));
        for (k, (from, to)) in pairs.filter(|(a, b)| a != b).enumerate().take(32) {
            links.set(from, to, bits >> k & 1 == 1);
        }
        links
    }

    /// The set whose bit `k` of `bits` is the k-th pair, in the order 1–2, 1–3, …, 2–3, ….
    #[must_use]
    pub fn undirected(nodes: usize, bits: u32) -> Self {
        let mut links = Self::none(nodes);
        let pairs = (0..nodes).flat_map(|a| (a + 1..nodes).map(move |b| (a, b)));
        for (k, (a, b)) in pairs.enumerate().take(32) {
            links.set(a, b, bits >> k & 1 == 1);
            links.set(b, a, bits >> k & 1 == 1);
        }
        links
    }

    fn fill(mut self) -> Self {
        for from in 0..self.nodes {
            for to in 0..self.nodes {
                self.set(from, to, from != to);
            }
        }
        self
    }

    /// Opens or cuts one link.
    pub fn set(&mut self, from: usize, to: usize, up: bool) {
        let bit = 1 << to;
        self.hears[from] = if up { self.hears[from] | bit } else { self.hears[from] & !bit };
    }

    /// Whether what `from` sends reaches `to`.
    #[must_use]
    pub const fn is_up(&self, from: usize, to: usize) -> bool {
        self.hears[from] >> to & 1 == 1
    }

    /// What one hop adds: who reaches somebody that reaches another one, reaches that one, too.
    #[must_use]
    pub fn within_one_hop(&self) -> Self {
        let mut links = self.clone();
        for from in 0..self.nodes {
            for over in (0..self.nodes).filter(|over| self.is_up(from, *over)) {
                for to in (0..self.nodes).filter(|to| *to != from && self.is_up(over, *to)) {
                    links.set(from, to, true);
                }
            }
        }
        links
    }

    /// Those that `n` reaches both ways, itself among them.
    pub fn circle(&self, n: usize) -> impl Iterator<Item = usize> {
        let both = move |&m: &usize| m == n || (self.is_up(n, m) && self.is_up(m, n));
        (0..self.nodes).filter(both)
    }

    /// How many make a majority.
    #[must_use]
    pub const fn majority(&self) -> usize {
        self.nodes / 2 + 1
    }

    /// Those that reach a majority both ways: nobody else can win an election or commit.
    pub fn connected(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes).filter(|&n| self.circle(n).count() >= self.majority())
    }
}

/// `1–2 2→3`: pairs first by their lower name; `-` for none.
impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        for a in 0..self.nodes {
            for b in a + 1..self.nodes {
                let sign = match (self.is_up(a, b), self.is_up(b, a)) {
                    (true, true) => "–",
                    (true, false) => "→",
                    (false, true) => "←",
                    (false, false) => continue,
                };
                words.push(format!("{}{sign}{}", a + 1, b + 1));
            }
        }
        f.write_str(&if words.is_empty() { "-".to_owned() } else { words.join(" ") })
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
