//! Reading the past for many watchers at once: which part next, what is under way, what has come.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::{Event, Record, Revision};

/// Scans under way at once: one for the sweep, one for the watcher that is nearest to the present.
const SCANS_MAX: usize = 2;
/// Chunks kept for the watchers that wait for them; the oldest makes room, and is scanned again.
const CHUNKS_MAX: usize = 2;
/// Records asked for by the first scan, before any sizes are known.
const FIRST_SCAN: usize = 64;

/// A scan that has been asked for.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    /// The first revision (main) that it is to give.
    pub(super) first: i64,
    /// Where to read on.
    pub(super) from: Revision,
    pub(super) to: Revision,
    pub(super) limit: usize,
    /// The beginning of a revision that did not fit into one scan.
    pub(super) held: Vec<Arc<Event>>,
}

/// All events with `from <= main revision < end`.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) from: i64,
    pub(super) end: i64,
    pub(super) events: Vec<Arc<Event>>,
}

/// Reads the past in sweeps.
///
/// A sweep goes from the oldest revision that anybody needs to the newest there was when it began,
/// and takes along whoever stands on its way. Every other read serves the watcher nearest to the
/// present instead. So a short lag ends soon whatever else is going on, and no lag waits longer
/// than one sweep for its next bit.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    scans: BTreeMap<u64, Scan>,
    chunks: VecDeque<Chunk>,
    next_token: u64,
    /// Records to ask for.
    limit: usize,
    /// Where the sweep stands, and where it ends.
    pub(super) sweep: i64,
    pub(super) sweep_end: i64,
    /// Whether the sweep is next.
    pub(super) sweeping: bool,
}

impl Reader {
    pub(super) const fn new() -> Self {
        Self {
            scans: BTreeMap::new(),
            chunks: VecDeque::new(),
            next_token: 0,
            limit: FIRST_SCAN,
            sweep: 0,
            sweep_end: 0,
            sweeping: true,
        }
    }

    /// Forgets what is under way.
    pub(super) fn clear(&mut self) {
        self.scans.clear();
        self.chunks.clear();
    }

    pub(super) fn scans(&self) -> usize {
        self.scans.len()
    }

    /// Whether a scan under way may give what happened at `revision`.
    pub(super) fn awaits(&self, revision: i64) -> bool {
        self.scans.values().any(|scan| {
            // Each main revision has a record at least.
            let limit = i64::try_from(scan.limit).unwrap_or(i64::MAX);
            let end = scan.to.main.min(scan.from.main.saturating_add(limit));
            scan.first <= revision && revision < end
        })
    }

    /// How many records a scan should ask for.
    pub(super) fn limit(&self, batch: usize) -> usize {
        self.limit.clamp(1, batch.max(1))
    }

    /// Notes a new scan, at most `batch` records long; `None` when enough are under way.
    pub(super) fn begin(
        &mut self,
        from: Revision,
        to: Revision,
        batch: usize,
    ) -> Option<(u64, usize)> {
        if self.scans.len() >= SCANS_MAX {
            return None;
        }
        let limit = self.limit(batch);
        let scan = Scan { first: from.main, from, to, limit, held: Vec::new() };
        Some((self.note(scan), limit))
    }

    /// Notes a scan, also one that goes on.
    pub(super) fn note(&mut self, scan: Scan) -> u64 {
        let token = self.next_token;
        self.next_token += 1;
        self.scans.insert(token, scan);
        token
    }

    /// A scan has returned.
    pub(super) fn end(&mut self, token: u64) -> Option<Scan> {
        self.scans.remove(&token)
    }

    /// Learns from the sizes of a scan how many records the next one should ask for.
    pub(super) fn learn(&mut self, records: &[(Revision, Record)], aim_bytes: usize, batch: usize) {
        let bytes: usize = records.iter().map(|(_, record)| record.weight()).sum();
        self.limit = if bytes > aim_bytes {
            let fitting = records.len().saturating_mul(aim_bytes) / bytes;
            fitting.max(1)
        } else if bytes <= aim_bytes / 2 && records.len() >= self.limit {
            self.limit.saturating_mul(2).min(batch.max(1))
        } else {
            self.limit
        };
    }

    /// Keeps what a scan gave.
    pub(super) fn keep(&mut self, chunk: Chunk) {
        if self.chunks.len() >= CHUNKS_MAX {
            self.chunks.pop_front();
        }
        self.chunks.push_back(chunk);
    }

    /// Takes a chunk with `revision` in it.
    pub(super) fn take(&mut self, revision: i64) -> Option<Chunk> {
        let covers = |chunk: &Chunk| chunk.from <= revision && revision < chunk.end;
        let at = self.chunks.iter().position(covers)?;
        self.chunks.remove(at)
    }

    /// Keeps only chunks that are of use.
    pub(super) fn retain(&mut self, useful: impl FnMut(&Chunk) -> bool) {
        self.chunks.retain(useful);
    }
}
