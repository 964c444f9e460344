//! Which tables to rewrite next.
//!
//! Two reasons, in this order:
//!
//! 1. **Garbage.** A table that is at least half dead is rewritten alone, or removed when nothing
//!    of it lives. So space is at most twice what lives, and a record is copied for this reason at
//!    most once for each record that died beside it.
//! 2. **Number.** Adjacent tables are merged: [`FAN`] or more of about the same size (none more
//!    than half of all), so that a record is copied for this reason a number of times that is
//!    logarithmic in the size of a table; and when there are more than [`SPARE`] tables beyond what
//!    full ones would need, the smallest adjacent pair that fits.
//!
//! The bound: while more than `SPARE + 2 * live / table_bytes + 1` tables stand, an adjacent pair
//! fits into one table, because otherwise each pair held more than `table_bytes`. At 100 GB in
//! tables of 512 MiB that is less than 450 files.

use std::ops::Range;

/// So many tables of a size are merged at once.
const FAN: usize = 8;

/// So many tables beyond what full ones would need are left alone.
const SPARE: u64 = 48;

/// What the choice goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Length of the file.
    pub(super) bytes: u64,
    /// Of that, dead.
    pub(super) dead: u64,
    /// Must be left alone: damaged.
    pub(super) barred: bool,
}

impl Candidate {
    fn live(&self) -> u64 {
        self.bytes.saturating_sub(self.dead)
    }
}

/// The tables to be rewritten into one, as a range of adjacent ones; `None` when all is well.
pub(super) fn plan(tables: &[Candidate], table_bytes: u64) -> Option<Range<usize>> {
    garbage(tables).or_else(|| merge(tables, table_bytes)).or_else(|| squeeze(tables, table_bytes))
}

/// As [`plan`] when the disk is full: of the tables that are half dead the one whose copy is
/// smallest, and no merging.
pub(super) fn plan_cramped(tables: &[Candidate]) -> Option<Range<usize>> {
    let (place, _) = half_dead(tables).min_by_key(|(_, table)| table.live())?;
    Some(place..place + 1)
}

/// The table with the largest dead share, when that is half or more.
fn garbage(tables: &[Candidate]) -> Option<Range<usize>> {
    let share = |table: &Candidate| (u128::from(table.dead) << 64) / u128::from(table.bytes.max(1));
    let (place, _) = half_dead(tables).max_by_key(|(_, table)| share(table))?;
    Some(place..place + 1)
}

fn half_dead(tables: &[Candidate]) -> impl Iterator<Item = (usize, &Candidate)> {
    tables
        .iter()
        .enumerate()
        .filter(|(_, table)| !table.barred && table.dead >= table.bytes.saturating_sub(table.dead))
}

/// The first run of at least [`FAN`] adjacent tables that fit into one, none of which is more than
/// half of it. The longest such run from its start.
fn merge(tables: &[Candidate], table_bytes: u64) -> Option<Range<usize>> {
    for start in 0..tables.len() {
        let (mut sum, mut largest, mut end) = (0u64, 0u64, None);
        for (place, table) in tables.iter().enumerate().skip(start) {
            sum = sum.saturating_add(table.live());
            largest = largest.max(table.live());
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

/// The adjacent pair with the least that lives, when there are too many tables.
fn squeeze(tables: &[Candidate], table_bytes: u64) -> Option<Range<usize>> {
    let live: u64 = tables.iter().map(Candidate::live).sum();
    if tables.len() as u64 <= SPARE + 1 + 2 * live / table_bytes.max(1) {
        return None;
    }
    let sum = |place: usize| tables[place].live() + tables[place + 1].live();
    let place = (0..tables.len().saturating_sub(1))
        .filter(|place| !tables[*place].barred && !tables[place + 1].barred)
        .filter(|place| sum(*place) <= table_bytes)
        .min_by_key(|place| sum(*place))?;
    Some(place..place + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(bytes: u64) -> Candidate {
        Candidate { bytes, dead: 0, barred: false }
    }

    /// Does what the plan says until it says nothing.
    fn settle(tables: &mut Vec<Candidate>, table_bytes: u64) -> u64 {
        let mut copied = 0;
        while let Some(range) = plan(tables, table_bytes) {
            let sum: u64 = tables[range.clone()].iter().map(Candidate::live).sum();
            assert!(range.len() == 1 || sum <= table_bytes, "{range:?} does not fit");
            copied += sum;
            tables.splice(range, (sum > 0).then(|| live(sum)));
        }
        copied
    }

    #[test]
    fn small_flushes_become_few_tables_and_are_copied_a_few_times() {
        let mut tables = Vec::new();
        let mut copied = 0;
        for _ in 0..20_000 {
            tables.push(live(1 << 20));
            copied += settle(&mut tables, 512 << 20);
        }
        let full = 20_000 / 512;
        assert!(tables.len() <= full + 48 + 2, "{} tables", tables.len());
        assert!(copied <= 4 * (20_000 << 20), "copied {} times", copied / (20_000 << 20));
    }

    #[test]
    fn any_mixture_of_sizes_settles_below_the_bound() {
        let mut rng = protocol::Rng::new(7);
        for _ in 0..50 {
            let mut tables: Vec<_> = (0..400).map(|_| live(1 << (rng.next() % 30))).collect();
            settle(&mut tables, 512 << 20);
            let sum: u64 = tables.iter().map(Candidate::live).sum();
            let bound = 48 + 1 + 2 * sum / (512 << 20);
            assert!(tables.len() as u64 <= bound, "{} tables, bound {bound}", tables.len());
        }
    }

    #[test]
    fn the_deadest_table_goes_first_and_a_damaged_one_never() {
        let dead = |bytes, dead| Candidate { bytes, dead, barred: false };
        let mut tables = vec![dead(100, 60), dead(100, 100), dead(100, 49)];
        assert_eq!(plan(&tables, 1000), Some(1..2));
        tables[1].barred = true;
        assert_eq!(plan(&tables, 1000), Some(0..1));
        tables[0].barred = true;
        assert_eq!(plan(&tables, 1000), None);
    }
}
