//! The obvious store: the whole state at every revision, and no cleverness.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::NodeId;
use store::{
    Alarm, AlarmAction, Command, Compare, Comparison, Condition, DeleteRange, Error, Event,
    EventKind, KeyRange, KeyValue, LeaseId, Limits, Operation, Outcome, Previous, Put, Range,
    RangeResult, SortOrder, SortTarget, Txn,
};

pub(crate) type State = BTreeMap<Bytes, KeyValue>;

/// A lease: granted seconds, deadline in milliseconds, if it has one yet.
type Terms = (i64, Option<u64>);

#[derive(Clone, Debug)]
pub(crate) struct Twin {
    limits: Limits,
    pub(crate) revision: i64,
    pub(crate) compact: i64,
    /// The state at each revision; the newest one last.
    pub(crate) states: BTreeMap<i64, State>,
    /// What each revision changed, in order.
    pub(crate) events: BTreeMap<i64, Vec<Event>>,
    pub(crate) leases: BTreeMap<LeaseId, Terms>,
    pub(crate) clock: u64,
    pub(crate) alarms: BTreeSet<(NodeId, Alarm)>,
    pub(crate) short: BTreeSet<NodeId>,
}

/// A write on its way: the state as changed so far.
struct Draft {
    main: i64,
    state: State,
    events: Vec<Event>,
}

impl Draft {
    fn revision(&self) -> i64 {
        if self.events.is_empty() { self.main - 1 } else { self.main }
    }

    fn remove(&mut self, key: &Bytes) -> KeyValue {
        let before = self.state.remove(key).expect("the key is there");
        let kv = KeyValue { key: key.clone(), mod_revision: self.main, ..KeyValue::default() };
        let previous = Previous::Held(before.clone());
        self.events.push(Event { kind: EventKind::Delete, kv, previous });
        before
    }
}

pub(crate) fn within(range: &KeyRange, key: &[u8]) -> bool {
    match &range.end[..] {
        [] => range.key == key,
        [0] => key >= &range.key[..],
        end => key >= &range.key[..] && key < end,
    }
}

