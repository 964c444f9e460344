//! What a pool is told before it starts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use protocol::bully::wire::Group;
use protocol::swim::serf;

use super::envelope::Policy;
use super::keyring::Key;
use crate::elections::Wish;

/// Timers that belong together. All members of a pool should have the same ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// For a local network.
    #[default]
    Lan,
    /// For links across sites.
    Wan,
    /// For one machine.
    Local,
}

/// The settings of one member of the pool.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name: no two members share one.
    pub name: String,
    /// Where it listens, for packets and for streams.
    pub listen: SocketAddr,
    /// Where the others reach it; where it listens when `None`.
    pub advertise: Option<SocketAddr>,
    /// Where keys and the incarnation are kept, in a folder `gossip`; `None` forgets them at the
    /// end.
    pub data_dir: Option<PathBuf>,
    /// Its timers.
    pub profile: Profile,
    /// What it says of itself.
    pub tags: BTreeMap<String, String>,
    /// Label, compression, and how strictly keys are used.
    pub policy: Policy,
    /// The first key of the keyring. A keyring in the data directory counts before it: keys have
    /// gone round since.
    pub key: Option<Key>,
    /// The groups that it elects in, from the start.
    pub groups: Vec<(Group, Wish)>,
    /// Where others of the pool may be, as `host:port`; tried until somebody answers.
    pub join: Vec<String>,
}

impl Profile {
    pub(super) const fn config(self) -> serf::Config {
        match self {
            Self::Lan => serf::Config::LAN,
            Self::Wan => serf::Config::WAN,
            Self::Local => serf::Config::LOCAL,
        }
    }
}

impl Settings {
    /// The port that Serf and Consul use.
    pub const PORT: u16 = 7946;

    /// A member of this name on loopback, alone, all in memory.
    #[must_use]
    pub fn single(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], Self::PORT)),
            advertise: None,
            data_dir: None,
            profile: Profile::default(),
            tags: BTreeMap::new(),
            policy: Policy::default(),
            key: None,
            groups: Vec::new(),
            join: Vec::new(),
        }
    }
}
