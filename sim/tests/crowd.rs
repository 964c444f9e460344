//! The crowd before a stand-in for a cluster: one production node that stands behind every door.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::time::Duration;

use node::{Config, Failure, Input, Node, Output, Reply, Request, RequestId};
use protocol::raft::{HardState, ReadMode, Restored};
use protocol::{Index, NodeId, Position, Rng, Time};
use sim::crowd::{Act, Counts, Crowd, Kind, Mix, Options};
use sim::history::{Ending, History, Operation, Told};
use sim::seen::Place;
use store::watch::{StreamId, WatchCreate, WatchLimits, WatchResponse};
use store::{
    Backend, BackendRead, Command, Error, KeyRange, Limits, Member, MemoryBackend, Outcome, Put,
    Range, Store,
};
use xxhash_rust::xxh3::Xxh3;

const DOORS: usize = 3;
const SECOND: Duration = Duration::from_secs(1);

/// A node that elects itself, is never wrong and never slow.
fn node() -> Node {
    let id = NodeId(1);
    let member = Member { id, name: String::new(), peer_urls: Vec::new(), client_urls: Vec::new() };
    let raft = protocol::raft::Config {
        id,
        voters: BTreeSet::from([id]),
        learners: BTreeSet::new(),
        election_timeout: Duration::from_millis(10)..=Duration::from_millis(20),
        heartbeat: Duration::from_millis(5),
        pre_vote: true,
        check_quorum: true,
        stickiness: true,
        read_mode: ReadMode::Quorum,
        max_inflight_messages: 8,
        max_inflight_bytes: 1 << 16,
        max_append_bytes: 1 << 14,
        max_uncommitted_bytes: 1 << 22,
        cache_bytes: 1 << 12,
    };
    let config = Config {
        protocol: node::Protocol::Raft,
        raft,
        members: vec![member.clone()],
        publish: Member { name: "one".into(), ..member },
        // Little stays in memory, so that answers name what stands in the backend.
        limits: Limits { hot_bytes: 256, ..Limits::default() },
        watch: WatchLimits {
            outstanding_bytes: 1_000,
            unread_answers: 3,
            progress_interval: Duration::from_millis(700),
            ..WatchLimits::default()
        },
        incarnation: 1,
        request_timeout: Duration::from_secs(7),
        tick: Duration::from_millis(250),
        compare_interval: None,
        rebuilt_after: None,
        flush_bytes: 512,
        flush_interval: SECOND,
        max_unflushed_bytes: 1 << 22,
        max_pending: 10_000,
        max_unapplied: 5_000,
        log_keep_bytes: u64::MAX,
        trim_stride: 1_000,
        snapshot_piece_bytes: 64 << 10,
    };
    let restored = Restored {
        hard_state: HardState::default(),
        base: Position::ORIGIN,
        terms: Vec::new(),
        entries: Vec::new(),
        applied: Index(0),
        doubt: None,
        membership: None,
    };
    Node::new(config, restored, Store::new(limits()), 7).unwrap()
}

fn limits() -> Limits {
    Limits { hot_bytes: 256, ..Limits::default() }
}

/// A crowd, the node, and the doors between them.
struct Stand {
    crowd: Crowd,
    node: Node,
    backend: MemoryBackend,
    now: Time,
    rng: Rng,
    /// Doors that are closed: whoever comes is turned away.
    closed: [bool; DOORS],
    /// Doors open and close by themselves.
    storm: bool,
    /// Of a hundred replies, so many are kept back until a door opens or closes.
    swallowed: u64,
    kept_back: Vec<(RequestId, Reply)>,
    /// Of a hundred records fetched, so many are gone.
    gone: u64,
    doors_of_streams: BTreeMap<u64, Place>,
    doors_of_requests: BTreeMap<u64, Place>,
    /// Of everything the crowd wanted, with its times.
    hash: Xxh3,
    requests: Vec<(Time, Place, RequestId)>,
    creates: Vec<(Time, Place)>,
    closes: u64,
    sent: u64,
}

