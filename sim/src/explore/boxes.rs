//! Boxes worth a name, from a moment to the half hour that was asked for, and beyond.

use super::bounds::Bounds;
use super::members::Members;

/// A box with a name.
#[derive(Clone, Copy, Debug)]
pub struct NamedBox {
    /// What to call it.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// The box.
    pub bounds: Bounds,
}

/// Two terms, two commands, a crash and a duplicate, and as little as possible of the rest.
const TWO: Bounds = Bounds {
    max_term: 2,
    max_entries: 2,
    in_flight: 1,
    crashes: 1,
    duplicates: 1,
    writes: 1,
    heartbeats: 0,
    late_answers: false,
    pre_vote: false,
    symmetry: true,
    members: Members::ALL,
    changes: &[],
};

/// Two terms, a crash, and members that change, who therefore have names.
const CHANGE: Bounds = Bounds { max_entries: 0, duplicates: 0, symmetry: false, ..TWO };

/// The boxes, the small ones first.
pub const BOXES: &[NamedBox] = &[
    NamedBox {
        name: "tiny",
        about: "one term, one command, a heartbeat",
        bounds: Bounds { max_term: 1, max_entries: 1, heartbeats: 1, ..TWO },
    },
    NamedBox {
        name: "small",
        about: "two terms and one command",
        bounds: Bounds { max_entries: 1, ..TWO },
    },
    NamedBox { name: "two", about: "two terms and two commands", bounds: TWO },
    NamedBox {
        name: "stream",
        about: "one term, where appends overtake each other and the disk",
        bounds: Bounds { max_term: 1, in_flight: 2, crashes: 0, writes: 2, ..TWO },
    },
    NamedBox {
        name: "disk",
        about: "two terms and one command, with a leader that does not wait for its disk",
        bounds: Bounds { max_entries: 1, writes: 2, ..TWO },
    },
    NamedBox {
        name: "asking",
        about: "two terms and one command, with pre-votes",
        bounds: Bounds { max_entries: 1, pre_vote: true, ..TWO },
    },
    NamedBox {
        name: "terms",
        about: "three terms, one command and no duplicate",
        bounds: Bounds { max_term: 3, max_entries: 1, duplicates: 0, ..TWO },
    },
    NamedBox {
        name: "late",
        about: "two terms, two messages in flight, and answers that outlive the term they are for",
        bounds: Bounds { max_entries: 0, in_flight: 2, duplicates: 0, late_answers: true, ..TWO },
    },
    NamedBox {
        name: "heartbeat",
        about: "two terms, two commands, and heartbeats",
        bounds: Bounds { heartbeats: 1, ..TWO },
    },
    NamedBox {
        name: "join",
        about: "one voter, a learner that joins and then votes",
        bounds: Bounds {
            members: Members::voting(&[1]),
            changes: &[Members { voters: &[1], learners: &[2] }, Members::voting(&[1, 2])],
            ..CHANGE
        },
    },
    NamedBox {
        name: "promote",
        about: "two voters and a learner that votes then, with a command",
        bounds: Bounds {
            max_entries: 1,
            members: Members { voters: &[1, 2], learners: &[3] },
            changes: &[Members::ALL],
            ..CHANGE
        },
    },
    NamedBox {
        name: "replace",
        about: "one of two voters is replaced, by a joint configuration",
        bounds: Bounds {
            members: Members::voting(&[1, 2]),
            changes: &[Members::voting(&[2, 3])],
            ..CHANGE
        },
    },
    NamedBox {
        name: "remove",
        about: "one of three voters goes, the leader or another one, with a command",
        bounds: Bounds { max_entries: 1, changes: &[Members::voting(&[2, 3])], ..CHANGE },
    },
    NamedBox {
        name: "shrink",
        about: "of three voters first one goes, then another",
        bounds: Bounds { changes: &[Members::voting(&[1, 2]), Members::voting(&[1])], ..CHANGE },
    },
    NamedBox {
        name: "network",
        about: "two terms, two commands, two messages in flight",
        bounds: Bounds { in_flight: 2, ..TWO },
    },
    NamedBox {
        name: "everything",
        about: "two terms, two commands, heartbeats, two writes under way",
        bounds: Bounds { heartbeats: 1, writes: 2, ..TWO },
    },
    NamedBox {
        name: "half-hour",
        about: "the same, with two crashes",
        bounds: Bounds { heartbeats: 1, writes: 2, crashes: 2, ..TWO },
    },
    NamedBox {
        name: "vast",
        about: "two terms, two commands, two messages in flight, two writes under way",
        bounds: Bounds { in_flight: 2, writes: 2, ..TWO },
    },
];
