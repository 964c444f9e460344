//! The store beside its naive twin, over random commands, flushes, losses, restarts and pruning.

use protocol::Rng;
use store::watch::History;
use store::{Backend, Command, Limits, Revision, Store};

use crate::random::Draw;
use crate::rig::Rig;
use crate::twin::Twin;

const SEEDS: u64 = 120;
const COMMANDS: usize = 120;

struct Pair {
    rig: Rig,
    twin: Twin,
    /// The same commands, never flushed, never pruned.
    plain: Rig,
    draw: Draw,
    seed: u64,
    /// Commands since the last flush.
    unflushed: Vec<Command>,
    restarts: usize,
    accepted: usize,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let limits = Limits {
            hot_bytes: draw.pick(&[0, 0, 500, 3000]),
            expiries_per_tick: draw.pick(&[1, 2, 1000]),
            ..Limits::default()
        };
        let mut rig = Rig::new(limits);
        rig.store.set_watched(true);
        Self {
            rig,
            twin: Twin::new(limits),
            plain: Rig::new(limits),
            draw,
            seed,
            unflushed: Vec::new(),
            restarts: 0,
            accepted: 0,
        }
    }

    fn step(&mut self) {
        match self.draw.below(20) {
            0..=2 => self.flush(),
            3 => self.restart(),
            4 => {
                let keys = 1 + self.draw.below(4);
                self.rig.prune_step(keys);
                if self.draw.one_in(2) {
                    self.rig.discard_some(&mut self.draw);
                }
            }
            5..=7 => self.read(),
            8 => self.past(),
            _ => self.command(),
        }
    }

    fn command(&mut self) {
        let newest = self.twin.revision;
        let command = self.draw.command(newest);
        if Store::validate(&self.rig.limits, &command).is_err() {
            let before = self.twin.revision;
            let refused = self.rig.apply(&command);
            assert!(refused.outcome.is_err(), "seed {}: {command:?}", self.seed);
            assert_eq!(refused.revision, before);
            self.plain.apply(&command);
            self.unflushed.push(command);
            return;
        }
        let applied = self.rig.apply(&command);
        let expected = self.twin.apply(&command);
        self.plain.apply(&command);
        assert_eq!(applied.outcome, expected, "seed {}: {command:?}", self.seed);
        assert_eq!(applied.revision, self.twin.revision, "seed {}: {command:?}", self.seed);
        self.accepted += usize::from(expected.is_ok());
        let told: Vec<_> = self.rig.events();
        let told: Vec<_> = told.iter().map(|event| self.rig.told(event)).collect();
        let happened = self.twin.events.range(newest + 1..);
        let happened: Vec<_> = happened.flat_map(|(_, events)| events.clone()).collect();
        assert_eq!(told, happened, "seed {}: {command:?}", self.seed);
        self.unflushed.push(command);
    }

    /// Flushes with a command in between, or fails to.
    fn flush(&mut self) {
        let Some(flush) = self.rig.store.begin_flush() else { return };
        assert!(self.rig.store.begin_flush().is_none(), "one flush at a time");
        let covered = self.unflushed.len();
        self.command();
        let keys = self.draw.below(4);
        self.rig.prune_step(keys.max(1));
        if self.draw.one_in(4) {
            self.rig.store.flush_failed();
            return;
        }
        self.rig.backend.flush(&flush).expect("memory does not fail");
        self.rig.store.flushed(flush.applied);
        self.unflushed.drain(..covered);
    }

    /// Dies, starts from the last flush, and replays the log behind it.
    fn restart(&mut self) {
        let before = self.rig.store.revision();
        let mut rig = self.rig.restarted();
        assert!(rig.store.revision() <= before);
        rig.store.set_watched(true);
        for command in &self.unflushed {
            rig.apply(command);
        }
        rig.events();
        assert_eq!(rig.store.revision(), before, "seed {}", self.seed);
        assert_eq!(rig.store.applied(), self.rig.store.applied());
        self.rig = rig;
        self.restarts += 1;
        self.compare();
    }

    fn read(&mut self) {
        let range = self.draw.range(self.twin.revision);
        let expected = self.twin.read(&range);
        assert_eq!(self.rig.read(&range), expected, "seed {}: {range:?}", self.seed);
    }

    fn past(&mut self) {
        let from = self.draw.between(self.twin.compact.max(1) - 1, self.twin.revision + 1);
        let limit = 1 + self.draw.below(4);
        let expected = self.twin.past(from);
        let past = self.rig.past(from, limit).and_then(|events| {
            // Beyond the newest revision nothing is asked; the bound still is.
            self.rig.store.history(Revision::new(from, 0), 1).map(|_| events)
        });
        assert_eq!(past, expected, "seed {}: from {from}", self.seed);
    }

    /// Everything there is to see, against the twin and the plain store.
    fn compare(&mut self) {
        let (seed, store) = (self.seed, &self.rig.store);
        assert_eq!(store.revision(), self.twin.revision, "seed {seed}");
        assert_eq!(store.compact_revision(), self.twin.compact, "seed {seed}");
        assert_eq!(store.keys(), u64::try_from(self.twin.state().len()).expect("few"));
        assert!(store.alarms().eq(self.twin.all_alarms()), "seed {seed}");
        assert!(store.members().eq(self.plain.store.members()), "seed {seed}");
        assert!(store.leases().eq(self.twin.leases.keys().copied()), "seed {seed}");
        for (id, (ttl, deadline)) in &self.twin.leases {
            let view = store.lease(*id).expect("both have it");
            let full = 1000 * u64::try_from(*ttl).expect("positive");
            let left = deadline.map_or(full, |end| end.saturating_sub(self.twin.clock));
            assert_eq!((view.granted, view.remaining_ms), (*ttl, left), "seed {seed}");
            let keys = self.twin.state().values().filter(|kv| kv.lease == Some(*id));
            assert!(view.keys().eq(keys.map(|kv| &kv.key[..])), "seed {seed}: {id}");
        }
        store.assert_sum();
        assert_eq!(store.state_hash(), self.plain.store.state_hash(), "seed {seed}");
        let first = self.twin.compact.max(1);
        for at in first..=self.twin.revision {
            assert_eq!(self.rig.hash_at(at), self.plain.hash_at(at), "seed {seed}: hash at {at}");
            for _ in 0..2 {
                let mut range = self.draw.range(self.twin.revision);
                range.revision = at;
                let expected = self.twin.read(&range);
                assert_eq!(self.rig.read(&range), expected, "seed {seed}: {range:?}");
            }
        }
        assert_eq!(self.rig.past(first, 3), self.twin.past(first), "seed {seed}");
    }
}

