//! Telling those who came back that they are thought to be gone.
//!
//! A member that restarts and has forgotten its incarnation says that it is alive with a number
//! that everybody has heard before, so nobody listens; and since the dead are not gossiped to for
//! long, nobody tells it either (memberlist #311, #345). It then stays dead for minutes although it
//! answers every ping. Here whoever hears it speak tells it at once what it is accused of, and it
//! answers with a number that counts:
//!
//! - when it pings (who asks is there), with the acknowledgement;
//! - when somebody passes its old sign of life on, with a packet of its own.
//!
//! The second kind is bounded, for it goes to an address that may be nobody's any more.

use alloc::vec::Vec;

use super::message::{Dead, Message, Source, State, Suspect};
use super::table::Slot;
use super::{Address, SELF, Swim};

/// Accusations that may be repeated in one period of gossip.
const A_PERIOD: u32 = 8;

impl Swim {
    /// What whoever speaks here is accused of, if it is and does not know it.
    pub(super) fn accusation_of(&self, source: &Source) -> Option<Message> {
        let slot = self.table.find(&source.node).filter(|&slot| slot != SELF)?;
        let held = self.table.facts(slot);
        let same = held.addr == source.addr && held.port == source.port;
        same.then(|| self.accusation(slot)).flatten()
    }

    fn accusation(&self, slot: Slot) -> Option<Message> {
        let incarnation = self.table.row(slot).incarnation;
        let node = self.table.facts(slot).name.clone();
        let from = self.name().clone();
        match self.table.state(slot) {
            State::Alive => None,
            State::Suspect => Some(Message::Suspect(Suspect { incarnation, node, from })),
            State::Dead => Some(Message::Dead(Dead { incarnation, node, from })),
            State::Left => {
                let from = node.clone();
                Some(Message::Dead(Dead { incarnation, node, from }))
            }
        }
    }

    /// An old sign of life of somebody who is gone has come.
    pub(super) fn accuse_again(&mut self, slot: Slot) {
        if self.now >= self.accusations.0 {
            self.accusations = (self.now + self.config.gossip_interval, A_PERIOD);
        }
        if self.accusations.1 == 0 {
            return;
        }
        if let Some(accusation) = self.accusation(slot) {
            self.accusations.1 -= 1;
            self.counters.accusations_repeated += 1;
            let to = Address::of(self.table.facts(slot));
            self.send(to, Vec::from([accusation]), false);
        }
    }
}
