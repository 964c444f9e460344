//! A pinned flush stays as it is, whatever becomes of the state.

use std::thread;

use bytes::Bytes;
use protocol::{Position, Rng};
use storage::state::{DiskBackend, Files, RealFiles, State, View};
use store::{Backend, BackendRead, Flush, KeyValue, Record, Revision};

use crate::install_support::{Foreign, Script};
use crate::support::{OWNER, SMALL, Truth, healthy, settle};

/// Everything that a view gives.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    records: Vec<(Revision, Record)>,
    meta: Vec<(Bytes, Bytes)>,
    applied: Position,
}

fn seen(view: &impl BackendRead) -> Seen {
    let end = Revision::new(i64::MAX, 0);
    let records = view.scan(Revision::default(), end, usize::MAX).unwrap();
    for (revision, record) in &records {
        assert_eq!(view.get(*revision).unwrap().as_ref(), Some(record));
    }
    // The same, a few at a time, as a transfer reads it.
    let (mut again, mut from) = (Vec::new(), Revision::default());
    loop {
        let few = view.scan(from, end, 3).unwrap();
        let Some((last, _)) = few.last() else { break };
        from = Revision::new(last.main, last.sub + 1);
        again.extend(few);
    }
    assert_eq!(again, records);
    Seen { records, meta: view.meta().unwrap(), applied: view.applied() }
}

/// However large values are, a part of a view is less than a value more than was asked for.
#[test]
fn a_part_of_a_view_is_bounded_by_bytes_and_all_parts_are_the_view() {
    let files = healthy();
    let mut state = State::Disk(Box::new(DiskBackend::open(files, OWNER, SMALL).unwrap()));
    let value = |main: i64| vec![7; if main % 10 < 5 { 3 } else { 400 }];
    let record = |main: i64| {
        let (key, value) = (Bytes::from(format!("k{main}")), Bytes::from(value(main)));
        let (create_revision, mod_revision, version, lease) = (main, main, 1, None);
        let kv = KeyValue { key, value, create_revision, mod_revision, version, lease };
        (Revision::new(main, 0), Record::Put(kv))
    };
    for first in [0, 15, 30, 45] {
        let records = (first + 1..=first + 15).map(record).collect();
        state.flush(&Flush { records, ..Flush::default() }).unwrap();
    }
    let view = state.view();
    let whole = seen(&view).records;
    assert_eq!(whole.len(), 60);
    for (records, bytes, most) in [(usize::MAX, 1_000, 1_400), (7, usize::MAX, 2_800), (9, 1, 400)]
    {
        let (mut again, mut from) = (Vec::new(), Revision::default());
        loop {
            let part = view.part(from, records, bytes).unwrap();
            let Some((last, _)) = part.last() else { break };
            let size: usize = part.iter().map(|(at, _)| value(at.main).len()).sum();
            assert!(part.len() <= records && size <= most, "{} of {size} bytes", part.len());
            from = Revision::new(last.main, last.sub + 1);
            again.extend(part);
        }
        assert_eq!(again, whole);
    }
}

fn tables(files: &impl Files) -> usize {
    let files = files.list().unwrap();
    files.iter().filter(|file| file.name.starts_with("table-")).count()
}

/// Views of many moments of a life with switches, all of them held, then dropped one by one.
#[test]
fn a_view_sees_one_flush_through_flushes_rewrites_and_switches() {
    let files = healthy();
    let mut state = State::Disk(Box::new(DiskBackend::open(files.clone(), OWNER, SMALL).unwrap()));
    let mut script = Script::new(4);
    let mut views: Vec<(View<_>, Seen)> = Vec::new();
    for round in 0..12 {
        let State::Disk(backend) = &mut state else { unreachable!("it is on disk") };
        if round % 4 == 3 {
            script.run(backend, 1).unwrap();
        } else {
            script.live(backend, 3).unwrap();
        }
        let view = state.view();
        let now = seen(&view);
        assert_eq!(now, seen(&state), "a view begins as the state is");
        views.push((view, now));
        for (view, then) in &views {
            assert_eq!(&seen(view), then);
        }
    }
    settle(&mut state).unwrap();
    let held = tables(&files);
    let State::Disk(backend) = &mut state else { unreachable!("it is on disk") };
    assert!(held > backend.tables(), "views hold files");
    let pinned = backend.size().total;
    // Out of order; the rest are not touched by it.
    while !views.is_empty() {
        views.remove(views.len() / 2);
        state.maintain().unwrap();
        for (view, then) in &views {
            assert_eq!(&seen(view), then);
        }
    }
    settle(&mut state).unwrap();
    let State::Disk(backend) = &mut state else { unreachable!("it is on disk") };
    assert_eq!(tables(&files), backend.tables(), "no view holds anything");
    assert!(backend.size().total < pinned);
    script.believe(&**backend);
}

#[test]
fn a_view_in_memory_sees_one_flush_as_well() {
    let mut state = State::memory();
    let (mut rng, mut truth) = (Rng::new(2), Truth::new());
    let mut views = Vec::new();
    for round in 0..10 {
        state.flush(&truth.next_flush(&mut rng, 8)).unwrap();
        let view = state.view();
        let now = seen(&view);
        assert_eq!(now, seen(&state));
        views.push((view, now));
        state.discard(&truth.choose_dead(&mut rng, 2)).unwrap();
        if round == 6 {
            let foreign = Foreign::after(&truth, &mut rng, 3);
            state.stage_begin().unwrap();
            state.stage(&foreign.records).unwrap();
            views.push((state.view(), seen(&state)));
            state.install(&foreign.meta, foreign.applied()).unwrap();
            truth = foreign.truth;
        }
        for (view, then) in &views {
            assert_eq!(&seen(view), then);
        }
    }
}

/// Read by another thread, on real files, while the state is flushed, rewritten and replaced.
#[test]
fn a_view_is_streamed_beside_its_owner() {
    let directory = tempfile::tempdir().unwrap();
    let files = RealFiles::open(directory.path()).unwrap();
    let mut backend = DiskBackend::open(files, OWNER, SMALL).unwrap();
    let mut script = Script::new(11);
    script.run(&mut backend, 2).unwrap();
    let view = backend.view();
    let then = seen(&view);
    thread::scope(|scope| {
        let streaming = scope.spawn(|| (0..30).all(|_| seen(&view) == then));
        for _ in 0..6 {
            script.run(&mut backend, 1).unwrap();
        }
        assert!(streaming.join().unwrap());
    });
    assert_eq!(seen(&view), then);
    script.believe(&backend);
}
