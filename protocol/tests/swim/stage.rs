//! The stage of a script: one member, `a`, to whom the script says what it likes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use protocol::Time;
use protocol::swim::message::{
    Ack, Addr, Alive, Dead, Facts, IndirectPing, Message, Nack, Name, NodeState, Ping, PushPull,
    Source, State, Suspect, Vsn,
};
use protocol::swim::{
    Address, Config, Event, ExchangeId, Identity, Input, Lane, Output, StreamId, Swim, Tag,
};

/// The value of `key=value` among words.
fn option<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

fn number(word: &str) -> u32 {
    word.parse().unwrap_or_else(|_| panic!("{word} is not a number"))
}

/// Where a member of this name is: `a` at 10.0.0.1, `b` at 10.0.0.2 and so on.
fn place(name: &str) -> Address {
    Address { addr: Addr::from([10, 0, 0, name.as_bytes()[0] - b'a' + 1]), port: 7946 }
}

fn facts(name: &str, words: &[&str]) -> Facts {
    let mut addr = place(name).addr;
    if let Some(text) = option(words, "addr") {
        addr = match text.parse().unwrap() {
            std::net::IpAddr::V4(v4) => Addr::from(v4.octets()),
            std::net::IpAddr::V6(v6) => Addr::from(v6.octets()),
        };
    }
    let vsn = option(words, "vsn").map_or(Vsn::SERF, |text| {
        let bytes: Vec<u8> = text.split(',').map(|byte| byte.parse().unwrap()).collect();
        Vsn(bytes.try_into().unwrap())
    });
    let meta = Bytes::copy_from_slice(option(words, "meta").unwrap_or("").as_bytes());
    let port = option(words, "port").map_or(7946, |port| port.parse().unwrap());
    Facts { name: Name::from(name), addr, port, meta, vsn }
}

pub(crate) struct Stage {
    now: Time,
    swim: Option<Swim>,
    /// The own numbers in the order in which they were seen: `#1`, `#2`, …
    numbers: BTreeMap<u32, usize>,
    last: u32,
    exchange: Option<ExchangeId>,
    /// Who answers pings.
    answering: BTreeSet<Name>,
    answers: Vec<(Address, u32)>,
    quiet: bool,
    gossip: bool,
    shown: Vec<String>,
}

impl Stage {
    pub(crate) const fn new() -> Self {
        Self {
            now: Time(0),
            swim: None,
            numbers: BTreeMap::new(),
            last: 0,
            exchange: None,
            answering: BTreeSet::new(),
            answers: Vec::new(),
            quiet: false,
            gossip: false,
            shown: Vec::new(),
        }
    }

    /// Runs one command and gives what is to be shown.
    pub(crate) fn run(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.quiet = words[0] == "~";
        self.gossip = words.contains(&"gossip");
        let words = &words[usize::from(self.quiet)..];
        match words[0] {
            "member" => self.member(&words[1..]),
            "pool" => {
                self.quiet = true;
                for name in &words[1..] {
                    self.command(&["alive", name, "1"]);
                    self.answering.insert(Name::from(*name));
                }
                self.wait(Duration::from_secs(3));
                self.shown.clear();
            }
            "wait" => self.wait(Duration::from_millis(number(words[1]).into())),
            "silent" => words[1..].iter().for_each(|name| {
                self.answering.remove(&Name::from(*name));
            }),
            "answering" => self.answering.extend(words[1..].iter().map(|name| Name::from(*name))),
            "show" => self.show(&words[1..]),
            "status" => self.status(),
            "lane" => {
                let message = Bytes::copy_from_slice(words[2].as_bytes());
                let lane = Lane::ALL[number(words[1]) as usize];
                let name = option(words, "name").map(Name::from);
                let tag = option(words, "tag").map(|tag| Tag(number(tag).into()));
                self.input(Input::Broadcast { lane, name, tag, message });
            }
            _ => self.command(words),
        }
        if let Some(swim) = &self.swim {
            swim.assert_invariants();
        }
        std::mem::take(&mut self.shown)
    }

