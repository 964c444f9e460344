//! Who was refused, for the log: every peer once an hour for each reason.
//!
//! Whoever is refused may be anybody, and may come as often as it likes. So each kind of refusal
//! has so many lines a minute and no more; what one kind has used up takes nothing from the others.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use protocol::swim;
use protocol::swim::message::Name;

use super::refusal::Refusal;

/// When the same is said again of the same peer.
const AGAIN: Duration = Duration::from_secs(3600);
/// For how long lines are counted.
const ROUND: Duration = Duration::from_secs(60);
/// Lines of one kind in that time.
const LINES: u32 = 8;

/// What was said.
#[derive(Debug, Default)]
pub(super) struct Complaints(Mutex<BTreeMap<Kind, Said>>);

/// What have lines of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Bytes that are no message, for whatever reason.
    Wire,
    Refused(Refusal),
    Disbelieved(swim::Refusal),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    Peer(IpAddr),
    Member(Name),
}

/// What was said of one kind.
///
/// - `whom` has who was named within the last hour and a minute, so it is bounded.
#[derive(Debug, Default)]
struct Said {
    whom: BTreeMap<Whom, Instant>,
    since: Option<Instant>,
    lines: u32,
    /// What there was no line for.
    unnamed: u64,
}

impl Complaints {
    /// Something of this peer was not taken.
    pub(super) fn refused(&self, from: SocketAddr, refusal: Refusal) {
        let Some((kind, advice)) = advice(refusal) else { return };
        if let Some(others) = self.has_line(Instant::now(), kind, Whom::Peer(from.ip())) {
            let others = worded(others);
            tracing::warn!(%from, "the pool has refused a peer: {refusal}. {advice}{others}");
        }
    }

    /// Something was told of a member that was not believed.
    pub(super) fn disbelieved(&self, member: &Name, reason: swim::Refusal) {
        let whom = Whom::Member(member.detach());
        if let Some(others) = self.has_line(Instant::now(), Kind::Disbelieved(reason), whom) {
            let others = worded(others);
            tracing::warn!(
                %member, ?reason,
                "something was told of a member that must not be believed, and was not{others}"
            );
        }
    }

    /// Whether there is a line for this, and how many there was none for before it.
    fn has_line(&self, now: Instant, kind: Kind, whom: Whom) -> Option<u64> {
        let mut kinds = self.0.lock();
        let said = kinds.entry(kind).or_default();
        let is_new = |at: Instant| now.duration_since(at) < AGAIN;
        if said.whom.get(&whom).is_some_and(|at| is_new(*at)) {
            return None;
        }
        if said.since.is_none_or(|since| now.duration_since(since) >= ROUND) {
            (said.since, said.lines) = (Some(now), 0);
            said.whom.retain(|_, at| is_new(*at));
        }
        if said.lines >= LINES {
            said.unnamed += 1;
            return None;
        }
        said.lines += 1;
        said.whom.insert(whom, now);
        Some(std::mem::take(&mut said.unnamed))
    }
}

fn worded(others: u64) -> String {
    if others == 0 { String::new() } else { format!("; and {others} more, not named here") }
}

/// What an operator can do about a refusal; `None` where there is nothing to be said: such things
/// happen on networks.
const fn advice(refusal: Refusal) -> Option<(Kind, &'static str)> {
    let advice = match refusal {
        Refusal::Label => "If it belongs here, give it this pool's --gossip-label",
        Refusal::Plaintext | Refusal::Key => {
            "If it belongs here, give it this pool's key (--encrypt)"
        }
        Refusal::NoKeys => "If it belongs here, give this agent its key (--encrypt)",
        Refusal::Wire(_) => {
            let text = "Is an agent there, and of a version that this one understands?";
            return Some((Kind::Wire, text));
        }
        Refusal::Compression | Refusal::Bomb => "Is an agent there?",
        Refusal::Slow | Refusal::Busy | Refusal::Answer | Refusal::Remote | Refusal::Broken => {
            return None;
        }
    };
    Some((Kind::Refused(refusal), advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> Whom {
        Whom::Peer(IpAddr::from(number.to_be_bytes()))
    }

    #[test]
    fn a_peer_is_named_once_an_hour_for_each_reason() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        let [key, label] = [Refusal::Key, Refusal::Label].map(Kind::Refused);
        let says = |after, kind| complaints.has_line(start + after, kind, peer(1)).is_some();
        assert!(says(Duration::ZERO, key) && says(Duration::ZERO, label));
        assert!(!says(AGAIN / 2, key) && !says(AGAIN / 2, label));
        assert!(says(AGAIN, key) && !says(AGAIN, key));
    }

    #[test]
    fn a_flood_of_one_kind_is_bounded_and_hides_no_other() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        let [key, label] = [Refusal::Key, Refusal::Label].map(Kind::Refused);
        let flood = |after| -> usize {
            let at = start + after;
            (0..1000).filter(|n| complaints.has_line(at, key, peer(*n)).is_some()).count()
        };
        assert_eq!(flood(Duration::ZERO), LINES as usize);
        assert_eq!(flood(ROUND / 2), 0);
        assert_eq!(complaints.has_line(start + ROUND / 2, label, peer(1)), Some(0));
        // What was not named is told of with the next line.
        let unnamed = 2 * (1000 - u64::from(LINES));
        assert_eq!(complaints.has_line(start + ROUND, key, peer(2000)), Some(unnamed));
        for minute in 2..200 {
            flood(ROUND * minute);
        }
        let kept = complaints.0.lock()[&key].whom.len();
        assert!(kept <= 61 * LINES as usize, "{kept}");
    }
}
