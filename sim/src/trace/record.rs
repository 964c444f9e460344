//! What is kept of a run for people: its lines, and the log of each node.

use std::collections::BTreeMap;

use node::RequestId;
use protocol::raft::{Body, Message, Restored, Write, WriteId};
use protocol::{Index, Position, Time};
use serde::Serialize;

use super::line::{Carried, Line, Spot, Standing, What, name};
use super::words;
use crate::fault::Fault;
use crate::seen::{Fate, Place, Seen, View, place};

/// A run, for people: what happened, in order, and what each node's log was like in the end.
///
/// Its laws:
/// - lines are in the order in which they happened; times never fall;
/// - what a picture shows of a node at some line follows from the lines before it;
/// - a log at the end is what its node has in memory or, when it is down, on its disk.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The nodes, by place.
    pub nodes: Vec<NodeRecord>,
    /// What happened.
    pub lines: Vec<Line>,
    /// The time of the last event, in nanoseconds.
    pub ended_ns: u64,
    /// When each message that is under way left.
    #[serde(skip)]
    under_way: BTreeMap<u64, u64>,
}

/// One node of a record.
#[derive(Clone, Debug, Serialize)]
pub struct NodeRecord {
    /// How people call it.
    pub name: String,
    /// The log it first started with.
    pub opening: Vec<Boxed>,
    /// Its log in the end.
    pub log: Vec<Boxed>,
    /// The highest index that it ever knew to be committed.
    pub commit: u64,
    /// What it is.
    pub standing: Standing,
    /// Its term.
    pub term: u64,
    #[serde(skip)]
    leader: Option<Place>,
    #[serde(skip)]
    disk: Vec<Boxed>,
    #[serde(skip)]
    pending: Vec<PendingBoxes>,
}

/// A write on its way to the disk.
#[derive(Clone, Debug)]
struct PendingBoxes {
    id: WriteId,
    /// The log begins anew.
    anew: bool,
    entries: Vec<Boxed>,
}

/// An entry of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Boxed {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// What it commands, in a few words.
    pub command: String,
    /// It is a member's introduction of itself.
    pub introduction: bool,
}

impl NodeRecord {
    fn new(at: Place) -> Self {
        Self {
            name: name(at),
            opening: Vec::new(),
            log: Vec::new(),
            commit: 0,
            standing: Standing::Down,
            term: 0,
            leader: None,
            disk: Vec::new(),
            pending: Vec::new(),
        }
    }

    fn start(&mut self, restored: &Restored) {
        let end = restored.entries.last().map_or(restored.applied, |last| last.position.index);
        let mut log = Vec::new();
        for index in restored.base.index.0 + 1..=end.0 {
            let runs = restored.terms.iter().take_while(|(first, _)| first.0 <= index);
            let term = runs.last().map_or(0, |(_, term)| term.0);
            let entry = restored.entries.iter().find(|entry| entry.position.index.0 == index);
            let known = self.disk.iter().find(|held| held.index == index && held.term == term);
            let unknown = Boxed { index, term, command: String::new(), introduction: false };
            log.push(match (entry, known) {
                (Some(entry), _) => boxed(entry),
                (None, Some(held)) => held.clone(),
                (None, None) => unknown,
            });
        }
        self.disk.clone_from(&log);
        self.log = log;
        self.pending.clear();
        self.standing = Standing::Follower;
        self.term = restored.hard_state.term.0;
        self.commit = self.commit.max(restored.hard_state.commit.0);
        self.leader = None;
    }

    fn end(&mut self) {
        self.pending.clear();
        self.log.clone_from(&self.disk);
        self.standing = Standing::Down;
        self.leader = None;
    }

    fn last(&self) -> Spot {
        let zero = Spot { index: 0, term: 0 };
        self.log.last().map_or(zero, |last| Spot { index: last.index, term: last.term })
    }

