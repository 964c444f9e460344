//! Two hundred requests of one client, and a machine that lives through them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use node::{Reply, Request};
use protocol::Rng;
use protocol::raft::Entry;
use store::{
    Command, Compare, Comparison, Condition, DeleteRange, KeyRange, LeaseId, Operation, Put, Range,
    Txn,
};

use crate::machine::{LogDisk, Machine, StateFiles};
use crate::replica::{Ended, Progress, Refusal, Replica};

/// Requests in the script.
pub(crate) const OPERATIONS: usize = 200;
const KEYS: u64 = 24;
/// Requests between two compactions.
const COMPACT_EVERY: usize = 23;
/// The process is killed after this many requests…
const KILLED: usize = 70;
/// …and ends in order after this many.
const STOPPED: usize = 140;

/// What a client asks.
#[derive(Clone, Debug)]
enum Ask {
    Write(Command),
    /// Forget what is older than so many revisions.
    Compact {
        keep: i64,
    },
    Renew(LeaseId),
}

#[derive(Clone, Debug)]
enum Step {
    /// At once.
    Ask(Vec<Ask>),
    Pass(Duration),
    /// So many steps of the state's thread.
    Chores(u64),
    Kill,
    Stop,
}

/// What a whole life left behind.
#[derive(Default)]
pub(crate) struct Life {
    /// All commands asked for, in order.
    pub(crate) asked: Vec<Command>,
    /// Their answers.
    pub(crate) replies: Vec<Reply>,
    /// Everything given to the log, from index 1 on.
    pub(crate) entries: Vec<Entry>,
    pub(crate) flushes: u64,
    pub(crate) trimmed: u64,
}

/// Why a life ended early.
#[derive(Debug)]
pub(crate) enum Death {
    Refused(Refusal),
    Ended(Ended),
}

impl From<Refusal> for Death {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Ended> for Death {
    fn from(ended: Ended) -> Self {
        Self::Ended(ended)
    }
}

pub(crate) fn key_range(key: &str, end: &str) -> KeyRange {
    KeyRange { key: Bytes::from(key.to_owned()), end: Bytes::from(end.to_owned()) }
}

pub(crate) fn put(key: &str, value: &str) -> Command {
    Command::Put(Put {
        key: Bytes::from(key.to_owned()),
        value: Some(Bytes::from(value.to_owned())),
        lease: Some(None),
        prev_kv: false,
    })
}

/// A read of these keys at a revision.
pub(crate) fn read(keys: KeyRange, revision: i64) -> Range {
    Range {
        keys,
        revision,
        limit: 0,
        target: store::SortTarget::Key,
        order: store::SortOrder::None,
        keys_only: false,
        count_only: false,
        filter: store::Filter::default(),
    }
}

struct Writer {
    rng: Rng,
    leases: i64,
}

impl Writer {
    fn key(&mut self) -> String {
        format!("key-{:02}", self.rng.below(KEYS))
    }

    fn put(&mut self, number: usize) -> Put {
        let length = match self.rng.below(12) {
            0 => 0,
            1 => 700,
            _ => self.rng.below(60),
        };
        let value: String =
            (0..length).map(|at| char::from(b'a' + u8::try_from((at * 7) % 26).unwrap())).collect();
        let lease = (self.leases > 0 && self.rng.below(4) == 0).then(|| {
            LeaseId(1 + i64::try_from(self.rng.below(self.leases.unsigned_abs())).unwrap())
        });
        let keeps_value = self.rng.below(8) == 0;
        let keeps_lease = lease.is_none() && self.rng.below(6) == 0;
        Put {
            key: self.key().into(),
            value: (!keeps_value).then(|| format!("{number}:{value}").into()),
            lease: if keeps_lease { None } else { Some(lease) },
            prev_kv: self.rng.below(3) == 0,
        }
    }

    fn delete(&mut self) -> DeleteRange {
        let first = self.rng.below(KEYS);
        let (key, end) = (format!("key-{first:02}"), format!("key-{:02}", first + 3));
        let end = if self.rng.below(2) == 0 { "" } else { &end };
        DeleteRange { range: key_range(&key, end), prev_kv: self.rng.below(2) == 0 }
    }

    fn compare(&mut self) -> Compare {
        let condition = match self.rng.below(4) {
            0 => Condition::Value("5".into()),
            1 => Condition::Version(1),
            2 => Condition::ModRevision(60),
            _ => Condition::CreateRevision(0),
        };
        let comparison =
            if self.rng.below(2) == 0 { Comparison::Greater } else { Comparison::NotEqual };
        Compare { range: key_range(&self.key(), ""), comparison, condition }
    }

    fn txn(&mut self, number: usize, depth: u64) -> Txn {
        let fresh = |put: Put, name: &str| Put { key: format!("txn-{name}-{depth}").into(), ..put };
        let first = fresh(self.put(number), "one");
        let second = fresh(self.put(number), "two");
        let other = fresh(self.put(number), "three");
        let delete = self.delete();
        let everything = read(key_range("key-", "key."), 0);
        let mut success = vec![
            Operation::Put(Put { value: Some(format!("{number}").into()), ..first }),
            Operation::DeleteRange(delete),
            Operation::Range(everything),
        ];
        if depth == 0 && self.rng.below(3) == 0 {
            success.push(Operation::Txn(self.txn(number, 1)));
        }
        let failure = vec![Operation::Put(second), Operation::Put(other)];
        Txn { compare: vec![self.compare()], success, failure }
    }