impl Stand {
    fn new(options: Options, seed: u64) -> Self {
        Self {
            crowd: Crowd::new(options, DOORS, Rng::new(seed)),
            node: node(),
            backend: MemoryBackend::new(),
            now: Time::default(),
            rng: Rng::new(!seed),
            closed: [false; DOORS],
            storm: false,
            swallowed: 0,
            kept_back: Vec::new(),
            gone: 0,
            doors_of_streams: BTreeMap::new(),
            doors_of_requests: BTreeMap::new(),
            hash: Xxh3::new(),
            requests: Vec::new(),
            creates: Vec::new(),
            closes: 0,
            sent: 0,
        }
    }

    fn stormy(options: Options, seed: u64) -> Self {
        Self { storm: true, swallowed: 1, gone: 2, ..Self::new(options, seed) }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let crowd = self.crowd.next_time();
            let next = crowd.into_iter().chain(self.node.poll_timeout()).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            if crowd.is_some_and(|at| at <= self.now) {
                let mut acts = Vec::new();
                self.crowd.act(self.now, &mut acts);
                for act in acts {
                    self.hash.write(format!("{:?} {act:?}", self.now).as_bytes());
                    self.carry_out(act);
                }
            } else {
                self.node.handle(self.now, Input::Timeout);
            }
            self.drain();
            if self.storm && self.rng.below(300) == 0 {
                self.toggle();
            }
        }
        self.now = end;
    }

    fn toggle(&mut self) {
        let door = usize::try_from(self.rng.below(DOORS as u64)).unwrap();
        self.closed[door] = !self.closed[door];
        for (id, reply) in std::mem::take(&mut self.kept_back) {
            self.reply(id, reply);
        }
        if self.closed[door] {
            self.crowd.disconnected(self.now, door);
            self.doors_of_requests.retain(|_, at| *at != door);
            let streams = self.doors_of_streams.iter().filter(|(_, at)| **at == door);
            for stream in streams.map(|(stream, _)| StreamId(*stream)).collect::<Vec<_>>() {
                self.node.handle(self.now, Input::WatchClose(stream));
            }
            self.doors_of_streams.retain(|_, at| *at != door);
        }
    }

    fn carry_out(&mut self, act: Act) {
        let (Act::Request { at, .. }
        | Act::OpenWatch { at, .. }
        | Act::CreateWatch { at, .. }
        | Act::CancelWatch { at, .. }
        | Act::ProgressWatch { at, .. }
        | Act::SentWatch { at, .. }
        | Act::CloseWatch { at, .. }) = act;
        let input = match act {
            Act::Request { at, id, request } => {
                self.requests.push((self.now, at, id));
                if self.closed[at] {
                    self.crowd.unreachable(self.now, id);
                    return;
                }
                self.doors_of_requests.insert(id.0, at);
                Input::Request { id, request }
            }
            Act::OpenWatch { at, stream } => {
                if self.closed[at] {
                    self.crowd.overrun(self.now, stream);
                    return;
                }
                self.doors_of_streams.insert(stream.0, at);
                Input::WatchOpen(stream)
            }
            Act::CreateWatch { stream, create, .. } => {
                self.creates.push((self.now, at));
                Input::WatchCreate { stream, create }
            }
            Act::CancelWatch { stream, id, .. } => Input::WatchCancel { stream, id },
            Act::ProgressWatch { stream, .. } => Input::WatchProgress(stream),
            Act::SentWatch { stream, bytes, .. } => {
                self.sent += bytes as u64;
                Input::WatchSent { stream, bytes }
            }
            Act::CloseWatch { stream, .. } => {
                self.closes += 1;
                Input::WatchClose(stream)
            }
        };
        if !self.closed[at] {
            self.node.handle(self.now, input);
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            let now = self.now;
            match output {
                Output::Cut { .. } => unreachable!("only Zab cuts"),
                Output::Persist { id, .. } => self.node.handle(now, Input::Persisted(id)),
                Output::Load(revisions) => {
                    let load = |at| (at, self.backend.get(at).unwrap());
                    let records = revisions.into_iter().map(load).collect();
                    self.node.handle(now, Input::Loaded(Ok(records)));
                }
                Output::Flush(flush) => {
                    self.backend.flush(&flush).unwrap();
                    self.node.handle(now, Input::Flushed(Ok(flush.applied)));
                }
                Output::Discard(dead) => self.backend.discard(&dead).unwrap(),
                Output::Scan { token, from, to, limit } => {
                    let records = self.backend.scan(from, to, limit);
                    self.node.handle(now, Input::Scanned { token, records });
                }
                Output::Reply { id, reply } => {
                    let at_open_door = self.doors_of_requests.remove(&id.0).is_some();
                    if at_open_door && self.rng.below(100) < self.swallowed {
                        self.kept_back.push((id, reply));
                    } else if at_open_door {
                        self.reply(id, reply);
                    }
                }
                Output::Watch { stream, response } => {
                    let Self { crowd, backend, .. } = self;
                    let told = crowd.watched(now, stream, response, &mut |at| backend.get(at));
                    assert!(told, "a backend in memory can be read");
                }
                Output::WatchOverrun(stream) => self.crowd.overrun(now, stream),
                Output::Halt(error) => panic!("the node halts: {error}"),
                Output::Membership { .. }
                | Output::Removed
                | Output::Send { .. }
                | Output::Fetch { .. }
                | Output::Look { .. }
                | Output::Trim(_)
                | Output::ViewOpen { .. }
                | Output::ViewRead { .. }
                | Output::ViewClose { .. }
                | Output::StageBegin
                | Output::Stage(_)
                | Output::StageAbort
                | Output::Economise(_)
                | Output::Install { .. }
                | Output::SnapshotRefused { .. }
                | Output::Event(_)
                | Output::Stopped => {}
            }
        }
    }

    fn reply(&mut self, id: RequestId, reply: Reply) {
        let Self { crowd, backend, rng, gone, now, .. } = self;
        crowd.replied(*now, id, reply, &mut |at| {
            let gone = rng.below(100) < *gone;
            if gone { Ok(None) } else { backend.get(at) }
        });
    }

    fn ask(&mut self, request: Request) -> RequestId {
        let id = self.crowd.ask(self.now, 0, request.clone());
        self.doors_of_requests.insert(id.0, 0);
        self.node.handle(self.now, Input::Request { id, request });
        self.drain();
        id
    }
}

