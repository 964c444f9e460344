//! How each kind of fault strikes.

use std::time::Duration;

use node::{Input, Request};
use storage::disk::{Moment, OperationFault};

use super::{Kind, Mend, Step, cuts};
use crate::draw::Draw;
use crate::fault::{DiskFault, Fault};
use crate::seen::{Place, Seen, id};
use crate::world::{Status, Weather, World};

/// After so many syncs a fault that was to hit one of the next few operations has, and more was
/// written behind it.
const SYNCS: u8 = 8;

/// The storm's next step.
pub(crate) fn strike(world: &mut World, step: Step) {
    // Whoever ends by itself is started again in the calm, too.
    if world.storm.over && !matches!(step, Step::Start(_)) {
        return;
    }
    match step {
        Step::Strike => next_strike(world),
        Step::Mend(mend) => world.mend(mend),
        Step::Start(at) => world.start(at),
        Step::StartDismissing(at) => world.start_dismissing(at),
        Step::Roll(at) => {
            world.stop(at);
            if at + 1 < world.nodes() {
                let after = Duration::from_millis(500 + world.storm.rng.below(4_000));
                world.schedule(after, Step::Roll(at + 1));
            }
        }
        Step::Flap(from, to, left) => flap(world, from, to, left),
        Step::Swizzle(at, cut) => {
            for other in 0..world.nodes() {
                world.network.link(at, other).cut = cut;
                world.network.link(other, at).cut = cut;
            }
        }
        Step::Starve(at, left) => starve(world, at, left),
    }
}

fn next_strike(world: &mut World) {
    let number = world.storm.next_strike();
    let pause = world.storm.plan.pause.clone();
    let pause = world.storm.rng.between(&pause);
    world.schedule(pause, Step::Strike);
    let kinds = world.storm.plan.kinds.clone();
    let kind = world.storm.rng.one_of(&kinds);
    if world.storm.plan.only.as_ref().is_some_and(|only| !only.contains(&number)) {
        return;
    }
    if let Some(at) = hit(world, kind) {
        world.eyes.marks.struck(kind);
        show(world, kind, at);
    }
}

/// Tells the picture of what has no sign of its own.
fn show(world: &mut World, kind: Kind, at: Option<Place>) {
    let what = match kind {
        Kind::LogRot | Kind::HeadRot | Kind::StateRot => Some(DiskFault::Rot),
        Kind::Astray => Some(DiskFault::Astray),
        Kind::SyncError => Some(DiskFault::SyncError),
        Kind::WriteError | Kind::StateError => Some(DiskFault::WriteError),
        Kind::ShortWrite => Some(DiskFault::Short),
        Kind::ReadError => Some(DiskFault::ReadError),
        Kind::LogFull | Kind::StateFull => Some(DiskFault::Full),
        Kind::SlowSync => Some(DiskFault::Slow),
        Kind::StuckSync => Some(DiskFault::Stuck),
        _ => None,
    };
    let fault = match (what, at) {
        (Some(what), Some(at)) => Fault::Disk { at, what },
        _ => Fault::Other { name: kind.name(), at },
    };
    world.eyes.see(world.now, &Seen::Fault(&fault));
    if kind == Kind::HeadRot {
        // It may take both copies of the same thing.
        world.eyes.see(world.now, &Seen::Fault(&fault));
    }
}

