//! The record of a recovery: who began this cluster out of what a lost one had left.
//!
//! A cluster that has lost a majority for good goes on as another one, with the data of one
//! survivor. What can be lost by that, nobody can find out later, unless it is written down where
//! the data is. So the recovered cluster's log begins with such a record. It is applied like any
//! command: every member that ever joins has it, from the log or with a whole state, a backup keeps
//! it, and a cluster that was recovered twice has two.
//!
//! Laws:
//!
//! - a record is never changed or removed; its name is the index of its entry;
//! - it changes neither keys nor revisions.

use alloc::string::String;
use alloc::vec::Vec;

use protocol::{ClusterId, Index, NodeId, Position, Term};

use crate::codec::{DecodeError, Reader, put_bytes, put_len, put_u64};
use crate::meta::Name;
use crate::{Outcome, Store};

/// What was done, to which cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recovery {
    /// Milliseconds since 1970, UTC, by the clock of the machine where it was done.
    pub at_ms: u64,
    /// The cluster that had lost its majority.
    pub cluster: ClusterId,
    /// The member whose data this is.
    pub survivor: NodeId,
    /// The last entry of its log; all up to here was kept.
    pub last: Position,
    /// What it knew to be committed; whether the entries after this were, it did not know.
    pub commit: Index,
    /// Entries up to this index may have been acknowledged and were not there, as the operator was
    /// told.
    pub doubt: Option<Index>,
    /// The other members, whose data was given up, with the names they had told.
    pub given_up: Vec<(NodeId, String)>,
}

impl Store {
    /// The recoveries that this state has come through, the first one first, each with the index
    /// of its entry.
    pub fn recoveries(&self) -> impl Iterator<Item = (Index, &Recovery)> {
        self.recoveries.iter().map(|(at, recovery)| (*at, recovery))
    }

    pub(crate) fn apply_recovery(&mut self, recovery: &Recovery) -> Outcome {
        let at = self.applied.index;
        self.dirty.insert(Name::Recovery(at));
        self.recoveries.insert(at, recovery.clone());
        Outcome::Done
    }
}

pub(crate) fn write_recovery(out: &mut Vec<u8>, recovery: &Recovery) {
    let Recovery { at_ms, cluster, survivor, last, commit, doubt, given_up } = recovery;
    for number in [*at_ms, cluster.0, survivor.0, last.term.0, last.index.0, commit.0] {
        put_u64(out, number);
    }
    out.push(u8::from(doubt.is_some()));
    doubt.iter().for_each(|doubt| put_u64(out, doubt.0));
    put_len(out, given_up.len());
    for (id, name) in given_up {
        put_u64(out, id.0);
        put_bytes(out, name.as_bytes());
    }
}

pub(crate) fn read_recovery(r: &mut Reader) -> Result<Recovery, DecodeError> {
    Ok(Recovery {
        at_ms: r.u64()?,
        cluster: ClusterId(r.u64()?),
        survivor: NodeId(r.u64()?),
        last: Position::new(Term(r.u64()?), Index(r.u64()?)),
        commit: Index(r.u64()?),
        doubt: if r.flag()? { Some(Index(r.u64()?)) } else { None },
        given_up: r.list(|r| Ok((NodeId(r.u64()?), r.text()?)))?,
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use bytes::Bytes;

    use super::*;
    use crate::{Bump, Command, Limits, Revision, Stamp};

    fn recovery(doubt: Option<Index>) -> Recovery {
        Recovery {
            at_ms: 5,
            cluster: ClusterId(6),
            survivor: NodeId(7),
            last: Position::new(Term(8), Index(9)),
            commit: Index(3),
            doubt,
            given_up: vec![(NodeId(1), "a".into()), (NodeId(2), String::new())],
        }
    }

    #[test]
    fn its_command_is_read_as_it_was_written_and_no_part_of_it_is_one() {
        for doubt in [None, Some(Index(11))] {
            let command = Command::Recovered(recovery(doubt));
            let mut bytes = Vec::new();
            command.encode(&mut bytes);
            let bytes = Bytes::from(bytes);
            assert_eq!(Command::decode(bytes.clone()), Ok(command));
            for end in 0..bytes.len() {
                assert!(Command::decode(bytes.slice(..end)).is_err(), "{end}");
            }
        }
    }

    type Meta = Vec<(Bytes, Bytes)>;

    fn apply(store: &mut Store, command: &Command) {
        let at = Position::new(Term(8), store.applied().index.next());
        store.apply(at, command).outcome.unwrap();
    }

    /// Metadata and records as a backend has them after a flush of everything.
    fn kept(store: &mut Store) -> (Meta, Vec<(Revision, crate::Record)>) {
        let flush = store.begin_flush().unwrap();
        store.flushed(flush.applied);
        let meta = flush.meta.into_iter().filter_map(|(name, value)| Some((name, value?)));
        (meta.collect(), flush.records)
    }

    fn restore(meta: Meta, records: &[(Revision, crate::Record)]) -> Store {
        let mut restoring = Store::restore(Limits::default(), meta).unwrap();
        records.iter().for_each(|(at, record)| restoring.record(*at, record));
        restoring.finish().unwrap().0
    }

    #[test]
    fn it_is_kept_over_restarts_recoveries_and_restores_and_changes_no_revision() {
        let mut store = Store::new(Limits::default());
        apply(&mut store, &Command::Recovered(recovery(None)));
        assert_eq!(store.revision(), 1);
        let stamp = Stamp::new(crate::ClientId([4; 16]), 1, 1).unwrap();
        let (key, value) = ("k".into(), Some("v".into()));
        let put = crate::Put { key, value, lease: Some(None), prev_kv: false };
        apply(&mut store, &Command::Put(put).stamped(stamp));
        let (meta, records) = kept(&mut store);
        let told: Vec<_> = store.recoveries().map(|(at, it)| (at, it.clone())).collect();
        assert_eq!(told, [(Index(1), recovery(None))]);
        let own = protocol::raft::Membership::of([NodeId(77)]);
        let applied = store.applied();
        let again = crate::inherit(meta.clone(), applied, Bump::default()).unwrap();
        let recovered = crate::succeed(meta.clone(), applied, Bump::default(), &own).unwrap();
        for (meta, sessions) in [(meta, 1), (again, 0), (recovered.clone(), 1)] {
            let store = restore(meta, &records);
            assert_eq!(store.revision(), 2);
            assert!(store.recoveries().eq(told.iter().map(|(at, it)| (*at, it))));
            assert_eq!(store.has_sessions(), sessions == 1);
        }
        let recovered = restore(recovered, &records);
        assert_eq!(recovered.membership(), Some(&own));
        assert_eq!(recovered.installed(), Some(applied));
    }
}
