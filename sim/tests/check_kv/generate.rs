//! Right histories of many clients, made by running the production store one entry at a time and
//! letting calls, commits and returns happen in any order that real time allows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use node::{Failure, Header, LeaseTime, Request};
use protocol::{Index, Position, Rng, Term, Time};
use sim::history::{Answer, Committed, Ending, History, Operation, Told};
use store::{Applied, Command, Error, LeaseId, Limits, Range, RangeResult, Store};

use crate::ask;
use crate::listen::Listeners;

/// How the world is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) seed: u64,
    /// Operations to call.
    pub(crate) operations: usize,
    pub(crate) clients: u32,
    pub(crate) watches: usize,
    /// What ticks claim to have passed, in per cent of what has.
    pub(crate) tick_percent: u64,
    /// Only puts and reads of single keys, so many keys.
    pub(crate) plain: Option<u64>,
}

impl Shape {
    pub(crate) fn of(seed: u64) -> Self {
        let (operations, clients, watches) = (400, 6, 8);
        Self { seed, operations, clients, watches, tick_percent: 100, plain: None }
    }
}

/// Where a client stands.
#[derive(Debug)]
enum Client {
    Idle,
    Called(usize),
    /// Served: what it will be told.
    Served(usize, Ending),
}

/// The world that makes a history.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) store: Store,
    pub(crate) now: Time,
    pub(crate) history: History,
    shape: Shape,
    clients: Vec<Client>,
    /// The next client number: one that lost an answer goes on under a new one.
    next_client: u32,
    numbers: Vec<u32>,
    ticked: Time,
    listeners: Listeners,
    pub(crate) values: u64,
    pub(crate) leases: Vec<LeaseId>,
}

pub(crate) const TERM: Term = Term(1);
const TICK: Duration = Duration::from_millis(500);

/// A right history.
pub(crate) fn history(shape: Shape) -> History {
    World::new(shape).run()
}

/// A read of the production store.
pub(crate) fn read(store: &Store, range: &Range) -> Result<(i64, RangeResult), Error> {
    let mut cursor = store.begin_range(range)?;
    while !store.step_range(&mut cursor, 3)? {}
    let view = cursor.into_view();
    let revision = view.revision();
    Ok((revision, view.complete(|_| None).expect("nothing was flushed")))
}

impl World {
    fn new(shape: Shape) -> Self {
        let mut store = Store::new(Limits::default());
        store.set_watched(shape.watches > 0);
        let history = History { drift_per_mille: 10, ..History::default() };
        Self {
            rng: Rng::new(shape.seed),
            store,
            now: Time(1),
            history,
            shape,
            clients: (0..shape.clients).map(|_| Client::Idle).collect(),
            next_client: shape.clients,
            numbers: (0..shape.clients).collect(),
            ticked: Time(1),
            listeners: Listeners::default(),
            values: 0,
            leases: Vec::new(),
        }
    }

    fn run(mut self) -> History {
        self.entry(None);
        while self.history.operations.len() < self.shape.operations {
            let step = match self.rng.below(60) {
                0 if self.shape.plain.is_none() => 150_000_000,
                _ => 2_000_000,
            };
            self.now = Time(self.now.0 + 1 + self.rng.below(step));
            self.tick();
            let client = self.draw(u64::from(self.shape.clients));
            self.turn(client);
            self.listen();
        }
        self.finish()
    }

    /// A number below a bound.
    pub(crate) fn draw(&mut self, bound: u64) -> usize {
        usize::try_from(self.rng.below(bound)).unwrap()
    }

