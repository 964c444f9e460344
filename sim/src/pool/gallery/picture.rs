//! A story as a picture: a line for each member, time from left to right.

use protocol::Time;
use protocol::swim::Event;
use protocol::swim::message::Message;

use super::{Outcome, Story};
use crate::plot::Lanes;
use crate::pool::record::{Seen, What, event};

const LEGEND: &str = "grey: pings and answers · blue: news · orange: accusations · red: deaths · \
                      green: signs of life · violet: streams · a dot: subscribers are told";

impl Outcome {
    /// The drawing, as a document of its own.
    #[must_use]
    pub fn to_svg(&self, story: &Story) -> String {
        let ends = |at: Option<&Seen>| at.map_or(Time(0), |seen| seen.at);
        let span = (ends(self.record.first()), ends(self.record.last()));
        let note = |seen: &Seen| match &seen.what {
            What::Note(note) => Some((seen.at, note.clone())),
            _ => None,
        };
        let notes = self.record.iter().filter_map(note).collect();
        let names: Vec<String> = (0..self.members).map(|member| format!("m{member}")).collect();
        let title = format!("{} · {}", story.tag, story.title);
        let mut lanes = Lanes::open((&title, LEGEND), &names, span, notes);
        self.record.iter().for_each(|seen| draw(&mut lanes, seen));
        lanes.close(&format!("seed {}", self.seed))
    }
}

/// One thing that happened, at its place.
fn draw(lanes: &mut Lanes, seen: &Seen) {
    match &seen.what {
        What::Packet { from, to, messages, arrives } => {
            lanes.arrow((*from, *to), (seen.at, *arrives), look(messages));
        }
        What::Stream { from, to, arrives, .. } => {
            lanes.arrow((*from, *to), (seen.at, *arrives), ("#7f3c8d", 2.5));
        }
        What::Told { by, event: told } => lanes.dot(*by, seen.at, colour(told), &event(told)),
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
