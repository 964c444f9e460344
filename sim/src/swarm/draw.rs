//! From a seed to a world.

use std::time::Duration;

use node::Protocol;
use protocol::Rng;
use protocol::raft::ReadMode;
use store::watch::WatchLimits;
use store::{Limits, SessionLimits};

use super::{Consensus, Disks, Options, Stores};
use crate::crowd;
use crate::draw::Draw;
use crate::storm::{Kind, Plan};
use crate::world::Weather;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Of a hundred worlds that may be long, so many are.
const LONG: u64 = 20;
/// In so many worlds of a hundred members come and go.
const CHANGING: u64 = 33;
/// In so many worlds of a hundred, of those with three nodes or more, nodes find ways around broken
/// links.
const MESHED: u64 = 30;
/// Of a hundred of those, so many lose disks.
const LOSING: u64 = 60;

impl Options {
    /// The world of a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x5ee_d0fa_3071_d000);
        let nodes = rng.one_of(&[1, 2, 3, 3, 3, 3, 3, 3, 4, 5, 5, 5, 5, 6, 7]);
        let consensus = consensus(&mut rng);
        let crowd = crowd::Options::draw(&mut rng);
        let disks = disks(&mut rng, &consensus);
        let storm = plan(&mut rng, &consensus, nodes);
        let mut options = Self {
            nodes,
            joiners: 0,
            weather: weather(&mut rng, &consensus),
            stores: stores(&mut rng, &consensus, &disks),
            disks,
            consensus,
            crowd,
            storm,
            mesh: false,
            prolong: true,
            record: false,
        };
        if options.may_be_long() && rng.percent(LONG) {
            options.lengthen(&mut rng);
        }
        // Last, so that what is drawn before stays what it was.
        options.stores.log_keep_bytes = rng.one_of(&[0, 2_000, 20_000, u64::MAX]);
        options.stores.snapshot_piece_bytes = rng.one_of(&[200, 2_000, 64_000]);
        options.crowd.repeats = crowd::Repeats::draw(&mut rng);
        options.stores.limits.sessions = sessions(&mut rng);
        options.stores.compare_interval = rng.one_of(&[None, Some(ms(300)), Some(ms(1_000))]);
        options.disks.reserved = rng.one_of(&[0, 2, 2]) * options.disks.segment_bytes;
        if rng.percent(CHANGING) {
            options.let_members_change(&mut rng);
        }
        options.mesh = options.nodes > 2 && rng.percent(MESHED);
        options
    }

    /// Lets operators change the members, in a few worlds all the time.
    fn let_members_change(&mut self, rng: &mut Rng) {
        self.joiners = rng.one_of(&[1, 2, 3, 4, 4, 5]);
        let changes = || Kind::ALL.iter().copied().filter(|kind| kind.changes_members());
        for _ in 0..rng.one_of(&[1, 1, 1, 2, 6]) {
            self.storm.kinds.extend(changes());
        }
        // A minority of fewer than three is nobody.
        if self.nodes >= 3 && rng.percent(LOSING) {
            self.storm.kinds.extend([Kind::WipedDisk, Kind::OldDisk]);
            self.storm.damaged = self.storm.damaged.max(1);
            self.joiners += 2;
        }
    }

    /// Whether its nodes are few enough and slow enough for a world of many minutes.
    fn may_be_long(&self) -> bool {
        self.nodes <= 5 && self.consensus.heartbeat >= ms(100)
    }

    /// Makes it what most clusters are at most times: hardly asked, for a long time. Faults strike
    /// several hundred times an hour still, but most of them find a cluster that has recovered.
    fn lengthen(&mut self, rng: &mut Rng) {
        self.storm.length = Duration::from_secs(60 * rng.one_of(&[10, 20, 30, 60]));
        self.storm.pause = ms(500)..=ms(rng.one_of(&[10_000, 20_000]));
        // More than a seed owes, since nobody asks while nobody answers.
        let operations = rng.one_of(&[800, 1_200, 2_000]);
        let think = self.storm.length * self.crowd.clients / operations;
        self.crowd.think = think / 4..=think * 7 / 4;
    }

    /// The world that the simulator's speed is measured on: three nodes, at least a hundred
    /// operations a second, every kind of fault.
    #[must_use]
    pub fn busy(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let stage = Self::stage(3);
        let consensus = Consensus { cache_bytes: 8 << 10, window: 64, ..stage.consensus };
        let storm = Plan {
            length: Duration::from_secs(90),
            pause: ms(500)..=ms(10_000),
            kinds: usual().collect(),
            damaged: 1,
            supervisor: Some(ms(100)..=ms(3_000)),
            lasting: ms(500)..=ms(8_000),
            drift_per_mille: 200,
            only: None,
        };
        Self {
            disks: Disks { tables: rng.percent(25), ..stage.disks },
            stores: Stores { log_keep_bytes: 20_000, ..stage.stores },
            consensus,
            storm,
            crowd: crowd::Options::busy(),
            weather: Weather { loss: 100, ..Weather::fair(ms(1)) },
            prolong: true,
            record: false,
            ..stage
        }
    }
}

