//! Beginning the log anew: what it held is given up for a state that came from elsewhere.
//!
//! A follower that needs entries which no log holds any more gets the state instead. Its log then
//! has nothing to do with that state: it ends before it, or goes on differently. So the log is to
//! hold nothing but "begins after the last entry of that state".
//!
//! ```text
//! before   1.seg  2.seg                    base 0@0  last 41@3
//! sync     1.seg  2.seg  3.seg (RESET)     base 90@5 last 90@5     1 and 2 are void
//! then                   3.seg
//! ```
//!
//! The reset is a segment whose header says so. It is begun as any other: head, one sync. Before
//! that sync the segment has not begun, and the log is as it was; with it the segments before are
//! void: they are not read, whatever is in them and whichever of them are missing. Their removal
//! can thus be broken off anywhere, and goes on at the next start, once the beginning was made sure
//! of (`confirm.rs`).
//!
//! What goes on: the hard state, the sequence of the batches, the numbers of the segments, and the
//! doubt where it reaches beyond the position; up to the position the state has all that the doubt
//! was about.
//!
//! The state is switched before the log is reset. A crash in between leaves a state that the log
//! knows nothing of; [`Log::adopt`] makes up for it at the next start.

use protocol::raft::{HardState, Write};
use protocol::{Index, Position};

use super::append::Beginning;
use super::chart::Chart;
use super::head::Resumption;
use super::survey::Survey;
use super::{Failure, Log, LogError};
use crate::disk::Disk;

impl<D: Disk> Log<D> {
    /// Begins the log anew after `last`, durably: all entries are given up, queued ones included.
    /// The commit index and, where it is behind, the term are raised to that position's.
    ///
    /// # Errors
    /// As [`Log::sync`].
    pub fn reset(&mut self, last: Position) -> Result<(), LogError> {
        let HardState { term, vote, commit } = self.hard_state();
        // No vote in a later term can have been sent: it would be durable.
        let vote = vote.filter(|_| last.term <= term);
        let commit = commit.max(last.index);
        let hard_state = Some(HardState { term: term.max(last.term), vote, commit });
        self.append(&Write { hard_state, reset: Some(last), ..Write::default() })?;
        self.sync()
    }

    /// Makes up, at a start, for a reset that a crash prevented: the state stands at `applied`, and
    /// was installed there as a whole when `installed` says so. True when the log was reset.
    ///
    /// A state that is ahead of the log without having been installed there is left to
    /// [`Log::restored`], which refuses it.
    ///
    /// # Errors
    /// As [`Log::sync`].
    pub fn adopt(&mut self, applied: Index, installed: Option<Position>) -> Result<bool, LogError> {
        let unknown = |last: &Position| {
            last.index == applied && last.index >= self.base().index && !self.chart.holds(*last)
        };
        match installed.filter(unknown) {
            Some(last) => self.reset(last).map(|()| true),
            None => Ok(false),
        }
    }

    /// Begins the segment that resets the log, then gives up those before it.
    pub(super) fn renew(&mut self, last: Position) -> Result<(), Failure> {
        let number = self.active.number + 1;
        let fresh = self.fresh(number);
        let old = std::mem::replace(&mut self.active, fresh);
        self.chart = Chart::new(last);
        // What this process found when it began is void as well.
        self.resumption = Resumption { sequence: self.sequence, last, ..self.resumption };
        self.doubt = self.doubt.filter(|doubt| *doubt > last.index);
        self.begin(old.end, Beginning::Anew)?;
        self.older.insert(old.number, old.bytes);
        let void: Vec<_> = std::mem::take(&mut self.older).into_iter().collect();
        self.seal(old)?;
        self.give_up_all(&void)
    }

    /// Gives up the segments before the one that reset the log, which an earlier process left.
    pub(super) fn clear_void(&mut self, survey: &Survey) -> Result<(), Failure> {
        self.give_up_all(&survey.void)
    }

    fn give_up_all(&mut self, void: &[(u64, u64)]) -> Result<(), Failure> {
        for (number, bytes) in void {
            self.give_up(*number, *bytes)?;
        }
        if void.is_empty() { Ok(()) } else { self.settle_names() }
    }
}
