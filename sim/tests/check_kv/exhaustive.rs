//! All small histories: the verdict of the fast path is that of a search over all orders.
//!
//! The search knows nothing of logs or times of commits: a history is right when some order of its
//! operations, in which whoever returned before another was called stands before it, gives each
//! its answer. The fast path is given every log that could be true; it must accept one of them
//! exactly when there is such an order.

use std::sync::Arc;

use bytes::Bytes;
use node::{Header, Request};
use protocol::{Index, Position, Time};
use sim::check::judge;
use sim::check::kv::Model;
use sim::history::{Answer, Committed, Ending, History, Operation, Told};
use store::{Command, DeleteRange, Filter, KeyRange, Limits, Put, Range, SortOrder, SortTarget};

use crate::generate::TERM;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    PutA,
    PutB,
    DeleteA,
    Read,
}

impl Kind {
    fn request(self, number: usize) -> Request {
        let key = Bytes::from_static(if self == Self::PutB { b"b" } else { b"a" });
        match self {
            Self::PutA | Self::PutB => {
                let value = Some(format!("v{number}").into());
                Request::Write(Command::Put(Put { key, value, lease: Some(None), prev_kv: true }))
            }
            Self::DeleteA => {
                let range = KeyRange::single(key);
                Request::Write(Command::DeleteRange(DeleteRange { range, prev_kv: true }))
            }
            Self::Read => Request::Range { range: everything(), serializable: false },
        }
    }
}

fn everything() -> Range {
    Range {
        keys: KeyRange { key: Bytes::from_static(b"a"), end: Bytes::from_static(b"\0") },
        revision: 0,
        limit: 0,
        target: SortTarget::Key,
        order: SortOrder::None,
        keys_only: false,
        count_only: false,
        filter: Filter::default(),
    }
}

fn command(operation: &Operation) -> Option<&Command> {
    match &*operation.request {
        Request::Write(command) => Some(command),
        _ => None,
    }
}

/// All orders of calls and returns of `count` operations, of which at most three are open at
/// once: for each, the times of call and return, operations in the order of their calls.
fn shapes(count: usize) -> Vec<Vec<(Time, Time)>> {
    fn go(
        count: usize,
        time: u64,
        open: &mut Vec<usize>,
        shape: &mut Vec<(Time, Time)>,
        all: &mut Vec<Vec<(Time, Time)>>,
    ) {
        if shape.len() == count && open.is_empty() {
            all.push(shape.clone());
            return;
        }
        if shape.len() < count && open.len() < 3 {
            shape.push((Time(time), Time(0)));
            open.push(shape.len() - 1);
            go(count, time + 10, open, shape, all);
            open.pop();
            shape.pop();
        }
        for at in 0..open.len() {
            let number = open.remove(at);
            let before = std::mem::replace(&mut shape[number].1, Time(time));
            go(count, time + 10, open, shape, all);
            shape[number].1 = before;
            open.insert(at, number);
        }
    }
    let mut all = Vec::new();
    go(count, 10, &mut Vec::new(), &mut Vec::new(), &mut all);
    all
}

fn orders(of: &[usize]) -> Vec<Vec<usize>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for at in 0..of.len() {
        let mut rest = of.to_vec();
        let first = rest.remove(at);
        for mut order in orders(&rest) {
            order.insert(0, first);
            all.push(order);
        }
    }
    all
}

fn subsets(of: &[usize]) -> Vec<Vec<usize>> {
    (0..1_usize << of.len())
        .map(|mask| {
            let chosen = of.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0);
            chosen.map(|(_, number)| *number).collect()
        })
        .collect()
}

/// Whether some order of all answered operations, and of some of the others, explains the answers.
fn searched(operations: &[Operation]) -> bool {
    let (known, unknown): (Vec<usize>, Vec<usize>) =
        (0..operations.len()).partition(|it| operations[*it].returned.is_some());
    subsets(&unknown).into_iter().any(|some| {
        let mut all = known.clone();
        all.extend(some);
        orders(&all).into_iter().any(|order| explains(operations, &order))
    })
}

fn explains(operations: &[Operation], order: &[usize]) -> bool {
    let mut model = Model::new(Limits::default());
    for (place, number) in order.iter().enumerate() {
        let operation = &operations[*number];
        let late = order[place + 1..].iter().any(|later| {
            operations[*later].returned.is_some_and(|returned| returned < operation.called)
        });
        if late {
            return false;
        }
        let told = match command(operation) {
            Some(command) => Told::Outcome(model.apply(command).unwrap()),
            None => {
                let revision = model.revision();
                Told::Range { revision, result: model.read(&everything(), revision) }
            }
        };
        if let Ending::Answered(answer) = &operation.ending
            && (answer.told != told || answer.header.revision != model.revision())
        {
            return false;
        }
    }
    true
}

