//! The stage of a script: nodes, their disks, one clock, and the messages under way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use protocol::raft::{
    Body, Config, Entry, Event, HardState, Input, Membership, Message, Output, Payload, Raft,
    ReadId, ReadMode, Restored, Tag, Write, WriteId,
};
use protocol::{Index, NodeId, Position, Term, Time};

use crate::parse::{link, message, number, option, position};

struct Actor {
    raft: Raft,
    log: Vec<Entry>,
    hard_state: HardState,
    base: Index,
    applied: Index,
    /// Where a snapshot put the state, durably.
    installed: Position,
    /// The members that came with it.
    brought: Option<Membership>,
    /// Where the log began anew.
    anew: Index,
    doubt: Option<Index>,
    /// Entries through here cannot be fetched.
    rotten: Index,
    pending: VecDeque<(WriteId, Write)>,
    fetches: VecDeque<(NodeId, Index)>,
    /// The configuration last shown.
    members: Option<Membership>,
    /// It knows nobody but by its log.
    joins: bool,
    slow: bool,
    up: bool,
    dropped: u64,
}

#[derive(Default)]
pub(crate) struct Stage {
    now: Time,
    config: Option<Config>,
    actors: BTreeMap<NodeId, Actor>,
    wire: VecDeque<(NodeId, NodeId, Message)>,
    kept: Vec<(NodeId, NodeId, Message)>,
    cut: BTreeSet<NodeId>,
    questions: Vec<ReadId>,
    tags: u64,
    lives: u64,
    quiet: bool,
    shown: Vec<String>,
}

/// `1,2,3 [learners=4,5] [outgoing=1,2]`.
fn members(words: &[&str]) -> Membership {
    let list = |word: &str| word.split(',').map(|id| NodeId(number(id))).collect();
    let learners = option(words, "learners").map(list).unwrap_or_default();
    let outgoing = option(words, "outgoing").map(list).unwrap_or_default();
    Membership { learners, outgoing, ..Membership::of(list(words[0])) }
}

fn ids(words: &[&str]) -> Vec<NodeId> {
    words.iter().map(|word| NodeId(number(word))).collect()
}

fn terms(log: &[Entry]) -> String {
    let terms: Vec<String> = log.iter().map(|entry| entry.position.term.to_string()).collect();
    terms.join(" ")
}

fn list(entries: &[Entry]) -> String {
    let entries: Vec<String> = entries.iter().map(Entry::to_string).collect();
    format!("[{}]", entries.join(" "))
}

impl Stage {
    /// Runs one command and gives what is to be shown.
    pub(crate) fn run(&mut self, line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.quiet = words[0] == "~";
        let words = &words[usize::from(self.quiet)..];
        match words[0] {
            "nodes" => self.nodes(&words[1..]),
            "node" => self.node(&words[1..]),
            "wait" => self.now = self.now + Duration::from_millis(number(words[1])),
            "stabilize" => self.stabilize(&ids(&words[1..])),
            "deliver" => self.deliver(&words[1..]),
            "drop" => self.lose(&words[1..]),
            "keep" => self.kept.extend(self.wire.iter().cloned()),
            "replay" => self.wire.extend(self.kept.drain(..)),
            "cut" => self.cut.extend(ids(&words[1..])),
            "heal" => self.cut.clear(),
            "recv" => {
                let (from, to) = link(words[1]);
                self.input(to, Input::Receive { from, message: message(&words[2..]) });
            }
            "status" => self.status(&words[1..]),
            "log" => self.logs(&words[1..]),
            _ => self.one(words),
        }
        std::mem::take(&mut self.shown)
    }

    /// A command for one node.
    fn one(&mut self, words: &[&str]) {
        let id = NodeId(number(words[1]));
        match words[0] {
            "slow" => self.actor(id).slow = true,
            "rot" => self.actor(id).rotten = Index(number(words[2])),
            "sync" => self.sync(id, words.get(2).map_or(u64::MAX, |word| number(word))),
            "crash" => {
                let actor = self.actor(id);
                actor.up = false;
                actor.applied = actor.base.max(actor.installed.index);
                actor.pending.clear();
            }
            "start" => self.start(id),
            "together" => {
                for part in words[2..].split(|&word| word == "/") {
                    let mut command = vec![part[0], words[1]];
                    command.extend(&part[1..]);
                    for input in self.inputs(&command) {
                        let now = self.now;
                        self.actor(id).raft.handle(now, input);
                    }
                }
                self.drain(id);
            }
            "timeout" => {
                let at = self.actor(id).raft.poll_timeout().expect("no timer");
                self.now = self.now.max(at);
                self.input(id, Input::Timeout);
            }
            _ => {
                for input in self.inputs(words) {
                    self.input(id, input);
                }
            }
        }
    }

