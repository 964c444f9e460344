//! A story as a picture: a line for each member, time from left to right, and numbered notes.

use std::fmt::Write;

use protocol::Time;

const WIDTH: f64 = 1280.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 1250.0;
const TOP: f64 = 110.0;
/// Between two members.
const LANE: f64 = 40.0;
/// What a digit of a note's number takes.
const DIGIT: f64 = 9.0;
/// Between two notes.
const ROW: f64 = 22.0;

/// A drawing that has been begun: what happens is drawn on it, then it is closed.
#[derive(Debug)]
pub(crate) struct Lanes {
    svg: String,
    from: Time,
    span: f64,
    members: usize,
    notes: Vec<(Time, String)>,
    /// Where the last line stands.
    bottom: f64,
}

impl Lanes {
    /// Lines for these members, from one time to another, with room for notes.
    pub(crate) fn open(
        (title, legend): (&str, &str),
        names: &[String],
        (from, to): (Time, Time),
        notes: Vec<(Time, String)>,
    ) -> Self {
        let span = (to - from).as_secs_f64().max(0.001);
        let foot = TOP + names.len() as f64 * LANE + 16.0;
        let height = foot + notes.len() as f64 * ROW + 70.0;
        let (svg, members, bottom) = (String::new(), names.len(), height - 24.0);
        let mut lanes = Self { svg, from, span, members, notes, bottom };
        lanes.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
             width=\"{WIDTH}\" height=\"{height:.0}\" font-family=\"Helvetica Neue, Arial, \
             DejaVu Sans, sans-serif\">\n<rect width=\"{WIDTH}\" height=\"{height:.0}\" \
             fill=\"#fdfdfb\"/>\n"
        ));
        lanes.text((LEFT - 40.0, 44.0), 26, "#1c1c1c", title);
        lanes.text((LEFT - 40.0, 72.0), 15, "#5f5f5f", legend);
        for (member, name) in names.iter().enumerate() {
            let (y, style) = (lanes.y(member), "stroke=\"#c9c9c2\" stroke-width=\"1.5\"");
            lanes.line((LEFT, y), (RIGHT, y), style);
            lanes.text((LEFT - 40.0, y + 5.0), 16, "#1c1c1c", name);
        }
        lanes
    }

    /// Writes the notes, and a last line.
    pub(crate) fn close(mut self, last: &str) -> String {
        // Notes of nearly one time have their numbers beside each other.
        let (mut free, foot) = (0.0f64, self.y(self.members) + 16.0);
        for (number, (at, note)) in std::mem::take(&mut self.notes).into_iter().enumerate() {
            let style = "stroke=\"#1c1c1c\" stroke-width=\"1\" stroke-dasharray=\"2 5\"";
            let x = self.x(at);
            self.line((x, TOP - 22.0), (x, foot - 24.0), style);
            let mark = format!("{}", number + 1);
            let place = free.max(x + 3.0);
            self.text((place, TOP - 14.0), 14, "#1c1c1c", &mark);
            free = place + DIGIT * mark.len() as f64 + 6.0;
            let words = format!("{mark}  {}  {note}", self.time((at - self.from).as_secs_f64()));
            let row = foot + 14.0 + number as f64 * ROW;
            self.text((LEFT - 40.0, row), 16, "#1c1c1c", &words);
        }
        let words = format!("{} in all, {last}", self.time(self.span));
        self.text((LEFT - 40.0, self.bottom), 14, "#5f5f5f", &words);
        self.svg += "</svg>\n";
        self.svg
    }

    /// Where a time is.
    pub(crate) fn x(&self, at: Time) -> f64 {
        LEFT + (at - self.from).as_secs_f64() / self.span * (RIGHT - LEFT)
    }

    /// Where a member is.
    pub(crate) fn y(&self, member: usize) -> f64 {
        TOP + member as f64 * LANE
    }

    /// Something goes from one member to another, or gets lost.
    pub(crate) fn arrow(
        &mut self,
        (from, to): (usize, usize),
        (left, arrives): (Time, Option<Time>),
        (colour, width): (&str, f64),
    ) {
        let dash = if arrives.is_some() { "" } else { " stroke-dasharray=\"3 4\"" };
        let style =
            format!("stroke=\"{colour}\" stroke-width=\"{width}\" stroke-opacity=\"0.75\"{dash}");
        let (begins, ends) = (self.x(left), self.x(arrives.unwrap_or(left)));
        let (above, below) = (self.y(from), self.y(to));
        self.line((begins, above), (ends, below), &style);
    }

    /// Something happens at a member; `title` is shown to whoever points at it.
    pub(crate) fn dot(&mut self, member: usize, at: Time, colour: &str, title: &str) {
        let (x, y, title) = (self.x(at), self.y(member), escaped(title));
        self.put(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\">\
             <title>{title}</title></circle>\n"
        ));
    }

    /// A member is something for a while.
    pub(crate) fn bar(&mut self, member: usize, (from, to): (Time, Time), colour: &str) {
        let (begins, ends, y) = (self.x(from), self.x(to), self.y(member));
        let style = format!("stroke=\"{colour}\" stroke-width=\"9\" stroke-opacity=\"0.45\"");
        self.line((begins, y), (ends, y), &style);
    }

    /// In seconds; in milliseconds where all of it takes less than one.
    fn time(&self, seconds: f64) -> String {
        if self.span < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
    }

    fn put(&mut self, words: std::fmt::Arguments<'_>) {
        self.svg.write_fmt(words).expect("invariant: a string takes all that is written");
    }

    fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), style: &str) {
        self.put(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {style}/>\n"
        ));
    }

    fn text(&mut self, (x, y): (f64, f64), size: u32, colour: &str, words: &str) {
        let words = escaped(words);
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{colour}\">\
             {words}</text>\n"
        ));
    }
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
