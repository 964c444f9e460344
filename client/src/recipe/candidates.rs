//! Who stands in an election, at one revision after the other.

use std::collections::BTreeMap;

use bytes::Bytes;
use etcdpb::mvccpb::event::EventType;
use etcdpb::mvccpb::{Event, KeyValue};

use super::{Change, Leader};

/// The keys of an election.
///
/// - They are those of one revision, and never of the middle of one.
/// - The leader is the one with the lowest create revision.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    keys: BTreeMap<Bytes, KeyValue>,
}

impl Candidates {
    pub(super) fn of(kvs: Vec<KeyValue>) -> Candidates {
        Candidates { keys: kvs.into_iter().map(|kv| (kv.key.clone(), kv)).collect() }
    }

    /// A change to the leader there is now, after all others were told.
    pub(super) fn as_they_are(&self) -> Change {
        Change { leader: self.first().map(Leader::from), gap: false }
    }

    /// Takes events in their order, whole revisions of them, and returns each change of the leader.
    pub(super) fn take(&mut self, events: Vec<Event>) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut before = self.leader();
        let mut events = events.into_iter().peekable();
        while let Some(event) = events.next() {
            let revision = revision(&event);
            self.take_one(event);
            if events.peek().is_some_and(|next| self::revision(next) == revision) {
                continue;
            }
            let leader = self.leader();
            if leader != before {
                before.clone_from(&leader);
                changes.push(Change { leader, gap: false });
            }
        }
        changes
    }

    /// Takes what was read anew, when the events in between are no longer to be had. What is
    /// returned says whether changes can have been missed; nothing when surely none was.
    pub(super) fn replace(&mut self, read: Candidates) -> Option<Change> {
        let earlier = std::mem::replace(self, read);
        let gap = !follows(earlier.first(), self.first());
        let leader = self.leader();
        (gap || leader != earlier.leader()).then_some(Change { leader, gap })
    }

    fn take_one(&mut self, event: Event) {
        let kind = event.r#type();
        let Some(kv) = event.kv else { return };
        match kind {
            EventType::Put => self.keys.insert(kv.key.clone(), kv),
            EventType::Delete => self.keys.remove(&kv.key),
        };
    }

    fn first(&self) -> Option<&KeyValue> {
        // Keys that one transaction has put are in the order of their names.
        self.keys.values().min_by_key(|kv| kv.create_revision)
    }

    fn leader(&self) -> Option<Leader> {
        self.first().map(Leader::from)
    }
}

fn revision(event: &Event) -> i64 {
    event.kv.as_ref().map_or(0, |kv| kv.mod_revision)
}

/// Whether nothing can have come between two looks at the first key. As long as it lives nobody
/// else leads, and its version counts its puts.
fn follows(earlier: Option<&KeyValue>, later: Option<&KeyValue>) -> bool {
    let (Some(earlier), Some(later)) = (earlier, later) else { return false };
    let is_same = earlier.key == later.key && earlier.create_revision == later.create_revision;
    is_same && later.version <= earlier.version + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kv(key: &str, create_revision: i64, mod_revision: i64, version: i64) -> KeyValue {
        let (key, value) = (key.to_owned().into(), format!("v{version}").into());
        KeyValue { key, value, create_revision, mod_revision, version, ..KeyValue::default() }
    }

    fn put(kv: KeyValue) -> Event {
        Event { kv: Some(kv), ..Event::default() }
    }

    fn delete(key: &str, mod_revision: i64) -> Event {
        let kind = EventType::Delete.into();
        let kv = KeyValue { key: key.to_owned().into(), mod_revision, ..KeyValue::default() };
        Event { r#type: kind, kv: Some(kv), ..Event::default() }
    }

    fn fences(changes: &[Change]) -> Vec<Option<i64>> {
        changes.iter().map(|change| change.leader.as_ref().map(|it| it.fence)).collect()
    }

    #[test]
    fn the_first_leads_until_it_goes_and_then_the_next() {
        let mut candidates = Candidates::of(vec![kv("b", 4, 4, 1), kv("a", 5, 5, 1)]);
        assert_eq!(candidates.as_they_are().leader.unwrap().fence, 4);
        let events = vec![put(kv("c", 6, 6, 1)), delete("b", 7), delete("a", 8), delete("c", 9)];
        assert_eq!(fences(&candidates.take(events)), [Some(5), Some(6), None]);
    }

    #[test]
    fn nobody_leads_between_the_events_of_one_revision() {
        let mut candidates = Candidates::of(vec![kv("a", 2, 2, 1)]);
        let events = vec![delete("a", 7), put(kv("b", 7, 7, 1))];
        assert_eq!(fences(&candidates.take(events)), [Some(7)]);
    }

    #[test]
    fn a_new_word_of_the_leader_is_a_change_and_one_of_another_is_none() {
        let mut candidates = Candidates::of(vec![kv("a", 2, 2, 1), kv("b", 3, 3, 1)]);
        assert!(candidates.take(vec![put(kv("b", 3, 4, 2))]).is_empty());
        let changes = candidates.take(vec![put(kv("a", 2, 5, 2))]);
        assert_eq!(changes[0].leader.as_ref().unwrap().value, "v2");
        assert_eq!(changes.len(), 1);
    }

    #[test]
    fn a_gap_is_told_unless_there_was_surely_none() {
        let begin = || Candidates::of(vec![kv("a", 2, 2, 1), kv("b", 3, 3, 1)]);
        let look = |kvs: Vec<KeyValue>| begin().replace(Candidates::of(kvs));
        assert_eq!(look(vec![kv("a", 2, 2, 1), kv("c", 9, 9, 1)]), None);
        let told = look(vec![kv("a", 2, 8, 2)]).unwrap();
        assert!(!told.gap && told.leader.unwrap().value == "v2");
        // Two puts, of which one was not seen.
        assert!(look(vec![kv("a", 2, 8, 3)]).unwrap().gap);
        // Others may have led between these.
        assert!(look(vec![kv("b", 3, 3, 1)]).unwrap().gap);
        assert!(look(vec![kv("a", 9, 9, 1)]).unwrap().gap);
        assert!(look(vec![]).unwrap().gap);
        assert!(Candidates::default().replace(Candidates::default()).unwrap().gap);
    }
}
