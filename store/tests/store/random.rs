//! Commands and reads drawn from a seed, made so that they meet: few keys, few values.

use bytes::Bytes;
use protocol::{NodeId, Rng};
use store::{
    Alarm, AlarmAction, Command, Compare, Comparison, Condition, DeleteRange, Filter, KeyRange,
    LeaseId, Member, MemberChange, MemberRefusal, Operation, Put, Range, SortOrder, SortTarget,
    Txn,
};

pub(crate) struct Draw {
    pub(crate) rng: Rng,
}

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed) }
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a usize");
        usize::try_from(self.rng.below(bound)).expect("less than a usize")
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.below(usize::try_from(high - low + 1).expect("low <= high")))
            .expect("less than an i64")
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn key(&mut self) -> Bytes {
        const KEYS: [&[u8]; 12] = [
            b"a", b"a\0", b"aa", b"ab", b"b", b"b\xff", b"c", b"d", b"d/1", b"d/2", b"\0", b"\xff",
        ];
        Bytes::from_static(self.pick(&KEYS))
    }

    pub(crate) fn keys(&mut self) -> KeyRange {
        let end = match self.below(5) {
            0 | 1 => Bytes::new(),
            2 => Bytes::from_static(b"\0"),
            _ => self.key(),
        };
        KeyRange { key: self.key(), end }
    }

    pub(crate) fn value(&mut self) -> Bytes {
        let len = self.pick(&[0, 1, 1, 1, 40]);
        vec![self.pick(b"xyz"); len].into()
    }

    fn lease(&mut self) -> LeaseId {
        LeaseId(self.pick(&[1, 2, 3, 4, -5]))
    }

    pub(crate) fn put(&mut self) -> Put {
        let key = self.key();
        let value = if self.one_in(5) { None } else { Some(self.value()) };
        let lease = match self.below(6) {
            0 => None,
            1 | 2 => Some(Some(self.lease())),
            _ => Some(None),
        };
        Put { key, value, lease, prev_kv: self.one_in(3) }
    }

    pub(crate) fn delete(&mut self) -> DeleteRange {
        DeleteRange { range: self.keys(), prev_kv: self.one_in(2) }
    }

    pub(crate) fn range(&mut self, newest: i64) -> Range {
        let revision = if self.one_in(2) { 0 } else { self.between(-2, newest + 1) };
        let mut filter = Filter::default();
        if self.one_in(4) {
            let bounds = [
                &mut filter.min_mod,
                &mut filter.max_mod,
                &mut filter.min_create,
                &mut filter.max_create,
            ];
            for bound in bounds {
                if self.one_in(2) {
                    *bound = self.between(-1, newest + 1);
                }
            }
        }
        Range {
            keys: self.keys(),
            revision,
            limit: if self.one_in(2) { 0 } else { self.between(-1, 6) },
            target: self.pick(&[
                SortTarget::Key,
                SortTarget::Key,
                SortTarget::Version,
                SortTarget::Create,
                SortTarget::Mod,
                SortTarget::Value,
            ]),
            order: self.pick(&[SortOrder::None, SortOrder::Ascend, SortOrder::Descend]),
            keys_only: self.one_in(4),
            count_only: self.one_in(8),
            filter,
        }
    }

    pub(crate) fn compare(&mut self, newest: i64) -> Compare {
        let number = self.between(0, newest + 1);
        let condition = match self.below(5) {
            0 => Condition::Version(self.between(0, 3)),
            1 => Condition::CreateRevision(number),
            2 => Condition::ModRevision(number),
            3 => Condition::Value(self.value()),
            _ => Condition::Lease(self.between(0, 4)),
        };
        let relations =
            [Comparison::Equal, Comparison::Greater, Comparison::Less, Comparison::NotEqual];
        Compare { range: self.keys(), comparison: self.pick(&relations), condition }
    }

    pub(crate) fn txn(&mut self, newest: i64, depth: usize) -> Txn {
        let compare = (0..self.below(3)).map(|_| self.compare(newest)).collect();
        let mut branch = || -> Vec<Operation> {
            (0..self.below(5)).map(|_| self.operation(newest, depth)).collect()
        };
        Txn { compare, success: branch(), failure: branch() }
    }

    fn operation(&mut self, newest: i64, depth: usize) -> Operation {
        match self.below(8) {
            0..=2 => Operation::Put(self.put()),
            3 => Operation::DeleteRange(self.delete()),
            4 | 5 if depth > 0 => Operation::Txn(self.txn(newest, depth - 1)),
            _ => Operation::Range(self.range(newest)),
        }
    }

    pub(crate) fn command(&mut self, newest: i64) -> Command {
        match self.below(40) {
            0..=12 => Command::Put(self.put()),
            13..=17 => Command::DeleteRange(self.delete()),
            18..=27 => Command::Txn(self.txn(newest, 2)),
            28 | 29 => Command::Compact { revision: self.between(-1, newest + 1) },
            30..=32 => Command::LeaseGrant { id: self.lease(), ttl: self.between(-1, 6) },
            33 => Command::LeaseRevoke { id: self.lease() },
            34 => Command::LeaseRenew { ids: vec![self.lease(), self.lease()] },
            35..=37 => Command::Tick { elapsed_ms: self.pick(&[0, 1, 500, 1999, 2000]) },
            38 => self.alarm(),
            _ => Command::Publish(Member {
                id: NodeId(self.rng.below(3)),
                name: format!("n{}", self.below(9)),
                peer_urls: vec![String::from("http://127.0.0.1:2380")],
                client_urls: vec![],
            }),
        }
    }

    /// A wish for other members, of few ids and addresses, or a leader's refusal of one.
    pub(crate) fn wish(&mut self) -> Command {
        if self.one_in(8) {
            let ticket = self.rng.below(40);
            let refusal = self.pick(&[MemberRefusal::LearnerNotReady, MemberRefusal::Unhealthy]);
            return Command::Settle { ticket, refusal };
        }
        let id = NodeId(1 + self.rng.below(7));
        let old = NodeId(1 + self.rng.below(7));
        let url = |draw: &mut Self| format!("http://h:{}", draw.below(9));
        let peer_urls = (0..self.below(3)).map(|_| url(self)).collect();
        Command::Member(match self.below(8) {
            0..=2 => MemberChange::Add { id, peer_urls, voter: !self.one_in(3) },
            3 => MemberChange::Remove { id },
            4 => MemberChange::Update { id, peer_urls },
            5 => MemberChange::Promote { id },
            6 => MemberChange::Demote { id },
            _ => MemberChange::Replace { old, id, peer_urls },
        })
    }

    /// More often cleared than raised, so that most commands are let through.
    fn alarm(&mut self) -> Command {
        let member = NodeId(self.rng.below(3));
        let alarm = self.pick(&[Alarm::NoSpace, Alarm::Corrupt]);
        if self.one_in(4) {
            return Command::SpaceReport { member, short: self.one_in(3) };
        }
        if self.one_in(3) {
            let (member, alarm) = (Some(member), Some(alarm));
            return Command::Alarm { action: AlarmAction::Activate, member, alarm };
        }
        let member = Some(member).filter(|_| self.one_in(4));
        let alarm = Some(alarm).filter(|_| self.one_in(4));
        Command::Alarm { action: AlarmAction::Deactivate, member, alarm }
    }
}
