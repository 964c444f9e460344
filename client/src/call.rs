//! One request: whose turn it is, how long it may take, and when it is sent again.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use etcdpb::etcdserverpb::StatusRequest;
use etcdpb::etcdserverpb::maintenance_client::MaintenanceClient;
use http::Uri;
use tonic::{Code, Request, Response, Status};

use crate::Options;
use crate::balance::Balance;
use crate::endpoint::Endpoint;
use crate::error::{Error, Outcome};
use crate::link::Link;
use crate::session::{Number, Sessions, UNDERSTOOD};

/// Pause after the first round in which no endpoint could serve; doubled with each further one.
const PAUSE_MIN: Duration = Duration::from_millis(25);
/// The longest pause between two rounds.
const PAUSE_MAX: Duration = Duration::from_millis(400);
/// Rounds in which nobody could even be connected to, after which a request gives up early.
const ROUNDS_UNREACHABLE: u32 = 3;
/// A write in doubt is not repeated later than this: servers remember their answers for half a
/// minute at least.
const REPEAT_FOR: Duration = Duration::from_secs(25);
/// A request that may be repeated waits at least this long for one endpoint before it asks the
/// next one.
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// Whether a request may be sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Changes nothing: may be repeated whenever an endpoint cannot serve.
    Read,
    /// Changes something: repeated only when nothing was sent.
    Write,
    /// Changes the store under a request id: repeated whenever an endpoint cannot serve, once it
    /// is known that servers understand such ids.
    Once,
}

impl Kind {
    fn without_id(self) -> Kind {
        match self {
            Kind::Read => Kind::Read,
            Kind::Write | Kind::Once => Kind::Write,
        }
    }
}

/// A client of one cluster. Clones are cheap and share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    balance: Balance,
    sessions: Arc<Sessions>,
    exactly_once: bool,
    request_timeout: Duration,
}

impl Client {
    /// A client that connects when the first request needs it.
    ///
    /// # Errors
    /// `InvalidArgument` for an endpoint that is not an address, and for an empty list.
    pub fn new(options: Options) -> Result<Client, Error> {
        if options.endpoints.is_empty() {
            let text = "no endpoint given; name at least one, such as 127.0.0.1:2379";
            return Err(Error::new(Code::InvalidArgument, text, Outcome::Unsent));
        }
        let mut endpoints = Vec::with_capacity(options.endpoints.len());
        for name in &options.endpoints {
            endpoints.push(Arc::new(Endpoint::new(name, options.connect_timeout)?));
        }
        Ok(Client::with(endpoints, options.request_timeout, options.exactly_once))
    }

    fn with(
        endpoints: Vec<Arc<Endpoint>>,
        request_timeout: Duration,
        exactly_once: bool,
    ) -> Client {
        let balance = Balance::new(endpoints);
        let sessions = Arc::default();
        Client { shared: Arc::new(Shared { balance, sessions, exactly_once, request_timeout }) }
    }

