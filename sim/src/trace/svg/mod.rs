//! The record as a picture: time runs down, each node has a lane, messages are slanted arrows.
//!
//! ```text
//!   record ─► scene    what is to be seen: spans, marks, arrows, calls, captions
//!          ─► axis     how far down each moment stands: room for what happens, none for idling
//!          ─► lanes, arrows, logs, legend    ink
//! ```
//!
//! The time axis is not to scale. Between two moments it is as long as what stands there needs; a
//! long pause is a break with its length written beside it. At one moment, arrivals stand above
//! what they change, and that above what is sent in answer: reading downwards is reading causes.
//!
//! Left out: what is routine (heartbeats are drawn pale and only where there is room for them), and
//! writes to the log, other than those that remove entries.

mod arrows;
mod axis;
mod lanes;
mod legend;
mod logs;
mod palette;
mod paper;
mod scene;

use super::record::Record;
use axis::Axis;
use paper::{Anchor, Paper, Style};
use scene::Scene;

/// What a picture is to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Its title.
    pub title: String,
    /// What it tells, in a paragraph under the title.
    pub story: String,
    /// From this time on, in nanoseconds.
    pub from_ns: u64,
    /// Heartbeats are drawn like everything else.
    pub routine: bool,
}

/// Where the columns stand, in pixels.
#[derive(Clone, Debug)]
struct Columns {
    /// The right edge of the times.
    time: f64,
    /// The left edge of the clients' column, where there are clients.
    client: Option<f64>,
    /// The lanes.
    lanes: Vec<f64>,
    /// The left edge of the captions.
    caption: f64,
    /// The whole picture.
    width: f64,
}

const MARGIN: f64 = 28.0;
const TIMES: f64 = 62.0;
const CLIENTS: f64 = 158.0;
const CAPTIONS: f64 = 280.0;

impl Columns {
    fn new(nodes: usize, clients: bool) -> Self {
        let gap = match nodes {
            0..=3 => 230.0,
            4..=5 => 190.0,
            _ => 182.0,
        };
        let time = MARGIN + TIMES;
        let client = clients.then_some(time + 18.0);
        let first = client.map_or(time + 60.0, |left| left + CLIENTS + 56.0);
        let lanes: Vec<f64> = (0..nodes).map(|at| first + gap * at as f64).collect();
        let caption = lanes.last().map_or(first, |last| *last) + 130.0;
        Self { time, client, lanes, caption, width: caption + CAPTIONS + MARGIN }
    }
}

/// The record as an SVG document.
#[must_use]
pub fn svg(record: &Record, picture: &Picture) -> String {
    let scene = Scene::new(record, picture.from_ns, picture.routine);
    let columns = Columns::new(record.nodes.len(), !scene.calls.is_empty());
    let mut paper = Paper::new(columns.width);
    let mut y = heading(&mut paper, picture, columns.width);
    if record.nodes.iter().any(|node| !node.opening.is_empty()) && picture.from_ns == 0 {
        y = logs::opening(&mut paper, record, y);
    }
    let head = y + 30.0;
    let axis = Axis::new(&scene, head + 44.0);
    lanes::draw(&mut paper, &scene, &axis, &columns, head);
    arrows::draw(&mut paper, &scene, &axis, &columns);
    lanes::draw_marks(&mut paper, &scene, &axis, &columns);
    y = logs::ending(&mut paper, record, picture.from_ns, axis.bottom + 34.0);
    y = legend::draw(&mut paper, y + 16.0, columns.width);
    paper.finish(y + MARGIN)
}

/// Title and story; gives where they end.
fn heading(paper: &mut Paper, picture: &Picture, width: f64) -> f64 {
    let mut y = MARGIN + 16.0;
    let title = Style { size: 21.0, bold: true, ..Style::default() };
    paper.text(MARGIN, y, &picture.title, &title);
    let room = paper::letters(width - 2.0 * MARGIN, 13.0);
    let story = Style { size: 13.0, fill: palette::SOFT, ..Style::default() };
    y += 8.0;
    for row in super::wrapped(&picture.story, room) {
        y += 18.0;
        paper.text(MARGIN, y, &row, &Style { anchor: Anchor::Start, ..story });
    }
    y + 10.0
}
