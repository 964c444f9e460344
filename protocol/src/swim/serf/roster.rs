//! Everybody that Serf's layer knows: for longer than SWIM does.
//!
//! SWIM forgets who is gone after half a minute. Here the failed and the left stay for a day, so
//! that a network that was cut in two finds itself again and an operator sees who is missing.
//!
//! A pool of 10,000 members in one process is 10⁸ rows, so a row shares the facts with SWIM's and
//! is found by the name in them.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::hash::{Hash, Hasher};

use super::message::{LTime, Status};
use crate::Time;
use crate::swim::message::{Facts, Name};

/// Facts, in the order of their names.
#[derive(Clone, Debug)]
struct ByName(Arc<Facts>);

/// What is believed of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Row {
    /// The Lamport time of the last intent.
    pub(super) ltime: LTime,
    /// What is believed.
    pub(super) status: Status,
    /// Whether it is forgotten as soon as it has left.
    pub(super) prune: bool,
    /// When it became leaving, left or failed, in seconds.
    since: u32,
}

/// A member, as Serf's layer knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Known {
    /// Who and where it is; its tags are [`Tags::decode`](super::Tags::decode) of the meta.
    pub facts: Arc<Facts>,
    /// What is believed of it.
    pub status: Status,
    /// When it was last heard of what it intends, by the clock of states; 0 for never.
    pub ltime: LTime,
}

/// Everybody that is known.
///
/// - `failed` and `left` are the numbers of rows with that status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Roster {
    rows: BTreeMap<ByName, Row>,
    failed: usize,
    left: usize,
}

impl Roster {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) const fn failed(&self) -> usize {
        self.failed
    }

    pub(super) const fn left(&self) -> usize {
        self.left
    }

    pub(super) fn row(&self, name: &Name) -> Option<Row> {
        self.rows.get(name).copied()
    }

    pub(super) fn facts(&self, name: &Name) -> Option<&Arc<Facts>> {
        self.rows.get_key_value(name).map(|(key, _)| &key.0)
    }

    /// Takes in somebody new, or what else is told of somebody known. Its status is as before.
    pub(super) fn put_facts(&mut self, facts: Arc<Facts>) {
        let row = self.rows.remove(&facts.name);
        let row =
            row.unwrap_or(Row { ltime: LTime(0), status: Status::None, prune: false, since: 0 });
        self.rows.insert(ByName(facts), row);
    }

    pub(super) fn put_ltime(&mut self, name: &Name, ltime: LTime) {
        if let Some(row) = self.rows.get_mut(name) {
            row.ltime = ltime;
        }
    }

    pub(super) fn put_prune(&mut self, name: &Name, prune: bool) {
        if let Some(row) = self.rows.get_mut(name) {
            row.prune = prune;
        }
    }

    /// Its status changes now.
    pub(super) fn put_status(&mut self, name: &Name, status: Status, now: Time) {
        let Some(row) = self.rows.get_mut(name) else { return };
        for (counted, count) in [(Status::Failed, &mut self.failed), (Status::Left, &mut self.left)]
        {
            *count -= usize::from(row.status == counted);
            *count += usize::from(status == counted);
        }
        row.status = status;
        if matches!(status, Status::Leaving | Status::Left | Status::Failed) {
            row.since = seconds(now);
        }
    }

    pub(super) fn remove(&mut self, name: &Name) -> Option<Arc<Facts>> {
        self.put_status(name, Status::None, Time(0));
        self.rows.remove_entry(name).map(|(key, _)| key.0)
    }

    /// All, in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<Facts>, &Row)> {
        self.rows.iter().map(|(key, row)| (&key.0, row))
    }

    pub(super) fn known(&self) -> impl Iterator<Item = Known> {
        self.iter().map(|(facts, row)| Known {
            facts: facts.clone(),
            status: row.status,
            ltime: row.ltime,
        })
    }

    pub(super) fn assert_invariants(&self) {
        let count = |status| self.rows.values().filter(|row| row.status == status).count();
        assert!(count(Status::Failed) == self.failed, "the failed are counted");
        assert!(count(Status::Left) == self.left, "those who left are counted");
        assert!(count(Status::None) == 0, "everybody has a status");
        let pruned = self.rows.values().all(|row| !row.prune || row.status == Status::Leaving);
        assert!(pruned, "whoever is to be forgotten when it has left is leaving");
    }
}

impl Row {
    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.status, Status::Left | Status::Failed)
    }

    /// For how long it has been gone or leaving, a second more or less.
    pub(super) fn gone_for(&self, now: Time) -> core::time::Duration {
        core::time::Duration::from_secs(seconds(now).saturating_sub(self.since).into())
    }
}

/// Whole seconds; good for 136 years of one life of a process.
fn seconds(time: Time) -> u32 {
    u32::try_from(time.0 / 1_000_000_000).unwrap_or(u32::MAX)
}

impl Borrow<Name> for ByName {
    fn borrow(&self) -> &Name {
        &self.0.name
    }
}

impl Hash for ByName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for ByName {}

impl PartialOrd for ByName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.name.cmp(&other.0.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_takes_24_bytes_beside_its_facts() {
        assert_eq!(size_of::<ByName>() + size_of::<Row>(), 24);
    }
}
