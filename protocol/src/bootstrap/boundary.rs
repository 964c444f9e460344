//! What goes into a founding and what comes out of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Pledge;
use crate::{ClusterId, NodeId};

/// Who a server is and where its peers reach it. The id follows from the rest and from the
/// cluster's token: whoever has another name or address is another server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    /// Its id.
    pub id: NodeId,
    /// Its name, one of its own in the pool.
    pub name: String,
    /// Where its peers reach it, `host:port`.
    pub peer: String,
}

/// What a server starts with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Who it is.
    pub own: Seat,
    /// How many servers are to found the group: 1 to [`Pledge::MOST`].
    pub expect: usize,
}

/// What a server knows from its disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Restored {
    /// The pledge it holds. One that follows a group of others holds none any more.
    pub pledge: Option<Pledge>,
    /// The cluster it belongs to.
    pub cluster: Option<ClusterId>,
}

/// What a server shows of itself to everybody, in its tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shown {
    /// The pledge it holds; none once it follows a group that others have founded.
    pub pledge: Option<Pledge>,
    /// The cluster that it belongs to.
    pub cluster: Option<ClusterId>,
}

/// What is seen of another server: at some time it was so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sighting {
    /// Who it is.
    pub seat: Seat,
    /// How many servers it expects; `None` when it takes no part in a founding.
    pub expect: Option<usize>,
    /// What it shows.
    pub shown: Shown,
}

/// The number of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u64);

/// What happens to a founding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A server showed this, now or earlier; the pool takes it for alive, or not.
    Saw {
        /// What was seen.
        sighting: Sighting,
        /// Whether the pool takes it for alive.
        alive: bool,
    },
    /// The pool has nothing of this server any more.
    Forgotten(NodeId),
    /// A write is durable, and those before it.
    Persisted(WriteId),
    /// This server belongs to this cluster, durably: it was formed, or it took this server in.
    Settled(ClusterId),
}

/// What a founding wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Make the pledge durable in the place of any other, then say [`Input::Persisted`].
    Persist {
        /// The number to say.
        id: WriteId,
        /// What is pledged.
        pledge: Pledge,
    },
    /// Show this to everybody, from now on.
    Show(Shown),
    /// Found the group with these, this server among them; then say [`Input::Settled`].
    Form(Vec<Seat>),
    /// Ask the members of this cluster to be taken in; then say [`Input::Settled`].
    Follow(ClusterId),
    /// Tell the operator.
    Warn(Warning),
}

/// What an operator has to see to. Each is told once, until it is another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Warning {
    /// A server expects another number: no group is founded with it.
    OtherNumber {
        /// Who.
        name: String,
        /// What it expects.
        theirs: usize,
        /// What this server expects.
        ours: usize,
    },
    /// Two servers have one name or one address: no group is founded with either.
    Same {
        /// The name of one, and its address.
        one: (String, String),
        /// The name of the other, and its address.
        other: (String, String),
    },
    /// Two clusters are in one pool.
    TwoClusters {
        /// One, and who shows it.
        one: (ClusterId, String),
        /// The other, and who shows it.
        other: (ClusterId, String),
    },
    /// A server shows a pledge that it has left: its disk was lost, or is an older copy.
    Forgot {
        /// Who.
        name: String,
    },
    /// What a server shows can be no pledge of its own.
    Absurd {
        /// Who.
        name: String,
    },
    /// There are more servers in the pool than are heeded.
    Crowded,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherNumber { name, theirs, ours } => write!(
                f,
                "{name} has --bootstrap-expect {theirs} and this server {ours}: no group is \
                 founded with it; start one of them again with the other's number"
            ),
            Self::Same { one, other } => write!(
                f,
                "{} at {} and {} at {} share a name or an address: no group is founded with \
                 either; give one another --name or --advertise-peer",
                one.0, one.1, other.0, other.1
            ),
            Self::TwoClusters { one, other } => write!(
                f,
                "two clusters in one pool: {} belongs to {}, {} to {}; they will not mix. Keep \
                 one: stop the members of the other, put their data directories aside and start \
                 them again",
                one.1, one.0, other.1, other.0
            ),
            Self::Forgot { name } => write!(
                f,
                "{name} shows a pledge that it had left: its data directory was lost or is an \
                 older copy. What it shows is not counted on"
            ),
            Self::Absurd { name } => {
                write!(f, "{name} shows what can be no pledge of its own; it is not counted on")
            }
            Self::Crowded => write!(f, "there are too many servers in the pool: some are not seen"),
        }
    }
}

/// How far a founding has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Not enough servers have met.
    Meeting {
        /// Servers that could found the group, this one with them.
        met: usize,
        /// How many it takes.
        expect: usize,
    },
    /// Others are about to found a group without this server.
    Watching,
    /// This server has pledged and waits for others.
    Pledged {
        /// What it has pledged.
        pledge: Pledge,
        /// Those of whom that pledge was not seen, by name where that is known.
        missing: Vec<String>,
    },
    /// There is a cluster, and nobody alive to ask; or there are several.
    Barred,
    /// This server founds a group.
    Forming,
    /// This server asks to be taken in.
    Following(ClusterId),
    /// It is done.
    Settled(ClusterId),
}
