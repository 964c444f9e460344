//! The stage of a script: one agent, `a`, to whom the script says what it likes.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use protocol::Time;
use protocol::swim::message::{
    Ack, Addr, Alive, Dead, Facts, Message as Packet, Name, NodeState, PushPull as Exchange, State,
    Vsn,
};
use protocol::swim::serf::{
    self, Config, Filter, Happening, Input, Join, KeyOperation, KeyRequest, KeyResponse, LTime,
    Leave, Message, Moment, Output, PushPull, Query, QueryId, Question, Relay, Response, Ring,
    Serf, Tags, Topic, UserEvent,
};
use protocol::swim::{self, Address, ExchangeId, Identity, StreamId, Tag};

use crate::text;

/// The value of `key=value` among words.
fn option<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("{word} is not a number"))
}

fn ltime(word: &str) -> LTime {
    LTime(if word == "max" { u64::MAX } else { number(word) })
}

fn bytes(word: &str) -> Bytes {
    Bytes::copy_from_slice(word.as_bytes())
}

/// A word, or so many of a letter: `x*600`.
fn long(word: &str) -> Bytes {
    match word.split_once('*') {
        Some((letter, times)) => letter.repeat(number(times).try_into().unwrap()).into(),
        None => bytes(word),
    }
}

fn place(name: &str) -> Address {
    Address { addr: Addr::from([10, 0, 0, name.as_bytes()[0] - b'a' + 1]), port: 7946 }
}

/// `key=value` words with a `+` in front.
fn tags(words: &[&str]) -> Tags {
    let pairs = words.iter().filter_map(|word| word.strip_prefix('+')?.split_once('='));
    Tags(pairs.map(|(name, value)| (bytes(name), long(value))).collect())
}

fn facts(name: &str, words: &[&str]) -> Facts {
    let addr = option(words, "at").map_or(place(name), place).addr;
    let vsn = Vsn::SERF;
    Facts { name: Name::from(name), addr, port: 7946, meta: tags(words).encode(), vsn }
}

fn filter(word: &str) -> Filter {
    match word.split_once('~') {
        Some((tag, expression)) => Filter::Tag { tag: bytes(tag), expression: bytes(expression) },
        None => Filter::Nodes(word.split(',').map(Name::from).collect()),
    }
}

fn filters(words: &[&str]) -> Vec<Filter> {
    words.iter().filter_map(|word| word.strip_prefix("filter=")).map(filter).collect()
}

pub(crate) struct Stage {
    now: Time,
    serf: Option<Serf>,
    exchange: Option<ExchangeId>,
    /// The own query that was said last.
    last: Option<QueryId>,
    answering: BTreeSet<Name>,
    answers: Vec<(Address, u32)>,
    /// What was already shown as said.
    said: BTreeSet<Bytes>,
    shown: Vec<String>,
}

impl Stage {
    pub(crate) const fn new() -> Self {
        Self {
            now: Time(0),
            serf: None,
            exchange: None,
            last: None,
            answering: BTreeSet::new(),
            answers: Vec::new(),
            said: BTreeSet::new(),
            shown: Vec::new(),
        }
    }

    /// Runs one command and gives what is to be shown.
    pub(crate) fn run(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[0] {
            "member" => self.member(&words[1..]),
            "pool" => {
                for name in &words[1..] {
                    self.command(&["alive", name, "1"]);
                    self.answering.insert(Name::from(*name));
                }
                self.wait(Duration::from_secs(3));
                self.shown.clear();
            }
            "wait" => {
                let time = words[1].strip_suffix('s').map(number);
                let time = time
                    .map_or_else(|| Duration::from_millis(number(words[1])), Duration::from_secs);
                self.wait(time);
            }
            "silent" => words[1..].iter().for_each(|name| {
                self.answering.remove(&Name::from(*name));
            }),
            "crowd" => {
                for number in 0..number(words[1]) {
                    self.input(heard(serf_message(&["heard-join", &format!("m{number}"), "1"])));
                }
                self.wait(Duration::from_millis(200));
                self.shown.clear();
            }
            "show" => self.show(&words[1..]),
            "stats" => self.stats(&words[1..]),
            _ => {
                self.command(&words);
                self.wait(Duration::from_millis(200));
            }
        }
        if let Some(serf) = &self.serf {
            serf.assert_invariants();
        }
        std::mem::take(&mut self.shown)
    }