    /// The endpoints' names, in the order and spelling they were given.
    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.shared.balance.endpoints().iter().map(|endpoint| endpoint.name())
    }

    /// For each endpoint a client that talks to it alone, over the connection that `self` uses:
    /// for questions about one member, such as [`Client::status`].
    pub fn each(&self) -> Vec<Client> {
        let alone = |endpoint: &Arc<Endpoint>| {
            let Shared { request_timeout, exactly_once, .. } = *self.shared;
            Client::with(vec![Arc::clone(endpoint)], request_timeout, exactly_once)
        };
        self.shared.balance.endpoints().iter().map(alone).collect()
    }

    /// Sends a unary request to the endpoint whose turn it is, and again to others as `kind`
    /// allows, until it is answered or its time is up.
    pub(crate) async fn call<Q, R, F, Fut>(
        &self,
        kind: Kind,
        request: Q,
        send: F,
    ) -> Result<R, Error>
    where
        Q: Clone,
        F: Fn(Link, Uri, Request<Q>) -> Fut,
        Fut: Future<Output = Result<Response<R>, Status>>,
    {
        let Shared { balance, sessions, .. } = &*self.shared;
        let kind = if self.shared.exactly_once { kind } else { kind.without_id() };
        let mut number = (kind == Kind::Once).then(|| sessions.begin());
        let mut attempts = Attempts::new(kind, balance.endpoints().len());
        let deadline = Instant::now() + self.shared.request_timeout;
        loop {
            let now = Instant::now();
            let left = deadline.saturating_duration_since(now);
            let endpoint = balance.next(now);
            let mut message = Request::new(request.clone());
            number.iter().for_each(|number| number.write(message.metadata_mut()));
            let proof = async {
                if attempts.in_doubt() { self.prove(endpoint, left).await } else { Ok(()) }
            };
            let error = match proof.await {
                Err(error) => error,
                Ok(()) => {
                    let patience = attempts.patience(left);
                    match attempt(endpoint, left, patience, message, &send).await {
                        Ok(response) => {
                            number.iter().for_each(Number::answered);
                            return Ok(response);
                        }
                        Err(error) => error,
                    }
                }
            };
            let Some(pause) = attempts.after(&error, now) else {
                return Err(attempts.last_word(error));
            };
            if Instant::now() + pause >= deadline {
                return Err(attempts.last_word(error));
            }
            if error.is_session_unknown() {
                number.iter().for_each(Number::unknown);
                number = Some(sessions.begin());
            } else if error.is_out_of_sessions() {
                number = None;
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Asks an endpoint whether it knows request ids, unless one has said so before.
    async fn prove(&self, endpoint: &Endpoint, left: Duration) -> Result<(), Error> {
        let sessions = &self.shared.sessions;
        if sessions.are_understood() {
            return Ok(());
        }
        let ask = |link, origin, request: Request<StatusRequest>| async move {
            let answer = MaintenanceClient::with_origin(link, origin).status(request).await?;
            Ok(Response::new(answer.metadata().contains_key(UNDERSTOOD)))
        };
        let request = Request::new(StatusRequest {});
        if attempt(endpoint, left, READ_PATIENCE, request, &ask).await? {
            sessions.understood();
            return Ok(());
        }
        let text = format!("{} does not know request ids", endpoint.name());
        Err(Error::new(Code::Unimplemented, text, Outcome::Refused))
    }

    /// Whether a stream that ended this way may be opened again, somewhere. A learner may be the
    /// only one of several endpoints that does not serve it, or become a voter.
    pub(crate) fn may_pass(&self, error: &Error) -> bool {
        let others = self.shared.balance.endpoints().len() > 1;
        error.is_stream_break() || others && error.is_turned_away()
    }

    /// Opens a stream on the endpoint whose turn it is, trying each once before giving up.
    /// Returns the endpoint's name beside the stream, for messages.
    pub(crate) async fn open<R, F, Fut>(&self, send: F) -> Result<(R, String), Error>
    where
        F: Fn(Link, Uri) -> Fut,
        Fut: Future<Output = Result<Response<R>, Status>>,
    {
        let mut tries = self.shared.balance.endpoints().len();
        let limit = self.shared.request_timeout;
        let patience = Attempts::new(Kind::Read, tries).patience(limit);
        loop {
            let endpoint = self.shared.balance.next(Instant::now());
            let send = |link, origin, ()| send(link, origin);
            match attempt(endpoint, limit, patience, (), &send).await {
                Ok(stream) => return Ok((stream, endpoint.name().to_owned())),
                Err(error) => {
                    tries -= 1;
                    if tries == 0 || !self.may_pass(&error) {
                        return Err(error);
                    }
                }
            }
        }
    }
}

/// Sends a request to one endpoint, connecting first if need be, within what is `left`; an answer
/// is waited for no longer than `patience`.
async fn attempt<Q, R, F, Fut>(
    endpoint: &Endpoint,
    left: Duration,
    patience: Duration,
    request: Q,
    send: &F,
) -> Result<R, Error>
where
    F: Fn(Link, Uri, Q) -> Fut,
    Fut: Future<Output = Result<Response<R>, Status>>,
{
    let deadline = Instant::now() + left;
    let Ok(link) = tokio::time::timeout(left, endpoint.link()).await else {
        let text = format!("cannot reach {}: no answer in time", endpoint.name());
        return Err(Error::new(Code::Unavailable, text, Outcome::Unsent));
    };
    let patience = patience.min(deadline.saturating_duration_since(Instant::now()));
    match tokio::time::timeout(patience, send(link?, endpoint.origin(), request)).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(Error::from_status(&status, endpoint.name())),
        Err(_) => Err(Error::deadline(endpoint.name())),
    }
}

/// The pause before round `round` (counted from 1), between half of and the whole doubled time,
/// so that clients that failed together do not return together.
pub(crate) fn pause(round: u32) -> Duration {
    let whole = PAUSE_MIN.saturating_mul(1 << round.saturating_sub(1).min(6)).min(PAUSE_MAX);
    let random = u32::try_from(RandomState::new().hash_one(round) % 1024).expect("below 1024");
    whole / 2 + whole / 2 * random / 1024
}

/// The failures of one request so far, and what follows from the next one.
struct Attempts {
    kind: Kind,
    endpoints: u32,
    failed: u32,
    /// Attempts in a row that could not connect.
    unreachable: u32,
    /// Attempts in a row that a member turned away which others would take.
    turned_away: u32,
    /// The first failure that left open whether a write was done, and when it was sent.
    doubt: Option<(Error, Instant)>,
}

impl Attempts {
    fn new(kind: Kind, endpoints: usize) -> Attempts {
        let endpoints = u32::try_from(endpoints).unwrap_or(u32::MAX).max(1);
        Attempts { kind, endpoints, failed: 0, unreachable: 0, turned_away: 0, doubt: None }
    }

    /// Whether the next attempt is a repeated write.
    fn in_doubt(&self) -> bool {
        self.kind == Kind::Once && self.doubt.is_some()
    }

    /// How long to wait for one answer when `left` is left for the request: all of it, but a
    /// request that may ask somebody else keeps half for that.
    fn patience(&self, left: Duration) -> Duration {
        if self.kind != Kind::Write && self.endpoints > 1 {
            (left / 2).max(READ_PATIENCE).min(left)
        } else {
            left
        }
    }

    /// The pause before the next attempt, or `None` when the request has failed for good, this
    /// time with an attempt that began at `began`.
    fn after(&mut self, error: &Error, began: Instant) -> Option<Duration> {
        self.failed += 1;
        self.turned_away = if error.is_turned_away() { self.turned_away + 1 } else { 0 };
        if error.outcome() == Outcome::Unsent {
            self.unreachable += 1;
        } else {
            self.unreachable = 0;
        }
        let given_up =
            self.doubt.is_none() && self.unreachable >= ROUNDS_UNREACHABLE * self.endpoints;
        let late = self.doubt.as_ref().is_some_and(|(_, at)| at.elapsed() > REPEAT_FOR);
        if !self.may_repeat(error) || given_up || late {
            return None;
        }
        if error.outcome() == Outcome::Unknown && self.kind == Kind::Once && self.doubt.is_none() {
            self.doubt = Some((error.clone(), began));
        }
        if self.failed.is_multiple_of(self.endpoints) {
            Some(pause(self.failed / self.endpoints))
        } else {
            Some(Duration::ZERO)
        }
    }

    fn may_repeat(&mut self, error: &Error) -> bool {
        if error.outcome() == Outcome::Unsent || error.is_waiting() {
            return true;
        }
        if error.is_turned_away() {
            return self.turned_away <= self.endpoints || self.in_doubt();
        }
        let unavailable = matches!(error.code(), Code::Unavailable | Code::DeadlineExceeded);
        match self.kind {
            Kind::Read => unavailable,
            Kind::Write => false,
            Kind::Once if self.doubt.is_some() => unavailable || error.is_overload(),
            Kind::Once if error.is_out_of_sessions() => {
                self.kind = Kind::Write;
                true
            }
            Kind::Once => unavailable || error.is_session_unknown(),
        }
    }

    /// What the caller is told: after a doubt, only what settles it says that nothing was done.
    fn last_word(&self, error: Error) -> Error {
        match &self.doubt {
            Some((first, _)) if error.code() == Code::Unimplemented => first.clone(),
            Some(_) if error.outcome() == Outcome::Unsent => error.in_doubt(),
            Some(_) if error.is_of_this_attempt_alone() => error.in_doubt(),
            Some(_) | None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Instant {
        Instant::now()
    }

    fn error(code: Code, outcome: Outcome) -> Error {
        Error::new(code, "text", outcome)
    }

    #[test]
    fn a_write_is_repeated_only_if_it_never_left() {
        let mut attempts = Attempts::new(Kind::Write, 3);
        assert!(attempts.after(&error(Code::Unavailable, Outcome::Unsent), now()).is_some());
        assert!(attempts.after(&error(Code::Unavailable, Outcome::Unknown), now()).is_none());
    }

    #[test]
    fn a_numbered_write_is_repeated_until_something_settles_it() {
        let mut attempts = Attempts::new(Kind::Once, 2);
        let (lost, unsent) = (Outcome::Unknown, Outcome::Unsent);
        assert!(!attempts.in_doubt());
        for _ in 0..50 {
            assert!(attempts.after(&error(Code::DeadlineExceeded, lost), now()).is_some());
            assert!(attempts.after(&error(Code::Unavailable, unsent), now()).is_some());
        }
        assert!(attempts.in_doubt());
        let refused = error(Code::NotFound, Outcome::Refused);
        assert!(attempts.after(&refused, now()).is_none());
        assert_eq!(attempts.last_word(refused).outcome(), Outcome::Refused);
        let unsent = error(Code::Unavailable, unsent);
        assert_eq!(attempts.last_word(unsent).outcome(), Outcome::Unknown);
        let shed =
            Error::new(Code::ResourceExhausted, "etcdserver: too many requests", Outcome::Refused);
        assert!(attempts.after(&shed, now()).is_some());
        assert_eq!(attempts.last_word(shed).outcome(), Outcome::Unknown);
    }

    #[test]
    fn a_numbered_write_in_doubt_is_not_repeated_when_servers_may_have_forgotten() {
        let mut attempts = Attempts::new(Kind::Once, 1);
        let lost = error(Code::Unavailable, Outcome::Unknown);
        let long_ago = now().checked_sub(REPEAT_FOR + Duration::from_secs(1)).unwrap();
        assert!(attempts.after(&lost, long_ago).is_some());
        assert!(attempts.after(&lost, now()).is_none());
    }

    #[test]
    fn whoever_waits_for_its_group_is_asked_again_for_it_has_done_nothing() {
        let text = "this server waits for its group: 1 of 3 servers have met";
        let waits = || Error::from_status(&tonic::Status::unavailable(text), "h:1");
        assert_eq!(waits().outcome(), Outcome::Refused);
        for kind in [Kind::Read, Kind::Write, Kind::Once] {
            let mut attempts = Attempts::new(kind, 2);
            for _ in 0..100 {
                assert!(attempts.after(&waits(), now()).is_some());
            }
            assert!(!attempts.in_doubt());
        }
        let mut attempts = Attempts::new(Kind::Once, 2);
        assert!(attempts.after(&error(Code::Unavailable, Outcome::Unknown), now()).is_some());
        assert_eq!(attempts.last_word(waits()).outcome(), Outcome::Unknown);
    }

    #[test]
    fn learners_are_counted_in_a_row() {
        let text = "etcdserver: rpc not supported for learner";
        let learner = || Error::new(Code::FailedPrecondition, text, Outcome::Refused);
        let mut attempts = Attempts::new(Kind::Read, 3);
        for _ in 0..20 {
            assert!(attempts.after(&error(Code::Unavailable, Outcome::Unknown), now()).is_some());
            assert!(attempts.after(&learner(), now()).is_some());
        }
        assert!(attempts.after(&learner(), now()).is_some());
        assert!(attempts.after(&learner(), now()).is_some());
        assert!(attempts.after(&learner(), now()).is_none(), "all three are learners");
    }

    #[test]
    fn a_server_without_space_does_not_say_that_an_earlier_attempt_was_not_done() {
        let text = "etcdserver: mvcc: database space exceeded";
        let full = || Error::new(Code::ResourceExhausted, text, Outcome::Refused);
        let mut attempts = Attempts::new(Kind::Once, 1);
        assert_eq!(attempts.last_word(full()).outcome(), Outcome::Refused);
        assert!(attempts.after(&error(Code::Unavailable, Outcome::Unknown), now()).is_some());
        assert_eq!(attempts.last_word(full()).outcome(), Outcome::Unknown);
    }

    #[test]
    fn where_servers_have_no_room_for_a_client_its_write_goes_without_a_number() {
        let mut attempts = Attempts::new(Kind::Once, 1);
        let text = "etcdserver: too many clients use request ids, the request was not done";
        let full = Error::new(Code::ResourceExhausted, text, Outcome::Refused);
        assert!(full.is_out_of_sessions());
        assert!(attempts.after(&full, now()).is_some());
        assert!(attempts.after(&error(Code::Unavailable, Outcome::Unknown), now()).is_none());
    }

    #[test]
    fn a_read_is_repeated_while_servers_are_unavailable() {
        let mut attempts = Attempts::new(Kind::Read, 3);
        for _ in 0..100 {
            assert!(attempts.after(&error(Code::Unavailable, Outcome::Unknown), now()).is_some());
        }
        assert!(attempts.after(&error(Code::InvalidArgument, Outcome::Refused), now()).is_none());
    }

    #[test]
    fn each_endpoint_is_tried_before_the_first_pause() {
        let mut attempts = Attempts::new(Kind::Write, 3);
        let unsent = error(Code::Unavailable, Outcome::Unsent);
        assert_eq!(attempts.after(&unsent, now()), Some(Duration::ZERO));
        assert_eq!(attempts.after(&unsent, now()), Some(Duration::ZERO));
        assert!(attempts.after(&unsent, now()).unwrap() >= PAUSE_MIN / 2);
    }

    #[test]
    fn a_request_gives_up_when_nobody_can_be_reached() {
        let mut attempts = Attempts::new(Kind::Read, 2);
        let unsent = error(Code::Unavailable, Outcome::Unsent);
        let tried = (1..).find(|_| attempts.after(&unsent, now()).is_none());
        assert_eq!(tried, Some(6));
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        for round in 1..20 {
            assert!(pause(round) >= PAUSE_MIN / 2 && pause(round) <= PAUSE_MAX);
        }
        assert!(pause(10) >= PAUSE_MAX / 2);
    }

    #[test]
    fn a_read_keeps_time_for_a_second_endpoint() {
        let five = Duration::from_secs(5);
        assert_eq!(Attempts::new(Kind::Read, 3).patience(five), five / 2);
        assert_eq!(Attempts::new(Kind::Read, 1).patience(five), five);
        assert_eq!(Attempts::new(Kind::Once, 3).patience(five), five / 2);
        assert_eq!(Attempts::new(Kind::Write, 3).patience(five), five);
    }
}
