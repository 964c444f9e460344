//! Bully: candidates that know each other by gossip elect the best of them.
//!
//! It is for programs that need one active instance and no database. Each candidate has a
//! [`Rank`]; the best one that is there should lead.
//!
//! # Two modes
//!
//! [`Mode::Classic`] is the algorithm of Garcia-Molina as textbooks tell it, with three messages.
//! It is fast and small, needs nothing durable, and *elects two leaders whenever a network is
//! split*, since whoever hears nobody better leads. `classic.rs` tells how; it is here to be seen
//! and compared, and for those whose two leaders do no harm.
//!
//! [`Mode::Safe`] keeps its first stage, which decides who tries, and adds what safety takes:
//!
//! - *A declared electorate.* A majority of a set that is known, not of those who happen to be
//!   seen. It is found by pledges or given as a list, is durable, and changes only by majorities
//!   of the old set and of the new one ([`Electorate`]).
//! - *An epoch for each term of office.* A member grants an epoch once, durably before it says so.
//!   Two majorities share a member, so an epoch has one leader. It is the fencing token.
//! - *A lease.* With each grant and each acknowledgement a member promises to grant nobody else
//!   anything for a while. The leader stops before the promises of its majority run out.
//!
//! # Why there are never two leases at once
//!
//! Let A hold a lease, and B win a later epoch. A majority made A the promise that its lease rests
//! on; a majority granted B. They share a member. Either its promise to A had ended when it granted
//! B: it ends a lease after the request came in, on the member's clock; A's lease ends before that,
//! for A counted a lease less the drift of clocks from when the request left. Or A released the
//! promise: after its program had said that it stopped. Or the member had crashed meanwhile and
//! forgot it: but its ballot tells how long A's leases are, and it waits as long before it grants
//! anything. That holds for A itself, too, whose program may act on when the candidate beside it
//! has crashed: a candidate does not stand while a lease of its own life before may last.
//!
//! While the electorate changes, A counts by the newest electorate that it made; it makes the next
//! one when the last is durable at its majorities, and acknowledging one is a promise as well. So
//! whoever claims by a later electorate needs a member of the majority that acknowledged it.
//!
//! A lease rests on clocks that run at nearly the same rate, and on a program that looks at one
//! before it acts. When it looks and is then stopped for a while, what it does comes too late: for
//! that there are epochs. A resource that refuses tokens lower than the highest it has seen needs
//! no clock at all.
//!
//! # Messages, and who is bullied
//!
//! [`message`] draws them. A leader is never deposed by a better candidate, only asked to yield;
//! [`Preemption`] says whether it does: at once, never, or when the better one has been steady and
//! changes have been rare. It yields by stopping its program and releasing its lease in the other's
//! favour.
//!
//! # What was left out, and what follows
//!
//! - Nobody waits for the pool to call a leader dead, nor stands sooner when it does: a new one is
//!   elected when the lease has run out. Suspicion is no proof, and a lease is a promise.
//! - A claim is sent once. When it is lost, the next one comes after a little while.
//! - Members never forget an electorate. With more than half of one gone for good, a group can only
//!   be founded anew.

mod ballot;
mod boundary;
mod candidate;
mod classic;
mod core;
mod damping;
mod electorate;
mod granter;
mod leader;
mod meeting;
pub mod message;
mod rank;
mod safe;
mod status;
pub mod wire;
mod writes;

use alloc::boxed::Box;

use crate::Time;
use crate::bootstrap::Pledge;

use self::core::Core;
pub use ballot::{Ballot, Epoch};
pub use boundary::{
    ChangeRefusal, Config, Durable, Electors, Input, Leader, Lease, Loss, Mode, Output, Safety,
    Shown, Standing, Timing, Warning, WriteId,
};
use classic::Classic;
pub use damping::{Damped, Preemption};
pub use electorate::{Electorate, MOST, Version};
pub use rank::{Rank, Ranking};
use safe::Safe;
pub use status::{Part, Status};

/// One candidate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bully(Machine);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Machine {
    Classic(Box<Classic>),
    Safe(Box<Safe>),
}

impl Bully {
    /// A candidate that starts, with what its disk holds; nothing in the classic mode.
    ///
    /// # Panics
    /// When the configuration makes no sense.
    #[must_use]
    pub fn new(config: Config, restored: Durable, seed: u64) -> Self {
        assert!(config.timing.victory >= config.timing.alive, "a victory takes longer to come");
        let mode = config.mode.clone();
        let core = Core::new(config, seed);
        match mode {
            Mode::Classic => Self(Machine::Classic(Box::new(Classic::new(core)))),
            Mode::Safe(safety) => {
                assert!(!safety.renew.is_zero(), "a lease is not renewed all the time");
                assert!(safety.lease >= safety.renew * 3, "a lease outlives a lost renewal");
                match &safety.electors {
                    Electors::Expect(expect) => {
                        assert!((1..=Pledge::MOST).contains(expect), "so many can pledge");
                    }
                    Electors::Named(members) => {
                        assert!((1..=MOST).contains(&members.len()), "so many can be named");
                    }
                }
                Self(Machine::Safe(Box::new(Safe::new(core, safety, restored))))
            }
        }
    }

    /// Takes in what happened. Never fails: a message that makes no sense is dropped and counted.
    pub fn handle(&mut self, now: Time, input: Input) {
        match &mut self.0 {
            Machine::Classic(classic) => classic.handle(now, input),
            Machine::Safe(safe) => safe.handle(now, input),
        }
        if cfg!(debug_assertions) {
            self.assert_invariants();
        }
    }

    /// When to call `handle` with [`Input::Timeout`]; at once before the first call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let (core, timeout) = match &self.0 {
            Machine::Classic(classic) => (&classic.core, classic.timeout()),
            Machine::Safe(safe) => (&safe.core, safe.timeout()),
        };
        if core.started.is_none() { Some(Time(0)) } else { timeout }
    }

    /// The next thing to do, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        match &mut self.0 {
            Machine::Classic(classic) => classic.core.outbox.pop_front(),
            Machine::Safe(safe) => safe.core.outbox.pop_front(),
        }
    }

    /// Checks the laws written at the types, in their order.
    ///
    /// # Panics
    /// When one is broken, which is a bug in this crate.
    pub fn assert_invariants(&self) {
        match &self.0 {
            Machine::Classic(classic) => classic.core.assert_invariants(),
            Machine::Safe(safe) => safe.assert_invariants(),
        }
    }

    /// Forgets what behaviour does not depend on, so that an exploration meets fewer states.
    #[cfg(feature = "explore")]
    pub fn forget_history(&mut self) {
        match &mut self.0 {
            Machine::Classic(classic) => classic.core.forget_history(),
            Machine::Safe(safe) => safe.forget_history(),
        }
    }
}
