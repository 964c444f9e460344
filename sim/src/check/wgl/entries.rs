//! The events that are still to be linearised, in order of time.

/// The head of the list; real nodes start at 1.
const HEAD: u32 = 0;

/// A doubly linked list of calls and returns, from which a call and its return are lifted
/// together.
///
/// - Calls are numbered by their invocation; each has exactly one return, behind it.
/// - At one instant calls stand before returns, so that what touches is concurrent.
/// - Lifts are undone in the reverse of their order: a lifted node remembers its neighbours.
#[derive(Debug)]
pub(super) struct Entries {
    next: Vec<u32>,
    prev: Vec<u32>,
    owner: Vec<Owner>,
    /// The nodes of each call: invocation and return.
    nodes: Vec<(u32, u32)>,
}

#[derive(Clone, Copy, Debug)]
enum Owner {
    Head,
    Call(u32),
    Return(u32),
}

impl Entries {
    /// The list of `spans`, pairs of invocation and return, sorted by invocation.
    pub(super) fn new(spans: &[(u64, u64)]) -> Self {
        let mut events = Vec::with_capacity(spans.len() * 2);
        for (index, &(invoked, returned)) in spans.iter().enumerate() {
            assert!(invoked <= returned, "an interval ends before it starts");
            let call = u32::try_from(index).expect("invariant: a history has under 2^31 calls");
            events.push((invoked, false, call));
            events.push((returned, true, call));
        }
        events.sort_unstable();

        let count = u32::try_from(events.len() + 1).expect("invariant: under 2^32 events");
        let mut owner = vec![Owner::Head];
        let mut nodes = vec![(HEAD, HEAD); spans.len()];
        for (node, &(_, is_return, call)) in (1..count).zip(&events) {
            if is_return {
                owner.push(Owner::Return(call));
                nodes[call as usize].1 = node;
            } else {
                owner.push(Owner::Call(call));
                nodes[call as usize].0 = node;
            }
        }
        let next = (0..count).map(|node| (node + 1) % count).collect();
        let prev = (0..count).map(|node| (node + count - 1) % count);
        Self { next, prev: prev.collect(), owner, nodes }
    }

    /// Takes a call and its return out of the list.
    pub(super) fn lift(&mut self, call: u32) {
        let (invoked, returned) = self.nodes[call as usize];
        for node in [invoked, returned] {
            let (prev, next) = (self.prev[node as usize], self.next[node as usize]);
            self.next[prev as usize] = next;
            self.prev[next as usize] = prev;
        }
    }

    /// Puts back the call that was lifted last.
    pub(super) fn unlift(&mut self, call: u32) {
        let (invoked, returned) = self.nodes[call as usize];
        for node in [returned, invoked] {
            let (prev, next) = (self.prev[node as usize], self.next[node as usize]);
            self.next[prev as usize] = node;
            self.prev[next as usize] = node;
        }
    }

    /// Collects the calls invoked before the first open return, and gives the call whose return
    /// that is: the one that must be taken before time can go on. `None` when the list is empty.
    pub(super) fn open(&self, calls: &mut Vec<u32>) -> Option<u32> {
        let mut node = self.next[HEAD as usize];
        loop {
            match self.owner[node as usize] {
                Owner::Head => return None,
                Owner::Return(call) => return Some(call),
                Owner::Call(call) => calls.push(call),
            }
            node = self.next[node as usize];
        }
    }
}
