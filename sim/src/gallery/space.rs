//! A disk that fills up.

use bytes::Bytes;
use node::{Failure, Request, RequestId};
use store::{Alarm, Command, DeleteRange, KeyRange};

use super::Scenario;
use super::stage::{Stage, Step, claim, ms, options};
use crate::history::Ending;
use crate::seen::Place;
use crate::swarm::Options;
use crate::trace::name;
use crate::world::World;

/// Whose disk is small.
const SMALL: Place = 2;
/// What it holds, in bytes, and how much of that stays free.
const DISK: u64 = 16 << 20;
const RESERVE: u64 = 6 << 20;
/// About a table's worth of the state.
const VALUE: usize = 3_000;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    tag: "s1_22",
    title: "The disk reserve: writes end before the disk is full, and go on by themselves",
    story: "One member of three has a small disk. When less is free on it than its reserve, it \
            says so through the log, and from that entry on all members refuse what grows, clearly \
            and for certain; reads, deletions and compactions go on. When a compaction has given \
            back space, the member takes its word back, and writes go on. Nobody had to lift a \
            finger for that, and the disk was never full.",
    routine: false,
    open: |seed| Stage::new(small_disk(), seed),
    play: s1_22,
}];

/// The state lies in tables on a disk, and the log is kept for nobody.
fn small_disk() -> Options {
    let mut options = options(3);
    options.disks.tables = true;
    options.disks.reserved = RESERVE;
    options.stores.limits.hot_bytes = 0;
    options.stores.flush_interval = ms(50);
    options.stores.log_keep_bytes = 0;
    options
}

fn no_space(world: &World, at: Place) -> bool {
    world.node(at).is_some_and(|node| node.store().has_alarm(Alarm::NoSpace))
}

fn key(number: usize) -> String {
    format!("k{number:03}")
}

fn value(number: usize) -> String {
    format!("{number:03}").repeat(VALUE / 3)
}

fn refused(stage: &mut Stage, id: RequestId) -> Step<bool> {
    stage.wait("an answer", |world| world.reply(id).is_some())?;
    match stage.world.reply(id) {
        Some(Ending::Answered(_)) => Ok(false),
        Some(Ending::Refused(Failure::NoSpace | Failure::Store(store::Error::NoSpace), _)) => {
            Ok(true)
        }
        other => Err(super::stage::Stop::Claim(format!("a put ended as {other:?}"))),
    }
}

/// Writes until a write is refused; how many were not.
fn fill(stage: &mut Stage, at: Place) -> Step<usize> {
    for number in 0..200 {
        let id = stage.put(at, &key(number), &value(number));
        if refused(stage, id)? {
            return Ok(number);
        }
        stage.pass(ms(60));
        claim_reserve_holds(stage)?;
    }
    claim(false, || "the disk took everything".into()).map(|()| 0)
}

/// There is room for what deletions and compactions need.
fn claim_reserve_holds(stage: &Stage) -> Step {
    let free = stage.world.free(SMALL).unwrap_or(u64::MAX);
    claim(free > 0, || "the disk is full".into())
}

fn s1_22(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    stage.world.set_capacity(SMALL, None, Some(DISK));
    stage.note("n3 has a small disk, and keeps a part of it in reserve.");
    let kept = fill(stage, 1)?;
    claim(kept > 3, || format!("refused after {kept} writes"))?;
    stage.note("Less is free than the reserve: n3 has said so, and the write is refused.");
    stage.wait("all to know", |world| (0..3).all(|at| no_space(world, at)))?;
    for at in 0..3 {
        let id = stage.put(at, "more", "1");
        let refused = refused(stage, id)?;
        claim(refused, || format!("{} took a write", name(at)))?;
        let read = stage.get(at, &key(0), false);
        stage.done(read)?;
        stage.claim_value(read, &value(0))?;
    }
    stage.note("Every member refuses to grow, and serves reads. Now half of it is deleted.");
    let keys = KeyRange { key: Bytes::from(key(0)), end: Bytes::from(key(kept.div_ceil(2))) };
    let delete = Command::DeleteRange(DeleteRange { range: keys, prev_kv: false });
    let id = stage.world.ask(1, Request::Write(delete));
    stage.done(id)?;
    let revision = stage.world.node(1).map_or(0, |node| node.store().revision());
    let id = stage.world.ask(1, Request::Compact { revision, physical: false });
    stage.done(id)?;
    stage.wait("the alarm to go by itself", |world| !(0..3).any(|at| no_space(world, at)))?;
    claim_reserve_holds(stage)?;
    stage.note("The compaction gave space back, n3 took its word back, and writes go on.");
    stage.write(1, "more", "1")?;
    for number in kept.div_ceil(2)..kept {
        let read = stage.get(0, &key(number), false);
        stage.done(read)?;
        stage.claim_value(read, &value(number))?;
    }
    stage.settle()
}
