//! What subscribers are told.

use std::sync::Arc;

use protocol::swim::serf;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// What a subscriber gets.
#[derive(Clone, Debug)]
pub enum Notice {
    /// Something has changed, or happened.
    Event(Arc<serf::Event>),
    /// The subscriber was too slow: so many events are lost to it. Whoever keeps a list of members
    /// asks for all of them anew.
    Gap(u64),
}

/// A stream of events, from the moment of subscribing.
#[derive(Debug)]
pub struct Subscription(pub(super) broadcast::Receiver<Arc<serf::Event>>);

impl Subscription {
    /// The next one; `None` when the pool has ended.
    pub async fn next(&mut self) -> Option<Notice> {
        match self.0.recv().await {
            Ok(event) => Some(Notice::Event(event)),
            Err(RecvError::Lagged(lost)) => Some(Notice::Gap(lost)),
            Err(RecvError::Closed) => None,
        }
    }
}
