//! Clients that do one operation after the other.

use std::sync::Arc;
use std::time::Duration;

use node::{Failure, Header, Reply, Request, RequestId};
use protocol::Time;
use store::{ClientId, Command, Error, LeaseId, Outcome, Stamp};

use super::agenda::Event;
use super::completion::{Completed, Fetch, complete};
use super::generate::{Ticket, Wish};
use super::shared::Shared;
use super::{Act, Kind};
use crate::history::{Answer, Ending, Operation, Told};
use crate::seen::Place;

/// The owner of an operation that has ended.
const NOBODY: usize = usize::MAX;
/// Of a thousand operations before which a client that is content changes its node.
const RESTLESS: u32 = 10;
/// Of a thousand leases granted that are renewed until their holder loses interest.
const HELD: u32 = 600;
/// Of a thousand renewals after which it does.
const BORED: u32 = 40;
/// The pause after a failure, besides the usual one.
const BACKOFF: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(20)..=Duration::from_millis(250);

/// An operation under way.
#[derive(Debug)]
struct Flight {
    id: usize,
    at: Place,
    kind: Kind,
    ticket: Option<Ticket>,
    deadline: Time,
    /// The request has reached its node.
    arrived: bool,
    /// It was asked again.
    again: bool,
    /// The client may send it again, elsewhere.
    numbered: bool,
    /// The answer is on its way.
    answer: Option<Ending>,
}

/// A lease that its holder renews.
#[derive(Clone, Copy, Debug)]
struct Holding {
    id: LeaseId,
    every: Duration,
    renew_at: Time,
}

/// One client. It has an operation under way, or thinks, or is one of a scenario and done.
#[derive(Debug)]
struct Client {
    /// Its number in the history; a new one after every unknown outcome.
    number: u32,
    at: Place,
    flight: Option<Flight>,
    /// An event stands on the agenda that looks at the deadline of what is under way.
    watched: bool,
    lease: Option<Holding>,
    scripted: bool,
    /// It numbers its writes.
    session: Option<Session>,
}

/// The numbers that a client gives its writes.
#[derive(Clone, Copy, Debug)]
struct Session {
    id: ClientId,
    next: u64,
    /// It has had an answer.
    known: bool,
}

impl Session {
    fn new(shared: &mut Shared) -> Self {
        let number = u128::from(shared.number());
        Self { id: ClientId(number.to_be_bytes()), next: 1, known: false }
    }

    /// The number of the next write; with one thing at a time, all before it are done with.
    fn stamp(&mut self, tells: bool) -> Option<Stamp> {
        let sequence = self.next;
        self.next += 1;
        Stamp::new(self.id, sequence, if tells { sequence } else { 1 })
    }
}

/// All of them, and the record of what they saw.
#[derive(Debug)]
pub(super) struct Clients {
    clients: Vec<Client>,
    /// Clients of a scenario that are done; the next one takes the place of the last.
    free: Vec<usize>,
    operations: Vec<Operation>,
    /// For each operation under way the place of its client.
    owners: Vec<usize>,
    /// Operations that never reached a node.
    unreached: Vec<usize>,
    /// Begun by clients on their own.
    begun: u64,
}

impl Clients {
    pub(super) fn new(shared: &mut Shared) -> Self {
        let mut clients = Vec::new();
        for place in 0..usize::try_from(shared.options.clients).unwrap_or(0) {
            let number = shared.number();
            let at = shared.place().unwrap_or(0);
            let (flight, watched, lease, scripted) = (None, false, None, false);
            let share = shared.options.repeats.per_mille;
            let numbers = share > 0 && shared.chance(share);
            let session = numbers.then(|| Session::new(shared));
            clients.push(Client { number, at, flight, watched, lease, scripted, session });
            let first = Time::default() + shared.think();
            shared.agenda.add(first, Event::Wake(place));
        }
        Self {
            clients,
            free: Vec::new(),
            operations: Vec::new(),
            owners: Vec::new(),
            unreached: Vec::new(),
            begun: 0,
        }
    }

