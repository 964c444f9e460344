//! The table of members.
//!
//! A member has a row for as long as it is known, and the row's number ([`Slot`]) stays its own for
//! that long. Beside the rows stand the index of names and the order of probing, a list of all
//! rows. That is 16 + 4 + about 7 bytes a member, 27 in all, beside the shared facts.
//!
//! # The order of probing
//!
//! SWIM §4.3 probes everybody once a round, in an order that is shuffled anew for each: a dead
//! member is then found by every one of the others within two rounds. Here the shuffle is drawn as
//! the round goes on, one step of Fisher and Yates for each probe: the order is as random, and no
//! moment pays for the whole pool. A newcomer is put at the end, among those still to be drawn, so
//! that it is probed in this very round.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::index::{Index, hash};
use super::message::{Facts, Name, State};
use super::row::{Moment, Row};
use crate::Rng;

/// The number of a member's row, for as long as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(pub(super) u32);

/// No free row.
const NONE: u32 = u32::MAX;

/// Everybody that is known.
///
/// - `order` holds every row with facts once, the index too.
/// - `counts` are those of the states of the rows with facts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Table {
    rows: Vec<Row>,
    free: u32,
    index: Index,
    order: Vec<Slot>,
    /// How many of `order` have had their turn in this round.
    turn: usize,
    counts: [usize; 4],
    seed: u64,
    most: usize,
}

impl Table {
    /// A table for at most this many members. Names are hashed under the seed.
    pub(super) const fn new(most: usize, seed: u64) -> Self {
        Self {
            rows: Vec::new(),
            free: NONE,
            index: Index::new(),
            order: Vec::new(),
            turn: 0,
            counts: [0; 4],
            seed,
            most,
        }
    }

    pub(super) fn hash(&self, name: &Name) -> u64 {
        hash(name.as_bytes(), self.seed)
    }

    pub(super) fn find(&self, name: &Name) -> Option<Slot> {
        self.index.find(self.hash(name), |slot| self.facts(slot).name == *name)
    }

    pub(super) fn row(&self, slot: Slot) -> &Row {
        &self.rows[slot.0 as usize]
    }

    pub(super) fn facts(&self, slot: Slot) -> &Arc<Facts> {
        self.row(slot).facts.as_ref().expect("invariant: a slot names a row with facts")
    }

    pub(super) fn state(&self, slot: Slot) -> State {
        self.row(slot).state()
    }

