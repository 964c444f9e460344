//! An agent among liars: whatever is said to it, it neither panics nor keeps without bound.

use std::time::Duration;

use bytes::Bytes;
use protocol::swim::message::{
    Addr, Alive, Dead, Facts, Message as Packet, Name, NodeState, PushPull as Exchange, State, Vsn,
};
use protocol::swim::serf::{
    self, Config, Filter, Happening, Input, Join, KeyRequest, KeyResponse, LTime, Leave, Message,
    Moment, Output, PushPull, Query, QueryId, Question, Relay, Response, Ring, Serf, Tags, Topic,
    UserEvent,
};
use protocol::swim::{Address, ExchangeId, Identity, StreamId, Tag};
use protocol::{Rng, Time};

const SMALL: Config = Config {
    intents: 20,
    queries: 10,
    questions: 5,
    events_at_once: 4,
    events_bytes: 600,
    remembered: 8,
    ..Config::LAN
};

struct Liar(Rng);

impl Liar {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn name(&mut self) -> Name {
        match self.below(20) {
            0 => Name::default(),
            1 => Name::from("x".repeat(3000).as_str()),
            2..=5 => Name::from("a"),
            _ => Name::from(format!("m{}", self.below(30)).as_str()),
        }
    }

    /// Most times are near each other; some are absurd.
    fn ltime(&mut self) -> LTime {
        LTime(match self.below(12) {
            0 => 0,
            1 => u64::MAX - self.below(3),
            2 => self.0.next(),
            3 => self.below(1 << 20),
            _ => self.below(40),
        })
    }

    fn bytes(&mut self) -> Bytes {
        let length = self.below(60);
        (0..length).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }

    fn address(&mut self) -> Address {
        let addr = match self.below(4) {
            0 => Addr::default(),
            1 => Addr::from([1; 16]),
            _ => Addr::from([10, 0, 0, u8::try_from(self.below(30)).unwrap()]),
        };
        Address { addr, port: u16::try_from(self.below(3)).unwrap() * 7946 }
    }

    fn facts(&mut self) -> Facts {
        let Address { addr, port } = self.address();
        Facts { name: self.name(), addr, port, meta: self.bytes(), vsn: Vsn::SERF }
    }

    fn query(&mut self) -> Query {
        let Address { addr, port } = self.address();
        let names: [&[u8]; 6] = [
            b"load",
            b"_serf_ping",
            b"_serf_conflict",
            b"_serf_install-key",
            b"_serf_list-keys",
            b"_serf_",
        ];
        let name = names[usize::try_from(self.below(6)).unwrap()];
        let filters = (0..self.below(3)).map(|_| match self.below(3) {
            0 => self.bytes(),
            1 => Filter::Nodes(vec![self.name()]).encode(),
            _ => Filter::Tag { tag: Bytes::new(), expression: self.bytes() }.encode(),
        });
        let filters = filters.collect();
        Query {
            ltime: self.ltime(),
            id: u32::try_from(self.below(20)).unwrap(),
            addr,
            port,
            source: self.name(),
            filters,
            flags: u32::try_from(self.below(4)).unwrap(),
            relay_factor: u8::try_from(self.below(256)).unwrap(),
            timeout_ns: self.0.next().cast_signed(),
            name: Bytes::from_static(name),
            payload: if self.below(2) == 0 { self.bytes() } else { encoded(&self.message(0)) },
        }
    }

    fn message(&mut self, depth: u32) -> Message {
        let kinds = if depth == 0 { 7 } else { 10 };
        match self.below(kinds) {
            0 => {
                let prune = self.below(2) == 0;
                Message::Leave(Leave { ltime: self.ltime(), node: self.name(), prune })
            }
            1 => Message::Join(Join { ltime: self.ltime(), node: self.name() }),
            2 => Message::Event(UserEvent {
                ltime: self.ltime(),
                name: self.bytes(),
                payload: self.bytes(),
                coalesce: false,
            }),
            3 => Message::Response(Response {
                ltime: self.ltime(),
                id: u32::try_from(self.below(20)).unwrap(),
                from: self.name(),
                flags: u32::try_from(self.below(2)).unwrap(),
                payload: self.bytes(),
            }),
            4 => Message::KeyRequest(KeyRequest { key: self.bytes() }),
            5 => Message::Conflict(None),
            6 => Message::PushPull(self.push_pull()),
            7 | 8 => Message::Query(self.query()),
            _ => {
                let Address { addr, port } = self.address();
                let message = encoded(&self.message(depth - 1));
                Message::Relay(Relay { addr, port, zone: Bytes::new(), node: self.name(), message })
            }
        }
    }

    fn push_pull(&mut self) -> PushPull {
        let moments: Vec<Option<Moment>> = (0..self.below(6))
            .map(|_| {
                let events = (0..self.below(8))
                    .map(|_| Happening { name: self.bytes(), payload: self.bytes() })
                    .collect();
                Some(Moment { ltime: self.ltime(), events })
            })
            .collect();
        PushPull {
            ltime: self.ltime(),
            status: (0..self.below(20)).map(|_| (self.name(), self.ltime())).collect(),
            left: (0..self.below(10)).map(|_| self.name()).collect(),
            event_ltime: self.ltime(),
            events: Ring::from_slots(moments),
            query_ltime: self.ltime(),
        }
    }

    fn user(&mut self) -> Bytes {
        match self.below(8) {
            0 => self.bytes(),
            1 => {
                // A message with a byte changed.
                let mut bytes = encoded(&self.message(2)).to_vec();
                let at = usize::try_from(self.below(bytes.len() as u64)).unwrap();
                bytes[at] = u8::try_from(self.below(256)).unwrap();
                bytes.into()
            }
            _ => encoded(&self.message(2)),
        }
    }

