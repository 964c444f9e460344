//! The state that is made of a backup, wherever the making of it ends.

use protocol::Rng;
use storage::Identity;
use storage::backup::{BackupReader, FillError, fill, survey};
use storage::disk::{CrashPoint, FaultPlan, FaultyDisk, Moment};
use storage::state::{FaultyFiles, State};
use store::{BackendError, BackendRead, Bump, LeaseId, Limits, RestoreError, Revision, Store};

use crate::rig::{OWNER, Rig, SMALL, hash};

const ROOM: u64 = 1 << 14;
/// The member of the new cluster.
const HEIR: Identity = Identity { cluster: protocol::ClusterId(9), node: protocol::NodeId(8) };
const BUMP: Bump = Bump { by: 1_000, mark_compacted: true };

fn source() -> Rig<FaultyFiles> {
    let files = FaultyFiles::new(FaultyDisk::default(), ROOM);
    let mut rig = Rig::new(State::on(files, OWNER, SMALL).unwrap());
    rig.fill(&mut Rng::new(21), 120);
    rig
}

fn try_fill(files: &FaultyFiles, bytes: &[u8], bump: Bump) -> Result<i64, String> {
    let mut state = State::on(files.clone(), HEIR, SMALL).map_err(|error| error.to_string())?;
    let mut reader = BackupReader::open(bytes).unwrap();
    fill(&mut state, &mut reader, bump, |_| {}).map_err(|error| error.to_string())
}

/// The store that a start finds.
fn start(state: &State<FaultyFiles>) -> Store {
    let mut restoring = Store::restore(Limits::default(), state.meta().unwrap()).unwrap();
    let end = Revision::new(i64::MAX, 0);
    for (revision, record) in state.scan(Revision::default(), end, usize::MAX).unwrap() {
        restoring.record(revision, &record);
    }
    restoring.finish().unwrap().0
}

#[test]
fn the_heirs_state_is_the_old_one_with_leases_renewed_and_alarms_and_members_gone() {
    let old = source();
    let bytes = old.backup();
    let files = FaultyFiles::new(FaultyDisk::default(), ROOM);
    assert_eq!(try_fill(&files, &bytes, Bump::default()), Ok(old.store.revision()));
    let state = State::on(files, HEIR, SMALL).unwrap();
    let heir = start(&state);
    assert_eq!(hash(&heir), hash(&old.store));
    assert_eq!((heir.applied(), heir.installed()), (old.store.applied(), Some(heir.applied())));
    assert_eq!((heir.alarms().count(), heir.members().count()), (0, 0));
    assert!(old.store.alarms().count() == 1 && old.store.members().count() == 1);
    for id in [LeaseId(77), LeaseId(-5)] {
        let (before, after) = (old.store.lease(id).unwrap(), heir.lease(id).unwrap());
        assert!(before.remaining_ms < 60_000 && after.remaining_ms == 60_000, "{before:?}");
        assert!(before.keys().eq(after.keys()) && after.keys().next().is_some());
    }
}

#[test]
fn a_bump_skips_revisions_until_the_first_write_and_over_restarts() {
    let bytes = source().backup();
    let old = survey(&bytes[..]).unwrap();
    let files = FaultyFiles::new(FaultyDisk::default(), ROOM);
    assert_eq!(try_fill(&files, &bytes, BUMP), Ok(old.revision + 1_000));
    let state = State::on(files.clone(), HEIR, SMALL).unwrap();
    let mut heir = Rig { store: start(&state), state };
    assert_eq!(heir.store.compact_revision(), old.revision + 1_000);
    assert_eq!(heir.store.keys(), old.keys);
    // A flush without a write, a compaction of all that is dead, and a start, twice over.
    heir.apply(&store::Command::Tick { elapsed_ms: 10 });
    heir.flush();
    heir.store = start(&heir.state);
    // A second bump of what was not written to since the first.
    let twice = heir.backup();
    let other = FaultyFiles::new(FaultyDisk::default(), ROOM);
    assert_eq!(try_fill(&other, &twice, BUMP), Ok(old.revision + 2_000));
    let again = State::on(other, HEIR, SMALL).unwrap();
    assert_eq!(start(&again).revision(), old.revision + 2_000);

    heir.put("new", "value", None);
    assert_eq!(heir.store.revision(), old.revision + 1_001);
    heir.flush();
    heir.store = start(&heir.state);
    assert_eq!(heir.store.revision(), old.revision + 1_001);
    assert_eq!(heir.store.keys(), old.keys + 1);
}

