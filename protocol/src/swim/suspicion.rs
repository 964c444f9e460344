//! Suspects, and how long each still has.
//!
//! Lifeguard §IV-B: a suspicion that nobody shares waits long, for it may say more about the one
//! who suspects; each independent witness shortens it, logarithmically, down to the time that plain
//! SWIM would have given. When others are too few to confirm anything, the shortest time holds from
//! the start.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::scale::shortening;
use super::table::Slot;
use crate::Time;

/// What there is to say about a suspicion's time when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Patience {
    /// With all confirmations.
    pub(super) shortest: Duration,
    /// With none.
    pub(super) longest: Duration,
    /// How many confirmations count.
    pub(super) wanted: u32,
}

/// One suspect's time.
///
/// - `witnesses` holds the first accuser and at most `patience.wanted` others, all different.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Suspicion {
    began: Time,
    patience: Patience,
    witnesses: Vec<Witness>,
}

/// Whoever shares a suspicion, by the hash of the name under the member's own seed. Two names with
/// one hash would cost a confirmation, that is time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Witness(pub(super) u64);

/// All suspects. There are few, so what they need is kept beside the table and not in its rows.
///
/// - `deadlines` has one entry for each suspicion: when it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Suspicions {
    suspects: BTreeMap<Slot, Suspicion>,
    deadlines: BTreeSet<(Time, Slot)>,
}

impl Suspicion {
    fn deadline(&self) -> Time {
        let Patience { shortest, longest, wanted } = self.patience;
        if wanted == 0 {
            return self.began + shortest;
        }
        let confirmed = u32::try_from(self.witnesses.len() - 1).unwrap_or(u32::MAX);
        let shorter = shortening(confirmed, wanted, longest.saturating_sub(shortest));
        self.began + longest.saturating_sub(shorter).max(shortest)
    }
}

impl Suspicions {
    /// Begins to suspect; a suspicion that there was is forgotten.
    pub(super) fn begin(&mut self, now: Time, slot: Slot, from: Witness, patience: Patience) {
        self.end(slot);
        let suspicion = Suspicion { began: now, patience, witnesses: Vec::from([from]) };
        self.deadlines.insert((suspicion.deadline(), slot));
        self.suspects.insert(slot, suspicion);
    }

    /// Whether there is such a suspect.
    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.suspects.contains_key(&slot)
    }

    /// Counts a witness. Says whether that was news; once enough have confirmed, nothing is.
    pub(super) fn confirm(&mut self, slot: Slot, from: Witness) -> bool {
        let Some(suspicion) = self.suspects.get_mut(&slot) else { return false };
        let enough = suspicion.witnesses.len() > suspicion.patience.wanted as usize;
        if enough || suspicion.witnesses.contains(&from) {
            return false;
        }
        let before = suspicion.deadline();
        suspicion.witnesses.push(from);
        let after = suspicion.deadline();
        self.deadlines.remove(&(before, slot));
        self.deadlines.insert((after, slot));
        true
    }

    /// Suspects no more.
    pub(super) fn end(&mut self, slot: Slot) {
        if let Some(suspicion) = self.suspects.remove(&slot) {
            self.deadlines.remove(&(suspicion.deadline(), slot));
        }
    }

    /// The earliest deadline.
    pub(super) fn timeout(&self) -> Option<Time> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// A suspect whose time is over; it is one no more.
    pub(super) fn expired(&mut self, now: Time) -> Option<Slot> {
        let &(at, slot) = self.deadlines.first()?;
        (at <= now).then(|| self.end(slot)).map(|()| slot)
    }

    pub(super) fn len(&self) -> usize {
        self.suspects.len()
    }

    /// One deadline a suspect, and no witness twice.
    pub(super) fn assert_invariants(&self) {
        assert!(self.deadlines.len() == self.suspects.len(), "a deadline for each suspect");
        for (slot, suspicion) in &self.suspects {
            assert!(self.deadlines.contains(&(suspicion.deadline(), *slot)), "the right deadline");
            assert!(!suspicion.witnesses.is_empty(), "somebody began it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const SUSPECT: Slot = Slot(7);

    fn begun(wanted: u32) -> Suspicions {
        let patience = Patience { shortest: 2 * SECOND, longest: 30 * SECOND, wanted };
        let mut suspicions = Suspicions::default();
        suspicions.begin(Time(0), SUSPECT, Witness(0), patience);
        suspicions
    }

    fn millis(suspicions: &Suspicions) -> u64 {
        suspicions.timeout().unwrap().0 / 1_000_000
    }

    #[test]
    fn each_witness_shortens_the_time_logarithmically() {
        let mut suspicions = begun(3);
        let mut seen = Vec::from([millis(&suspicions)]);
        for witness in 1..=4 {
            suspicions.confirm(SUSPECT, Witness(witness));
            seen.push(millis(&suspicions));
        }
        // 30 − ln(c+1)/ln(4) · 28, in whole milliseconds.
        assert_eq!(seen, [30_000, 16_000, 7810, 2000, 2000]);
        suspicions.assert_invariants();
    }

    #[test]
    fn a_witness_counts_once_and_the_accuser_never() {
        let mut suspicions = begun(3);
        assert!(!suspicions.confirm(SUSPECT, Witness(0)));
        assert!(suspicions.confirm(SUSPECT, Witness(1)));
        assert!(!suspicions.confirm(SUSPECT, Witness(1)));
        assert_eq!(millis(&suspicions), 16_000);
        assert!(!suspicions.confirm(Slot(8), Witness(2)), "no such suspect");
    }

    #[test]
    fn nothing_is_news_once_enough_have_confirmed() {
        let mut suspicions = begun(1);
        assert!(suspicions.confirm(SUSPECT, Witness(1)));
        assert!(!suspicions.confirm(SUSPECT, Witness(2)));
    }

    #[test]
    fn without_confirmers_the_shortest_time_holds() {
        let mut suspicions = begun(0);
        assert_eq!(millis(&suspicions), 2000);
        assert!(!suspicions.confirm(SUSPECT, Witness(1)));
        assert_eq!(suspicions.expired(Time(0) + SECOND), None);
        assert_eq!(suspicions.expired(Time(0) + 2 * SECOND), Some(SUSPECT));
        assert!(!suspicions.contains(SUSPECT));
        assert_eq!((suspicions.timeout(), suspicions.len()), (None, 0));
    }

    #[test]
    fn a_confirmation_may_end_the_time_at_once() {
        let mut suspicions = begun(1);
        let late = Time(0) + 20 * SECOND;
        assert_eq!(suspicions.expired(late), None);
        assert!(suspicions.confirm(SUSPECT, Witness(1)));
        assert_eq!(suspicions.expired(late), Some(SUSPECT));
    }
}