impl Twin {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            revision: 1,
            compact: -1,
            states: BTreeMap::from([(1, State::new())]),
            events: BTreeMap::new(),
            leases: BTreeMap::new(),
            clock: 0,
            alarms: BTreeSet::new(),
            short: BTreeSet::new(),
        }
    }

    pub(crate) fn state(&self) -> &State {
        &self.states[&self.revision]
    }

    fn draft(&self) -> Draft {
        Draft { main: self.revision + 1, state: self.state().clone(), events: Vec::new() }
    }

    fn keep(&mut self, draft: Draft) {
        if !draft.events.is_empty() {
            self.revision = draft.main;
            self.states.insert(draft.main, draft.state);
            self.events.insert(draft.main, draft.events);
        }
    }

    pub(crate) fn apply(&mut self, command: &Command) -> Result<Outcome, Error> {
        self.alarmed(command)?;
        let mut draft = self.draft();
        let outcome = match command {
            Command::Put(put) => {
                self.check_lease(put)?;
                self.check_present(put)?;
                Self::put(&mut draft, put)
            }
            Command::DeleteRange(delete) => Self::delete(&mut draft, delete),
            Command::Txn(txn) => {
                self.check_txn(txn)?;
                self.txn(&mut draft, txn)
            }
            Command::Compact { revision } => {
                if *revision <= self.compact {
                    return Err(Error::Compacted);
                } else if *revision > self.revision {
                    return Err(Error::FutureRevision);
                }
                self.compact = *revision;
                Outcome::Done
            }
            Command::LeaseGrant { id, ttl } => {
                if *ttl > self.limits.max_lease_ttl {
                    return Err(Error::LeaseTtlTooLarge);
                } else if self.leases.contains_key(id) {
                    return Err(Error::LeaseExists);
                }
                let ttl = self.limits.min_lease_ttl.max(*ttl);
                self.leases.insert(*id, (ttl, None));
                Outcome::LeaseGrant { id: *id, ttl }
            }
            Command::LeaseRevoke { id } => {
                self.leases.remove(id).ok_or(Error::LeaseNotFound)?;
                Self::drop_keys(&mut draft, *id);
                Outcome::Done
            }
            Command::LeaseRenew { ids } => self.renew(ids),
            Command::Tick { elapsed_ms } => {
                self.tick(*elapsed_ms);
                return Ok(Outcome::Done);
            }
            Command::Alarm { action, member, alarm } => self.alarm(*action, *member, *alarm),
            Command::Publish(_) | Command::StateHash { .. } | Command::Recovered(_) => {
                Outcome::Done
            }
            Command::Once { .. } => unreachable!("numbers have a model of their own"),
            Command::SpaceReport { member, short } => {
                self.short.retain(|other| other != member);
                self.short.extend(Some(*member).filter(|_| *short));
                Outcome::Done
            }
            // `members.rs` has a twin of its own for these.
            Command::Member(_) | Command::Settle { .. } => panic!("no wishes here"),
        };
        self.keep(draft);
        Ok(outcome)
    }

    fn alarmed(&self, command: &Command) -> Result<(), Error> {
        fn puts(txn: &Txn) -> bool {
            txn.success.iter().chain(&txn.failure).any(|op| match op {
                Operation::Put(_) => true,
                Operation::Txn(inner) => puts(inner),
                Operation::Range(_) | Operation::DeleteRange(_) => false,
            })
        }
        let raised = |alarm| self.all_alarms().iter().any(|(_, other)| *other == alarm);
        let free = matches!(
            command,
            Command::LeaseRenew { .. }
                | Command::Tick { .. }
                | Command::Alarm { .. }
                | Command::Publish(_)
                | Command::StateHash { .. }
                | Command::SpaceReport { .. }
                | Command::Recovered(_)
        );
        let grows = matches!(command, Command::Put(_) | Command::LeaseGrant { .. })
            || matches!(command, Command::Txn(txn) if puts(txn));
        if !free && raised(Alarm::Corrupt) {
            return Err(Error::Corrupt);
        }
        if grows && raised(Alarm::NoSpace) { Err(Error::NoSpace) } else { Ok(()) }
    }

    fn alarm(
        &mut self,
        action: AlarmAction,
        member: Option<NodeId>,
        alarm: Option<Alarm>,
    ) -> Outcome {
        if action == AlarmAction::Activate {
            let named = (member.expect("named"), alarm.expect("named"));
            self.alarms.insert(named);
            return Outcome::Alarm(vec![named]);
        }
        let (gone, kept): (Vec<_>, Vec<_>) =
            self.all_alarms().into_iter().partition(|(by, what)| {
                member.is_none_or(|it| it == *by) && alarm.is_none_or(|it| it == *what)
            });
        self.alarms.retain(|one| kept.contains(one));
        self.short.retain(|by| kept.contains(&(*by, Alarm::NoSpace)));
        Outcome::Alarm(gone)
    }

    pub(crate) fn all_alarms(&self) -> BTreeSet<(NodeId, Alarm)> {
        let short = self.short.iter().map(|by| (*by, Alarm::NoSpace));
        self.alarms.iter().copied().chain(short).collect()
    }

    fn renew(&mut self, ids: &[LeaseId]) -> Outcome {
        let renew = |id: &LeaseId| match self.leases.get_mut(id) {
            Some(terms) => {
                terms.1 = None;
                (*id, terms.0)
            }
            None => (*id, 0),
        };
        Outcome::LeaseRenew(ids.iter().map(renew).collect())
    }

    fn tick(&mut self, elapsed_ms: u32) {
        self.clock += u64::from(elapsed_ms);
        for terms in self.leases.values_mut() {
            let end = self.clock + 1000 * u64::try_from(terms.0).expect("positive");
            terms.1.get_or_insert(end);
        }
        let mut over: Vec<_> =
            self.leases.iter().map(|(id, it)| (it.1.expect("dated"), *id)).collect();
        over.retain(|(end, _)| *end <= self.clock);
        over.sort_unstable();
        if self.alarms.iter().any(|(_, alarm)| *alarm == Alarm::Corrupt) {
            return;
        }
        for (_, id) in over.into_iter().take(self.limits.expiries_per_tick) {
            let mut draft = self.draft();
            Self::drop_keys(&mut draft, id);
            self.leases.remove(&id);
            self.keep(draft);
        }
    }

    fn drop_keys(draft: &mut Draft, id: LeaseId) {
        let keys: Vec<Bytes> = draft
            .state
            .values()
            .filter(|kv| kv.lease == Some(id))
            .map(|kv| kv.key.clone())
            .collect();
        keys.iter().for_each(|key| drop(draft.remove(key)));
    }

    fn check_present(&self, put: &Put) -> Result<(), Error> {
        let keeps = put.value.is_none() || put.lease.is_none();
        if keeps && !self.state().contains_key(&put.key) {
            return Err(Error::KeyNotFound);
        }
        Ok(())
    }

    fn check_lease(&self, put: &Put) -> Result<(), Error> {
        match put.lease {
            Some(Some(id)) if !self.leases.contains_key(&id) => Err(Error::LeaseNotFound),
            _ => Ok(()),
        }
    }

    fn put(draft: &mut Draft, put: &Put) -> Outcome {
        let before = draft.state.get(&put.key).cloned();
        let old = before.clone().unwrap_or_default();
        let kv = KeyValue {
            key: put.key.clone(),
            value: put.value.clone().unwrap_or(old.value),
            create_revision: if old.version == 0 { draft.main } else { old.create_revision },
            mod_revision: draft.main,
            version: old.version + 1,
            lease: put.lease.unwrap_or(old.lease),
        };
        draft.state.insert(put.key.clone(), kv.clone());
        let previous = before.clone().map_or(Previous::Absent, Previous::Held);
        draft.events.push(Event { kind: EventKind::Put, kv, previous });
        Outcome::Put { prev: before.filter(|_| put.prev_kv) }
    }

    fn delete(draft: &mut Draft, delete: &DeleteRange) -> Outcome {
        let keys: Vec<Bytes> =
            draft.state.keys().filter(|key| within(&delete.range, key)).cloned().collect();
        let mut gone: Vec<KeyValue> = keys.iter().map(|key| draft.remove(key)).collect();
        let deleted = i64::try_from(gone.len()).expect("few");
        gone.retain(|_| delete.prev_kv);
        Outcome::DeleteRange { deleted, prev: gone }
    }

    fn check_txn(&self, txn: &Txn) -> Result<(), Error> {
        let mut chosen = Vec::new();
        self.choose(txn, &mut chosen);
        for operation in &chosen {
            if let Operation::Put(put) = operation {
                self.check_present(put)?;
                self.check_lease(put)?;
            }
        }
        for operation in &chosen {
            if let Operation::Range(Range { revision, .. }) = operation {
                if *revision > self.revision {
                    return Err(Error::FutureRevision);
                }
                if *revision != 0 && *revision < self.compact {
                    return Err(Error::Compacted);
                }
            }
        }
        Ok(())
    }

    /// The operations of all chosen branches, in order.
    fn choose<'a>(&self, txn: &'a Txn, chosen: &mut Vec<&'a Operation>) {
        for operation in if self.holds(txn) { &txn.success } else { &txn.failure } {
            match operation {
                Operation::Txn(inner) => self.choose(inner, chosen),
                _ => chosen.push(operation),
            }
        }
    }

    fn holds(&self, txn: &Txn) -> bool {
        txn.compare.iter().all(|compare| {
            let inside = |(key, _): &(&Bytes, &KeyValue)| within(&compare.range, key);
            let found: Vec<_> = self.state().iter().filter(inside).map(|(_, kv)| kv).collect();
            if found.is_empty() {
                let value = matches!(compare.condition, Condition::Value(_));
                return !value && holds_for(compare, &KeyValue::default());
            }
            found.into_iter().all(|kv| holds_for(compare, kv))
        })
    }

    fn txn(&self, draft: &mut Draft, txn: &Txn) -> Outcome {
        let succeeded = self.holds(txn);
        let mut responses = Vec::new();
        for operation in if succeeded { &txn.success } else { &txn.failure } {
            let outcome = match operation {
                Operation::Put(put) => Self::put(draft, put),
                Operation::DeleteRange(delete) => Self::delete(draft, delete),
                Operation::Range(range) if range.revision <= 0 => {
                    Outcome::Range(select(&draft.state, range))
                }
                Operation::Range(range) => {
                    Outcome::Range(select(&self.states[&range.revision], range))
                }
                Operation::Txn(inner) => self.txn(draft, inner),
            };
            let nested = matches!(outcome, Outcome::Txn { .. });
            responses.push((if nested { 0 } else { draft.revision() }, outcome));
        }
        Outcome::Txn { succeeded, responses }
    }

    /// A read outside of transactions.
    pub(crate) fn read(&self, range: &Range) -> Result<RangeResult, Error> {
        if self.alarms.iter().any(|(_, alarm)| *alarm == Alarm::Corrupt) {
            return Err(Error::Corrupt);
        }
        let at = if range.revision <= 0 { self.revision } else { range.revision };
        if at > self.revision {
            return Err(Error::FutureRevision);
        }
        if at < self.compact { Err(Error::Compacted) } else { Ok(select(&self.states[&at], range)) }
    }

    /// What a watch from a revision is told now.
    pub(crate) fn past(&self, from: i64) -> Result<Vec<Event>, Error> {
        if from < self.compact {
            return Err(Error::Compacted);
        }
        let events = self.events.range(from..).flat_map(|(main, events)| {
            events.iter().cloned().map(move |mut event| {
                if main - 1 < self.compact {
                    event.previous = Previous::Absent;
                }
                event
            })
        });
        Ok(events.collect())
    }
}

