//! What the crowd has done, in numbers.

use super::Kind;

/// What became of operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Begun.
    pub called: u64,
    /// Done.
    pub answered: u64,
    /// Refused, and certainly not done.
    pub refused: u64,
    /// Perhaps done.
    pub unknown: u64,
    /// Never reached a running node; not in the history.
    pub unreachable: u64,
}

/// What the crowd has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// All operations.
    pub all: Tally,
    /// By kind.
    kinds: [Tally; Kind::COUNT],
    /// Reads asked again, because history had been compacted before they were complete.
    pub again: u64,
    /// Numbered writes that were sent again.
    pub repeated: u64,
    /// Requests and answers lost on their way.
    pub lost: u64,
    /// Answers that came after their client had given up.
    pub late: u64,
    /// Streams opened.
    pub streams: u64,
    /// Watches asked for.
    pub watches: u64,
    /// Of these, those that take up where an earlier one ended.
    pub resumed: u64,
    /// Responses heard on streams.
    pub heard: u64,
    /// Events in them.
    pub events: u64,
    /// Watches refused.
    pub watches_refused: u64,
    /// Watches ended by a node, because of compaction or damage.
    pub watches_canceled: u64,
    /// Streams dropped by a node, because they asked without reading.
    pub overruns: u64,
    /// Responses about watches that there were not: a node's mistake.
    pub strays: u64,
    /// Keys given up, because too much about them had become uncertain or they were old.
    pub retired: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            all: Tally::default(),
            kinds: [Tally::default(); Kind::COUNT],
            again: 0,
            repeated: 0,
            lost: 0,
            late: 0,
            streams: 0,
            watches: 0,
            resumed: 0,
            heard: 0,
            events: 0,
            watches_refused: 0,
            watches_canceled: 0,
            overruns: 0,
            strays: 0,
            retired: 0,
        }
    }
}

impl Counts {
    /// The operations of a kind.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> Tally {
        self.kinds[kind as usize]
    }

    /// Counts an operation under its kind and under all.
    pub(super) fn note(&mut self, kind: Kind, what: impl Fn(&mut Tally)) {
        what(&mut self.all);
        what(&mut self.kinds[kind as usize]);
    }
}
