//! What to believe: the rules by which news of a member replaces what was known.
//!
//! SWIM §4.2. The higher incarnation wins; of one incarnation, dead beats suspect beats alive. Only
//! the member itself raises its incarnation, to answer an accusation.
//!
//! | known | alive of `i` | suspect of `i` | dead of `i` |
//! |---|---|---|---|
//! | alive of `j` | `i > j` | `i ≥ j` | `i ≥ j` |
//! | suspect of `j` | `i > j` | `i > j` anew, `i = j` confirms | `i ≥ j` |
//! | dead, left of `j` | `i > j` | never | only raises the number |
//! | this very member | answers from `i = j` on | the same | the same, unless it goes |
//!
//! Beside upstream's rules: a suspicion of a later incarnation begins anew, since the earlier one
//! was answered; the dead keep the highest number at which they were called dead, so that an older
//! sign of life does not bring them back; and what leaves no way back is not believed at all
//! (`version`).

use alloc::sync::Arc;

use super::message::{Alive, Dead, Facts, Message, Name, State, Suspect};
use super::output::Event;
use super::scale::suspicion_time;
use super::suspicion::{Patience, Witness};
use super::table::Slot;
use super::version::{LEAP, Refusal, check_facts, check_leap};
use super::{Address, SELF, Swim};
use crate::mutant::{Mutant, planted};

/// What became of a piece of news.
pub(super) type Believed = Result<(), Refusal>;

impl Swim {
    /// Somebody is there. News that is old is believed and changes nothing.
    pub(super) fn on_alive(&mut self, alive: &Alive) -> Believed {
        let believed = check_facts(self.vsn, &alive.facts, self.config.meta_bytes).and_then(|()| {
            match self.table.find(&alive.facts.name) {
                None => self.on_newcomer(alive),
                Some(SELF) => self.on_alive_of_self(alive),
                Some(slot) => self.on_alive_of(slot, alive),
            }
        });
        believed.inspect_err(|&reason| self.refuse(&alive.facts.name, reason))
    }

    fn on_newcomer(&mut self, alive: &Alive) -> Believed {
        // Whoever begins at the end of the numbers could never answer an accusation.
        check_leap(u32::MAX - 2 * LEAP, alive.incarnation)?;
        // Members begin at 1. Upstream does not believe a 0 of somebody unknown either.
        if alive.incarnation == 0 {
            return Ok(());
        }
        let (facts, incarnation, now) = (alive.facts.clone(), alive.incarnation, self.moment());
        let slot = self.table.insert(facts, incarnation, State::Alive, now).ok_or(Refusal::Full)?;
        self.pass_on_alive(slot);
        self.tell(Event::Joined(alive.facts.clone()));
        Ok(())
    }

    fn on_alive_of(&mut self, slot: Slot, alive: &Alive) -> Believed {
        let row = self.table.row(slot);
        let (state, known) = (row.state(), row.incarnation);
        let held = self.table.facts(slot);
        let moves = Address::of(held) != Address::of(&alive.facts);
        if moves && !self.is_given_up(slot) {
            self.conflict(held.clone(), alive.facts.clone());
            return Ok(());
        }
        let gone = matches!(state, State::Dead | State::Left);
        let back = planted(Mutant::S2) && gone && alive.incarnation == known;
        if !moves && alive.incarnation <= known && !back {
            if gone {
                self.accuse_again(slot);
            }
            return Ok(());
        }
        if !moves {
            check_leap(known, alive.incarnation)?;
        }
        self.suspicions.end(slot);
        if state == State::Suspect {
            self.counters.suspicions_refuted += 1;
        }
        let held = self.table.facts(slot);
        let updated = held.meta != alive.facts.meta;
        // Whoever is told the same again keeps what is shared.
        if *held != alive.facts {
            self.table.put_facts(slot, alive.facts.clone());
        }
        self.table.put(slot, alive.incarnation, State::Alive, self.moment());
        self.pass_on_alive(slot);
        let facts = self.table.facts(slot).clone();
        if gone {
            self.links.forget(slot);
            self.tell(Event::Joined(facts));
        } else if updated {
            self.tell(Event::Updated(facts));
        }
        Ok(())
    }

    /// Whether another one may take the name of this member.
    fn is_given_up(&self, slot: Slot) -> bool {
        let row = self.table.row(slot);
        match row.state() {
            State::Left => true,
            State::Dead => {
                let age = row.since().age(self.now);
                self.config.reclaim.is_some_and(|reclaim| age > reclaim)
            }
            State::Alive | State::Suspect => false,
        }
    }

    fn on_alive_of_self(&mut self, alive: &Alive) -> Believed {
        if self.is_leaving() {
            return Ok(());
        }
        let own = self.table.facts(SELF);
        if Address::of(own) != Address::of(&alive.facts) {
            let held = own.clone();
            self.conflict(held, alive.facts.clone());
            return Ok(());
        }
        let same = own.meta == alive.facts.meta && own.vsn == alive.facts.vsn;
        if alive.incarnation < self.incarnation || (alive.incarnation == self.incarnation && same) {
            return Ok(());
        }
        check_leap(self.incarnation, alive.incarnation)?;
        self.refute(alive.incarnation);
        Ok(())
    }

    fn conflict(&mut self, held: Arc<Facts>, other: Arc<Facts>) {
        self.counters.conflicts += 1;
        self.tell(Event::Conflict { held, other });
    }