fn draw(seed: u64) -> Options {
    Options::draw(&mut Rng::new(seed ^ 0xc0ffee))
}

/// What must hold of every history.
fn consistent(history: &History, counts: &Counts) {
    let mut last: BTreeMap<u32, &Operation> = BTreeMap::new();
    let mut values = BTreeSet::new();
    for operation in &history.operations {
        if let Some(before) = last.insert(operation.client, operation) {
            let returned = before.returned.expect("nothing follows an unknown outcome");
            assert!(returned <= operation.called, "one operation at a time");
        }
        assert!(operation.returned.is_none_or(|at| at >= operation.called));
        let unknown = matches!(operation.ending, Ending::Unknown);
        assert_eq!(unknown, operation.returned.is_none());
        assert!(operation.called <= history.ended_at);
        if let Request::Write(Command::Put(Put { value: Some(value), .. })) = &*operation.request
            && value.ends_with(b".")
        {
            assert!(values.insert(value.clone()), "values are unique: {value:?}");
        }
    }
    assert!(history.operations.is_sorted_by_key(|operation| operation.called));
    let tally = counts.all;
    assert_eq!(history.operations.len() as u64, tally.called - tally.unreachable);
    let ended = tally.answered + tally.refused + tally.unknown + tally.unreachable;
    assert!(ended <= tally.called);
    for watch in &history.watches {
        assert!(watch.heard.is_sorted_by_key(|(at, _)| *at));
        assert!(watch.heard.iter().all(|(at, _)| (watch.called..=history.ended_at).contains(at)));
        let first = watch.heard.first().map(|(_, response)| response);
        assert!(matches!(
            first,
            None | Some(WatchResponse::Created { .. } | WatchResponse::Refused { .. })
        ));
        let mut told = watch.create.start_revision - 1;
        for (_, response) in &watch.heard {
            if let WatchResponse::Events { events, .. } = response {
                let (from, to) = (events[0].kv.mod_revision, events.last().unwrap());
                assert!(from > told, "{told} was told before {from}");
                told = to.kv.mod_revision;
            }
        }
    }
    assert!(history.watches.is_sorted_by_key(|watch| watch.called));
    assert_eq!(counts.strays, 0, "every response belongs to a watch");
}

