//! Random lives of a hub, all guarantees checked.

use std::time::Duration;

use bytes::Bytes;
use protocol::Rng;
use store::KeyRange;
use store::watch::{History as _, StreamId, WatchCreate, WatchId, WatchLimits, WatchResponse};

use crate::checker::Checker;
use crate::desk::Desk;

struct Life {
    rng: Rng,
    desk: Desk,
    checker: Checker,
    next_stream: u64,
    blocked: bool,
    scanned: bool,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let limits = WatchLimits {
            streams: 6,
            watchers_per_stream: 5,
            outstanding_bytes: 200 + pick(&mut rng, 2000),
            unread_answers: 10_000,
            response_bytes: 1 + pick(&mut rng, 600),
            batch: 1 + pick(&mut rng, 12),
            scan_bytes: 1 + pick(&mut rng, 100),
            progress_interval: Duration::from_secs(2),
        };
        let desk = Desk::new(limits);
        Self {
            rng,
            desk,
            checker: Checker::default(),
            next_stream: 0,
            blocked: false,
            scanned: false,
        }
    }

    fn chance(&mut self, of: u64) -> bool {
        self.rng.below(of) == 0
    }

    fn stream(&mut self) -> Option<StreamId> {
        let count = self.desk.wires.len();
        (count > 0).then(|| *self.desk.wires.keys().nth(pick(&mut self.rng, count)).unwrap())
    }

    fn key(&mut self) -> Bytes {
        Bytes::from(format!("k{}", self.rng.below(8)))
    }

    fn act(&mut self) {
        match self.rng.below(100) {
            0..3 if self.desk.wires.len() < 6 => {
                self.next_stream += 1;
                self.desk.open(StreamId(self.next_stream));
            }
            3 => self.close(),
            4..14 => self.create(),
            14..17 => self.cancel(),
            17..24 => {
                if let Some(stream) = self.stream() {
                    self.desk.progress(stream);
                }
            }
            24..54 => self.write_keys(),
            54..68 => {
                for _ in 0..=self.rng.below(4) {
                    self.read_one();
                }
            }
            68..82 => {
                let budget = pick(&mut self.rng, 40);
                self.desk.step(budget);
            }
            82..90 if !self.desk.scans.is_empty() => {
                let place = pick(&mut self.rng, self.desk.scans.len());
                self.desk.answer(place);
            }
            90..93 => {
                let below = self.desk.world.revision() - i64::try_from(self.rng.below(6)).unwrap();
                self.desk.world.flush(below);
            }
            93 => {
                let back = i64::try_from(self.rng.below(30)).unwrap();
                self.desk.world.compact(self.desk.world.revision() - back);
            }
            94 => self.leap(),
            _ => {
                let pause = Duration::from_millis(self.rng.below(6000));
                self.desk.advance(pause);
            }
        }
        let counts = self.desk.hub.counts();
        assert!(counts.ready + counts.blocked <= counts.watchers);
        assert_eq!(counts.scans, self.desk.scans.len());
        self.blocked |= counts.blocked > 0;
        self.scanned |= counts.scans > 0;
    }

    fn changes(&mut self) -> Vec<(Bytes, Option<Bytes>)> {
        let count = if self.chance(12) { 8 } else { 1 + self.rng.below(3) };
        let mut changes: Vec<(Bytes, Option<Bytes>)> = Vec::new();
        for _ in 0..count {
            let key = self.key();
            let length = pick(&mut self.rng, 60);
            let value = (!self.chance(3)).then(|| Bytes::from(vec![b'v'; length]));
            if changes.iter().all(|(other, _)| *other != key) {
                changes.push((key, value));
            }
        }
        changes
    }

    /// One to three transactions, published together or one by one.
    fn write_keys(&mut self) {
        let before = self.desk.world.revision();
        for _ in 0..=self.rng.below(3) {
            let changes = self.changes();
            let events = self.desk.world.apply(&changes);
            if self.chance(20) {
                self.create();
            }
            if self.chance(2) {
                let first = if self.chance(4) { before - 1 } else { before + 1 };
                let events = match self.desk.hub.watched() {
                    true => self.desk.world.events(first, self.desk.world.revision()),
                    false => events,
                };
                self.desk.publish(&events);
            }
        }
        let events = self.desk.world.events(before + 1, self.desk.world.revision());
        self.desk.publish(&events);
    }

    /// Revisions that nobody publishes: a snapshot, or a caller's mistake.
    fn leap(&mut self) {
        for _ in 0..=self.rng.below(5) {
            let changes = self.changes();
            self.desk.world.apply(&changes);
        }
        if self.chance(2) {
            self.desk.scans.clear();
            self.desk.restored();
        } else {
            let changes = self.changes();
            let events = self.desk.world.apply(&changes);
            self.desk.publish(&events);
            let revision = self.desk.world.revision();
            let all = self.desk.world.events(1, revision);
            self.desk.publish(&all);
        }
    }

    fn create(&mut self) {
        let Some(stream) = self.stream() else { return };
        let revision = self.desk.world.revision();
        let start_revision = match self.rng.below(10) {
            0..3 => 0,
            3..8 => {
                let past = revision - self.desk.world.compact_revision().max(0);
                revision - i64::try_from(self.rng.below(u64::try_from(past + 1).unwrap())).unwrap()
            }
            8 => revision + i64::try_from(self.rng.below(12)).unwrap(),
            _ => revision - i64::try_from(self.rng.below(40)).unwrap(),
        };
        let end = match self.rng.below(6) {
            0..2 => Bytes::new(),
            2 => Bytes::from_static(b"\0"),
            _ => self.key(),
        };
        let request = WatchCreate {
            id: if self.chance(3) { i64::try_from(self.rng.below(9)).unwrap() } else { 0 },
            keys: KeyRange { key: self.key(), end },
            start_revision,
            no_put: self.chance(6),
            no_delete: self.chance(6),
            prev_kv: self.chance(2),
            progress_notify: self.chance(2),
            fragment: self.chance(4),
        };
        self.checker.asked(stream, request.clone());
        self.desk.create(stream, request);
    }

    fn cancel(&mut self) {
        let Some(stream) = self.stream() else { return };
        let open = self.checker.open(stream);
        let id = match open.is_empty() {
            true => WatchId(77),
            false => open[pick(&mut self.rng, open.len())],
        };
        self.desk.cancel(stream, id);
    }

    fn close(&mut self) {
        let Some(stream) = self.stream() else { return };
        self.desk.close(stream);
        self.checker.closed(stream);
    }

    fn read_one(&mut self) -> bool {
        let Some(stream) = self.stream() else { return false };
        // The first stream hardly reads.
        if Some(&stream) == self.desk.wires.keys().next() && !self.chance(8) {
            return false;
        }
        self.read_from(stream).is_some()
    }

    fn read_from(&mut self, stream: StreamId) -> Option<()> {
        let response: WatchResponse = self.desk.write(stream)?;
        self.checker.written(&self.desk.world, stream, response);
        Some(())
    }

    /// Every client reads, the backend answers: all is told.
    fn heal(&mut self) {
        let changes = self.changes();
        let events = self.desk.world.apply(&changes);
        self.desk.publish(&events);
        for _ in 0..10_000 {
            self.desk.settle();
            let mut quiet = true;
            for stream in self.desk.wires.keys().copied().collect::<Vec<_>>() {
                while self.read_from(stream).is_some() {
                    quiet = false;
                }
            }
            if quiet {
                break;
            }
        }
        self.checker.finished(&self.desk.world, self.desk.world.revision());
        let counts = self.desk.hub.counts();
        assert_eq!((counts.ready, counts.blocked, counts.scans), (0, 0, 0));
    }
}

fn pick(rng: &mut Rng, below: usize) -> usize {
    usize::try_from(rng.below(u64::try_from(below).unwrap())).unwrap()
}

#[test]
fn random_lives_keep_every_promise() {
    let (mut events, mut progress, mut compacted) = (0, 0, 0);
    let (mut blocked, mut scanned) = (0, 0);
    for seed in 0..200 {
        let mut life = Life::new(seed);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..600 {
                life.act();
            }
            life.heal();
        }));
        assert!(outcome.is_ok(), "seed {seed}");
        events += life.checker.events;
        progress += life.checker.progress;
        compacted += life.checker.compacted;
        blocked += usize::from(life.blocked);
        scanned += usize::from(life.scanned);
    }
    // A model that never meets what it is about proves nothing.
    assert!(events > 40_000, "{events} events");
    assert!(progress > 1500, "{progress} progress responses");
    assert!(compacted > 300, "{compacted} watches compacted");
    assert!(blocked > 150 && scanned > 150, "{blocked} lives blocked, {scanned} scanned");
}
