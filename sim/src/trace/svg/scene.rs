//! What is to be seen: the record, sorted into the shapes that a picture is made of.

use std::collections::{BTreeMap, BTreeSet};

use super::palette;
use crate::trace::line::{Carried, Kind, Line, Standing, What};
use crate::trace::record::Record;

/// A moment, and what of it: arrivals stand above what they change, that above what is sent then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) time: u64,
    pub(super) phase: Phase,
}

/// The order within a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Arriving,
    Changing,
    Leaving,
}

impl Moment {
    pub(super) const fn new(time: u64, phase: Phase) -> Self {
        Self { time, phase }
    }
}

/// What a lane is for a while.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) from: Moment,
    pub(super) standing: Standing,
    pub(super) paused: bool,
}

/// A few words beside a lane.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) moment: Moment,
    pub(super) at: usize,
    pub(super) text: String,
    pub(super) fill: &'static str,
    /// The term, where this is a change of role or term: a pill on the lane.
    pub(super) pill: Option<(u64, Standing)>,
    /// A sign on the lane.
    pub(super) sign: Option<Sign>,
}

/// A sign on a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// The node ends.
    Cross,
    /// A fault strikes it.
    Bolt,
}

/// How a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It arrives.
    Arrives(u64),
    /// It is due and nobody is there.
    Nobody(u64),
    /// It is lost.
    Lost,
    /// The link is cut.
    Cut,
    /// The picture ends before it arrives.
    Beyond,
}

/// A message.
#[derive(Clone, Debug)]
pub(super) struct Arrow {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) sent: u64,
    pub(super) end: End,
    pub(super) kind: Kind,
    pub(super) label: String,
    /// Routine: pale, without a label, where there is room.
    pub(super) pale: bool,
}

/// A client's question, or the answer to it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) moment: Moment,
    pub(super) at: usize,
    pub(super) text: String,
    pub(super) fill: &'static str,
    pub(super) inward: bool,
}

/// What a caption is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Note,
    Fault,
    Mended,
}

/// A remark beside the lanes.
#[derive(Clone, Debug)]
pub(super) struct Caption {
    pub(super) moment: Moment,
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// All that is to be seen, each kind in the order of time.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) names: Vec<String>,
    /// By lane; the first span begins with the picture.
    pub(super) spans: Vec<Vec<Span>>,
    /// The terms with which the picture begins.
    pub(super) terms: Vec<u64>,
    pub(super) marks: Vec<Mark>,
    pub(super) arrows: Vec<Arrow>,
    pub(super) calls: Vec<Call>,
    pub(super) captions: Vec<Caption>,
    pub(super) from: u64,
    pub(super) until: u64,
    /// Where each message that was sent stands in `arrows`, and the lanes' present states.
    open: BTreeMap<u64, usize>,
}

impl Scene {
    pub(super) fn new(record: &Record, from: u64, routine: bool) -> Self {
        let nodes = record.nodes.len();
        let mut scene = Self {
            names: record.nodes.iter().map(|node| node.name.clone()).collect(),
            spans: vec![Vec::new(); nodes],
            terms: vec![0; nodes],
            marks: Vec::new(),
            arrows: Vec::new(),
            calls: Vec::new(),
            captions: Vec::new(),
            from,
            until: record.ended_ns,
            open: BTreeMap::new(),
        };
        let mut now = vec![(Standing::Down, false); nodes];
        let begin = record.lines.partition_point(|line| line.time_ns < from);
        // What stands at the very beginning is not a change.
        let begin = begin + count_starts(&record.lines[begin..], from);
        for line in &record.lines[..begin] {
            scene.prelude(line, &mut now);
        }
        for (spans, (standing, paused)) in scene.spans.iter_mut().zip(&now) {
            let first = Moment::new(from, Phase::Arriving);
            spans.push(Span { from: first, standing: *standing, paused: *paused });
        }
        for line in &record.lines[begin..] {
            scene.line(line, &mut now);
        }
        if routine {
            scene.arrows.iter_mut().for_each(|arrow| arrow.pale = false);
        }
        scene.settle();
        scene
    }

