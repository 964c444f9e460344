//! Many members of a pool in one process, on one thread: company for an agent whose own load is to
//! be measured.
//!
//! Each is a member like any other: the same core and driver, sockets of its own, and every packet
//! and stream goes through the system, also among themselves. What is different:
//!
//! - They know each other from the start. Thousands that join at once would be busy for minutes
//!   with telling each other of each other, and all of that on one thread.
//! - They do not leave. Thousands of farewells at once are nobody's case.
//!
//! A crowd has one descriptor for packets and one for streams a member.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::error::PoolError;
use super::handle::PoolHandle;
use super::pool::{Life, Newborn};
use super::settings::Settings;

/// Running members.
#[derive(Debug)]
pub struct Crowd {
    members: Vec<PoolHandle>,
    thread: JoinHandle<()>,
}

impl Crowd {
    /// Opens the sockets of all, and starts. They end, without a word, once `stop` turns true.
    ///
    /// # Errors
    /// [`PoolError`] of the first member that cannot be.
    pub fn start(
        settings: impl IntoIterator<Item = Settings>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Self, PoolError> {
        let newborns = settings.into_iter().map(Newborn::open);
        let mut newborns = newborns.collect::<Result<Vec<_>, _>>()?;
        // Facts are shared by all tables.
        let facts: Vec<_> =
            newborns.iter().map(|newborn| Arc::new(newborn.facts.clone())).collect();
        for newborn in &mut newborns {
            newborn.serf.acquaint(facts.iter().cloned());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(PoolError::Thread)?;
        let lives: Vec<Life> = {
            let _inside = runtime.enter();
            newborns.into_iter().map(Newborn::into_life).collect::<Result<_, _>>()?
        };
        let members = lives.iter().map(|life| life.handle.clone()).collect();
        let thread = Builder::new().name("crowd".to_owned()).spawn(move || {
            runtime.block_on(async move {
                // Nobody tells a single one of them to go.
                let (_stay, staying) = watch::channel(false);
                let mut lives: JoinSet<_> =
                    lives.into_iter().map(|life| life.live(staying.clone())).collect();
                tokio::select! {
                    // Whoever could have told to stop is gone.
                    _ended = stop.wait_for(|stop| *stop) => {}
                    () = async { while lives.join_next().await.is_some() {} } => {}
                }
            });
            runtime.shutdown_background();
        });
        Ok(Self { members, thread: thread.map_err(PoolError::Thread)? })
    }

    /// All of them, in the order of their settings.
    #[must_use]
    pub fn members(&self) -> &[PoolHandle] {
        &self.members
    }

    /// Waits until they have ended; `false` when that was by a bug.
    pub fn finish(self) -> bool {
        self.thread.join().is_ok()
    }
}