    fn packet(&mut self) -> Packet {
        let incarnation = u32::try_from(1 + self.below(5)).unwrap();
        match self.below(6) {
            0 | 1 => Packet::Alive(Alive { incarnation, facts: self.facts().into() }),
            2 => Packet::Dead(Dead { incarnation, node: self.name(), from: self.name() }),
            _ => Packet::User(self.user()),
        }
    }

    fn exchange(&mut self) -> Exchange {
        let states = [State::Alive, State::Suspect, State::Dead, State::Left];
        let nodes = (0..self.below(6))
            .map(|_| NodeState {
                facts: self.facts().into(),
                incarnation: u32::try_from(self.below(5)).unwrap(),
                state: states[usize::try_from(self.below(4)).unwrap()],
            })
            .collect();
        let user = match self.below(4) {
            0 => self.bytes(),
            _ => encoded(&Message::PushPull(self.push_pull())),
        };
        Exchange { join: self.below(2) == 0, nodes, user }
    }

    fn request(&mut self) -> Input {
        let tag = Tag(self.below(4));
        let id = QueryId { ltime: self.ltime(), id: u32::try_from(self.below(20)).unwrap() };
        match self.below(8) {
            0 => Input::Event { tag, name: self.bytes(), payload: self.bytes(), coalesce: false },
            1 => {
                let topic = Topic::Named { name: self.bytes(), payload: self.bytes() };
                let (filters, relay_factor) = (Vec::new(), 2);
                let question = Question { topic, filters, ack: true, relay_factor, timeout: None };
                Input::Query { tag, question }
            }
            2 => Input::Respond { tag, id, payload: self.bytes() },
            3 => Input::KeyAnswer { id, response: KeyResponse::default() },
            4 => Input::ForceLeave { tag, node: self.name(), prune: self.below(2) == 0 },
            5 => Input::Join { tag, to: self.address(), ignore_old: self.below(2) == 0 },
            6 => Input::SetTags { tag, tags: Tags([(self.bytes(), self.bytes())].into()) },
            _ => Input::Told(self.user()),
        }
    }
}

fn encoded(message: &Message) -> Bytes {
    let mut out = Vec::new();
    serf::encode(message, &mut out);
    out.into()
}

fn agent() -> Serf {
    let meta = Tags::default().encode();
    let (name, addr) = (Name::from("a"), Addr::from([10, 0, 0, 1]));
    let facts = Facts { name, addr, port: 7946, meta, vsn: Vsn::SERF };
    Serf::new(SMALL, Identity { facts, incarnation: None }, 1)
}

/// Every request is answered within the call, and every exchange that was asked for is.
fn settle(serf: &mut Serf, exchanges: &mut Vec<ExchangeId>, done: bool) {
    let (mut answers, mut dones) = (0, 0);
    while let Some(output) = serf.poll_output() {
        match output {
            Output::Exchange { id, .. } => exchanges.push(id),
            Output::Answer { state, .. } => {
                assert!(matches!(serf::decode(&state.user), Ok(Message::PushPull(_))));
                answers += 1;
            }
            Output::Done { .. } => dones += 1,
            _ => {}
        }
    }
    assert!(answers <= 1);
    assert_eq!(dones, usize::from(done), "a request is answered once");
}

#[test]
fn whatever_is_said_an_agent_keeps_its_laws() {
    for seed in 0..30 {
        let mut liar = Liar(Rng::new(seed));
        let mut serf = agent();
        let (mut now, mut exchanges) = (Time(0), Vec::new());
        for step in 0..400 {
            let input = match liar.below(10) {
                0 => Input::Asked { id: StreamId(step), state: liar.exchange() },
                1 => {
                    let id = exchanges.pop().unwrap_or(ExchangeId(step));
                    Input::Exchanged { id, state: (step % 3 > 0).then(|| liar.exchange()) }
                }
                2 | 3 => liar.request(),
                4 => Input::Timeout,
                _ => {
                    let messages = (0..=liar.below(4)).map(|_| liar.packet()).collect();
                    Input::Receive { from: liar.address(), messages }
                }
            };
            let done = matches!(
                input,
                Input::Event { .. }
                    | Input::Query { .. }
                    | Input::Respond { .. }
                    | Input::ForceLeave { .. }
                    | Input::SetTags { .. }
            );
            serf.handle(now, input);
            settle(&mut serf, &mut exchanges, done);
            serf.assert_invariants();
            let pause = Duration::from_millis(liar.below(4000));
            let end = now + pause;
            while let Some(at) = serf.poll_timeout().filter(|&at| at <= end) {
                now = now.max(at);
                serf.handle(now, Input::Timeout);
                settle(&mut serf, &mut exchanges, false);
            }
            now = end;
            serf.assert_invariants();
        }
        // Silence until nobody is left to fail, and what was to be forgotten is.
        let end = now + Duration::from_secs(400);
        while let Some(at) = serf.poll_timeout().filter(|&at| at <= end) {
            now = now.max(at);
            serf.handle(now, Input::Timeout);
            settle(&mut serf, &mut exchanges, false);
        }
        let stats = serf.stats();
        assert!(stats.failed + stats.left <= SMALL.remembered, "{stats:?}");
        let counters = stats.counters;
        assert!(counters.malformed > 0 && counters.leaps > 0 && counters.intents_old > 0);
    }
}