#[test]
fn what_is_missing_is_not_taken_for_a_bump() {
    let bytes = source().backup();
    let files = FaultyFiles::new(FaultyDisk::default(), ROOM);
    try_fill(&files, &bytes, BUMP).unwrap();
    let state = State::on(files, HEIR, SMALL).unwrap();
    let mut heir = Rig { store: start(&state), state };
    heir.put("new", "value", None);
    heir.flush();
    // Without the record of the newest revision, the gap before it explains nothing.
    let restoring = Store::restore(Limits::default(), heir.state.meta().unwrap()).unwrap();
    let newest = heir.store.revision();
    let mut restoring = restoring;
    for (revision, record) in
        heir.state.scan(Revision::default(), Revision::new(newest, 0), usize::MAX).unwrap()
    {
        restoring.record(revision, &record);
    }
    assert_eq!(restoring.finish().unwrap_err(), RestoreError::Lost(newest));
}

#[test]
fn a_crash_at_every_operation_leaves_nothing_or_all_of_it() {
    let bytes = source().backup();
    let whole = survey(&bytes[..]).unwrap();
    let files = FaultyFiles::new(FaultyDisk::default(), ROOM);
    try_fill(&files, &bytes, BUMP).unwrap();
    let operations = files.disk().operations();
    assert!(operations > 20, "{operations}");
    let (mut nothing, mut all) = (0, 0);
    for operation in 0..operations {
        for (seed, moment) in
            [Moment::Before, Moment::Torn, Moment::Torn, Moment::After].into_iter().enumerate()
        {
            let crash = Some(CrashPoint { operation, moment });
            let plan = FaultPlan { seed: seed as u64, crash, ..FaultPlan::default() };
            let files = FaultyFiles::new(FaultyDisk::new(plan), ROOM);
            let _ended = try_fill(&files, &bytes, BUMP);
            assert!(files.disk().has_crashed());
            files.disk().restart();
            let state = State::on(files.clone(), HEIR, SMALL).unwrap();
            let store = start(&state);
            if state.meta().unwrap().is_empty() {
                nothing += 1;
                assert_eq!((store.revision(), store.keys()), (1, 0));
            } else {
                all += 1;
                assert_eq!((store.revision(), store.keys()), (whole.revision + 1_000, whole.keys));
            }
            drop(state);
            // Done again, it is whole, whatever was left.
            assert_eq!(try_fill(&files, &bytes, BUMP), Ok(whole.revision + 1_000));
        }
    }
    assert!(nothing > 60 && all > 2, "{nothing} {all}");
}

#[test]
fn damage_and_a_full_disk_leave_the_state_as_it_was() {
    let bytes = source().backup();
    let mut damaged = bytes.clone();
    let place = damaged.len() - 100;
    damaged[place] ^= 1;
    let files = FaultyFiles::new(FaultyDisk::default(), ROOM);
    let said = try_fill(&files, &damaged, BUMP).unwrap_err();
    assert!(said.contains("damaged"), "{said}");
    assert!(State::on(files.clone(), HEIR, SMALL).unwrap().meta().unwrap().is_empty());
    let room = ROOM * 5;
    files.disk().set_capacity(Some(room));
    let mut state = State::on(files, HEIR, SMALL).unwrap();
    let mut reader = BackupReader::open(&bytes[..]).unwrap();
    let error = fill(&mut state, &mut reader, BUMP, |_| {}).unwrap_err();
    assert!(matches!(error, FillError::State(BackendError::Full(_))), "{error}");
    assert!(state.meta().unwrap().is_empty());
}