#[test]
fn every_kind_of_operation_and_every_turn_of_a_stream_occurs() {
    let (mut kinds, mut refused) = ([0; Kind::COUNT], [0; Kind::COUNT]);
    let (mut answered, mut unknown, mut unreachable) = (0, 0, 0);
    let (mut resumed, mut refused_watches, mut canceled, mut overruns) = (0, 0, 0, 0);
    let (mut again, mut late, mut lost, mut closes) = (0, 0, 0, 0);
    let mut endings: BTreeSet<String> = BTreeSet::new();
    for seed in 0..50 {
        let mut stand = Stand::stormy(draw(seed), seed);
        stand.run(40 * SECOND);
        let counts = stand.crowd.counts();
        for kind in Kind::ALL {
            kinds[*kind as usize] += counts.of(*kind).answered;
            refused[*kind as usize] += counts.of(*kind).refused;
        }
        answered += counts.all.answered;
        unknown += counts.all.unknown;
        unreachable += counts.all.unreachable;
        resumed += counts.resumed;
        refused_watches += counts.watches_refused;
        canceled += counts.watches_canceled;
        overruns += counts.overruns;
        again += counts.again;
        late += counts.late;
        lost += counts.lost;
        closes += stand.closes;
        assert!(stand.sent > 0 || counts.heard == 0, "what is heard is read");
        let history = stand.crowd.finish(stand.now);
        for operation in &history.operations {
            if let Ending::Refused(Failure::Store(error), _) = operation.ending {
                endings.insert(format!("{error:?}"));
            }
        }
        consistent(&history, &counts);
    }
    for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Scripted) {
        assert!(kinds[*kind as usize] > 20, "{}: {}", kind.name(), kinds[*kind as usize]);
    }
    for kind in [Kind::Ugly, Kind::Compact, Kind::GetOld, Kind::PutLease, Kind::IgnoreValue] {
        assert!(refused[kind as usize] > 20, "{}: {}", kind.name(), refused[kind as usize]);
    }
    let figures = [answered, unknown, unreachable, again, late, lost];
    assert!(figures.iter().all(|figure| *figure > 20), "{figures:?}");
    let figures = [resumed, refused_watches, canceled, overruns, closes];
    assert!(figures.iter().all(|figure| *figure > 20), "{figures:?}");
    let expected = [
        "Compacted",
        "DuplicateKey",
        "EmptyKey",
        "FutureRevision",
        "KeyNotFound",
        "LeaseExists",
        "LeaseNotFound",
        "LeaseTtlTooLarge",
        "RequestTooLarge",
        "TooManyOps",
    ];
    assert_eq!(endings, expected.map(String::from).into());
}

