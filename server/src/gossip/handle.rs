//! The pool, for the rest of the process. Clones share it; calls work from any thread.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use protocol::swim::Address;
use protocol::swim::message::Name;
use protocol::swim::serf::{self, KeyOperation, QueryId, Question, RequestError, Tags, Topic};
use thiserror::Error;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::call::{Answer, Call, PoolStatus, Reply};
use super::event::Subscription;
use super::keys::KeyReport;
use super::member::PoolMember;
use super::sockets::to_wire;
use super::traffic::Traffic;
use crate::elections::Elections;

/// Answers to a query that may wait to be read; further ones are dropped.
const ANSWERS: usize = 4_096;

/// The pool, for the rest of the process.
#[derive(Clone, Debug)]
pub struct PoolHandle {
    pub(super) calls: mpsc::Sender<Call>,
    pub(super) events: broadcast::Sender<Arc<serf::Event>>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) name: Name,
    pub(super) advertised: SocketAddr,
    pub(super) encrypted: bool,
    pub(super) elections: Option<Elections>,
}

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// The pool has ended.
    #[error("this agent has left the pool and is ending")]
    Ended,
    /// It was refused; nothing has changed.
    #[error("{0}")]
    Refused(#[from] RequestError),
    /// An address is none.
    #[error("cannot find {0}: {1}; is the name right, and does this machine's resolver know it?")]
    Resolve(String, String),
    /// Nobody there belongs to a pool that this member can be of.
    #[error("{0}")]
    Join(String),
    /// There are no keys.
    #[error("this agent's pool is not encrypted: there are no keys (--encrypt)")]
    NoKeys,
}

impl PoolHandle {
    /// This member's name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// Where the others reach it.
    #[must_use]
    pub const fn advertised(&self) -> SocketAddr {
        self.advertised
    }

    /// The elections that this member takes part in; one of a crowd takes part in none.
    #[must_use]
    pub const fn elections(&self) -> Option<&Elections> {
        self.elections.as_ref()
    }

    /// Sends a letter to the member there; it is lost when there is no room for it.
    pub(crate) fn tell(&self, to: Address, letter: Bytes) {
        let _lost = self.calls.try_send(Call::Tell { to, letter });
    }

