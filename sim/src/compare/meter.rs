//! What is measured while a contest goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::Time;

use super::member::{Purpose, View};

/// How an event came about since the measurement began: over so many messages and writes, one
/// after the other. What a timer does comes from the event that has set it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// Chains of earlier measurements count for nothing.
    pub(super) mark: u32,
    pub(super) hops: u32,
    pub(super) syncs: u32,
}

/// How it stands with leaders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// How many take themselves for the leader.
    pub(super) leaders: usize,
    /// How many are able to act.
    pub(super) acting: usize,
}

/// What was seen of leaders since the last mark.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) mark: u32,
    pub(super) since: Time,
    /// Messages sent, by purpose and kind.
    pub(super) sent: BTreeMap<(Purpose, &'static str), u64>,
    /// Those sent at the very moment of the mark.
    pub(super) opening: u64,
    pub(super) syncs: u64,
    pub(super) detected: Option<Time>,
    /// The first to act that did not act at the mark: since when it leads, since when it acts.
    pub(super) decided: Option<(Time, Chain)>,
    pub(super) served: Option<(Time, Chain)>,
    /// Who began to serve, in order; who led at the mark is first.
    pub(super) served_by: Vec<usize>,
    pub(super) most_leaders: usize,
    pub(super) most_acting: usize,
    pub(super) unavailable: Duration,
    /// When how it stands changed, and how it stands then.
    pub(super) strip: Vec<(Time, Standing)>,
    pub(super) standing: Standing,
    at: Time,
}

impl Meter {
    /// A measurement begins.
    pub(super) fn begin(&mut self, now: Time, leader: Option<usize>) {
        let (mark, standing) = (self.mark + 1, self.standing);
        *self = Self {
            mark,
            since: now,
            served_by: leader.into_iter().collect(),
            strip: vec![(now, standing)],
            standing,
            at: now,
            ..Self::default()
        };
        self.counts(standing);
    }

    fn counts(&mut self, standing: Standing) {
        self.most_leaders = self.most_leaders.max(standing.leaders);
        self.most_acting = self.most_acting.max(standing.acting);
    }

    /// Time passes.
    pub(super) fn pass(&mut self, now: Time) {
        if self.standing.acting == 0 {
            self.unavailable += now.since(self.at);
        }
        self.at = now;
    }

    /// How it stands now.
    pub(super) fn stands(&mut self, now: Time, standing: Standing) {
        if standing != self.standing {
            self.standing = standing;
            self.strip.push((now, standing));
        }
    }

    /// What stood for no time at all has not been.
    pub(super) fn settle(&mut self, next: Time) {
        if next > self.at {
            self.counts(self.standing);
        }
    }

    pub(super) fn sends(&mut self, now: Time, purpose: Purpose, kind: &'static str) {
        *self.sent.entry((purpose, kind)).or_default() += 1;
        self.opening += u64::from(now == self.since);
    }

    /// Whether a node has begun to look for a leader, as the first.
    pub(super) fn detects(&mut self, now: Time, before: View, after: View) -> bool {
        let first = self.detected.is_none() && after.electing && !before.electing;
        if first {
            self.detected = Some(now);
        }
        first
    }

    pub(super) fn changes(&self) -> usize {
        self.served_by.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }
}
