//! Messages: slanted arrows, and words along them where there is room.

use super::axis::Axis;
use super::lanes::{HALF, shortened};
use super::paper::{Anchor, Paper, Pen, Style, letters, width};
use super::scene::{Arrow, End, Moment, Phase, Scene};
use super::{Columns, palette};

type Point = (f64, f64);

const SIZE: f64 = 10.5;
/// Words are this near when they get into each other's way.
const NEAR: f64 = 10.5;

/// Draws all messages, pale ones first.
pub(super) fn draw(paper: &mut Paper, scene: &Scene, axis: &Axis, columns: &Columns) {
    for arrow in scene.arrows.iter().filter(|arrow| arrow.pale) {
        if let Some((from, to)) = pale(arrow, axis, columns) {
            shaft(paper, from, to, Pen { stroke: palette::ROUTINE, width: 0.9, dash: "" });
            head(paper, from, to, (palette::ROUTINE, 5.0));
        }
    }
    let mut loud: Vec<&Arrow> = scene.arrows.iter().filter(|arrow| !arrow.pale).collect();
    for arrow in &loud {
        ink(paper, arrow, axis, columns);
    }
    let mut taken = occupied(scene, axis, columns);
    // Those that arrive tell what is said; those that do not repeat it.
    loud.sort_by_key(|arrow| (arrow.sent, arrow.end == End::Cut, arrow.from.abs_diff(arrow.to)));
    for (place, arrow) in loud.iter().enumerate() {
        if !repeats(&loud[..place], arrow) {
            label(paper, arrow, axis, columns, &mut taken);
        }
    }
}

/// Both ends of a message, the lanes' width taken off.
fn ends(arrow: &Arrow, axis: &Axis, columns: &Columns) -> (Point, Point) {
    let side = if arrow.from < arrow.to { HALF } else { -HALF };
    let from = (columns.lanes[arrow.from] + side, axis.y(Moment::new(arrow.sent, Phase::Leaving)));
    let far = columns.lanes[arrow.to] - side;
    let reach = |share: f64, fall: f64| (from.0 + (far - from.0) * share, from.1 + fall);
    let to = match arrow.end {
        End::Arrives(time) | End::Nobody(time) => {
            (far, axis.y(Moment::new(time, Phase::Arriving)).max(from.1 + 8.0))
        }
        End::Lost => reach(0.62, 16.0),
        End::Cut => {
            let share = (46.0 / (far - from.0).abs()).min(0.8);
            reach(share, 6.0)
        }
        End::Beyond => (far, axis.bottom.min(from.1 + 60.0).max(from.1 + 8.0)),
    };
    (from, to)
}

/// A routine message, where the axis has room for it.
fn pale(arrow: &Arrow, axis: &Axis, columns: &Columns) -> Option<(Point, Point)> {
    let End::Arrives(time) = arrow.end else { return None };
    if axis.is_broken(arrow.sent) || axis.is_broken(time) {
        return None;
    }
    let (from, to) = ends(arrow, axis, columns);
    (to.1 - from.1 < 90.0).then_some((from, to))
}

fn ink(paper: &mut Paper, arrow: &Arrow, axis: &Axis, columns: &Columns) {
    let (from, to) = ends(arrow, axis, columns);
    let colour = palette::kind(arrow.kind);
    let whole = Pen { stroke: colour, width: 1.5, dash: "" };
    match arrow.end {
        End::Arrives(_) => {
            shaft(paper, from, to, whole);
            head(paper, from, to, (colour, 8.0));
        }
        End::Nobody(_) => {
            shaft(paper, from, to, Pen { dash: "5 3", ..whole });
            cross(paper, to);
        }
        End::Lost => {
            shaft(paper, from, to, whole);
            cross(paper, to);
        }
        End::Cut => {
            let red = Pen { stroke: palette::RED, width: 1.6, dash: "" };
            shaft(paper, from, to, red);
            paper.line((to.0, to.1 - 6.0), (to.0, to.1 + 6.0), Pen { width: 2.4, ..red });
        }
        End::Beyond => shaft(paper, from, to, Pen { dash: "2 4", ..whole }),
    }
}

fn shaft(paper: &mut Paper, from: Point, to: Point, pen: Pen) {
    paper.line(from, to, pen);
}

/// An arrow's head, of this colour and length.
fn head(paper: &mut Paper, from: Point, to: Point, look: (&str, f64)) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let long = dx.hypot(dy).max(1.0);
    let (ux, uy) = (dx / long, dy / long);
    let (colour, size) = look;
    let back = (to.0 - ux * size, to.1 - uy * size);
    let wing = size * 0.45;
    let path = format!(
        "M{:.1} {:.1} L{:.1} {:.1} L{:.1} {:.1} z",
        to.0,
        to.1,
        back.0 - uy * wing,
        back.1 + ux * wing,
        back.0 + uy * wing,
        back.1 - ux * wing
    );
    paper.path(&path, colour, None);
}

