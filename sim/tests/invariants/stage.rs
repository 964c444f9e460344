//! A stage on which a world is told by hand, event by event.

use node::codec::Envelope;
use protocol::raft::{Body, Entry, HardState, Message, Payload, Restored, Role, Write, WriteId};
use protocol::{Index, Position, Term, Time};
use sim::fault::Fault;
use sim::invariants::{Config, Invariants, LOSSES};
use sim::seen::{Fate, Place, Seen, View, Violation, id};
use store::{Command, Put};

pub(crate) type Told = Result<(), Violation>;

#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) laws: Invariants,
    lives: Vec<u64>,
    writes: Vec<u64>,
    time: u64,
}

/// An entry, written as (index, term).
pub(crate) type At = (u64, u64);

pub(crate) fn position((index, term): At) -> Position {
    Position::new(Term(term), Index(index))
}

/// A no-op.
pub(crate) fn empty(at: At) -> Entry {
    Entry { position: position(at), payload: Payload::Empty }
}

/// A put of this value.
pub(crate) fn put(at: At, value: &'static str) -> Entry {
    let put = Put { key: "k".into(), value: Some(value.into()), ..Put::default() };
    let command = Envelope::seal(id(0), 1, 1, &Command::Put(put));
    Entry { position: position(at), payload: Payload::Command(command) }
}

/// Term, vote, commit.
pub(crate) fn hard(term: u64, vote: Option<Place>, commit: u64) -> HardState {
    HardState { term: Term(term), vote: vote.map(id), commit: Index(commit) }
}

/// What a disk gives back when nothing was trimmed or applied.
pub(crate) fn found(hard_state: HardState, entries: &[Entry]) -> Restored {
    let mut terms: Vec<(Index, Term)> = Vec::new();
    for Entry { position, .. } in entries {
        if terms.last().is_none_or(|&(_, term)| term != position.term) {
            terms.push((position.index, position.term));
        }
    }
    Restored { hard_state, terms, entries: entries.to_vec(), ..Restored::default() }
}

impl Stage {
    /// Nodes that have started on empty disks.
    pub(crate) fn new(nodes: usize) -> Self {
        Self::of(&Config::new(nodes))
    }

    /// Nodes of a world like this that have started on empty disks.
    fn of(config: &Config) -> Self {
        let nodes = config.nodes;
        let mut stage = Self {
            laws: Invariants::new(config),
            lives: vec![0; nodes],
            writes: vec![0; nodes],
            time: 0,
        };
        (0..nodes).for_each(|at| stage.start(at, &Restored::default()).unwrap());
        stage
    }

    /// Three nodes; node 0 leads in term 1 and has brought 1@1, a no-op, to all disks.
    pub(crate) fn led() -> Self {
        Self::new(3).lead()
    }

    /// The same, in a world whose logs are trimmed whoever lags.
    pub(crate) fn led_and_trimmed() -> Self {
        Self::of(&Config { keeps_log: false, ..Config::new(3) }).lead()
    }

    fn lead(self) -> Self {
        let mut stage = self;
        stage.write(0, hard(1, Some(0), 0), &[]).unwrap();
        for at in [1, 2] {
            stage.write(at, hard(1, Some(0), 0), &[]).unwrap();
            stage.say(at, 0, 1, Body::VoteReply { granted: true }).unwrap();
        }
        for at in 0..3 {
            stage.write(at, hard(1, Some(0), 0), &[empty((1, 1))]).unwrap();
        }
        stage.turn(0, Role::Leader, 1, 0, 0).unwrap();
        stage
    }

    /// The same, and 1@1 is committed and applied on node 0.
    pub(crate) fn committed() -> Self {
        let mut stage = Self::led();
        stage.turn(0, Role::Leader, 1, 1, 1).unwrap();
        stage
    }

    pub(crate) fn see(&mut self, seen: &Seen<'_>) -> Told {
        self.time += 1;
        self.laws.see(Time(self.time), seen)
    }

    pub(crate) fn start(&mut self, at: Place, restored: &Restored) -> Told {
        self.lives[at] += 1;
        self.writes[at] = 0;
        self.see(&Seen::Started { at, life: self.lives[at], restored })
    }

    pub(crate) fn crash(&mut self, at: Place) {
        self.see(&Seen::Crashed { at }).unwrap();
    }

