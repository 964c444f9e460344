//! The search itself: configurations, choices, and the way back.

use super::Verdict;
use super::budget::Budget;
use super::done::{Done, Mark, Op};
use super::entries::Entries;
use super::history::Interval;
use super::intern::{StateId, States};
use super::memo::Memo;
use super::model::Model;
use super::report::{Attempt, Report};

/// One search over some calls of a history.
///
/// - `stack` holds the steps from the root to the current configuration; `choices` their untried
///   siblings, those of the deepest configuration at the end.
/// - `entries` and `done` agree: a call that returned is in exactly one of the two.
/// - `best` holds the steps to the farthest configuration that was exhausted; its first `shared`
///   steps are also the first of `stack`.
pub(super) struct Search<'a, M: Model> {
    model: &'a M,
    history: &'a [Interval<M::Call, M::Response>],
    /// Positions in the history of the calls that returned, by invocation.
    returned: Vec<usize>,
    /// Which of them change nothing wherever they are possible.
    inert: Vec<bool>,
    /// Calls of unknown outcome, by invocation.
    optional: Vec<Optional>,
    entries: Entries,
    done: Done,
    states: States<M::State>,
    memo: Memo,
    stack: Vec<Step>,
    choices: Vec<Choice>,
    best: Best,
    shared: usize,
    budget: Budget,
    steps: u64,
    /// Buffers of one expansion.
    open: Vec<u32>,
    next: Vec<M::State>,
    fresh: Vec<Choice>,
}

#[derive(Clone, Copy)]
struct Optional {
    position: usize,
    /// The next earlier call that is equal, by number.
    twin: Option<u32>,
}

/// One step of the current attempt.
#[derive(Clone, Copy)]
struct Step {
    op: Op,
    from: StateId,
    mark: Mark,
    /// Where the choices of the configuration behind this step begin.
    floor: usize,
}

#[derive(Clone, Copy)]
struct Choice {
    op: Op,
    to: StateId,
}

#[derive(Default)]
struct Best {
    steps: Vec<Step>,
    taken: usize,
    end: Option<DeadEnd>,
}

struct DeadEnd {
    state: StateId,
    blocked: u32,
    open: Vec<u32>,
}

impl<'a, M: Model> Search<'a, M> {
    /// A search over the calls at the positions `calls` of `history`.
    pub(super) fn new(
        model: &'a M,
        history: &'a [Interval<M::Call, M::Response>],
        calls: &[usize],
        budget: Budget,
    ) -> Self {
        let mut calls = calls.to_vec();
        calls.sort_by_key(|&position| history[position].invoked);
        let (returned, unknown): (Vec<_>, Vec<_>) =
            calls.into_iter().partition(|&position| history[position].response().is_some());
        let spans: Vec<(u64, u64)> = returned
            .iter()
            .filter_map(|&position| {
                let interval = &history[position];
                Some((interval.invoked, interval.returned_at()?))
            })
            .collect();
        let inert = returned.iter().map(|&position| {
            let interval = &history[position];
            model.changes_nothing(&interval.call, interval.response())
        });
        let inert = inert.collect();
        let optional = optional_calls(model, history, unknown);
        Self {
            model,
            history,
            entries: Entries::new(&spans),
            done: Done::new(returned.len(), optional.len()),
            returned,
            inert,
            optional,
            states: States::new(),
            memo: Memo::new(budget.memo_bytes),
            stack: Vec::new(),
            choices: Vec::new(),
            best: Best::default(),
            shared: 0,
            budget,
            steps: 0,
            open: Vec::new(),
            next: Vec::new(),
            fresh: Vec::new(),
        }
    }

    /// Searches to the end; `part` names the calls in a report.
    pub(super) fn run(mut self, part: &str) -> Verdict {
        let mut state = self.states.intern(self.model.initial());
        let mut taken = 0;
        self.memo.insert(&self.done, state);
        self.expand(state);
        loop {
            if taken == self.returned.len() {
                return Verdict::Linearizable;
            }
            if self.steps > self.budget.steps || self.states.len() > self.budget.states as usize {
                return Verdict::Unknown;
            }
            let floor = self.stack.last().map_or(0, |step| step.floor);
            if self.choices.len() > floor {
                let choice = self.choices.pop().expect("invariant: there are choices");
                if self.enter(choice, state) {
                    state = choice.to;
                    taken += usize::from(matches!(choice.op, Op::Returned(_)));
                    self.expand(state);
                }
            } else {
                self.note_dead_end(state, taken);
                let Some(step) = self.stack.pop() else {
                    return self.refuted(part);
                };
                self.shared = self.shared.min(self.stack.len());
                state = step.from;
                taken -= usize::from(matches!(step.op, Op::Returned(_)));
                self.put_back(step.op, step.mark);
            }
        }
    }