fn holds_for(compare: &Compare, kv: &KeyValue) -> bool {
    let order = match &compare.condition {
        Condition::Version(than) => kv.version.cmp(than),
        Condition::CreateRevision(than) => kv.create_revision.cmp(than),
        Condition::ModRevision(than) => kv.mod_revision.cmp(than),
        Condition::Value(than) => kv.value.cmp(than),
        Condition::Lease(than) => kv.lease.map_or(0, |id| id.0).cmp(than),
    };
    match compare.comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::Greater => order.is_gt(),
        Comparison::Less => order.is_lt(),
        Comparison::NotEqual => order.is_ne(),
    }
}

/// What a read finds in a state, done in etcd's order: fetch, filter, sort, cut.
fn select(state: &State, range: &Range) -> RangeResult {
    let mut kvs: Vec<KeyValue> =
        state.values().filter(|kv| within(&range.keys, &kv.key)).cloned().collect();
    let count = i64::try_from(kvs.len()).expect("few");
    let limit = usize::try_from(range.limit).ok().filter(|limit| *limit > 0);
    if range.count_only {
        return RangeResult { kvs: Vec::new(), more: false, count };
    }
    let f = range.filter;
    let sorted = range.order == SortOrder::Descend
        || (range.order == SortOrder::Ascend && range.target != SortTarget::Key);
    if let Some(limit) = limit
        && !sorted
        && f == store::Filter::default()
    {
        kvs.truncate(limit.saturating_add(1));
    }
    kvs.retain(|kv| f.max_mod == 0 || kv.mod_revision <= f.max_mod);
    kvs.retain(|kv| f.min_mod == 0 || kv.mod_revision >= f.min_mod);
    kvs.retain(|kv| f.max_create == 0 || kv.create_revision <= f.max_create);
    kvs.retain(|kv| f.min_create == 0 || kv.create_revision >= f.min_create);
    kvs.sort_by(|a, b| {
        let order = match range.target {
            SortTarget::Key => a.key.cmp(&b.key),
            SortTarget::Version => a.version.cmp(&b.version),
            SortTarget::Create => a.create_revision.cmp(&b.create_revision),
            SortTarget::Mod => a.mod_revision.cmp(&b.mod_revision),
            SortTarget::Value => a.value.cmp(&b.value),
        };
        if range.order == SortOrder::Descend { order.reverse() } else { order }
    });
    let more = limit.is_some_and(|limit| kvs.len() > limit);
    kvs.truncate(limit.unwrap_or(usize::MAX));
    if range.keys_only {
        kvs.iter_mut().for_each(|kv| kv.value.clear());
    }
    RangeResult { kvs, more, count }
}
