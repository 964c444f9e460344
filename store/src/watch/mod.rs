//! Watches: clients ask to be told of every change in a range of keys, from any revision that has
//! not been compacted, and then for as long as they listen.
//!
//! # What is promised
//!
//! To each watch, about the events that match its keys and filters:
//!
//! - **ordered**: by revision, and within a revision in the order of its operations;
//! - **unique**: none is told twice;
//! - **atomic**: the events of one main revision come in one response;
//! - **reliable**: between the start revision and the last event told, none is left out;
//! - **resumable**: the first event told is the first one at or after the start revision, or the
//!   watch is canceled with the revision of the compaction that made this impossible;
//! - **bookmarkable**: a progress response with revision `r` comes after every event up to `r`;
//! - **of its time**: neither events nor progress before the start revision, which may lie in the
//!   future.
//!
//! # How it works
//!
//! ```text
//!                 publish(revision, events)              history | backend
//!                            │                                   │ step, scanned
//!   start in the future      ▼                                   ▼      start in the past
//!   or "now" ───────────► [live] ── no credit at an event ─┐  [ready] ◄───────── create
//!                            ▲                             ▼     │ ▲
//!                            │                        [blocked] ─┘ │ credit is back: sent
//!                            │                             └───────┘
//!                            └───────────── nothing missed any more ◄── ready
//! ```
//!
//! A watcher is in one of three places. **Live**: it has been told everything up to the newest
//! published revision; new events find it by key. **Ready**: it remembers the next revision that
//! it has not been told of, and is brought forward from the past, bit by bit, together with all
//! the others that stand nearby. **Blocked**: its next revision holds an event for it, and its
//! stream has no credit.
//!
//! Credit bounds memory. What is queued for a stream counts until the connection says that it has
//! been written; a stream at its limit is given nothing more, and what it misses stays where it
//! is, in the history. A watcher falls behind only at an event that it could not be given: those
//! without such an event stay live. So a client that does not read costs its credit, one number a
//! watcher, and nobody else's time.
//!
//! A watcher becomes live only when the revision after the last one told is beyond the newest one
//! published: no event falls between past and present. Should the published revisions ever leave
//! a gap (a snapshot was installed), everything live becomes ready, and the history decides.
//! Whatever is offered again, or out of the past of a restored store, is below the watcher's next
//! revision and is not told.
//!
//! Responses to one stream leave in the order in which they were queued. Progress is therefore
//! simply queued behind the events, once all watchers concerned are live.
//!
//! # What is left out
//!
//! Permissions (the API checks them), protobuf, the fetching of previous values, and the cutting
//! of large responses into fragments: the connection does that, it knows the sizes on the wire. A
//! revision with many events is held in memory whole, since it has to be told whole.
//! etcd drops a request for progress while some watcher lags; here it is answered later, once.

mod catch_up;
mod deliver;
mod history;
mod hub;
mod interest;
mod interval;
mod progress;
mod reader;
mod request;
mod response;
mod watcher;

pub use history::{History, HistoryChunk};
pub use hub::{Hub, WatchCounts};
pub use request::{StreamId, WatchCreate, WatchId, WatchLimits};
pub use response::{CancelReason, RefuseReason, WatchOutput, WatchResponse};