/// Strikes; `None` when there was nothing to strike, else the node that was.
fn hit(world: &mut World, kind: Kind) -> Option<Option<Place>> {
    match kind {
        Kind::Loss | Kind::Doubling | Kind::Replay | Kind::Reorder | Kind::FlippedBits => {
            if world.nodes() < 2 {
                return None;
            }
            weather(world, kind);
            Some(None)
        }
        Kind::Split
        | Kind::IsolateOne
        | Kind::IsolateLeader
        | Kind::OneWay
        | Kind::DeafLeader
        | Kind::MuteLeader
        | Kind::Bridge
        | Kind::Chain
        | Kind::Star
        | Kind::Ring => partition(world, kind),
        Kind::Clog
        | Kind::SlowLink
        | Kind::Bandwidth
        | Kind::BlackHole
        | Kind::GrayLink
        | Kind::SlowPeer
        | Kind::Reset
        | Kind::Flapping
        | Kind::Swizzle => link(world, kind),
        Kind::Kill
        | Kind::KillLeader
        | Kind::KillInSync
        | Kind::PowerCut
        | Kind::KillAll
        | Kind::TornPower
        | Kind::PowerLoss => crash(world, kind),
        Kind::ShortPause | Kind::LongPause | Kind::PauseLeader | Kind::Starve => pause(world, kind),
        Kind::Restart | Kind::RestartLeader | Kind::RollingRestart => restart(world, kind),
        Kind::Leap | Kind::Drift => clock(world, kind),
        Kind::StuckSync | Kind::SlowSync => slow_disk(world, kind),
        Kind::SyncError
        | Kind::WriteError
        | Kind::ShortWrite
        | Kind::ReadError
        | Kind::LogFull
        | Kind::StateFull
        | Kind::StateError
        | Kind::LogRot
        | Kind::HeadRot
        | Kind::StateRot
        | Kind::Astray => disk(world, kind),
        Kind::Transfer => transfer(world),
        Kind::DismissDoubt => dismiss(world),
    }
}

fn any_up(world: &mut World) -> Option<Place> {
    let up = world.up();
    (!up.is_empty()).then(|| world.storm.rng.one_of(&up))
}

/// A weather that is worse than usual, for a while, everywhere.
fn weather(world: &mut World, kind: Kind) {
    let usual = world.options.weather;
    let rng = &mut world.storm.rng;
    let ppm = |percent: u64| u32::try_from(percent * 10_000).unwrap_or(u32::MAX);
    let worse = match kind {
        Kind::Loss => Weather { loss: ppm(1 + rng.below(30)), ..usual },
        Kind::Doubling => Weather { doubling: ppm(1 + rng.below(50)), ..usual },
        Kind::Replay => Weather { replay: ppm(1 + rng.below(10)), ..usual },
        Kind::FlippedBits => Weather { flips: ppm(1 + rng.below(5)), ..usual },
        _ => Weather {
            jitter: usual.jitter + Duration::from_millis(20 + rng.below(300)),
            tail: Duration::from_millis(rng.below(2_000)),
            ..usual
        },
    };
    for from in 0..world.nodes() {
        for to in 0..world.nodes() {
            world.network.link(from, to).weather = worse;
        }
    }
    let lasting = world.storm.lasting();
    world.schedule(lasting, Step::Mend(Mend::Weather));
}

fn partition(world: &mut World, kind: Kind) -> Option<Option<Place>> {
    let nodes = world.nodes();
    if nodes < 2 {
        return None;
    }
    let leader = match kind {
        Kind::IsolateLeader | Kind::DeafLeader | Kind::MuteLeader => world.leader()?,
        _ => world.leader().unwrap_or(0),
    };
    let links = cuts::links(kind, nodes, leader, &mut world.storm.rng);
    if links.is_empty() {
        return None;
    }
    world.cut_links(kind.name(), &links);
    let lasting = world.storm.lasting();
    world.schedule(lasting, Step::Mend(Mend::Links(links)));
    Some(None)
}

fn link(world: &mut World, kind: Kind) -> Option<Option<Place>> {
    let nodes = world.nodes();
    if nodes < 2 {
        return None;
    }
    let from = world.storm.rng.place(nodes);
    let to = (from + 1 + world.storm.rng.place(nodes - 1)) % nodes;
    let lasting = world.storm.lasting();
    let (now, draw) = (world.now, world.storm.rng.next());
    let usual = world.options.weather;
    match kind {
        Kind::Clog => {
            world.network.link(from, to).clogged = now + lasting.min(Duration::from_secs(5))
        }
        Kind::SlowLink => {
            world.network.link(from, to).slow = Duration::from_millis(10 + draw % 1_000);
        }
        Kind::Bandwidth => {
            world.network.link(from, to).byte =
                10_000 + u32::try_from(draw % 1_000_000).unwrap_or(0);
        }
        Kind::BlackHole => {
            world.network.link(from, to).largest = Some(usize::try_from(draw % 300).unwrap_or(0));
        }
        Kind::GrayLink => {
            let loss = 10_000 + u32::try_from(draw % 40_000).unwrap_or(0);
            world.network.link(from, to).weather = Weather { loss, ..usual };
        }
        Kind::SlowPeer => {
            for other in 0..nodes {
                world.network.link(from, other).slow = Duration::from_millis(5 + draw % 200);
                world.network.link(other, from).slow = Duration::from_millis(5 + draw % 200);
                world.schedule(lasting, Step::Mend(Mend::Link(from, other)));
                world.schedule(lasting, Step::Mend(Mend::Link(other, from)));
            }
        }
        Kind::Reset => {
            world.feed(from, Input::Unreachable(id(to)));
            world.drain(from);
            return Some(Some(from));
        }
        Kind::Flapping => flap(world, from, to, 20),
        _ => swizzle(world),
    }
    world.schedule(lasting, Step::Mend(Mend::Link(from, to)));
    Some(Some(from))
}

