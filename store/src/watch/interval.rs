//! Which ranges hold a key: a balanced tree of intervals.
//!
//! An AVL tree (Adelson-Velsky and Landis 1962) ordered by start, then end; each node also knows
//! how far the ends of its whole subtree reach, so that a search leaves out every subtree that
//! ends before the key. A search that finds `k` of `n` ranges visits O((k + 1) · log n) nodes.
//! The shape depends on the order of insertions alone: no randomness.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use core::cmp::Ordering;

use bytes::Bytes;

/// Where a range ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// Before this key.
    Before(Bytes),
    /// Nowhere.
    Never,
}

impl End {
    fn is_after(&self, key: &[u8]) -> bool {
        match self {
            Self::Before(end) => key < end.as_ref(),
            Self::Never => true,
        }
    }
}

type Link<T> = Option<Box<Node<T>>>;

/// Ranges with those who hold them.
///
/// - starts and ends are ordered left to right, and no range stands twice;
/// - the heights of two siblings differ by at most one;
/// - `reach` is the greatest end of the subtree;
/// - every range has a holder.
#[derive(Clone, Debug)]
pub(super) struct IntervalTree<T> {
    root: Link<T>,
}

#[derive(Clone, Debug)]
struct Node<T> {
    start: Bytes,
    end: End,
    holders: BTreeSet<T>,
    reach: End,
    height: u32,
    left: Link<T>,
    right: Link<T>,
}

impl<T: Ord + Copy> IntervalTree<T> {
    pub(super) const fn new() -> Self {
        Self { root: None }
    }

    /// `holder` holds the range from `start` to `end`.
    pub(super) fn insert(&mut self, start: &Bytes, end: &End, holder: T) {
        self.root = Some(insert(self.root.take(), start, end, holder));
    }

    /// `holder` no longer holds that range.
    pub(super) fn remove(&mut self, start: &Bytes, end: &End, holder: T) {
        self.root = remove(self.root.take(), start, end, holder);
    }

    /// Calls `found` with the holders of each range that has `key` in it.
    pub(super) fn visit(&self, key: &[u8], found: &mut impl FnMut(&BTreeSet<T>)) {
        visit(&self.root, key, found);
    }
}

impl<T> Node<T> {
    fn cmp(&self, start: &Bytes, end: &End) -> Ordering {
        (start, end).cmp(&(&self.start, &self.end))
    }

    /// Restores what the node knows of its subtree.
    fn refresh(&mut self) {
        self.height = 1 + height(&self.left).max(height(&self.right));
        let below = [&self.left, &self.right].into_iter().flatten().map(|child| &child.reach);
        self.reach = below.fold(&self.end, Ord::max).clone();
    }
}

fn height<T>(link: &Link<T>) -> u32 {
    link.as_ref().map_or(0, |node| node.height)
}

fn insert<T: Ord>(link: Link<T>, start: &Bytes, end: &End, holder: T) -> Box<Node<T>> {
    let Some(mut node) = link else {
        return Box::new(Node {
            start: start.clone(),
            end: end.clone(),
            holders: BTreeSet::from([holder]),
            reach: end.clone(),
            height: 1,
            left: None,
            right: None,
        });
    };
    match node.cmp(start, end) {
        Ordering::Less => node.left = Some(insert(node.left.take(), start, end, holder)),
        Ordering::Greater => node.right = Some(insert(node.right.take(), start, end, holder)),
        Ordering::Equal => {
            node.holders.insert(holder);
            return node;
        }
    }
    balance(node)
}

fn remove<T: Ord>(link: Link<T>, start: &Bytes, end: &End, holder: T) -> Link<T> {
    let mut node = link?;
    match node.cmp(start, end) {
        Ordering::Less => node.left = remove(node.left.take(), start, end, holder),
        Ordering::Greater => node.right = remove(node.right.take(), start, end, holder),
        Ordering::Equal => {
            node.holders.remove(&holder);
            if node.holders.is_empty() {
                return join(node.left.take(), node.right.take());
            }
            return Some(node);
        }
    }
    Some(balance(node))
}

/// One tree of two siblings: the first of the right one becomes the root.
fn join<T>(left: Link<T>, right: Link<T>) -> Link<T> {
    let Some(right) = right else { return left };
    let (mut first, rest) = take_first(right);
    first.left = left;
    first.right = rest;
    Some(balance(first))
}

fn take_first<T>(mut node: Box<Node<T>>) -> (Box<Node<T>>, Link<T>) {
    let Some(left) = node.left.take() else {
        let rest = node.right.take();
        return (node, rest);
    };
    let (first, rest) = take_first(left);
    node.left = rest;
    (first, Some(balance(node)))
}

