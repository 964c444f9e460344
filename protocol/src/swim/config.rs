//! The settings of a member, fixed for its life.

use core::time::Duration;

/// The settings of a member. Sizes are in bytes.
///
/// Members of one pool should agree on intervals and multipliers: a member that suspects for
/// shorter than the others let it defend itself kills the healthy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// The period of probing: one member a period.
    pub probe_interval: Duration,
    /// How long a direct ping may take before others are asked to help.
    pub probe_timeout: Duration,
    /// How many helpers ping for us.
    pub indirect_checks: usize,
    /// Whether a member that answers no packet is asked over a stream as well.
    pub stream_ping: bool,
    /// The period of gossip, while there is something to say.
    pub gossip_interval: Duration,
    /// To how many members each time.
    pub gossip_nodes: usize,
    /// For how long the dead are still gossiped to, so that one that is not dead hears of it;
    /// after that they are forgotten when their turn to be probed comes.
    pub gossip_to_the_dead: Duration,
    /// How often a message is passed on: `retransmit_multiplier · ⌈log10(n + 1)⌉`.
    pub retransmit_multiplier: u32,
    /// How long a suspect has: `suspicion_multiplier · log10(n) · probe_interval` at least.
    pub suspicion_multiplier: u32,
    /// How much longer while nobody confirms the suspicion; 1 turns that off.
    pub suspicion_max_multiplier: u32,
    /// How much slower a member that doubts itself probes, at most; 1 turns doubts off.
    pub awareness_multiplier: u32,
    /// Whether a suspect that is pinged is told so with the ping.
    pub buddy: bool,
    /// The period of exchanging everything, in a pool of up to 32; larger ones stretch it. `None`:
    /// only by joining.
    pub exchange_interval: Option<Duration>,
    /// How long a stream may take, for exchanges.
    pub stream_timeout: Duration,
    /// After how long another address may take the name of a dead member; `None`: only once it is
    /// forgotten. A member that left gives its name up at once.
    pub reclaim: Option<Duration>,
    /// A call that comes this much after the deadline which it should have met means that this
    /// member stood still. Its time stands still with it: what others had to do meanwhile is not
    /// held against them. `None` turns that off.
    pub stall: Option<Duration>,
    /// What fits a packet, without the envelopes around it (encryption, label, checksum).
    pub packet_bytes: usize,
    /// The most that is said of a member.
    pub meta_bytes: usize,
    /// Members that are kept; alive messages of further ones are dropped.
    pub members: usize,
    /// Messages of the layer above that wait in each lane; of more, those sent most are dropped.
    pub lane_messages: usize,
    /// Pings under way for others; requests beyond are dropped.
    pub relays: usize,
}

impl Config {
    /// For a local network: memberlist's `DefaultLANConfig`.
    pub const LAN: Self = Self {
        probe_interval: Duration::from_secs(1),
        probe_timeout: Duration::from_millis(500),
        indirect_checks: 3,
        stream_ping: true,
        gossip_interval: Duration::from_millis(200),
        gossip_nodes: 3,
        gossip_to_the_dead: Duration::from_secs(30),
        retransmit_multiplier: 4,
        suspicion_multiplier: 4,
        suspicion_max_multiplier: 6,
        awareness_multiplier: 8,
        buddy: true,
        exchange_interval: Some(Duration::from_secs(30)),
        stream_timeout: Duration::from_secs(10),
        reclaim: Some(Duration::from_secs(30)),
        stall: Some(Duration::from_millis(125)),
        packet_bytes: 1400,
        meta_bytes: 512,
        members: 1 << 20,
        lane_messages: 4096,
        relays: 1024,
    };

    /// For links across sites: memberlist's `DefaultWANConfig`.
    pub const WAN: Self = Self {
        probe_interval: Duration::from_secs(5),
        probe_timeout: Duration::from_secs(3),
        gossip_interval: Duration::from_millis(500),
        gossip_nodes: 4,
        gossip_to_the_dead: Duration::from_secs(60),
        suspicion_multiplier: 6,
        exchange_interval: Some(Duration::from_secs(60)),
        stream_timeout: Duration::from_secs(30),
        stall: Some(Duration::from_millis(750)),
        ..Self::LAN
    };

    /// For one machine: memberlist's `DefaultLocalConfig`.
    pub const LOCAL: Self = Self {
        probe_timeout: Duration::from_millis(200),
        indirect_checks: 1,
        gossip_interval: Duration::from_millis(100),
        gossip_to_the_dead: Duration::from_secs(15),
        retransmit_multiplier: 2,
        suspicion_multiplier: 3,
        exchange_interval: Some(Duration::from_secs(15)),
        stream_timeout: Duration::from_secs(1),
        stall: Some(Duration::from_millis(50)),
        ..Self::LAN
    };

    /// The same settings without Lifeguard, as plain SWIM has them: for comparison.
    #[must_use]
    pub const fn without_lifeguard(self) -> Self {
        Self {
            suspicion_max_multiplier: 1,
            awareness_multiplier: 1,
            buddy: false,
            stall: None,
            ..self
        }
    }
}