#[test]
fn the_same_seed_gives_the_same_acts_and_the_same_history() {
    let outcome = |seed: u64| {
        let mut stand = Stand::stormy(draw(seed), seed);
        stand.run(5 * SECOND);
        let history = stand.crowd.finish(stand.now);
        let mut history_hash = Xxh3::new();
        for operation in &history.operations {
            history_hash.write(format!("{operation:?}").as_bytes());
        }
        history_hash.write(format!("{:?}", history.watches).as_bytes());
        (stand.hash.digest(), history_hash.digest())
    };
    let mut all = BTreeSet::new();
    for seed in 0..20 {
        let one = outcome(seed);
        assert_eq!(one, outcome(seed), "seed {seed}");
        all.insert(one);
    }
    assert_eq!(all.len(), 20, "another seed gives something else");
}

#[test]
fn any_options_run() {
    for seed in 1_000..1_300 {
        let mut stand = Stand::stormy(draw(seed), seed);
        stand.run(3 * SECOND);
        stand.crowd.stop();
        let counts = stand.crowd.counts();
        consistent(&stand.crowd.finish(stand.now), &counts);
    }
}

#[test]
fn a_busy_crowd_does_more_than_a_hundred_operations_a_second_half_of_them_reads() {
    let mut stand = Stand::new(Options::busy(), 1);
    stand.run(60 * SECOND);
    let counts = stand.crowd.counts();
    let reads: u64 =
        Kind::ALL.iter().filter(|kind| kind.reads()).map(|kind| counts.of(*kind).answered).sum();
    assert!(counts.all.answered > 60 * 120, "{}", counts.all.answered);
    let share = reads * 100 / counts.all.answered;
    assert!((40..=60).contains(&share), "{share} % are reads");
    consistent(&stand.crowd.finish(stand.now), &counts);
}

#[test]
fn requests_meet_on_the_grid() {
    let mut stand = Stand::new(Options::busy(), 2);
    stand.run(5 * SECOND);
    let grid = u64::try_from(Options::busy().grid.unwrap().as_nanos()).unwrap();
    assert!(stand.requests.iter().all(|(at, _, _)| at.0 % grid == 0));
    let times: BTreeSet<Time> = stand.requests.iter().map(|(at, _, _)| *at).collect();
    assert!(times.len() * 10 < stand.requests.len() * 9, "some arrive together");
}

#[test]
fn after_a_restriction_only_the_core_is_asked() {
    for seed in 0..30 {
        let mut stand = Stand::new(Options { clients: 6, watchers: 4, ..draw(seed) }, seed);
        stand.run(5 * SECOND);
        stand.crowd.restrict(&[1]);
        // Whatever was on its way may still come.
        stand.run(SECOND);
        let (requests, creates) = (stand.requests.len(), stand.creates.len());
        stand.run(10 * SECOND);
        assert!(stand.requests.len() > requests, "they go on");
        assert!(stand.requests[requests..].iter().all(|(_, at, _)| *at == 1));
        assert!(stand.creates[creates..].iter().all(|(_, at)| *at == 1));
    }
}

#[test]
fn after_a_stop_nothing_begins_and_everything_ends() {
    for seed in 0..30 {
        let options = draw(seed);
        let patience = options.patience;
        let mut stand = Stand::stormy(options, seed);
        stand.run(5 * SECOND);
        stand.storm = false;
        stand.closed = [false; DOORS];
        let outstanding = stand.crowd.outstanding();
        assert_eq!(outstanding > 0, stand.crowd.oldest().is_some());
        stand.crowd.stop();
        let called = stand.crowd.counts().all.called;
        stand.run(patience + SECOND);
        assert_eq!(stand.crowd.counts().all.called, called);
        assert_eq!(stand.crowd.outstanding(), 0, "of {outstanding}");
        assert_eq!(stand.crowd.oldest(), None);
        // Streams that ended are open again, and have told everything.
        stand.run(patience + 5 * SECOND);
        let revision = stand.node.store().revision();
        let counts = stand.crowd.counts();
        let history = stand.crowd.finish(stand.now);
        let open: Vec<_> = history.watches.iter().filter(|watch| watch.open_at_end).collect();
        for watch in open {
            let header = watch.heard.iter().rev().find_map(|(_, response)| match response {
                WatchResponse::Progress { revision, .. } => Some(*revision),
                _ => None,
            });
            let quiet = watch.create.progress_notify && watch.create.start_revision < revision;
            assert!(!quiet || header == Some(revision), "{header:?} of {revision}: {watch:?}");
        }
        consistent(&history, &counts);
    }
}