    fn ask(&mut self, number: usize) -> Ask {
        if number % COMPACT_EVERY == COMPACT_EVERY - 1 {
            return Ask::Compact { keep: 12 };
        }
        match self.rng.below(20) {
            0..=9 => Ask::Write(Command::Put(self.put(number))),
            10..=12 => Ask::Write(Command::DeleteRange(self.delete())),
            13..=15 => Ask::Write(Command::Txn(self.txn(number, 0))),
            16 | 17 => {
                self.leases += 1;
                let ttl = 2 + i64::try_from(self.rng.below(9)).unwrap();
                Ask::Write(Command::LeaseGrant { id: LeaseId(self.leases), ttl })
            }
            18 => Ask::Write(Command::LeaseRevoke { id: LeaseId(self.leases.max(1)) }),
            _ => Ask::Renew(LeaseId(self.leases.max(1))),
        }
    }
}

/// The script: requests alone and in groups, while time passes and the state's thread is sometimes
/// behind.
fn script(seed: u64) -> Vec<Step> {
    let mut writer = Writer { rng: Rng::new(seed), leases: 0 };
    let mut steps = Vec::new();
    let mut number = 0;
    while number < OPERATIONS {
        let mut group = Vec::new();
        for _ in 0..=writer.rng.below(3) {
            let ask = writer.ask(number);
            number += 1;
            // Renewals are proposed before what came with them: they stand alone.
            let alone = !matches!(ask, Ask::Write(_));
            if alone {
                steps.push(Step::Ask(std::mem::take(&mut group)));
            }
            group.push(ask);
            let pause = [KILLED, STOPPED, OPERATIONS].contains(&number);
            if alone || pause {
                break;
            }
        }
        steps.push(Step::Ask(group));
        steps.push(Step::Pass(Duration::from_millis(writer.rng.below(400))));
        steps.push(Step::Chores(writer.rng.below(5)));
        match number {
            KILLED => steps.push(Step::Kill),
            STOPPED => steps.push(Step::Stop),
            _ => {}
        }
    }
    steps
}

/// Somebody who lives through the script on a machine.
struct Living<'a> {
    machine: &'a Machine,
    progress: &'a Arc<Progress>,
    run: u64,
    life: Life,
}

/// A replica on a machine.
pub(crate) type Local = Replica<LogDisk, StateFiles>;

/// Starts a replica on a machine.
pub(crate) fn start_on(machine: &Machine, run: u64) -> Result<Local, Refusal> {
    open_on(machine, run, &Arc::default())
}

fn open_on(machine: &Machine, run: u64, progress: &Arc<Progress>) -> Result<Local, Refusal> {
    let (log, files) = (LogDisk(machine.clone()), StateFiles(machine.clone()));
    Replica::open(log, files, run, Arc::clone(progress))
}

impl Living<'_> {
    fn start(&mut self) -> Result<Local, Death> {
        self.run += 1;
        let mut replica = open_on(self.machine, self.run, self.progress)?;
        replica.lead()?;
        Ok(replica)
    }

    fn ask(&mut self, replica: &mut Local, asks: &[Ask]) -> Result<(), Death> {
        let mut requests = Vec::new();
        for ask in asks {
            let (request, command) = match ask {
                Ask::Write(command) => (Request::Write(command.clone()), command.clone()),
                Ask::Compact { keep } => {
                    let revision = replica.node.store().revision() - keep;
                    (Request::Compact { revision, physical: false }, Command::Compact { revision })
                }
                Ask::Renew(id) => {
                    (Request::LeaseRenew(*id), Command::LeaseRenew { ids: vec![*id] })
                }
            };
            self.life.asked.push(command);
            requests.push(request);
        }
        replica.ask(requests)?;
        let replies = std::mem::take(&mut replica.replies);
        assert_eq!(replies.len(), asks.len(), "a lone leader answers at once");
        self.life.replies.extend(replies.into_values());
        Ok(())
    }

    fn end(&mut self, replica: &Local) {
        self.life.entries.extend(replica.handed.iter().cloned());
        self.life.flushes += replica.flushes;
        self.life.trimmed = replica.log.base().index.0;
    }

    fn step(&mut self, mut replica: Local, step: &Step) -> Result<Local, Death> {
        match step {
            Step::Ask(asks) => self.ask(&mut replica, asks)?,
            Step::Pass(time) => replica.pass(*time)?,
            Step::Chores(steps) => {
                for _ in 0..*steps {
                    replica.chore()?;
                }
            }
            Step::Kill => {
                self.end(&replica);
                drop(replica);
                return self.start();
            }
            Step::Stop => {
                self.life.flushes += replica.flushes;
                self.life.entries.extend(replica.stop()?);
                return self.start();
            }
        }
        Ok(replica)
    }
}

/// Lives through the script. The process is killed at the end; the machine is not.
pub(crate) fn live(machine: &Machine, progress: &Arc<Progress>) -> Result<Life, Death> {
    let mut living = Living { machine, progress, run: 0, life: Life::default() };
    let mut replica = living.start()?;
    for step in script(11) {
        replica = living.step(replica, &step)?;
    }
    living.end(&replica);
    Ok(living.life)
}