    /// Somebody does not answer somebody.
    pub(super) fn on_suspect(&mut self, suspect: Suspect) {
        let Some(slot) = self.table.find(&suspect.node) else { return };
        let row = self.table.row(slot);
        let (state, known) = (row.state(), row.incarnation);
        if suspect.incarnation < known {
            return;
        }
        if let Err(reason) = check_leap(known, suspect.incarnation) {
            return self.refuse(&suspect.node, reason);
        }
        match state {
            State::Dead | State::Left => {}
            State::Alive if slot == SELF => self.refute(suspect.incarnation),
            State::Alive => {
                let (member, by) = (self.table.facts(slot).clone(), suspect.from.clone());
                self.begin_suspicion(slot, suspect);
                self.tell(Event::Suspected { member, by });
            }
            // The earlier accusation was answered, and this one is of what came after.
            State::Suspect if suspect.incarnation > known => self.begin_suspicion(slot, suspect),
            State::Suspect => {
                let witness = Witness(self.table.hash(&suspect.from));
                if self.suspicions.confirm(slot, witness) {
                    self.counters.confirmations += 1;
                    self.pass_on(Message::Suspect(suspect), slot);
                }
            }
        }
    }

    fn begin_suspicion(&mut self, slot: Slot, suspect: Suspect) {
        self.counters.suspicions += 1;
        let witness = Witness(self.table.hash(&suspect.from));
        let patience = self.patience();
        self.table.put(slot, suspect.incarnation, State::Suspect, self.moment());
        self.suspicions.begin(self.now, slot, witness, patience);
        self.pass_on(Message::Suspect(suspect), slot);
    }

    /// Lifeguard §IV-B: how long a suspect has, in a pool of this size.
    fn patience(&self) -> Patience {
        let config = &self.config;
        let members = self.table.len();
        let (multiplier, interval) = (config.suspicion_multiplier, config.probe_interval);
        if planted(Mutant::S6) {
            let shortest = suspicion_time(1, 1, interval);
            return Patience { shortest, longest: shortest, wanted: 0 };
        }
        let shortest = suspicion_time(members, multiplier, interval);
        let longest = shortest.saturating_mul(config.suspicion_max_multiplier.max(1));
        // Fewer confirmations than are wanted can come: none is wanted.
        let wanted = multiplier.saturating_sub(2);
        let others = u32::try_from(members.saturating_sub(2)).unwrap_or(u32::MAX);
        Patience { shortest, longest, wanted: if others < wanted { 0 } else { wanted } }
    }

    /// The time of suspects is over.
    pub(super) fn on_suspicion_timeout(&mut self) {
        while let Some(slot) = self.suspicions.expired(self.now) {
            let (node, from) = (self.table.facts(slot).name.clone(), self.name().clone());
            let incarnation = self.table.row(slot).incarnation;
            self.counters.deaths += 1;
            self.on_dead(Dead { incarnation, node, from });
        }
    }

    /// Somebody is gone: it says so itself, or somebody waited in vain for it to answer.
    pub(super) fn on_dead(&mut self, dead: Dead) {
        let Some(slot) = self.table.find(&dead.node) else { return };
        let row = self.table.row(slot);
        let (state, known) = (row.state(), row.incarnation);
        if dead.incarnation < known {
            return;
        }
        if let Err(reason) = check_leap(known, dead.incarnation) {
            return self.refuse(&dead.node, reason);
        }
        match state {
            // An older sign of life must not bring back who was called dead at a later number.
            State::Dead | State::Left => {
                if slot != SELF {
                    self.table.put(slot, dead.incarnation, state, self.moment());
                }
            }
            State::Alive | State::Suspect if slot == SELF => self.refute(dead.incarnation),
            State::Alive | State::Suspect => {
                self.suspicions.end(slot);
                self.links.forget(slot);
                let left = dead.node == dead.from;
                let state = if left { State::Left } else { State::Dead };
                self.table.put(slot, dead.incarnation, state, self.moment());
                self.pass_on(Message::Dead(dead), slot);
                let facts = self.table.facts(slot).clone();
                self.tell(if left { Event::Left(facts) } else { Event::Failed(facts) });
            }
        }
    }

    /// This member is accused and answers. SWIM §4.2: by a higher incarnation than the accused one.
    fn refute(&mut self, accused: u32) {
        // Lifeguard §IV-A: who is accused may be the slow one.
        self.awareness.apply(1, 0);
        self.counters.refutations += 1;
        let next = self.incarnation.max(accused);
        // At the end of the numbers it stays there: 0 would be believed by nobody.
        self.become_incarnation(if planted(Mutant::S1) { next } else { next.saturating_add(1) });
        self.tell(Event::Refuted { incarnation: self.incarnation });
    }

    /// This member is somebody new, and says so to everybody.
    pub(super) fn become_incarnation(&mut self, incarnation: u32) {
        assert!(incarnation >= self.incarnation, "an incarnation never falls");
        self.incarnation = incarnation;
        self.table.put(SELF, incarnation, State::Alive, self.moment());
        self.outbox.push_back(super::Output::Incarnation(incarnation));
        self.pass_on_alive(SELF);
    }

    fn pass_on_alive(&mut self, slot: Slot) {
        let facts = self.table.facts(slot).clone();
        let incarnation = self.table.row(slot).incarnation;
        self.pass_on(Message::Alive(Alive { incarnation, facts }), slot);
    }

    fn refuse(&mut self, member: &Name, reason: Refusal) {
        self.counters.refused += 1;
        self.tell(Event::Refused { member: member.clone(), reason });
    }
}