    /// Everybody that is known, this member and the dead included.
    pub(super) const fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) const fn count(&self, state: State) -> usize {
        self.counts[state as usize]
    }

    /// Makes room for so many more at once, as far as so many may be taken in.
    pub(super) fn reserve(&mut self, more: usize) {
        let more = more.min(self.most.saturating_sub(self.order.len()));
        self.rows.reserve_exact(more);
        self.order.reserve_exact(more);
        let (rows, seed) = (&self.rows, self.seed);
        self.index.reserve(more, |slot| row_hash(rows, slot, seed));
    }

    /// Takes in somebody whose name is not here; `None` when the table is full.
    pub(super) fn insert(
        &mut self,
        facts: Arc<Facts>,
        incarnation: u32,
        state: State,
        since: Moment,
    ) -> Option<Slot> {
        if self.order.len() >= self.most {
            return None;
        }
        let name_hash = self.hash(&facts.name);
        let row = Row::new(facts, incarnation, state, since);
        let slot = if self.free == NONE {
            let slot = Slot(u32::try_from(self.rows.len()).ok()?);
            make_room(&mut self.rows);
            self.rows.push(row);
            slot
        } else {
            let slot = Slot(self.free);
            let place = &mut self.rows[self.free as usize];
            self.free = place.incarnation;
            *place = row;
            slot
        };
        let (rows, seed) = (&self.rows, self.seed);
        self.index.insert(name_hash, slot, |slot| row_hash(rows, slot, seed));
        make_room(&mut self.order);
        self.order.push(slot);
        self.counts[state as usize] += 1;
        Some(slot)
    }

    /// Believes something else. The moment is that of the last change of the state.
    pub(super) fn put(&mut self, slot: Slot, incarnation: u32, state: State, now: Moment) {
        let before = self.state(slot);
        let row = &mut self.rows[slot.0 as usize];
        row.incarnation = incarnation;
        if before != state {
            row.put(state, now);
            self.counts[before as usize] -= 1;
            self.counts[state as usize] += 1;
        }
    }

    pub(super) fn put_facts(&mut self, slot: Slot, facts: Arc<Facts>) {
        assert!(facts.name == self.facts(slot).name, "a member keeps its name");
        self.rows[slot.0 as usize].facts = Some(facts);
    }

    /// Whose turn it is next; it had it when this returns. A round ends when everybody had.
    pub(super) fn next_in_turn(&mut self, rng: &mut Rng) -> Option<Slot> {
        if self.turn >= self.order.len() {
            self.turn = 0;
        }
        let other = self.turn + below(rng, self.order.len() - self.turn);
        let (&slot, turn) = (self.order.get(other)?, self.turn);
        self.order.swap(turn, other);
        self.turn += 1;
        Some(slot)
    }

    /// Forgets the member that just had its turn.
    pub(super) fn remove_last_in_turn(&mut self) {
        assert!(self.turn > 0, "somebody had a turn");
        self.turn -= 1;
        // The last one in the order takes its place: it is still to be drawn, or it is this one.
        let slot = self.order.swap_remove(self.turn);
        let (rows, seed) = (&self.rows, self.seed);
        let name_hash = row_hash(rows, slot, seed);
        self.index.remove(name_hash, slot, |slot| row_hash(rows, slot, seed));
        self.counts[self.state(slot) as usize] -= 1;
        self.rows[slot.0 as usize] = Row::free(self.free);
        self.free = slot.0;
    }

    /// Anybody.
    pub(super) fn any(&self, rng: &mut Rng) -> Option<Slot> {
        self.order.get(below(rng, self.order.len())).copied()
    }

    /// Up to `wanted` different members of those that `fits`. In a small pool all are looked at; in
    /// a large one draws are made until enough fit, and given up after a number that depends on
    /// `wanted` alone.
    pub(super) fn pick(
        &self,
        rng: &mut Rng,
        wanted: usize,
        fits: impl Fn(Slot) -> bool,
    ) -> Vec<Slot> {
        /// Draws for each member that is wanted.
        const DRAWS: usize = 64;
        let mut picked: Vec<Slot> = Vec::with_capacity(wanted.min(self.order.len()));
        if self.order.len() <= DRAWS {
            let mut all: Vec<Slot> =
                self.order.iter().copied().filter(|&slot| fits(slot)).collect();
            while picked.len() < wanted && !all.is_empty() {
                let at = below(rng, all.len());
                picked.push(all.swap_remove(at));
            }
            return picked;
        }
        for _ in 0..wanted.saturating_mul(DRAWS) {
            if picked.len() == wanted {
                break;
            }
            let Some(slot) = self.any(rng) else { break };
            if !picked.contains(&slot) && fits(slot) {
                picked.push(slot);
            }
        }
        picked
    }

    /// All members, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Row, &Arc<Facts>)> {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(|(at, row)| Some((Slot(u32::try_from(at).ok()?), row, row.facts.as_ref()?)))
    }

    /// Bytes that rows, index and order take, beside the shared facts.
    pub(super) const fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>()
            + self.order.capacity() * size_of::<Slot>()
            + self.index.bytes()
    }

    /// The laws above, for whoever can afford to look at everybody.
    pub(super) fn assert_invariants(&self) {
        let held = self.rows.iter().filter(|row| row.facts.is_some()).count();
        assert!(held == self.order.len(), "the order holds everybody");
        assert!(held == self.index.len(), "the index holds everybody");
        let mut counts = [0; 4];
        for &slot in &self.order {
            counts[self.state(slot) as usize] += 1;
            assert!(self.find(&self.facts(slot).name) == Some(slot), "everybody is found");
        }
        assert!(counts == self.counts, "states are counted");
    }
}

fn row_hash(rows: &[Row], slot: Slot, seed: u64) -> u64 {
    let facts = rows[slot.0 as usize].facts.as_ref();
    hash(facts.expect("invariant: the index names rows with facts").name.as_bytes(), seed)
}

/// A number in `0..bound`, 0 when there is none.
fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).expect("invariant: below a length")
}

