//! Which tables to rewrite next.
//!
//! Three reasons, in this order:
//!
//! 1. **Garbage.** A table that is at least half dead is rewritten alone, or removed when nothing
//!    of it lives; the oldest first, so that the tombstones of the others find nothing older. A
//!    record is copied for this reason at most once for each record that died beside it.
//! 2. **Relief.** Dead tombstones stay while an older table has marks that are not younger
//!    (`garbage.rs` has the law): they are *held up*, and do not count as dead. When what is held
//!    up exceeds a quarter of what lives, and one step of maintenance, one table that holds
//!    tombstones up is rewritten whatever its share of dead: the one with the oldest mark.
//! 3. **Number.** Adjacent tables are merged: [`FAN`] or more of about the same size (none more
//!    than half of all), so that a record is copied for this reason a number of times that is
//!    logarithmic in the size of a table; and when there are more than [`SPARE`] tables beyond what
//!    full ones would need, the smallest adjacent pair that fits.
//!
//! The bounds, when there is nothing left to do:
//!
//! - Tables have at most as many dead bytes as others, and the tombstones held up are at most
//!   `max(live / 4, step_bytes)`: so files have `2.5 * live + 2 * step_bytes` bytes, and indexes.
//! - While more than `SPARE + 2 * live / table_bytes + 1` tables stand, an adjacent pair fits into
//!   one table, because otherwise each pair held more than `table_bytes`. At 100 GB in tables of
//!   512 MiB that is less than 450 files.
//!
//! Relief comes to an end and pays for itself. The table with the oldest mark has nothing in the
//! way of the tombstones that were known in it before: those are older than its own marks. So none
//! is copied twice for this reason; and once each table that was marked at some moment has been
//! rewritten, all that was held up at that moment is free (but for what was copied meanwhile as
//! garbage, and is as young as what was found with it). That is one copy of what lives for a
//! quarter of it in tombstones, however fast other records die meanwhile.
//!
//! Behind a damaged table, which is left alone, tombstones stay: its marks never go, and relief
//! does not count what it holds up. The bound holds again when its records came from a peer.

use std::ops::Range;

use super::options::StateOptions;

#[cfg(test)]
mod tests;

/// So many tables of a size are merged at once.
const FAN: usize = 8;

/// So many tables beyond what full ones would need are left alone.
const SPARE: u64 = 48;

/// One part in two: a record is copied at most once for each that died beside it.
pub(super) const HALF: u64 = 2;

/// One part in eight: what is worth a copy while space is short.
pub(super) const SHORT: u64 = 8;

/// This share of what lives may be tombstones that are held up.
const HELD_SHARE: u64 = 4;

/// What the choice goes by. Discards have ascending numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Length of the file.
    pub(super) bytes: u64,
    /// Of that, marked as dead, and not known to be tombstones.
    pub(super) dead: u64,
    /// The discard of the oldest mark.
    pub(super) since: Option<u64>,
    /// The dead that are known to be tombstones.
    pub(super) tombstones: Option<Tombstones>,
    /// Must be left alone: damaged.
    pub(super) barred: bool,
    /// There was no space for its copy.
    pub(super) starved: bool,
}

/// The dead of a table that are known to be tombstones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tombstones {
    pub(super) bytes: u64,
    /// The discard of the youngest.
    pub(super) until: u64,
}

impl Candidate {
    fn tombstone_bytes(&self) -> u64 {
        self.tombstones.map_or(0, |tombstones| tombstones.bytes)
    }
}

/// A candidate beside the older ones.
#[derive(Clone, Copy, Debug)]
struct Weighed {
    /// What a rewrite would leave behind.
    dead: u64,
    /// What it would copy.
    rest: u64,
    /// Tombstones of the rest, when relief can free them.
    held: u64,
    /// An older table has marks, so that more may have to be copied.
    follows: bool,
    barred: bool,
    starved: bool,
}

/// Whether dead tombstones, discarded up to `until`, of the table at `place` must stay: an older
/// table has a mark that is as old.
pub(super) fn held_up(tables: &[Candidate], place: usize, until: u64) -> bool {
    tables[..place].iter().any(|older| older.since.is_some_and(|since| since <= until))
}

/// The tables to be rewritten into one, as a range of adjacent ones; `None` when all is well.
pub(super) fn plan(tables: &[Candidate], options: StateOptions) -> Option<Range<usize>> {
    let weighed = weigh(tables);
    garbage(&weighed)
        .or_else(|| relief(tables, &weighed, options.step_bytes))
        .or_else(|| merge(&weighed, options.table_bytes))
        .or_else(|| squeeze(&weighed, options.table_bytes))
}

