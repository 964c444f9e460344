//! The leases of the model: their lives, and the clock that ticks in the log.
//!
//! A lease that is granted or renewed counts its time from the next tick on; it ends with the
//! first tick at or after the end of its time, the earliest end first and then the smaller id, at
//! most so many a tick. Every life stays known, with the entries that began, prolonged and ended
//! it, so that any question about any moment of the log can be answered later.

use std::collections::BTreeMap;

use store::LeaseId;

/// What ended a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A tick.
    Expired,
    /// A client.
    Revoked,
}

/// One life of one lease. Entries are named by how many came before them.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// Its name.
    pub(crate) id: LeaseId,
    /// Seconds granted.
    pub(crate) ttl: i64,
    /// The entry that granted it.
    pub(crate) granted: usize,
    /// The entries that renewed it, ascending.
    pub(crate) renewed: Vec<usize>,
    /// The entry that ended it.
    pub(crate) ended: Option<(usize, End)>,
    /// The clock at which it ends, from the first tick on.
    deadline: Option<u64>,
}

/// All lives of all leases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leases {
    lives: Vec<Life>,
    alive: BTreeMap<LeaseId, usize>,
    /// All lives of a name.
    named: BTreeMap<LeaseId, Vec<usize>>,
    clock_ms: u64,
    /// The entries that ticked, and the clock after them.
    ticks: Vec<(usize, u64)>,
}

/// What can be known of a lease at a moment of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Milliseconds.
    pub(crate) remaining_ms: u64,
    /// Seconds.
    pub(crate) granted: i64,
}

fn milliseconds(ttl: i64) -> u64 {
    u64::try_from(ttl).unwrap_or(0).saturating_mul(1000)
}

impl Life {
    /// The last entry before `before` that gave it its whole time.
    pub(crate) fn fresh_since(&self, before: usize) -> usize {
        let renewals = self.renewed.partition_point(|entry| *entry < before);
        renewals.checked_sub(1).map_or(self.granted, |last| self.renewed[last])
    }
}

impl Leases {
    pub(super) fn is_alive(&self, id: LeaseId) -> bool {
        self.alive.contains_key(&id)
    }

    pub(super) fn grant(&mut self, entry: usize, id: LeaseId, ttl: i64) {
        let life = self.lives.len();
        let (renewed, ended, deadline) = (Vec::new(), None, None);
        self.lives.push(Life { id, ttl, granted: entry, renewed, ended, deadline });
        self.alive.insert(id, life);
        self.named.entry(id).or_default().push(life);
    }

    /// The time it has again; `None` when there is none.
    pub(super) fn renew(&mut self, entry: usize, id: LeaseId) -> Option<i64> {
        let life = &mut self.lives[*self.alive.get(&id)?];
        life.deadline = None;
        life.renewed.push(entry);
        Some(life.ttl)
    }

    pub(super) fn end(&mut self, entry: usize, id: LeaseId, how: End) {
        if let Some(life) = self.alive.remove(&id) {
            self.lives[life].ended = Some((entry, how));
        }
    }

    /// The clock goes on; gives the leases whose time is over, in the order in which they end.
    pub(super) fn tick(&mut self, entry: usize, elapsed_ms: u32) -> Vec<LeaseId> {
        self.clock_ms = self.clock_ms.saturating_add(u64::from(elapsed_ms));
        self.ticks.push((entry, self.clock_ms));
        let mut due = Vec::new();
        for (id, life) in &self.alive {
            let life = &mut self.lives[*life];
            let whole = self.clock_ms.saturating_add(milliseconds(life.ttl));
            let deadline = *life.deadline.get_or_insert(whole);
            if deadline <= self.clock_ms {
                due.push((deadline, *id));
            }
        }
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// All lives, by when they began.
    pub(crate) fn lives(&self) -> &[Life] {
        &self.lives
    }

    /// The leases that are alive after the first `count` entries, ascending.
    pub(super) fn alive_after(&self, count: usize) -> Vec<LeaseId> {
        let alive = self.named.keys().filter(|id| self.life_after(**id, count).is_some());
        alive.copied().collect()
    }

    /// What a lease has left after the first `count` entries; `None` when there is none.
    pub(super) fn left_after(&self, id: LeaseId, count: usize) -> Option<Left> {
        let life = self.life_after(id, count)?;
        let whole = milliseconds(life.ttl);
        let since = life.fresh_since(count);
        let counting = self.ticks.partition_point(|(entry, _)| *entry < since);
        let told = self.ticks.partition_point(|(entry, _)| *entry < count);
        let remaining_ms = match self.ticks[..told].get(counting) {
            None => whole,
            Some((_, began)) => {
                let now = self.ticks[told - 1].1;
                began.saturating_add(whole).saturating_sub(now)
            }
        };
        Some(Left { remaining_ms, granted: life.ttl })
    }

    fn life_after(&self, id: LeaseId, count: usize) -> Option<&Life> {
        let lives = self.named.get(&id)?.iter().map(|life| &self.lives[*life]);
        let mut began = lives.filter(|life| life.granted < count);
        began.rfind(|life| life.ended.is_none_or(|(entry, _)| count <= entry))
    }
}
