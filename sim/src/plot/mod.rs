//! Line plots as SVG: for a lecture's screen, with nothing to install.
//!
//! A plot has two axes (linear or logarithmic), lines with rings at chosen points, and a legend
//! beside the field. Colours are told apart by people who see few of them, in the order of the
//! lines; the background is light. What lies outside the axes is cut off.

mod axis;
mod lanes;
pub mod strip;

pub use axis::{Axis, Scale};
pub(crate) use lanes::Lanes;

use std::fmt::Write;

/// Okabe and Ito's colours, the yellow one darkened for a white ground, then four more.
const COLOURS: [&str; 10] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8a000", "#56b4e9", "#7f3c8d", "#5a5a5a",
    "#a0522d", "#e69f00",
];

const WIDTH: f64 = 1280.0;
const HEIGHT: f64 = 720.0;
/// The field: left, top, right, bottom.
const LEFT: f64 = 104.0;
const TOP: f64 = 116.0;
const RIGHT: f64 = 940.0;
const BOTTOM: f64 = 618.0;

/// One line of a plot, in the units of its axes.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// The line, from point to point.
    pub line: Vec<(f64, f64)>,
    /// Rings beside it, in its colour.
    pub rings: Vec<(f64, f64)>,
}

/// A plot.
#[derive(Clone, Debug)]
pub struct Plot {
    /// The heading.
    pub title: String,
    /// A smaller line beneath it.
    pub subtitle: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The lines, in the order of the legend.
    pub series: Vec<Series>,
    /// What the rings are, where there are any.
    pub rings: String,
}

impl Plot {
    /// The drawing, as a document of its own.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut svg = String::new();
        self.open(&mut svg);
        self.grid(&mut svg);
        svg += "<g clip-path=\"url(#field)\">\n";
        for (n, series) in self.series.iter().enumerate() {
            self.line(&mut svg, series, COLOURS[n % COLOURS.len()]);
        }
        svg += "</g>\n";
        // Those within the axes are whole, also on an axis.
        for (n, series) in self.series.iter().enumerate() {
            self.rings(&mut svg, series, COLOURS[n % COLOURS.len()]);
        }
        self.legend(&mut svg);
        svg += "</svg>\n";
        svg
    }

    fn open(&self, svg: &mut String) {
        put(
            svg,
            format_args!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
                 width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"Helvetica Neue, Arial, \
                 DejaVu Sans, sans-serif\">\n\
                 <defs><clipPath id=\"field\"><rect x=\"{LEFT}\" y=\"{}\" width=\"{}\" \
                 height=\"{}\"/></clipPath></defs>\n\
                 <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fdfdfb\"/>\n",
                TOP - 4.0,
                RIGHT - LEFT + 4.0,
                BOTTOM - TOP + 8.0,
            ),
        );
        text(
            svg,
            (LEFT, 56.0),
            "font-size=\"30\" font-weight=\"600\" fill=\"#1c1c1c\"",
            &self.title,
        );
        text(svg, (LEFT, 88.0), "font-size=\"19\" fill=\"#5f5f5f\"", &self.subtitle);
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let x = LEFT + self.x.share(x) * (RIGHT - LEFT);
        (x, BOTTOM - self.y.share(y) * (BOTTOM - TOP))
    }

    fn grid(&self, svg: &mut String) {
        let soft = "stroke=\"#e3e3de\" stroke-width=\"1\"";
        let label = "font-size=\"18\" fill=\"#3c3c3c\"";
        for tick in self.x.ticks() {
            let (x, _) = self.place((tick.at, self.y.from));
            stroke(svg, (x, TOP), (x, BOTTOM), soft);
            if let Some(name) = &tick.name {
                let style = format!("{label} text-anchor=\"middle\"");
                text(svg, (x, BOTTOM + 28.0), &style, name);
            }
        }
        for tick in self.y.ticks() {
            let (_, y) = self.place((self.x.from, tick.at));
            stroke(svg, (LEFT, y), (RIGHT, y), soft);
            if let Some(name) = &tick.name {
                text(svg, (LEFT - 12.0, y + 6.0), &format!("{label} text-anchor=\"end\""), name);
            }
        }
        let strong = "stroke=\"#3c3c3c\" stroke-width=\"1.6\" stroke-linecap=\"square\"";
        stroke(svg, (LEFT, BOTTOM), (RIGHT, BOTTOM), strong);
        stroke(svg, (LEFT, TOP), (LEFT, BOTTOM), strong);
        let name = "font-size=\"20\" fill=\"#1c1c1c\" text-anchor=\"middle\"";
        text(svg, (f64::midpoint(LEFT, RIGHT), BOTTOM + 66.0), name, &self.x.label);
        let turned = format!("{name} transform=\"rotate(-90)\"");
        text(svg, (-f64::midpoint(TOP, BOTTOM), 34.0), &turned, &self.y.label);
    }

    fn line(&self, svg: &mut String, series: &Series, colour: &str) {
        let mut path = String::new();
        for (n, &point) in series.line.iter().enumerate() {
            let (x, y) = self.place(point);
            put(&mut path, format_args!("{}{x:.1} {y:.1}", if n == 0 { "M" } else { "L" }));
        }
        put(
            svg,
            format_args!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"3\" \
                 stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n"
            ),
        );
    }

    fn rings(&self, svg: &mut String, series: &Series, colour: &str) {
        for &point in series.rings.iter().filter(|&&(x, y)| self.x.holds(x) && self.y.holds(y)) {
            let (x, y) = self.place(point);
            put(
                svg,
                format_args!(
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5.5\" fill=\"#fdfdfb\" \
                     stroke=\"{colour}\" stroke-width=\"2.5\"/>\n"
                ),
            );
        }
    }

    fn legend(&self, svg: &mut String) {
        let left = RIGHT + 32.0;
        let mut y = TOP + 14.0;
        let words = "font-size=\"19\" fill=\"#1c1c1c\"";
        for (n, series) in self.series.iter().enumerate() {
            let colour = COLOURS[n % COLOURS.len()];
            let style = format!("stroke=\"{colour}\" stroke-width=\"4\" stroke-linecap=\"round\"");
            stroke(svg, (left, y - 6.0), (left + 34.0, y - 6.0), &style);
            text(svg, (left + 48.0, y), words, &series.name);
            y += 32.0;
        }
        if !self.rings.is_empty() {
            y += 8.0;
            put(
                svg,
                format_args!(
                    "<circle cx=\"{}\" cy=\"{}\" r=\"5.5\" fill=\"#fdfdfb\" stroke=\"#3c3c3c\" \
                     stroke-width=\"2.5\"/>\n",
                    left + 17.0,
                    y - 6.0,
                ),
            );
            text(svg, (left + 48.0, y), words, &self.rings);
        }
    }
}

