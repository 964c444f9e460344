//! Logs by number, with how any two of them relate.

use protocol::raft::Entry;

use super::laws::{Broken, Law, demand};

/// The number of a log. 0 is the empty one.
pub(super) type LogId = u16;

/// How the first log lies to the second.
#[derive(Clone, Copy, Default)]
struct Relation {
    /// The second begins with it.
    prefix: bool,
    /// Wherever both have an entry with the same index and term, they are equal up to there.
    matches: bool,
}

/// The committed log, as far as anyone ever knew it, with the term in which each entry was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Committed {
    log: LogId,
    terms: Vec<u8>,
    /// By term: the log of what was committed before it.
    before: Vec<LogId>,
}

/// Every log that was seen.
pub(super) struct Logs {
    logs: Vec<Vec<Entry>>,
    relations: Vec<Vec<Relation>>,
    committed: Vec<Committed>,
}

fn relate(one: &[Entry], two: &[Entry]) -> Relation {
    let agreed = one.iter().zip(two).take_while(|(a, b)| a == b).count();
    let later = one.iter().zip(two).skip(agreed);
    let matches = later.clone().all(|(a, b)| a.position != b.position);
    Relation { prefix: agreed == one.len(), matches }
}

impl Logs {
    pub(super) fn new() -> Self {
        let mut logs = Self { logs: Vec::new(), relations: Vec::new(), committed: Vec::new() };
        logs.intern(&[]);
        logs.committed.push(logs.describe(0, Vec::new()));
        logs
    }

    /// The number of a log.
    pub(super) fn intern(&mut self, log: &[Entry]) -> LogId {
        let found = self.logs.iter().position(|known| known == log);
        let place = found.unwrap_or_else(|| {
            for (known, row) in self.logs.iter().zip(&mut self.relations) {
                row.push(relate(known, log));
            }
            self.logs.push(log.to_vec());
            self.relations.push(self.logs.iter().map(|known| relate(log, known)).collect());
            self.logs.len() - 1
        });
        LogId::try_from(place).expect("invariant: a box has few logs")
    }

    pub(super) fn is_prefix(&self, one: LogId, two: LogId) -> bool {
        self.relations[usize::from(one)][usize::from(two)].prefix
    }

    pub(super) fn matches(&self, one: LogId, two: LogId) -> bool {
        self.relations[usize::from(one)][usize::from(two)].matches
    }

    fn describe(&self, log: LogId, terms: Vec<u8>) -> Committed {
        let entries = &self.logs[usize::from(log)];
        let before = (0..=u8::MAX / 16)
            .map(|term| {
                let end = terms.iter().rposition(|&committed| committed < term);
                let prefix = &entries[..end.map_or(0, |last| last + 1)];
                let found = self.logs.iter().position(|known| known == prefix);
                let found = found.expect("invariant: it was committed, so it was seen");
                LogId::try_from(found).expect("invariant: a box has few logs")
            })
            .collect();
        Committed { log, terms, before }
    }

    /// What is committed once a node of `term` has committed `log`.
    ///
    /// # Errors
    ///
    /// It contradicts what was committed before.
    pub(super) fn commit(&mut self, committed: u16, log: LogId, term: u8) -> Result<u16, Broken> {
        let known = &self.committed[usize::from(committed)];
        if self.is_prefix(log, known.log) {
            return Ok(committed);
        }
        demand(self.is_prefix(known.log, log), Law::StateMachineSafety, || {
            let (was, is) = (self.show(known.log), self.show(log));
            format!("{was} was committed, and then {is}")
        })?;
        let mut terms = known.terms.clone();
        terms.resize(self.logs[usize::from(log)].len(), term);
        // Its prefixes may be asked for.
        for end in 0..terms.len() {
            let prefix = self.logs[usize::from(log)][..end].to_vec();
            self.intern(&prefix);
        }
        let longer = self.describe(log, terms);
        let found = self.committed.iter().position(|known| *known == longer);
        let place = found.unwrap_or_else(|| {
            self.committed.push(longer);
            self.committed.len() - 1
        });
        Ok(u16::try_from(place).expect("invariant: a box has few logs"))
    }

    /// The log that was ever committed.
    pub(super) fn committed(&self, committed: u16) -> LogId {
        self.committed[usize::from(committed)].log
    }

    /// The log that was committed in terms before this one.
    pub(super) fn committed_before(&self, committed: u16, term: u8) -> LogId {
        self.committed[usize::from(committed)].before[usize::from(term)]
    }

    pub(super) fn entries(&self, log: LogId) -> &[Entry] {
        &self.logs[usize::from(log)]
    }

    pub(super) fn show(&self, log: LogId) -> String {
        let entries: Vec<String> = self.entries(log).iter().map(ToString::to_string).collect();
        format!("[{}]", entries.join(" "))
    }
}
