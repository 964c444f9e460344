//! The lanes, what stands beside them, and the times.

use super::axis::{Axis, CAPTION_LETTERS, CAPTION_ROW};
use super::paper::{Anchor, Paper, Pen, Style};
use super::scene::{Caption, Mark, Scene, Sign, Tone};
use super::{CLIENTS, Columns, palette};
use crate::trace::wrapped;

/// Half the width of a lane.
pub(super) const HALF: f64 = 6.0;

const THIN: Pen = Pen { stroke: palette::RULE, width: 1.0, dash: "" };

/// Heads, lanes, breaks, times: what messages are drawn upon.
pub(super) fn draw(paper: &mut Paper, scene: &Scene, axis: &Axis, columns: &Columns, head: f64) {
    for caption in scene.captions.iter().zip(&axis.captions) {
        rule(paper, caption.0, axis, columns);
    }
    for (at, x) in columns.lanes.iter().enumerate() {
        paper.begin("lane");
        lane(paper, scene, axis, (at, *x), head);
        paper.end();
    }
    if let Some(left) = columns.client {
        let style = Style { size: 13.0, bold: true, fill: palette::VIOLET, ..Style::default() };
        paper.text(left, head + 5.0, "clients", &style);
    }
    for pause in &axis.breaks {
        broken(paper, pause.y, pause.pause, columns);
    }
    times(paper, scene, axis, columns);
}

fn lane(paper: &mut Paper, scene: &Scene, axis: &Axis, place: (usize, f64), head: f64) {
    let (at, x) = place;
    let pen = Pen { stroke: "#7b8794", width: 1.2, dash: "" };
    paper.rect([x - 34.0, head - 12.0, 68.0, 24.0, 6.0], "#f5f7fa", Some(pen));
    let style = Style { size: 14.0, bold: true, anchor: Anchor::Middle, ..Style::default() };
    paper.text(x, head + 5.0, &scene.names[at], &style);
    let spans = &scene.spans[at];
    for (number, span) in spans.iter().enumerate() {
        let top = if number == 0 { head + 14.0 } else { axis.y(span.from) };
        let bottom = spans.get(number + 1).map_or(axis.bottom, |next| axis.y(next.from));
        let fill = palette::standing(span.standing, span.paused);
        paper.rect([x - HALF, top, 2.0 * HALF, (bottom - top).max(1.0), 0.0], fill, None);
    }
    if let Some(first) = spans.first() {
        pill(paper, (x, axis.top - 16.0), scene.terms[at], first.standing);
    }
}

/// A term on a lane.
fn pill(paper: &mut Paper, at: (f64, f64), term: u64, standing: crate::trace::Standing) {
    let (x, y) = at;
    let text = format!("t{term}");
    let wide = super::paper::width(&text, 10.5) + 9.0;
    let pen = Pen { stroke: palette::role(standing), width: 1.3, dash: "" };
    paper.rect([x - wide / 2.0, y - 8.0, wide, 16.0, 8.0], "#ffffff", Some(pen));
    let fill = palette::role(standing);
    let anchor = Anchor::Middle;
    let style = Style { size: 10.5, bold: true, fill, anchor, ..Style::default() };
    paper.text(x, y + 3.8, &text, &style);
}

/// Where the axis leaves time out.
fn broken(paper: &mut Paper, y: f64, pause: u64, columns: &Columns) {
    for x in &columns.lanes {
        let path =
            format!("M{:.1} {:.1} l6 -4 l6 8 l6 -4 v5 l-6 4 l-6 -8 l-6 4 z", x - 9.0, y - 2.5);
        paper.path(&path, palette::PAPER, None);
        let edge = Pen { stroke: palette::FAINT, width: 1.0, dash: "" };
        for shift in [-2.5, 2.5] {
            let path = format!("M{:.1} {:.1} l6 -4 l6 8 l6 -4", x - 9.0, y + shift);
            paper.path(&path, "none", Some(edge));
        }
    }
    let text = format!("⋮ {}", lasting(pause));
    let anchor = Anchor::End;
    let style = Style { size: 11.0, fill: palette::FAINT, anchor, ..Style::default() };
    paper.text(columns.time, y + 4.0, &text, &style);
}

/// A pause for people.
fn lasting(pause: u64) -> String {
    let ms = pause as f64 / 1e6;
    if ms >= 1000.0 { format!("{:.2} s", ms / 1e3) } else { format!("{ms:.0} ms") }
}

