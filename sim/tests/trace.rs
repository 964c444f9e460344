//! The trace: its hash sees everything, its timeline reads like a story.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use bytes::Bytes;
use node::{Body as ReplyBody, Header, Reply, Request, RequestId};
use protocol::raft::{Body, Entry, HardState, Message, Payload, Restored, Role, Write, WriteId};
use protocol::{Index, Position, Term, Time};
use sim::fault::Fault;
use sim::seen::{Fate, Place, Seen, View, id};
use sim::trace::{Picture, Timeline, Trace, svg, timeline};
use store::{Command, Outcome, Put};

fn at(index: u64, term: u64) -> Position {
    Position::new(Term(term), Index(index))
}

fn view(role: Role, term: u64, leader: Option<Place>, commit: u64) -> View {
    View {
        role,
        term: Term(term),
        leader: leader.map(id),
        commit: Index(commit),
        applied: Position::ORIGIN,
        last: Position::ORIGIN,
        revision: 1,
        compact_revision: 0,
        digest: None,
    }
}

fn said(term: u64, body: Body) -> Message {
    Message { term: Term(term), body }
}

fn put(key: &str, value: &str) -> Command {
    Command::Put(Put {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        ..Put::default()
    })
}

fn entry(position: Position, command: Option<&Command>) -> Entry {
    let payload = command.map_or(Payload::Empty, |command| {
        Payload::Command(node::codec::Envelope::seal(id(1), 1, 1, command))
    });
    Entry { position, payload }
}

/// Three nodes told by hand: an election, a write, a cut, a crash.
struct Story {
    trace: Trace,
    now: u64,
    messages: u64,
    writes: u64,
}

impl Story {
    fn after(&mut self, micros: u64) -> &mut Self {
        self.now += micros * 1_000;
        self
    }

    fn see(&mut self, seen: &Seen<'_>) {
        self.trace.see(Time(self.now), seen);
    }

    fn turn(&mut self, place: Place, role: Role, term: u64, leader: Option<Place>, commit: u64) {
        self.see(&Seen::Turn { at: place, view: &view(role, term, leader, commit), last: false });
    }

    /// Sends to several; all of it arrives from 2 ms on, a little apart.
    fn send(&mut self, from: Place, to: &[Place], message: &Message) {
        let first = self.messages;
        for (number, &to) in (first..).zip(to) {
            let fate = Fate::Arrives(Time(self.now + 2_000_000 + (number - first) * 300_000));
            self.see(&Seen::Sent { from, to, number, message, fate });
            self.messages += 1;
        }
        self.after(2_000);
        for (number, &to) in (first..).zip(to) {
            self.see(&Seen::Delivered { from, to, number, message });
            self.after(300);
        }
    }

    fn fail(&mut self, from: Place, to: Place, message: &Message, fate: Fate) {
        let number = self.messages;
        self.messages += 1;
        self.see(&Seen::Sent { from, to, number, message, fate });
    }

    fn append(&mut self, at: Place, entries: &[Entry]) {
        self.writes += 1;
        let id = WriteId(self.writes);
        let write = Write { entries: entries.to_vec(), ..Write::default() };
        self.see(&Seen::Handed { at, id, write: &write });
        self.after(500).see(&Seen::Durable { at, id });
    }

    fn elect(&mut self) {
        self.after(152_000).turn(1, Role::PreCandidate, 0, None, 0);
        self.send(1, &[0, 2], &said(1, Body::PreVote { last: Position::ORIGIN }));
        self.send(0, &[1], &said(1, Body::PreVoteReply { granted: true }));
        self.turn(1, Role::Candidate, 1, None, 0);
        self.send(1, &[0, 2], &said(1, Body::Vote { last: Position::ORIGIN, transfer: false }));
        self.turn(0, Role::Follower, 1, None, 0);
        self.turn(2, Role::Follower, 1, None, 0);
        self.send(2, &[1], &said(1, Body::VoteReply { granted: true }));
        self.turn(1, Role::Leader, 1, Some(1), 0);
    }

    fn replicate(&mut self, entries: &[Entry], base: Position, commit: u64) {
        let last = entries.last().unwrap().position.index;
        self.append(1, entries);
        let (entries_sent, commit, trim) = (entries.to_vec(), Index(commit), Index(0));
        self.send(1, &[0, 2], &said(1, Body::Append { base, entries: entries_sent, commit, trim }));
        self.append(0, entries);
        self.append(2, entries);
        self.send(0, &[1], &said(1, Body::AppendAccepted { matched: last }));
        self.turn(1, Role::Leader, 1, Some(1), last.0);
    }

