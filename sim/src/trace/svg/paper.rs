//! Ink on paper: the few shapes that a picture needs, as SVG elements.

use std::fmt::Write as _;

use super::palette;

/// Where a text stands in relation to its point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Anchor {
    /// It begins there.
    #[default]
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) size: f64,
    pub(super) fill: &'static str,
    pub(super) bold: bool,
    pub(super) anchor: Anchor,
    /// With a white rim, to be read on top of lines.
    pub(super) halo: bool,
    /// Turned by so many degrees.
    pub(super) turn: f64,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            size: 12.0,
            fill: palette::INK,
            bold: false,
            anchor: Anchor::Start,
            halo: false,
            turn: 0.0,
        }
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen {
    pub(super) stroke: &'static str,
    pub(super) width: f64,
    /// `stroke-dasharray`; empty for a whole line.
    pub(super) dash: &'static str,
}

/// The share of its size that a letter is wide, on average.
const LETTER: f64 = 0.575;

/// How wide a text is, about.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * LETTER
}

/// How many letters fit.
pub(super) fn letters(room: f64, size: f64) -> usize {
    let mut count = 0;
    while (count + 1) as f64 * size * LETTER <= room {
        count += 1;
    }
    count
}

/// A picture that is being drawn; later ink covers earlier ink.
pub(super) struct Paper {
    width: f64,
    body: String,
}

impl Paper {
    pub(super) const fn new(width: f64) -> Self {
        Self { width, body: String::new() }
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), pen: Pen) {
        let Pen { stroke, width, dash } = pen;
        let dash = dashed(dash);
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.body,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
             stroke=\"{stroke}\" stroke-width=\"{width}\"{dash}/>"
        );
    }

    /// A path in SVG's own notation, filled or drawn.
    pub(super) fn path(&mut self, path: &str, fill: &str, pen: Option<Pen>) {
        let _ = write!(self.body, "<path d=\"{path}\" fill=\"{fill}\"");
        if let Some(Pen { stroke, width, dash }) = pen {
            let _ = write!(self.body, " stroke=\"{stroke}\" stroke-width=\"{width}\"");
            self.body.push_str(&dashed(dash));
        }
        self.body.push_str(" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n");
    }

    /// A rectangle with round corners: left, top, width, height, radius.
    pub(super) fn rect(&mut self, shape: [f64; 5], fill: &str, pen: Option<Pen>) {
        let [x, y, w, h, r] = shape;
        let _ = write!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"{r}\" \
             fill=\"{fill}\""
        );
        if let Some(Pen { stroke, width, dash }) = pen {
            let _ = write!(self.body, " stroke=\"{stroke}\" stroke-width=\"{width}\"");
            self.body.push_str(&dashed(dash));
        }
        self.body.push_str("/>\n");
    }

    /// Begins a group with a class; ended by [`Paper::end`].
    pub(super) fn begin(&mut self, class: &str) {
        let _ = writeln!(self.body, "<g class=\"{class}\">");
    }

    pub(super) fn end(&mut self) {
        self.body.push_str("</g>\n");
    }

    pub(super) fn text(&mut self, x: f64, y: f64, text: &str, style: &Style) {
        if text.is_empty() {
            return;
        }
        let Style { size, fill, .. } = *style;
        let _ = write!(self.body, "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\"");
        let _ = write!(self.body, " fill=\"{fill}\"");
        match style.anchor {
            Anchor::Start => {}
            Anchor::Middle => self.body.push_str(" text-anchor=\"middle\""),
            Anchor::End => self.body.push_str(" text-anchor=\"end\""),
        }
        if style.bold {
            self.body.push_str(" font-weight=\"bold\"");
        }
        if style.halo {
            self.body.push_str(" class=\"halo\"");
        }
        if style.turn.abs() > 0.05 {
            let _ = write!(self.body, " transform=\"rotate({:.2} {x:.1} {y:.1})\"", style.turn);
        }
        let _ = writeln!(self.body, ">{}</text>", escaped(text));
    }

    /// The document, of this height.
    pub(super) fn finish(self, height: f64) -> String {
        let Self { width, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" \
             font-family=\"DejaVu Sans, Verdana, Helvetica, Arial, sans-serif\">\n{DEFINITIONS}\
             <rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n{body}</svg>\n",
            palette::PAPER
        )
    }
}

/// The rim of letters and the hatching of what is down.
const DEFINITIONS: &str = "<style>.halo{paint-order:stroke;stroke:#ffffff;stroke-width:3.5px;\
stroke-linejoin:round}</style>\n<defs>\
<pattern id=\"down\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" fill=\"#4a4f57\"/>\
<line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\" stroke=\"#8b929c\" stroke-width=\"2\"/></pattern>\
<pattern id=\"paused\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" fill=\"#e4e7ec\"/>\
<line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\" stroke=\"#9aa5b4\" stroke-width=\"2\"/></pattern>\
</defs>\n";

fn dashed(dash: &str) -> String {
    if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") }
}

/// A text as XML takes it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            control if control.is_control() => out.push('·'),
            other => out.push(other),
        }
    }
    out
}