#[test]
fn no_more_operations_than_asked_for() {
    let options = Options { max_operations: Some(37), ..Options::busy() };
    let mut stand = Stand::new(options, 3);
    stand.run(20 * SECOND);
    assert_eq!(stand.crowd.counts().all.called, 37);
    assert_eq!(stand.crowd.outstanding(), 0);
}

/// The keys that a request touches.
fn ranges(request: &Request) -> Vec<(KeyRange, bool)> {
    fn of_txn(txn: &store::Txn, found: &mut Vec<(KeyRange, bool)>) {
        found.extend(txn.compare.iter().map(|compare| (compare.range.clone(), false)));
        for operation in txn.success.iter().chain(&txn.failure) {
            match operation {
                store::Operation::Range(range) => found.push((range.keys.clone(), false)),
                store::Operation::Put(put) => {
                    found.push((KeyRange::single(put.key.clone()), false));
                }
                store::Operation::DeleteRange(delete) => found.push((delete.range.clone(), false)),
                store::Operation::Txn(inner) => of_txn(inner, found),
            }
        }
    }
    let mut found = Vec::new();
    match request {
        Request::Range { range, serializable: false } => found.push((range.keys.clone(), true)),
        Request::Write(Command::Put(put)) => {
            found.push((KeyRange::single(put.key.clone()), put.lease == Some(None)));
        }
        Request::Write(Command::DeleteRange(delete)) => {
            found.push((delete.range.clone(), delete.range.is_single()));
        }
        Request::Write(Command::Txn(txn)) | Request::ReadTxn { txn, .. } => {
            of_txn(txn, &mut found);
        }
        Request::Range { range, .. } => found.push((range.keys.clone(), false)),
        _ => {}
    }
    found
}

#[test]
fn single_keys_are_touched_alone_and_retired_early() {
    let mix = Mix::all().with(Kind::SinglePut, 900).with(Kind::SingleGet, 900);
    let options = Options { single_keys: 3, mix, ..Options::busy() };
    let mut stand = Stand::stormy(options, 4);
    stand.swallowed = 4;
    stand.run(60 * SECOND);
    let counts = stand.crowd.counts();
    let history = stand.crowd.finish(stand.now);
    let mut operations: BTreeMap<bytes::Bytes, (u32, u32)> = BTreeMap::new();
    for operation in &history.operations {
        for (keys, alone) in ranges(&operation.request) {
            if keys.is_single() && keys.key.starts_with(b"a/") {
                assert!(alone, "{operation:?}");
                let (used, unknown) = operations.entry(keys.key).or_default();
                *used += 1;
                let write = matches!(*operation.request, Request::Write(_));
                *unknown += u32::from(write && matches!(operation.ending, Ending::Unknown));
            } else if !keys.key.is_empty() {
                assert!(keys.end <= keys.key || !keys.contains(b"a/0000"), "{operation:?}");
                assert!(keys.key >= b"k"[..], "{operation:?}");
            }
        }
    }
    assert!(counts.retired > 10, "{}", counts.retired);
    assert_eq!(operations.len() as u64, counts.retired + 3);
    // When the fourth unknown outcome comes, a few more operations may be under way.
    assert!(operations.values().all(|(used, unknown)| *used <= 200 && *unknown <= 8));
}