    /// A client has thought enough.
    pub(super) fn wake(&mut self, shared: &mut Shared, place: usize) {
        let enough = shared.options.max_operations.is_some_and(|most| self.begun >= most);
        if shared.stopped || enough {
            return;
        }
        let client = &mut self.clients[place];
        if !shared.allows(client.at) || shared.chance(RESTLESS) {
            let Some(at) = shared.place() else { return };
            client.at = at;
        }
        let now = shared.now;
        let due = client.lease.as_mut().filter(|lease| lease.renew_at <= now);
        let wish = match due {
            Some(lease) => {
                lease.renew_at = now + lease.every;
                let request = Request::LeaseRenew(lease.id);
                Some(Wish { kind: Kind::Renew, request, ticket: None })
            }
            None => shared.generator.next(client.number),
        };
        if let Some(wish) = wish {
            self.begun += 1;
            self.call(shared, place, wish);
        }
    }

    /// A scenario asks.
    pub(super) fn ask(&mut self, shared: &mut Shared, at: Place, request: Request) -> RequestId {
        let number = shared.number();
        let place = self.free.pop().unwrap_or(self.clients.len());
        if place == self.clients.len() {
            let (flight, watched, lease, scripted) = (None, false, None, true);
            let session = None;
            self.clients.push(Client { number, at, flight, watched, lease, scripted, session });
        }
        let client = &mut self.clients[place];
        (client.number, client.at) = (number, at);
        let id = self.call(shared, place, Wish { kind: Kind::Scripted, request, ticket: None });
        if let Some(flight) = &mut self.clients[place].flight {
            flight.arrived = true;
        }
        id
    }

    /// Sends a request.
    fn call(&mut self, shared: &mut Shared, place: usize, wish: Wish) -> RequestId {
        let Wish { kind, request, ticket } = wish;
        let now = shared.now;
        let client = &mut self.clients[place];
        let tells = shared.options.repeats.tells;
        let (request, stamp) = match request {
            Request::Once { stamp, request } => (*request, Some(stamp)),
            plain if is_write(&plain) => {
                (plain, client.session.as_mut().and_then(|session| session.stamp(tells)))
            }
            other => (other, None),
        };
        let id = self.operations.len();
        let (at, deadline) = (client.at, now + shared.options.patience);
        self.operations.push(Operation {
            client: client.number,
            called: now,
            returned: None,
            request: Arc::new(request),
            stamp,
            ending: Ending::Unknown,
        });
        self.owners.push(place);
        shared.counts.note(kind, |tally| tally.called += 1);
        if kind != Kind::Scripted && !shared.loses() {
            let arrival = shared.meeting(now);
            shared.agenda.add(arrival, Event::Arrive(id, at));
        }
        let (arrived, again, answer) = (false, false, None);
        let numbered = stamp.is_some() && kind != Kind::Scripted;
        client.flight =
            Some(Flight { id, at, kind, ticket, deadline, arrived, again, numbered, answer });
        if numbered {
            let after = shared.options.repeats.after.clone();
            let due = now + shared.pause(&after);
            shared.agenda.add(due, Event::Again(id));
        }
        if !client.watched {
            client.watched = true;
            shared.agenda.add(deadline, Event::Patience(place));
        }
        RequestId(id as u64)
    }

    /// A request reaches its node, even if its client waits no longer.
    pub(super) fn arrive(&mut self, id: usize, at: Place, acts: &mut Vec<Act>) {
        if let Some((_, flight)) = self.flight(id) {
            flight.arrived = true;
        }
        let Operation { request, stamp, .. } = &self.operations[id];
        let request = match stamp {
            Some(stamp) => Request::Once { stamp: *stamp, request: Box::new((**request).clone()) },
            None => (**request).clone(),
        };
        acts.push(Act::Request { at, id: RequestId(id as u64), request });
    }

    /// A client has waited a while for the answer to a numbered write, and asks another node.
    pub(super) fn again(&mut self, shared: &mut Shared, id: usize) {
        let Some((_, flight)) = self.flight(id) else { return };
        flight.at = shared.other_place(flight.at).unwrap_or(flight.at);
        (flight.again, flight.arrived) = (true, false);
        let at = flight.at;
        shared.counts.repeated += 1;
        if !shared.loses() {
            let arrival = shared.meeting(shared.now);
            shared.agenda.add(arrival, Event::Arrive(id, at));
        }
        let after = shared.options.repeats.after.clone();
        let due = shared.now + shared.pause(&after);
        shared.agenda.add(due, Event::Again(id));
    }