    /// Moments at which something loud happens.
    pub(super) fn moments(&self) -> BTreeSet<Moment> {
        let mut all = BTreeSet::from([Moment::new(self.from, Phase::Arriving)]);
        all.extend(self.marks.iter().map(|mark| mark.moment));
        all.extend(self.calls.iter().map(|call| call.moment));
        all.extend(self.captions.iter().map(|caption| caption.moment));
        for arrow in self.arrows.iter().filter(|arrow| !arrow.pale) {
            all.insert(Moment::new(arrow.sent, Phase::Leaving));
            if let End::Arrives(time) | End::Nobody(time) = arrow.end {
                all.insert(Moment::new(time, Phase::Arriving));
            }
        }
        all
    }

    /// Before the picture begins: only what the lanes are.
    fn prelude(&mut self, line: &Line, now: &mut [(Standing, bool)]) {
        if let Some((at, standing, paused)) = state(line, now) {
            now[at] = (standing, paused);
        }
        match line.what {
            What::Started { at, term, .. } | What::Became { at, term, .. } => self.terms[at] = term,
            _ => {}
        }
    }

    fn line(&mut self, line: &Line, now: &mut [(Standing, bool)]) {
        let time = line.time_ns;
        if let Some((at, standing, paused)) = state(line, now)
            && now[at] != (standing, paused)
        {
            now[at] = (standing, paused);
            let from = Moment::new(time, Phase::Changing);
            self.spans[at].push(Span { from, standing, paused });
        }
        match &line.what {
            What::Sent { .. } | What::Arrived { .. } => self.message(line),
            What::Asked { at, .. } | What::Answered { at, .. } => self.call(*at, line),
            What::Note => self.caption(line, Tone::Note),
            What::Healed => self.caption(line, Tone::Mended),
            What::Fault { at: None, .. } => self.caption(line, Tone::Fault),
            _ if line.quiet => {}
            _ => self.mark(line),
        }
    }

