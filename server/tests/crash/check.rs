//! What a replica that came back must show.

use std::sync::Arc;

use node::{Body, Failure, Request};
use storage::disk::Disk;
use storage::disk::FaultyDisk;
use storage::state::{FaultyFiles, Files};
use store::{BackendRead, Error, KeyValue};

use crate::history::{History, Moment};
use crate::machine::{Disks, ROOM};
use crate::replica::{Progress, Refusal, Replica};
use crate::script::{key_range, put, read};

/// A replica on disks that are its own.
pub(crate) type Survivor = Replica<FaultyDisk, FaultyFiles>;

/// A replica that came back, and its state's disk.
pub(crate) struct Back {
    pub(crate) replica: Survivor,
    files: FaultyFiles,
}

/// Starts a replica from what the disks hold.
pub(crate) fn start(disks: Disks, run: u64) -> Result<Back, Refusal> {
    let files = FaultyFiles::new(disks.state, ROOM);
    let replica = Replica::open(disks.log, files.clone(), run, Arc::new(Progress::default()))?;
    Ok(Back { replica, files })
}

impl Back {
    /// Ends the process without warning.
    pub(crate) fn kill(self) -> Disks {
        let log = self.replica.log.into_disk();
        drop(self.replica.state);
        let state = self.files.disk().clone();
        Disks { log, state }
    }
}

/// All keys at a revision, as this replica alone knows them.
pub(crate) fn keys_at<D: Disk, F: Files>(
    replica: &mut Replica<D, F>,
    revision: i64,
    serializable: bool,
) -> Result<Vec<KeyValue>, Failure> {
    let range = read(key_range("\0", "\0"), revision);
    let reply = replica.call(Request::Range { range, serializable }).unwrap();
    let view = match reply.body? {
        Body::View(view) => view,
        other => panic!("{other:?}"),
    };
    let state = &replica.state;
    Ok(view.complete(|at| state.get(at).unwrap()).unwrap().kvs)
}

/// The replica shows exactly what history says of an entry: every key at every revision that was
/// not compacted, the hash over all of it, and the leases.
pub(crate) fn shows<D: Disk, F: Files>(replica: &mut Replica<D, F>, history: &History, entry: u64) {
    let expected = history.moment(entry);
    assert_eq!(&Moment::of(replica.node.store()), expected, "after entry {entry}");
    for revision in expected.readable() {
        let found = keys_at(replica, revision, true).unwrap();
        assert_eq!(found, history.reads[&revision], "keys at revision {revision}");
    }
    let compacted = expected.compact_revision - 1;
    if compacted > 0 {
        let refused = Err(Failure::Store(Error::Compacted));
        assert_eq!(keys_at(replica, compacted, true), refused);
    }
}

/// The replica takes three more writes, and has them after the next loss of power.
pub(crate) fn goes_on(mut back: Back, run: u64) {
    let mut expected = keys_at(&mut back.replica, 0, false).unwrap();
    for number in 0..3 {
        let revision = back.replica.node.store().revision() + 1;
        let (key, value) = (format!("zz-{number}"), format!("after {number}"));
        let reply = back.replica.call(Request::Write(put(&key, &value))).unwrap();
        assert!(matches!(reply.body, Ok(Body::Outcome(_))), "{reply:?}");
        assert_eq!(reply.header.revision, revision);
        expected.push(KeyValue {
            key: key.into(),
            value: value.into(),
            create_revision: revision,
            mod_revision: revision,
            version: 1,
            lease: None,
        });
    }
    assert_eq!(keys_at(&mut back.replica, 0, false).unwrap(), expected);
    back.replica.settle().unwrap();
    let before = Moment::of(back.replica.node.store());

    let mut disks = back.kill();
    disks.power_off(storage::disk::Moment::Before, 0);
    let mut again = start(disks, run + 1).unwrap();
    assert_eq!(again.replica.recovered.doubt, None);
    again.replica.lead().unwrap();
    assert_eq!(Moment::of(again.replica.node.store()), before);
    assert_eq!(keys_at(&mut again.replica, 0, false).unwrap(), expected);
}
