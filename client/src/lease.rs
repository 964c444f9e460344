//! Leases, and the task that keeps one alive.

use std::time::Duration;

use etcdpb::etcdserverpb::lease_client::LeaseClient;
use etcdpb::etcdserverpb::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
    LeaseLeasesRequest, LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse,
    LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
};
use http::Uri;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

use crate::Result;
use crate::call::{Client, Kind, pause};
use crate::error::{Error, Outcome};
use crate::link::Link;

/// A lease is renewed when this share of its time to live has passed: two further attempts fit
/// before it expires.
const RENEWALS_PER_TTL: u32 = 3;
/// The shortest time between two renewals, whatever the time to live.
const RENEWAL_MIN: Duration = Duration::from_millis(500);
/// How long one renewal may go unanswered before another endpoint is asked; less where the time to
/// live is short, so that there is time for another.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(2);
/// The longest time to live that servers grant, in seconds.
const TTL_MAX: u64 = 9_000_000_000;
/// The share of its time to live by which a lease is taken to end early: clocks that run apart by
/// two in a hundred do not make it last longer here than at the server.
const DRIFT_SHARE: u32 = 50;

fn stub(link: Link, origin: Uri) -> LeaseClient<Link> {
    LeaseClient::with_origin(link, origin).max_decoding_message_size(usize::MAX)
}

impl Client {
    /// A new lease of `ttl` seconds (the server raises a shorter one to its minimum), under `id`
    /// or, for 0, one that the server chooses.
    ///
    /// # Errors
    /// `FailedPrecondition` when the id is taken, `OutOfRange` for an absurd time to live.
    pub async fn lease_grant(&self, ttl: i64, id: i64) -> Result<LeaseGrantResponse> {
        let request = LeaseGrantRequest { ttl, id };
        let send =
            |link, origin, request| async move { stub(link, origin).lease_grant(request).await };
        self.call(Kind::Once, request, send).await
    }

    /// Ends a lease and deletes its keys, at one revision.
    ///
    /// # Errors
    /// `NotFound` for an unknown lease.
    pub async fn lease_revoke(&self, id: i64) -> Result<LeaseRevokeResponse> {
        let request = LeaseRevokeRequest { id };
        let send =
            |link, origin, request| async move { stub(link, origin).lease_revoke(request).await };
        self.call(Kind::Once, request, send).await
    }

    /// The seconds that a lease has left, and its keys when asked for. An unknown lease has −1
    /// left; that is no error.
    ///
    /// # Errors
    /// `Unavailable` when no endpoint could answer in time.
    pub async fn lease_time_to_live(&self, id: i64, keys: bool) -> Result<LeaseTimeToLiveResponse> {
        let request = LeaseTimeToLiveRequest { id, keys };
        self.call(Kind::Read, request, |link, origin, request| async move {
            stub(link, origin).lease_time_to_live(request).await
        })
        .await
    }

    /// The ids of all leases.
    ///
    /// # Errors
    /// `Unavailable` when no endpoint could answer in time.
    pub async fn lease_list(&self) -> Result<LeaseLeasesResponse> {
        let send =
            |link, origin, request| async move { stub(link, origin).lease_leases(request).await };
        self.call(Kind::Read, LeaseLeasesRequest {}, send).await
    }

    /// Renews a lease once and returns its time to live in seconds.
    ///
    /// # Errors
    /// `NotFound` when the lease is gone, `Unavailable` when no endpoint could answer.
    pub async fn lease_renew(&self, id: i64) -> Result<i64> {
        Renewals::open(self, id).await?.renew(id).await
    }

    /// Keeps a lease alive, starting with one renewal, until the handle is dropped.
    ///
    /// # Errors
    /// `NotFound` when the lease is gone already, `Unavailable` when no endpoint could answer.
    pub async fn lease_keep_alive(&self, id: i64) -> Result<KeepAlive> {
        let asked_at = Instant::now();
        let mut renewals = Renewals::open(self, id).await?;
        let ttl = renewals.renew(id).await?;
        let life = Life { ttl, from: asked_at };
        let (sender, receiver) = watch::channel(Kept { life, end: None });
        let task = tokio::spawn(keep_alive(self.clone(), id, life, renewals, sender));
        Ok(KeepAlive { id, first_ttl: ttl, task, receiver })
    }
}

