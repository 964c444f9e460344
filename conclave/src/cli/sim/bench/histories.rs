//! Histories to judge: right ones, made by doing one thing at a time while calls overlap.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use node::{Header, Request};
use protocol::{Index, Position, Rng, Term, Time};
use sim::history::{Answer, Committed, Ending, History, Operation, Told};
use store::{Command, Filter, KeyRange, Limits, Put, Range, SortOrder, SortTarget, Store};

use crate::failure::{Failure, Result};

/// Operations of the history that a target stands for.
pub(super) const MILLION: u32 = 1_000_000;
/// Logs as many and about as long as those of the public corpus of etcd.
pub(super) const LOGS: u64 = 102;

const TERM: Term = Term(1);
const CLIENTS: u64 = 50;
const KEYS: u64 = 500;

/// Where a client stands.
enum Client {
    Idle,
    Called(usize),
    /// It was done; the answer is on its way.
    Served(usize, Answer),
}

struct Maker {
    rng: Rng,
    store: Store,
    now: Time,
    history: History,
    /// Each client's number: one that lost an answer goes on under a new one.
    numbers: Vec<u32>,
    next: u32,
}

/// A history of so many puts and linearizable reads of single keys, one answer in forty lost.
///
/// # Errors
/// When the store refuses a command.
pub(super) fn history(operations: u32) -> Result<History> {
    let mut maker = Maker {
        rng: Rng::new(1),
        store: Store::new(Limits::default()),
        now: Time(1),
        history: History::default(),
        numbers: (0..).take(usize::try_from(CLIENTS).unwrap_or(1)).collect(),
        next: u32::try_from(CLIENTS).unwrap_or(1),
    };
    maker.store.set_watched(false);
    maker.commit(None)?;
    let mut clients: Vec<Client> = maker.numbers.iter().map(|_| Client::Idle).collect();
    let wanted = usize::try_from(operations).map_err(Failure::new)?;
    loop {
        maker.now = Time(maker.now.0 + 1 + maker.rng.below(100_000));
        let at = maker.draw(CLIENTS);
        clients[at] = match std::mem::replace(&mut clients[at], Client::Idle) {
            Client::Idle if maker.history.operations.len() == wanted => break,
            Client::Idle => maker.call(at),
            Client::Called(number) => Client::Served(number, maker.serve(number)?),
            Client::Served(number, answer) => maker.tell(at, number, answer),
        };
    }
    maker.history.ended_at = maker.now;
    Ok(maker.history)
}

impl Maker {
    fn draw(&mut self, bound: u64) -> usize {
        usize::try_from(self.rng.below(bound)).unwrap_or(0)
    }

    fn call(&mut self, at: usize) -> Client {
        let key = Bytes::from(format!("k{}", self.rng.below(KEYS)));
        let number = self.history.operations.len();
        let request = if self.rng.below(2) == 0 {
            let value = Some(Bytes::from(format!("v{number}")));
            Request::Write(Command::Put(Put { key, value, lease: Some(None), prev_kv: false }))
        } else {
            Request::Range { range: latest(key), serializable: false }
        };
        self.history.operations.push(Operation {
            client: self.numbers[at],
            called: self.now,
            returned: None,
            request: Arc::new(request),
            stamp: None,
            ending: Ending::Unknown,
        });
        Client::Called(number)
    }

    fn serve(&mut self, number: usize) -> Result<Answer> {
        let request = Arc::clone(&self.history.operations[number].request);
        let told = match &*request {
            Request::Write(command) => return self.commit(Some(command.clone())),
            Request::Range { range, .. } => {
                let mut cursor = self.store.begin_range(range).map_err(refused)?;
                while !self.store.step_range(&mut cursor, 8).map_err(refused)? {}
                let view = cursor.into_view();
                let revision = view.revision();
                let result = view.complete(|_| None);
                let result = result.map_err(|_| Failure::new("nothing was flushed"))?;
                Told::Range { revision, result }
            }
            _ => Told::Done,
        };
        Ok(Answer { header: self.header(), told })
    }

    fn header(&self) -> Header {
        Header { revision: self.store.revision(), term: TERM }
    }

    fn commit(&mut self, command: Option<Command>) -> Result<Answer> {
        let position = Position::new(TERM, Index(self.store.applied().index.0 + 1));
        let mut told = Told::Done;
        match &command {
            Some(command) => {
                let applied = self.store.apply(position, command);
                told = Told::Outcome(applied.outcome.map_err(refused)?);
            }
            None => self.store.note_applied(position),
        }
        self.history.truth.push(Committed { position, at: self.now, command, membership: None });
        Ok(Answer { header: self.header(), told })
    }