    /// Takes a choice; false, and nothing has changed, when it leads to a configuration that was
    /// entered before.
    fn enter(&mut self, choice: Choice, from: StateId) -> bool {
        let Choice { op, to } = choice;
        let mark = self.done.insert(op);
        if !self.memo.insert(&self.done, to) {
            self.done.remove(op, mark);
            return false;
        }
        if let Op::Returned(call) = op {
            self.entries.lift(call);
        }
        self.stack.push(Step { op, from, mark, floor: self.choices.len() });
        true
    }

    fn put_back(&mut self, op: Op, mark: Mark) {
        self.done.remove(op, mark);
        if let Op::Returned(call) = op {
            self.entries.unlift(call);
        }
    }

    /// Adds the choices of the current configuration, the one to try first at the end: calls that
    /// returned before optional ones, and by invocation.
    fn expand(&mut self, state: StateId) {
        let mut open = core::mem::take(&mut self.open);
        open.clear();
        if let Some(first) = self.entries.open(&mut open) {
            let inert = open.iter().any(|&call| self.expand_returned(state, call));
            if inert {
                self.choices.extend(self.fresh.pop());
            } else {
                self.expand_optional(state, first);
                self.choices.extend(self.fresh.drain(..).rev());
            }
            self.fresh.clear();
        }
        self.open = open;
    }

    /// Puts into `fresh` what a call that returned may lead to. True when the call can be taken
    /// and never changes anything: then no other choice is worth a try.
    fn expand_returned(&mut self, state: StateId, call: u32) -> bool {
        let op = Op::Returned(call);
        self.evaluate(state, self.returned[call as usize]);
        let inert = self.inert[call as usize];
        let possible = !self.next.is_empty();
        while let Some(next) = self.next.pop() {
            let to = self.states.intern(next);
            assert!(!inert || to == state, "a call that changes nothing changed the state");
            self.fresh.push(Choice { op, to });
        }
        possible && inert
    }

    /// Adds what the optional calls may lead to that were invoked before the return of `first`.
    fn expand_optional(&mut self, state: StateId, first: u32) {
        let Some(limit) = self.history[self.returned[first as usize]].returned_at() else {
            return;
        };
        let open = |optional: &Optional| self.history[optional.position].invoked <= limit;
        let open = self.optional.partition_point(open);
        for (call, number) in (0..open).zip(0_u32..) {
            let Optional { position, twin } = self.optional[call];
            let stood_for = twin.is_some_and(|twin| !self.done.has_optional(twin));
            if self.done.has_optional(number) || stood_for {
                continue;
            }
            self.evaluate(state, position);
            while let Some(next) = self.next.pop() {
                let to = self.states.intern(next);
                if to != state {
                    let op = Op::Optional(number);
                    self.choices.push(Choice { op, to });
                }
            }
        }
    }

    /// Puts into `next` the states that the call at `position` may lead to.
    fn evaluate(&mut self, state: StateId, position: usize) {
        self.steps += 1;
        self.next.clear();
        let interval = &self.history[position];
        let state = self.states.get(state);
        self.model.outcomes(state, &interval.call, interval.response(), &mut self.next);
    }

    /// Remembers the current attempt if none got as far, or as far with fewer guesses.
    fn note_dead_end(&mut self, state: StateId, taken: usize) {
        let Best { steps, taken: best, end } = &self.best;
        let shorter = taken == *best && self.stack.len() < steps.len();
        if end.is_some() && taken <= *best && !shorter {
            return;
        }
        let mut open = Vec::new();
        let Some(blocked) = self.entries.open(&mut open) else {
            return;
        };
        self.best.steps.truncate(self.shared);
        self.best.steps.extend_from_slice(&self.stack[self.shared..]);
        self.shared = self.stack.len();
        self.best.taken = taken;
        self.best.end = Some(DeadEnd { state, blocked, open });
    }

    fn refuted(self, part: &str) -> Verdict {
        let Best { steps, end, .. } = self.best;
        let end = end.expect("invariant: the root is a dead end before a history is refuted");
        let returned = |call: &u32| self.returned[*call as usize];
        let prefix = steps.iter().map(|step| match step.op {
            Op::Returned(call) => self.returned[call as usize],
            Op::Optional(call) => self.optional[call as usize].position,
        });
        let attempt = Attempt {
            prefix: prefix.collect(),
            blocked: returned(&end.blocked),
            open: end.open.iter().map(returned).collect(),
            calls: self.returned.len(),
        };
        let state = self.states.get(end.state);
        let report = Report::new::<M>(self.history, part, state, attempt);
        Verdict::Not(Box::new(report))
    }
}

/// The calls of unknown outcome that can matter, each tied to the equal one before it.
fn optional_calls<M: Model>(
    model: &M,
    history: &[Interval<M::Call, M::Response>],
    unknown: Vec<usize>,
) -> Vec<Optional> {
    let mut optional: Vec<Optional> = Vec::new();
    for position in unknown {
        let call = &history[position].call;
        if model.changes_nothing(call, None) {
            continue;
        }
        let twin = optional
            .iter()
            .rposition(|earlier| history[earlier.position].call == *call)
            .map(|twin| u32::try_from(twin).expect("invariant: a history has under 2^31 calls"));
        optional.push(Optional { position, twin });
    }
    optional
}
