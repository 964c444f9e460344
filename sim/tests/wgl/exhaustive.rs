//! Every small history of a register, judged like brute force judges it.

use super::twins::{brute_force, possible_worlds};
use sim::check::register::{Register, RegisterCall, RegisterResponse};
use sim::check::wgl::{Budget, Interval, Outcome, check};

type Call = Interval<RegisterCall, RegisterResponse>;
type Content = (RegisterCall, Option<RegisterResponse>);

/// Clients that wait at once; one whose call is lost goes on under a new number.
const CLIENTS: usize = 3;

/// Every call with every response over the values 0 and 1, and with none.
fn contents() -> Vec<Content> {
    let mut contents = vec![(RegisterCall::Read, None)];
    for value in [None, Some(0), Some(1)] {
        contents.push((RegisterCall::Read, Some(RegisterResponse::Value(value))));
    }
    for value in [0, 1] {
        let write = RegisterCall::Write(value);
        contents.push((write, Some(RegisterResponse::Written)));
        contents.push((write, None));
    }
    for (expected, new) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let expected = Some(expected);
        let cas = RegisterCall::Cas { expected, new };
        contents.push((cas, Some(RegisterResponse::Swapped)));
        contents.push((cas, Some(RegisterResponse::Unequal)));
        contents.push((cas, None));
    }
    contents
}

/// The place of the content with 0 and 1 exchanged.
fn mirror(contents: &[Content], content: usize) -> usize {
    let (call, response) = contents[content];
    let call = match call {
        RegisterCall::Read => RegisterCall::Read,
        RegisterCall::Write(value) => RegisterCall::Write(1 - value),
        RegisterCall::Cas { expected, new } => {
            RegisterCall::Cas { expected: expected.map(|value| 1 - value), new: 1 - new }
        }
    };
    let response = response.map(|response| match response {
        RegisterResponse::Value(value) => RegisterResponse::Value(value.map(|value| 1 - value)),
        other => other,
    });
    contents.iter().position(|&other| other == (call, response)).unwrap()
}

#[derive(Default)]
struct Tally {
    linearizable: u64,
    not: u64,
}

/// A history while it is built, call after call in the order of invocation.
///
/// Only who returned before whom was invoked matters, so that the returns between two invocations
/// are a set. Calls invoked without a return between them could change places: of the histories
/// that differ in nothing else only the one with ascending contents is built. Of two histories that
/// differ by an exchange of 0 and 1, the one with the smaller content at its head is built.
struct Builder<'a> {
    contents: &'a [Content],
    calls: Vec<Call>,
    picked: Vec<usize>,
    tally: Tally,
}

impl Builder<'_> {
    fn build(&mut self, length: usize) {
        if self.calls.len() == length {
            self.judge();
            return;
        }
        let now = self.calls.len() as u64 * 2 + 1;
        let open: Vec<usize> = (0..self.calls.len())
            .filter(|&call| self.calls[call].returned_at() == Some(u64::MAX))
            .collect();
        for returning in 0..1_usize << open.len() {
            let returns = |bit: &usize| returning & (1 << bit) != 0;
            let still_open = (0..open.len()).filter(|bit| !returns(bit)).count();
            if still_open >= CLIENTS {
                continue;
            }
            for bit in (0..open.len()).filter(returns) {
                self.set_return(open[bit], now - 1);
            }
            let least = match self.picked.last() {
                Some(&last) if returning == 0 => last,
                _ => 0,
            };
            for content in least..self.contents.len() {
                if self.calls.is_empty() && mirror(self.contents, content) < content {
                    continue;
                }
                self.push(content, now);
                self.build(length);
                self.calls.pop();
                self.picked.pop();
            }
            for &call in &open {
                self.set_return(call, u64::MAX);
            }
        }
    }

    fn push(&mut self, content: usize, invoked: u64) {
        let (call, response) = self.contents[content];
        let outcome = match response {
            Some(response) => Outcome::Returned { at: u64::MAX, response },
            None => Outcome::Unknown,
        };
        self.picked.push(content);
        self.calls.push(Interval { client: self.calls.len() as u64, invoked, call, outcome });
    }

    fn set_return(&mut self, call: usize, to: u64) {
        if let Outcome::Returned { at, .. } = &mut self.calls[call].outcome {
            *at = to;
        }
    }

    fn judge(&mut self) {
        let verdict = check(&Register, &self.calls, Budget::default());
        let expected = brute_force(&Register, &self.calls);
        assert_eq!(verdict.is_linearizable(), expected, "{:#?}", self.calls);
        assert_eq!(verdict.is_not(), !expected, "{:#?}", self.calls);
        if expected {
            self.tally.linearizable += 1;
        } else {
            self.tally.not += 1;
        }
    }
}

fn all_of_length(length: usize, contents: &[Content]) -> (u64, u64) {
    let mut builder =
        Builder { contents, calls: Vec::new(), picked: Vec::new(), tally: Tally::default() };
    builder.build(length);
    (builder.tally.linearizable, builder.tally.not)
}

#[test]
fn exhaustive_every_history_of_up_to_three_calls() {
    let contents = contents();
    let counts: Vec<_> = (0..=3).map(|length| all_of_length(length, &contents)).collect();
    assert_eq!(counts, [(1, 0), (8, 3), (138, 147), (3068, 6297)]);
}

#[test]
fn exhaustive_every_history_of_four_calls() {
    assert_eq!(all_of_length(4, &contents()), (91_342, 293_506));
}

#[test]
fn exhaustive_the_two_twins_agree_on_every_history_of_two_calls() {
    let contents = contents();
    let mut seen = [0; 2];
    for &(first, told_first) in &contents {
        for &(second, told_second) in &contents {
            for (at, invoked) in [(1, 2), (2, 1)] {
                let outcome = |response: Option<RegisterResponse>, at| match response {
                    Some(response) => Outcome::Returned { at, response },
                    None => Outcome::Unknown,
                };
                let history = [
                    Interval {
                        client: 0,
                        invoked: 0,
                        call: first,
                        outcome: outcome(told_first, at),
                    },
                    Interval { client: 1, invoked, call: second, outcome: outcome(told_second, 3) },
                ];
                let expected = brute_force(&Register, &history);
                assert_eq!(possible_worlds(&Register, &history), expected, "{history:?}");
                seen[usize::from(expected)] += 1;
            }
        }
    }
    assert!(seen.iter().all(|&count| count > 0));
}