    /// The client of an operation, and the operation, if the client still waits for it.
    fn flight(&mut self, id: usize) -> Option<(usize, &mut Flight)> {
        let place = *self.owners.get(id)?;
        let flight = self.clients.get_mut(place)?.flight.as_mut()?;
        (flight.id == id).then_some((place, flight))
    }

    /// A node answers.
    pub(super) fn replied(
        &mut self,
        shared: &mut Shared,
        id: RequestId,
        reply: Reply,
        fetch: &mut Fetch<'_>,
    ) {
        let Ok(id) = usize::try_from(id.0) else { return };
        let Some(operation) = self.operations.get(id) else { return };
        let request = Arc::clone(&operation.request);
        let Some((_, flight)) = self.flight(id) else {
            shared.counts.late += 1;
            return;
        };
        let scripted = flight.kind == Kind::Scripted;
        let numbered = flight.numbered;
        let ending = match complete(&request, reply, fetch) {
            // Another attempt may settle it.
            Completed::Ending(ending) if numbered && !settles(&ending) => {
                shared.counts.late += u64::from(flight.answer.is_some());
                return;
            }
            Completed::Ending(ending) => ending,
            Completed::Again if flight.again => Ending::Unknown,
            Completed::Again => {
                flight.again = true;
                shared.counts.again += 1;
                shared.agenda.add(shared.now, Event::Arrive(id, flight.at));
                return;
            }
        };
        if scripted || !shared.loses() {
            flight.answer = Some(ending);
            let arrival = shared.arrival(shared.now);
            shared.agenda.add(arrival, Event::Answered(id));
        }
    }

    /// An answer reaches its client.
    pub(super) fn answered(&mut self, shared: &mut Shared, id: usize) {
        let Some((place, flight)) = self.flight(id) else {
            shared.counts.late += 1;
            return;
        };
        if let Some(ending) = flight.answer.take() {
            self.conclude(shared, place, ending);
        }
    }

    /// A client may have waited long enough.
    pub(super) fn patience(&mut self, shared: &mut Shared, place: usize) {
        let client = &mut self.clients[place];
        match &client.flight {
            None => client.watched = false,
            Some(flight) if flight.deadline > shared.now => {
                shared.agenda.add(flight.deadline, Event::Patience(place));
            }
            Some(_) => {
                client.watched = false;
                self.conclude(shared, place, Ending::Unknown);
            }
        }
    }

    /// The node was down when the request arrived.
    pub(super) fn unreachable(&mut self, shared: &mut Shared, id: RequestId) {
        let Ok(id) = usize::try_from(id.0) else { return };
        // What was asked again had been asked a first time.
        if let Some((place, flight)) = self.flight(id) {
            if flight.numbered {
                // Another node may be up.
                return;
            }
            let ending = if flight.again {
                Ending::Unknown
            } else {
                self.unreached.push(id);
                Ending::Refused(Failure::NoLeader, Header::default())
            };
            self.conclude(shared, place, ending);
        }
    }

    /// A node has ended: whoever waits for it learns that nothing more will come.
    pub(super) fn disconnected(&mut self, shared: &mut Shared, at: Place) {
        for place in 0..self.clients.len() {
            let cut = |flight: &Flight| {
                flight.at == at && flight.arrived && flight.answer.is_none() && !flight.numbered
            };
            if self.clients[place].flight.as_ref().is_some_and(cut) {
                self.conclude(shared, place, Ending::Unknown);
            }
        }
    }

    /// An operation is over; its client thinks of the next one.
    fn conclude(&mut self, shared: &mut Shared, place: usize, ending: Ending) {
        let client = &mut self.clients[place];
        let Some(flight) = client.flight.take() else { return };
        let now = shared.now;
        let ending = renumbered(shared, client, &self.operations[flight.id], ending);
        let unreached = self.unreached.last() == Some(&flight.id);
        let operation = &mut self.operations[flight.id];
        shared.generator.ended(&operation.request, &ending, flight.ticket);
        shared.counts.note(flight.kind, |tally| match &ending {
            _ if unreached => tally.unreachable += 1,
            Ending::Answered(_) => tally.answered += 1,
            Ending::Refused(..) => tally.refused += 1,
            Ending::Unknown => tally.unknown += 1,
        });
        let mut pause = shared.think();
        match &ending {
            Ending::Answered(answer) => hold(shared, client, answer),
            Ending::Refused(Failure::Store(_), _) => {}
            Ending::Refused(..) | Ending::Unknown => {
                pause += shared.pause(&BACKOFF);
                client.at = shared.other_place(client.at).unwrap_or(client.at);
            }
        }
        if matches!(ending, Ending::Unknown) {
            client.number = shared.number();
        } else {
            operation.returned = Some(now);
        }
        operation.ending = ending;
        self.owners[flight.id] = NOBODY;
        if client.scripted {
            self.free.push(place);
        } else {
            shared.agenda.add(now + pause, Event::Wake(place));
        }
    }

