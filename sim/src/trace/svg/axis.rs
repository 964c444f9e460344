//! How far down each moment stands.
//!
//! From one moment to the next the axis takes what the pause between them deserves, up to a bound;
//! beyond it, the pause is a break. A moment stands lower when something above it needs the room:
//! words in the same column, or a message that shall be seen to take time.

use std::collections::BTreeMap;

use super::scene::{End, Moment, Phase, Scene};

/// A pause that is longer is drawn as a break (ns).
const BREAK: u64 = 22_000_000;
/// How tall a break is.
const BREAK_HEIGHT: f64 = 46.0;
/// Pixels a millisecond, up to where breaks begin to be cheaper.
const SCALE: f64 = 7.0;
/// The least that a message falls on its way.
const FALL: f64 = 26.0;
/// How far captions may slide below their moments before these must give way.
const SLIDE: f64 = 26.0;

/// A row of words.
pub(super) const ROW: f64 = 15.0;
/// A row of a caption.
pub(super) const CAPTION_ROW: f64 = 15.5;
/// The letters of a row of a caption.
pub(super) const CAPTION_LETTERS: usize = 40;

/// A pause that was cut short: where, and how long it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Break {
    pub(super) y: f64,
    pub(super) pause: u64,
}

/// Moments and where they stand.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    points: Vec<(Moment, f64)>,
    pub(super) breaks: Vec<Break>,
    /// Where each mark, call and caption stands, in the order of the scene: the middle of a mark or
    /// call, the top of a caption.
    pub(super) marks: Vec<f64>,
    pub(super) calls: Vec<f64>,
    pub(super) captions: Vec<f64>,
    pub(super) top: f64,
    /// Where the lanes end.
    pub(super) bottom: f64,
}

/// What is occupied so far.
struct Room {
    lanes: Vec<f64>,
    clients: f64,
    captions: f64,
}

impl Axis {
    pub(super) fn new(scene: &Scene, top: f64) -> Self {
        let moments: Vec<Moment> = scene.moments().into_iter().collect();
        let mut axis = Self {
            points: Vec::with_capacity(moments.len()),
            breaks: Vec::new(),
            marks: vec![top; scene.marks.len()],
            calls: vec![top; scene.calls.len()],
            captions: vec![top; scene.captions.len()],
            top,
            bottom: top,
        };
        let lanes = vec![top; scene.names.len()];
        let mut room = Room { lanes, clients: top, captions: top - SLIDE };
        let plan = Plan::new(scene);
        let mut before = (Moment::new(scene.from, Phase::Arriving), top - 4.0);
        for moment in moments {
            let pause = moment.time - before.0.time;
            let mut y = before.1 + stretch(pause);
            y = axis.pushed(y, moment, scene, &plan, &room);
            if pause > BREAK {
                axis.breaks.push(Break { y: f64::midpoint(before.1, y), pause });
            }
            axis.place(y, moment, scene, &plan, &mut room);
            axis.points.push((moment, y));
            before = (moment, y);
        }
        let words = room.lanes.iter().copied().fold(room.clients, f64::max);
        axis.bottom = (before.1 + 26.0).max(words + 12.0).max(room.captions);
        let rest = scene.until.saturating_sub(before.0.time);
        if rest > BREAK {
            axis.breaks.push(Break { y: before.1 + 22.0, pause: rest });
            axis.bottom = axis.bottom.max(before.1 + 44.0);
        }
        axis
    }

    /// The least height that everything at this moment allows.
    fn pushed(&self, y: f64, moment: Moment, scene: &Scene, plan: &Plan, room: &Room) -> f64 {
        let mut y = y;
        for &mark in plan.marks.get(&moment).into_iter().flatten() {
            let at = scene.marks[mark].at;
            let below = if plan.arrives(moment.time, at) { 7.0 } else { 0.0 };
            let arrival = self.known(Moment::new(moment.time, Phase::Arriving));
            y = y.max(room.lanes[at] + ROW / 2.0);
            if let Some(arrival) = arrival {
                y = y.max(arrival + below);
            }
        }
        for &call in plan.calls.get(&moment).into_iter().flatten() {
            y = y.max(room.clients + ROW / 2.0);
            if moment.phase == Phase::Leaving {
                y = y.max(room.lanes[scene.calls[call].at]);
            }
        }
        if plan.captions.contains_key(&moment) {
            y = y.max(room.captions - SLIDE);
        }
        for &arrow in plan.arriving.get(&moment).into_iter().flatten() {
            let sent = Moment::new(scene.arrows[arrow].sent, Phase::Leaving);
            if let Some(sent) = self.known(sent) {
                y = y.max(sent + FALL);
            }
        }
        for &arrow in plan.leaving.get(&moment).into_iter().flatten() {
            let from = scene.arrows[arrow].from;
            if plan.changes(moment.time, from) {
                y = y.max(room.lanes[from] - 4.0);
            }
        }
        y
    }

