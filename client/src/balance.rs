//! Whose turn it is.
//!
//! Endpoints take turns, starting at a random one, so that many clients spread over a cluster.
//! One that has just failed to connect is skipped; when all have, the turn goes on as if none
//! had, because waiting would be worse than asking.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::endpoint::Endpoint;

/// The endpoints of a client, and the turn.
#[derive(Debug)]
pub(crate) struct Balance {
    endpoints: Vec<Arc<Endpoint>>,
    turn: AtomicUsize,
}

impl Balance {
    /// Takes at least one endpoint.
    pub(crate) fn new(endpoints: Vec<Arc<Endpoint>>) -> Balance {
        assert!(!endpoints.is_empty(), "a client has at least one endpoint");
        let random = RandomState::new().hash_one(endpoints.len());
        let turn = usize::try_from(random % endpoints.len() as u64).expect("below a usize");
        Balance { endpoints, turn: AtomicUsize::new(turn) }
    }

    pub(crate) fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// The next endpoint that is not resting, or simply the next one when all are.
    pub(crate) fn next(&self, now: Instant) -> &Endpoint {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let nth = |step: usize| &self.endpoints[first.wrapping_add(step) % self.endpoints.len()];
        (0..self.endpoints.len())
            .map(nth)
            .find(|endpoint| !endpoint.is_resting(now))
            .unwrap_or_else(|| nth(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn balance(names: &[&str]) -> Balance {
        let open = |name: &&str| Arc::new(Endpoint::new(name, Duration::from_secs(1)).unwrap());
        Balance::new(names.iter().map(open).collect())
    }

    #[test]
    fn endpoints_take_turns() {
        let balance = balance(&["a:1", "b:1", "c:1"]);
        let mut seen = BTreeMap::new();
        for _ in 0..9 {
            *seen.entry(balance.next(Instant::now()).name().to_owned()).or_insert(0) += 1;
        }
        assert_eq!(seen.into_values().collect::<Vec<_>>(), [3, 3, 3]);
    }

    #[tokio::test]
    async fn one_that_fails_to_connect_is_skipped_until_it_has_rested() {
        // Port 1 of loopback: nothing listens there.
        let balance = balance(&["127.0.0.1:1", "127.0.0.2:1"]);
        balance.endpoints()[0].link().await.err().expect("nothing listens");
        let now = Instant::now();
        for _ in 0..4 {
            assert_eq!(balance.next(now).name(), "127.0.0.2:1");
        }
        let later = now + Duration::from_secs(2);
        let names = [balance.next(later).name(), balance.next(later).name()];
        assert!(names.contains(&"127.0.0.1:1"));
    }

    #[tokio::test]
    async fn when_all_rest_the_turn_goes_on() {
        let balance = balance(&["127.0.0.1:1"]);
        balance.endpoints()[0].link().await.err().expect("nothing listens");
        assert_eq!(balance.next(Instant::now()).name(), "127.0.0.1:1");
    }
}
