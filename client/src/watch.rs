//! Watching keys, across disconnects.
//!
//! A [`Watcher`] remembers the revision after the last event that it has handed out. When its
//! stream breaks it opens another one, on whichever endpoint's turn it is, from that revision.
//! The server sends the events of one revision together, or in fragments whose last one is
//! marked; fragments are joined before they are handed out, so that the place to resume at never
//! lies inside a revision.

use std::time::Duration;

use etcdpb::etcdserverpb::watch_client::WatchClient;
use etcdpb::etcdserverpb::watch_request::RequestUnion;
use etcdpb::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Streaming};

use crate::Result;
use crate::call::{Client, pause};
use crate::error::{Error, Outcome};

/// Asks the server to end the stream when it has lost its leader, instead of falling silent.
const REQUIRE_LEADER: &str = "hasleader";
/// How long a server may take to confirm a watch before another one is asked.
const CONFIRMATION: Duration = Duration::from_secs(5);

impl Client {
    /// Watches the keys that the request names. The returned watcher has been confirmed by a
    /// server: no event after this call's return is missed.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty interval, `Unavailable` when no endpoint could answer.
    pub async fn watch(&self, request: WatchCreateRequest) -> Result<Watcher> {
        let cursor = Cursor::new(request.start_revision);
        let mut watcher = Watcher { client: self.clone(), request, cursor, stream: None };
        watcher.stream = Some(watcher.open().await?);
        Ok(watcher)
    }
}

/// A stream of changes. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watcher {
    client: Client,
    request: WatchCreateRequest,
    cursor: Cursor,
    stream: Option<Stream>,
}

/// One connection's part of a watch.
#[derive(Debug)]
struct Stream {
    endpoint: String,
    responses: Streaming<WatchResponse>,
    /// Open for as long as the watch shall live: its end tells the server to stop.
    _requests: mpsc::Sender<WatchRequest>,
}