    /// Gives everything at this moment its room.
    fn place(&mut self, y: f64, moment: Moment, scene: &Scene, plan: &Plan, room: &mut Room) {
        for &mark in plan.marks.get(&moment).into_iter().flatten() {
            let at = scene.marks[mark].at;
            let middle = y.max(room.lanes[at] + ROW / 2.0);
            self.marks[mark] = middle;
            room.lanes[at] = middle + ROW / 2.0;
        }
        for &call in plan.calls.get(&moment).into_iter().flatten() {
            let middle = y.max(room.clients + ROW / 2.0);
            self.calls[call] = middle;
            room.clients = middle + ROW / 2.0;
        }
        for &caption in plan.captions.get(&moment).into_iter().flatten() {
            let top = (y - CAPTION_ROW / 2.0).max(room.captions);
            self.captions[caption] = top;
            let rows = crate::trace::wrapped(&scene.captions[caption].text, CAPTION_LETTERS).len();
            room.captions = top + rows as f64 * CAPTION_ROW + 9.0;
        }
    }

    fn known(&self, moment: Moment) -> Option<f64> {
        let place = self.points.binary_search_by_key(&moment, |(known, _)| *known).ok()?;
        Some(self.points[place].1)
    }

    /// Where a moment stands; between two that are known, in proportion.
    pub(super) fn y(&self, moment: Moment) -> f64 {
        let after = self.points.partition_point(|(known, _)| *known < moment);
        let before = after.checked_sub(1).map(|before| self.points[before]);
        match (before, self.points.get(after).copied()) {
            (_, Some((known, y))) if known == moment => y,
            (Some((low, from)), Some((high, to))) if high.time > low.time => {
                let share = (moment.time - low.time) as f64 / (high.time - low.time) as f64;
                from + (to - from) * share
            }
            (Some((_, y)), Some(_)) | (None, Some((_, y))) => y,
            (Some((low, y)), None) => {
                (y + stretch(moment.time - low.time)).min(self.bottom - 4.0).max(y)
            }
            (None, None) => self.top,
        }
    }

    /// Whether a moment lies within a break, where the axis says nothing.
    pub(super) fn is_broken(&self, time: u64) -> bool {
        let after = self.points.partition_point(|(known, _)| known.time < time);
        let Some((high, _)) = self.points.get(after) else { return true };
        let low = after.checked_sub(1).map_or(high.time, |before| self.points[before].0.time);
        high.time != time && high.time - low > BREAK
    }
}

fn stretch(pause: u64) -> f64 {
    if pause == 0 {
        0.0
    } else if pause > BREAK {
        BREAK_HEIGHT
    } else {
        (2.0 + pause as f64 / 1e6 * SCALE).min(BREAK_HEIGHT - 6.0)
    }
}

/// What happens at which moment, by its place in the scene.
struct Plan {
    marks: BTreeMap<Moment, Vec<usize>>,
    calls: BTreeMap<Moment, Vec<usize>>,
    captions: BTreeMap<Moment, Vec<usize>>,
    arriving: BTreeMap<Moment, Vec<usize>>,
    leaving: BTreeMap<Moment, Vec<usize>>,
    /// Where something arrives, and where something changes: time and lane.
    arrivals: std::collections::BTreeSet<(u64, usize)>,
    changed: std::collections::BTreeSet<(u64, usize)>,
}

impl Plan {
    fn new(scene: &Scene) -> Self {
        let mut plan = Self {
            marks: by_moment(scene.marks.iter().map(|mark| mark.moment)),
            calls: by_moment(scene.calls.iter().map(|call| call.moment)),
            captions: by_moment(scene.captions.iter().map(|caption| caption.moment)),
            arriving: BTreeMap::new(),
            leaving: BTreeMap::new(),
            arrivals: scene.calls.iter().map(|call| (call.moment.time, call.at)).collect(),
            changed: scene.marks.iter().map(|mark| (mark.moment.time, mark.at)).collect(),
        };
        for (place, arrow) in scene.arrows.iter().enumerate().filter(|(_, arrow)| !arrow.pale) {
            let sent = Moment::new(arrow.sent, Phase::Leaving);
            plan.leaving.entry(sent).or_default().push(place);
            if let End::Arrives(time) | End::Nobody(time) = arrow.end {
                plan.arriving.entry(Moment::new(time, Phase::Arriving)).or_default().push(place);
                plan.arrivals.insert((time, arrow.to));
            }
        }
        plan
    }

    fn arrives(&self, time: u64, at: usize) -> bool {
        self.arrivals.contains(&(time, at))
    }

    fn changes(&self, time: u64, at: usize) -> bool {
        self.changed.contains(&(time, at))
    }
}

fn by_moment(moments: impl Iterator<Item = Moment>) -> BTreeMap<Moment, Vec<usize>> {
    let mut map: BTreeMap<Moment, Vec<usize>> = BTreeMap::new();
    for (place, moment) in moments.enumerate() {
        map.entry(moment).or_default().push(place);
    }
    map
}