    fn inputs(&mut self, words: &[&str]) -> Vec<Input> {
        let rest = &words[2..];
        match words[0] {
            "tick" => vec![Input::Timeout],
            "propose" => rest
                .iter()
                .map(|word| {
                    self.tags += 1;
                    let command = Bytes::copy_from_slice(word.as_bytes());
                    Input::Propose { tag: Tag(self.tags), command }
                })
                .collect(),
            "read" => rest.iter().map(|word| Input::Read(ReadId(number(word)))).collect(),
            "transfer" => vec![Input::TransferLeadership(NodeId(number(rest[0])))],
            "unreachable" => vec![Input::Unreachable(NodeId(number(rest[0])))],
            "recv" => {
                let from = NodeId(number(rest[0]));
                vec![Input::Receive { from, message: message(&rest[1..]) }]
            }
            "trim" => {
                let through = Index(number(rest[0]));
                self.actor(NodeId(number(words[1]))).base = through;
                vec![Input::Trimmed(through)]
            }
            "chunk" => {
                let (to, last) = (NodeId(number(rest[0])), position(rest[1]));
                let (number, done) = (number(rest[2]), rest.contains(&"end"));
                let data = Bytes::from_static(b"state");
                vec![Input::SendChunk { to, last, number, data, done }]
            }
            "chunkreply" => {
                let (to, last) = (NodeId(number(rest[0])), position(rest[1]));
                vec![Input::ChunkReply { to, last, next: rest[2].parse().ok() }]
            }
            "reconfigure" => vec![Input::Reconfigure { membership: members(rest) }],
            "failed" => vec![Input::SnapshotFailed { peer: NodeId(number(rest[0])) }],
            "installed" => {
                let last = position(rest[0]);
                let membership = (rest.len() > 1).then(|| members(&rest[1..]));
                let actor = self.actor(NodeId(number(words[1])));
                if actor.applied < last.index {
                    (actor.applied, actor.installed) = (last.index, last);
                    actor.brought.clone_from(&membership);
                }
                vec![Input::Installed { last, membership }]
            }
            other => panic!("{other} is no command"),
        }
    }

    fn actor(&mut self, id: NodeId) -> &mut Actor {
        self.actors.get_mut(&id).expect("no such node")
    }

    fn nodes(&mut self, words: &[&str]) {
        let size = number(words[0]);
        let learners = option(words, "learners").map_or(0, number);
        let on = |word| words.contains(&word);
        let limit = |key| {
            option(words, key).map_or(usize::MAX, |word| usize::try_from(number(word)).unwrap())
        };
        let start = Duration::from_millis(100);
        let jitter = Duration::from_millis(option(words, "jitter").map_or(0, number));
        let drift = |word| u32::try_from(number(word)).unwrap();
        let lease = |word| ReadMode::Lease { drift_per_mille: drift(word) };
        let config = Config {
            id: NodeId(1),
            voters: (1..=size).map(NodeId).collect(),
            learners: (size + 1..=size + learners).map(NodeId).collect(),
            election_timeout: start..=start + jitter,
            heartbeat: Duration::from_millis(20),
            pre_vote: on("prevote"),
            check_quorum: on("checkquorum"),
            stickiness: on("sticky"),
            read_mode: option(words, "lease").map_or(ReadMode::Quorum, lease),
            max_inflight_messages: limit("inflight"),
            max_inflight_bytes: limit("window"),
            max_append_bytes: limit("append"),
            max_uncommitted_bytes: limit("uncommitted"),
            cache_bytes: limit("cache"),
        };
        self.config = Some(config);
        for id in 1..=size + learners {
            self.node(&[&id.to_string()]);
        }
    }

