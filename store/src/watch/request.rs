//! What a client asks of its stream, and how much of it is granted.

use core::time::Duration;

use crate::KeyRange;

/// One stream of one client: it carries many watches. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// One watch of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub i64);

/// A request for a watch, as etcd's `WatchCreateRequest` has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "the switches of the wire message")]
pub struct WatchCreate {
    /// The id wanted; 0: the stream's next free one, from 0 on.
    pub id: i64,
    /// Which keys. An empty key is the smallest one, `"\0"`.
    pub keys: KeyRange,
    /// The first revision (main) to tell of; 0: whatever comes after the watch is created.
    pub start_revision: i64,
    /// Leave puts out.
    pub no_put: bool,
    /// Leave deletions out.
    pub no_delete: bool,
    /// Tell with each event what the key was before.
    pub prev_kv: bool,
    /// Tell now and then how far a quiet watch has come.
    pub progress_notify: bool,
    /// Large responses may be cut into several.
    pub fragment: bool,
}

/// How much is granted. Each bound names what happens beyond it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WatchLimits {
    /// Streams; a further one is not opened.
    pub streams: usize,
    /// Watchers of one stream; a further one is refused.
    pub watchers_per_stream: usize,
    /// Accounted bytes of one stream that are queued and not yet written. A stream that reaches
    /// this gets no further events until it is down to half; its watchers wait in the past. The
    /// last response before that may overshoot, by at most itself.
    pub outstanding_bytes: usize,
    /// Responses to a client's own requests while its stream is at `outstanding_bytes`. One that
    /// asks for more without reading loses the stream.
    pub unread_answers: usize,
    /// Accounted bytes after which a response takes no further revision.
    pub response_bytes: usize,
    /// Events read from the past at once, and records in one scan of the backend.
    pub batch: usize,
    /// Bytes of keys and values that one scan of the backend should not exceed. Sizes are known
    /// only afterwards: the next scan asks for fewer records.
    pub scan_bytes: usize,
    /// How long a watch with `progress_notify` stays silent, plus up to a tenth at random. Zero:
    /// for ever.
    pub progress_interval: Duration,
}

impl Default for WatchLimits {
    fn default() -> Self {
        Self {
            streams: 100_000,
            watchers_per_stream: 100_000,
            outstanding_bytes: 4 << 20,
            unread_answers: 10_000,
            response_bytes: 1 << 20,
            batch: 1000,
            scan_bytes: 4 << 20,
            progress_interval: Duration::from_mins(10),
        }
    }
}
