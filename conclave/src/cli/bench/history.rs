//! What a ledger says that the store must hold, and what it may.
//!
//! Laws, for each key of the ledger:
//!
//! - The key is there, at a revision not below that of its last acknowledged write.
//! - At exactly that revision it has that write's value.
//! - Above it, it has the value of a write that was tried and not acknowledged: its fate was
//!   unknown, and now it is known. A bench that was killed may also have had one more under
//!   way that its ledger does not show.
//! - No two acknowledged writes have the same revision, and none is applied twice.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::{Entry, Tag};

/// A ledger, by key.
#[derive(Debug, Default)]
pub(crate) struct History {
    keys: BTreeMap<String, Key>,
    revisions: BTreeSet<i64>,
    /// The highest request number that each run tried.
    tried: BTreeMap<u64, u64>,
    acknowledged: u64,
    shared_revisions: u64,
}

/// What is known of one key.
#[derive(Debug, Default)]
struct Key {
    /// The acknowledged write with the highest revision.
    last: Option<(i64, Tag)>,
    /// Writes that were tried and not acknowledged.
    open: BTreeSet<Tag>,
}

/// What the store holds for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) mod_revision: i64,
    /// Of the value; `None` for a value that no bench wrote.
    pub(crate) tag: Option<Tag>,
}

/// How a key fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// The last acknowledged write, or nothing where nothing was acknowledged.
    Kept,
    /// A later write whose outcome had been unknown.
    Later,
    /// The key, or a revision of it that was acknowledged, is gone.
    Lost,
    /// Another value than the acknowledged one, at its revision or above it.
    Wrong,
}

impl History {
    /// Takes the ledger's next line.
    pub(crate) fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Try { key, tag } => {
                let tried = self.tried.entry(tag.run).or_default();
                *tried = tag.number.max(*tried);
                self.keys.entry(key).or_default().open.insert(tag);
            }
            Entry::Ack { key, tag, revision } => {
                self.acknowledged += 1;
                if !self.revisions.insert(revision) {
                    self.shared_revisions += 1;
                }
                let key = self.keys.entry(key).or_default();
                key.open.remove(&tag);
                if key.last.is_none_or(|(last, _)| last < revision) {
                    key.last = Some((revision, tag));
                }
            }
        }
    }

    /// The keys, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// How many writes were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// How many acknowledged writes share their revision with an earlier one.
    pub(crate) fn shared_revisions(&self) -> u64 {
        self.shared_revisions
    }

    /// Compares what the store holds with what the ledger says.
    pub(crate) fn judge(&self, key: &str, found: Option<Found>) -> Verdict {
        let known = self.keys.get(key).expect("only keys of the ledger are judged");
        let Some((acknowledged, tag)) = known.last else {
            // Whatever was tried may have happened or not.
            return match found {
                None => Verdict::Kept,
                Some(found) if self.may_be_open(known, found.tag) => Verdict::Later,
                Some(_) => Verdict::Wrong,
            };
        };
        match found {
            None => Verdict::Lost,
            Some(found) if found.mod_revision < acknowledged => Verdict::Lost,
            Some(found) if found.mod_revision == acknowledged => {
                if found.tag == Some(tag) {
                    Verdict::Kept
                } else {
                    Verdict::Wrong
                }
            }
            Some(found) if self.may_be_open(known, found.tag) => Verdict::Later,
            Some(_) => Verdict::Wrong,
        }
    }

    /// Whether a value is that of a write whose outcome is unknown: listed, or of a request after
    /// the last one that its run managed to list.
    fn may_be_open(&self, key: &Key, tag: Option<Tag>) -> bool {
        let Some(tag) = tag else { return false };
        let unlisted = self.tried.get(&tag.run).is_some_and(|&last| tag.number > last);
        unlisted || key.open.contains(&tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(number: u64) -> Tag {
        Tag { run: 1, number }
    }

    fn tried(number: u64) -> Entry {
        Entry::Try { key: "k".into(), tag: tag(number) }
    }

    fn acked(number: u64, revision: i64) -> Entry {
        Entry::Ack { key: "k".into(), tag: tag(number), revision }
    }

    fn history(entries: &[Entry]) -> History {
        let mut history = History::default();
        entries.iter().cloned().for_each(|entry| history.add(entry));
        history
    }

    fn found(number: u64, mod_revision: i64) -> Option<Found> {
        Some(Found { mod_revision, tag: Some(tag(number)) })
    }

    #[test]
    fn the_last_acknowledged_write_is_kept() {
        // The acknowledgements came in another order than the writes.
        let history = history(&[tried(1), tried(2), acked(2, 9), acked(1, 8)]);
        assert_eq!(history.judge("k", found(2, 9)), Verdict::Kept);
        assert_eq!(history.acknowledged(), 2);
    }

    #[test]
    fn a_missing_or_older_key_is_lost() {
        let history = history(&[tried(1), acked(1, 8), tried(2), acked(2, 9)]);
        assert_eq!(history.judge("k", None), Verdict::Lost);
        assert_eq!(history.judge("k", found(1, 8)), Verdict::Lost);
    }

    #[test]
    fn another_value_at_the_acknowledged_revision_is_wrong() {
        let history = history(&[tried(1), acked(1, 8), tried(2)]);
        assert_eq!(history.judge("k", found(2, 8)), Verdict::Wrong);
        let foreign = Some(Found { mod_revision: 8, tag: None });
        assert_eq!(history.judge("k", foreign), Verdict::Wrong);
    }

    #[test]
    fn a_later_value_must_be_of_a_write_with_an_unknown_outcome() {
        let history = history(&[tried(1), acked(1, 8), tried(2), tried(3), acked(3, 9)]);
        assert_eq!(history.judge("k", found(2, 12)), Verdict::Later);
        assert_eq!(history.judge("k", found(4, 12)), Verdict::Later, "it was not listed yet");
        assert_eq!(history.judge("k", found(1, 12)), Verdict::Wrong, "applied twice");
        let foreign = Some(Found { mod_revision: 12, tag: Some(Tag { run: 7, number: 1 }) });
        assert_eq!(history.judge("k", foreign), Verdict::Wrong);
    }

    #[test]
    fn a_key_without_an_acknowledged_write_may_be_there_or_not() {
        let history = history(&[tried(1)]);
        assert_eq!(history.judge("k", None), Verdict::Kept);
        assert_eq!(history.judge("k", found(1, 3)), Verdict::Later);
        assert_eq!(history.judge("k", found(0, 3)), Verdict::Wrong);
    }

    #[test]
    fn a_revision_belongs_to_one_write() {
        let history = history(&[tried(1), acked(1, 8), tried(2), acked(2, 8)]);
        assert_eq!(history.shared_revisions(), 1);
    }
}
