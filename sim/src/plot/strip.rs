//! Strips of time beneath each other: what held when, by colour.

use super::{Axis, put, stroke, text};

const WIDTH: f64 = 1280.0;
const TOP: f64 = 150.0;
/// The field: left and right.
const LEFT: f64 = 340.0;
const RIGHT: f64 = 1240.0;
const ROW: f64 = 22.0;
/// Before each group.
const GAP: f64 = 14.0;

/// A time from which on something holds, until the next part of the row.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Since when.
    pub from: f64,
    /// What, as a colour.
    pub colour: &'static str,
}

/// One strip.
#[derive(Clone, Debug)]
pub struct Row {
    /// What group begins here; empty within one.
    pub group: String,
    /// What the strip is of.
    pub name: String,
    /// Ascending.
    pub parts: Vec<Part>,
}

/// Strips with one axis of time.
#[derive(Clone, Debug)]
pub struct Strips {
    /// The heading.
    pub title: String,
    /// A smaller line beneath it.
    pub subtitle: String,
    /// Time.
    pub x: Axis,
    /// A time that is marked, and its name.
    pub mark: (f64, String),
    /// What colours say.
    pub legend: Vec<(&'static str, String)>,
    /// The strips from the top down.
    pub rows: Vec<Row>,
}

impl Strips {
    fn at(&self, time: f64) -> f64 {
        LEFT + self.x.share(time).clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// The drawing, as a document of its own.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let groups = self.rows.iter().filter(|row| !row.group.is_empty()).count();
        let bottom = TOP + self.rows.len() as f64 * ROW + groups as f64 * GAP + 6.0;
        let height = bottom + 90.0;
        let mut svg = String::new();
        put(
            &mut svg,
            format_args!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
                 width=\"{WIDTH}\" height=\"{height}\" font-family=\"Helvetica Neue, Arial, \
                 DejaVu Sans, sans-serif\">\n\
                 <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fdfdfb\"/>\n"
            ),
        );
        let left = 40.0;
        let heading = "font-size=\"30\" font-weight=\"600\" fill=\"#1c1c1c\"";
        text(&mut svg, (left, 52.0), heading, &self.title);
        text(&mut svg, (left, 82.0), "font-size=\"19\" fill=\"#5f5f5f\"", &self.subtitle);
        self.legend(&mut svg, left);
        self.axis(&mut svg, bottom);
        self.strips(&mut svg, left);
        svg += "</svg>\n";
        svg
    }

    fn legend(&self, svg: &mut String, left: f64) {
        let mut x = left;
        for (colour, words) in &self.legend {
            block(svg, (x, 104.0), (26.0, 14.0), colour);
            text(svg, (x + 34.0, 117.0), "font-size=\"17\" fill=\"#1c1c1c\"", words);
            x += 34.0 + words.chars().count() as f64 * 9.0 + 22.0;
        }
    }

    fn axis(&self, svg: &mut String, bottom: f64) {
        let style = "font-size=\"17\" fill=\"#3c3c3c\" text-anchor=\"middle\"";
        for tick in self.x.ticks() {
            let x = self.at(tick.at);
            stroke(svg, (x, TOP), (x, bottom), "stroke=\"#e3e3de\" stroke-width=\"1\"");
            if let Some(name) = &tick.name {
                text(svg, (x, bottom + 24.0), style, name);
            }
        }
        let (x, dashes) = (self.at(self.mark.0), "stroke=\"#1c1c1c\" stroke-dasharray=\"5 4\"");
        stroke(svg, (x, TOP - 4.0), (x, bottom), dashes);
        text(svg, (x, TOP - 8.0), style, &self.mark.1);
        text(svg, (f64::midpoint(LEFT, RIGHT), bottom + 56.0), style, &self.x.label);
    }

    fn strips(&self, svg: &mut String, left: f64) {
        let mut y = TOP;
        for row in &self.rows {
            if !row.group.is_empty() {
                y += GAP;
                let style = "font-size=\"17\" font-weight=\"600\" fill=\"#1c1c1c\"";
                text(svg, (left, y + 15.0), style, &row.group);
            }
            let style = "font-size=\"15\" fill=\"#3c3c3c\" text-anchor=\"end\"";
            text(svg, (LEFT - 12.0, y + 15.0), style, &row.name);
            for (number, part) in row.parts.iter().enumerate() {
                let end = row.parts.get(number + 1).map_or(self.x.to, |next| next.from);
                let (from, to) = (self.at(part.from), self.at(end));
                if to > from {
                    block(svg, (from, y + 3.0), (to - from, ROW - 6.0), part.colour);
                }
            }
            y += ROW;
        }
    }
}

fn block(svg: &mut String, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
    put(
        svg,
        format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{colour}\"/>\n"
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::super::{Axis, Scale};
    use super::{Part, Row, Strips};

    #[test]
    fn a_part_lasts_until_the_next_one_or_the_end() {
        let x = Axis { label: "ms".to_owned(), from: 0.0, to: 100.0, scale: Scale::Linear };
        let part = |from, colour| Part { from, colour };
        let row = Row {
            group: "all".to_owned(),
            name: "one".to_owned(),
            parts: vec![part(0.0, "#111111"), part(50.0, "#222222")],
        };
        let (title, subtitle) = (String::new(), String::new());
        let mark = (50.0, "here".to_owned());
        let strips = Strips { title, subtitle, x, mark, legend: Vec::new(), rows: vec![row] };
        let svg = strips.to_svg();
        for (x, colour) in [("340.0", "#111111"), ("790.0", "#222222")] {
            let block = format!("<rect x=\"{x}\" y=\"167.0\" width=\"450.0\"");
            assert!(svg.contains(&block) && svg.contains(colour), "{svg}");
        }
    }
}
