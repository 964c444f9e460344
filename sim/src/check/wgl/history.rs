//! What a client saw of one call.

/// One call of a history.
///
/// - `client` only names the caller in a report; order follows from the times alone.
/// - Times share one clock; its unit does not matter. Of two events at the same time neither is
///   before the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval<C, R> {
    /// Who called.
    pub client: u64,
    /// When the call was invoked.
    pub invoked: u64,
    /// What was called.
    pub call: C,
    /// What came of it.
    pub outcome: Outcome<R>,
}

/// What came of a call. A call that certainly did not happen is no part of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<R> {
    /// The response, and when it arrived.
    Returned {
        /// When the response arrived; not before the call was invoked.
        at: u64,
        /// What it said.
        response: R,
    },
    /// Nobody knows: the call may take effect at any time after its invocation, or never.
    Unknown,
}

impl<C, R> Interval<C, R> {
    /// The response, unless the outcome is unknown.
    pub const fn response(&self) -> Option<&R> {
        match &self.outcome {
            Outcome::Returned { response, .. } => Some(response),
            Outcome::Unknown => None,
        }
    }

    /// When the response arrived, unless the outcome is unknown.
    pub const fn returned_at(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Returned { at, .. } => Some(at),
            Outcome::Unknown => None,
        }
    }
}
