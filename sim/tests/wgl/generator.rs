//! Histories of real objects under concurrent clients, all from a seed.

use protocol::Rng;
use sim::check::wgl::{Interval, Outcome};

/// How busy a generated history is.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) calls: usize,
    pub(crate) clients: u64,
    /// Of a hundred calls, how many lose their response.
    pub(crate) lost_percent: u64,
}

/// A call under way.
struct Open<R> {
    place: usize,
    client: u64,
    /// Set when the call took effect.
    response: Option<R>,
    lost: bool,
}

/// Lets clients call `act`, which is the object: it takes effect at once and gives the response.
///
/// Each call takes effect at one moment between its invocation and its response, so that the
/// history is linearizable. A lost call may take effect at any later moment, or never; its client
/// goes on under a new number.
pub(crate) fn generate<C: Clone, R>(
    rng: &mut Rng,
    load: Load,
    mut pick: impl FnMut(&mut Rng) -> C,
    mut act: impl FnMut(&C) -> R,
) -> Vec<Interval<C, R>> {
    let mut history: Vec<Interval<C, R>> = Vec::new();
    let mut open: Vec<Open<R>> = Vec::new();
    let mut idle: Vec<u64> = (0..load.clients).collect();
    let mut next_client = load.clients;
    let mut now = 0;
    while history.len() < load.calls || open.iter().any(|call| !call.lost) {
        now += 1;
        if history.len() < load.calls && !idle.is_empty() && rng.below(2) == 0 {
            let client = idle.swap_remove(index(rng, idle.len()));
            let lost = rng.below(100) < load.lost_percent;
            if lost {
                idle.push(next_client);
                next_client += 1;
            }
            open.push(Open { place: history.len(), client, response: None, lost });
            history.push(Interval {
                client,
                invoked: now,
                call: pick(rng),
                outcome: Outcome::Unknown,
            });
        } else if !open.is_empty() {
            let picked = index(rng, open.len());
            let call = &mut open[picked];
            match call.response.take() {
                None => call.response = Some(act(&history[call.place].call)),
                Some(response) => {
                    if !call.lost {
                        let at = now;
                        history[call.place].outcome = Outcome::Returned { at, response };
                        idle.push(call.client);
                    }
                    open.swap_remove(picked);
                }
            }
        }
    }
    history
}

/// A place in a list of `len`.
pub(crate) fn index(rng: &mut Rng, len: usize) -> usize {
    usize::try_from(rng.below(len as u64)).unwrap()
}