    /// Puts a node on the stage, with what stands on its disk.
    fn node(&mut self, words: &[&str]) {
        let id = NodeId(number(words[0]));
        let mut log = Vec::new();
        for (place, term) in option(words, "log").into_iter().flat_map(|l| l.split(',')).enumerate()
        {
            let index = Index(u64::try_from(place).unwrap() + 1);
            let position = Position::new(Term(number(term)), index);
            let command = Bytes::from(format!("{index}.{term}"));
            log.push(Entry { position, payload: Payload::Command(command) });
        }
        let last = log.last().map_or(Term(0), |entry: &Entry| entry.position.term);
        let index = |key| option(words, key).map(|word| Index(number(word)));
        let hard_state = HardState {
            term: option(words, "term").map_or(last, |word| Term(number(word))),
            vote: option(words, "vote").map(|word| NodeId(number(word))),
            commit: index("commit").unwrap_or_default(),
        };
        let joins = words.contains(&"joins");
        let raft = Raft::new(self.config(id, joins), Restored::default(), id.0);
        let base = index("base").unwrap_or_default();
        let actor = Actor {
            raft,
            log,
            hard_state,
            base,
            applied: index("applied").unwrap_or(base),
            installed: Position::ORIGIN,
            brought: None,
            anew: Index(0),
            doubt: index("doubt"),
            rotten: Index(0),
            pending: VecDeque::new(),
            fetches: VecDeque::new(),
            members: None,
            joins,
            slow: false,
            up: true,
            dropped: 0,
        };
        self.actors.insert(id, actor);
        self.start(id);
    }

    fn config(&self, id: NodeId, joins: bool) -> Config {
        let config = Config { id, ..self.config.clone().expect("nodes first") };
        if joins {
            return Config { voters: BTreeSet::new(), learners: BTreeSet::new(), ..config };
        }
        config
    }

    fn start(&mut self, id: NodeId) {
        let config = self.config(id, self.actors[&id].joins);
        self.lives += 1;
        let seed = self.lives;
        let actor = self.actor(id);
        actor.mend();
        actor.raft = Raft::new(config, actor.restored(), seed);
        actor.up = true;
        actor.dropped = 0;
        actor.fetches.clear();
        self.input(id, Input::Timeout);
    }

    fn input(&mut self, id: NodeId, input: Input) {
        let now = self.now;
        self.actor(id).raft.handle(now, input);
        self.drain(id);
    }

    fn drain(&mut self, id: NodeId) {
        while let Some(output) = self.actor(id).raft.poll_output() {
            self.output(id, output);
        }
        let dropped = self.actor(id).raft.status().dropped;
        if std::mem::replace(&mut self.actor(id).dropped, dropped) < dropped {
            self.show(true, format!("{id} drops"));
        }
        if !self.actor(id).slow && !self.actor(id).pending.is_empty() {
            self.sync(id, u64::MAX);
        }
    }

    fn output(&mut self, id: NodeId, output: Output) {
        match output {
            Output::Send { to, message } => self.transmit(id, to, message),
            Output::Persist { id: write_id, write } => {
                let hard_state = write.hard_state.map_or(String::new(), |hard_state| {
                    let vote =
                        hard_state.vote.map_or(String::new(), |vote| format!(" vote={vote}"));
                    format!(" t{}{vote} commit={}", hard_state.term, hard_state.commit)
                });
                let reset = write.reset.map_or(String::new(), |base| format!(" anew after {base}"));
                let entries = list(&write.entries);
                self.show(false, format!("{id} writes{hard_state}{reset} {entries}"));
                self.actor(id).pending.push_back((write_id, write));
            }
            Output::Commit(entries) => {
                self.show(true, format!("{id} commits {}", list(&entries)));
                let last = entries.last().unwrap().position.index;
                let now = self.now;
                let actor = self.actor(id);
                actor.applied = last;
                actor.raft.handle(now, Input::Applied(last));
            }
            Output::ReadReady { id: read, index } => {
                self.show(true, format!("{id} reads {read} at {index}"));
            }
            Output::ReadRefused { id: read, reason } => {
                self.show(true, format!("{id} refuses read {read}: {reason:?}"));
            }
            Output::ProposalRefused { tag, reason } => {
                self.show(true, format!("{id} refuses proposal {}: {reason:?}", tag.0));
            }
            Output::ReconfigureRefused { reason } => {
                self.show(true, format!("{id} refuses other members: {reason:?}"));
            }
            Output::Membership { at, membership } => {
                let text = format!("{id} has members {membership} since {at}");
                let before = self.actor(id).members.replace(membership.clone());
                if before.is_some_and(|before| before != membership) {
                    self.show(true, text);
                }
            }
            Output::Fetch { peer, from, .. } => {
                self.show(false, format!("{id} fetches from {from} for {peer}"));
                self.actor(id).fetches.push_back((peer, from));
            }
            Output::SnapshotWanted { peer, next } => {
                self.show(true, format!("{id} wants a snapshot for {peer} with {next}"));
            }
            Output::SnapshotEnded { peer } => {
                self.show(true, format!("{id} ends the snapshot for {peer}"));
            }
            Output::Chunk { from, last, number, done, .. } => {
                let end = if done { " end" } else { "" };
                self.show(true, format!("{id} stages {last} number={number}{end} of {from}"));
            }
            Output::ChunkAcked { peer, last, next } => {
                let next = next.map_or("none".to_owned(), |next| next.to_string());
                self.show(true, format!("{id} hears that {peer} wants {next} of {last}"));
            }
            Output::Event(Event::Role { role, term, leader }) => {
                let leader = leader.map_or(String::new(), |leader| format!(" of {leader}"));
                self.show(true, format!("{id} becomes {role:?}{leader} in t{term}"));
            }
            Output::Event(event) => self.show(true, format!("{id} {event:?}")),
        }
    }

