//! What the log says of refused connections: each once, then once a minute for as long as it goes
//! on. Whoever is refused dials on, several times a second.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use protocol::NodeId;

use super::handshake::{Hello, Verdict};

/// How often one refusal is told.
const PAUSE: Duration = Duration::from_secs(60);
/// Different ones that are remembered. Whoever sends more has them told more often.
const MOST: usize = 256;

/// What was refused lately.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<BTreeMap<(NodeId, u8), Refusal>>);

#[derive(Clone, Copy, Debug)]
struct Refusal {
    told: Instant,
    since: u64,
}

impl Refusals {
    /// Somebody was refused.
    pub(super) fn tell(&self, hello: &Hello, verdict: Verdict) {
        let Some(more) = self.note((hello.from.id, verdict as u8), Instant::now()) else { return };
        let (from, address, why) = (hello.from.id, &hello.address, verdict.explain_here());
        tracing::warn!(%from, address, more, "a member's connection is refused: {why}");
    }

    /// Whether to tell of it now, and how many there were since the last time.
    fn note(&self, what: (NodeId, u8), now: Instant) -> Option<u64> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refusal) = known.get_mut(&what) {
            if now.duration_since(refusal.told) < PAUSE {
                refusal.since += 1;
                return None;
            }
            let more = refusal.since;
            *refusal = Refusal { told: now, since: 0 };
            return Some(more);
        }
        if known.len() >= MOST {
            known.retain(|_, refusal| now.duration_since(refusal.told) < PAUSE);
        }
        if known.len() < MOST {
            known.insert(what, Refusal { told: now, since: 0 });
        }
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_and_then_once_a_minute() {
        let (refusals, begun) = (Refusals::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        let one = (NodeId(1), Verdict::Cluster as u8);
        assert_eq!(refusals.note(one, begun), Some(0));
        for second in 1..60 {
            assert_eq!(refusals.note(one, after(second)), None);
        }
        assert_eq!(refusals.note((NodeId(1), Verdict::NotMe as u8), after(5)), Some(0));
        assert_eq!(refusals.note((NodeId(2), one.1), after(5)), Some(0));
        assert_eq!(refusals.note(one, after(60)), Some(59));
        assert_eq!(refusals.note(one, after(61)), None);
    }

    #[test]
    fn a_crowd_of_strangers_takes_bounded_memory() {
        let (refusals, begun) = (Refusals::default(), Instant::now());
        for id in 0..10_000 {
            assert_eq!(refusals.note((NodeId(id), 2), begun), Some(0));
        }
        assert_eq!(refusals.0.lock().unwrap().len(), MOST);
        assert_eq!(refusals.note((NodeId(77_777), 2), begun + PAUSE), Some(0));
        assert_eq!(refusals.0.lock().unwrap().len(), 1);
    }
}