impl Watcher {
    /// Waits for the next batch of events, or for a progress notification (no events; all up to
    /// the header's revision have been handed out).
    ///
    /// # Errors
    /// `OutOfRange` when the history at the place to go on has been compacted, otherwise what the
    /// server gave as its reason. Errors are final; disconnects are not errors.
    pub async fn next(&mut self) -> Result<WatchResponse> {
        let mut failures = 0;
        loop {
            match self.advance().await {
                Ok(Some(response)) => return Ok(response),
                Ok(None) => failures = 0,
                Err(error) if self.client.may_pass(&error) => {
                    self.stream = None;
                    self.cursor.drop_fragments();
                    failures += 1;
                    tokio::time::sleep(pause(failures)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The revision at which a new watch would go on without gap or repeat; 0 before the first
    /// confirmation.
    pub fn next_revision(&self) -> i64 {
        self.cursor.next
    }

    /// Takes one message from the stream, opening it first if need be.
    async fn advance(&mut self) -> Result<Option<WatchResponse>> {
        if self.stream.is_none() {
            self.stream = Some(self.open().await?);
            return Ok(None);
        }
        let stream = self.stream.as_mut().expect("it was opened above");
        let response = receive(stream).await?;
        self.cursor.take(response)
    }

    /// Opens a stream at the cursor and waits until the server confirms it.
    async fn open(&mut self) -> Result<Stream> {
        let start_revision = self.cursor.next;
        let create = WatchCreateRequest { start_revision, ..self.request.clone() };
        let union = Some(RequestUnion::CreateRequest(create));
        let request = WatchRequest { request_union: union };
        let opened = self.client.open(|link, origin| {
            let request = request.clone();
            async move {
                let (requests, receiver) = mpsc::channel(1);
                let first = requests.try_send(request);
                first.expect("the channel is new and has room for one");
                let mut outgoing = Request::new(ReceiverStream::new(receiver));
                let yes = tonic::metadata::MetadataValue::from_static("true");
                outgoing.metadata_mut().insert(REQUIRE_LEADER, yes);
                let mut stub =
                    WatchClient::with_origin(link, origin).max_decoding_message_size(usize::MAX);
                let responses = stub.watch(outgoing).await?;
                Ok(responses.map(|responses| (requests, responses)))
            }
        });
        let ((requests, responses), endpoint) = opened.await?;
        let mut stream = Stream { endpoint, responses, _requests: requests };
        let Ok(created) = tokio::time::timeout(CONFIRMATION, receive(&mut stream)).await else {
            let text = format!("{} did not confirm the watch in time", stream.endpoint);
            return Err(Error::new(Code::Unavailable, text, Outcome::Unknown));
        };
        let created = created?;
        self.cursor.confirm(&created)?;
        Ok(stream)
    }
}

async fn receive(stream: &mut Stream) -> Result<WatchResponse> {
    match stream.responses.message().await {
        Ok(Some(response)) => Ok(response),
        Ok(None) => {
            let text = format!("{} ended the watch stream", stream.endpoint);
            Err(Error::new(Code::Unavailable, text, Outcome::Unknown))
        }
        Err(status) => Err(Error::from_status(&status, &stream.endpoint)),
    }
}

/// How far a watch has come.
///
/// - `next` never falls.
/// - Every event below `next` has been handed out, and none at or above it.
#[derive(Debug)]
struct Cursor {
    /// The revision to resume at; 0 means "from now on" and is left with the confirmation.
    next: i64,
    /// Fragments of a response whose last fragment has not come.
    fragments: Option<WatchResponse>,
}

impl Cursor {
    fn new(start_revision: i64) -> Cursor {
        Cursor { next: start_revision, fragments: None }
    }

    /// Takes the server's answer to the creation.
    fn confirm(&mut self, created: &WatchResponse) -> Result<()> {
        check(created)?;
        if !created.created {
            let text = "the server sent something else than the watch's confirmation";
            return Err(Error::new(Code::Internal, text, Outcome::Unknown));
        }
        if self.next == 0 {
            self.next = revision(created) + 1;
        }
        Ok(())
    }

    /// Takes one message, and returns what is to be handed out: nothing until all fragments of a
    /// response are there.
    fn take(&mut self, mut response: WatchResponse) -> Result<Option<WatchResponse>> {
        check(&response)?;
        let is_fragment = std::mem::take(&mut response.fragment);
        let whole = match self.fragments.take() {
            None => response,
            Some(mut earlier) => {
                earlier.events.append(&mut response.events);
                earlier.header = response.header;
                earlier
            }
        };
        if is_fragment {
            self.fragments = Some(whole);
            return Ok(None);
        }
        let last = whole.events.last().and_then(|event| event.kv.as_ref());
        let reached = last.map_or_else(|| revision(&whole), |kv| kv.mod_revision);
        self.next = self.next.max(reached + 1);
        Ok(Some(whole))
    }

    /// Forgets what a broken stream has not completed: it comes again.
    fn drop_fragments(&mut self) {
        self.fragments = None;
    }
}

fn revision(response: &WatchResponse) -> i64 {
    response.header.as_ref().map_or(0, |header| header.revision)
}

/// Turns a cancellation into an error.
fn check(response: &WatchResponse) -> Result<()> {
    if !response.canceled {
        return Ok(());
    }
    if response.compact_revision != 0 {
        let text = format!(
            "etcdserver: mvcc: required revision has been compacted (the oldest one is {})",
            response.compact_revision
        );
        return Err(Error::new(Code::OutOfRange, text, Outcome::Refused));
    }
    // The reason may be a status that was printed; its code then says whether to go on.
    let reason = response.cancel_reason.as_str();
    let code = match reason {
        "etcdserver: no leader" => Code::Unavailable,
        _ => Code::InvalidArgument,
    };
    let text = if reason.is_empty() { "the server cancelled the watch" } else { reason };
    Err(Error::new(code, text, Outcome::Refused))
}

#[cfg(test)]
mod tests {
    use super::*;
    use etcdpb::etcdserverpb::ResponseHeader;
    use etcdpb::mvccpb::{Event, KeyValue};

    fn response(header: i64, revisions: &[i64]) -> WatchResponse {
        let event = |&mod_revision: &i64| Event {
            kv: Some(KeyValue { mod_revision, ..KeyValue::default() }),
            ..Event::default()
        };
        WatchResponse {
            header: Some(ResponseHeader { revision: header, ..ResponseHeader::default() }),
            events: revisions.iter().map(event).collect(),
            ..WatchResponse::default()
        }
    }

    fn created(header: i64) -> WatchResponse {
        WatchResponse { created: true, ..response(header, &[]) }
    }

    #[test]
    fn a_watch_from_now_on_resumes_after_its_confirmation() {
        let mut cursor = Cursor::new(0);
        cursor.confirm(&created(7)).unwrap();
        assert_eq!(cursor.next, 8);
        cursor.confirm(&created(20)).unwrap();
        assert_eq!(cursor.next, 8, "a second confirmation must not skip what lies between");
    }

    #[test]
    fn events_move_the_cursor_behind_the_last_one() {
        let mut cursor = Cursor::new(3);
        cursor.confirm(&created(100)).unwrap();
        assert_eq!(cursor.next, 3);
        assert_eq!(cursor.take(response(100, &[3, 5, 5])).unwrap().unwrap().events.len(), 3);
        assert_eq!(cursor.next, 6, "the header is ahead of the events and does not count");
    }

    #[test]
    fn progress_moves_the_cursor_and_never_back() {
        let mut cursor = Cursor::new(50);
        cursor.take(response(60, &[])).unwrap();
        assert_eq!(cursor.next, 61);
        cursor.take(response(10, &[])).unwrap();
        assert_eq!(cursor.next, 61);
    }

    #[test]
    fn fragments_are_joined_and_count_only_when_whole() {
        let mut cursor = Cursor::new(1);
        let fragment = WatchResponse { fragment: true, ..response(9, &[4, 4]) };
        assert!(cursor.take(fragment.clone()).unwrap().is_none());
        assert_eq!(cursor.next, 1, "a break now must bring revision 4 again");
        cursor.drop_fragments();
        assert!(cursor.take(fragment).unwrap().is_none());
        let whole = cursor.take(response(9, &[4])).unwrap().unwrap();
        assert_eq!((whole.events.len(), whole.fragment), (3, false));
        assert_eq!(cursor.next, 5);
    }

    #[test]
    fn a_compacted_watch_ends_with_the_oldest_revision() {
        let mut cursor = Cursor::new(1);
        let canceled = WatchResponse { canceled: true, compact_revision: 9, ..response(0, &[]) };
        let error = cursor.take(canceled).unwrap_err();
        assert_eq!(error.code(), Code::OutOfRange);
        assert!(error.message().contains("the oldest one is 9"));
        assert!(!error.is_stream_break());
    }

    #[test]
    fn a_lost_leader_moves_the_watch_elsewhere_and_other_reasons_end_it() {
        let cancel = |reason: &str| WatchResponse {
            canceled: true,
            cancel_reason: reason.to_owned(),
            ..response(0, &[])
        };
        assert!(check(&cancel("etcdserver: no leader")).unwrap_err().is_stream_break());
        let empty = check(&cancel("mvcc: watcher range is empty")).unwrap_err();
        assert_eq!(empty.message(), "mvcc: watcher range is empty");
        assert!(!empty.is_stream_break());
    }
}
