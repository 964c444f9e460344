//! The sequential object that a history is held against.

use core::fmt::Debug;
use core::hash::Hash;

/// A sequential object: which response a call may have in which state, and what state follows.
pub trait Model {
    /// The state between two calls. Cheap to clone and to hash: a search holds many.
    type State: Clone + Eq + Hash + Debug;
    /// What a client asks for. Equal calls do the same in the same state.
    type Call: Eq + Debug;
    /// What it is told.
    type Response: Debug;

    /// The state before the first call.
    fn initial(&self) -> Self::State;

    /// The state after `call`, or `None` when `call` cannot have `response` in `state`.
    ///
    /// Without a response the outcome is unknown: the state after the call took effect, whatever
    /// its response would have been. That it may never take effect is the search's business.
    fn step(
        &self,
        state: &Self::State,
        call: &Self::Call,
        response: Option<&Self::Response>,
    ) -> Option<Self::State>;

    /// Adds every state that `call` may lead to. For objects with a choice of their own, such as
    /// an identifier picked by the server that an unknown response would have told; all others
    /// have [`Model::step`] alone.
    fn outcomes(
        &self,
        state: &Self::State,
        call: &Self::Call,
        response: Option<&Self::Response>,
        next: &mut Vec<Self::State>,
    ) {
        next.extend(self.step(state, call, response));
    }

    /// Whether `call` leaves every state as it is in which it can have `response`, or any response
    /// at all when that is unknown. A read does; so does a compare that failed. A write does not,
    /// even where the value was there already: later it would be news.
    ///
    /// To deny it is always right, and makes a search slower. To claim it wrongly is caught as
    /// soon as a step says otherwise.
    fn changes_nothing(&self, call: &Self::Call, response: Option<&Self::Response>) -> bool;
}

/// A model of many objects that do not touch each other, each under its key.
///
/// A call may depend on and change nothing but the keys it names; only then do the parts of a
/// history judge the whole (Herlihy–Wing, theorem 1).
pub trait Keyed: Model {
    /// What names an object.
    type Key: Ord + Clone + Debug;

    /// Adds the keys that `call` reads or writes. A call of several keys ties them together.
    fn keys(&self, call: &Self::Call, keys: &mut Vec<Self::Key>);
}