/// A lease that a background task renews. Dropping it stops the renewals; the lease then
/// expires by itself.
#[derive(Debug)]
pub struct KeepAlive {
    id: i64,
    first_ttl: i64,
    task: JoinHandle<()>,
    receiver: watch::Receiver<Kept>,
}

/// What the task has reached.
#[derive(Clone, Debug)]
struct Kept {
    life: Life,
    /// Why the task has ended, if it has.
    end: Option<Error>,
}

impl KeepAlive {
    /// The lease.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// The time to live in seconds that the first renewal gave.
    pub fn first_ttl(&self) -> i64 {
        self.first_ttl
    }

    /// Waits for the next renewal and returns the time to live in seconds that it gave.
    ///
    /// # Errors
    /// `NotFound` when the lease is gone, `Unavailable` when nobody could be reached for a whole
    /// time to live: the lease is then to be taken for expired. Either is final.
    pub async fn renewed(&mut self) -> Result<i64> {
        // A closed channel still holds its last value, the final error.
        let _ = self.receiver.changed().await;
        let Kept { life, end } = self.receiver.borrow_and_update().clone();
        end.map_or(Ok(life.ttl), Err)
    }

    /// Until when the lease has surely not expired, for all that is known by now. It counts from
    /// the sending of the last renewal that was answered, by the clock of this machine, and leaves
    /// a fiftieth of the time to live for clocks that run apart. Every renewal moves it.
    pub fn expires_at(&self) -> std::time::Instant {
        self.receiver.borrow().life.end().into_std()
    }
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An open keep-alive stream.
struct Renewals {
    endpoint: String,
    requests: mpsc::Sender<LeaseKeepAliveRequest>,
    responses: Streaming<LeaseKeepAliveResponse>,
}

impl Renewals {
    /// Opens a stream with the first renewal in it, for [`Renewals::renew`] to wait for.
    async fn open(client: &Client, id: i64) -> Result<Renewals> {
        // The stream's own first message may be needed before a server answers with headers.
        let open = client.open(|link, origin| async move {
            let (requests, receiver) = mpsc::channel(1);
            let first = requests.try_send(LeaseKeepAliveRequest { id });
            first.expect("the channel is new and has room for one");
            let stream = ReceiverStream::new(receiver);
            let responses = stub(link, origin).lease_keep_alive(stream).await?;
            Ok(responses.map(|responses| (requests, responses)))
        });
        let ((requests, responses), endpoint) = open.await?;
        Ok(Renewals { endpoint, requests, responses })
    }

    /// Waits for the answer to the last request: the lease's time to live in seconds.
    async fn renew(&mut self, id: i64) -> Result<i64> {
        let wait = tokio::time::timeout(RENEWAL_PATIENCE, self.responses.message());
        let response = match wait.await {
            Ok(Ok(Some(response))) => response,
            Ok(Ok(None)) => {
                let text = format!("{} ended the keep-alive stream", self.endpoint);
                return Err(Error::new(Code::Unavailable, text, Outcome::Unknown));
            }
            Ok(Err(status)) => return Err(Error::from_status(&status, &self.endpoint)),
            Err(_) => {
                let text = format!("{} did not renew the lease in time", self.endpoint);
                return Err(Error::new(Code::Unavailable, text, Outcome::Unknown));
            }
        };
        if response.ttl <= 0 {
            let text = format!("lease {id:016x} has expired or was revoked");
            return Err(Error::new(Code::NotFound, text, Outcome::Refused));
        }
        Ok(response.ttl)
    }

    /// Sends one more request and waits for its answer.
    async fn again(&mut self, id: i64) -> Result<i64> {
        if self.requests.send(LeaseKeepAliveRequest { id }).await.is_err() {
            let text = format!("{} ended the keep-alive stream", self.endpoint);
            return Err(Error::new(Code::Unavailable, text, Outcome::Unknown));
        }
        self.renew(id).await
    }
}

/// How long a lease lives at least, for all that this side knows: the server counts from some
/// moment between request and answer.
#[derive(Clone, Copy, Debug)]
struct Life {
    /// The time to live in seconds.
    ttl: i64,
    /// When the last renewal that was answered was asked for.
    from: Instant,
}

impl Life {
    fn length(self) -> Duration {
        Duration::from_secs(u64::try_from(self.ttl).unwrap_or(0).min(TTL_MAX))
    }