    /// How an operation ended; `None` while it is under way.
    pub(super) fn ending(&self, id: RequestId) -> Option<&Ending> {
        let id = usize::try_from(id.0).ok()?;
        (*self.owners.get(id)? == NOBODY).then(|| &self.operations[id].ending)
    }

    /// When each operation under way was called.
    pub(super) fn outstanding(&self) -> impl Iterator<Item = Time> {
        let flights = self.clients.iter().filter_map(|client| client.flight.as_ref());
        flights.map(|flight| self.operations[flight.id].called)
    }
}

impl Clients {
    /// All operations but those that never reached a node.
    pub(super) fn finish(mut self) -> Vec<Operation> {
        self.unreached.sort_unstable();
        let mut unreached = self.unreached.iter().peekable();
        let mut id = 0;
        self.operations.retain(|_| {
            id += 1;
            unreached.next_if_eq(&&(id - 1)).is_none()
        });
        self.operations
    }
}

/// Whether a request changes something under an entry of its own.
fn is_write(request: &Request) -> bool {
    match request {
        Request::Compact { .. } => true,
        Request::Write(command) => match command {
            Command::Put(_)
            | Command::DeleteRange(_)
            | Command::Txn(_)
            | Command::Compact { .. }
            | Command::LeaseGrant { .. }
            | Command::LeaseRevoke { .. } => true,
            Command::LeaseRenew { .. }
            | Command::Tick { .. }
            | Command::Alarm { .. }
            | Command::Publish(_)
            | Command::StateHash { .. }
            | Command::SpaceReport { .. }
            | Command::Recovered(_)
            | Command::Member(_)
            | Command::Settle { .. }
            | Command::Once { .. } => false,
        },
        _ => false,
    }
}

/// Whether an ending of one attempt at a numbered write is that of all.
fn settles(ending: &Ending) -> bool {
    matches!(ending, Ending::Answered(_) | Ending::Refused(Failure::Store(_), _))
}

/// After a numbered write: a session that no node knows is not gone on with. A refusal for its
/// number says nothing about what came of a write.
fn renumbered(
    shared: &mut Shared,
    client: &mut Client,
    operation: &Operation,
    ending: Ending,
) -> Ending {
    let (Some(session), Some(_)) = (&mut client.session, operation.stamp) else { return ending };
    let refused = match &ending {
        Ending::Answered(_) => false,
        Ending::Refused(Failure::Store(error), _) => matches!(
            error,
            Error::StampForgotten
                | Error::SessionUnknown
                | Error::TooManySessions
                | Error::AnswerForgotten
        ),
        Ending::Refused(..) | Ending::Unknown => !session.known,
    };
    if refused {
        *session = Session::new(shared);
        return Ending::Unknown;
    }
    session.known |= settles(&ending);
    ending
}

/// Some who were granted a lease renew it until they lose interest.
fn hold(shared: &mut Shared, client: &mut Client, answer: &Answer) {
    match answer.told {
        Told::Outcome(Outcome::LeaseGrant { id, ttl }) => {
            let renews = shared.options.mix.weight(Kind::Renew) > 0 && !client.scripted;
            if renews && shared.chance(HELD) {
                let every = Duration::from_secs(u64::try_from(ttl).unwrap_or(0)) / 3;
                client.lease = Some(Holding { id, every, renew_at: shared.now + every });
            }
        }
        Told::Renewed(ttl) => {
            if client.lease.is_some() && (ttl == 0 || shared.chance(BORED)) {
                client.lease = None;
            }
        }
        Told::Outcome(_) | Told::Range { .. } | Told::TimeToLive(_) | Told::Leases(_) => {}
        Told::Done => {}
    }
}