fn consensus(rng: &mut Rng) -> Consensus {
    let least = rng.one_of(&[50, 150, 300, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 2000, 2000]);
    let width = rng.one_of(&[1, 1, 1, 2]) * least;
    // Each promise is dropped in a few worlds: what it protects from is then only slower.
    let reads = match rng.below(10) {
        0 | 1 => ReadMode::Lease { drift_per_mille: rng.one_of(&[0, 200, 500, 500]) },
        _ => ReadMode::Quorum,
    };
    let lease = matches!(reads, ReadMode::Lease { .. });
    let window = rng.one_of(&[1, 2, 8, 64, 512]);
    // One entry a message and one message a round trip would be too slow ever to catch up.
    let small = if window < 8 { 1_000 } else { 300 };
    Consensus {
        protocol: Protocol::Raft,
        election: ms(least)..=ms(least + width),
        heartbeat: ms((least / rng.one_of(&[3, 5, 5, 10, 10])).max(5)),
        pre_vote: !rng.percent(10),
        check_quorum: lease || !rng.percent(15),
        stickiness: lease || !rng.percent(15),
        reads,
        window,
        append_bytes: rng.one_of(&[300, 1_000, 4_000, 64_000]).max(small),
        cache_bytes: rng.one_of(&[0, 500, 2_000, 8_000, 64_000]),
    }
}

/// A network whose round trips fit into an election timeout, or elections never end.
fn weather(rng: &mut Rng, consensus: &Consensus) -> Weather {
    let least = consensus.election.start().as_micros();
    let least = u64::try_from(least).unwrap_or(u64::MAX);
    // In some worlds a round trip takes longer than the period of heartbeats.
    let widest = rng.one_of(&[20, 20, 20, 12]);
    let delay = Duration::from_micros(50 + rng.below(least / widest));
    Weather {
        jitter: delay * u32::try_from(rng.below(3)).unwrap_or(0),
        loss: u32::try_from(rng.one_of(&[0, 0, 0, 100, 1_000, 10_000])).unwrap_or(0),
        doubling: u32::try_from(rng.one_of(&[0, 0, 1_000, 20_000])).unwrap_or(0),
        ..Weather::fair(delay)
    }
}

fn disks(rng: &mut Rng, consensus: &Consensus) -> Disks {
    let least = u64::try_from(consensus.election.start().as_micros()).unwrap_or(u64::MAX);
    let fast = Duration::from_micros(20 + rng.below(2_000));
    let slow = fast + Duration::from_micros(rng.below(least / 20));
    Disks {
        tables: rng.percent(20),
        sync: fast..=slow,
        segment_bytes: rng.one_of(&[8, 8, 16, 64]) << 10,
        page_bytes: 1024,
        batch_bytes: rng.one_of(&[512, 4_096, 16_384]),
        spares: rng.place(3),
        reserved: 0,
    }
}

