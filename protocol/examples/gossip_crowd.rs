//! A pool in one process: `cargo run --release -p protocol --example gossip_crowd -- 3000 30`.
//!
//! So many members, so many seconds of their time on a network that loses nothing, and what it
//! took. In the end a member dies.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::swim::message::{Addr, Facts, Message, Name, Vsn};
use protocol::swim::wire::encoded_len;
use protocol::swim::{Address, Config, Event, Identity, Input, Output, Swim};
use protocol::{Rng, Time};

/// How long a packet is under way.
const LATENCY: Duration = Duration::from_millis(1);

struct Crowd {
    members: Vec<Swim>,
    places: BTreeMap<Address, usize>,
    /// Who wants to be woken when, and who gets what when.
    due: BinaryHeap<Reverse<(Time, u64, usize)>>,
    under_way: BTreeMap<u64, (Address, Vec<Message>)>,
    wakes: Vec<Time>,
    number: u64,
    packets: u64,
    bytes: u64,
    inputs: u64,
    dead: Option<usize>,
    failed: Vec<Time>,
    suspected: Vec<Time>,
}

fn facts(member: usize) -> Facts {
    let [.., one, two, three] = u32::try_from(member).unwrap_or(0).to_be_bytes();
    let (name, addr) = (format!("member-{member:05}"), Addr::from([10, one, two, three]));
    let meta = Bytes::from_static(b"role=agent");
    Facts { name: Name::from(name.as_str()), addr, port: 7946, meta, vsn: Vsn::SERF }
}

impl Crowd {
    fn new(size: usize) -> Self {
        let all: Vec<Arc<Facts>> = (0..size).map(|member| Arc::new(facts(member))).collect();
        let mut rng = Rng::new(1);
        let member = |member: usize| {
            let identity = Identity { facts: facts(member), incarnation: None };
            let config = Config { exchange_interval: None, ..Config::LAN };
            let mut swim = Swim::new(config, identity, rng.next());
            swim.acquaint(all.iter().cloned());
            swim
        };
        let members: Vec<Swim> = (0..size).map(member).collect();
        let mut crowd = Self {
            members,
            places: all.iter().enumerate().map(|(at, facts)| (Address::of(facts), at)).collect(),
            due: BinaryHeap::new(),
            under_way: BTreeMap::new(),
            wakes: vec![Time(u64::MAX); size],
            number: 0,
            packets: 0,
            bytes: 0,
            inputs: 0,
            dead: None,
            failed: Vec::new(),
            suspected: Vec::new(),
        };
        (0..size).for_each(|member| crowd.input(Time(0), member, Input::Timeout));
        crowd
    }

    fn run(&mut self, end: Time) {
        while let Some(&Reverse((now, number, member))) = self.due.peek() {
            if now > end {
                break;
            }
            self.due.pop();
            let packet = self.under_way.remove(&number);
            if self.dead == Some(member) {
                continue;
            }
            match packet {
                Some((from, messages)) => {
                    self.input(now, member, Input::Receive { from, messages });
                }
                None if self.wakes[member] == now => self.input(now, member, Input::Timeout),
                None => {}
            }
        }
    }

    fn input(&mut self, now: Time, member: usize, input: Input) {
        self.inputs += 1;
        self.members[member].handle(now, input);
        while let Some(output) = self.members[member].poll_output() {
            match output {
                Output::Send { to, messages, .. } => self.send(now, member, to, messages),
                Output::Event(Event::Failed(_)) => self.failed.push(now),
                Output::Event(Event::Suspected { .. }) => self.suspected.push(now),
                _ => {}
            }
        }
        let Some(due) = self.members[member].poll_timeout() else { return };
        if due != self.wakes[member] {
            self.wakes[member] = due;
            self.number += 1;
            self.due.push(Reverse((due, self.number, member)));
        }
    }

    fn send(&mut self, now: Time, from: usize, to: Address, messages: Vec<Message>) {
        let length: usize = messages.iter().map(encoded_len).sum();
        self.packets += 1;
        self.bytes += length as u64;
        self.number += 1;
        let Some(&place) = self.places.get(&to) else { return };
        let from = Address::of(&facts(from));
        self.under_way.insert(self.number, (from, messages));
        self.due.push(Reverse((now + LATENCY, self.number, place)));
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse::<usize>());
    let size = arguments.next().and_then(Result::ok).unwrap_or(1000);
    let seconds = arguments.next().and_then(Result::ok).unwrap_or(30) as u64;
    let began = Instant::now();
    let mut crowd = Crowd::new(size);
    let row = crowd.members[0].status().table_bytes as f64 / size as f64;
    println!("{size} members in {:.1?}, {row:.1} bytes a row", began.elapsed());
    // Their own first words are over after some seconds.
    let mut now = Time(10_000_000_000);
    crowd.run(now);
    let before = (crowd.packets, crowd.bytes, crowd.inputs);
    let began = Instant::now();
    now = now + Duration::from_secs(seconds);
    crowd.run(now);
    let (wall, member) = (began.elapsed().as_secs_f64(), size as f64 * seconds as f64);
    println!(
        "quiet: {:.1} s of theirs a second of ours, {:.0} ns an input; \
         {:.3} packets and {:.1} bytes a member and second",
        seconds as f64 / wall,
        wall * 1e9 / (crowd.inputs - before.2) as f64,
        (crowd.packets - before.0) as f64 / member,
        (crowd.bytes - before.1) as f64 / member,
    );
    crowd.dead = Some(0);
    (crowd.failed, crowd.suspected) = (Vec::new(), Vec::new());
    let (died, began) = (now, Instant::now());
    now = now + Duration::from_secs(120);
    crowd.run(now);
    let after = |times: &[Time], at: usize| times.get(at).map(|&time| time - died);
    println!(
        "a death: suspected first after {:.1?}, dead to the first after {:.1?}, to {} of {} after \
         {:.1?}; {:.1} s of theirs a second of ours",
        after(&crowd.suspected, 0),
        after(&crowd.failed, 0),
        crowd.failed.len(),
        size - 1,
        crowd.failed.last().map(|&time| time - died),
        120.0 / began.elapsed().as_secs_f64(),
    );
}