fn cross(paper: &mut Paper, at: Point) {
    let path = format!("M{:.1} {:.1} l9 9 m0 -9 l-9 9", at.0 - 4.5, at.1 - 4.5);
    paper.path(&path, "none", Some(Pen { stroke: palette::RED, width: 2.2, dash: "" }));
}

/// Whether the same was said to another at the same time, in the same direction, and nearer by.
fn repeats(before: &[&Arrow], arrow: &Arrow) -> bool {
    before.iter().rev().take(16).any(|other| {
        other.from == arrow.from
            && other.sent == arrow.sent
            && other.label == arrow.label
            && (arrow.end == End::Cut || (other.to < other.from) == (arrow.to < arrow.from))
            && (arrow.end == End::Cut || (other.end != End::Cut && other.end != End::Lost))
    })
}

/// Points that words already cover.
fn occupied(scene: &Scene, axis: &Axis, columns: &Columns) -> Vec<Point> {
    let mut taken = Vec::new();
    for (mark, y) in scene.marks.iter().zip(&axis.marks) {
        let x = columns.lanes[mark.at];
        let wide = 22.0 + width(&mark.text, 11.5);
        let mut along = 0.0;
        while along <= wide {
            taken.push((x + along, *y));
            along += 6.0;
        }
    }
    taken
}

/// Writes what a message says along its arrow, where it covers the least.
fn label(paper: &mut Paper, arrow: &Arrow, axis: &Axis, columns: &Columns, taken: &mut Vec<Point>) {
    let (from, to) = ends(arrow, axis, columns);
    let (left, right) = if from.0 < to.0 { (from, to) } else { (to, from) };
    let slope = (right.1 - left.1) / (right.0 - left.0).max(1.0);
    // A message that never gets there has little room of its own: its words may go on.
    let (low, high) = if matches!(arrow.end, End::Cut | End::Lost) {
        let (a, b) = (columns.lanes[arrow.from], columns.lanes[arrow.to]);
        (a.min(b) + HALF, a.max(b) - HALF)
    } else {
        (left.0, right.0)
    };
    let on = |x: f64| (x, left.1 + (x - left.0) * slope);
    let mut best: Option<(usize, Point, String)> = None;
    for (room, middle) in places(arrow, columns, (low, high)) {
        let text = shortened(&arrow.label, letters(room - 16.0, SIZE));
        let half = width(&text, SIZE) / 2.0;
        for (shift, rise) in
            [(0.0, -4.5), (0.0, 11.5), (-0.5, -4.5), (0.5, -4.5), (-0.5, 11.5), (0.5, 11.5)]
        {
            let slack = (room / 2.0 - 8.0 - half).max(0.0);
            let at = on(middle + shift * 2.0 * slack);
            let at = (at.0, at.1 + rise);
            let covers = points(at, half, slope).filter(|point| hits(taken, *point)).count();
            if best.as_ref().is_none_or(|(least, _, _)| covers < *least) {
                best = Some((covers, at, text.clone()));
            }
        }
    }
    let Some((_, at, text)) = best else { return };
    taken.extend(points(at, width(&text, SIZE) / 2.0, slope));
    let style = Style {
        size: SIZE,
        fill: if arrow.end == End::Cut { palette::RED } else { palette::kind(arrow.kind) },
        anchor: Anchor::Middle,
        halo: true,
        turn: slope.atan().to_degrees(),
        ..Style::default()
    };
    paper.text(at.0, at.1, &text, &style);
}

/// The stretches between lanes that an arrow crosses: how wide, and their middles; the one next to
/// the sender first.
fn places(arrow: &Arrow, columns: &Columns, ends: (f64, f64)) -> Vec<(f64, f64)> {
    let (low, high) = (arrow.from.min(arrow.to), arrow.from.max(arrow.to));
    let mut all: Vec<(f64, f64)> = (low..high)
        .map(|lane| {
            let left = (columns.lanes[lane] + HALF).max(ends.0);
            let right = (columns.lanes[lane + 1] - HALF).min(ends.1);
            (right - left, f64::midpoint(left, right))
        })
        .filter(|(room, _)| *room > 50.0)
        .collect();
    if arrow.from > arrow.to {
        all.reverse();
    }
    all
}

/// Points along a text around `at`.
fn points(at: Point, half: f64, slope: f64) -> impl Iterator<Item = Point> {
    let mut along = -half;
    std::iter::from_fn(move || {
        let here = along;
        along += 6.0;
        (here <= half).then_some((at.0 + here, at.1 - 3.5 + here * slope))
    })
}

fn hits(taken: &[Point], point: Point) -> bool {
    taken.iter().any(|other| (other.0 - point.0).abs() < NEAR && (other.1 - point.1).abs() < NEAR)
}
