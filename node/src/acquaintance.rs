//! Whether a member is still the one that the others have met.
//!
//! A member whose disk was emptied, or put back to an earlier day, has forgotten what it promised:
//! votes that it gave and entries that it acknowledged. Consensus counts on both (Raft §5.2, §5.3),
//! so such a member must not be counted under its old id: with one acknowledgement forgotten, a
//! majority exists that has never seen what another majority has committed.
//!
//! # The evidence
//!
//! A data directory has a [`Life`]: the *incarnation*, drawn when the directory was made, and a
//! counter of *boots*, raised and made durable before anything of a start is told to anybody. The
//! last [`MAX_RUNS`] starts stand in it with a number that each process drew. Whoever listens keeps
//! of every member the newest life that it has welcomed ([`Acquaintances`]), and makes that durable
//! before it takes in a word that this member says. A life that is shown later must contain the one
//! that is known:
//!
//! ```text
//! known              shown                             judged
//! nobody             anything                          welcome, and known from now on
//! incarnation i      incarnation j                     Forgotten: the directory is a new one
//! boot 7 of run p    boots up to 5                     Outdated: the directory is an old copy
//! boot 7 of run p    boot 9, and boot 7 was run p      welcome, and known as boot 9
//! boot 7 of run p    boot 9, and boot 7 was run q      Outdated: it forked before boot 7
//! ```
//!
//! So an old copy does not grow into the present by being started often enough. What others tell of
//! a member is taken over by the same rule: only a life that contains the one that is known. Of two
//! that forked, or of two directories, the first that was met stays; so no hearsay about a copy
//! takes the evidence against it away.
//!
//! # Why it is enough to judge whoever dials
//!
//! What a member promises, it says over links that it has dialled itself; what it accepts brings
//! only what others say. A member that no one welcomes can hear, and nothing that follows from it
//! leaves.
//!
//! # What is left out, and what follows
//!
//! - Whom nobody knows is believed. Members tell each other whom they have met
//!   ([`Acquaintances::learn`]), with every greeting and whenever that has changed, and whoever
//!   counts a member has met it; so what a member does not know, it can only have missed together
//!   with all entries that were made since. That leaves one that was out of reach of everybody from
//!   the founding on: with a second one that has forgotten, the two begin a cluster anew.
//! - A copy that is put back before the counter was raised anew is taken for its own original. A
//!   process raises it now and then while it runs, so that this is a matter of minutes.
//! - A life that has started more than [`MAX_RUNS`] times since it was last met is judged by its
//!   counter alone; one that is only told of, when it has started more than [`TOLD_RUNS`] times.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use protocol::NodeId;
use protocol::mutant::{Mutant, planted};

/// Starts that a life remembers.
pub const MAX_RUNS: usize = 128;
/// Starts of a life that whoever has welcomed it remembers, and tells others of.
pub const TOLD_RUNS: usize = 16;
const VERSION: u8 = 1;
/// Of acquaintances whose lives have more than one run.
const WITH_RUNS: u8 = 2;

/// One start of a process, and the boots that it counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// Its first boot.
    pub from: u64,
    /// Drawn by the process, so that no two starts look alike.
    pub nonce: u64,
}

/// The life of a data directory.
///
/// - The boots from which runs count ascend, and none is beyond the last boot.
/// - No more than [`MAX_RUNS`] runs are remembered, the newest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Life {
    incarnation: u64,
    boot: u64,
    runs: Vec<Run>,
}

/// What a shown life is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Judgement {
    /// It is the member that is known, or the first that is known of it.
    Welcome {
        /// Something about it is new, and to be made durable before it is heard.
        news: bool,
    },
    /// An old copy of the directory that is known.
    Outdated,
    /// Another directory than the one that is known.
    Forgotten,
}

impl Life {
    /// The life of a directory that was just made. It has never started.
    #[must_use]
    pub const fn new(incarnation: u64) -> Self {
        Self { incarnation, boot: 0, runs: Vec::new() }
    }

    /// A process starts on the directory. To be made durable before it tells anybody.
    pub fn start(&mut self, nonce: u64) {
        self.boot += 1;
        self.runs.push(Run { from: self.boot, nonce });
        let surplus = self.runs.len().saturating_sub(MAX_RUNS);
        self.runs.drain(..surplus);
    }

    /// The running process counts once more, so that copies made until now can be told from it. To
    /// be made durable before it tells anybody.
    pub const fn raise(&mut self) {
        self.boot += 1;
    }

    /// Drawn when the directory was made.
    #[must_use]
    pub const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// How far it has counted.
    #[must_use]
    pub const fn boot(&self) -> u64 {
        self.boot
    }

    /// Whether nothing but the first process has ever run on the directory.
    #[must_use]
    pub fn is_first_run(&self) -> bool {
        self.runs.len() <= 1 && self.runs.iter().all(|run| run.from <= 1)
    }

    /// The process that counted a boot, if that is remembered.
    fn nonce_at(&self, boot: u64) -> Option<u64> {
        let run = self.runs.iter().rev().find(|run| run.from <= boot);
        run.filter(|_| boot <= self.boot).map(|run| run.nonce)
    }

    /// Whether it has gone on from where the other one was, of the same directory: it has counted
    /// as far at least, and as far as it remembers the same process did.
    fn continues(&self, known: &Self) -> bool {
        let counted = known.nonce_at(known.boot);
        let same = self.nonce_at(known.boot).is_none_or(|it| Some(it) == counted);
        self.boot >= known.boot && same
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::from([VERSION]);
        put(&mut out, [self.incarnation, self.boot]);
        for run in &self.runs {
            put(&mut out, [run.from, run.nonce]);
        }
        out
    }

