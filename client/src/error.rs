//! Why a request failed, and what that says about its effect.

use std::error::Error as _;

use tonic::{Code, Status};

use crate::link::LinkError;

/// The text with which a learner turns a request away: nothing has been done.
const LEARNER_REFUSES: &str = "etcdserver: rpc not supported for learner";
/// What a member says whose state was found wrong, and which does nothing more with it.
const WRONG_STATE: &str = "etcdserver: corrupt cluster";

/// How the text begins with which a server turns requests away that has no group yet: nothing has
/// been done, and the group may be there soon.
const WAITS: &str = "this server waits for its group";

/// The text with which a server refuses what grows: nothing has been done this time.
const NO_SPACE: &str = "etcdserver: mvcc: database space exceeded";
/// The text with which a server sheds load: nothing has been done this time.
const TOO_MANY_REQUESTS: &str = "etcdserver: too many requests";
/// The server does not know the client of a request id: nothing has been done this time.
const SESSION_UNKNOWN: &str =
    "etcdserver: client of the request id is not known any more, the request was not done now";
/// The server has no room for further clients with request ids: nothing has been done this time.
const TOO_MANY_SESSIONS: &str =
    "etcdserver: too many clients use request ids, the request was not done";
/// The server does not know (any more) what came of a request id, or what the answer was.
const FORGOTTEN: [&str; 2] = [
    "etcdserver: request id is too old, it is not done again, and whether it was done is not known",
    "etcdserver: request was done before, and its answer was too large to be kept",
];

/// What is known of a failed request's effect on the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The request never left: state unchanged, the caller may repeat it.
    Unsent,
    /// The server answered that it did not do it: state unchanged.
    Refused,
    /// The request was sent and its fate is not known: a write may have taken effect, or may
    /// still do so.
    Unknown,
}

/// A failed request: a gRPC status code, its text, and what is known of the effect.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    code: Code,
    message: String,
    outcome: Outcome,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>, outcome: Outcome) -> Error {
        Error { code, message: message.into(), outcome }
    }

    /// The request's time is up, and it may have been sent.
    pub(crate) fn deadline(endpoint: &str) -> Error {
        let text = format!("{endpoint} did not answer in time");
        Error::new(Code::DeadlineExceeded, text, Outcome::Unknown)
    }

    /// Reads a failure that a generated stub reports for a call to `endpoint`.
    ///
    /// A status that carries a source was made on this side of the wire, from a connection that
    /// failed; one without was sent by the server.
    pub(crate) fn from_status(status: &Status, endpoint: &str) -> Error {
        let mut source = status.source();
        if source.is_none() {
            let forgotten = FORGOTTEN.contains(&status.message());
            let outcome = match status.code() {
                _ if forgotten => Outcome::Unknown,
                Code::Unavailable if status.message().starts_with(WAITS) => Outcome::Refused,
                code => outcome_of(code),
            };
            return Error::new(status.code(), status.message(), outcome);
        }
        while let Some(error) = source {
            if let Some(link) = error.downcast_ref::<LinkError>() {
                return link.to_error(endpoint);
            }
            source = error.source();
        }
        let text = format!("the connection to {endpoint} broke: {}", status.message());
        Error::new(Code::Unavailable, text, Outcome::Unknown)
    }

    /// The gRPC status code; `Unavailable` where no server has answered.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The server's text, word for word, or a sentence about the connection.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What is known of the request's effect.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether a member turned the request away, with nothing done, that any other one would take:
    /// a learner, or one whose state is wrong.
    pub(crate) fn is_turned_away(&self) -> bool {
        self.message == LEARNER_REFUSES || self.message == WRONG_STATE
    }

    /// Whether a server turned the request away, with nothing done, that has no group yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.code == Code::Unavailable && self.message.starts_with(WAITS)
    }

    /// Whether a refusal says nothing about an earlier attempt at the same write: this one was
    /// turned away before it could be found out whether the write had been done.
    pub(crate) fn is_of_this_attempt_alone(&self) -> bool {
        self.is_turned_away()
            || self.is_waiting()
            || self.is_overload()
            || self.is_session_unknown()
            || self.is_out_of_sessions()
            || self.is_no_space()
    }

    /// Whether a server had no room for a write that grows.
    pub(crate) fn is_no_space(&self) -> bool {
        self.message == NO_SPACE
    }

    /// Whether a server shed load.
    pub(crate) fn is_overload(&self) -> bool {
        self.message == TOO_MANY_REQUESTS
    }

    /// Whether a server did not know the client of a request id.
    pub(crate) fn is_session_unknown(&self) -> bool {
        self.message == SESSION_UNKNOWN
    }

    /// Whether a server had no room for a client of request ids.
    pub(crate) fn is_out_of_sessions(&self) -> bool {
        self.message == TOO_MANY_SESSIONS
    }

    /// The same failure, of a write of which an earlier attempt may have been done.
    pub(crate) fn in_doubt(mut self) -> Error {
        self.outcome = Outcome::Unknown;
        self
    }

    /// Whether a stream that ended this way should be opened again, wherever. A server that does
    /// not answer in time may be frozen, and another one may answer. Other ends are final: the
    /// server would give the same answer once more.
    pub(crate) fn is_stream_break(&self) -> bool {
        matches!(self.code, Code::Unavailable | Code::Internal | Code::DeadlineExceeded)
    }
}

/// What a server's own answer says about the effect: a check that failed before anything was
/// proposed leaves no doubt, while a time-out or a lost leader does.
fn outcome_of(code: Code) -> Outcome {
    match code {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => Outcome::Refused,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_are_kept() {
        let status = Status::invalid_argument("etcdserver: key is not provided");
        let error = Error::from_status(&status, "h:1");
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(error.to_string(), "etcdserver: key is not provided");
        assert_eq!(error.outcome(), Outcome::Refused);
    }

    #[test]
    fn a_lost_leader_leaves_the_outcome_open() {
        let error = Error::from_status(&Status::unavailable("etcdserver: leader changed"), "h:1");
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert!(error.is_stream_break());
    }

    #[test]
    fn a_link_that_never_opened_sent_nothing() {
        let link = LinkError::unsent("connection refused");
        let error = Error::from_status(&Status::from_error(Box::new(link)), "h:1");
        assert_eq!(error.outcome(), Outcome::Unsent);
        assert_eq!(error.code(), Code::Unavailable);
        assert_eq!(error.to_string(), "cannot reach h:1: connection refused");
    }

    #[test]
    fn a_link_that_broke_may_have_sent_everything() {
        let link = LinkError::sent("reset by peer");
        let error = Error::from_status(&Status::from_error(Box::new(link)), "h:1");
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert_eq!(error.code(), Code::Unavailable);
    }
}