    fn member(&mut self, words: &[&str]) {
        let swim = swim::Config { exchange_interval: None, ..swim::Config::LAN };
        let small = words.contains(&"small");
        let config = Config {
            intents: if small { 2 } else { Config::LAN.intents },
            queries: if small { 2 } else { Config::LAN.queries },
            questions: if small { 2 } else { Config::LAN.questions },
            events_at_once: if small { 2 } else { Config::LAN.events_at_once },
            swim,
            reconnect_interval: if words.contains(&"patient") {
                Duration::from_secs(1 << 30)
            } else {
                Config::LAN.reconnect_interval
            },
            ..Config::LAN
        };
        let identity = Identity { facts: facts("a", words), incarnation: None };
        self.serf = Some(Serf::new(config, identity, 1));
        self.input(Input::Timeout);
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.serf.as_ref().and_then(Serf::poll_timeout) {
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    fn command(&mut self, words: &[&str]) {
        // `last` stands for the own query that was said last.
        let last = self.last.map(text::query_id).unwrap_or_default();
        let words: Vec<&str> =
            words.iter().map(|&word| if word == "last" { last.as_str() } else { word }).collect();
        let words = &words[..];
        let input = match words[0] {
            "alive" | "dead" => Input::Receive { from: place("z"), messages: vec![belief(words)] },
            "stream" => Input::Told(serf_message(&words[1..])),
            "bytes" => {
                let message = words[1..].iter().map(|word| u8::from_str_radix(word, 16).unwrap());
                heard(message.collect())
            }
            "asked" => Input::Asked { id: StreamId(7), state: exchange(&words[1..]) },
            "exchanged" => {
                let state = (words.get(1) != Some(&"failed")).then(|| exchange(&words[1..]));
                Input::Exchanged { id: self.exchange.take().unwrap(), state }
            }
            "join" => {
                let ignore_old = words.contains(&"ignore-old");
                Input::Join { tag: Tag(1), to: place(words[1]), ignore_old }
            }
            "tags" => Input::SetTags { tag: Tag(2), tags: tags(words) },
            "fire" => {
                let coalesce = words.contains(&"coalesce");
                let payload = long(words.get(2).unwrap_or(&""));
                Input::Event { tag: Tag(3), name: long(words[1]), payload, coalesce }
            }
            "ask" => Input::Query { tag: Tag(4), question: question(&words[1..]) },
            "respond" => {
                Input::Respond { tag: Tag(5), id: query_id(words[1]), payload: long(words[2]) }
            }
            "keyring" => Input::KeyAnswer { id: query_id(words[1]), response: keys(words) },
            "force-leave" => {
                let prune = words.contains(&"prune");
                Input::ForceLeave { tag: Tag(6), node: Name::from(words[1]), prune }
            }
            "go" => Input::Leave,
            _ => heard(serf_message(words)),
        };
        self.input(input);
    }

    fn input(&mut self, input: Input) {
        let now = self.now;
        self.serf.as_mut().expect("a member").handle(now, input);
        loop {
            while let Some(output) = self.serf.as_mut().unwrap().poll_output() {
                self.output(output);
            }
            let Some((from, seq)) = self.answers.pop() else { break };
            let messages = vec![Packet::Ack(Ack { seq, payload: Bytes::new() })];
            self.serf.as_mut().unwrap().handle(now, Input::Receive { from, messages });
        }
    }

    fn print(&mut self, text: &str) {
        let at = Duration::from_nanos(self.now.0).as_secs_f64();
        self.shown.push(format!("{at:.3} {}", text.trim_end()));
    }

    fn output(&mut self, output: Output) {
        let text = match output {
            Output::Send { to, messages, .. } => return self.sent(to, messages),
            Output::Exchange { id, to, state, .. } => {
                self.exchange = Some(id);
                let join = if state.join { "join" } else { "exchange" };
                format!("stream>{} {join} {}", text::whom(to), text::message(&state.user))
            }
            Output::Answer { state, .. } => format!("tells {}", text::message(&state.user)),
            Output::Joined { tag, result } => format!("joined {} {result:?}", tag.0),
            Output::Done { result: Ok(()), .. } => "done".into(),
            Output::Done { result: Err(error), .. } => format!("refused: {error}"),
            Output::QueryAcked { tag, from } => format!("{} has arrived at {from}", tag.0),
            Output::QueryAnswered { tag, from, payload } => {
                format!("{} is answered by {from}: {}", tag.0, text::text(&payload))
            }
            Output::QueryEnded { tag } => format!("{} is over", tag.0),
            Output::KeyRequest { id, source, operation } => {
                let id = text::query_id(id);
                let operation = match operation {
                    KeyOperation::Install(key) => format!("install {}", text::text(&key)),
                    KeyOperation::Use(key) => format!("use {}", text::text(&key)),
                    KeyOperation::Remove(key) => format!("remove {}", text::text(&key)),
                    KeyOperation::List => "list".into(),
                };
                format!("keyring {id} by {source}: {operation}")
            }
            Output::Gone { told } => format!("gone told={told}"),
            Output::NameLost { to } => format!("name lost to {}", text::whom(to)),
            Output::Event(event) => text::event(&event),
            Output::StreamPing { .. } | Output::Incarnation(_) | Output::Acked { .. } => return,
        };
        self.print(&text);
    }

    /// Of packets, what this layer says: when it is said for the first time, or to one alone.
    fn sent(&mut self, to: Address, messages: Vec<Packet>) {
        for message in messages {
            match message {
                Packet::Ping(ping) if self.answering.contains(&ping.node) => {
                    self.answers.push((to, ping.seq));
                }
                Packet::User(message) => {
                    let direct = matches!(
                        serf::decode(&message),
                        Ok(Message::Response(_) | Message::Relay(_))
                    );
                    let text = text::message(&message);
                    if direct {
                        self.print(&format!(">{} {text}", text::whom(to)));
                    } else if text.starts_with("join m") {
                        // One of a crowd.
                    } else if self.said.insert(message.clone()) {
                        if let Ok(Message::Query(query)) = serf::decode(&message)
                            && query.source == Name::from("a")
                        {
                            self.last = Some(QueryId { ltime: query.ltime, id: query.id });
                        }
                        self.print(&format!("says {text}"));
                    }
                }
                Packet::Dead(dead)
                    if dead.node == dead.from
                        && dead.node == Name::from("a")
                        && self.said.insert(Bytes::from_static(b"farewell")) =>
                {
                    self.print("says farewell");
                }
                _ => {}
            }
        }
    }

    fn show(&mut self, names: &[&str]) {
        let serf = self.serf.as_ref().unwrap();
        for name in names {
            let known = serf.member(&Name::from(*name));
            self.shown.push(known.map_or(format!("{name} unknown"), |known| text::known(&known)));
        }
    }

    /// The clocks, what is kept, and the counters of these names.
    fn stats(&mut self, names: &[&str]) {
        let stats = self.serf.as_ref().unwrap().stats();
        self.shown.push(format!(
            "clocks {} {} {} members={} failed={} left={} intents={} questions={} queries={}",
            stats.time.0,
            stats.event_time.0,
            stats.query_time.0,
            stats.members,
            stats.failed,
            stats.left,
            stats.intents,
            stats.questions,
            stats.queries
        ));
        let counters = format!("{:?}", stats.counters);
        let counters = counters.trim_matches(|c| !"{}".contains(c)).trim_matches(['{', '}']);
        let wanted: Vec<&str> = counters
            .split(", ")
            .map(str::trim)
            .filter(|counter| names.iter().any(|name| counter.split(':').next() == Some(name)))
            .collect();
        assert_eq!(wanted.len(), names.len(), "unknown counters among {names:?}");
        if !wanted.is_empty() {
            self.shown.push(wanted.join(" "));
        }
    }
}

fn heard(message: Bytes) -> Input {
    Input::Receive { from: place("z"), messages: vec![Packet::User(message)] }
}

fn belief(words: &[&str]) -> Packet {
    let node = Name::from(words[1]);
    let incarnation = number(words[2]).try_into().unwrap();
    if words[0] == "alive" {
        let facts = facts(words[1], words).into();
        return Packet::Alive(Alive { incarnation, facts });
    }
    // `dead b 1 by c`, or by itself.
    let from = Name::from(words.get(4).copied().unwrap_or(words[1]));
    Packet::Dead(Dead { incarnation, node, from })
}

/// `heard-join b 3`, `heard-leave b 3 [prune]`, `event 1 NAME PAYLOAD`, `query 1#7 NAME PAYLOAD …`,
/// `answer 1#7 FROM PAYLOAD`, `ack 1#7 FROM`, `relay TO …`.
fn serf_message(words: &[&str]) -> Bytes {
    let payload = |at: usize| long(words.get(at).unwrap_or(&""));
    let message = match words[0] {
        "heard-join" => Message::Join(Join { ltime: ltime(words[2]), node: Name::from(words[1]) }),
        "heard-leave" => Message::Leave(Leave {
            ltime: ltime(words[2]),
            node: Name::from(words[1]),
            prune: words.contains(&"prune"),
        }),
        "event" => Message::Event(UserEvent {
            ltime: ltime(words[1]),
            name: payload(2),
            payload: payload(3),
            coalesce: false,
        }),
        "query" => Message::Query(query(words)),
        "answer" | "ack" => {
            let QueryId { ltime, id } = query_id(words[1]);
            let ack = words[0] == "ack";
            let flags = if ack { Response::ACK } else { 0 };
            let from = Name::from(words[2]);
            Message::Response(Response { ltime, id, from, flags, payload: payload(3) })
        }
        "vote" => {
            let QueryId { ltime, id } = query_id(words[1]);
            let facts = facts("a", words);
            let member = serf::Member {
                name: facts.name,
                addr: facts.addr,
                port: facts.port,
                tags: Tags::default(),
                status: serf::Status::Alive,
                protocol: [1, 5, 2],
                delegate: [2, 5, 5],
            };
            let payload = encoded(&Message::Conflict(Some(member)));
            Message::Response(Response { ltime, id, from: Name::from(words[2]), flags: 0, payload })
        }
        "relay" => {
            let Address { addr, port } = place(words[1]);
            let (node, message) = (Name::from(words[1]), serf_message(&words[2..]));
            Message::Relay(Relay { addr, port, zone: Bytes::new(), node, message })
        }
        "keys" => Message::KeyResponse(KeyResponse::default()),
        other => panic!("{other} is no command"),
    };
    encoded(&message)
}

fn encoded(message: &Message) -> Bytes {
    let mut out = Vec::new();
    serf::encode(message, &mut out);
    out.into()
}

/// `query L#ID NAME PAYLOAD [from=N] [ack] [alone] [relay=N] [timeout=MS] [key] [filter=…]…`.
fn query(words: &[&str]) -> Query {
    let QueryId { ltime, id } = query_id(words[1]);
    let source = option(words, "from").unwrap_or("b");
    let Address { addr, port } = place(source);
    let payload = words.get(3).filter(|word| !word.contains('=')).map_or(Bytes::new(), |w| long(w));
    let key = words.contains(&"key");
    let ack = if words.contains(&"ack") { Query::ACK } else { 0 };
    let alone = if words.contains(&"alone") { Query::NO_BROADCAST } else { 0 };
    let timeout = Duration::from_millis(option(words, "timeout").map_or(3000, number));
    Query {
        ltime,
        id,
        addr,
        port,
        source: Name::from(source),
        filters: filters(words).iter().map(Filter::encode).collect(),
        flags: ack | alone,
        relay_factor: option(words, "relay").map_or(0, number).try_into().unwrap(),
        timeout_ns: timeout.as_nanos().try_into().unwrap(),
        name: bytes(words[2]),
        payload: if key {
            encoded(&Message::KeyRequest(KeyRequest { key: payload }))
        } else {
            payload
        },
    }
}

/// `ask NAME PAYLOAD`, `ask ping`, `ask keys list|install KEY`, with `[ack] [relay=N] [timeout=MS]
/// [filter=…]…`.
fn question(words: &[&str]) -> Question {
    let topic = match words[0] {
        "ping" => Topic::Ping,
        "keys" => Topic::Keys(match words[1] {
            "list" => KeyOperation::List,
            "install" => KeyOperation::Install(bytes(words[2])),
            "use" => KeyOperation::Use(bytes(words[2])),
            _ => KeyOperation::Remove(bytes(words[2])),
        }),
        name => Topic::Named { name: bytes(name), payload: long(words.get(1).unwrap_or(&"")) },
    };
    Question {
        topic,
        filters: filters(words),
        ack: words.contains(&"ack"),
        relay_factor: option(words, "relay").map_or(0, number).try_into().unwrap(),
        timeout: option(words, "timeout").map(number).map(Duration::from_millis),
    }
}

/// `keyring L#ID [ok] [MESSAGE] [count=N]`.
fn keys(words: &[&str]) -> KeyResponse {
    let count = option(words, "count").map_or(0, number);
    let key = Bytes::from_static(b"8FyGUBXiFYYyCnwYlLZcXJmZ1iYcVgZcOYOqvYXtLdE=");
    KeyResponse {
        result: words.contains(&"ok"),
        message: option(words, "message").map_or(Bytes::new(), long),
        keys: (0..count).map(|_| key.clone()).collect(),
        primary_key: if count > 0 { key } else { Bytes::new() },
    }
}

fn query_id(word: &str) -> QueryId {
    let (time, id) = word.split_once('#').unwrap();
    QueryId { ltime: ltime(time), id: number(id).try_into().unwrap() }
}

/// `[join] alive:b:1 dead:c:2 clocks=S,E,Q status=b:3,c:4 left=c events=1:deploy,2:restart` or
/// `user=BYTES`.
fn exchange(words: &[&str]) -> Exchange {
    let rows = words.iter().filter_map(|word| {
        let mut parts = word.split(':');
        let state = match parts.next()? {
            "alive" => State::Alive,
            "suspect" => State::Suspect,
            "dead" => State::Dead,
            "left" => State::Left,
            _ => return None,
        };
        let (name, incarnation) = (parts.next()?, number(parts.next()?).try_into().unwrap());
        Some(NodeState { facts: facts(name, &[]).into(), incarnation, state })
    });
    let list =
        |key: &str| option(words, key).unwrap_or("").split(',').filter(|word| !word.is_empty());
    let clocks: Vec<LTime> = list("clocks").map(ltime).collect();
    let events = list("events").map(|word| {
        let (time, name) = word.split_once(':').unwrap();
        let events = vec![Happening { name: bytes(name), payload: Bytes::new() }];
        Some(Moment { ltime: ltime(time), events })
    });
    let state = PushPull {
        ltime: clocks.first().copied().unwrap_or_default(),
        event_ltime: clocks.get(1).copied().unwrap_or_default(),
        query_ltime: clocks.get(2).copied().unwrap_or_default(),
        status: list("status")
            .map(|word| {
                let (name, time) = word.split_once(':').unwrap();
                (Name::from(name), ltime(time))
            })
            .collect(),
        left: list("left").map(Name::from).collect(),
        events: Ring::from_slots(events),
    };
    let user = option(words, "user").map_or_else(|| encoded(&Message::PushPull(state)), bytes);
    Exchange { join: words.contains(&"join"), nodes: rows.collect(), user }
}