fn flap(world: &mut World, from: Place, to: Place, left: u32) {
    let cut = left % 2 == 1;
    for (a, b) in [(from, to), (to, from)] {
        world.network.link(a, b).cut = cut;
    }
    if left > 0 {
        let longest = *world.options.consensus.election.end();
        let after = world.storm.rng.between(&(longest / 4..=longest + longest / 2));
        world.schedule(after, Step::Flap(from, to, left - 1));
    }
}

/// Cuts some nodes off, one by one, and lets them come back in another order.
fn swizzle(world: &mut World) {
    let mut places: Vec<Place> = (0..world.nodes()).collect();
    world.storm.rng.shuffle(&mut places);
    let some = 1 + world.storm.rng.place(places.len());
    places.truncate(some);
    let mut after = Duration::ZERO;
    for at in &places {
        after += Duration::from_millis(world.storm.rng.below(2_000));
        world.schedule(after, Step::Swizzle(*at, true));
    }
    world.storm.rng.shuffle(&mut places);
    for at in &places {
        after += Duration::from_millis(world.storm.rng.below(2_000));
        world.schedule(after, Step::Swizzle(*at, false));
    }
}

fn crash(world: &mut World, kind: Kind) -> Option<Option<Place>> {
    let everyone = matches!(kind, Kind::PowerCut | Kind::KillAll);
    let one = match kind {
        Kind::KillLeader => world.leader(),
        _ => any_up(world),
    }?;
    let victims = if everyone { (0..world.nodes()).collect() } else { vec![one] };
    let mut any = false;
    for at in victims {
        let alive = world.machines[at].alive().is_some();
        if !alive || world.storm.fragile.contains_key(&at) {
            continue;
        }
        let rng = &mut world.storm.rng;
        let (moment, choice) = match kind {
            Kind::PowerLoss => (Moment::Before, 0),
            Kind::TornPower | Kind::PowerCut => (Moment::Torn, rng.below(5)),
            Kind::KillInSync => (Moment::After, 1 + rng.below(4)),
            _ => (Moment::After, 0),
        };
        let down = Duration::from_millis(50 + rng.below(8_000));
        any = true;
        world.crash_with(at, moment, choice);
        world.schedule(down, Step::Start(at));
    }
    any.then_some((!everyone).then_some(one))
}

fn pause(world: &mut World, kind: Kind) -> Option<Option<Place>> {
    let longest = *world.options.consensus.election.end();
    let at = match kind {
        Kind::PauseLeader => world.leader(),
        _ => any_up(world),
    }?;
    if kind == Kind::Starve {
        starve(world, at, 40);
        return Some(Some(at));
    }
    let range = match kind {
        Kind::ShortPause => Duration::from_millis(1)..=longest / 2,
        _ => longest..=longest * 6,
    };
    let lasting = world.storm.rng.between(&range);
    world.pause(at);
    world.schedule(lasting, Step::Mend(Mend::Pause(at)));
    Some(Some(at))
}

/// A node that gets the processor only now and then: its timers come late, and in heaps.
fn starve(world: &mut World, at: Place, left: u32) {
    if left.is_multiple_of(2) {
        world.pause(at);
    } else {
        world.resume(at);
    }
    if left > 0 {
        let after = Duration::from_millis(1 + world.storm.rng.below(250));
        world.schedule(after, Step::Starve(at, left - 1));
    } else {
        world.resume(at);
    }
}