    fn transmit(&mut self, from: NodeId, to: NodeId, message: Message) {
        let lost = self.cut.contains(&from) || self.cut.contains(&to);
        let text = self.text(&message);
        let end = if lost { " (lost)" } else { "" };
        self.show(false, format!("{from}>{to} {text}{end}"));
        if !lost {
            self.wire.push_back((from, to, message));
        }
    }

    /// The message, with questions about reads in the order in which they came up.
    fn text(&mut self, message: &Message) -> String {
        let mut text = message.to_string();
        if let Body::ReadIndex { reads } | Body::ReadIndexReply { reads, .. } = &message.body {
            for read in reads.iter().filter(|read| read.0 > 1000) {
                if !self.questions.contains(read) {
                    self.questions.push(*read);
                }
                let place = self.questions.iter().position(|known| known == read).unwrap();
                text = text.replace(&read.to_string(), &format!("q{}", place + 1));
            }
        }
        text
    }

    fn show(&mut self, always: bool, line: String) {
        if always || !self.quiet {
            self.shown.push(line);
        }
    }

    fn sync(&mut self, id: NodeId, count: u64) {
        let mut last = None;
        for _ in 0..count {
            let actor = self.actor(id);
            let Some((write_id, write)) = actor.pending.pop_front() else { break };
            actor.reach_disk(write);
            last = Some(write_id);
        }
        if let Some(write_id) = last {
            self.input(id, Input::Persisted(write_id));
        }
    }

    /// Answers one fetch of each node from its disk.
    fn answer_fetches(&mut self) -> bool {
        let mut any = false;
        for id in self.actors.keys().copied().collect::<Vec<_>>() {
            let actor = self.actor(id);
            let Some((peer, from)) = actor.fetches.pop_front() else { continue };
            let held = from > actor.base && from > actor.rotten;
            let entries = actor.log.iter().filter(|entry| entry.position.index >= from);
            let entries = held.then(|| entries.take(2).cloned().collect());
            self.input(id, Input::Fetched { peer, from, entries });
            any = true;
        }
        any
    }

    fn stabilize(&mut self, among: &[NodeId]) {
        let all: Vec<NodeId> = self.actors.keys().copied().collect();
        let among = if among.is_empty() { all } else { among.to_vec() };
        for _ in 0..10_000 {
            let inside = |(from, to, _): &(NodeId, NodeId, Message)| {
                among.contains(from) && among.contains(to)
            };
            if let Some(place) = self.wire.iter().position(inside) {
                self.arrive(place);
            } else if !self.answer_fetches() {
                return;
            }
        }
        panic!("never quiet");
    }

    fn arrive(&mut self, place: usize) {
        let (from, to, message) = self.wire.remove(place).unwrap();
        if self.actor(to).up {
            self.input(to, Input::Receive { from, message });
        }
    }