    /// Takes a write; gives the entries that it cuts off.
    fn write(&mut self, id: WriteId, write: &Write) -> Option<(u64, u64)> {
        let entries: Vec<_> = write.entries.iter().map(boxed).collect();
        let anew = write.reset.is_some();
        if anew {
            self.log.clear();
        }
        let end = self.log.last().map_or(0, |last| last.index);
        let cut =
            entries.first().filter(|first| first.index <= end).map(|first| (first.index, end));
        append(&mut self.log, &entries);
        if anew || !entries.is_empty() {
            self.pending.push(PendingBoxes { id, anew, entries });
        }
        cut
    }

    fn durable(&mut self, id: WriteId) {
        let done = self.pending.partition_point(|pending| pending.id <= id);
        for PendingBoxes { anew, entries, .. } in self.pending.drain(..done) {
            if anew {
                self.disk.clear();
            }
            append(&mut self.disk, &entries);
        }
    }

    /// Whether the entry at an index is there and is an introduction.
    fn introduces(&self, index: Index) -> bool {
        self.log
            .iter()
            .rev()
            .find(|held| held.index == index.0)
            .is_some_and(|held| held.introduction)
    }

    /// Whether a message of this node is of the daily routine: heartbeats, and whatever is only
    /// about introductions.
    fn is_routine(&self, message: &Message) -> bool {
        match &message.body {
            Body::Heartbeat { .. } | Body::HeartbeatReply { .. } => true,
            Body::Append { entries, commit, .. } if entries.is_empty() => self.introduces(*commit),
            Body::Append { entries, .. } => {
                entries.iter().all(|entry| words::introduces(&entry.payload))
            }
            Body::AppendAccepted { matched } => self.introduces(*matched),
            Body::Propose { commands, .. } => commands.iter().all(words::is_introduction),
            Body::PreVote { .. }
            | Body::PreVoteReply { .. }
            | Body::Vote { .. }
            | Body::VoteReply { .. }
            | Body::AppendRejected(_)
            | Body::ReadIndex { .. }
            | Body::ReadIndexReply { .. }
            | Body::TransferLeadership { .. }
            | Body::TimeoutNow
            | Body::Snapshot { .. }
            | Body::SnapshotReply { .. }
            | Body::Mend(_) => false,
        }
    }

    fn trim(&mut self, base: Position) {
        self.log.retain(|held| held.index > base.index.0);
        self.disk.retain(|held| held.index > base.index.0);
    }
}

fn boxed(entry: &protocol::raft::Entry) -> Boxed {
    let Position { term, index } = entry.position;
    let introduction = words::introduces(&entry.payload);
    Boxed { index: index.0, term: term.0, command: words::payload(&entry.payload), introduction }
}

fn append(log: &mut Vec<Boxed>, entries: &[Boxed]) {
    let Some(first) = entries.first() else { return };
    log.retain(|held| held.index < first.index);
    log.extend_from_slice(entries);
}