    fn message(&mut self, line: &Line) {
        match &line.what {
            What::Sent { from, to, number, kind, label, fate, .. } => {
                let end = match fate {
                    Carried::Lost => End::Lost,
                    Carried::Cut => End::Cut,
                    Carried::Until(due) | Carried::Twice(due, _) if *due <= self.until => {
                        End::Nobody(*due)
                    }
                    Carried::Until(_) | Carried::Twice(..) => End::Beyond,
                };
                self.open.insert(*number, self.arrows.len());
                let (from, to, sent, kind) = (*from, *to, line.time_ns, *kind);
                let (label, pale) = (label.clone(), line.quiet);
                self.arrows.push(Arrow { from, to, sent, end, kind, label, pale });
            }
            What::Arrived { number, .. } => {
                let Some(&place) = self.open.get(number) else { return };
                if matches!(self.arrows[place].end, End::Arrives(_)) {
                    let again =
                        Arrow { end: End::Arrives(line.time_ns), ..self.arrows[place].clone() };
                    self.arrows.push(again);
                } else {
                    self.arrows[place].end = End::Arrives(line.time_ns);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, at: usize, line: &Line) {
        let (phase, fill) = match line.what {
            What::Answered { done: true, .. } => (Phase::Leaving, palette::GREEN),
            What::Answered { done: false, .. } => (Phase::Leaving, palette::RED),
            _ => (Phase::Arriving, palette::VIOLET),
        };
        let inward = phase == Phase::Arriving;
        let moment = Moment::new(line.time_ns, phase);
        self.calls.push(Call { moment, at, text: line.text.clone(), fill, inward });
    }

    fn caption(&mut self, line: &Line, tone: Tone) {
        let moment = Moment::new(line.time_ns, Phase::Changing);
        self.captions.push(Caption { moment, text: line.text.clone(), tone });
    }

    fn mark(&mut self, line: &Line) {
        let moment = Moment::new(line.time_ns, Phase::Changing);
        let plain =
            |at, text: String, fill| Some(Mark { moment, at, text, fill, pill: None, sign: None });
        let mark = match &line.what {
            What::Started { at, term, .. } => Some(Mark {
                moment,
                at: *at,
                text: "starts again".to_owned(),
                fill: palette::role(Standing::Follower),
                pill: Some((*term, Standing::Follower)),
                sign: None,
            }),
            What::Became { at, standing, term, was } => Some(Mark {
                moment,
                at: *at,
                text: if was == standing { String::new() } else { standing.word().to_owned() },
                fill: palette::role(*standing),
                pill: Some((*term, *standing)),
                sign: None,
            }),
            What::Crashed { at } => crossed(moment, *at, "crash"),
            What::Halted { at } => crossed(moment, *at, "ends itself"),
            What::Refused { at } => crossed(moment, *at, "does not start"),
            What::Paused { at } => plain(*at, "paused".to_owned(), palette::RED),
            What::Resumed { at } => plain(*at, "runs again".to_owned(), palette::SOFT),
            What::Fault { at: Some(at), .. } => {
                let text = line.text.split_once(": ").map_or(&*line.text, |(_, what)| what);
                plain(*at, text.to_owned(), palette::RED)
                    .map(|mark| Mark { sign: Some(Sign::Bolt), ..mark })
            }
            What::Wrote { at, cut: Some((from, through)), .. } => {
                let removed = if from == through {
                    format!("removes {from}")
                } else {
                    format!("removes {from}–{through}")
                };
                plain(*at, removed, palette::RED)
            }
            What::Committed { at, through } => plain(*at, format!("✓ {through}"), palette::GREEN),
            _ => None,
        };
        self.marks.extend(mark);
    }

    /// Joins what changes at one node at one moment, so that it is told once.
    fn settle(&mut self) {
        let mut joined: Vec<Mark> = Vec::new();
        for mark in std::mem::take(&mut self.marks) {
            let same = joined.iter_mut().rev().take(8).find(|other| {
                other.moment == mark.moment
                    && other.at == mark.at
                    && other.sign.is_none()
                    && mark.sign.is_none()
            });
            match same {
                Some(other) if other.pill.is_some() && mark.pill.is_some() => *other = mark,
                _ => joined.push(mark),
            }
        }
        self.marks = joined;
        self.promote();
    }

    /// Routine that changes a role or a term is none; nor is what it answers.
    fn promote(&mut self) {
        let pills = self.marks.iter().filter(|mark| mark.pill.is_some());
        let changes: BTreeSet<_> = pills.map(|mark| (mark.moment.time, mark.at)).collect();
        let mut asked = BTreeSet::new();
        for arrow in self.arrows.iter_mut().rev().filter(|arrow| arrow.pale) {
            let End::Arrives(time) = arrow.end else { continue };
            if changes.contains(&(time, arrow.to)) || asked.remove(&(time, arrow.to, arrow.from)) {
                arrow.pale = false;
                asked.insert((arrow.sent, arrow.from, arrow.to));
            }
        }
    }
}

fn crossed(moment: Moment, at: usize, text: &str) -> Option<Mark> {
    let fill = palette::RED;
    Some(Mark { moment, at, text: text.to_owned(), fill, pill: None, sign: Some(Sign::Cross) })
}

/// How many of the first lines only say that nodes start.
fn count_starts(lines: &[Line], from: u64) -> usize {
    let starts = lines.iter().take_while(|line| {
        line.time_ns == from
            && (line.quiet || matches!(line.what, What::Started { .. } | What::Became { .. }))
    });
    starts.count()
}

/// What a line makes of a lane.
fn state(line: &Line, now: &[(Standing, bool)]) -> Option<(usize, Standing, bool)> {
    match line.what {
        What::Started { at, .. } => Some((at, Standing::Follower, false)),
        What::Crashed { at } | What::Halted { at } | What::Refused { at } => {
            Some((at, Standing::Down, false))
        }
        What::Paused { at } => Some((at, now[at].0, true)),
        What::Resumed { at } => Some((at, now[at].0, false)),
        What::Became { at, standing, .. } => Some((at, standing, now[at].1)),
        _ => None,
    }
}
