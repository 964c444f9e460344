//! From memory to the backend, and the log trimmed behind it.

use protocol::{Index, Position, Time};
use store::BackendError;

use crate::node::Node;
use crate::output::Output;
use crate::snapshot::Receiving;

/// What is being made durable.
#[derive(Debug)]
pub(crate) struct Flushing {
    under_way: bool,
    /// The position that the backend holds.
    durable: Position,
    /// The last flush, or the last failure of one.
    last: Time,
    /// The last attempt found the disk full: the next one waits, whatever asks for it.
    cramped: bool,
    /// How far the log was last asked to be trimmed. It drops whole segments only, so it may hold
    /// a little more.
    trimmed: Index,
    /// Bytes of commands that had been applied by then.
    weighed: u64,
    /// The backend failed for good.
    pub(crate) halted: bool,
}

impl Flushing {
    /// Another state took the place of the one that was flushed to.
    pub(crate) fn replaced(&mut self, durable: Position) {
        self.durable = durable;
        self.cramped = false;
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way
    }

    pub(crate) fn new(durable: Position, base: Index) -> Self {
        let last = Time::default();
        Self {
            under_way: false,
            durable,
            last,
            cramped: false,
            trimmed: base,
            weighed: 0,
            halted: false,
        }
    }
}

impl Node {
    /// Starts a flush when enough has gathered, or it has waited long enough.
    pub(crate) fn flush(&mut self) {
        let flushing = &self.flushing;
        let behind = self.store.applied() != flushing.durable;
        let replaced = self.receiving.as_ref().is_some_and(Receiving::is_installing);
        if replaced || !behind || flushing.under_way || flushing.halted {
            return;
        }
        let full = self.store.unflushed_bytes() >= self.config.flush_bytes;
        let due = self.now >= flushing.last + self.config.flush_interval;
        let awaited =
            self.stopping.is_some() || self.apply.awaits_compaction() || self.settling.waits();
        if (due || (full || awaited) && !flushing.cramped)
            && let Some(flush) = self.store.begin_flush()
        {
            self.flushing.under_way = true;
            self.output(Output::Flush(flush));
        }
    }

    /// Starts a flush, whether or not one is due. True when it began.
    pub(crate) fn flush_now(&mut self) -> bool {
        let replaced = self.receiving.as_ref().is_some_and(Receiving::is_installing);
        if replaced || self.flushing.under_way || self.flushing.halted {
            return false;
        }
        let Some(flush) = self.store.begin_flush() else { return false };
        self.flushing.under_way = true;
        self.output(Output::Flush(flush));
        true
    }

    /// A flush ended.
    pub(crate) fn flushed(&mut self, result: Result<Position, BackendError>) {
        self.flushing.under_way = false;
        self.flushing.last = self.now;
        self.flushing.cramped = result.is_err();
        self.settled_by(&result.clone().map(|position| position.index));
        self.flush_found(matches!(result, Err(BackendError::Full(_))));
        match result {
            Ok(position) => {
                self.flushing.durable = position;
                self.store.flushed(position);
            }
            // The log still holds it all: tried again after the interval.
            Err(BackendError::Full(_)) => self.store.flush_failed(),
            Err(error @ (BackendError::Corrupt(_) | BackendError::Io(_))) => self.halt(error),
        }
    }

    /// Trims the log behind the backend, as far as no member needs it any more.
    pub(crate) fn trim(&mut self) {
        let short = self.measured.is_short();
        let keep = if short { 0 } else { self.config.log_keep_bytes };
        let kept = self.apply.weights.within(keep);
        let bound = self.core.trim_bound().max(kept).min(self.flushing.durable.index);
        let bound = self.needed_log().map_or(bound, |needed| bound.min(needed));
        let total = self.apply.weights.total();
        let heavy = total - self.flushing.weighed >= self.config.flush_bytes as u64;
        let many = bound.0 >= self.flushing.trimmed.0 + self.config.trim_stride;
        if many || ((heavy || short) && bound > self.flushing.trimmed) {
            self.flushing.trimmed = bound;
            self.flushing.weighed = total;
            self.output(Output::Trim(bound));
        }
    }

    /// Whether the backend holds all that was applied, or never will.
    pub(crate) fn settled(&self) -> bool {
        self.flushing.halted || self.store.applied() == self.flushing.durable
    }

    /// When the next flush is due.
    pub(crate) fn flush_timeout(&self) -> Option<Time> {
        let flushing = &self.flushing;
        let behind = self.store.applied() != flushing.durable;
        // While it is replaced, the end of that is what is waited for.
        let replaced = self.receiving.as_ref().is_some_and(Receiving::is_installing);
        (behind && !replaced && !flushing.under_way && !flushing.halted)
            .then(|| flushing.last + self.config.flush_interval)
    }
}