    /// The life that these bytes are; `None` for whatever [`Life::encode`] does not write.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut words = words::<2>(VERSION, bytes)?;
        let [incarnation, boot] = words.next()?;
        let runs = words.map(|[from, nonce]| Run { from, nonce }).collect();
        let life = Self { incarnation, boot, runs };
        life.is_sound().then_some(life)
    }

    fn is_sound(&self) -> bool {
        let ascends = self.runs.windows(2).all(|pair| pair[0].from < pair[1].from);
        let ends = self.runs.last().is_none_or(|last| last.from <= self.boot);
        ascends && ends && self.runs.len() <= MAX_RUNS
    }
}

/// Whom a member has met. To be made durable before whoever is new in it is heard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Acquaintances {
    /// The life at which each was last welcomed, with its last [`TOLD_RUNS`] runs.
    known: BTreeMap<NodeId, Life>,
}

impl Acquaintances {
    /// Nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self { known: BTreeMap::new() }
    }

    /// Judges a life that somebody shows as the member `who`.
    #[must_use]
    pub fn judge(&self, who: NodeId, life: &Life) -> Judgement {
        let Some(known) = self.known.get(&who) else { return Judgement::Welcome { news: true } };
        if planted(Mutant::R26) {
            return Judgement::Welcome { news: true };
        }
        if life.incarnation != known.incarnation {
            return Judgement::Forgotten;
        }
        if !life.continues(known) {
            return Judgement::Outdated;
        }
        Judgement::Welcome { news: life.boot > known.boot }
    }

    /// Whether somebody was ever welcomed as this member.
    #[must_use]
    pub fn knows(&self, who: NodeId) -> bool {
        self.known.contains_key(&who)
    }

    /// Whether the newest boot that is known of a member was counted by this process.
    #[must_use]
    pub fn is_run(&self, who: NodeId, nonce: u64) -> bool {
        self.known.get(&who).is_some_and(|known| known.nonce_at(known.boot) == Some(nonce))
    }

    /// Whether anybody but this one was ever welcomed.
    #[must_use]
    pub fn anybody_but(&self, own: NodeId) -> bool {
        self.known.keys().any(|who| *who != own)
    }

    /// Somebody was welcomed. A life that has never started says nothing, and is not noted.
    pub fn note(&mut self, who: NodeId, life: &Life) {
        if life.nonce_at(life.boot).is_some() {
            let mut life = life.clone();
            let surplus = life.runs.len().saturating_sub(TOLD_RUNS);
            life.runs.drain(..surplus);
            self.known.insert(who, life);
        }
    }

    /// Somebody tells whom it has met: whatever is new in it is known from now on. Of two
    /// directories that claim to be one member's, and of two copies of one that went different
    /// ways, the first that was met stays. Gives whether anything was new.
    pub fn learn(&mut self, told: &Self) -> bool {
        let mut news = false;
        for (who, told) in &told.known {
            let is_new = self.known.get(who).is_none_or(|known| {
                known.incarnation == told.incarnation
                    && known.boot < told.boot
                    && told.continues(known)
            });
            if is_new {
                self.known.insert(*who, told.clone());
                news = true;
            }
        }
        news
    }

    /// These were removed, and nobody will ask for them again.
    pub fn forget(&mut self, removed: impl Fn(NodeId) -> bool) {
        self.known.retain(|who, _| !removed(*who));
    }

    /// Their bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::from([WITH_RUNS]);
        for (who, Life { incarnation, boot, runs }) in &self.known {
            put(&mut out, [who.0, *incarnation, *boot, runs.len() as u64]);
            runs.iter().for_each(|run| put(&mut out, [run.from, run.nonce]));
        }
        out
    }

    /// The acquaintances that these bytes are; `None` for whatever [`Acquaintances::encode`] does
    /// not write, now or before it told of runs.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.first() == Some(&VERSION) {
            let row = |[who, incarnation, boot, nonce]: [u64; 4]| {
                (NodeId(who), Life { incarnation, boot, runs: [Run { from: boot, nonce }].into() })
            };
            return Self::ascending(words::<4>(VERSION, bytes)?.map(row));
        }
        let mut words = words::<2>(WITH_RUNS, bytes)?;
        let mut rows = Vec::new();
        while let Some([who, incarnation]) = words.next() {
            let [boot, count] = words.next()?;
            let count =
                usize::try_from(count).ok().filter(|count| (1..=TOLD_RUNS).contains(count))?;
            let runs =
                words.by_ref().take(count).map(|[from, nonce]| Run { from, nonce }).collect();
            let life = Life { incarnation, boot, runs };
            if life.runs.len() != count || !life.is_sound() {
                return None;
            }
            rows.push((NodeId(who), life));
        }
        Self::ascending(rows.into_iter())
    }

    /// Of rows by ascending member, none twice.
    fn ascending(rows: impl Iterator<Item = (NodeId, Life)>) -> Option<Self> {
        let mut known = BTreeMap::new();
        for (who, life) in rows {
            if known.last_key_value().is_some_and(|(last, _)| *last >= who) {
                return None;
            }
            known.insert(who, life);
        }
        Some(Self { known })
    }
}

fn put<const N: usize>(out: &mut Vec<u8>, words: [u64; N]) {
    words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
}

/// Rows of `N` numbers behind this version.
fn words<const N: usize>(wanted: u8, bytes: &[u8]) -> Option<impl Iterator<Item = [u64; N]>> {
    let (&version, rest) = bytes.split_first()?;
    let whole = version == wanted && rest.len().is_multiple_of(N * 8);
    whole.then(|| {
        rest.chunks_exact(N * 8).map(|row| {
            let mut words = [0; N];
            for (word, bytes) in words.iter_mut().zip(row.chunks_exact(8)) {
                *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
            }
            words
        })
    })
}

#[cfg(test)]
mod tests;