    fn lonely_write(&mut self) {
        let links = vec![(1, 0), (0, 1), (1, 2), (2, 1)];
        self.see(&Seen::Fault(&Fault::Cut { shape: "isolated", links }));
        let lonely = entry(at(3, 1), Some(&put("x", "2")));
        self.append(1, std::slice::from_ref(&lonely));
        let (base, commit, trim) = (at(2, 1), Index(2), Index(0));
        let append = said(1, Body::Append { base, entries: vec![lonely], commit, trim });
        self.fail(1, 0, &append, Fate::Cut);
        self.fail(1, 2, &append, Fate::Lost);
    }
}

fn told(trace: Trace) -> Trace {
    let mut story = Story { trace, now: 0, messages: 0, writes: 0 };
    let restored = Restored { hard_state: HardState::default(), ..Restored::default() };
    for place in 0..3 {
        story.see(&Seen::Started { at: place, life: 1, restored: &restored });
    }
    story.elect();
    story.replicate(&[entry(at(1, 1), None)], Position::ORIGIN, 0);
    let request = Request::Write(put("x", "1"));
    story.after(40_000).see(&Seen::Asked { at: 1, id: RequestId(7), request: &request });
    story.replicate(&[entry(at(2, 1), Some(&put("x", "1")))], at(1, 1), 1);
    let header = Header { revision: 2, term: Term(1) };
    let reply = Reply { header, body: Ok(ReplyBody::Outcome(Outcome::Put { prev: None })) };
    story.see(&Seen::Replied { at: 1, id: RequestId(7), reply: &reply });
    let heartbeat = said(1, Body::Heartbeat { round: 1, commit: Index(2), trim: Index(0) });
    story.after(90_000).send(1, &[0, 2], &heartbeat);
    story.turn(0, Role::Follower, 1, Some(1), 2);
    story.send(0, &[1], &said(1, Body::HeartbeatReply { round: 1 }));
    story.see(&Seen::Note("The leader is cut off; what it still takes cannot be committed."));
    story.lonely_write();
    story.after(30_000).see(&Seen::Crashed { at: 2 });
    story.after(900_000).see(&Seen::Fault(&Fault::Healed));
    story.trace
}

#[test]
fn equal_runs_have_equal_hashes_recorded_or_not() {
    let (plain, recorded) = (told(Trace::new(3, false)), told(Trace::new(3, true)));
    assert_eq!(plain.hash(), recorded.hash());
    assert_eq!(plain.events(), recorded.events());
    assert!(plain.record().is_none());
}

#[test]
fn any_difference_changes_the_hash() {
    let base = told(Trace::new(3, false));
    let vote = said(1, Body::Vote { last: at(1, 1), transfer: false });
    let see = |number: u64, message: &Message, fate: Fate, now: u64| {
        let mut trace = base.clone();
        trace.see(Time(now), &Seen::Sent { from: 0, to: 1, number, message, fate });
        trace.hash()
    };
    let arrives = Fate::Arrives(Time(9_000_000_000));
    let hashes = [
        base.hash(),
        see(1, &vote, arrives, 5),
        see(2, &vote, arrives, 5),
        see(1, &vote, arrives, 6),
        see(1, &vote, Fate::Lost, 5),
        see(1, &vote, Fate::Cut, 5),
        see(1, &said(2, vote.body.clone()), arrives, 5),
        see(1, &said(1, Body::Vote { last: at(1, 1), transfer: true }), arrives, 5),
        see(1, &said(1, Body::Vote { last: at(2, 1), transfer: false }), arrives, 5),
        see(1, &said(1, Body::PreVote { last: at(1, 1) }), arrives, 5),
        see(1, &said(1, Body::VoteReply { granted: true }), arrives, 5),
        see(1, &said(1, Body::VoteReply { granted: false }), arrives, 5),
    ];
    let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
    assert_eq!(distinct.len(), hashes.len());
}

