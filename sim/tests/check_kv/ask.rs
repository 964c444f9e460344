//! Requests of all kinds, over few keys and few leases, so that they meet.

use bytes::Bytes;
use node::Request;
use store::watch::WatchCreate;
use store::{
    Command, Compare, Comparison, Condition, DeleteRange, Filter, KeyRange, LeaseId, Operation,
    Put, Range, SortOrder, SortTarget, Txn,
};

use crate::generate::World;

/// Puts and reads of single keys, half and half.
pub(crate) fn plain(world: &mut World, keys: u64) -> Request {
    let key = Bytes::from(format!("k{}", world.draw(keys)));
    if world.chance(50) {
        let value = Some(world.value());
        Request::Write(Command::Put(Put { key, value, lease: Some(None), prev_kv: false }))
    } else {
        Request::Range { range: latest(KeyRange::single(key)), serializable: false }
    }
}

/// Anything.
pub(crate) fn any(world: &mut World) -> Request {
    match world.rng.below(100) {
        0..24 => Request::Write(Command::Put(put(world))),
        24..32 => Request::Write(Command::DeleteRange(delete(world))),
        32..44 => Request::Write(Command::Txn(txn(world, 2))),
        44..62 => Request::Range { range: range(world), serializable: false },
        62..70 => Request::Range { range: range(world), serializable: true },
        70..76 => Request::ReadTxn { txn: read_txn(world, 2), serializable: false },
        76..79 => {
            let revision = world.store.revision() - world.draw(30) as i64 + 2;
            Request::Compact { revision, physical: world.chance(30) }
        }
        79..84 => {
            let id = LeaseId(1 + world.draw(12) as i64);
            world.leases.push(id);
            Request::Write(Command::LeaseGrant { id, ttl: world.draw(4) as i64 })
        }
        84..87 => Request::Write(Command::LeaseRevoke { id: lease(world) }),
        87..92 => Request::LeaseRenew(lease(world)),
        92..95 => Request::LeaseTimeToLive { id: lease(world), keys: world.chance(70) },
        95..97 => Request::Leases,
        97 => Request::Barrier,
        98 => Request::Status,
        _ => Request::Write(Command::Put(Put::default())),
    }
}

fn lease(world: &mut World) -> LeaseId {
    if world.leases.is_empty() || world.chance(10) {
        return LeaseId(1 + world.draw(12) as i64);
    }
    let at = world.draw(world.leases.len() as u64);
    world.leases[at]
}

fn key(world: &mut World) -> Bytes {
    Bytes::copy_from_slice(&[b'a' + world.draw(6) as u8])
}

fn keys(world: &mut World) -> KeyRange {
    let key = key(world);
    match world.rng.below(10) {
        0..5 => KeyRange::single(key),
        5..7 => KeyRange { key, end: Bytes::from_static(b"\0") },
        7 => KeyRange { key: Bytes::from_static(b"\0"), end: Bytes::from_static(b"\0") },
        _ => KeyRange { key, end: self::key(world) },
    }
}

fn put(world: &mut World) -> Put {
    let lease = match world.rng.below(10) {
        0..6 => Some(None),
        6 => None,
        _ => Some(Some(lease(world))),
    };
    let value = if world.chance(92) { Some(world.value()) } else { None };
    Put { key: key(world), value, lease, prev_kv: world.chance(40) }
}

fn delete(world: &mut World) -> DeleteRange {
    DeleteRange { range: keys(world), prev_kv: world.chance(50) }
}

fn latest(keys: KeyRange) -> Range {
    Range {
        keys,
        revision: 0,
        limit: 0,
        target: SortTarget::Key,
        order: SortOrder::None,
        keys_only: false,
        count_only: false,
        filter: Filter::default(),
    }
}

fn range(world: &mut World) -> Range {
    let mut range = latest(keys(world));
    if world.chance(40) {
        return range;
    }
    let newest = world.store.revision() as u64;
    if world.chance(40) {
        range.revision = newest as i64 + 1 - world.draw(40.min(newest + 2)) as i64;
    }
    range.limit = world.draw(5) as i64 - 1;
    range.target = [
        SortTarget::Key,
        SortTarget::Version,
        SortTarget::Create,
        SortTarget::Mod,
        SortTarget::Value,
    ][world.draw(5)];
    range.order = [SortOrder::None, SortOrder::Ascend, SortOrder::Descend][world.draw(3)];
    range.keys_only = world.chance(15);
    range.count_only = world.chance(10);
    if world.chance(25) {
        let bound = |world: &mut World| {
            if world.chance(50) { world.draw(newest + 1) as i64 } else { 0 }
        };
        range.filter = Filter {
            min_mod: bound(world),
            max_mod: bound(world),
            min_create: bound(world),
            max_create: bound(world),
        };
    }
    range
}

fn compare(world: &mut World) -> Compare {
    let newest = world.store.revision() as u64;
    let condition = match world.rng.below(5) {
        0 => Condition::Version(world.draw(4) as i64),
        1 => Condition::CreateRevision(world.draw(newest + 1) as i64),
        2 => Condition::ModRevision(world.draw(newest + 1) as i64),
        3 => Condition::Value(format!("v{}", world.draw(world.values + 1)).into()),
        _ => Condition::Lease(world.draw(4) as i64),
    };
    let comparison =
        [Comparison::Equal, Comparison::Greater, Comparison::Less, Comparison::NotEqual]
            [world.draw(4)];
    Compare { range: keys(world), comparison, condition }
}

fn txn(world: &mut World, depth: usize) -> Txn {
    let compare = (0..world.draw(3)).map(|_| compare(world)).collect();
    let branch = |world: &mut World| {
        let steps = (0..world.draw(4)).map(|_| match world.rng.below(10) {
            0..4 => Operation::Put(put(world)),
            4..6 => Operation::DeleteRange(delete(world)),
            6 if depth > 0 => Operation::Txn(txn(world, depth - 1)),
            _ => Operation::Range(range(world)),
        });
        steps.collect()
    };
    Txn { compare, success: branch(world), failure: branch(world) }
}

fn read_txn(world: &mut World, depth: usize) -> Txn {
    let compare = (0..world.draw(3)).map(|_| compare(world)).collect();
    let branch = |world: &mut World| {
        let steps = (0..world.draw(3)).map(|_| match world.rng.below(5) {
            0 if depth > 0 => Operation::Txn(read_txn(world, depth - 1)),
            _ => Operation::Range(range(world)),
        });
        steps.collect()
    };
    Txn { compare, success: branch(world), failure: branch(world) }
}

/// A watch of any kind.
pub(crate) fn watch(world: &mut World) -> WatchCreate {
    let newest = world.store.revision();
    let start_revision = match world.rng.below(10) {
        0..4 => 0,
        4..8 => 1 + world.draw(newest as u64) as i64,
        8 => newest + world.draw(30) as i64,
        _ => -1,
    };
    WatchCreate {
        id: 0,
        keys: keys(world),
        start_revision,
        no_put: world.chance(10),
        no_delete: world.chance(10),
        prev_kv: world.chance(50),
        progress_notify: world.chance(50),
        fragment: world.chance(30),
    }
}
