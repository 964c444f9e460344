use super::*;
use crate::Payload;

/// A history of runs: how many entries each epoch has.
fn history(runs: &[(u64, u64)]) -> History {
    let mut history = History::new(Restored::default()).expect("an empty log is whole");
    for &(term, count) in runs {
        for _ in 0..count {
            let position = Position::new(Term(term), history.last().index.next());
            history.append(Entry { position, payload: Payload::Empty });
        }
    }
    history.assert_invariants();
    history
}

fn at(term: u64, index: u64) -> Option<Position> {
    Some(Position::new(Term(term), Index(index)))
}

#[test]
fn the_common_position_is_the_end_of_the_shorter_run() {
    let ours = history(&[(1, 3), (3, 4)]);
    assert_eq!(ours.common(&history(&[(1, 2)]).tail(Index(0))), at(1, 2));
    assert_eq!(ours.common(&history(&[(1, 3), (3, 4)]).tail(Index(0))), at(3, 7));
    assert_eq!(ours.common(&history(&[(1, 3), (3, 9)]).tail(Index(0))), at(3, 7));
    assert_eq!(ours.common(&history(&[(1, 5)]).tail(Index(0))), at(1, 3));
    assert_eq!(ours.common(&history(&[(1, 3), (2, 2)]).tail(Index(0))), at(1, 3));
    assert_eq!(ours.common(&history(&[(1, 2), (2, 8)]).tail(Index(0))), at(1, 2));
    assert_eq!(ours.common(&history(&[]).tail(Index(0))), at(0, 0));
}

#[test]
fn what_was_trimmed_away_is_not_common() {
    let mut ours = history(&[(1, 3), (3, 4)]);
    ours.take_unwritten();
    ours.trim(Index(5));
    ours.assert_invariants();
    assert_eq!(ours.common(&history(&[(1, 3)]).tail(Index(2))), None);
    assert_eq!(ours.common(&history(&[(1, 3), (3, 1)]).tail(Index(3))), None);
    assert_eq!(ours.common(&history(&[(1, 3), (3, 2)]).tail(Index(3))), at(3, 5));
    assert_eq!(ours.common(&history(&[(1, 3), (3, 3), (4, 2)]).tail(Index(3))), at(3, 6));
}

/// The dumb twin: walk both from the end of the shorter one.
#[test]
fn the_common_position_is_what_a_walk_finds() {
    let mut rng = crate::Rng::new(7);
    for _ in 0..2000 {
        // One shared line of leaders, of which each history keeps a prefix and adds its own runs.
        let shared: Vec<(u64, u64)> = (1..=rng.below(4)).map(|t| (t, 1 + rng.below(3))).collect();
        let mut branch = |epoch: u64| {
            let keep = usize::try_from(rng.below(1 + shared.len() as u64)).unwrap_or(0);
            let mut runs = shared[..keep].to_vec();
            if let Some(run) = runs.last_mut() {
                run.1 = 1 + rng.below(run.1);
            }
            if rng.below(2) == 0 {
                runs.push((epoch, 1 + rng.below(3)));
            }
            runs
        };
        let (ours, theirs) = (history(&branch(5)), history(&branch(6)));
        let end = ours.last().index.min(theirs.last().index);
        let walk = (0..=end.0).rev().map(Index).find(|&i| ours.term_at(i) == theirs.term_at(i));
        let common = ours.common(&theirs.tail(Index(0)));
        assert_eq!(common.map(|position| position.index), walk, "{ours:?} {theirs:?}");
    }
}

#[test]
fn storage_is_told_of_cuts_only_when_it_had_what_is_cut() {
    let mut ours = history(&[(1, 3)]);
    ours.truncate(Index(2));
    assert_eq!(ours.take_unwritten().cut, None);
    ours.truncate(Index(1));
    let unwritten = ours.take_unwritten();
    assert_eq!((unwritten.cut, unwritten.entries.len()), (Some(Index(1)), 0));
    ours.append(Entry { position: Position::new(Term(2), Index(2)), payload: Payload::Empty });
    ours.retreat(Index(1));
    assert!(!ours.is_dirty());
}

#[test]
fn a_log_that_contradicts_itself_is_no_history() {
    let entry = |term, index| Entry {
        position: Position::new(Term(term), Index(index)),
        payload: Payload::Empty,
    };
    let terms = alloc::vec![(Index(1), Term(1))];
    let entries = alloc::vec![entry(1, 1), entry(1, 2)];
    let whole = Restored { terms, entries, ..Restored::default() };
    assert!(History::new(whole.clone()).is_some());
    let gap = Restored { entries: alloc::vec![entry(1, 2)], ..whole.clone() };
    assert!(History::new(gap).is_none());
    let ahead = Restored { applied: Index(3), entries: Vec::new(), ..Restored::default() };
    assert!(History::new(ahead).is_none());
    let unlike = Restored { entries: alloc::vec![entry(1, 1), entry(2, 2)], ..whole };
    assert!(History::new(unlike).is_none());
}