#[test]
fn the_timeline_tells_the_story() {
    let trace = told(Trace::new(3, true));
    let text = timeline(trace.record().unwrap(), &Timeline::default());
    for expected in [
        "n2 becomes pre-candidate in term 0",
        "·◀──?   ·   t1 PreVote last=0@0",
        "n2 becomes leader in term 1",
        "client asks n2: put x=1",
        "n2 answers: done, revision 2",
        "2 routine messages",
        "isolated: n1 n3 | n2",
        "(cut off)",
        "(lost)",
        "✖ n3 crashes",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn the_log_in_the_end_is_what_the_node_holds() {
    let trace = told(Trace::new(3, true));
    let nodes = &trace.record().unwrap().nodes;
    let terms = |at: usize| nodes[at].log.iter().map(|held| held.term).collect::<Vec<_>>();
    assert_eq!((terms(0), terms(1), terms(2)), (vec![1, 1], vec![1, 1, 1], vec![1, 1]));
    assert_eq!(nodes[1].log[1].command, "put x=1");
    assert_eq!((nodes[0].commit, nodes[1].commit), (2, 2));
}

#[test]
fn json_holds_nodes_and_lines() {
    let trace = told(Trace::new(3, true));
    let record = trace.record().unwrap();
    let json: serde_json::Value = serde_json::from_str(&record.json()).unwrap();
    assert_eq!(json["nodes"].as_array().unwrap().len(), 3);
    assert_eq!(json["lines"].as_array().unwrap().len(), record.lines.len());
    assert_eq!(json["nodes"][1]["standing"], "leader");
    let crash = json["lines"].as_array().unwrap().iter().find(|line| line["what"] == "crashed");
    assert_eq!(crash.unwrap()["at"], 2);
}

/// Whether every tag is closed in order and every attribute is quoted.
fn is_well_formed(svg: &str) -> bool {
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        let Some(end) = rest[start..].find('>') else { return false };
        let tag = &rest[start + 1..start + end];
        rest = &rest[start + end + 1..];
        if text.contains('&')
            && !["&amp;", "&lt;", "&gt;", "&quot;"].iter().any(|e| text.contains(e))
            || !tag.matches('"').count().is_multiple_of(2)
        {
            return false;
        }
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap_or(""));
        }
    }
    open.is_empty() && rest.trim().is_empty()
}

#[test]
fn the_picture_is_well_formed_and_has_a_lane_for_each_node() {
    let picture = Picture { title: "a < b & \"c\"".to_owned(), ..Picture::default() };
    let draw = || svg(told(Trace::new(3, true)).record().unwrap(), &picture);
    let drawn = draw();
    assert!(is_well_formed(&drawn));
    assert!(!is_well_formed(&drawn.replacen("</g>", "", 1)));
    assert_eq!(drawn.matches("<g class=\"lane\">").count(), 3);
    assert_eq!(drawn.matches("<g class=\"log\">").count(), 3);
    assert!(drawn.contains("a &lt; b &amp; &quot;c&quot;"));
    assert!(!drawn.contains("NaN"), "a coordinate is no number");
    assert_eq!(drawn, draw());
}

#[test]
fn routine_is_folded_unless_asked_for() {
    let trace = told(Trace::new(3, true));
    let record = trace.record().unwrap();
    let lines = |quiet: bool| {
        let look = Timeline { quiet, ..Timeline::default() };
        timeline(record, &look).lines().filter(|line| line.contains("Heartbeat")).count()
    };
    assert_eq!((lines(false), lines(true)), (0, 3));
    let labels = |routine: bool| {
        let picture = Picture { routine, ..Picture::default() };
        svg(record, &picture).matches("heartbeat t1, commit 2").count()
    };
    assert_eq!((labels(false), labels(true)), (0, 2));
}

#[test]
fn a_picture_may_begin_later_and_knows_what_was_before() {
    let trace = told(Trace::new(3, true));
    let record = trace.record().unwrap();
    let from_ns = 300_000_000;
    let drawn = svg(record, &Picture { from_ns, ..Picture::default() });
    assert!(drawn.contains("crash") && !drawn.contains("pre-vote t1?"), "the election was before");
    assert!(!drawn.contains("clients"), "the only write of a client was before");
    let text = timeline(record, &Timeline { from_ns, ..Timeline::default() });
    let mut events = text.lines().skip(1).filter(|line| !line.contains('⋮'));
    assert!(events.all(|line| line.contains('L')), "n2 leads all along:\n{text}");
    assert!(!text.contains("PreVote"), "{text}");
}

#[test]
fn long_lines_are_cut_and_remarks_are_wrapped() {
    let trace = told(Trace::new(3, true));
    let look = Timeline { width: 60, ..Timeline::default() };
    let text = timeline(trace.record().unwrap(), &look);
    assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    assert!(text.contains('…') && text.contains("committed."), "{text}");
    let colours = Timeline { colour: true, ..Timeline::default() };
    assert!(timeline(trace.record().unwrap(), &colours).contains("\x1b[32m"));
}