/// As [`plan`] when space is short: of the tables whose dead are at least one part in `share` the
/// one whose copy is smallest for certain, and no merging. A dead table behind nothing that is
/// marked has no copy.
pub(super) fn plan_cramped(tables: &[Candidate], share: u64) -> Option<Range<usize>> {
    let weighed = weigh(tables);
    let most = |table: &Weighed| if table.follows { table.rest + table.dead } else { table.rest };
    let fit = dead_by(&weighed, share).filter(|(_, table)| !table.starved);
    let (place, _) = fit.min_by_key(|(place, table)| (most(table), *place))?;
    Some(place..place + 1)
}

fn weigh(tables: &[Candidate]) -> Vec<Weighed> {
    let (mut oldest, mut stuck): (Option<u64>, Option<u64>) = (None, None);
    let earlier = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
    let weigh = |table: &Candidate| {
        let not_after = |mark: Option<u64>| {
            let until = table.tombstones.map(|tombstones| tombstones.until);
            mark.zip(until).is_some_and(|(mark, until)| mark <= until)
        };
        let (held, stays) = (not_after(oldest), not_after(stuck));
        let bytes = table.tombstone_bytes();
        let dead = (table.dead + if held { 0 } else { bytes }).min(table.bytes);
        let weighed = Weighed {
            dead,
            rest: table.bytes - dead,
            held: if held && !stays { bytes } else { 0 },
            follows: oldest.is_some(),
            barred: table.barred,
            starved: table.starved,
        };
        oldest = earlier(oldest, table.since);
        stuck = earlier(stuck, table.since.filter(|_| table.barred));
        weighed
    };
    tables.iter().map(weigh).collect()
}

/// The oldest table that is at least half dead.
fn garbage(tables: &[Weighed]) -> Option<Range<usize>> {
    let (place, _) = half_dead(tables).next()?;
    Some(place..place + 1)
}

fn half_dead(tables: &[Weighed]) -> impl Iterator<Item = (usize, &Weighed)> {
    dead_by(tables, HALF)
}

/// The tables of which at least one part in `share` is dead, and anything at all.
fn dead_by(tables: &[Weighed], share: u64) -> impl Iterator<Item = (usize, &Weighed)> {
    let places = tables.iter().enumerate();
    places.filter(move |(_, table)| {
        let some = table.dead > 0 || share == HALF;
        !table.barred && some && table.dead.saturating_mul(share - 1) >= table.rest
    })
}

/// The table with the oldest mark of those that hold up tombstones, when these are too many.
fn relief(tables: &[Candidate], weighed: &[Weighed], least: u64) -> Option<Range<usize>> {
    let held: u64 = weighed.iter().map(|table| table.held).sum();
    let live = tables.iter().map(|table| {
        let dead = table.dead.saturating_add(table.tombstone_bytes());
        table.bytes.saturating_sub(dead)
    });
    if held <= least.max(live.sum::<u64>() / HELD_SHARE) {
        return None;
    }
    // The youngest of the tombstones that are held up in newer tables.
    let mut youngest = None;
    let mut chosen: Option<(u64, usize)> = None;
    for (place, table) in tables.iter().enumerate().rev() {
        let holds_up = table.since.filter(|since| Some(*since) <= youngest && !table.barred);
        chosen = holds_up.map(|since| (since, place)).into_iter().chain(chosen).min();
        if weighed[place].held > 0 {
            youngest = youngest.max(table.tombstones.map(|tombstones| tombstones.until));
        }
    }
    chosen.map(|(_, place)| place..place + 1)
}

/// The first run of at least [`FAN`] adjacent tables that fit into one, none of which is more than
/// half of it. The longest such run from its start.
fn merge(tables: &[Weighed], table_bytes: u64) -> Option<Range<usize>> {
    for start in 0..tables.len() {
        let (mut sum, mut largest, mut end) = (0u64, 0u64, None);
        for (place, table) in tables.iter().enumerate().skip(start) {
            sum = sum.saturating_add(table.rest);
            largest = largest.max(table.rest);
            if table.barred || sum > table_bytes {
                break;
            }
            if place + 1 - start >= FAN && largest <= sum / 2 {
                end = Some(place + 1);
            }
        }
        if let Some(end) = end {
            return Some(start..end);
        }
    }
    None
}

/// The adjacent pair with the least that stays, when there are too many tables.
fn squeeze(tables: &[Weighed], table_bytes: u64) -> Option<Range<usize>> {
    let rest: u64 = tables.iter().map(|table| table.rest).sum();
    if tables.len() as u64 <= SPARE + 1 + 2 * rest / table_bytes.max(1) {
        return None;
    }
    let sum = |place: usize| tables[place].rest + tables[place + 1].rest;
    let place = (0..tables.len().saturating_sub(1))
        .filter(|place| !tables[*place].barred && !tables[place + 1].barred)
        .filter(|place| sum(*place) <= table_bytes)
        .min_by_key(|place| sum(*place))?;
    Some(place..place + 2)
}