    fn member(&mut self, words: &[&str]) {
        let config = if words.contains(&"local") { Config::LOCAL } else { Config::LAN };
        let config = Config {
            exchange_interval: config.exchange_interval.filter(|_| words.contains(&"exchange")),
            stream_ping: !words.contains(&"nostream"),
            reclaim: config.reclaim.filter(|_| !words.contains(&"noreclaim")),
            ..config
        };
        let incarnation = option(words, "incarnation").map(number);
        let identity = Identity { facts: facts("a", words), incarnation };
        self.swim = Some(Swim::new(config, identity, 1));
        self.input(Input::Timeout);
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.swim.as_ref().and_then(Swim::poll_timeout) {
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    fn command(&mut self, words: &[&str]) {
        let from = place(option(words, "from").unwrap_or("z"));
        let message = match words[0] {
            "alive" | "suspect" | "dead" => self.belief(words),
            "ping" => {
                let node = Name::from(option(words, "to").unwrap_or("a"));
                let source = option(words, "as").map(source);
                Message::Ping(Ping { seq: number(words[1]), node, source })
            }
            "ask" => {
                let Address { addr, port } = place(words[2]);
                Message::IndirectPing(IndirectPing {
                    seq: number(words[1]),
                    target: addr,
                    port,
                    node: Name::from(words[2]),
                    nack: words.contains(&"nack"),
                    source: None,
                })
            }
            "ack" => {
                let payload = option(words, "payload").unwrap_or("");
                let payload = Bytes::copy_from_slice(payload.as_bytes());
                Message::Ack(Ack { seq: self.seq(words[1]), payload })
            }
            "nack" => Message::Nack(Nack { seq: self.seq(words[1]) }),
            "user" => Message::User(Bytes::copy_from_slice(words[1].as_bytes())),
            _ => return self.other(words),
        };
        self.input(Input::Receive { from, messages: vec![message] });
    }

    fn belief(&self, words: &[&str]) -> Message {
        let (node, incarnation) = (Name::from(words[1]), number(words[2]));
        let from = Name::from(words.get(4).copied().unwrap_or(words[1]));
        match words[0] {
            "alive" => {
                let facts = facts(words[1], words).into();
                Message::Alive(Alive { incarnation, facts })
            }
            "suspect" => Message::Suspect(Suspect { incarnation, node, from }),
            _ => Message::Dead(Dead { incarnation, node, from }),
        }
    }

    /// `last`, `#3` or any number.
    fn seq(&self, word: &str) -> u32 {
        match word.strip_prefix('#') {
            Some(place) => {
                let place = number(place) as usize;
                *self.numbers.iter().find(|(_, number)| **number == place).unwrap().0
            }
            None if word == "last" => self.last,
            None => number(word),
        }
    }

    fn other(&mut self, words: &[&str]) {
        let input = match words[0] {
            "streamacked" => Input::StreamAcked { seq: self.seq(words[1]) },
            "unsent" => Input::Unsent { seq: self.seq(words[1]) },
            "asked" => Input::Asked { id: StreamId(7), state: rows(&words[1..]) },
            "exchanged" => {
                let state = (words.get(1) != Some(&"failed")).then(|| rows(&words[1..]));
                Input::Exchanged { id: self.exchange.take().unwrap_or(ExchangeId(0)), state }
            }
            "join" => Input::Join { tag: Tag(1), to: place(words[1]) },
            "update" => Input::Update { meta: Bytes::copy_from_slice(words[1].as_bytes()) },
            "payload" => Input::Payload(Bytes::copy_from_slice(words[1].as_bytes())),
            "tell" => Input::Tell {
                to: place(words[1]),
                message: Bytes::copy_from_slice(words[2].as_bytes()),
            },
            "leave" => Input::Leave { patience: Duration::from_millis(number(words[1]).into()) },
            "stall" => {
                self.now = self.now + Duration::from_millis(number(words[1]).into());
                Input::Timeout
            }
            other => panic!("{other} is no command"),
        };
        self.input(input);
    }

    fn input(&mut self, input: Input) {
        let now = self.now;
        self.swim.as_mut().expect("a member").handle(now, input);
        loop {
            while let Some(output) = self.swim.as_mut().unwrap().poll_output() {
                self.output(&output);
            }
            let Some((from, seq)) = self.answers.pop() else { break };
            let messages = vec![Message::Ack(Ack { seq, payload: Bytes::new() })];
            self.swim.as_mut().unwrap().handle(now, Input::Receive { from, messages });
        }
    }

    fn print(&mut self, loud: bool, text: String) {
        if loud || !self.quiet {
            let at = Duration::from_nanos(self.now.0).as_secs_f64();
            self.shown.push(format!("{at:.3} {text}"));
        }
    }

    fn output(&mut self, output: &Output) {
        let text = match output {
            Output::Send { to, messages, .. } => {
                let carries = messages.iter().any(|message| !is_gossip(message));
                let parts: Vec<String> = messages.iter().map(|m| self.message(m)).collect();
                let answered = match &messages[0] {
                    Message::Ping(ping) if self.answering.contains(&ping.node) => {
                        self.answers.push((*to, ping.seq));
                        messages.len() == 1
                    }
                    _ => false,
                };
                if answered || (!carries && !self.gossip) {
                    return;
                }
                format!(">{} {}", whom(*to), parts.join(" + "))
            }
            Output::StreamPing { to, ping, deadline } => {
                let seq = self.own(ping.seq);
                format!("stream>{} ping {seq} until {}", whom(*to), seconds(*deadline))
            }
            Output::Exchange { id, to, state, deadline } => {
                self.exchange = Some(*id);
                let until = seconds(*deadline);
                format!("stream>{} {} until {until}", whom(*to), push_pull(state))
            }
            Output::Answer { state, .. } => format!("answer {}", push_pull(state)),
            Output::Joined { result, .. } => format!("joined {result:?}"),
            Output::Incarnation(incarnation) => format!("incarnation {incarnation}"),
            Output::User(message) => format!("user {}", text(message)),
            Output::UserState { join, state } => format!("state {} join={join}", text(state)),
            Output::Acked { payload, .. } if payload.is_empty() => return,
            Output::Acked { member, round_trip, payload } => {
                let payload = text(payload);
                format!("acked by {} in {round_trip:?} {payload}", member.name).trim_end().into()
            }
            Output::Sent(tag) => format!("sent {}", tag.0),
            Output::Gone { told } => format!("gone told={told}"),
            Output::Event(event) => return self.print(true, event_text(event)),
        };
        self.print(false, text);
    }

    fn own(&mut self, seq: u32) -> String {
        let next = self.numbers.len() + 1;
        self.last = seq;
        format!("#{}", self.numbers.entry(seq).or_insert(next))
    }

    fn message(&mut self, message: &Message) -> String {
        match message {
            Message::Ping(ping) => format!("ping {} {}", self.own(ping.seq), ping.node),
            Message::IndirectPing(ask) => {
                let nack = if ask.nack { " nack" } else { "" };
                format!("ask {} {}{nack}", self.own(ask.seq), ask.node)
            }
            Message::Ack(ack) => {
                format!("ack {} {}", ack.seq, text(&ack.payload)).trim_end().into()
            }
            Message::Nack(nack) => format!("nack {}", nack.seq),
            Message::Suspect(told) => {
                format!("suspect {} {} by {}", told.node, told.incarnation, told.from)
            }
            Message::Dead(told) => {
                format!("dead {} {} by {}", told.node, told.incarnation, told.from)
            }
            Message::Alive(told) => {
                let meta = text(&told.facts.meta);
                format!("alive {} {} {meta}", told.facts.name, told.incarnation).trim_end().into()
            }
            Message::User(message) => format!("user {}", text(message)),
        }
    }

    fn show(&mut self, names: &[&str]) {
        let swim = self.swim.as_ref().unwrap();
        for name in names {
            let shown = match swim.member(&Name::from(*name)) {
                None => format!("{name} unknown"),
                Some(member) => {
                    let place = whom(Address::of(&member.facts));
                    let meta = text(&member.facts.meta);
                    let state = format!("{:?}", member.state).to_lowercase();
                    let text = format!("{name} {state} {} at {place} {meta}", member.incarnation);
                    text.trim_end().to_owned()
                }
            };
            self.shown.push(shown);
        }
    }

    fn status(&mut self) {
        let status = self.swim.as_ref().unwrap().status();
        self.shown.push(format!(
            "alive={} suspect={} dead={} left={} score={} queued={} links={:?}",
            status.alive,
            status.suspect,
            status.dead,
            status.left,
            status.health_score,
            status.queued,
            status.links
        ));
        let counters = status.counters;
        self.shown.push(format!(
            "failed={} late={} misdirected={} refused={} conflicts={} stalls={}",
            counters.probes_failed,
            counters.late_acks,
            counters.misdirected,
            counters.refused,
            counters.conflicts,
            counters.stalls
        ));
    }
}

fn source(name: &str) -> Source {
    let Address { addr, port } = place(name);
    Source { addr, port, node: Name::from(name) }
}

/// `alive:b:1 dead:c:2 [join] [user=TEXT]`.
fn rows(words: &[&str]) -> PushPull {
    let rows = words.iter().filter_map(|word| {
        let mut parts = word.split(':');
        let state = match parts.next()? {
            "alive" => State::Alive,
            "suspect" => State::Suspect,
            "dead" => State::Dead,
            "left" => State::Left,
            _ => return None,
        };
        let (name, incarnation) = (parts.next()?, number(parts.next()?));
        let rest: Vec<&str> = parts.collect();
        Some(NodeState { facts: facts(name, &rest).into(), incarnation, state })
    });
    let user = Bytes::copy_from_slice(option(words, "user").unwrap_or("").as_bytes());
    PushPull { join: words.contains(&"join"), nodes: rows.collect(), user }
}

fn push_pull(state: &PushPull) -> String {
    let row = |row: &NodeState| {
        format!("{:?}:{}:{}", row.state, row.facts.name, row.incarnation).to_lowercase()
    };
    let mut rows: Vec<String> = state.nodes.iter().map(row).collect();
    rows.sort_by_key(|row| row.split(':').nth(1).map(str::to_owned));
    format!("[{}]{}", rows.join(" "), if state.join { " join" } else { "" })
}

fn is_gossip(message: &Message) -> bool {
    match message {
        Message::Ping(_) | Message::IndirectPing(_) | Message::Ack(_) | Message::Nack(_) => false,
        Message::Suspect(_) | Message::Alive(_) | Message::Dead(_) | Message::User(_) => true,
    }
}

fn whom(to: Address) -> String {
    match to.addr.as_bytes() {
        [10, 0, 0, place] if to.port == 7946 => char::from(b'a' + place - 1).to_string(),
        _ => to.to_string(),
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn seconds(time: Time) -> String {
    format!("{:.3}", Duration::from_nanos(time.0).as_secs_f64())
}

fn event_text(event: &Event) -> String {
    match event {
        Event::Joined(facts) => format!("{} joined", facts.name),
        Event::Left(facts) => format!("{} left", facts.name),
        Event::Failed(facts) => format!("{} failed", facts.name),
        Event::Updated(facts) => format!("{} updated", facts.name),
        Event::Suspected { member, by } => format!("{} suspected by {by}", member.name),
        Event::Refuted { incarnation } => format!("refuted with {incarnation}"),
        Event::Conflict { held, other } => {
            let other = whom(Address::of(other));
            format!("conflict over {}: at {} and {other}", held.name, whom(Address::of(held)))
        }
        Event::Refused { member, reason } => format!("refused {member}: {reason:?}"),
        Event::Link { member, link } => format!("link to {}: {link:?}", member.name),
        Event::Stalled(time) => format!("stalled for {:.3}", time.as_secs_f64()),
    }
}
