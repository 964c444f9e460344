//! The record as text: one line an event, a narrow lane for each node.
//!
//! ```text
//!     time  n1  n2  n3
//!    0.152  ·  ?  ·   n2 becomes pre-candidate in term 0
//!    0.152  ·  ?──▶·  t1 PreVote last=0@0
//! ```
//!
//! A lane shows what its node is: `·` follower, `?` pre-candidate, `C` candidate, `L` leader, `x`
//! down, `z` paused. A message stands at its arrival, or at its sending when it never arrives.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::line::{Carried, Kind, Line, Standing, What};
use super::record::Record;

/// How a timeline is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// The most characters a line, at least 40. Longer lines are cut short; remarks are wrapped.
    pub width: usize,
    /// With the colours of ANSI terminals.
    pub colour: bool,
    /// With what belongs to the daily routine: heartbeats, members' introductions of themselves,
    /// writes to the log.
    pub quiet: bool,
    /// From this time on, in nanoseconds.
    pub from_ns: u64,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { width: 100, colour: false, quiet: false, from_ns: 0 }
    }
}

/// The record as text.
#[must_use]
pub fn timeline(record: &Record, look: &Timeline) -> String {
    let mut page = Page::new(record, look);
    page.head();
    for line in &record.lines {
        page.line(line);
    }
    page.fold();
    page.text
}

/// What a lane shows.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Lane {
    standing: Standing,
    paused: bool,
}

struct Page<'a> {
    look: &'a Timeline,
    lanes: Vec<Lane>,
    arrived: BTreeSet<u64>,
    ended_ns: u64,
    /// Messages of the daily routine left out since the last line.
    folded: u64,
    text: String,
}

/// Columns of a lane.
const LANE: usize = 4;
/// Columns of the time and the space behind it.
const TIME: usize = 12;

mod colour {
    pub(super) const PLAIN: &str = "";
    pub(super) const FAINT: &str = "2";
    pub(super) const RED: &str = "31";
    pub(super) const GREEN: &str = "32";
    pub(super) const AMBER: &str = "33";
    pub(super) const BLUE: &str = "34";
    pub(super) const VIOLET: &str = "35";
    pub(super) const BOLD: &str = "1";
}

impl<'a> Page<'a> {
    fn new(record: &Record, look: &'a Timeline) -> Self {
        let arrived = record.lines.iter().filter_map(|line| match line.what {
            What::Arrived { number, .. } => Some(number),
            _ => None,
        });
        Self {
            look,
            lanes: vec![Lane { standing: Standing::Down, paused: false }; record.nodes.len()],
            arrived: arrived.collect(),
            ended_ns: record.ended_ns,
            folded: 0,
            text: String::new(),
        }
    }

    fn head(&mut self) {
        let mut head = format!("{:>9}   ", "seconds");
        for at in 0..self.lanes.len() {
            let _ = write!(head, "{:<LANE$}", super::name(at));
        }
        self.push(colour::BOLD, head.trim_end());
    }

    fn push(&mut self, code: &str, line: &str) {
        let line = self.painted(code, line);
        self.text.push_str(&line);
        self.text.push('\n');
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.look.colour && !code.is_empty() && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn line(&mut self, line: &Line) {
        self.follow(line);
        if line.time_ns < self.look.from_ns {
            return;
        }
        if let What::Sent { number, fate, .. } = &line.what
            && !self.is_missing(*number, *fate)
        {
            return;
        }
        if line.quiet && !self.look.quiet {
            let message = matches!(line.what, What::Sent { .. } | What::Arrived { .. });
            self.folded += u64::from(message);
            return;
        }
        self.fold();
        let time = self.painted(colour::FAINT, &format!("{:>9.4}", line.seconds()));
        let (lanes, text, code) = (self.lanes_of(line), told(line), code_of(&line.what));
        let wide = TIME + LANE * self.lanes.len();
        let room = self.look.width.max(40).saturating_sub(wide).max(20);
        let whole = matches!(line.what, What::Note | What::Fault { .. });
        for (row, part) in parts(&text, room, whole).into_iter().enumerate() {
            let part = self.painted(code, &part);
            if row == 0 {
                let _ = writeln!(self.text, "{time}   {lanes}{part}");
            } else {
                let _ = writeln!(self.text, "{:wide$}{part}", "");
            }
        }
    }

    /// Whether a message that was sent never arrives: it is shown where it left.
    fn is_missing(&self, number: u64, fate: Carried) -> bool {
        match fate {
            Carried::Lost | Carried::Cut => true,
            Carried::Until(time) | Carried::Twice(time, _) => {
                !self.arrived.contains(&number) && time <= self.ended_ns
            }
        }
    }

    fn follow(&mut self, line: &Line) {
        let (at, lane) = match line.what {
            What::Started { at, .. } => (at, Lane { standing: Standing::Follower, paused: false }),
            What::Crashed { at } | What::Halted { at } => {
                (at, Lane { standing: Standing::Down, paused: false })
            }
            What::Paused { at } => (at, Lane { paused: true, ..self.lanes[at] }),
            What::Resumed { at } => (at, Lane { paused: false, ..self.lanes[at] }),
            What::Became { at, standing, .. } => (at, Lane { standing, ..self.lanes[at] }),
            _ => return,
        };
        self.lanes[at] = lane;
    }

    /// Says how much was left out.
    fn fold(&mut self) {
        let messages = std::mem::take(&mut self.folded);
        if messages > 0 {
            let wide = TIME + LANE * self.lanes.len();
            let noun = if messages == 1 { "message" } else { "messages" };
            let text = format!("{:>9}{:rest$}{messages} routine {noun}", "⋮", "", rest = wide - 9);
            self.push(colour::FAINT, &text);
        }
    }

    fn lanes_of(&self, line: &Line) -> String {
        let mut cells: Vec<char> = vec![' '; LANE * self.lanes.len()];
        for (at, lane) in self.lanes.iter().enumerate() {
            cells[LANE * at] = symbol(*lane);
        }
        let (from, to, ends) = match line.what {
            What::Sent { from, to, .. } => (from, to, false),
            What::Arrived { from, to, .. } => (from, to, true),
            _ => return self.coloured(&cells),
        };
        let head = match (ends, from < to) {
            (false, _) => '╳',
            (true, true) => '▶',
            (true, false) => '◀',
        };
        let (low, high) = (LANE * from.min(to), LANE * from.max(to));
        for cell in &mut cells[low + 1..high] {
            *cell = if *cell == ' ' { '─' } else { '┼' };
        }
        cells[if from < to { high - 1 } else { low + 1 }] = head;
        self.coloured(&cells)
    }

    fn coloured(&self, cells: &[char]) -> String {
        let mut text = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let lane = self.lanes[column / LANE];
            let own = column % LANE == 0 && *cell == symbol(lane);
            let code = match lane.standing {
                _ if !own => colour::FAINT,
                Standing::Down => colour::RED,
                Standing::Follower => colour::BLUE,
                Standing::PreCandidate | Standing::Candidate => colour::AMBER,
                Standing::Leader => colour::GREEN,
            };
            if *cell == ' ' {
                text.push(' ');
            } else {
                text.push_str(&self.painted(code, &cell.to_string()));
            }
        }
        text
    }
}