    /// True so often in a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.rng.below(100) < percent
    }

    /// A value that is used once.
    pub(crate) fn value(&mut self) -> Bytes {
        self.values += 1;
        format!("v{}", self.values).into()
    }

    /// Commits and applies an entry.
    fn entry(&mut self, command: Option<Command>) -> Option<Applied> {
        let index = Index(self.store.applied().index.0 + 1);
        let position = Position::new(TERM, index);
        let applied = match &command {
            Some(command) => Some(self.store.apply(position, command)),
            None => {
                self.store.note_applied(position);
                None
            }
        };
        self.listeners.publish(self.store.take_events());
        self.history.truth.push(Committed { position, at: self.now, command, membership: None });
        applied
    }

    /// The leader's clock.
    fn tick(&mut self) {
        if !self.store.has_leases() {
            self.ticked = self.now;
        }
        let elapsed = self.now.since(self.ticked);
        if elapsed < TICK {
            return;
        }
        self.ticked = self.now;
        let claimed = elapsed.min(Duration::from_millis(1500)).as_millis();
        let claimed = u64::try_from(claimed).unwrap() * self.shape.tick_percent / 100;
        self.entry(Some(Command::Tick { elapsed_ms: u32::try_from(claimed).unwrap() }));
    }

    fn turn(&mut self, client: usize) {
        match std::mem::replace(&mut self.clients[client], Client::Idle) {
            Client::Idle => {
                let request = Arc::new(match self.shape.plain {
                    Some(keys) => ask::plain(self, keys),
                    None => ask::any(self),
                });
                let number = self.history.operations.len();
                self.history.operations.push(Operation {
                    client: self.numbers[client],
                    called: self.now,
                    returned: None,
                    request,
                    stamp: None,
                    ending: Ending::Unknown,
                });
                self.clients[client] = Client::Called(number);
            }
            Client::Called(number) => match self.rng.below(40) {
                // It, or the way to the replica, is lost; or done later.
                0 => self.give_up(client, number),
                1 => {
                    let header = self.header();
                    let refused = Ending::Refused(Failure::NoLeader, header);
                    self.clients[client] = Client::Served(number, refused);
                }
                _ => {
                    let ending = self.serve(number);
                    self.clients[client] = Client::Served(number, ending);
                }
            },
            Client::Served(number, ending) => {
                if self.chance(4) {
                    self.renumber(client);
                    return;
                }
                let operation = &mut self.history.operations[number];
                operation.returned = Some(self.now);
                operation.ending = ending;
            }
        }
    }

    fn give_up(&mut self, client: usize, number: usize) {
        self.renumber(client);
        // What was on its way may still arrive.
        if self.chance(50) {
            self.clients.push(Client::Called(number));
            let late = self.clients.len() - 1;
            self.now = Time(self.now.0 + 1_000_000);
            self.serve(number);
            self.clients.truncate(late);
        }
    }

    fn renumber(&mut self, client: usize) {
        self.numbers[client] = self.next_client;
        self.next_client += 1;
    }

    fn header(&self) -> Header {
        Header { revision: self.store.revision(), term: TERM }
    }

    /// Does what was asked, and says what is to be told.
    fn serve(&mut self, number: usize) -> Ending {
        let request = Arc::clone(&self.history.operations[number].request);
        let told = match &*request {
            Request::Write(command) => return self.write(command),
            Request::Compact { revision, .. } => {
                return self.write(&Command::Compact { revision: *revision });
            }
            Request::Range { range, serializable } => self.range(range, *serializable),
            Request::ReadTxn { txn, .. } => match self.store.plan_txn(txn) {
                Ok(mut plan) => loop {
                    match self.store.step_txn(&mut plan, 2) {
                        Ok(false) => {}
                        Ok(true) => {
                            let outcome = plan.into_view().complete(|_| None).unwrap();
                            break Ok((self.store.revision(), Told::Outcome(outcome)));
                        }
                        Err(error) => break Err(error),
                    }
                },
                Err(error) => Err(error),
            },
            Request::LeaseRenew(id) => {
                let renew = Command::LeaseRenew { ids: vec![*id] };
                let applied = self.entry(Some(renew)).unwrap();
                let Ok(store::Outcome::LeaseRenew(renewed)) = applied.outcome else {
                    panic!("renewals are answered")
                };
                Ok((applied.revision, Told::Renewed(renewed[0].1)))
            }
            Request::LeaseTimeToLive { id, keys } => {
                let time = self.store.lease(*id).map(|lease| LeaseTime {
                    remaining: i64::try_from(lease.remaining_ms / 1000).unwrap(),
                    granted: lease.granted,
                    keys: lease.keys().filter(|_| *keys).map(Bytes::copy_from_slice).collect(),
                });
                Ok((self.store.revision(), Told::TimeToLive(time)))
            }
            Request::Leases => {
                Ok((self.store.revision(), Told::Leases(self.store.leases().collect())))
            }
            _ => Ok((self.store.revision(), Told::Done)),
        };
        match told {
            Ok((revision, told)) => {
                Ending::Answered(Answer { header: Header { revision, term: TERM }, told })
            }
            Err(error) => Ending::Refused(Failure::Store(error), self.header()),
        }
    }

    fn write(&mut self, command: &Command) -> Ending {
        let header = self.header();
        if let Err(error) = Store::validate(&Limits::default(), command) {
            return Ending::Refused(Failure::Store(error), header);
        }
        let applied = self.entry(Some(command.clone())).unwrap();
        let header = Header { revision: applied.revision, term: TERM };
        match applied.outcome {
            Ok(outcome) => Ending::Answered(Answer { header, told: Told::Outcome(outcome) }),
            Err(error) => Ending::Refused(Failure::Store(error), header),
        }
    }

    /// A serializable read of the latest revision may find an older one: its replica lags.
    fn range(&mut self, range: &Range, serializable: bool) -> Result<(i64, Told), Error> {
        let newest = self.store.revision();
        let mut seen = newest;
        let mut asked = range.clone();
        if serializable && range.revision <= 0 {
            let least = self.store.compact_revision().max(1);
            let lag = self.rng.below(u64::try_from(newest - least + 1).unwrap().min(20));
            seen = newest - i64::try_from(lag).unwrap();
            // In between, a tick may have ended several leases: no replica shows such a revision.
            if self.listeners.shown(seen) {
                asked.revision = seen;
            } else {
                seen = newest;
            }
        }
        let (revision, result) = read(&self.store, &asked)?;
        Ok((seen, Told::Range { revision, result }))
    }

    fn listen(&mut self) {
        if self.history.watches.len() < self.shape.watches && self.chance(2) {
            let create = ask::watch(self);
            let client = 1000 + self.draw(3) as u32;
            self.listeners.create(client, self.now, create, &self.store, &mut self.history);
        }
        if self.chance(20) {
            let (now, rng) = (self.now, &mut self.rng);
            self.listeners.deliver(now, rng, &self.store, &mut self.history);
        }
    }

    /// All that is served returns, ticks go on for a while, and watches hear of everything.
    fn finish(mut self) -> History {
        for client in 0..self.clients.len() {
            if let Client::Served(number, ending) =
                std::mem::replace(&mut self.clients[client], Client::Idle)
            {
                let operation = &mut self.history.operations[number];
                operation.returned = Some(self.now);
                operation.ending = ending;
            }
        }
        for _ in 0..12 {
            self.now = Time(self.now.0 + 500_000_000);
            self.tick();
            let (now, rng) = (self.now, &mut self.rng);
            self.listeners.deliver_all(now, rng, &self.store, &mut self.history);
        }
        self.history.healed_at = Some(Time(0));
        self.history.ended_at = self.now;
        self.history
    }
}