/// Whether the fast path accepts the operations with some log.
fn judged(operations: &[Operation]) -> bool {
    let writes: Vec<usize> =
        (0..operations.len()).filter(|it| command(&operations[*it]).is_some()).collect();
    let (known, unknown): (Vec<usize>, Vec<usize>) =
        writes.into_iter().partition(|it| operations[*it].returned.is_some());
    subsets(&unknown).into_iter().any(|some| {
        let mut all = known.clone();
        all.extend(some);
        orders(&all).into_iter().any(|order| accepted(operations, &order))
    })
}

/// Whether the fast path accepts this log, its entries committed as early as the answers allow:
/// not before they were asked for, nor before the call of a read that did not see them.
fn accepted(operations: &[Operation], order: &[usize]) -> bool {
    let mut model = Model::new(Limits::default());
    let (mut truth, mut at): (Vec<Committed>, Time) = (Vec::new(), Time(0));
    for (index, number) in (1..).zip(order) {
        let command = command(&operations[*number]).unwrap();
        let before = model.revision();
        model.apply(command).unwrap();
        at = at.max(operations[*number].called);
        for operation in operations {
            if let Ending::Answered(answer) = &operation.ending
                && answer.header.revision <= before
                && model.revision() > before
            {
                at = at.max(operation.called);
            }
        }
        let position = Position::new(TERM, Index(index));
        truth.push(Committed { position, at, command: Some(command.clone()), membership: None });
    }
    let history = History { operations: operations.to_vec(), truth, ..History::default() };
    judge(&history).is_ok()
}

/// All histories of a shape and of these kinds whose answers come from *some* order of the writes
/// and some revisions of the reads, whatever their times say; `lost`: and of which this one was
/// not answered.
fn histories(
    shape: &[(Time, Time)],
    kinds: &[Kind],
    lost: Option<usize>,
    mut visit: impl FnMut(&[Operation]),
) {
    let (writes, reads): (Vec<usize>, Vec<usize>) =
        (0..kinds.len()).partition(|it| kinds[*it] != Kind::Read);
    let mut operations: Vec<Operation> = (0..kinds.len())
        .map(|number| Operation {
            client: u32::try_from(number).unwrap(),
            called: shape[number].0,
            returned: Some(shape[number].1),
            request: Arc::new(kinds[number].request(number)),
            stamp: None,
            ending: Ending::Unknown,
        })
        .collect();
    for order in orders(&writes) {
        let mut model = Model::new(Limits::default());
        for number in &order {
            let outcome = model.apply(command(&operations[*number]).unwrap()).unwrap();
            operations[*number].ending = answer(model.revision(), Told::Outcome(outcome));
        }
        let revisions = usize::try_from(model.revision()).unwrap();
        for mut choice in 0..revisions.pow(u32::try_from(reads.len()).unwrap()) {
            for number in &reads {
                let revision = 1 + i64::try_from(choice % revisions).unwrap();
                choice /= revisions;
                let result = model.read(&everything(), revision);
                operations[*number].ending = answer(revision, Told::Range { revision, result });
            }
            let mut some = operations.clone();
            if let Some(lost) = lost {
                some[lost].returned = None;
                some[lost].ending = Ending::Unknown;
            }
            visit(&some);
        }
    }
}

fn answer(revision: i64, told: Told) -> Ending {
    Ending::Answered(Answer { header: Header { revision, term: TERM }, told })
}

fn kinds(of: &[Kind], count: usize) -> Vec<Vec<Kind>> {
    let mut all = vec![Vec::new()];
    for _ in 0..count {
        all = all
            .into_iter()
            .flat_map(|kinds| of.iter().map(move |kind| [kinds.clone(), vec![*kind]].concat()))
            .collect();
    }
    all
}

/// Compares both verdicts on all histories; gives how many were right and how many wrong.
fn compare(of: &[Kind], count: usize, lost: bool) -> (usize, usize) {
    let mut counts = (0, 0);
    for shape in shapes(count) {
        for kinds in kinds(of, count) {
            let losses = (0..count).filter(|it| lost && kinds[*it] != Kind::Read);
            for lost in losses.map(Some).chain([None]) {
                histories(&shape, &kinds, lost, |operations| {
                    let right = searched(operations);
                    assert_eq!(judged(operations), right, "{operations:#?}");
                    counts = (counts.0 + usize::from(right), counts.1 + usize::from(!right));
                });
            }
        }
    }
    counts
}

#[test]
fn up_to_three_operations_are_judged_as_by_search() {
    let all = [Kind::PutA, Kind::PutB, Kind::DeleteA, Kind::Read];
    let counts: Vec<_> = (1..=3).map(|count| compare(&all, count, true)).collect();
    assert_eq!(counts, [(7, 0), (205, 20), (12_252, 4_233)]);
}

#[test]
fn four_operations_are_judged_as_by_search() {
    assert_eq!(compare(&[Kind::PutA, Kind::Read], 4, false), (6_804, 14_337));
}
