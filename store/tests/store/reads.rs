//! Reads: order, limit, count, filters, steps.

use store::{Command, Error, Filter, LeaseId, Put, Range, SortOrder, SortTarget};

use crate::rig::{Rig, bytes, grant, plain, put_leased, range};

fn rig() -> Rig {
    let mut rig = Rig::cold();
    // mod_revision 2..=8; versions a 3, b 2, c 1, d 1; values out of the order of keys.
    for (key, value) in
        [("a", "0"), ("d", "2"), ("a", "0"), ("b", "9"), ("c", "5"), ("b", "1"), ("a", "7")]
    {
        rig.put(key, value);
    }
    rig
}

fn names(rig: &Rig, range: &Range) -> (String, bool, i64) {
    let result = rig.read(range).expect("readable");
    let text = result.kvs.iter().map(|kv| String::from_utf8_lossy(&kv.key).into_owned());
    (text.collect(), result.more, result.count)
}

#[test]
fn ranges_are_half_open_single_open_or_empty() {
    let rig = rig();
    for (key, end, expected) in [
        ("a", "", "a"),
        ("a", "c", "ab"),
        ("b", "\0", "bcd"),
        ("\0", "\0", "abcd"),
        ("c", "a", ""),
        ("c", "c", ""),
        ("x", "", ""),
    ] {
        assert_eq!(names(&rig, &range(key, end)).0, expected, "{key:?}..{end:?}");
    }
}

#[test]
fn count_is_of_all_keys_and_more_of_those_cut_off() {
    let rig = rig();
    let all = range("a", "z");
    let limited = |limit| names(&rig, &Range { limit, ..all.clone() });
    assert_eq!(limited(2), ("ab".into(), true, 4));
    assert_eq!(limited(4), ("abcd".into(), false, 4));
    assert_eq!(limited(-1), ("abcd".into(), false, 4));
    assert_eq!(limited(i64::MAX), ("abcd".into(), false, 4));
    let filter = Filter { min_mod: 6, ..Filter::default() };
    let filtered = Range { filter, limit: 2, ..all.clone() };
    assert_eq!(names(&rig, &filtered), ("ab".into(), true, 4));
    let counted = Range { count_only: true, limit: 1, ..all };
    assert_eq!(names(&rig, &counted), (String::new(), false, 4));
}

#[test]
fn each_target_sorts_both_ways_and_equals_stay_in_the_order_of_keys() {
    let mut rig = rig();
    for flushed in [false, true] {
        for (target, up, down) in [
            (SortTarget::Key, "abcd", "dcba"),
            (SortTarget::Version, "cdba", "abcd"),
            (SortTarget::Create, "adbc", "cbda"),
            (SortTarget::Mod, "dcba", "abcd"),
            (SortTarget::Value, "bdca", "acdb"),
        ] {
            let sorted = |order| Range { target, order, ..range("a", "z") };
            assert_eq!(names(&rig, &sorted(SortOrder::Ascend)).0, up, "{target:?}, {flushed}");
            assert_eq!(names(&rig, &sorted(SortOrder::Descend)).0, down, "{target:?}, {flushed}");
            let first = Range { limit: 1, ..sorted(SortOrder::Descend) };
            assert_eq!(names(&rig, &first), (down[..1].into(), true, 4), "{target:?}, {flushed}");
        }
        rig.flush();
    }
}

/// etcd fetches one key more than the limit, sorts these, and cuts the last one off.
#[test]
fn a_target_without_an_order_sorts_what_the_limit_has_left() {
    let rig = rig();
    let quirk = Range { target: SortTarget::Mod, limit: 2, ..range("a", "z") };
    assert_eq!(names(&rig, &quirk), ("cb".into(), true, 4));
    let whole = Range { limit: 0, ..quirk };
    assert_eq!(names(&rig, &whole), ("dcba".into(), false, 4));
}

#[test]
fn only_the_values_that_are_answered_are_fetched() {
    let mut rig = rig();
    rig.flush();
    let stored = |range: Range| {
        let mut cursor = rig.store.begin_range(&range).expect("readable");
        while !rig.store.step_range(&mut cursor, 3).expect("readable") {}
        cursor.into_view().stored().count()
    };
    let all = range("a", "z");
    let descend = SortOrder::Descend;
    assert_eq!(stored(all.clone()), 4);
    assert_eq!(stored(Range { limit: 1, ..all.clone() }), 1);
    assert_eq!(
        stored(Range { limit: 1, target: SortTarget::Mod, order: descend, ..all.clone() }),
        1
    );
    assert_eq!(
        stored(Range { limit: 1, target: SortTarget::Value, order: descend, ..all.clone() }),
        4
    );
    assert_eq!(stored(Range { keys_only: true, ..all.clone() }), 0);
    assert_eq!(stored(Range { count_only: true, ..all }), 0);
}

#[test]
fn keys_only_tells_the_lease_also_of_the_past() {
    let mut rig = Rig::cold();
    rig.ok(&grant(1, 60));
    rig.ok(&put_leased("a", "1", 1));
    rig.ok(&Command::Put(Put { lease: Some(None), ..plain("a", "2") }));
    rig.ok(&put_leased("b", "1", 1));
    for _ in 0..2 {
        let at = |revision| {
            let keys = Range { keys_only: true, revision, ..range("a", "z") };
            let kvs = rig.read(&keys).expect("readable").kvs;
            assert!(kvs.iter().all(|kv| kv.value.is_empty()));
            kvs.into_iter().map(|kv| kv.lease).collect::<Vec<_>>()
        };
        let lease = Some(LeaseId(1));
        assert_eq!((at(2), at(3), at(4)), (vec![lease], vec![None], vec![None, lease]));
        rig.flush();
    }
}

#[test]
fn the_past_is_read_as_it_was_and_the_future_is_refused() {
    let rig = rig();
    let at = |revision| rig.read(&Range { revision, ..range("a", "") });
    assert_eq!(at(3).expect("readable").kvs[0].value, bytes("0"));
    assert_eq!(at(1).expect("readable").count, 0);
    assert_eq!(at(-5).expect("the latest").kvs[0].value, bytes("7"));
    assert_eq!(at(9), Err(Error::FutureRevision));
}

#[test]
fn a_record_that_is_gone_when_it_is_fetched_is_told() {
    let mut rig = rig();
    rig.flush();
    let mut cursor = rig.store.begin_range(&range("a", "z")).expect("readable");
    assert!(rig.store.step_range(&mut cursor, 100).expect("readable"));
    let first = cursor.clone().into_view().stored().next().expect("nothing is in memory");
    assert_eq!(cursor.into_view().complete(|_| None), Err(store::Gone(first)));
}
