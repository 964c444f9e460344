//! A story as a picture: a line for each node, time from left to right.

use protocol::Time;

use super::{Outcome, Story};
use crate::compare::record::{Seen, What, name};
use crate::plot::Lanes;

const LEGEND: &str = "blue: asked · green: answered · orange: the winner is told · grey: histories \
                      are made equal · a dot: it stands or follows anew · a bar: it leads";

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
        let names: Vec<String> = (0..self.nodes).map(name).collect();
        let title = format!("{} · {}", story.tag, story.title);
        let mut lanes = Lanes::open((&title, LEGEND), &names, span, notes);
        for node in 0..self.nodes {
            self.reigns(node).for_each(|reign| lanes.bar(node, reign, "#009e73"));
        }
        self.record.iter().for_each(|seen| draw(&mut lanes, seen));
        lanes.close(&format!("seed {}", self.seed))
    }

    /// From when to when a node takes itself for able to act.
    fn reigns(&self, node: usize) -> impl Iterator<Item = (Time, Time)> {
        let of_node = move |seen: &Seen| match &seen.what {
            What::Became { node: whose, serves, .. } if *whose == node => Some((seen.at, *serves)),
            What::Down(whose) if *whose == node => Some((seen.at, false)),
            _ => None,
        };
        let end = self.record.last().map_or(Time(0), |seen| seen.at);
        let mut turns: Vec<(Time, bool)> = self.record.iter().filter_map(of_node).collect();
        turns.push((end, false));
        let pairs: Vec<_> = turns.windows(2).map(|pair| (pair[0], pair[1])).collect();
        pairs.into_iter().filter(|(turn, _)| turn.1).map(|(turn, next)| (turn.0, next.0))
    }
}

/// One thing that happened, at its place.
fn draw(lanes: &mut Lanes, seen: &Seen) {
    match &seen.what {
        What::Sent { from, to, arrives, kind, routine: false, .. } => {
            lanes.arrow((*from, *to), (seen.at, *arrives), look(kind));
        }
        What::Became { node, text, leads, .. } => {
            let colour = if *leads { "#009e73" } else { "#7a7a74" };
            lanes.dot(*node, seen.at, colour, text);
        }
        What::Down(node) => lanes.dot(*node, seen.at, "#c0392b", "is gone"),
        What::Up(node) => lanes.dot(*node, seen.at, "#1c1c1c", "starts"),
        What::Sent { routine: true, .. } | What::Ways(_) | What::Note(_) => {}
    }
}

/// Colour and width of a message, by its kind.
fn look(kind: &str) -> (&'static str, f64) {
    match kind {
        "Vote" | "PreVote" | "Notification" | "Election" | "Ask" | "Claim" => ("#0072b2", 1.6),
        "VoteReply" | "PreVoteReply" | "Alive" | "Answer" | "Grant" | "Refuse" => ("#009e73", 1.6),
        "Announcement" | "Victory" | "Release" => ("#e08a00", 1.8),
        _ => ("#b5b5ae", 0.8),
    }
}
