//! A story as a picture: a line for each member, time from left to right.

use std::fmt::Write;

use protocol::Time;
use protocol::swim::Event;
use protocol::swim::message::Message;

use super::{Outcome, Story};
use crate::pool::record::{Seen, What, event};

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

impl Outcome {
    /// The drawing, as a document of its own.
    #[must_use]
    pub fn to_svg(&self, story: &Story) -> String {
        let ends = |at: Option<&Seen>| at.map_or(Time(0), |seen| seen.at);
        let (from, to) = (ends(self.record.first()), ends(self.record.last()));
        let span = (to - from).as_secs_f64().max(0.001);
        let x = |at: Time| LEFT + (at - from).as_secs_f64() / span * (RIGHT - LEFT);
        let y = |member: usize| TOP + member as f64 * LANE;
        let notes: Vec<(Time, &String)> = self
            .record
            .iter()
            .filter_map(|seen| match &seen.what {
                What::Note(note) => Some((seen.at, note)),
                _ => None,
            })
            .collect();
        let foot = y(self.members) + 16.0;
        let height = foot + notes.len() as f64 * ROW + 70.0;
        let mut svg = String::new();
        put(
            &mut svg,
            format_args!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
                 width=\"{WIDTH}\" height=\"{height:.0}\" font-family=\"Helvetica Neue, Arial, \
                 DejaVu Sans, sans-serif\">\n<rect width=\"{WIDTH}\" height=\"{height:.0}\" \
                 fill=\"#fdfdfb\"/>\n"
            ),
        );
        let title = format!("{} · {}", story.tag, story.title);
        text(&mut svg, (LEFT - 40.0, 44.0), 26, "#1c1c1c", &title);
        let legend = "grey: pings and answers · blue: news · orange: accusations · red: deaths · \
                      green: signs of life · violet: streams · \
                      a dot: subscribers are told";
        text(&mut svg, (LEFT - 40.0, 72.0), 15, "#5f5f5f", legend);
        for member in 0..self.members {
            let style = "stroke=\"#c9c9c2\" stroke-width=\"1.5\"";
            line(&mut svg, (LEFT, y(member)), (RIGHT, y(member)), style);
            text(&mut svg, (LEFT - 40.0, y(member) + 5.0), 16, "#1c1c1c", &format!("m{member}"));
        }
        for seen in &self.record {
            draw(&mut svg, seen, &x, &y);
        }
        // Notes of nearly one time have their numbers beside each other.
        let mut free = 0.0f64;
        for (number, (at, note)) in notes.iter().enumerate() {
            let style = "stroke=\"#1c1c1c\" stroke-width=\"1\" stroke-dasharray=\"2 5\"";
            line(&mut svg, (x(*at), TOP - 22.0), (x(*at), foot - 24.0), style);
            let mark = format!("{}", number + 1);
            let place = free.max(x(*at) + 3.0);
            text(&mut svg, (place, TOP - 14.0), 14, "#1c1c1c", &mark);
            free = place + DIGIT * mark.len() as f64 + 6.0;
            let words = format!("{mark}  {:.2} s  {note}", (*at - from).as_secs_f64());
            text(&mut svg, (LEFT - 40.0, foot + 14.0 + number as f64 * ROW), 16, "#1c1c1c", &words);
        }
        let words = format!("{span:.2} s in all, seed {}", self.seed);
        text(&mut svg, (LEFT - 40.0, height - 24.0), 14, "#5f5f5f", &words);
        svg += "</svg>\n";
        svg
    }
}

/// One thing that happened, at its place.
fn draw(svg: &mut String, seen: &Seen, x: &impl Fn(Time) -> f64, y: &impl Fn(usize) -> f64) {
    match &seen.what {
        What::Packet { from, to, messages, arrives } => {
            let (colour, width) = look(messages);
            let end = arrives.unwrap_or(seen.at);
            let dash = if arrives.is_some() { "" } else { " stroke-dasharray=\"3 4\"" };
            let style = format!(
                "stroke=\"{colour}\" stroke-width=\"{width}\" stroke-opacity=\"0.7\"{dash}"
            );
            line(svg, (x(seen.at), y(*from)), (x(end), y(*to)), &style);
        }
        What::Stream { from, to, arrives, .. } => {
            let end = arrives.unwrap_or(seen.at);
            let style = "stroke=\"#7f3c8d\" stroke-width=\"2.5\" stroke-opacity=\"0.8\"";
            line(svg, (x(seen.at), y(*from)), (x(end), y(*to)), style);
        }
        What::Told { by, event: told } => {
            let title = event(told).replace('&', "&amp;").replace('<', "&lt;");
            let (x, y, colour) = (x(seen.at), y(*by), colour(told));
            put(
                svg,
                format_args!(
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\">\
                     <title>{title}</title></circle>\n"
                ),
            );
        }
        What::Heard { .. } | What::Note(_) => {}
    }
}

/// Colour and width of a packet, by the gravest that it carries.
fn look(messages: &[Message]) -> (&'static str, f64) {
    let any = |is: fn(&Message) -> bool| messages.iter().any(is);
    if any(|message| matches!(message, Message::Dead(_))) {
        ("#c0392b", 1.6)
    } else if any(|message| matches!(message, Message::Suspect(_))) {
        ("#e08a00", 1.6)
    } else if any(|message| matches!(message, Message::Alive(_))) {
        ("#009e73", 1.6)
    } else if any(|message| {
        matches!(message, Message::User(_) | Message::IndirectPing(_) | Message::Nack(_))
    }) {
        ("#0072b2", 1.6)
    } else {
        ("#b5b5ae", 0.7)
    }
}

fn colour(event: &Event) -> &'static str {
    match event {
        Event::Failed(_) | Event::Left(_) => "#c0392b",
        Event::Suspected { .. } | Event::Stalled(_) | Event::Link { .. } => "#e08a00",
        Event::Joined(_) | Event::Updated(_) | Event::Refuted { .. } => "#009e73",
        Event::Conflict { .. } | Event::Refused { .. } => "#5a5a5a",
    }
}

fn put(svg: &mut String, words: std::fmt::Arguments<'_>) {
    svg.write_fmt(words).expect("invariant: a string takes all that is written");
}

fn line(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), style: &str) {
    put(
        svg,
        format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {style}/>\n"
        ),
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), size: u32, colour: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    put(
        svg,
        format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{colour}\">\
             {words}</text>\n"
        ),
    );
}
