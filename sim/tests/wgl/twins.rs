//! Two dumber judges, which share the model with the search and nothing else.

use core::hash::BuildHasherDefault;
use hashbrown::HashSet;
use sim::check::wgl::{Interval, Model};
use std::hash::DefaultHasher;

type History<M> = [Interval<<M as Model>::Call, <M as Model>::Response>];

/// Tries every order of every choice of optional calls.
pub(crate) fn brute_force<M: Model>(model: &M, history: &History<M>) -> bool {
    assert!(history.len() <= 8, "that would take for ever");
    let mut left: Vec<usize> = (0..history.len()).collect();
    some_order(model, history, &mut left, &model.initial())
}

fn some_order<M: Model>(
    model: &M,
    history: &History<M>,
    left: &mut Vec<usize>,
    state: &M::State,
) -> bool {
    if left.iter().all(|&call| history[call].response().is_none()) {
        return true;
    }
    for place in 0..left.len() {
        let call = left[place];
        let interval = &history[call];
        let too_early = left.iter().any(|&other| {
            let returned = history[other].returned_at();
            returned.is_some_and(|returned| returned < interval.invoked)
        });
        if too_early {
            continue;
        }
        let mut next = Vec::new();
        model.outcomes(state, &interval.call, interval.response(), &mut next);
        left.remove(place);
        let found = next.iter().any(|state| some_order(model, history, left, state));
        left.insert(place, call);
        if found {
            return true;
        }
    }
    false
}

/// What may be the case at one moment: a state, and which of the open calls took effect.
type Possibility<S> = (S, Vec<usize>);
type Possibilities<S> = HashSet<Possibility<S>, BuildHasherDefault<DefaultHasher>>;

/// Walks through time with everything that may be the case, breadth first: a return keeps those
/// possibilities in which its call took effect.
pub(crate) fn possible_worlds<M: Model>(model: &M, history: &History<M>) -> bool {
    let mut events = Vec::new();
    for (call, interval) in history.iter().enumerate() {
        events.push((interval.invoked, false, call));
        events.extend(interval.returned_at().map(|at| (at, true, call)));
    }
    events.sort_unstable();

    let mut open = Vec::new();
    let mut worlds = Possibilities::default();
    worlds.insert((model.initial(), Vec::new()));
    for (_, is_return, call) in events {
        if !is_return {
            open.push(call);
            continue;
        }
        worlds = after_return(model, history, &open, call, worlds);
        open.retain(|&other| other != call);
        if worlds.is_empty() {
            return false;
        }
    }
    true
}

fn after_return<M: Model>(
    model: &M,
    history: &History<M>,
    open: &[usize],
    returned: usize,
    worlds: Possibilities<M::State>,
) -> Possibilities<M::State> {
    let mut seen = worlds.clone();
    let mut todo: Vec<_> = worlds.into_iter().collect();
    let mut after = Possibilities::default();
    while let Some((state, taken)) = todo.pop() {
        if taken.contains(&returned) {
            let rest = taken.into_iter().filter(|&call| call != returned);
            after.insert((state, rest.collect()));
            continue;
        }
        for &call in open.iter().filter(|call| !taken.contains(call)) {
            let interval = &history[call];
            let mut next = Vec::new();
            model.outcomes(&state, &interval.call, interval.response(), &mut next);
            for state in next {
                let mut taken = taken.clone();
                taken.push(call);
                taken.sort_unstable();
                let world = (state, taken);
                if seen.insert(world.clone()) {
                    todo.push(world);
                }
            }
        }
    }
    after
}
