//! The third loop: two members tell each other all that they believe.
//!
//! Gossip reaches everybody with high probability, once; an exchange mends what it missed, and is
//! how a member joins. Each side tells its whole table before it takes the other's in. What one
//! side believes of a member, the other takes as news of the same kind, with two exceptions:
//!
//! - A member that the other side calls dead or suspect becomes a suspect here, accused by this
//!   very member: nobody dies by hearsay, and the accused may still answer.
//! - One that left has said so itself.
//!
//! Upstream refuses an exchange as a whole when any member in it does not fit by its versions. Here
//! such a member is refused and the others are taken; only when nobody is left has joining failed.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::input::{ExchangeId, StreamId};
use super::message::{Alive, Dead, NodeState, PushPull, State, Suspect};
use super::output::{JoinError, Output};
use super::queue::Tag;
use super::scale::exchange_scale;
use super::{Address, SELF, Swim};

impl Swim {
    /// A period of exchanges has come round. In a large pool it takes longer.
    pub(super) fn on_exchange_tick(&mut self) {
        self.exchange_at = self.exchange_period().map(|period| self.now + period);
        let table = &self.table;
        let partner =
            table.pick(&mut self.rng, 1, |slot| slot != SELF && table.state(slot) == State::Alive);
        if let Some(&slot) = partner.first() {
            let to = Address::of(self.table.facts(slot));
            self.exchange(to, None);
        }
    }

    /// How long exchanges are apart, in a pool of this size.
    pub(super) fn exchange_period(&self) -> Option<Duration> {
        let interval = self.config.exchange_interval?;
        Some(interval.saturating_mul(exchange_scale(self.table.len())))
    }

    pub(super) fn on_join(&mut self, tag: Tag, to: Address) {
        self.exchange(to, Some(tag));
    }

    fn exchange(&mut self, to: Address, join: Option<Tag>) {
        let id = ExchangeId(self.exchanged);
        self.exchanged += 1;
        self.exchanges.insert(id, join);
        self.counters.exchanges += 1;
        let deadline = self.outside(self.now + self.config.stream_timeout);
        let state = self.everything(join.is_some());
        self.outbox.push_back(Output::Exchange { id, to, state, deadline });
    }

    /// All that this member believes.
    fn everything(&self, join: bool) -> PushPull {
        let mut nodes = Vec::with_capacity(self.table.len());
        for (_, row, facts) in self.table.iter() {
            let (facts, incarnation, state) = (facts.clone(), row.incarnation, row.state());
            nodes.push(NodeState { facts, incarnation, state });
        }
        PushPull { join, nodes, user: Bytes::new() }
    }

    /// Somebody told all that it believes, and waits for the same.
    pub(super) fn on_asked(&mut self, id: StreamId, state: PushPull) {
        let answer = self.everything(state.join);
        self.counters.exchanges_answered += 1;
        self.outbox.push_back(Output::Answer { id, state: answer });
        let join = state.join;
        // Whoever asked is no wiser for what was refused here: that is counted and told of.
        drop(self.merge(state, join));
    }

    pub(super) fn on_exchanged(&mut self, id: ExchangeId, state: Option<PushPull>) {
        let Some(join) = self.exchanges.remove(&id) else { return };
        let result = match state {
            Some(state) => self.merge(state, join.is_some()),
            None => {
                self.counters.exchanges_failed += 1;
                Err(JoinError::NoAnswer)
            }
        };
        if let Some(tag) = join {
            self.outbox.push_back(Output::Joined { tag, result });
        }
    }

    /// Takes in what somebody believes. Says of how many it was believed that they are there.
    fn merge(&mut self, state: PushPull, join: bool) -> Result<usize, JoinError> {
        let (mut believed, mut refused) = (0, None);
        for row in state.nodes {
            let NodeState { facts, incarnation, state } = row;
            match state {
                State::Alive => {
                    let alive = Alive { incarnation, facts };
                    match self.on_alive(&alive) {
                        Ok(()) => believed += 1,
                        Err(reason) => {
                            let member = alive.facts.name.clone();
                            refused.get_or_insert(JoinError::Incompatible { member, reason });
                        }
                    }
                }
                State::Suspect | State::Dead => {
                    let (node, from) = (facts.name.clone(), self.name().clone());
                    self.on_suspect(Suspect { incarnation, node, from });
                }
                State::Left => {
                    let (node, from) = (facts.name.clone(), facts.name.clone());
                    self.on_dead(Dead { incarnation, node, from });
                }
            }
        }
        if !state.user.is_empty() {
            self.outbox.push_back(Output::UserState { join, state: state.user });
        }
        match refused {
            Some(error) if believed == 0 => Err(error),
            Some(_) | None => Ok(believed),
        }
    }
}
