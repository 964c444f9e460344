//! What happened in a pool, for stories: small pools only.

use std::fmt;

use protocol::Time;
use protocol::swim::Event;
use protocol::swim::message::{Facts, Message, Name};

use super::member::NAME;

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
    /// A packet was sent.
    Packet {
        /// Who sent it.
        from: usize,
        /// To whom.
        to: usize,
        /// What it says.
        messages: Vec<Message>,
        /// When it arrives; `None`: never.
        arrives: Option<Time>,
    },
    /// One direction of a stream.
    Stream {
        /// Who speaks.
        from: usize,
        /// To whom.
        to: usize,
        /// What.
        says: String,
        /// When it arrives; `None`: it never came about.
        arrives: Option<Time>,
    },
    /// A member told its subscribers.
    Told {
        /// Which member.
        by: usize,
        /// What.
        event: Event,
    },
    /// What a member heard of the layer above for the first time.
    Heard {
        /// Which member.
        by: usize,
        /// What.
        message: String,
    },
    /// The narrator speaks.
    Note(String),
}

impl What {
    /// Whether it is worth a line beside the news: pings and answers without any are not.
    #[must_use]
    pub fn is_routine(&self) -> bool {
        match self {
            Self::Packet { messages, arrives, .. } => {
                let plain =
                    |message: &Message| matches!(message, Message::Ping(_) | Message::Ack(_));
                arrives.is_some() && messages.iter().all(plain)
            }
            Self::Stream { .. } | Self::Told { .. } | Self::Heard { .. } | Self::Note(_) => false,
        }
    }
}

/// `member-000003` is m3 in stories.
pub(super) fn short(name: &Name) -> String {
    let text = name.to_string();
    let number = text.strip_prefix(NAME).and_then(|digits| digits.parse::<u32>().ok());
    number.map_or(text, |number| format!("m{number}"))
}

fn of(facts: &Facts) -> String {
    short(&facts.name)
}

/// A message in a word or two.
#[must_use]
pub fn words(message: &Message) -> String {
    match message {
        Message::Ping(ping) => format!("ping {}", short(&ping.node)),
        Message::IndirectPing(ask) => format!("ask {} for me", short(&ask.node)),
        Message::Ack(ack) if ack.payload.is_empty() => "ack".to_owned(),
        Message::Ack(ack) => format!("ack with {}", text(&ack.payload)),
        Message::Nack(_) => "nack".to_owned(),
        Message::Suspect(suspect) => {
            let (node, from) = (short(&suspect.node), short(&suspect.from));
            format!("suspect {node}:{} by {from}", suspect.incarnation)
        }
        Message::Alive(alive) => format!("alive {}:{}", of(&alive.facts), alive.incarnation),
        Message::Dead(dead) if dead.node == dead.from => {
            format!("left {}:{}", short(&dead.node), dead.incarnation)
        }
        Message::Dead(dead) => {
            let (node, from) = (short(&dead.node), short(&dead.from));
            format!("dead {node}:{} by {from}", dead.incarnation)
        }
        Message::User(message) => format!("“{}”", text(message)),
    }
}

/// Bytes of the layer above as stories have them.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An event in a few words.
#[must_use]
pub fn event(event: &Event) -> String {
    match event {
        Event::Joined(facts) => format!("{} is here", of(facts)),
        Event::Left(facts) => format!("{} has left", of(facts)),
        Event::Failed(facts) => format!("{} is dead", of(facts)),
        Event::Updated(facts) => format!("{} is {} now", of(facts), text(&facts.meta)),
        Event::Suspected { member, by } => format!("{} is suspect, says {}", of(member), short(by)),
        Event::Refuted { incarnation } => format!("I live, as {incarnation}"),
        Event::Conflict { held, .. } => format!("two are called {}", of(held)),
        Event::Refused { member, reason } => format!("nothing of {}: {reason:?}", short(member)),
        Event::Link { member, link: Some(link) } => format!("{}: {link:?}", of(member)),
        Event::Link { member, link: None } => format!("the way to {} is well", of(member)),
        Event::Stalled(time) => format!("I stood still for {time:?}"),
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3}  ", self.at.0 as f64 / 1e9)?;
        match &self.what {
            What::Packet { from, to, messages, arrives } => {
                let said: Vec<String> = messages.iter().map(words).collect();
                let arrow = if arrives.is_some() { "→" } else { "✗" };
                write!(f, "m{from} {arrow} m{to}  {}", said.join(", "))
            }
            What::Stream { from, to, says, arrives } => {
                let arrow = if arrives.is_some() { "⇒" } else { "✗" };
                write!(f, "m{from} {arrow} m{to}  {says}")
            }
            What::Told { by, event: told } => write!(f, "m{by}: {}", event(told)),
            What::Heard { by, message } => write!(f, "m{by} hears “{message}”"),
            What::Note(note) => write!(f, "— {note}"),
        }
    }
}
