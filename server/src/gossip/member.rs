//! A member as people and programs see it.

use std::fmt;
use std::sync::Arc;

use protocol::swim::Address;
use protocol::swim::message::{Facts, Name, State};
use protocol::swim::serf::{self, Serf, Status, Tags};

/// What is believed of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It is there, and may be about to go.
    Alive,
    /// It does not answer, and may still say that it is there.
    Suspect,
    /// It is gone.
    Failed,
    /// It went, and said so.
    Left,
}

/// A member, as believed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolMember {
    /// Who and where it is, and what it says of itself.
    pub facts: Arc<Facts>,
    /// What is believed of it.
    pub standing: Standing,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Alive, Self::Suspect, Self::Failed, Self::Left];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Failed => "failed",
            Self::Left => "left",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PoolMember {
    /// As Serf's layer knows it. Suspects are SWIM's affair: there they are alive.
    pub(super) fn of(serf: &Serf, known: serf::Known) -> Self {
        let suspect = || {
            let member = serf.swim().member(&known.facts.name);
            member.is_some_and(|member| member.state == State::Suspect)
        };
        let standing = match known.status {
            Status::Alive | Status::Leaving if suspect() => Standing::Suspect,
            Status::Alive | Status::Leaving => Standing::Alive,
            Status::Left => Standing::Left,
            Status::Failed | Status::None => Standing::Failed,
        };
        Self { facts: known.facts, standing }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.facts.name
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::of(&self.facts)
    }

    /// What it says of itself, as text; nothing when it cannot be read.
    #[must_use]
    pub fn tags(&self) -> Vec<(String, String)> {
        tags_of(&self.facts)
    }
}

/// What a member says of itself, as text; nothing when it cannot be read.
#[must_use]
pub fn tags_of(facts: &Facts) -> Vec<(String, String)> {
    if facts.meta.is_empty() {
        return Vec::new();
    }
    let tags = Tags::decode(&facts.meta).unwrap_or_default().0;
    let text = |bytes: &bytes::Bytes| Name::from(bytes.clone()).to_string();
    tags.iter().map(|(name, value)| (text(name), text(value))).collect()
}
