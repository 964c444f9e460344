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
    /// The next one; `None` when the pool has ended and nobody has a handle of it any more.
    pub async fn next(&mut self) -> Option<Notice> {
        match self.0.recv().await {
            Ok(event) => Some(Notice::Event(event)),
            Err(RecvError::Lagged(lost)) => Some(Notice::Gap(lost)),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_subscriber_is_told_how_much_it_has_missed() {
        let (events, receiver) = broadcast::channel(2);
        let mut subscription = Subscription(receiver);
        for incarnation in 1..=5 {
            events.send(Arc::new(serf::Event::Refuted { incarnation })).unwrap();
        }
        drop(events);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            assert!(matches!(subscription.next().await, Some(Notice::Gap(3))));
            for expected in 4..=5 {
                let Some(Notice::Event(event)) = subscription.next().await else { panic!() };
                assert_eq!(*event, serf::Event::Refuted { incarnation: expected });
            }
            assert!(subscription.next().await.is_none());
        });
    }
}