    /// Figures of the sockets.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Events from now on. A subscriber that falls behind by more than a thousand loses the
    /// oldest, and is told how many.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        Subscription(self.events.subscribe())
    }

    /// Everybody that is known, by name, this member included.
    ///
    /// # Errors
    /// [`CallError::Ended`].
    pub async fn members(&self) -> Result<Vec<PoolMember>, CallError> {
        self.ask(Call::Members).await
    }

    /// A look inside.
    ///
    /// # Errors
    /// [`CallError::Ended`].
    pub async fn status(&self) -> Result<PoolStatus, CallError> {
        self.ask(Call::Status).await.map(|status| *status)
    }

    /// Joins the pool of whoever is at `host:port`; the first address of it that answers counts.
    /// Gives how many members were told of.
    ///
    /// # Errors
    /// [`CallError::Resolve`], [`CallError::Join`], [`CallError::Ended`].
    pub async fn join(&self, place: &str) -> Result<usize, CallError> {
        let fail = |why: String| CallError::Resolve(place.to_owned(), why);
        let addresses = tokio::net::lookup_host(place).await;
        let addresses = addresses.map_err(|error| fail(error.to_string()))?;
        let mut last = fail("it has no address".to_owned());
        for address in addresses {
            match self.join_address(to_wire(address)).await {
                Ok(members) => return Ok(members),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn join_address(&self, to: Address) -> Result<usize, CallError> {
        let joined = self.ask(|reply| Call::Join { to, ignore_old: false, reply }).await?;
        joined.map_err(|error| CallError::Join(error.told(to)))
    }

    /// What the member says of itself.
    ///
    /// # Errors
    /// [`CallError::Ended`].
    pub async fn own_tags(&self) -> Result<Tags, CallError> {
        let members = self.members().await?;
        let own = members.iter().find(|member| *member.name() == self.name);
        let meta = own.map(|member| member.facts.meta.clone()).unwrap_or_default();
        // Without meta there are none, rather than an empty role.
        Ok(if meta.is_empty() { Tags::default() } else { Tags::decode(&meta).unwrap_or_default() })
    }

    /// Says this of the member from now on, and nothing else.
    ///
    /// # Errors
    /// [`CallError::Refused`], [`CallError::Ended`].
    pub async fn set_tags(&self, tags: Tags) -> Result<(), CallError> {
        self.request(|reply| Call::SetTags(tags, reply)).await
    }

    /// Lets everybody know that something happened.
    ///
    /// # Errors
    /// [`CallError::Refused`] when it is too long, [`CallError::Ended`].
    pub async fn event(
        &self,
        name: Bytes,
        payload: Bytes,
        coalesce: bool,
    ) -> Result<(), CallError> {
        self.request(|reply| Call::Event { name, payload, coalesce, reply }).await
    }

    /// Asks everybody, or some. Answers come until the channel closes.
    ///
    /// # Errors
    /// [`CallError::Refused`], [`CallError::Ended`].
    pub async fn query(&self, question: Question) -> Result<mpsc::Receiver<Answer>, CallError> {
        let (answers, mut coming) = mpsc::channel(ANSWERS);
        let call = Call::Query { question, answers };
        self.calls.send(call).await.map_err(|_| CallError::Ended)?;
        match coming.recv().await {
            Some(Answer::Refused(error)) => Err(error.into()),
            Some(Answer::Asked | Answer::Arrived(_) | Answer::Answered(..)) => Ok(coming),
            None => Err(CallError::Ended),
        }
    }

    /// Answers a query that an event told of.
    ///
    /// # Errors
    /// [`CallError::Refused`] when it is closed, [`CallError::Ended`].
    pub async fn respond(&self, id: QueryId, payload: Bytes) -> Result<(), CallError> {
        self.request(|reply| Call::Respond { id, payload, reply }).await
    }

    /// Does something with everybody's keys, and gathers what came of it. Takes as long as answers
    /// may take, a few seconds, unless everybody has answered before.
    ///
    /// # Errors
    /// [`CallError::NoKeys`], [`CallError::Refused`], [`CallError::Ended`].
    pub async fn keys(&self, operation: KeyOperation) -> Result<KeyReport, CallError> {
        if !self.encrypted {
            return Err(CallError::NoKeys);
        }
        let members = self.status().await?.swim.alive;
        let question = Question {
            topic: Topic::Keys(operation),
            filters: Vec::new(),
            ack: false,
            relay_factor: 0,
            timeout: None,
        };
        let mut answers = self.query(question).await?;
        let mut report = KeyReport::new(members);
        while !report.is_complete() {
            match answers.recv().await {
                Some(Answer::Answered(from, payload)) => report.take(&from, &payload),
                Some(Answer::Asked | Answer::Refused(_) | Answer::Arrived(_)) => {}
                None => break,
            }
        }
        Ok(report)
    }

    /// Declares that somebody has left who cannot say so itself; `prune` forgets it, too.
    ///
    /// # Errors
    /// [`CallError::Refused`] when nobody of that name is known, [`CallError::Ended`].
    pub async fn force_leave(&self, node: Name, prune: bool) -> Result<(), CallError> {
        self.request(|reply| Call::ForceLeave { node, prune, reply }).await
    }

    /// Leaves the pool, and tells the others so; `false` when time ran out before enough of them
    /// can know. The pool ends then.
    ///
    /// # Errors
    /// [`CallError::Ended`].
    pub async fn leave(&self) -> Result<bool, CallError> {
        self.ask(Call::Leave).await
    }

    async fn request(&self, call: impl FnOnce(Reply) -> Call) -> Result<(), CallError> {
        Ok(self.ask(call).await??)
    }

    async fn ask<T>(&self, call: impl FnOnce(oneshot::Sender<T>) -> Call) -> Result<T, CallError> {
        let (reply, answer) = oneshot::channel();
        self.calls.send(call(reply)).await.map_err(|_| CallError::Ended)?;
        answer.await.map_err(|_| CallError::Ended)
    }
}
