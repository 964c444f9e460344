//! From lines to intervals.

use super::event::{Event, Function, Kind, ParseError, Value, read};
use crate::check::register::{RegisterCall, RegisterResponse};
use crate::check::wgl::{Interval, Outcome};
use std::collections::BTreeMap;

/// Reads a log. Times are numbers of lines, from 1; clients are processes.
///
/// # Errors
///
/// See [`judge`](super::judge).
pub fn parse(text: &str) -> Result<Vec<Interval<RegisterCall, RegisterResponse>>, ParseError> {
    let mut log = Log::default();
    let mut passed_over = None;
    for (line, number) in text.lines().zip(1..) {
        let wrong = |expected| ParseError::new(number, expected, line);
        match read(line).map_err(wrong)? {
            Some(event) => log
                .add(number, event)
                .map_err(|expected| ParseError::new(number, expected, line))?,
            None if line.trim_start().starts_with(char::is_alphabetic) => {
                passed_over = Some((number, line));
            }
            None => {}
        }
    }
    match passed_over {
        Some((number, line)) if log.calls.is_empty() => {
            Err(ParseError::new(number, "at least one event in the file", line))
        }
        _ => Ok(log.calls.into_iter().flatten().collect()),
    }
}

/// The calls so far.
///
/// - `calls` are in the order of their invocation; those that did not happen are `None`.
/// - `open` has, for each process with an open call, its place in `calls`.
#[derive(Default)]
struct Log {
    calls: Vec<Option<Interval<RegisterCall, RegisterResponse>>>,
    open: BTreeMap<u64, usize>,
}

/// What a result says about its call.
enum Finding {
    Told(RegisterResponse),
    Nothing,
    DidNotHappen,
}

impl Log {
    fn add(&mut self, line: usize, event: Event) -> Result<(), String> {
        if event.kind == Kind::Invoke {
            self.invoke(line, event)
        } else {
            self.conclude(line, event)
        }
    }

    fn invoke(&mut self, line: usize, event: Event) -> Result<(), String> {
        let call = match (event.function, event.value) {
            (Function::Read, Value::Absent | Value::One(None)) => RegisterCall::Read,
            (Function::Read, _) => return Err("nil as the value of an invoked read".to_owned()),
            (Function::Write, Value::One(Some(value))) => RegisterCall::Write(value),
            (Function::Write, _) => return Err("a number to write".to_owned()),
            (Function::Cas, Value::Two(expected, new)) => RegisterCall::Cas { expected, new },
            (Function::Cas, _) => return Err("[expected new] to compare and set".to_owned()),
        };
        if let Some(open) = self.open.insert(event.process, self.calls.len()) {
            let since = self.calls[open].as_ref().map_or(0, |call| call.invoked);
            return Err(format!(
                "a result of process {} first, whose call of line {since} is open",
                event.process
            ));
        }
        self.calls.push(Some(Interval {
            client: event.process,
            invoked: line as u64,
            call,
            outcome: Outcome::Unknown,
        }));
        Ok(())
    }

    fn conclude(&mut self, line: usize, event: Event) -> Result<(), String> {
        let process = event.process;
        let place = self.open.remove(&process);
        let Some(open) = place.and_then(|place| self.calls[place].as_mut()) else {
            return Err(format!("an :invoke of process {process} before its result"));
        };
        match finding(open.call, event)? {
            Finding::Told(response) => {
                let at = line as u64;
                open.outcome = Outcome::Returned { at, response };
            }
            Finding::Nothing => {}
            Finding::DidNotHappen => {
                if let Some(place) = place {
                    self.calls[place] = None;
                }
            }
        }
        Ok(())
    }
}

fn finding(call: RegisterCall, event: Event) -> Result<Finding, String> {
    let function = match call {
        RegisterCall::Read => Function::Read,
        RegisterCall::Write(_) => Function::Write,
        RegisterCall::Cas { .. } => Function::Cas,
    };
    if function != event.function {
        return Err(format!("the result of the open {function:?}").to_lowercase());
    }
    let invoked = match call {
        RegisterCall::Read => None,
        RegisterCall::Write(value) => Some(Value::One(Some(value))),
        RegisterCall::Cas { expected, new } => Some(Value::Two(expected, new)),
    };
    let same = event.value == Value::Absent || invoked.is_none_or(|it| it == event.value);
    if !same {
        return Err("the value that was invoked".to_owned());
    }
    match (event.kind, call, event.value) {
        (Kind::Invoke, ..) => Err("a result".to_owned()),
        (Kind::Info, ..) => Ok(Finding::Nothing),
        (Kind::Fail, ..) if event.timed_out => Ok(Finding::Nothing),
        (Kind::Fail, RegisterCall::Cas { .. }, Value::Two(..)) => {
            Ok(Finding::Told(RegisterResponse::Unequal))
        }
        (Kind::Fail, ..) => Ok(Finding::DidNotHappen),
        (Kind::Ok, RegisterCall::Read, Value::One(value)) => {
            Ok(Finding::Told(RegisterResponse::Value(value)))
        }
        (Kind::Ok, RegisterCall::Read, _) => Err("nil or a number that was read".to_owned()),
        (Kind::Ok, RegisterCall::Write(_), _) => Ok(Finding::Told(RegisterResponse::Written)),
        (Kind::Ok, RegisterCall::Cas { .. }, _) => Ok(Finding::Told(RegisterResponse::Swapped)),
    }
}
