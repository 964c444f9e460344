//! The settings of a member of a pool of Serf agents, fixed for its life.

use core::time::Duration;

use crate::swim;

/// The settings of Serf's layer, and of SWIM below it. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Those of SWIM.
    pub swim: swim::Config,
    /// How long what this member says of its own going may take to be passed on, for each of the
    /// two things that it says.
    pub broadcast_timeout: Duration,
    /// How long it stays after that, so that others can pass the rest on.
    pub leave_propagate: Duration,
    /// How long one that said that it goes may take; if it is there after that, it stays.
    pub leave_patience: Duration,
    /// The period of forgetting.
    pub reap_interval: Duration,
    /// The period of looking whether somebody who has failed is back.
    pub reconnect_interval: Duration,
    /// After how long one who has failed is forgotten.
    pub reconnect_timeout: Duration,
    /// After how long one who has left is forgotten.
    pub tombstone_timeout: Duration,
    /// For how long it is remembered what somebody unknown intended.
    pub intent_timeout: Duration,
    /// Coming back sooner than this after failing is counted as a flap.
    pub flap_timeout: Duration,
    /// How long an event may be: its name and payload, and again what it is encoded. Never more
    /// than fits a packet.
    pub event_bytes: usize,
    /// How long a query may be, encoded. Never more than fits a packet.
    pub query_bytes: usize,
    /// How long an answer may be, encoded.
    pub response_bytes: usize,
    /// Intents of members not known yet that are kept; further ones are dropped.
    pub intents: usize,
    /// Members that are remembered after they have failed or left; of more, those that have been
    /// gone for longest are forgotten when the period of forgetting comes round.
    pub remembered: usize,
    /// Queries of its own that may be open at once.
    pub questions: usize,
    /// Queries of others that may wait for an answer; further ones are passed on and not answered.
    pub queries: usize,
    /// Events of one Lamport time that are kept; further ones are dropped.
    pub events_at_once: usize,
    /// Bytes of all events that are kept, names and payloads together; the oldest make room for
    /// later ones. They travel with every exchange.
    pub events_bytes: usize,
    /// Whether to ask the others who bears the own name when somebody else claims it.
    pub resolve_conflicts: bool,
}

impl Config {
    /// For a local network.
    pub const LAN: Self = Self {
        swim: swim::Config::LAN,
        broadcast_timeout: Duration::from_secs(5),
        leave_propagate: Duration::from_secs(1),
        leave_patience: Duration::from_secs(30),
        reap_interval: Duration::from_secs(15),
        reconnect_interval: Duration::from_secs(30),
        reconnect_timeout: Duration::from_secs(24 * 3600),
        tombstone_timeout: Duration::from_secs(24 * 3600),
        intent_timeout: Duration::from_secs(5 * 60),
        flap_timeout: Duration::from_secs(60),
        event_bytes: 512,
        query_bytes: 1024,
        response_bytes: 1024,
        intents: 4096,
        remembered: 1 << 16,
        questions: 256,
        queries: 1024,
        events_at_once: 256,
        events_bytes: 1 << 20,
        resolve_conflicts: true,
    };

    /// For links across sites.
    pub const WAN: Self = Self { swim: swim::Config::WAN, ..Self::LAN };

    /// For one machine.
    pub const LOCAL: Self = Self { swim: swim::Config::LOCAL, ..Self::LAN };
}