impl Record {
    /// Of a world of so many nodes, none of which runs yet.
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            nodes: (0..nodes).map(NodeRecord::new).collect(),
            lines: Vec::new(),
            ended_ns: 0,
            under_way: BTreeMap::new(),
        }
    }

    /// Takes one event in.
    pub(super) fn see(&mut self, now: Time, seen: &Seen<'_>) {
        self.ended_ns = self.ended_ns.max(now.0);
        match *seen {
            Seen::Started { at, life, restored } => self.started(now, at, life, restored),
            Seen::Refused { at, why } => {
                self.loud(now, What::Refused { at }, format!("{} does not start: {why}", name(at)));
            }
            Seen::Crashed { at } => {
                self.node(at).end();
                self.loud(now, What::Crashed { at }, format!("{} crashes", name(at)));
            }
            Seen::Halted { at, why } => {
                self.node(at).end();
                self.loud(now, What::Halted { at }, format!("{} ends itself: {why}", name(at)));
            }
            Seen::Paused { at } => {
                self.loud(now, What::Paused { at }, format!("{} is paused", name(at)));
            }
            Seen::Resumed { at } => {
                self.loud(now, What::Resumed { at }, format!("{} runs again", name(at)));
            }
            Seen::Fault(fault) => self.fault(now, fault),
            Seen::Handed { at, id, write } => self.handed(now, at, id, write),
            Seen::Cut { at, through, .. } => {
                self.loud(now, What::Note, format!("{} cuts its log after {through}", name(at)));
            }
            Seen::Durable { at, id } => {
                self.node(at).durable(id);
                let what = What::Durable { at, id: id.0 };
                self.quiet(now, what, format!("{} durable through write {}", name(at), id.0));
            }
            Seen::Trimmed { at, base } => {
                self.node(at).trim(base);
                let what = What::Trimmed { at, base: base.into() };
                self.quiet(now, what, format!("{} trims its log through {base}", name(at)));
            }
            Seen::Flushed { .. } => {}
            Seen::Surrendered { at, leader, last } => self.surrendered(now, at, leader, last),
            Seen::Installing { at, last } => {
                let what = What::Installing { at, last: last.into() };
                self.loud(now, what, format!("{} has the state at {last} whole", name(at)));
            }
            Seen::Installed { at, last } => {
                let what = What::Installed { at, last: last.into() };
                self.loud(now, what, format!("{} installs the state at {last}", name(at)));
            }
            Seen::Sent { from, to, number, message, fate } => {
                self.sent(now, (from, to), number, message, fate);
            }
            Seen::Passed { by, to, target, .. } => {
                let (by, to, target) = (name(by), name(to), name(target));
                self.quiet(now, What::Note, format!("{by} hands {to} a message for {target}"));
            }
            Seen::Delivered { from, to, number, message } => {
                self.delivered(now, (from, to), number, message);
            }
            Seen::Turn { at, view, .. } => self.turn(now, at, view),
            Seen::Asked { at, id: RequestId(id), request } => {
                self.loud(now, What::Asked { at, id }, words::request(request));
            }
            Seen::Replied { at, id: RequestId(id), reply } => {
                let what = What::Answered { at, id, done: reply.body.is_ok() };
                self.loud(now, what, words::reply(reply));
            }
            Seen::Watched { at, stream, response } => {
                self.quiet(now, What::Watched { at, stream }, words::watched(response));
            }
            Seen::Note(text) => self.loud(now, What::Note, text.to_owned()),
        }
    }

    fn surrendered(&mut self, now: Time, at: Place, leader: Place, last: Position) {
        let (who, leader) = (name(at), name(leader));
        let text = format!("{who} gives up what {leader}, which leads to {last}, has not");
        self.loud(now, What::Note, text);
    }

    fn node(&mut self, at: Place) -> &mut NodeRecord {
        &mut self.nodes[at]
    }

    fn loud(&mut self, now: Time, what: What, text: String) {
        self.lines.push(Line { time_ns: now.0, what, text, quiet: false });
    }

    fn quiet(&mut self, now: Time, what: What, text: String) {
        self.lines.push(Line { time_ns: now.0, what, text, quiet: true });
    }

    fn started(&mut self, now: Time, at: Place, life: u64, restored: &Restored) {
        let node = self.node(at);
        node.start(restored);
        if life == 1 {
            node.opening = node.log.clone();
        }
        let (term, last) = (node.term, node.last());
        let again = if life == 1 { "starts" } else { "starts again" };
        let text = format!("{} {again}: term {term}, log ends {last}", name(at));
        self.loud(now, What::Started { at, life, term, last }, text);
    }

    fn fault(&mut self, now: Time, fault: &Fault) {
        let (name, at, text) = words::fault(fault);
        let what = match fault {
            Fault::Healed | Fault::Over { .. } => What::Healed,
            Fault::Cut { links, .. } => What::Fault { name, at, links: links.clone() },
            Fault::Disk { .. } | Fault::Drift { .. } | Fault::Jump { .. } | Fault::Other { .. } => {
                What::Fault { name, at, links: Vec::new() }
            }
        };
        self.loud(now, what, text);
    }

    fn handed(&mut self, now: Time, at: Place, id: WriteId, write: &Write) {
        let cut = self.node(at).write(id, write);
        let entries: Vec<Spot> = write.entries.iter().map(|entry| entry.position.into()).collect();
        let mut text = name(at);
        if let Some((from, through)) = cut {
            text += &format!(" removes {from}–{through},");
        }
        let vote = write.hard_state.and_then(|hard| hard.vote).and_then(place);
        if let Some(hard) = write.hard_state {
            let whom = vote.map_or_else(|| "nobody".to_owned(), name);
            text += &format!(" writes term {} vote {whom}", hard.term);
        }
        if let Some(reset) = write.reset {
            text += &format!(" begins its log anew after {reset}");
        }
        if !entries.is_empty() {
            text += &format!(" appends {}", words::spots(&entries));
        }
        let line = What::Wrote { at, id: id.0, vote, entries, cut };
        let notable = cut.is_some() || write.reset.is_some();
        if notable { self.loud(now, line, text) } else { self.quiet(now, line, text) }
    }

    fn sent(
        &mut self,
        now: Time,
        ends: (Place, Place),
        number: u64,
        message: &Message,
        fate: Fate,
    ) {
        let (from, to) = ends;
        let fate = match fate {
            Fate::Arrives(time) => Carried::Until(time.0),
            Fate::Doubled(one, two) => Carried::Twice(one.0, two.0),
            Fate::Lost => Carried::Lost,
            Fate::Cut => Carried::Cut,
        };
        if matches!(fate, Carried::Until(_) | Carried::Twice(..)) {
            self.under_way.insert(number, now.0);
        }
        let kind = words::kind(message);
        let label = words::label(message);
        let what = What::Sent { from, to, number, kind, term: message.term.0, label, fate };
        let quiet = self.nodes[from].is_routine(message);
        self.lines.push(Line { time_ns: now.0, what, text: words::message(message), quiet });
    }

    fn delivered(&mut self, now: Time, ends: (Place, Place), number: u64, message: &Message) {
        let (from, to) = ends;
        // A doubled message comes twice; what left before the record began left now.
        let sent_ns = self.under_way.get(&number).copied().unwrap_or(now.0);
        let (kind, term) = (words::kind(message), message.term.0);
        let what = What::Arrived { from, to, number, kind, term, sent_ns };
        let quiet = self.nodes[from].is_routine(message);
        self.lines.push(Line { time_ns: now.0, what, text: words::message(message), quiet });
    }

    fn turn(&mut self, now: Time, at: Place, view: &View) {
        let leader = view.leader.and_then(place);
        let node = self.node(at);
        let was = node.standing;
        let standing = Standing::from(view.role);
        let became = (was, node.term) != (standing, view.term.0);
        let follows = node.leader != leader;
        let commits = view.commit.0 > node.commit;
        let news = (node.commit + 1..=view.commit.0).any(|index| !node.introduces(Index(index)));
        (node.standing, node.term, node.leader) = (standing, view.term.0, leader);
        node.commit = node.commit.max(view.commit.0);
        if became {
            let what = What::Became { at, standing, term: view.term.0, was };
            let verb = if was == standing { "is" } else { "becomes" };
            let text = format!("{} {verb} {} in term {}", name(at), standing.word(), view.term);
            self.loud(now, what, text);
        }
        if follows {
            let whom = leader.map_or_else(|| "nobody".to_owned(), name);
            let what = What::Follows { at, leader };
            self.quiet(now, what, format!("{} follows {whom}", name(at)));
        }
        if commits {
            let through = view.commit.0;
            let text = format!("{} commits through {through}", name(at));
            let what = What::Committed { at, through };
            if news { self.loud(now, what, text) } else { self.quiet(now, what, text) }
        }
    }
}
