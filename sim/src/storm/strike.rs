//! How each kind of fault strikes.

use std::time::Duration;

use node::{Input, Request};
use storage::disk::{Moment, OperationFault, SECTOR};

use super::holds::{Grip, Hold};
use super::{Kind, Step, cuts, losses, members};
use crate::draw::Draw;
use crate::fault::{DiskFault, Fault};
use crate::seen::{Place, Seen, id};
use crate::world::{Link, Status, Weather, World};

/// After so many syncs a fault that was to hit one of the next few operations has, and more was
/// written behind it.
const SYNCS: u8 = 8;
/// No link is clogged for longer.
const CLOGGED: Duration = Duration::from_secs(5);
/// How often a flapping link goes or comes; it has come in the end.
const FLAPS: u32 = 20;
/// How often a starved node stops or goes on; it goes on in the end.
const STARVES: u32 = 41;

/// The storm's next step.
pub(crate) fn strike(world: &mut World, step: Step) {
    // Whoever ends by itself is started again in the calm, too.
    if world.storm.over
        && !matches!(step, Step::Start { .. } | Step::Disown { .. } | Step::Rejoin(_))
    {
        return;
    }
    match step {
        Step::Strike => next_strike(world),
        Step::Over(grip, kind) => world.end_of(grip, kind),
        Step::Start { at, life } => {
            if world.machines[at].life == life {
                world.start(at);
            }
        }
        Step::Disown { at, by, boot } => world.disown(at, by, boot),
        Step::Rejoin(old) => world.rejoin(old),
        Step::StartDismissing(at) => world.start_dismissing(at),
        Step::Roll(grip, at) => roll(world, grip, at),
        Step::Flap(grip, ends, left) => flap(world, grip, ends, left),
        Step::Swizzle(grip, at, cut) => {
            if cut {
                let links = around(world.nodes(), at);
                let weather = world.options.weather;
                world.hold(grip, Hold::cut(links, weather));
            } else {
                world.let_go(grip);
            }
        }
        Step::Starve(grip, at, left) => starve(world, grip, at, left),
    }
}

fn next_strike(world: &mut World) {
    let grip = world.storm.next_strike();
    let pause = world.storm.plan.pause.clone();
    let pause = world.storm.rng.between(&pause);
    world.schedule(pause, Step::Strike);
    let kinds = world.storm.plan.kinds.clone();
    let kind = world.storm.rng.one_of(&kinds);
    if world.storm.plan.only.as_ref().is_some_and(|only| !only.contains(&grip.strike)) {
        return;
    }
    if let Some(at) = hit(world, grip, kind) {
        world.eyes.marks.struck(kind);
        show(world, kind, at);
    }
}

