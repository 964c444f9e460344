//! Clients that wait until the backend holds what has been applied: then a view of it shows every
//! write that this replica had answered when they came.

use alloc::vec::Vec;

use protocol::{Index, Time};
use store::BackendError;

use crate::node::Node;
use crate::request::{Body, Failure, RequestId};

/// Who waits, for which flush, and until when.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    waiting: Vec<(RequestId, Index, Time)>,
}

impl Settling {
    /// Whether a flush is waited for.
    pub(crate) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(crate) fn timeout(&self) -> Option<Time> {
        self.waiting.iter().map(|(_, _, deadline)| *deadline).min()
    }

    /// Those for whom `over` is true wait no longer.
    fn take(&mut self, over: impl Fn(Index, Time) -> bool) -> Vec<RequestId> {
        let (taken, left) = core::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(_, index, deadline)| over(*index, *deadline));
        self.waiting = left;
        taken.into_iter().map(|(id, _, _): (RequestId, Index, Time)| id).collect()
    }
}

impl Node {
    /// A client wants everything applied so far to be in the backend.
    pub(crate) fn settle(&mut self, id: RequestId) {
        if self.settled() && !self.flushing.halted {
            return self.reply(id, Ok(Body::Done));
        }
        if self.overcrowded() {
            return self.reply(id, Err(Failure::TooManyRequests));
        }
        let deadline = self.now + self.config.request_timeout;
        self.settling.waiting.push((id, self.store.applied().index, deadline));
    }

    fn overcrowded(&self) -> bool {
        self.settling.waiting.len() >= self.config.max_pending
    }

    /// The backend has come further, or could not.
    pub(crate) fn settled_by(&mut self, result: &Result<Index, BackendError>) {
        let (ids, body) = match result {
            Ok(durable) => (self.settling.take(|index, _| index <= *durable), Ok(Body::Done)),
            Err(BackendError::Full(_)) => (self.settling.take(|_, _| true), Err(Failure::DiskFull)),
            // This replica ends, and answers nobody any more.
            Err(BackendError::Corrupt(_) | BackendError::Io(_)) => return,
        };
        ids.into_iter().for_each(|id| self.reply(id, body.clone()));
    }

    /// Answers those whose time is over.
    pub(crate) fn give_up_settling(&mut self) {
        let now = self.now;
        for id in self.settling.take(|_, deadline| deadline <= now) {
            self.reply(id, Err(Failure::Timeout));
        }
    }
}