/// Restores the balance of a node whose subtrees are balanced and differ by at most two.
fn balance<T>(mut node: Box<Node<T>>) -> Box<Node<T>> {
    let (left, right) = (height(&node.left), height(&node.right));
    if left > right + 1 {
        node.left = node.left.map(|child| match height(&child.left) < height(&child.right) {
            true => rotate_left(child),
            false => child,
        });
        return rotate_right(node);
    }
    if right > left + 1 {
        node.right = node.right.map(|child| match height(&child.right) < height(&child.left) {
            true => rotate_right(child),
            false => child,
        });
        return rotate_left(node);
    }
    node.refresh();
    node
}

fn rotate_right<T>(mut node: Box<Node<T>>) -> Box<Node<T>> {
    let mut top = node.left.take().expect("the higher side is not empty");
    node.left = top.right.take();
    node.refresh();
    top.right = Some(node);
    top.refresh();
    top
}

fn rotate_left<T>(mut node: Box<Node<T>>) -> Box<Node<T>> {
    let mut top = node.right.take().expect("the higher side is not empty");
    node.right = top.left.take();
    node.refresh();
    top.left = Some(node);
    top.refresh();
    top
}

fn visit<T>(link: &Link<T>, key: &[u8], found: &mut impl FnMut(&BTreeSet<T>)) {
    let Some(node) = link else { return };
    if !node.reach.is_after(key) {
        return;
    }
    visit(&node.left, key, found);
    if node.start.as_ref() <= key {
        if node.end.is_after(key) {
            found(&node.holders);
        }
        visit(&node.right, key, found);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use protocol::Rng;

    use super::*;

    /// Checks the laws of the tree; gives its height and how many ranges it has.
    fn check(link: &Link<u32>) -> (u32, usize) {
        let Some(node) = link else { return (0, 0) };
        let (left, right) = (check(&node.left), check(&node.right));
        assert!(left.0.abs_diff(right.0) <= 1, "balanced");
        assert_eq!(node.height, 1 + left.0.max(right.0));
        assert!(!node.holders.is_empty());
        let mut reach = node.end.clone();
        if let Some(child) = &node.left {
            assert!((&child.start, &child.end) < (&node.start, &node.end));
            reach = reach.max(child.reach.clone());
        }
        if let Some(child) = &node.right {
            assert!((&child.start, &child.end) > (&node.start, &node.end));
            reach = reach.max(child.reach.clone());
        }
        assert_eq!(node.reach, reach);
        (node.height, 1 + left.1 + right.1)
    }

    fn key(rng: &mut Rng) -> Bytes {
        let length = usize::try_from(rng.below(3)).unwrap();
        (0..length).map(|_| b"abcd"[usize::try_from(rng.below(4)).unwrap()]).collect()
    }

    fn holders(tree: &IntervalTree<u32>, key: &[u8]) -> Vec<u32> {
        let mut all = Vec::new();
        tree.visit(key, &mut |holders| all.extend(holders));
        all.sort_unstable();
        all
    }

    #[test]
    fn tree_finds_what_a_list_finds() {
        for seed in 0..40 {
            let mut rng = Rng::new(seed);
            let mut tree = IntervalTree::new();
            let mut list: Vec<(Bytes, End, u32)> = Vec::new();
            for holder in 0..300 {
                if rng.below(5) < 2 && !list.is_empty() {
                    let at = rng.below(u64::try_from(list.len()).unwrap());
                    let (start, end, holder) = list.swap_remove(usize::try_from(at).unwrap());
                    tree.remove(&start, &end, holder);
                } else {
                    let end = match rng.below(6) {
                        0 => End::Never,
                        _ => End::Before(key(&mut rng)),
                    };
                    let start = key(&mut rng);
                    tree.insert(&start, &end, holder);
                    list.push((start, end, holder));
                }
                check(&tree.root);
                let probe = key(&mut rng);
                let mut expected: Vec<u32> = list
                    .iter()
                    .filter(|(start, end, _)| *start <= probe && end.is_after(&probe))
                    .map(|(_, _, holder)| *holder)
                    .collect();
                expected.sort_unstable();
                assert_eq!(holders(&tree, &probe), expected, "seed {seed}");
            }
            for (start, end, holder) in list {
                tree.remove(&start, &end, holder);
                check(&tree.root);
            }
            assert!(tree.root.is_none());
        }
    }

    #[test]
    fn ten_thousand_ranges_make_a_low_tree() {
        let mut tree = IntervalTree::new();
        for holder in 0..10_000_u32 {
            let start = Bytes::copy_from_slice(&holder.to_be_bytes());
            let end = End::Before(Bytes::copy_from_slice(&(holder + 1).to_be_bytes()));
            tree.insert(&start, &end, holder);
        }
        let (height, ranges) = check(&tree.root);
        assert_eq!(ranges, 10_000);
        assert!(height <= 19, "1.44 log2 n, was {height}");
        assert_eq!(holders(&tree, &7777_u32.to_be_bytes()), [7777]);
    }
}