fn stores(rng: &mut Rng, consensus: &Consensus, disks: &Disks) -> Stores {
    // An entry must fit into a segment: production makes its segments that long.
    let request = usize::try_from(disks.segment_bytes / 4).unwrap_or(usize::MAX);
    let bytes = rng.one_of(&[0, 300, 600, 4_000, 1 << 20]);
    Stores {
        limits: Limits { hot_bytes: bytes, max_request_bytes: request, ..Limits::default() },
        watch: WatchLimits {
            outstanding_bytes: rng.one_of(&[1_000, 1_000, 10_000, 4 << 20]),
            response_bytes: rng.one_of(&[100, 1_000, 1 << 20]),
            batch: rng.one_of(&[1, 2, 8, 100, 1_000]),
            scan_bytes: rng.one_of(&[300, 4_000, 4 << 20]),
            progress_interval: ms(rng.one_of(&[500, 2_000, 10_000])),
            ..WatchLimits::default()
        },
        request_timeout: Duration::from_secs(5) + *consensus.election.end(),
        tick: ms(rng.one_of(&[100, 500, 500, 1_000])),
        compare_interval: None,
        flush_bytes: rng.one_of(&[300, 2_000, 16_000]),
        flush_interval: ms(rng.one_of(&[50, 300, 1_000, 5_000])),
        max_pending: rng.one_of(&[4, 100, 20_000]),
        log_keep_bytes: u64::MAX,
        snapshot_piece_bytes: 64_000,
    }
}

/// Room for fewer clients and answers than there are, in some worlds. What is kept is kept for
/// longer than anybody repeats a write.
fn sessions(rng: &mut Rng) -> SessionLimits {
    let keep_ms = rng.one_of(&[60_000, 60_000, 300_000]);
    SessionLimits {
        clients: rng.one_of(&[2, 4, 10_000, 10_000]),
        window: rng.one_of(&[1, 3, 128, 128]),
        client_bytes: rng.one_of(&[40, 2_000, 2 << 20, 2 << 20]),
        total_bytes: rng.one_of(&[100, 10_000, 64 << 20, 64 << 20]),
        keep_ms,
        keep_min_ms: 60_000,
    }
}

/// What may strike any world: the members stay who they are.
fn usual() -> impl Iterator<Item = Kind> {
    Kind::ALL.iter().copied().filter(|kind| !kind.changes_members() && !kind.loses_disks())
}

fn plan(rng: &mut Rng, consensus: &Consensus, nodes: usize) -> Plan {
    let lease = matches!(consensus.reads, ReadMode::Lease { .. });
    let mut kinds: Vec<Kind> = usual().filter(|_| !rng.percent(30)).collect();
    // A clock that leaps breaks the one assumption of lease reads.
    kinds.retain(|kind| !(lease && *kind == Kind::Leap));
    // A node alone has no network.
    kinds.retain(|kind| nodes > 1 || !kind.class().starts_with('N'));
    // Some worlds know one trouble only, and have much of it.
    if rng.percent(15) {
        rng.shuffle(&mut kinds);
        kinds.truncate(6);
    }
    // Whatever else cannot strike here, this can.
    kinds.extend([Kind::Kill, Kind::ShortPause]);
    let calm = rng.one_of(&[300, 1_000, 3_000, 8_000, 15_000]);
    let lasting = rng.one_of(&[500, 2_000, 8_000, 20_000]);
    Plan {
        length: Duration::from_secs(rng.one_of(&[60, 60, 90, 120, 180, 300])),
        pause: ms(calm / 10)..=ms(calm * 2),
        kinds,
        damaged: if rng.percent(60) { rng.place(nodes.div_ceil(2)) } else { 0 },
        supervisor: Some(ms(50)..=ms(rng.one_of(&[500, 3_000, 10_000]))),
        lasting: ms(lasting / 10)..=ms(lasting),
        drift_per_mille: match consensus.reads {
            ReadMode::Lease { drift_per_mille } => drift_per_mille,
            ReadMode::Quorum => rng.one_of(&[0, 10, 200, 660]),
        },
        only: None,
    }
}