#[test]
fn a_scenario_asks_and_watches() {
    let mut stand = Stand::new(Options::quiet(), 5);
    stand.run(SECOND);
    let keys = KeyRange::single("x".into());
    let create = WatchCreate {
        id: 0,
        keys: keys.clone(),
        start_revision: 0,
        no_put: false,
        no_delete: false,
        prev_kv: false,
        progress_notify: false,
        fragment: false,
    };
    let watch = stand.crowd.watch(stand.now, 2, create);
    stand.run(SECOND);
    let put = Put { key: "x".into(), value: Some("1".into()), ..Put::default() };
    let refused = stand.ask(Request::Write(Command::Put(Put { key: "".into(), ..put.clone() })));
    let put = stand.ask(Request::Write(Command::Put(Put { lease: Some(None), ..put })));
    assert!(stand.crowd.reply(put).is_none(), "the answer has a way to go");
    assert_eq!(stand.crowd.outstanding(), 2);
    stand.run(SECOND);
    let Some(Ending::Answered(answer)) = stand.crowd.reply(put) else { panic!() };
    assert_eq!(answer.told, Told::Outcome(Outcome::Put { prev: None }));
    assert!(matches!(
        stand.crowd.reply(refused),
        Some(Ending::Refused(Failure::Store(Error::EmptyKey), _))
    ));
    let range = Range {
        keys,
        revision: 0,
        limit: 0,
        target: store::SortTarget::Key,
        order: store::SortOrder::None,
        keys_only: false,
        count_only: false,
        filter: store::Filter::default(),
    };
    let get = stand.ask(Request::Range { range, serializable: false });
    stand.run(SECOND);
    let Some(Ending::Answered(answer)) = stand.crowd.reply(get) else { panic!() };
    let Told::Range { revision: 2, result } = &answer.told else { panic!("{answer:?}") };
    assert_eq!(result.kvs[0].value, "1");
    let heard = &stand.crowd.watches()[watch].heard;
    assert!(matches!(
        heard[..],
        [(_, WatchResponse::Created { .. }), (_, WatchResponse::Events { .. })]
    ));
    // A node that ends takes the stream with it; the watch goes on elsewhere.
    stand.node.handle(stand.now, Input::WatchClose(StreamId(0)));
    stand.crowd.disconnected(stand.now, 2);
    stand.run(2 * SECOND);
    let history = stand.crowd.finish(stand.now);
    assert_eq!(history.operations.len(), 3);
    let clients: BTreeSet<u32> = history.operations.iter().map(|it| it.client).collect();
    assert_eq!(clients.len(), 3, "each request is another client's");
    assert_eq!(history.watches.len(), 2);
    assert_eq!(history.watches[1].create.start_revision, 3);
    assert!(history.watches[1].open_at_end && !history.watches[0].open_at_end);
}

#[test]
fn what_never_arrived_is_not_in_the_history_and_what_was_cut_off_is_unknown() {
    let mix = Mix::none().with(Kind::Put, 1);
    let options = Options { mix, clients: 3, watchers: 0, ..Options::busy() };
    let mut stand = Stand::new(options, 6);
    stand.closed = [true; DOORS];
    stand.run(5 * SECOND);
    let counts = stand.crowd.counts();
    assert!(counts.all.unreachable > 20, "they try elsewhere");
    assert!(counts.all.called <= counts.all.unreachable + 3);
    stand.closed = [false; DOORS];
    stand.swallowed = 100;
    stand.run(Duration::from_millis(600));
    assert!(stand.crowd.outstanding() > 0);
    for door in 0..DOORS {
        stand.crowd.disconnected(stand.now, door);
    }
    let counts = stand.crowd.counts();
    assert!(counts.all.unknown > 0);
    let history = stand.crowd.finish(stand.now);
    let unknown = |operation: &Operation| matches!(operation.ending, Ending::Unknown);
    assert!(history.operations.iter().all(unknown), "nothing was answered, nothing refused");
    consistent(&history, &counts);
}