/// Grows by an eighth: rows are many, and half of them empty would be too many.
fn make_room<T>(vector: &mut Vec<T>) {
    if vector.len() == vector.capacity() {
        vector.reserve_exact(vector.len() / 8 + 4);
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::format;

    use bytes::Bytes;

    use super::*;
    use crate::Time;
    use crate::swim::message::{Addr, Vsn};

    const NOW: Moment = Moment::START;

    fn facts(number: usize) -> Arc<Facts> {
        let name = Name::from(format!("member-{number}").as_str());
        let (addr, meta) = (Addr::from([10, 0, 0, 1]), Bytes::new());
        Arc::new(Facts { name, addr, port: 7946, meta, vsn: Vsn::PLAIN })
    }

    fn table(members: usize) -> Table {
        let mut table = Table::new(1 << 20, 42);
        for number in 0..members {
            table.insert(facts(number), 1, State::Alive, NOW).unwrap();
        }
        table
    }

    #[test]
    fn a_member_takes_27_bytes_beside_its_facts() {
        let table = table(10_000);
        let each = table.bytes() as f64 / 10_000.0;
        assert!(each < 29.5, "{each}");
        table.assert_invariants();
    }

    #[test]
    fn everybody_has_a_turn_in_every_round_and_no_round_is_like_another() {
        let mut table = table(50);
        let mut rng = Rng::new(1);
        let mut rounds = BTreeSet::new();
        for _ in 0..20 {
            let round: Vec<Slot> = (0..50).filter_map(|_| table.next_in_turn(&mut rng)).collect();
            assert_eq!(round.iter().collect::<BTreeSet<_>>().len(), 50);
            rounds.insert(round);
        }
        assert_eq!(rounds.len(), 20);
        // Each place of a round is anybody's.
        assert!(rounds.iter().map(|round| round[0]).collect::<BTreeSet<_>>().len() > 10);
    }

    #[test]
    fn a_newcomer_has_its_turn_in_this_round() {
        let mut table = table(10);
        let mut rng = Rng::new(1);
        (0..7).for_each(|_| assert!(table.next_in_turn(&mut rng).is_some()));
        let slot = table.insert(facts(10), 1, State::Alive, NOW).unwrap();
        let rest: Vec<Slot> = (0..4).filter_map(|_| table.next_in_turn(&mut rng)).collect();
        assert!(rest.contains(&slot));
    }

    /// The dumb twin is a list of names.
    #[test]
    fn rows_come_and_go_and_keep_their_numbers() {
        let mut table = Table::new(40, 7);
        let mut rng = Rng::new(3);
        let mut twin: Vec<(usize, Slot)> = Vec::new();
        for step in 0..4000 {
            let number = below(&mut rng, 60);
            let known = twin.iter().find(|(known, _)| *known == number).map(|&(_, slot)| slot);
            let name = facts(number).name.clone();
            assert_eq!(table.find(&name), known, "step {step}");
            if rng.below(2) == 0 && known.is_none() {
                let slot = table.insert(facts(number), 1, State::Alive, NOW);
                assert_eq!(slot.is_none(), twin.len() == 40, "it is full at 40");
                twin.extend(slot.map(|slot| (number, slot)));
            } else if let Some(slot) = table.next_in_turn(&mut rng) {
                let dead = rng.below(2) == 0;
                table.put(slot, 2, if dead { State::Dead } else { State::Suspect }, NOW);
                if dead {
                    table.remove_last_in_turn();
                    twin.retain(|&(_, known)| known != slot);
                }
            }
            table.assert_invariants();
        }
        assert!(table.rows.len() <= 40, "free rows are used again");
    }

    #[test]
    fn picks_are_different_members_that_fit() {
        for members in [0, 1, 3, 64, 65, 1000] {
            let mut rng = Rng::new(9);
            let table = table(members);
            let odd = |slot: Slot| slot.0 % 2 == 1;
            let mut seen = BTreeSet::new();
            for _ in 0..200 {
                let picked = table.pick(&mut rng, 3, odd);
                assert_eq!(picked.len(), 3.min(members / 2));
                assert!(picked.iter().all(|&slot| odd(slot)));
                assert_eq!(picked.iter().collect::<BTreeSet<_>>().len(), picked.len());
                seen.extend(picked);
            }
            assert!(seen.len() >= (members / 2).min(200), "{members}");
        }
    }

    #[test]
    fn moments_tell_how_long_a_state_has_lasted() {
        let mut table = table(2);
        let later = Moment::of(Time(5_000_000_000));
        table.put(Slot(1), 4, State::Dead, later);
        table.put(Slot(1), 5, State::Dead, Moment::of(Time(9_000_000_000)));
        assert_eq!((table.row(Slot(1)).since(), table.row(Slot(1)).incarnation), (later, 5));
        assert_eq!((table.count(State::Dead), table.count(State::Alive)), (1, 1));
    }
}
