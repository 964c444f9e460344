//! Linearizable histories with one thing changed, judged like the dumb judges judge them.

use super::generator::{Load, generate, index};
use super::twins::{brute_force, possible_worlds};
use protocol::Rng;
use sim::check::register::{Register, RegisterCall, RegisterResponse};
use sim::check::wgl::{Budget, Interval, Model, Outcome, Verdict, check};

type History = Vec<Interval<RegisterCall, RegisterResponse>>;

/// Values in use: few, so that reads often have several explanations.
const VALUES: u64 = 3;

pub(crate) fn pick(rng: &mut Rng) -> RegisterCall {
    let mut value = || i64::try_from(rng.below(VALUES)).unwrap();
    let (expected, new) = (Some(value()), value());
    match rng.below(3) {
        0 => RegisterCall::Read,
        1 => RegisterCall::Write(new),
        _ => RegisterCall::Cas { expected, new },
    }
}

/// A register that works.
pub(crate) fn act(state: &mut Option<i64>, call: &RegisterCall) -> RegisterResponse {
    match *call {
        RegisterCall::Read => RegisterResponse::Value(*state),
        RegisterCall::Write(value) => {
            *state = Some(value);
            RegisterResponse::Written
        }
        RegisterCall::Cas { expected, new } => {
            if *state == expected {
                *state = Some(new);
                RegisterResponse::Swapped
            } else {
                RegisterResponse::Unequal
            }
        }
    }
}

fn sound(rng: &mut Rng, load: Load) -> History {
    let mut state = None;
    generate(rng, load, pick, |call| act(&mut state, call))
}

#[derive(Clone, Copy, Debug)]
enum Mutation {
    SwapResponses,
    DropCall,
    ReturnEarlier,
    ReturnLater,
    ChangeValue,
    LoseResponse,
}

impl Mutation {
    const ALL: [Self; 6] = [
        Self::SwapResponses,
        Self::DropCall,
        Self::ReturnEarlier,
        Self::ReturnLater,
        Self::ChangeValue,
        Self::LoseResponse,
    ];

    /// Whether it asks for more than before, so that it can only refute; those that ask for less
    /// can only acquit, and start from a history that was refuted.
    const fn demands(self) -> bool {
        match self {
            Self::SwapResponses | Self::DropCall | Self::ReturnEarlier | Self::ChangeValue => true,
            Self::ReturnLater | Self::LoseResponse => false,
        }
    }

    fn apply(self, rng: &mut Rng, history: &mut History) {
        let end = history.iter().filter_map(Interval::returned_at).max().unwrap_or(0);
        let picked = index(rng, history.len());
        match self {
            Self::SwapResponses => {
                let other = index(rng, history.len());
                if let (Some(&left), Some(&right)) =
                    (history[picked].response(), history[other].response())
                {
                    set_response(&mut history[picked], right);
                    set_response(&mut history[other], left);
                }
            }
            Self::DropCall => {
                history.remove(picked);
            }
            Self::ReturnEarlier => {
                let invoked = history[picked].invoked;
                if let Outcome::Returned { at, .. } = &mut history[picked].outcome {
                    *at = invoked + rng.below(*at - invoked) / 4;
                }
            }
            Self::ReturnLater => {
                if let Outcome::Returned { at, .. } = &mut history[picked].outcome {
                    *at += 1 + rng.below(end);
                }
            }
            Self::ChangeValue => {
                let value = i64::try_from(rng.below(VALUES)).unwrap();
                let interval = &mut history[picked];
                match &mut interval.call {
                    RegisterCall::Read => {
                        set_response(interval, RegisterResponse::Value(Some(value)));
                    }
                    RegisterCall::Write(new) | RegisterCall::Cas { new, .. } => *new = value,
                }
            }
            Self::LoseResponse => history[picked].outcome = Outcome::Unknown,
        }
    }
}

fn set_response(interval: &mut Interval<RegisterCall, RegisterResponse>, to: RegisterResponse) {
    if let Outcome::Returned { response, .. } = &mut interval.outcome {
        *response = to;
    }
}

/// The verdict of the search, which must be that of a dumb judge.
fn judged<M: Model>(
    model: &M,
    history: &[Interval<M::Call, M::Response>],
    dumb: impl Fn(&M, &[Interval<M::Call, M::Response>]) -> bool,
    seed: u64,
) -> bool {
    let expected = dumb(model, history);
    let verdict = check(model, history, Budget::default());
    assert_ne!(verdict, Verdict::Unknown, "seed {seed}");
    assert_eq!(verdict.is_linearizable(), expected, "seed {seed}");
    expected
}

/// How often a history is changed until it is refuted.
const BREAKS: u32 = 8;

/// Mutates histories and counts the verdicts that each mutation turned.
fn mutate(
    load: Load,
    seeds: core::ops::Range<u64>,
    dumb: impl Fn(&Register, &[Interval<RegisterCall, RegisterResponse>]) -> bool + Copy,
) {
    for mutation in Mutation::ALL {
        let (mut refuted, mut acquitted) = (0, 0);
        for seed in seeds.clone() {
            let mut rng = Rng::new(seed);
            let mut history = sound(&mut rng, load);
            assert!(judged(&Register, &history, dumb, seed), "seed {seed}: a sound history");
            let mut before = true;
            for _ in 0..BREAKS {
                if mutation.demands() || !before {
                    break;
                }
                Mutation::ReturnEarlier.apply(&mut rng, &mut history);
                before = judged(&Register, &history, dumb, seed);
            }
            mutation.apply(&mut rng, &mut history);
            let after = judged(&Register, &history, dumb, seed);
            refuted += u32::from(before && !after);
            acquitted += u32::from(!before && after);
        }
        if mutation.demands() {
            assert!(refuted >= 10, "{mutation:?} refuted {refuted}");
        } else {
            assert!(acquitted >= 5, "{mutation:?} acquitted {acquitted}");
            assert_eq!(refuted, 0, "{mutation:?} asks for less and can refute nothing");
        }
    }
}

#[test]
fn mutated_small_histories_are_judged_like_brute_force() {
    let load = Load { calls: 7, clients: 3, lost_percent: 15 };
    mutate(load, 0..800, brute_force);
}

#[test]
fn mutated_larger_histories_are_judged_like_the_possible_worlds() {
    let load = Load { calls: 24, clients: 3, lost_percent: 8 };
    mutate(load, 1000..1200, possible_worlds);
}