const fn symbol(lane: Lane) -> char {
    match lane.standing {
        Standing::Down => 'x',
        _ if lane.paused => 'z',
        Standing::Follower => '·',
        Standing::PreCandidate => '?',
        Standing::Candidate => 'C',
        Standing::Leader => 'L',
    }
}

/// The text of a line, with what only its kind tells.
fn told(line: &Line) -> String {
    let text = &line.text;
    match &line.what {
        What::Sent { fate: Carried::Lost, .. } => format!("{text}  (lost)"),
        What::Sent { fate: Carried::Cut, .. } => format!("{text}  (cut off)"),
        What::Sent { .. } => format!("{text}  (nobody there)"),
        What::Asked { at, .. } => format!("client asks {}: {text}", super::name(*at)),
        What::Answered { at, .. } => format!("{} answers: {text}", super::name(*at)),
        What::Watched { at, .. } => format!("{} tells a watcher: {text}", super::name(*at)),
        What::Fault { .. } | What::Healed => format!("⚡ {text}"),
        What::Crashed { .. } | What::Halted { .. } | What::Refused { .. } => format!("✖ {text}"),
        What::Note => format!("— {text}"),
        _ => text.clone(),
    }
}

const fn code_of(what: &What) -> &'static str {
    match what {
        What::Crashed { .. }
        | What::Halted { .. }
        | What::Refused { .. }
        | What::Fault { .. }
        | What::Sent { .. }
        | What::Paused { .. }
        | What::Answered { done: false, .. } => colour::RED,
        What::Started { .. } | What::Resumed { .. } | What::Healed => colour::GREEN,
        What::Committed { .. } | What::Answered { done: true, .. } => colour::GREEN,
        What::Became { standing: Standing::Leader, .. } => colour::GREEN,
        What::Became { standing: Standing::Candidate | Standing::PreCandidate, .. } => {
            colour::AMBER
        }
        What::Installed { .. } => colour::GREEN,
        What::Became { .. } | What::Installing { .. } => colour::BLUE,
        What::Asked { .. } => colour::VIOLET,
        What::Wrote { cut: Some(_), .. } => colour::RED,
        What::Arrived { kind: Kind::Heartbeat | Kind::HeartbeatReply, .. } => colour::FAINT,
        What::Arrived { kind: Kind::Vote | Kind::PreVote, .. } => colour::AMBER,
        What::Arrived { kind: Kind::VoteReply | Kind::PreVoteReply, .. } => colour::AMBER,
        What::Arrived { .. } => colour::PLAIN,
        What::Wrote { cut: None, .. }
        | What::Durable { .. }
        | What::Trimmed { .. }
        | What::Follows { .. }
        | What::Watched { .. } => colour::FAINT,
        What::Note => colour::BOLD,
    }
}

/// A text in rows of at most `room` characters: wrapped at spaces when all of it is wanted, else
/// cut short.
fn parts(text: &str, room: usize, whole: bool) -> Vec<String> {
    let length = text.chars().count();
    if length <= room {
        return vec![text.to_owned()];
    }
    if !whole {
        let mut short: String = text.chars().take(room - 1).collect();
        short.push('…');
        return vec![short];
    }
    super::wrapped(text, room)
}
