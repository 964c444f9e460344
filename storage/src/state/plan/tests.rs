//! The plan followed to its end, over tables that are only numbers.

use super::*;

const TABLE: u64 = 512 << 20;

fn live(bytes: u64) -> Candidate {
    Candidate { bytes, ..Candidate::default() }
}

fn dead(bytes: u64, dead: u64) -> Candidate {
    Candidate { bytes, dead, since: (dead > 0).then_some(1), ..Candidate::default() }
}

fn known(bytes: u64, tombstones: u64, until: u64) -> Candidate {
    let tombstones = Some(Tombstones { bytes: tombstones, until });
    Candidate { bytes, tombstones, ..Candidate::default() }
}

fn options(table_bytes: u64, step_bytes: u64) -> StateOptions {
    StateOptions { table_bytes, step_bytes, ..StateOptions::default() }
}

fn next(tables: &[Candidate], table_bytes: u64) -> Option<Range<usize>> {
    plan(tables, options(table_bytes, 1))
}

/// Does what the plan says until it says nothing.
fn settle(tables: &mut Vec<Candidate>, table_bytes: u64) -> u64 {
    let mut copied = 0;
    while let Some(range) = next(tables, table_bytes) {
        let sum: u64 = tables[range.clone()].iter().map(|table| table.bytes - table.dead).sum();
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
        copied += settle(&mut tables, TABLE);
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
        settle(&mut tables, TABLE);
        let sum: u64 = tables.iter().map(|table| table.bytes).sum();
        let bound = 48 + 1 + 2 * sum / TABLE;
        assert!(tables.len() as u64 <= bound, "{} tables, bound {bound}", tables.len());
    }
}

#[test]
fn the_oldest_half_dead_table_goes_first_and_a_damaged_one_never() {
    let mut tables = vec![dead(100, 49), dead(100, 60), dead(100, 100)];
    assert_eq!(next(&tables, 1000), Some(1..2));
    tables[1].barred = true;
    assert_eq!(next(&tables, 1000), Some(2..3));
    tables[2].barred = true;
    assert_eq!(next(&tables, 1000), None);
}

#[test]
fn a_tombstone_is_held_up_by_an_older_mark_that_is_as_old() {
    let marked = |since| Candidate { since: Some(since), ..live(100) };
    let tables = [marked(5), live(100), marked(2), known(100, 60, 4)];
    assert!(held_up(&tables, 3, 4), "2 came before 4");
    assert!(held_up(&tables, 3, 2), "2 came along with 2");
    assert!(!held_up(&tables, 2, 4), "5 came after 4");
    assert!(!held_up(&tables, 0, 9), "nothing is older");
}

#[test]
fn tombstones_count_as_garbage_when_nothing_holds_them_up() {
    let free = [live(400), known(100, 60, 4)];
    assert_eq!(next(&free, 1000), Some(1..2));
    let later = [Candidate { since: Some(5), ..live(400) }, known(100, 60, 4)];
    assert_eq!(next(&later, 1000), Some(1..2), "what died later holds up nothing");
    let held = [Candidate { since: Some(4), ..live(400) }, known(100, 60, 4)];
    assert_eq!(next(&held, 1000), None, "60 of 440 is no pressure");
    let own = [live(400), Candidate { since: Some(4), ..known(100, 60, 4) }];
    assert_eq!(next(&own, 1000), Some(1..2), "a table's own marks go along with them");
}

#[test]
fn relief_begins_above_a_quarter_of_what_lives_and_above_a_step() {
    let old = Candidate { dead: 1, since: Some(3), ..live(401) };
    let held = |bytes| [old, known(bytes, bytes, 9)];
    assert_eq!(next(&held(100), 10_000), None);
    assert_eq!(next(&held(101), 10_000), Some(0..1), "whatever its share");
    assert_eq!(plan(&held(101), options(10_000, 101)), None, "less than a step");
    let [old, new] = held(101);
    assert_eq!(next(&[new, old], 10_000), Some(0..1), "free at once in the oldest table");
}

#[test]
fn relief_takes_the_oldest_mark_and_of_equals_the_oldest_table() {
    let marked = |since| Candidate { dead: 1, since: Some(since), ..live(100) };
    let mut tables = [marked(4), marked(3), marked(3), known(500, 500, 9), marked(1)];
    assert_eq!(next(&tables, 10_000), Some(1..2), "the newest holds up nothing");
    tables[0].since = Some(10);
    tables[1].since = Some(10);
    tables[2].since = Some(10);
    assert_eq!(next(&tables, 10_000), Some(3..4), "all is free");
}

