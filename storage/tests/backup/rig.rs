//! A store with all kinds of content, over a state, and backups of it.

use bytes::Bytes;
use protocol::{ClusterId, Index, NodeId, Position, Rng, Term};
use storage::Identity;
use storage::backup::{BackupWriter, Origin};
use storage::state::{Files, State, StateOptions, View};
use store::{
    Alarm, AlarmAction, Backend, Command, DeleteRange, KeyRange, LeaseId, Limits, Member, Put,
    Store,
};

pub(crate) const OWNER: Identity = Identity { cluster: ClusterId(0xC1), node: NodeId(0xA) };
pub(crate) const ORIGIN: Origin = Origin { identity: OWNER, taken_at_ms: 1_795_347_564_000 };

/// Blocks, tables and steps so small that a few records make several of each.
pub(crate) const SMALL: StateOptions =
    StateOptions { block_bytes: 200, table_bytes: 3000, step_bytes: 400, manifest_bytes: 1 };

/// A store and the state below it.
pub(crate) struct Rig<F> {
    pub(crate) store: Store,
    pub(crate) state: State<F>,
}

impl<F: Files> Rig<F> {
    pub(crate) fn new(state: State<F>) -> Self {
        Self { store: Store::new(Limits::default()), state }
    }

    pub(crate) fn apply(&mut self, command: &Command) {
        let Position { index, .. } = self.store.applied();
        self.store.apply(Position::new(Term(3), Index(index.0 + 1)), command).outcome.unwrap();
    }

    pub(crate) fn put(&mut self, key: &str, value: impl Into<Bytes>, lease: Option<LeaseId>) {
        self.apply(&Command::Put(Put {
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: Some(value.into()),
            lease: Some(lease),
            prev_kv: false,
        }));
    }

    pub(crate) fn flush(&mut self) {
        let Some(flush) = self.store.begin_flush() else { return };
        self.state.flush(&flush).unwrap();
        self.store.flushed(flush.applied);
    }

    /// Keys with a past, deletions, leases, an alarm, a member, and perhaps a compaction whose dead
    /// records the state still has.
    pub(crate) fn fill(&mut self, rng: &mut Rng, changes: u64) {
        let leases = [LeaseId(77), LeaseId(-5)];
        leases.iter().for_each(|id| self.apply(&Command::LeaseGrant { id: *id, ttl: 60 }));
        self.apply(&Command::Publish(Member {
            id: NodeId(0xA),
            name: "n1".into(),
            peer_urls: vec!["http://127.0.0.1:2380".into()],
            client_urls: Vec::new(),
        }));
        for change in 0..changes {
            let key = format!("key {}", rng.below(changes / 3 + 2));
            if rng.below(6) == 0 {
                let range = KeyRange::single(Bytes::from(key));
                self.apply(&Command::DeleteRange(DeleteRange { range, prev_kv: false }));
            } else {
                let long = rng.below(30) == 0;
                let length = rng.below(if long { 3000 } else { 90 });
                let value: Vec<u8> = (0..length).map(|_| rng.next().to_le_bytes()[0]).collect();
                let lease = (rng.below(4) == 0).then_some(leases[usize::from(change % 2 == 1)]);
                self.put(&key, value, lease);
            }
            if rng.below(9) == 0 {
                self.apply(&Command::Tick { elapsed_ms: 100 });
                self.flush();
            }
        }
        self.apply(&Command::Alarm {
            action: AlarmAction::Activate,
            member: Some(NodeId(0xA)),
            alarm: Some(Alarm::NoSpace),
        });
        let middle = self.store.revision() / 2;
        if middle > 1 {
            self.apply(&Command::Compact { revision: middle });
        }
        self.flush();
    }

    pub(crate) fn backup(&self) -> Vec<u8> {
        backup(self.state.view())
    }
}

/// All blocks of a backup, whose sizes are checked.
pub(crate) fn backup<F: Files>(view: View<F>) -> Vec<u8> {
    let mut writer = BackupWriter::new(view, ORIGIN).unwrap();
    let length = writer.header().length;
    let (mut bytes, mut sizes) = (Vec::new(), Vec::new());
    while let Some(block) = writer.block().unwrap() {
        sizes.push(block.len());
        bytes.extend_from_slice(&block);
    }
    assert_eq!(bytes.len() as u64, length);
    assert_eq!(length % 512, 32);
    assert_eq!(sizes.pop(), Some(32));
    let last = sizes.pop().unwrap();
    assert!(last > 0 && last <= 32 << 10 && sizes.iter().all(|size| *size == 32 << 10));
    bytes
}

/// The hash of all of history.
pub(crate) fn hash(store: &Store) -> store::HistoryHash {
    let mut cursor = store.begin_hash(0).unwrap();
    while !store.step_hash(&mut cursor, 100).unwrap() {}
    cursor.finish()
}