fn put(svg: &mut String, words: std::fmt::Arguments<'_>) {
    svg.write_fmt(words).expect("invariant: a string takes all that is written");
}

fn stroke(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), style: &str) {
    put(
        svg,
        format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {style}/>\n"
        ),
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), style: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    put(svg, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{words}</text>\n"));
}

#[cfg(test)]
mod tests {
    use super::{Axis, Plot, Scale, Series};

    fn plot(name: &str) -> Plot {
        let axis = |label: &str, from, to, scale| Axis { label: label.to_owned(), from, to, scale };
        Plot {
            title: "a < b & c".to_owned(),
            subtitle: String::new(),
            x: axis("x", 10.0, 1000.0, Scale::Logarithmic),
            y: axis("y", 0.0, 100.0, Scale::Linear),
            series: vec![Series {
                name: name.to_owned(),
                line: vec![(10.0, 0.0), (100.0, 50.0), (1000.0, 100.0)],
                rings: vec![(100.0, 50.0), (5000.0, 50.0)],
            }],
            rings: "theirs".to_owned(),
        }
    }

    #[test]
    fn points_stand_where_their_axes_say() {
        let svg = plot("one").to_svg();
        assert!(svg.contains("d=\"M104.0 618.0L522.0 367.0L940.0 116.0\""), "{svg}");
    }

    #[test]
    fn rings_outside_the_axes_are_left_out() {
        let svg = plot("one").to_svg();
        let marks = svg.matches("<circle").count();
        assert_eq!(marks, 2, "one in the field, one in the legend");
    }

    #[test]
    fn words_are_no_markup() {
        let svg = plot("<script>").to_svg();
        assert!(svg.contains("a &lt; b &amp; c") && svg.contains("&lt;script&gt;"));
    }
}