    /// Hands a write over.
    pub(crate) fn hand(&mut self, at: Place, hard: HardState, entries: &[Entry]) -> Told {
        self.writes[at] += 1;
        let write = Write { hard_state: Some(hard), entries: entries.to_vec(), ..Write::default() };
        self.see(&Seen::Handed { at, id: WriteId(self.writes[at]), write: &write })
    }

    /// Hands over that the log begins anew after `base`.
    pub(crate) fn reset(&mut self, at: Place, hard: HardState, base: At) -> Told {
        self.writes[at] += 1;
        let (hard_state, reset) = (Some(hard), Some(position(base)));
        let write = Write { hard_state, reset, ..Write::default() };
        self.see(&Seen::Handed { at, id: WriteId(self.writes[at]), write: &write })
    }

    /// The state on disk stands for this.
    pub(crate) fn flush(&mut self, at: Place, applied: At) {
        self.see(&Seen::Flushed { at, applied: position(applied) }).unwrap();
    }

    /// The state of another is wanted, and then is, in the place of its own.
    pub(crate) fn install(&mut self, at: Place, last: At) -> Told {
        let last = position(last);
        self.see(&Seen::Installing { at, last })?;
        self.see(&Seen::Installed { at, last })
    }

    /// Everything that was handed over is durable.
    pub(crate) fn sync(&mut self, at: Place) -> Told {
        self.see(&Seen::Durable { at, id: WriteId(self.writes[at]) })
    }

    pub(crate) fn write(&mut self, at: Place, hard: HardState, entries: &[Entry]) -> Told {
        self.hand(at, hard, entries)?;
        self.sync(at)
    }

    /// Whether a write would be let pass; it leaves no trace.
    pub(crate) fn would_hand(&self, at: Place, term: u64, entries: &[Entry]) -> Told {
        let vote = (term == 1).then_some(0);
        self.clone().hand(at, hard(term, vote, 0), entries)
    }

    /// A fault strikes that may take away what is durable.
    pub(crate) fn lose(&mut self, at: Place) {
        let fault = Fault::Other { name: LOSSES[0], at: Some(at) };
        self.see(&Seen::Fault(&fault)).unwrap();
    }

    pub(crate) fn say(&mut self, from: Place, to: Place, term: u64, body: Body) -> Told {
        let message = &Message { term: Term(term), body };
        self.see(&Seen::Sent { from, to, number: 0, message, fate: Fate::Lost })
    }

    pub(crate) fn hear(&mut self, from: Place, to: Place, term: u64, body: Body) {
        let message = &Message { term: Term(term), body };
        self.see(&Seen::Delivered { from, to, number: 0, message }).unwrap();
    }

    /// A look that fits the ghost: revision 1 as in an empty store.
    pub(crate) fn view(&self, at: Place, role: Role, term: u64, commit: u64, applied: u64) -> View {
        let log = &self.laws.ghosts().nodes()[at].log;
        View {
            role,
            term: Term(term),
            leader: None,
            commit: Index(commit),
            applied: log.position(Index(applied)).unwrap_or(position((applied, term))),
            last: log.last(),
            revision: 1,
            compact_revision: 0,
            digest: None,
        }
    }

    pub(crate) fn turn(
        &mut self,
        at: Place,
        role: Role,
        term: u64,
        commit: u64,
        applied: u64,
    ) -> Told {
        let view = self.view(at, role, term, commit, applied);
        self.look(at, &view)
    }

    pub(crate) fn look(&mut self, at: Place, view: &View) -> Told {
        self.see(&Seen::Turn { at, view, last: false })
    }

    /// Follows node 0, and learns that `commit` is committed.
    pub(crate) fn follow(&mut self, at: Place, term: u64, base: At, commit: u64) {
        self.hear(0, at, term, append(base, &[], commit));
    }
}

pub(crate) fn append(base: At, entries: &[Entry], commit: u64) -> Body {
    Body::Append {
        base: position(base),
        entries: entries.to_vec(),
        commit: Index(commit),
        trim: Index(0),
    }
}

/// This very law was broken.
#[track_caller]
pub(crate) fn breaks(law: &str, told: Told) {
    let violation = told.expect_err("the law lets it pass");
    assert_eq!(violation.law, law, "{violation}");
    assert!(!violation.what.is_empty());
}
