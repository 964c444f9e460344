//! What is seen of a contest, for those who tell of it.

use std::fmt::{self, Display, Formatter};

use protocol::Time;

use super::member::{Parcel, Purpose, View};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Time,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A message left.
    Sent {
        /// Who said it.
        from: usize,
        /// Whom to.
        to: usize,
        /// When it arrives; `None` where the way is cut.
        arrives: Option<Time>,
        /// Its kind.
        kind: &'static str,
        /// It flows while nothing happens.
        routine: bool,
        /// What it says.
        text: String,
    },
    /// A node is something else from now on.
    Became {
        /// Which.
        node: usize,
        /// What, in words.
        text: String,
        /// It takes itself for the leader.
        leads: bool,
        /// And is able to act, as far as it knows.
        serves: bool,
    },
    /// A node starts.
    Up(usize),
    /// A node is gone.
    Down(usize),
    /// These are the ways from now on.
    Ways(String),
    /// A word of the narrator.
    Note(String),
}

impl What {
    /// Whether it is left out unless asked for.
    #[must_use]
    pub const fn is_routine(&self) -> bool {
        matches!(self, Self::Sent { routine: true, .. })
    }

    pub(super) fn sent(
        (from, to): (usize, usize),
        arrives: Option<Time>,
        (kind, purpose): (&'static str, Purpose),
        parcel: &Parcel,
    ) -> Self {
        let text = match parcel {
            Parcel::Raft(message) => message.to_string(),
            Parcel::Zab(message) => message.to_string(),
            Parcel::Bully(message) => message.to_string(),
        };
        Self::Sent { from, to, arrives, kind, routine: purpose == Purpose::Routine, text }
    }

    pub(super) fn became(node: usize, view: View) -> Self {
        let View { leads, serves, epoch, .. } = view;
        let text = match (view.electing, leads, view.follows) {
            (_, true, _) if serves => format!("leads, epoch {epoch}"),
            (_, true, _) => format!("was chosen, epoch {epoch}"),
            (true, false, _) => format!("looks for a leader, epoch {epoch}"),
            (false, false, Some(leader)) => format!("follows {}, epoch {epoch}", name(leader)),
            (false, false, None) => format!("waits, epoch {epoch}"),
        };
        Self::Became { node, text, leads, serves }
    }
}

impl Display for Seen {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10.4}  ", self.at.0 as f64 / 1e9)?;
        match &self.what {
            What::Sent { from, to, arrives, text, .. } => {
                let lost = if arrives.is_some() { "" } else { "   (lost)" };
                write!(f, "{} → {}   {text}{lost}", name(*from), name(*to))
            }
            What::Became { node, text, .. } => write!(f, "{} {text}", name(*node)),
            What::Up(node) => write!(f, "{} starts", name(*node)),
            What::Down(node) => write!(f, "{} is gone", name(*node)),
            What::Ways(ways) => write!(f, "ways: {ways}"),
            What::Note(note) => write!(f, "— {note}"),
        }
    }
}

/// How people call the node at a place.
#[must_use]
pub fn name(place: usize) -> String {
    format!("n{}", place + 1)
}
