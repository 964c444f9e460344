//! Who led when, as the programs themselves have noted it.
//!
//! ```text
//! start 7 3 1234567890     the fence, whose, and when, in ns since the machine was started
//! end 7 3 1236567890
//! ```

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use protocol::Time;
use server::elections::boot_time;
use tokio::signal::unix::{SignalKind, signal};

use super::shown;
use crate::cli::block_on;
use crate::failure::{Failure, Result};

/// What runs while its agent leads, in `conclave bench election`.
///
/// Example:
///
///   conclave elect g --algorithm bully --expect 3 -- conclave bench holder ./ledger 0
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Holder {
    /// Where it notes when it begins and ends.
    ledger: PathBuf,
    /// Whose it is.
    member: usize,
}

impl Holder {
    pub(crate) fn run(&self) -> Result {
        let fence = std::env::var("CONCLAVE_FENCE").unwrap_or_default();
        block_on(async {
            let mut told = signal(SignalKind::terminate())?;
            self.note("start", &fence)?;
            told.recv().await;
            self.note("end", &fence)
        })
    }

    /// A line is one write, which no other one comes into.
    fn note(&self, what: &str, fence: &str) -> Result {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.ledger)?;
        let line = format!("{what} {fence} {} {}\n", self.member, boot_time().0);
        Ok(file.write_all(line.as_bytes())?)
    }
}

/// A term of office.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) fence: u64,
    pub(super) member: usize,
    pub(super) start: Time,
    /// When its program ended by itself, or as it was told to.
    pub(super) end: Option<Time>,
}

/// The file in which all programs write.
#[derive(Clone, Debug)]
pub(super) struct Ledger(pub(super) PathBuf);

impl Ledger {
    /// All terms so far, in the order in which they began.
    pub(super) fn terms(&self) -> Result<Vec<Term>> {
        match std::fs::read_to_string(&self.0) {
            Ok(text) => read(&text).ok_or_else(|| Failure::new(damaged(&self.0))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// The one with the highest fence.
    pub(super) fn last(&self) -> Result<Option<Term>> {
        Ok(self.terms()?.into_iter().max_by_key(|term| term.fence))
    }

    /// Whether each term began when the one before was over: both its program and its lease, as far
    /// as these leases are known, which are those of agents that were killed.
    pub(super) fn check(&self, leases: &BTreeMap<u64, Time>) -> Result {
        check(&self.terms()?, leases)
    }
}

fn damaged(path: &Path) -> String {
    format!("{} has lines that no program has written", path.display())
}

fn read(text: &str) -> Option<Vec<Term>> {
    let mut terms: Vec<Term> = Vec::new();
    // What stands behind the last end of a line is being written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for line in whole.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [what, fence, member, time] = words[..] else { return None };
        let (fence, member) = (fence.parse().ok()?, member.parse().ok()?);
        let time = Time(time.parse().ok()?);
        match what {
            "start" => terms.push(Term { fence, member, start: time, end: None }),
            "end" => {
                let same = |term: &&mut Term| term.fence == fence && term.member == member;
                terms.iter_mut().rev().find(same)?.end = Some(time);
            }
            _ => return None,
        }
    }
    Some(terms)
}

fn check(terms: &[Term], leases: &BTreeMap<u64, Time>) -> Result {
    for (at, term) in terms.iter().enumerate() {
        for before in &terms[..at] {
            let Term { fence, member, .. } = *before;
            if fence >= term.fence {
                let text = format!("the fence {} came after {fence}", term.fence);
                return Err(Failure::new(text));
            }
            let lease = leases.get(&fence).copied();
            let over = before.end.max(lease);
            if over.is_none_or(|over| over > term.start) {
                let over = over.map_or_else(|| "never".to_owned(), shown);
                return Err(Failure::new(format!(
                    "two leases at once: the one of member {member} with fence {fence} ended \
                     {over}, and member {} began with fence {} at {}",
                    term.member,
                    term.fence,
                    shown(term.start)
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "start 1 0 100\nend 1 0 200\nstart 2 1 300\nend 2 1 400\nstart 3 0 500\nsta";

    #[test]
    fn lines_are_terms_and_a_half_one_is_none_yet() {
        let terms = read(GOOD).unwrap();
        assert_eq!(terms.len(), 3);
        assert_eq!((terms[1].fence, terms[1].member, terms[1].end), (2, 1, Some(Time(400))));
        assert_eq!(terms[2].end, None);
        for wrong in ["start 1 0\n", "begin 1 0 5\n", "end 1 0 5\n", "start x 0 5\n"] {
            assert!(read(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn an_overlap_is_found_whether_of_programs_or_of_leases() {
        let leases = |pairs: &[(u64, u64)]| pairs.iter().map(|(f, t)| (*f, Time(*t))).collect();
        let terms = read(GOOD).unwrap();
        check(&terms, &leases(&[(1, 250)])).unwrap();
        let says = |text: &str, pairs: &[(u64, u64)]| {
            check(&read(text).unwrap(), &leases(pairs)).unwrap_err().text().to_owned()
        };
        assert!(says(GOOD, &[(1, 301)]).contains("two leases at once"));
        assert!(says("start 1 0 100\nstart 2 1 300\n", &[]).contains("never"));
        assert!(says("start 1 0 1\nend 1 0 9\nstart 2 1 8\n", &[]).contains("two leases at once"));
        assert!(says("start 2 0 1\nend 2 0 2\nstart 2 1 8\n", &[]).contains("came after 2"));
    }
}
