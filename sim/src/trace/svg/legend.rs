//! What the colours and signs mean.

use super::paper::{Paper, Pen, Style, width};
use super::{MARGIN, palette};
use crate::trace::line::{Kind, Standing};

const SIZE: f64 = 11.0;

/// Draws the legend; gives where it ends.
pub(super) fn draw(paper: &mut Paper, top: f64, wide: f64) -> f64 {
    let pen = Pen { stroke: palette::RULE, width: 1.0, dash: "" };
    paper.line((MARGIN, top), (wide - MARGIN, top), pen);
    let mut place = (MARGIN, top + 22.0);
    for (text, standing, paused) in [
        ("follower", Standing::Follower, false),
        ("pre-candidate", Standing::PreCandidate, false),
        ("candidate", Standing::Candidate, false),
        ("leader", Standing::Leader, false),
        ("paused", Standing::Follower, true),
        ("down", Standing::Down, false),
    ] {
        place = room(place, text, 17.0, wide);
        let fill = palette::standing(standing, paused);
        paper.rect([place.0, place.1 - 10.0, 12.0, 12.0, 0.0], fill, None);
        place = word(paper, (place.0 + 17.0, place.1), text);
    }
    let text = "t3: term · ✓ 4: committed through entry 4 · index:term, full when committed · \
                introductions: members' names and addresses";
    place = room(place, text, 0.0, wide);
    place = word(paper, place, text);
    place = (MARGIN, place.1 + 22.0);
    for (text, kind) in [
        ("pre-vote", Kind::PreVote),
        ("vote", Kind::Vote),
        ("append", Kind::Append),
        ("accepted", Kind::Accepted),
        ("rejected", Kind::Rejected),
        ("heartbeat", Kind::Heartbeat),
        ("proposal", Kind::Propose),
        ("read index", Kind::Read),
        ("transfer", Kind::Transfer),
    ] {
        place = room(place, text, 28.0, wide);
        let pen = Pen { stroke: palette::kind(kind), width: 2.0, dash: "" };
        let y = place.1 - 4.0;
        paper.line((place.0, y), (place.0 + 18.0, y), pen);
        let path = format!("M{:.1} {y:.1} l-7 -3.5 v7 z", place.0 + 23.0);
        paper.path(&path, palette::kind(kind), None);
        place = word(paper, (place.0 + 28.0, place.1), text);
    }
    place = room(place, "lost, link cut", 40.0, wide);
    let red = Pen { stroke: palette::RED, width: 2.2, dash: "" };
    let path = format!("M{:.1} {:.1} l9 9 m0 -9 l-9 9", place.0, place.1 - 9.0);
    paper.path(&path, "none", Some(red));
    place = word(paper, (place.0 + 15.0, place.1), "lost");
    let y = place.1 - 4.0;
    paper.line((place.0, y), (place.0 + 16.0, y), red);
    paper.line((place.0 + 16.0, y - 6.0), (place.0 + 16.0, y + 6.0), red);
    place = word(paper, (place.0 + 22.0, place.1), "link cut");
    place.1 + 8.0
}

/// The place for a sign of this width with a word: in this row, or else in the next.
fn room(at: (f64, f64), text: &str, sign: f64, wide: f64) -> (f64, f64) {
    if at.0 + sign + width(text, SIZE) > wide - MARGIN { (MARGIN, at.1 + 20.0) } else { at }
}

/// A word of the legend; gives where the next one begins.
fn word(paper: &mut Paper, at: (f64, f64), text: &str) -> (f64, f64) {
    let style = Style { size: SIZE, fill: palette::SOFT, ..Style::default() };
    paper.text(at.0, at.1, text, &style);
    (at.0 + width(text, SIZE) + 20.0, at.1)
}