fn restart(world: &mut World, kind: Kind) -> Option<Option<Place>> {
    if kind == Kind::RollingRestart {
        world.schedule(Duration::ZERO, Step::Roll(0));
        return Some(None);
    }
    let at = match kind {
        Kind::RestartLeader => world.leader(),
        _ => any_up(world),
    }?;
    world.stop(at);
    Some(Some(at))
}

fn clock(world: &mut World, kind: Kind) -> Option<Option<Place>> {
    let at = any_up(world)?;
    let rng = &mut world.storm.rng;
    if kind == Kind::Leap {
        let leap = 1_000_000 * (1 + rng.below(20_000));
        let rate = world.machines[at].clock.rate();
        world.set_clock(at, rate, leap);
        return Some(Some(at));
    }
    let rate = world.storm.rate();
    world.set_clock(at, rate, 0);
    Some(Some(at))
}

fn slow_disk(world: &mut World, kind: Kind) -> Option<Option<Place>> {
    let at = match kind {
        Kind::StuckSync => world.leader(),
        _ => any_up(world),
    }?;
    let lasting = world.storm.lasting();
    let longer = match kind {
        Kind::StuckSync => lasting,
        _ => Duration::from_millis(10 + world.storm.rng.below(1_000)),
    };
    let until = world.now + lasting;
    world.storm.slow_down(at, longer, until);
    Some(Some(at))
}

fn disk(world: &mut World, kind: Kind) -> Option<Option<Place>> {
    let at = if kind.damages() {
        let damaged: Vec<Place> = world.storm.damaged.iter().copied().collect();
        (!damaged.is_empty()).then(|| world.storm.rng.one_of(&damaged))?
    } else {
        any_up(world)?
    };
    if world.storm.fragile.contains_key(&at) {
        return None;
    }
    let ahead = world.storm.rng.below(6);
    let draw = world.storm.rng.next();
    match kind {
        Kind::SyncError | Kind::WriteError => {
            world.machines[at].log.fail(ahead, OperationFault::Eio);
        }
        Kind::ShortWrite => {
            let bytes = usize::try_from(draw % 2_000).unwrap_or(0);
            world.machines[at].log.fail(ahead, OperationFault::Short(bytes));
        }
        Kind::ReadError => world.machines[at].log.get().fail_read(ahead % 2),
        Kind::LogFull | Kind::StateFull => {
            let (log, state) = (kind == Kind::LogFull, kind == Kind::StateFull);
            world.fill_disk(at, log, state)?;
            let lasting = world.storm.lasting();
            world.schedule(lasting, Step::Mend(Mend::Full(at)));
        }
        Kind::StateError => world.fail_state(at, ahead)?,
        Kind::Astray => {
            if !matches!(world.machines[at].status, Status::Up(_)) {
                return None;
            }
            world.storm.fragile.insert(at, SYNCS);
            world.machines[at].log.fail(ahead, OperationFault::Astray(1 + draw % 8));
        }
        _ => {
            world.rot(at, kind, draw)?;
            // What rots is noticed at the next start at the latest: let that be soon.
            if world.storm.rng.percent(60) {
                let moment = world.storm.rng.one_of(&[Moment::After, Moment::Torn]);
                let down = Duration::from_millis(50 + world.storm.rng.below(2_000));
                world.crash_with(at, moment, 0);
                world.schedule(down, Step::Start(at));
            }
        }
    }
    Some(Some(at))
}

fn transfer(world: &mut World) -> Option<Option<Place>> {
    let leader = world.leader()?;
    let to = any_up(world).filter(|to| *to != leader)?;
    world.ask(leader, Request::MoveLeader(id(to)));
    Some(Some(to))
}

/// An operator ends a node in doubt whose disk was not damaged, and starts it with its doubt
/// dismissed: nothing that such a node lost had been acknowledged.
fn dismiss(world: &mut World) -> Option<Option<Place>> {
    let doubtful = |at: &Place| {
        let doubt = world.node(*at).is_some_and(|node| node.raft().status().doubt.is_some());
        doubt && !world.storm.is_damaged(*at)
    };
    let at = world.up().into_iter().find(doubtful)?;
    world.crash(at);
    world.schedule(Duration::from_millis(100), Step::StartDismissing(at));
    Some(Some(at))
}