/// Flushes, prunes and discards until there is nothing left to do.
fn settle(rig: &mut Rig) {
    for _ in 0..2 {
        rig.flush();
        rig.prune();
        rig.apply(&Command::LeaseRenew { ids: Vec::new() });
    }
    assert!(rig.store.compaction_settled());
}

#[test]
fn the_store_is_its_twin_through_flushes_failures_restarts_and_pruning() {
    let (mut loaded, mut restarts, mut accepted) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut pair = Pair::new(seed);
        for _ in 0..COMMANDS {
            pair.step();
        }
        pair.compare();
        settle(&mut pair.rig);
        pair.compare();
        let held = pair.rig.all_records();
        pair.rig = pair.rig.restarted();
        assert_eq!(pair.rig.all_records(), held, "no dead record remains");
        assert!(pair.rig.discards[0].is_empty(), "no dead record remains");
        pair.compare();
        restarts += pair.restarts;
        loaded += pair.rig.loaded;
        accepted += pair.accepted;
    }
    println!("{accepted} commands, {loaded} records loaded, {restarts} restarts");
    assert!(accepted > 4_000 && loaded > 1_000 && restarts > 500, "the run met what it is about");
}

/// A read that is stepped while commands are applied sees its own revision, or is told that this
/// has been compacted.
#[test]
fn a_read_in_steps_keeps_its_revision_while_writes_go_on() {
    let (mut finished, mut compacted) = (0, 0);
    for seed in 0..SEEDS {
        let mut pair = Pair::new(seed ^ 0x5eed);
        for _ in 0..COMMANDS / 3 {
            pair.command();
        }
        for _ in 0..10 {
            let mut range = pair.draw.range(pair.twin.revision);
            range.revision = 0;
            let Ok(mut cursor) = pair.rig.store.begin_range(&range) else { continue };
            let expected = pair.twin.read(&range);
            let pinned = cursor.revision();
            let outcome = loop {
                match pair.rig.store.step_range(&mut cursor, 1) {
                    Ok(true) => break Ok(()),
                    Ok(false) => pair.command(),
                    Err(error) => break Err(error),
                }
                pair.flush();
            };
            if let Err(error) = outcome {
                assert_eq!(error, store::Error::Compacted);
                assert!(pinned < pair.twin.compact);
                compacted += 1;
                continue;
            }
            let answer = cursor.into_view().complete(|at| pair.rig.fetch(at));
            if let Ok(answer) = answer {
                assert_eq!(Ok(answer), expected, "seed {seed}: {range:?}");
                finished += 1;
            } else {
                assert!(pinned < pair.twin.compact, "only compaction takes records away");
                compacted += 1;
            }
        }
    }
    assert!(finished > 500 && compacted > 3, "{finished} finished, {compacted} compacted");
}

/// Limits differ in what stays in memory; nothing that is answered or hashed may.
#[test]
fn what_stays_in_memory_makes_no_difference() {
    for seed in 0..100 {
        let mut commands = Draw { rng: Rng::new(seed) };
        let mut rigs =
            [0, 800, 1 << 20].map(|hot_bytes| Rig::new(Limits { hot_bytes, ..Limits::default() }));
        for round in 0..80 {
            let command = commands.command(rigs[0].store.revision());
            let [a, b, c] = rigs.each_mut().map(|rig| rig.apply(&command));
            assert!(a == b && b == c, "seed {seed}: {command:?}");
            if round % 7 == 0 {
                rigs[0].flush();
                rigs[1].flush();
                rigs[1].prune_step(2);
            }
        }
        let [a, b, c] = rigs.each_ref().map(Rig::hash);
        assert!(a == b && b == c, "seed {seed}");
    }
}