    fn deliver(&mut self, links: &[&str]) {
        for &word in links {
            let (from, to) = link(word);
            let place = self.wire.iter().position(|(f, t, _)| (*f, *t) == (from, to));
            self.arrive(place.unwrap_or_else(|| panic!("nothing under way on {word}")));
        }
        if links.is_empty() {
            for _ in 0..self.wire.len() {
                self.arrive(0);
            }
        }
    }

    fn lose(&mut self, links: &[&str]) {
        let links: Vec<_> = links.iter().map(|word| link(word)).collect();
        self.wire.retain(|(from, to, _)| !links.is_empty() && !links.contains(&(*from, *to)));
    }

    fn chosen(&self, words: &[&str]) -> Vec<NodeId> {
        if words.is_empty() { self.actors.keys().copied().collect() } else { ids(words) }
    }

    fn status(&mut self, words: &[&str]) {
        for id in self.chosen(words) {
            let status = self.actor(id).raft.status();
            let HardState { term, vote, commit } = status.hard_state;
            let vote = vote.map_or(String::new(), |vote| format!(" vote={vote}"));
            let leader = status.leader.map_or(String::new(), |leader| format!(" of {leader}"));
            let mut line = format!(
                "{id} {:?}{leader} t{term}{vote} last={} commit={commit} trim={}",
                status.role, status.last, status.trim_bound
            );
            for (peer, state) in status.peers {
                let idle = if state.active || state.awaited { "" } else { " silent" };
                let (name, matched, next) = (state.state, state.matched, state.next);
                line += &format!(" {peer}:{name} {matched}/{next}{idle}");
            }
            if let Some(doubt) = status.doubt {
                line += &format!(" doubt={doubt}");
            }
            self.show(true, line);
        }
    }

    fn logs(&mut self, words: &[&str]) {
        for id in self.chosen(words) {
            let actor = self.actor(id);
            let reset = if actor.anew == Index(0) {
                String::new()
            } else {
                format!("(after {}) ", actor.anew)
            };
            let held: usize = actor.anew.0.try_into().unwrap();
            let line = format!("{id}: {reset}{}", terms(&actor.log[held..]));
            self.show(true, line);
        }
    }
}

impl Actor {
    fn reach_disk(&mut self, write: Write) {
        if let Some(hard_state) = write.hard_state {
            self.hard_state = hard_state;
        }
        if let Some(base) = write.reset {
            self.begin_anew(base);
        }
        if let Some(first) = write.entries.first() {
            self.log.truncate(usize::try_from(first.position.index.0).unwrap() - 1);
            self.log.extend(write.entries);
        }
    }

    /// The log begins anew; what is before counts for nothing but its places.
    fn begin_anew(&mut self, base: Position) {
        let place = |index| Position::new(base.term, Index(index));
        let place = |index| Entry { position: place(index), payload: Payload::Empty };
        self.log = (1..=base.index.0).map(place).collect();
        (self.base, self.anew) = (base.index, base.index);
    }

    /// The state was installed and the log has not followed.
    fn mend(&mut self) {
        let installed = self.installed;
        let held = self.log.iter().any(|entry| entry.position == installed);
        if self.applied == installed.index && installed.index > self.base && !held {
            self.begin_anew(installed);
        }
    }

    /// The members as of what has been applied.
    fn membership(&self) -> Option<Membership> {
        let applied = self.log.iter().filter(|entry| entry.position.index <= self.applied);
        let told = applied.filter_map(|entry| match &entry.payload {
            Payload::Membership(bytes) => Some(Membership::decode(bytes).unwrap()),
            Payload::Empty | Payload::Command(_) => None,
        });
        told.last().or_else(|| self.brought.clone())
    }

    fn restored(&self) -> Restored {
        let above = |index: Index| self.log.iter().filter(move |e| e.position.index > index);
        let mut terms: Vec<(Index, Term)> = Vec::new();
        for entry in above(self.base) {
            if terms.last().is_none_or(|&(_, term)| term != entry.position.term) {
                terms.push((entry.position.index, entry.position.term));
            }
        }
        let base = self.log.iter().rfind(|entry| entry.position.index <= self.base);
        Restored {
            hard_state: self.hard_state,
            base: base.map_or(Position::ORIGIN, |entry| entry.position),
            terms,
            entries: above(self.applied).cloned().collect(),
            applied: self.applied,
            doubt: self.doubt,
            membership: self.membership(),
        }
    }
}