/// Tells the picture of what has no sign of its own.
fn show(world: &mut World, kind: Kind, at: Option<Place>) {
    let what = match kind {
        Kind::LogRot => Some(DiskFault::Rot),
        Kind::HeadRot => Some(DiskFault::HeadRot),
        Kind::StateRot => Some(DiskFault::StateRot),
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
}

/// Strikes; `None` when there was nothing to strike, else the node that was.
fn hit(world: &mut World, grip: Grip, kind: Kind) -> Option<Option<Place>> {
    match kind {
        Kind::Loss | Kind::Doubling | Kind::Replay | Kind::Reorder | Kind::FlippedBits => {
            if world.nodes() < 2 {
                return None;
            }
            weather(world, grip, kind);
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
        | Kind::Ring => partition(world, grip, kind),
        Kind::Clog
        | Kind::SlowLink
        | Kind::Bandwidth
        | Kind::BlackHole
        | Kind::GrayLink
        | Kind::SlowPeer
        | Kind::Reset
        | Kind::Flapping
        | Kind::Swizzle => link(world, grip, kind),
        Kind::Kill
        | Kind::KillLeader
        | Kind::KillInSync
        | Kind::PowerCut
        | Kind::KillAll
        | Kind::TornPower
        | Kind::PowerLoss => crash(world, kind),
        Kind::ShortPause | Kind::LongPause | Kind::PauseLeader | Kind::Starve => {
            pause(world, grip, kind)
        }
        Kind::Restart | Kind::RestartLeader | Kind::RollingRestart => restart(world, grip, kind),
        Kind::Leap | Kind::Drift => clock(world, kind),
        Kind::StuckSync | Kind::SlowSync => slow_disk(world, grip, kind),
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
        | Kind::Astray => disk(world, grip, kind),
        Kind::WipedDisk | Kind::OldDisk => losses::strike(world, kind),
        Kind::Transfer => transfer(world),
        Kind::DismissDoubt => dismiss(world),
        Kind::AddVoter
        | Kind::AddLearner
        | Kind::Promote
        | Kind::Demote
        | Kind::Remove
        | Kind::RemoveLeader
        | Kind::Replace
        | Kind::Readdress
        | Kind::TwoOperators => members::change(world, kind),
    }
}

pub(super) fn any_up(world: &mut World) -> Option<Place> {
    let up = world.up();
    (!up.is_empty()).then(|| world.storm.rng.one_of(&up))
}

/// A weather that is worse than usual, for a while, everywhere.
fn weather(world: &mut World, grip: Grip, kind: Kind) {
    let fair = world.options.weather;
    let rng = &mut world.storm.rng;
    let ppm = |percent: u64| u32::try_from(percent * 10_000).unwrap_or(u32::MAX);
    let worse = match kind {
        Kind::Loss => Weather { loss: ppm(1 + rng.below(30)), ..fair },
        Kind::Doubling => Weather { doubling: ppm(1 + rng.below(50)), ..fair },
        Kind::Replay => Weather { replay: ppm(1 + rng.below(10)), ..fair },
        Kind::FlippedBits => Weather { flips: ppm(1 + rng.below(5)), ..fair },
        _ => Weather {
            jitter: fair.jitter + Duration::from_millis(20 + rng.below(300)),
            tail: Duration::from_millis(rng.below(2_000)),
            ..fair
        },
    };
    let lasting = world.storm.lasting();
    let links = (0..world.nodes()).flat_map(|at| around(world.nodes(), at)).collect();
    world.hold_for(lasting, grip, kind, Hold::Links(links, Link::usual(worse)));
}

fn partition(world: &mut World, grip: Grip, kind: Kind) -> Option<Option<Place>> {
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
    let fault = Fault::Cut { shape: kind.name(), links: links.clone() };
    world.eyes.see(world.now, &Seen::Fault(&fault));
    let lasting = world.storm.lasting();
    let weather = world.options.weather;
    world.hold_for(lasting, grip, kind, Hold::cut(links, weather));
    Some(None)
}

fn link(world: &mut World, grip: Grip, kind: Kind) -> Option<Option<Place>> {
    let nodes = world.nodes();
    if nodes < 2 {
        return None;
    }
    let from = world.storm.rng.place(nodes);
    let to = (from + 1 + world.storm.rng.place(nodes - 1)) % nodes;
    let mut lasting = world.storm.lasting();
    let (now, draw) = (world.now, world.storm.rng.next());
    let mut links = vec![(from, to)];
    let link = Link::usual(world.options.weather);
    let worse = match kind {
        Kind::Clog => {
            lasting = lasting.min(CLOGGED);
            Link { clogged: now + lasting, ..link }
        }
        Kind::SlowLink => Link { slow: Duration::from_millis(10 + draw % 1_000), ..link },
        Kind::Bandwidth => {
            Link { byte: 10_000 + u32::try_from(draw % 1_000_000).unwrap_or(0), ..link }
        }
        Kind::BlackHole => Link { largest: Some(usize::try_from(draw % 300).unwrap_or(0)), ..link },
        Kind::GrayLink => {
            let loss = 10_000 + u32::try_from(draw % 40_000).unwrap_or(0);
            let loss = loss.max(link.weather.loss);
            Link { weather: Weather { loss, ..link.weather }, ..link }
        }
        Kind::SlowPeer => {
            links = around(nodes, from);
            Link { slow: Duration::from_millis(5 + draw % 200), ..link }
        }
        Kind::Reset => {
            world.feed(from, Input::Unreachable(id(to)));
            world.drain(from);
            return Some(Some(from));
        }
        Kind::Flapping => {
            flap(world, grip, (from, to), FLAPS);
            return Some(Some(from));
        }
        _ => {
            swizzle(world, grip);
            return Some(Some(from));
        }
    };
    world.hold_for(lasting, grip, kind, Hold::Links(links, worse));
    Some(Some(from))
}

/// The links to and from a node.
fn around(nodes: usize, at: Place) -> Vec<(Place, Place)> {
    let others = (0..nodes).filter(|other| *other != at);
    others.flat_map(|other| [(at, other), (other, at)]).collect()
}

fn flap(world: &mut World, grip: Grip, ends: (Place, Place), left: u32) {
    world.storm.take_up(grip, left);
    if left % 2 == 1 {
        let links = vec![ends, (ends.1, ends.0)];
        let weather = world.options.weather;
        world.hold(grip, Hold::cut(links, weather));
    } else {
        world.let_go(grip);
    }
    if left > 0 {
        let longest = *world.options.consensus.election.end();
        let after = world.storm.rng.between(&(longest / 4..=longest + longest / 2));
        world.schedule(after, Step::Flap(grip, ends, left - 1));
    }
}

/// Cuts some nodes off, one by one, and lets them come back in another order.
fn swizzle(world: &mut World, grip: Grip) {
    let mut places: Vec<Place> = (0..world.nodes()).collect();
    world.storm.rng.shuffle(&mut places);
    let some = 1 + world.storm.rng.place(places.len());
    places.truncate(some);
    let mut after = Duration::ZERO;
    for cut in [true, false] {
        for &at in &places {
            after += Duration::from_millis(world.storm.rng.below(2_000));
            let grip = Grip { part: u8::try_from(at).unwrap_or(u8::MAX), ..grip };
            world.schedule(after, Step::Swizzle(grip, at, cut));
        }
        world.storm.rng.shuffle(&mut places);
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
        world.start_later(down, at);
    }
    any.then_some((!everyone).then_some(one))
}

fn pause(world: &mut World, grip: Grip, kind: Kind) -> Option<Option<Place>> {
    let longest = *world.options.consensus.election.end();
    let at = match kind {
        Kind::PauseLeader => world.leader(),
        _ => any_up(world),
    }?;
    if kind == Kind::Starve {
        starve(world, grip, at, STARVES);
        return Some(Some(at));
    }
    let range = match kind {
        Kind::ShortPause => Duration::from_millis(1)..=longest / 2,
        _ => longest..=longest * 6,
    };
    let lasting = world.storm.rng.between(&range);
    let life = world.machines[at].life;
    world.hold_for(lasting, grip, kind, Hold::Process { at, life });
    Some(Some(at))
}

/// A node that gets the processor only now and then: its timers come late, and in heaps.
fn starve(world: &mut World, grip: Grip, at: Place, left: u32) {
    world.storm.take_up(grip, left);
    if left % 2 == 1 {
        let life = world.machines[at].life;
        world.hold(grip, Hold::Process { at, life });
    } else {
        world.let_go(grip);
    }
    if left > 0 {
        let after = Duration::from_millis(1 + world.storm.rng.below(250));
        world.schedule(after, Step::Starve(grip, at, left - 1));
    }
}

fn restart(world: &mut World, grip: Grip, kind: Kind) -> Option<Option<Place>> {
    if kind == Kind::RollingRestart {
        world.schedule(Duration::ZERO, Step::Roll(grip, 0));
        return Some(None);
    }
    let at = match kind {
        Kind::RestartLeader => world.leader(),
        _ => any_up(world),
    }?;
    world.stop(at);
    Some(Some(at))
}

/// Ends a node in order, and after a while the next.
fn roll(world: &mut World, grip: Grip, at: Place) {
    let next = at + 1;
    world.storm.take_up(grip, u32::try_from(next).unwrap_or(u32::MAX));
    world.stop(at);
    if next < world.nodes() {
        let after = Duration::from_millis(500 + world.storm.rng.below(4_000));
        world.schedule(after, Step::Roll(grip, next));
    }
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

fn slow_disk(world: &mut World, grip: Grip, kind: Kind) -> Option<Option<Place>> {
    let at = match kind {
        Kind::StuckSync => world.leader(),
        _ => any_up(world),
    }?;
    let lasting = world.storm.lasting();
    let longer = match kind {
        Kind::StuckSync => lasting,
        _ => Duration::from_millis(10 + world.storm.rng.below(1_000)),
    };
    world.hold_for(lasting, grip, kind, Hold::Sync { at, longer });
    Some(Some(at))
}

fn disk(world: &mut World, grip: Grip, kind: Kind) -> Option<Option<Place>> {
    let at = if kind.damages() {
        let damaged: Vec<Place> = world.storm.damaged.iter().copied().collect();
        (!damaged.is_empty()).then(|| world.storm.rng.one_of(&damaged))?
    } else if matches!(kind, Kind::SyncError | Kind::WriteError | Kind::ShortWrite) {
        // Of one that is down, the start may fail, or what it does first.
        let place = world.storm.rng.place(world.machines.len());
        (!world.machines[place].lost).then_some(place)?
    } else {
        any_up(world)?
    };
    if world.storm.fragile.contains_key(&at) {
        return None;
    }
    let up = matches!(world.machines[at].status, Status::Up(_));
    let ahead = world.storm.rng.below(if up { 6 } else { 14 });
    let draw = world.storm.rng.next();
    match kind {
        Kind::SyncError | Kind::WriteError => {
            world.machines[at].log.fail(ahead, OperationFault::Eio);
        }
        Kind::ShortWrite => {
            // In whole sectors: what is torn within one is no disk's doing (`FaultyDisk`).
            let bytes = usize::try_from(draw % 5).unwrap_or(0) * SECTOR;
            world.machines[at].log.fail(ahead, OperationFault::Short(bytes));
        }
        Kind::ReadError => world.machines[at].log.get().fail_read(ahead % 2),
        Kind::LogFull | Kind::StateFull => {
            let (log, state) = (kind == Kind::LogFull, kind == Kind::StateFull);
            let held = world.held(at);
            let (log, state) = (held.0.filter(|_| log), held.1.filter(|_| state));
            log.or(state)?;
            let lasting = world.storm.lasting();
            world.hold_for(lasting, grip, kind, Hold::Room { at, log, state });
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
                world.start_later(down, at);
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
    let up = |at: &Place| !matches!(world.machines[*at].status, Status::Paused(_));
    let doubtful = |at: &Place| world.is_in_doubt(*at) && !world.storm.is_damaged(*at);
    let at = (0..world.nodes()).filter(up).find(doubtful)?;
    world.crash(at);
    world.schedule(Duration::from_millis(100), Step::StartDismissing(at));
    Some(Some(at))
}
