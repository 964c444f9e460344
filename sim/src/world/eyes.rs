//! Who watches: the trace, the invariants and the marks.

use node::Node;
use protocol::Time;

use crate::fault::Fault;
use crate::invariants::{Config, Invariants};
use crate::marks::Marks;
use crate::seen::{Seen, View, Violation};
use crate::swarm::Options;
use crate::trace::Trace;

/// A digest of the state is taken at indexes divisible by this.
const DIGEST_EVERY: u64 = 16;

/// Everything that watches a world.
pub(crate) struct Eyes {
    pub(crate) trace: Trace,
    pub(crate) invariants: Invariants,
    pub(crate) marks: Marks,
    /// When nodes became leaders.
    pub(crate) leader_changes: Vec<Time>,
    /// When a clock leapt ahead.
    pub(crate) leaps: Vec<Time>,
    /// When the core was healed.
    pub(crate) healed_at: Option<Time>,
    violation: Option<Violation>,
}

impl Eyes {
    pub(crate) fn new(options: &Options) -> Self {
        let config = Config {
            nodes: options.machines(),
            voters: options.nodes,
            expiries_per_tick: options.stores.limits.expiries_per_tick,
            // A node that is short of space keeps it for nobody.
            keeps_log: options.stores.log_keep_bytes == u64::MAX && options.disks.reserved == 0,
            zab: options.runs_zab(),
        };
        Self {
            trace: Trace::new(options.machines(), options.record),
            invariants: Invariants::new(&config),
            marks: Marks::default(),
            leader_changes: Vec::new(),
            leaps: Vec::new(),
            healed_at: None,
            violation: None,
        }
    }

    pub(crate) fn see(&mut self, now: Time, seen: &Seen<'_>) {
        self.trace.see(now, seen);
        if self.marks.see(seen) {
            self.leader_changes.push(now);
        }
        if let Seen::Fault(Fault::Jump { .. }) = seen {
            self.leaps.push(now);
        }
        if self.violation.is_none() {
            self.violation = self.invariants.see(now, seen).err();
        }
    }

    pub(crate) fn violate(&mut self, at: Time, law: &'static str, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { law, at, what: what() });
        }
    }

    pub(crate) const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }
}

/// A look at a node, without the digest.
pub(crate) fn view(node: &Node) -> View {
    let (raft, store) = (node.core(), node.store());
    View {
        role: raft.role(),
        term: raft.term(),
        leader: raft.leader(),
        commit: raft.commit(),
        applied: store.applied(),
        last: raft.last(),
        revision: store.revision(),
        compact_revision: store.compact_revision(),
        digest: None,
    }
}

/// Whether a digest is due now that this index is applied.
pub(crate) const fn digest_due(applied: u64) -> bool {
    applied.is_multiple_of(DIGEST_EVERY)
}

/// One number for the whole state: history, alarms, leases and members.
pub(crate) fn digest(node: &Node) -> Option<u64> {
    let store = node.store();
    let mut cursor = store.begin_hash(0).ok()?;
    while !store.step_hash(&mut cursor, usize::MAX).ok()? {}
    let history = cursor.finish();
    let mut digest = u64::from(history.hash) << 32 ^ history.hash_revision.unsigned_abs();
    for lease in store.leases() {
        digest = digest
            .rotate_left(5)
            .wrapping_add(lease.0.unsigned_abs())
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    for (member, alarm) in store.alarms() {
        digest = digest.rotate_left(5) ^ member.0 ^ alarm as u64;
    }
    if let Some(membership) = store.membership() {
        digest = digest.rotate_left(5) ^ xxhash_rust::xxh3::xxh3_64(&membership.encode());
    }
    for member in store.members() {
        digest = digest.rotate_left(5) ^ member.id.0 ^ member.name.len() as u64;
    }
    digest = digest.rotate_left(5) ^ store.wish().map_or(0, |wish| wish.ticket);
    Some(digest)
}