/// The times of what happens, where they do not run into each other.
fn times(paper: &mut Paper, scene: &Scene, axis: &Axis, columns: &Columns) {
    let anchor = Anchor::End;
    let style = Style { size: 10.5, fill: palette::SOFT, anchor, ..Style::default() };
    let mut free = axis.top - 20.0;
    let mut told = None;
    for moment in scene.moments() {
        let y = axis.y(moment);
        let blocked = axis.breaks.iter().any(|pause| (pause.y - y).abs() < 13.0);
        if y < free || blocked || told == Some(moment.time) {
            continue;
        }
        (free, told) = (y + 13.0, Some(moment.time));
        let text = format!("{:.1}", moment.time as f64 / 1e6);
        paper.text(columns.time, y + 3.5, &text, &style);
        let tick = (columns.time + 4.0, y);
        paper.line(tick, (tick.0 + 6.0, y), THIN);
    }
    let unit = Style { fill: palette::FAINT, ..style };
    paper.text(columns.time, axis.top - 42.0, "ms", &unit);
}

/// A line across all lanes, for what concerns all.
fn rule(paper: &mut Paper, caption: &Caption, axis: &Axis, columns: &Columns) {
    let y = axis.y(caption.moment);
    let pen = match caption.tone {
        Tone::Note => Pen { stroke: "#dfe5ee", width: 1.2, dash: "2 4" },
        Tone::Fault => Pen { stroke: palette::RED, width: 1.2, dash: "7 4" },
        Tone::Mended => Pen { stroke: palette::GREEN, width: 1.2, dash: "7 4" },
    };
    let first = columns.lanes.first().map_or(0.0, |x| x - 40.0);
    paper.line((first, y), (columns.caption - 12.0, y), pen);
}

/// What stands on top of messages: marks, calls, captions.
pub(super) fn draw_marks(paper: &mut Paper, scene: &Scene, axis: &Axis, columns: &Columns) {
    for (mark, y) in scene.marks.iter().zip(&axis.marks) {
        draw_mark(paper, mark, columns.lanes[mark.at], *y);
    }
    for (caption, top) in scene.captions.iter().zip(&axis.captions) {
        draw_caption(paper, caption, *top, axis, columns);
    }
    let Some(left) = columns.client else { return };
    for (call, y) in scene.calls.iter().zip(&axis.calls) {
        let style = Style { size: 11.5, fill: call.fill, halo: true, ..Style::default() };
        let text = shortened(&call.text, super::paper::letters(CLIENTS - 8.0, 11.5));
        paper.text(left, y + 4.0, &text, &style);
        let pen = Pen { stroke: call.fill, width: 1.4, dash: "1.5 3" };
        let (near, lane) = (left + CLIENTS, columns.lanes[call.at] - HALF - 1.0);
        paper.line((near, *y), (lane, *y), pen);
        let path = if call.inward {
            format!("M{lane:.1} {y:.1} l-8 -4 v8 z")
        } else {
            format!("M{near:.1} {y:.1} l8 -4 v8 z")
        };
        paper.path(&path, call.fill, None);
    }
}

fn draw_mark(paper: &mut Paper, mark: &Mark, x: f64, y: f64) {
    let mut left = x + HALF + 6.0;
    if let Some((term, standing)) = mark.pill {
        pill(paper, (x, y), term, standing);
        left += 8.0;
    }
    let path = match mark.sign {
        Some(Sign::Cross) => format!("M{:.1} {:.1} l14 14 m0 -14 l-14 14", x - 7.0, y - 7.0),
        Some(Sign::Bolt) => format!("M{:.1} {:.1} l-6 10 h6 l-4 8", x + 3.0, y - 9.0),
        None => String::new(),
    };
    if mark.sign.is_some() {
        paper.path(&path, "none", Some(Pen { stroke: palette::PAPER, width: 6.0, dash: "" }));
        paper.path(&path, "none", Some(Pen { stroke: palette::RED, width: 3.0, dash: "" }));
        left += 5.0;
    }
    let style = Style { size: 11.5, bold: true, fill: mark.fill, halo: true, ..Style::default() };
    paper.text(left, y + 4.0, &mark.text, &style);
}

fn draw_caption(paper: &mut Paper, caption: &Caption, top: f64, axis: &Axis, columns: &Columns) {
    let (fill, bold) = match caption.tone {
        Tone::Note => (palette::INK, false),
        Tone::Fault => (palette::RED, true),
        Tone::Mended => (palette::GREEN, true),
    };
    let left = columns.caption;
    let rows = wrapped(&caption.text, CAPTION_LETTERS);
    let tall = rows.len() as f64 * CAPTION_ROW;
    let bar = if caption.tone == Tone::Note { palette::BLUE } else { fill };
    paper.rect([left - 10.0, top, 3.0, tall, 1.5], bar, None);
    let from = axis.y(caption.moment);
    if (from - top).abs() > CAPTION_ROW {
        let pen = Pen { stroke: palette::FAINT, width: 0.8, dash: "" };
        paper.line((left - 12.0, from), (left - 10.0, top + 2.0), pen);
    }
    for (row, text) in rows.iter().enumerate() {
        let y = top + row as f64 * CAPTION_ROW + 12.0;
        paper.text(left, y, text, &Style { size: 12.0, fill, bold, ..Style::default() });
    }
}

/// A text, cut short to so many letters.
pub(super) fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(letters.saturating_sub(1)).collect();
    short.push('…');
    short
}