    fn tell(&mut self, at: usize, number: usize, answer: Answer) -> Client {
        if self.rng.below(40) == 0 {
            self.numbers[at] = self.next;
            self.next += 1;
        } else {
            let operation = &mut self.history.operations[number];
            operation.returned = Some(self.now);
            operation.ending = Ending::Answered(answer);
        }
        Client::Idle
    }
}

#[allow(clippy::needless_pass_by_value, reason = "what errors are mapped by takes them")]
fn refused(error: store::Error) -> Failure {
    Failure::new(format!("the store refuses what a history is made of: {error:?}"))
}

fn latest(key: Bytes) -> Range {
    Range {
        keys: KeyRange::single(key),
        revision: 0,
        limit: 0,
        target: SortTarget::Key,
        order: SortOrder::None,
        keys_only: false,
        count_only: false,
        filter: Filter::default(),
    }
}

/// What a process of a log has under way.
struct Call {
    function: &'static str,
    value: String,
    /// Its result, once it was done.
    result: Option<(&'static str, String)>,
}

/// A log of one register under five processes, in the format of the public corpora. In every other
/// one, a read near its end tells what was never written.
pub(super) fn log(seed: u64) -> String {
    let mut rng = Rng::new(seed);
    let mut text = String::new();
    let mut value: Option<u64> = None;
    let mut open: BTreeMap<u64, Call> = BTreeMap::new();
    let mut processes = [0, 1, 2, 3, 4];
    let mut lie = seed % 2 == 1;
    for line in 0..170 {
        let slot = usize::try_from(rng.below(5)).unwrap_or(0);
        let process = processes[slot];
        match open.remove(&process) {
            None => {
                let call = ask(&mut rng);
                let _ = writeln!(text, "{}", event(process, ":invoke", call.function, &call.value));
                open.insert(process, call);
            }
            Some(mut call) => {
                // Of what times out, half was done.
                let lost = rng.below(12) == 0;
                if call.result.is_none() && (!lost || rng.below(2) == 0) {
                    call.result = Some(answer(&call, &mut value));
                }
                let (kind, told) = match call.result {
                    Some(told) if !lost => told,
                    _ => (":info", ":timed-out".to_owned()),
                };
                let wrong = lie && line > 150 && call.function == ":read" && kind == ":ok";
                lie &= !wrong;
                let told = if wrong { "9".to_owned() } else { told };
                let _ = writeln!(text, "{}", event(process, kind, call.function, &told));
                if lost {
                    processes[slot] += 5;
                }
            }
        }
    }
    text
}

fn event(process: u64, kind: &str, function: &str, value: &str) -> String {
    format!("INFO  jepsen.util - {process}\t{kind}\t{function}\t{value}")
}

fn ask(rng: &mut Rng) -> Call {
    let (old, new) = (rng.below(5), rng.below(5));
    let (function, value) = match rng.below(3) {
        0 => (":read", "nil".to_owned()),
        1 => (":write", new.to_string()),
        _ => (":cas", format!("[{old} {new}]")),
    };
    Call { function, value, result: None }
}

/// Does what is asked, at this moment.
fn answer(call: &Call, value: &mut Option<u64>) -> (&'static str, String) {
    let digits: Vec<u64> =
        call.value.chars().filter_map(|c| c.to_digit(10)).map(u64::from).collect();
    match (call.function, &digits[..]) {
        (":write", [new]) => *value = Some(*new),
        (":cas", [old, new]) if *value == Some(*old) => *value = Some(*new),
        (":cas", _) => return (":fail", call.value.clone()),
        _ => return (":ok", value.map_or("nil".to_owned(), |value| value.to_string())),
    }
    (":ok", call.value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::check::{corpus, judge};

    #[test]
    fn a_made_history_is_right_and_all_of_it_is_judged() {
        let history = history(3_000).unwrap();
        let summary = judge(&history).unwrap();
        assert_eq!(summary.operations, 3_000);
        assert!(summary.answers.writes > 1_000 && summary.answers.reads > 1_000, "{summary:?}");
        assert!(summary.unknown > 20, "{summary:?}");
    }

    #[test]
    fn made_logs_are_right_unless_they_lie() {
        for seed in 0..40 {
            let log = log(seed);
            let verdict = corpus::judge(&log).unwrap();
            let lies = log.lines().any(|line| line.ends_with(":ok\t:read\t9"));
            assert_eq!(verdict.word(), if lies { "not" } else { "linearizable" }, "{log}");
            assert!(!lies || seed % 2 == 1);
        }
        let lies = |seed: &u64| corpus::judge(&log(*seed)).unwrap().is_not();
        assert!((0..40).filter(lies).count() > 5);
    }
}
