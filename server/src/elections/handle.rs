//! Elections, for the rest of the process.

use std::collections::BTreeSet;

use protocol::bully::wire::Group;
use protocol::bully::{Epoch, Loss, Status};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::calls::{Call, Reply};
use super::settings::{GroupSettings, Wish};
use super::task::Leaves;

/// The groups of this agent. Clones share them; calls work from any thread.
#[derive(Clone, Debug)]
pub struct Elections {
    pub(super) calls: mpsc::Sender<Call>,
}

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ElectionError {
    /// The agent ends.
    #[error("this agent has left the pool and is ending")]
    Ended,
    /// What is asked for cannot be.
    #[error("{0}")]
    Refused(String),
    /// The state of the group forbids it, now.
    #[error("{0}")]
    Conflict(String),
}

/// What a program is told, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The group's settings, first.
    Settings(GroupSettings),
    /// Who leads: the agent's name, and the epoch, where there are epochs; or nobody.
    Leader(Option<(String, Option<Epoch>)>),
    /// The program leads. `until` is when to stop acting, in nanoseconds since this machine was
    /// started; both are `None` in the classic mode, which promises nothing.
    Elected {
        /// The fencing token.
        epoch: Option<Epoch>,
        /// When to stop acting, unless it is extended before.
        until: Option<u64>,
    },
    /// It may act longer.
    Extended {
        /// The epoch.
        epoch: Epoch,
        /// When to stop acting.
        until: u64,
    },
    /// It leads no more: it stops acting, and says so.
    Lost {
        /// The epoch.
        epoch: Option<Epoch>,
        /// Why.
        why: Loss,
    },
    /// Something that an operator has to see to.
    Warning(String),
}

/// A program's place with a group. It stands, or observes, until this is dropped.
#[derive(Debug)]
pub struct Program {
    pub(super) lines: mpsc::Receiver<Told>,
    pub(super) _leaves: Leaves,
}

/// A group, as this agent sees it.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// Its name.
    pub group: String,
    /// What this agent goes by.
    pub settings: GroupSettings,
    /// The core's.
    pub status: Status,
    /// The leader's name, if one is known.
    pub leader: Option<String>,
    /// The names of those who decide; ids where no name is known.
    pub electorate: Vec<String>,
    /// Whether some of them are being replaced by others of them.
    pub changes: bool,
    /// How far its first electorate has come, in words, while there is none.
    pub founding: Option<String>,
    /// What it grants could not be written: it takes no part any more.
    pub is_broken: bool,
    /// Whether a program stands here.
    pub stands: bool,
    /// Letters of this agent's groups that made no sense.
    pub refused: u64,
}

impl Program {
    /// The next line; `None` when the group, or the agent, has ended.
    pub async fn next(&mut self) -> Option<Told> {
        self.lines.recv().await
    }
}

impl Elections {
    /// Stands for election, for as long as the answer is there.
    ///
    /// # Errors
    /// [`ElectionError`].
    pub async fn stand(&self, group: &str, wish: Wish) -> Result<Program, ElectionError> {
        let group = named(group)?;
        self.ask(|reply| Call::Stand { group, wish, reply }).await
    }

    /// Follows who leads, for as long as the answer is there.
    ///
    /// # Errors
    /// [`ElectionError`].
    pub async fn observe(&self, group: &str) -> Result<Program, ElectionError> {
        let group = named(group)?;
        self.ask(|reply| Call::Observe { group, reply }).await
    }

    /// The program of this epoch has stopped: its lease may be released.
    ///
    /// # Errors
    /// [`ElectionError`].
    pub async fn stopped(&self, group: &str, epoch: Epoch) -> Result<(), ElectionError> {
        let group = named(group)?;
        self.ask(|reply| Call::Stopped { group, epoch, reply }).await
    }

    /// How fresh the program's state is.
    ///
    /// # Errors
    /// [`ElectionError`].
    pub async fn report(&self, group: &str, freshness: u64) -> Result<(), ElectionError> {
        let group = named(group)?;
        self.ask(|reply| Call::Report { group, freshness, reply }).await
    }

    /// Lets these agents decide in a group that a program here leads; done when this returns. A
    /// majority of those before and a majority of these has taken each step.
    ///
    /// # Errors
    /// [`ElectionError::Conflict`] when the group is not led from here, or is led no more before it
    /// is done; then it may be done all the same.
    pub async fn change(
        &self,
        group: &str,
        electors: BTreeSet<String>,
    ) -> Result<(), ElectionError> {
        let group = named(group)?;
        self.ask(|reply| Call::Change { group, electors, reply }).await
    }

    /// All groups of this agent.
    ///
    /// # Errors
    /// [`ElectionError::Ended`].
    pub async fn list(&self) -> Result<Vec<GroupView>, ElectionError> {
        self.ask(Call::List).await
    }

    async fn ask<T>(&self, call: impl FnOnce(Reply<T>) -> Call) -> Result<T, ElectionError> {
        let (reply, answer) = oneshot::channel();
        self.calls.send(call(reply)).await.map_err(|_| ElectionError::Ended)?;
        answer.await.map_err(|_| ElectionError::Ended)?
    }
}

fn named(group: &str) -> Result<Group, ElectionError> {
    Group::new(group).ok_or_else(|| {
        let most = Group::MOST;
        let text = format!("{group:?} is no name of a group: 1 to {most} bytes of plain text");
        ElectionError::Refused(text)
    })
}