    /// How long one renewal of it may take.
    fn patience(self) -> Duration {
        (self.length() / RENEWALS_PER_TTL).clamp(RENEWAL_MIN, RENEWAL_PATIENCE)
    }

    /// Until when it has surely not expired.
    fn end(self) -> Instant {
        self.from + (self.length() - self.length() / DRIFT_SHARE)
    }

    /// What is left of it at `now`.
    fn left(self, now: Instant) -> Duration {
        self.length().saturating_sub(now.saturating_duration_since(self.from))
    }
}

/// Renews until the lease is gone or a whole time to live has passed without an answer.
async fn keep_alive(
    client: Client,
    id: i64,
    mut life: Life,
    renewals: Renewals,
    sender: watch::Sender<Kept>,
) {
    let mut renewals = Some(renewals);
    let mut failures = 0;
    loop {
        let wait = if failures == 0 {
            (life.length() / RENEWALS_PER_TTL).max(RENEWAL_MIN)
        } else {
            pause(failures)
        };
        tokio::time::sleep(wait.min(life.left(Instant::now()))).await;
        let asked_at = Instant::now();
        let mut left = life.left(asked_at);
        if failures == 0 {
            // This process may have slept through it all; the server has the last word.
            left = left.max(RENEWAL_MIN);
        }
        let renewal = renew_over(&client, id, &mut renewals);
        let renewed = match tokio::time::timeout(left.min(life.patience()), renewal).await {
            Ok(renewed) => renewed,
            Err(_) => {
                let text = format!("lease {id:016x} was not renewed in time");
                Err(Error::new(Code::Unavailable, text, Outcome::Unknown))
            }
        };
        match renewed {
            Ok(ttl) => {
                life = Life { ttl, from: asked_at };
                failures = 0;
                drop(sender.send_replace(Kept { life, end: None }));
            }
            Err(error) => {
                failures += 1;
                if !client.may_pass(&error) || life.left(Instant::now()).is_zero() {
                    drop(sender.send_replace(Kept { life, end: Some(error) }));
                    return;
                }
            }
        }
    }
}

/// Renews on the open stream, or on a new one when there is none. A stream that failed is gone.
async fn renew_over(client: &Client, id: i64, open: &mut Option<Renewals>) -> Result<i64> {
    let (renewals, ttl) = match open.take() {
        Some(mut renewals) => {
            let ttl = renewals.again(id).await;
            (renewals, ttl)
        }
        None => {
            let mut renewals = Renewals::open(client, id).await?;
            let ttl = renewals.renew(id).await;
            (renewals, ttl)
        }
    };
    let ttl = ttl?;
    *open = Some(renewals);
    Ok(ttl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_counts_from_the_question_and_not_from_the_answer() {
        let asked_at = Instant::now();
        let life = Life { ttl: 5, from: asked_at };
        assert_eq!(life.left(asked_at), Duration::from_secs(5));
        assert_eq!(life.left(asked_at + Duration::from_secs(2)), Duration::from_secs(3));
        assert_eq!(life.left(asked_at + Duration::from_secs(9)), Duration::ZERO);
        assert_eq!(Life { ttl: -1, from: asked_at }.left(asked_at), Duration::ZERO);
    }

    #[test]
    fn a_life_ends_here_before_it_does_at_the_server() {
        let from = Instant::now();
        let end = |ttl| Life { ttl, from }.end() - from;
        assert_eq!(end(10), Duration::from_millis(9_800));
        assert_eq!(end(0), Duration::ZERO);
        assert!(end(i64::MAX) <= Duration::from_secs(TTL_MAX));
    }

    #[test]
    fn a_renewal_leaves_time_for_another_one() {
        let from = Instant::now();
        for ttl in 2..=60 {
            let life = Life { ttl, from };
            let first = life.length() / RENEWALS_PER_TTL;
            assert!(first + 2 * life.patience() <= life.length(), "{ttl}");
        }
        assert_eq!(Life { ttl: 60, from }.patience(), RENEWAL_PATIENCE);
    }
}