#[test]
fn what_a_damaged_table_holds_up_asks_for_no_relief() {
    let marked = |since, barred| Candidate { dead: 1, since: Some(since), barred, ..live(100) };
    let tombstones = known(500, 500, 9);
    assert_eq!(next(&[marked(3, true), marked(3, false), tombstones], 10_000), None);
    let behind = [marked(3, false), tombstones, marked(3, true), known(10, 10, 9)];
    assert_eq!(next(&behind, 10_000), Some(0..1), "what stands before it can be freed");
}

#[test]
fn a_full_disk_lets_go_what_needs_no_copy_and_then_the_smallest_copies() {
    let wholly = dead(100, 100);
    let half = dead(100, 60);
    assert_eq!(plan_cramped(&[live(100), wholly, half, wholly], HALF), Some(1..2));
    assert_eq!(plan_cramped(&[dead(100, 10), half, dead(90, 90)], HALF), Some(2..3), "90 at most");
    let starved = Candidate { starved: true, ..wholly };
    assert_eq!(plan_cramped(&[starved, half, live(100)], HALF), Some(1..2), "each has its turn");
    assert_eq!(plan_cramped(&[starved, live(100), live(100)], HALF), None);
    let held = [dead(100, 10), known(100, 100, 1)];
    assert_eq!(plan_cramped(&held, HALF), None, "a copy would give back nothing");
}

/// Tables whose records keep dying, as a rewrite of each leaves them behind.
struct World {
    tables: Vec<Candidate>,
    discards: u64,
    rng: protocol::Rng,
    copied: u64,
    freed: u64,
}

impl World {
    /// Some of what lives dies, in every table.
    fn discard(&mut self) {
        self.discards += 1;
        for table in &mut self.tables {
            let held = table.tombstone_bytes();
            let dies = (table.bytes - table.dead - held).min(self.rng.next() % 4000);
            if dies > 0 {
                table.dead += dies;
                table.since.get_or_insert(self.discards);
            }
        }
    }

    /// Rewrites a range as the law has it, and finds that a third of its marks are tombstones'.
    fn rewrite(&mut self, range: Range<usize>) {
        let (mut bytes, mut kept, mut until) = (0, 0, 0);
        for place in range.clone() {
            let table = self.tables[place];
            bytes += table.bytes - table.dead - table.tombstone_bytes();
            if let Some(tombstones) = table.tombstones {
                if held_up(&self.tables, range.start, tombstones.until) {
                    kept += tombstones.bytes;
                    until = until.max(tombstones.until);
                } else {
                    self.freed += tombstones.bytes;
                }
            }
            let found = table.dead / 3;
            if found > 0 && held_up(&self.tables, range.start, self.discards) {
                kept += found;
                until = self.discards;
            }
        }
        self.copied += bytes + kept;
        let copy = if kept > 0 { known(bytes + kept, kept, until) } else { live(bytes) };
        self.tables.splice(range, (bytes + kept > 0).then_some(copy));
    }

    fn live(&self) -> u64 {
        let dead = |table: &Candidate| table.dead + table.tombstone_bytes();
        self.tables.iter().map(|table| table.bytes - dead(table)).sum()
    }

    fn held(&self) -> u64 {
        let places = self.tables.iter().enumerate();
        let held = places.filter_map(|(place, table)| {
            let tombstones = table.tombstones?;
            held_up(&self.tables, place, tombstones.until).then_some(tombstones.bytes)
        });
        held.sum()
    }
}

#[test]
fn held_up_tombstones_stay_below_the_bound_while_records_die_everywhere() {
    let (table_bytes, step_bytes) = (200_000, 1000);
    let mut relieved = 0;
    for seed in 0..20 {
        let rng = protocol::Rng::new(seed);
        let mut world = World { tables: Vec::new(), discards: 0, rng, copied: 0, freed: 0 };
        let mut flushed = 0;
        for _ in 0..300 {
            let bytes = 10_000 + world.rng.next() % 20_000;
            flushed += bytes;
            world.tables.push(live(bytes));
            world.discard();
            let mut steps = 0;
            while let Some(range) = plan(&world.tables, options(table_bytes, step_bytes)) {
                let candidates = weigh(&world.tables);
                let half_dead = half_dead(&candidates).next().is_some();
                relieved += u64::from(!half_dead && range.len() == 1);
                world.rewrite(range);
                steps += 1;
                assert!(steps < 1000, "the plan comes to an end");
            }
            let (held, live) = (world.held(), world.live());
            assert!(held <= step_bytes.max(live / HELD_SHARE), "{held} held up, {live} live");
            let bytes: u64 = world.tables.iter().map(|table| table.bytes).sum();
            assert!(bytes <= live * 5 / 2 + 2 * step_bytes, "{bytes} bytes, {live} live");
        }
        assert!(world.freed > 0, "tombstones go");
        assert!(world.copied < 20 * flushed, "copied {} times", world.copied / flushed);
    }
    assert!(relieved > 50, "{relieved} rewrites for relief");
}
