//! From a configuration and a data directory to a replica that can run.

use std::io;

use node::Node;
use node::codec::Envelope;
use protocol::raft::Payload;
use protocol::{ClusterId, Index, NodeId, Term, raft};
use storage::Identity;
use storage::backup::Stamp;
use storage::datadir::DataDir;
use storage::disk::{FaultPlan, FaultyDisk, RealDisk};
use storage::log::{
    Covered, Damage, Log, LogError, LogOptions, Opening as LogOpening, Recovered, Salvage,
};
use storage::state::{State, StateOptions};
use store::{
    Backend, BackendError, BackendRead, Command, MemberTable, Recovery, RestoreError, Revision,
    Store,
};

use super::StartError;
use super::members::address_of;
use super::ownership::{self, Owner};
use super::peers::Peer;
use super::rebuilding::Wrong;
use super::register::Register;
use super::server::founders;
use super::settings::{limits, node_config};
use super::who::founds;
use super::workers::AnyDisk;
use crate::config::{Config, Consensus};
use crate::reserve::Gauge;

/// Records read from the backend at once while the index is rebuilt, and bytes of them.
const SCAN: usize = 10_000;
const SCAN_BYTES: usize = 8 << 20;
/// Tables may always grow to this many bytes, however small the reserve.
const LEAST_TABLE: u64 = 16 << 20;
/// The length of a segment when the log is in memory.
const MEMORY_SEGMENT: u64 = 4 << 20;

/// Everything that a replica runs on.
pub(crate) struct Opened {
    pub(crate) node: Node,
    pub(crate) log: Log<AnyDisk>,
    pub(crate) state: State,
    pub(crate) cluster: ClusterId,
    pub(crate) id: NodeId,
    /// Of a server on a disk.
    pub(crate) gauge: Option<Gauge>,
    /// Neither log nor state have ever had an entry.
    pub(crate) blank: bool,
}

/// What opening starts from: checked settings, and a data directory that is locked.
pub(crate) struct Ground {
    directory: Option<DataDir>,
    identity: Identity,
    gauge: Option<Gauge>,
    pub(crate) incarnation: u64,
    pub(crate) register: Register,
    pub(crate) client_url: String,
    /// The state that is there is not to be served.
    wrong: Option<Wrong>,
}

/// What came of opening.
pub(crate) enum Opening {
    /// The replica can run.
    Ready(Box<Opened>),
    /// Its log lacks what only other members have.
    Wounded(Box<Wounded>),
}

/// A replica that cannot run yet.
pub(crate) struct Wounded {
    pub(crate) salvage: Salvage<AnyDisk>,
    /// The other members, as far as is known.
    pub(crate) others: Vec<Peer>,
}

/// What is known about entries that are in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Nothing: other members are to be asked.
    Open,
    /// There is a leader, which will send them, or others. Its log ends here.
    Led(Index),
}

/// Why the state cannot be read.
enum StateFault {
    /// It is damaged.
    Damaged(String),
    /// It can be read, and differs from that of a majority of the members.
    Condemned { why: String, applied: Index, membership: Option<Box<raft::Membership>> },
    /// The disk failed, or it is not this program's.
    Failed(StartError),
}

impl StateFault {
    fn failed(error: &dyn std::fmt::Display) -> Self {
        Self::Failed(StartError::State(error.to_string()))
    }
}

impl From<BackendError> for StateFault {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Corrupt(what) => Self::Damaged(what),
            BackendError::Full(_) | BackendError::Io(_) => Self::failed(&error),
        }
    }
}

pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

impl Ground {
    /// Locks the data directory.
    pub(crate) fn lay(
        config: &Config,
        identity: Identity,
        client_url: String,
        wrong: Option<Wrong>,
    ) -> Result<Self, StartError> {
        let directory = match &config.data_dir {
            Some(path) => Some(DataDir::open(path, identity)?),
            None => None,
        };
        if let Some(directory) = directory.as_ref().filter(|_| config.consensus == Consensus::Zab) {
            directory.note_zab()?;
        }
        let gauge = open_gauge(config)?;
        let incarnation = random();
        let notes = directory.as_ref().map(DataDir::notes).transpose()?;
        let register = Register::open(notes, incarnation, random)?;
        Ok(Self { directory, identity, gauge, incarnation, register, client_url, wrong })
    }

    /// Who this is.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Opens log and state and puts a replica together, if what is damaged in them lets it.
    pub(crate) fn open(&self, config: &Config, known: Doubt) -> Result<Opening, StartError> {
        let found = match self.sound_state(config) {
            Err(StateFault::Failed(error)) => return Err(error),
            found => found,
        };
        if let (Ok((_, store)), Some(directory)) = (&found, &self.directory) {
            ownership::check(config, directory, self.owner(), store)?;
        }
        self.register.count()?;
        let rebuilt_after = match &found {
            Err(StateFault::Condemned { applied, .. }) => Some(*applied),
            Ok(_) | Err(StateFault::Damaged(_) | StateFault::Failed(_)) => None,
        };
        let covered = match &found {
            Ok((_, store)) => Covered { applied: store.applied(), installed: store.installed() },
            Err(_) => Covered::default(),
        };
        let others = self.others(config, &found);
        let alone = others.is_empty();
        // Others who are not named any more speak to this member all the same, if they can.
        let met = self.register.has_met_others(self.identity.node);
        let (disk, options) = log_disk(self.directory.as_ref(), self.identity, config)?;
        let opening = Log::open_or_salvage(disk, options, covered);
        let (mut log, recovered) = match opening.map_err(log_error)? {
            LogOpening::Whole(log, recovered) => (*log, recovered),
            LogOpening::Wounded(salvage)
                if salvage.is_undecided()
                    && (alone || config.dismiss_doubt || known != Doubt::Open) =>
            {
                let led = if let Doubt::Led(last) = known { Some(last) } else { None };
                salvage.open_in_doubt(led).map_err(log_error)?
            }
            LogOpening::Wounded(salvage) if alone && !(met && config.expects_peers) => {
                return Err(lost_alone(&salvage, found.err(), met));
            }
            LogOpening::Wounded(salvage) => {
                let wounded = Wounded { salvage: *salvage, others };
                return Ok(Opening::Wounded(Box::new(wounded)));
            }
        };
        prepare(&mut log)?;
        let (state, store) = match found {
            Ok(found) => found,
            // The log has never held anything: it may not be this state's, and whatever it has
            // promised is unknown.
            Err(fault) if recovered.hard_state.term == Term(0) && recovered.doubt.is_none() => {
                return Err(why(fault));
            }
            Err(fault) => self.begin_state_anew(config, why(fault))?,
        };
        self.assemble(config, log, recovered, (state, store), rebuilt_after)
    }

    fn owner(&self) -> Owner {
        let Self { identity, register, .. } = self;
        Owner { identity: *identity, met: register.has_met_others(identity.node) }
    }

    /// Whether this directory was made, and nothing came of it: it has no entry and has met nobody.
    pub(crate) fn is_vain(&self, opening: &Opening) -> bool {
        let Opening::Ready(opened) = opening else { return false };
        opened.blank && !self.owner().met
    }

    /// The other members, as the state has them; the settings may be stale.
    fn others(&self, config: &Config, found: &Result<(State, Store), StateFault>) -> Vec<Peer> {
        let known = match found {
            Ok((_, store)) => store.membership().map(|known| seats(Some(store), known)),
            // What it says of members is better than nothing: they know better if they are there.
            Err(StateFault::Condemned { membership, .. }) => {
                membership.as_ref().map(|known| seats(None, known))
            }
            Err(StateFault::Damaged(_) | StateFault::Failed(_)) => None,
        };
        let all = known.unwrap_or_else(|| founders(config));
        all.into_iter().filter(|peer| peer.id != self.identity.node).collect()
    }

    fn assemble(
        &self,
        config: &Config,
        mut log: Log<AnyDisk>,
        mut recovered: Recovered,
        (state, store): (State, Store),
        rebuilt_after: Option<Index>,
    ) -> Result<Opening, StartError> {
        recovered.damage.iter().for_each(report);
        heed_doubt(config, &mut log, &mut recovered)?;
        let adopted = log.adopt(store.applied().index, store.installed());
        if adopted.map_err(log_error)? {
            tracing::info!("the log begins anew after {}, as the state does", store.applied());
        }
        let restored = log
            .restored(store.applied().index)
            .map_err(|error| StartError::Log(format!("it does not continue the state: {error}")))?;
        tell_recoveries(&store, &restored.entries);
        let Identity { cluster, node: id } = self.identity;
        let founding = founds(config, self.identity, &store, &restored)?;
        let none = restored.base.index == Index(0) && restored.terms.is_empty();
        let blank = none && restored.doubt.is_none() && store.applied().index == Index(0);
        let client_url = self.client_url.clone();
        let mut config = node_config(config, (id, founding), self.incarnation, client_url);
        config.rebuilt_after = rebuilt_after;
        let node = Node::new(config, restored, store, random()).map_err(log_error)?;
        let gauge = self.gauge.clone();
        Ok(Opening::Ready(Box::new(Opened { node, log, state, cluster, id, gauge, blank })))
    }

    /// The state, unless it is known to be wrong.
    fn sound_state(&self, config: &Config) -> Result<(State, Store), StateFault> {
        let found = self.open_state(config);
        let Some(Wrong { why, applied }) = self.wrong.clone() else { return found };
        match found {
            Ok((_, store)) => {
                let membership = store.membership().cloned().map(Box::new);
                Err(StateFault::Condemned { why, applied, membership })
            }
            Err(StateFault::Condemned { membership, .. }) => {
                Err(StateFault::Condemned { why, applied, membership })
            }
            fault => fault,
        }
    }

    fn open_state(&self, config: &Config) -> Result<(State, Store), StateFault> {
        let mut state = match &self.directory {
            None => State::memory(),
            Some(directory) => {
                let options = self.state_options();
                match State::open(&directory.state(), self.identity, options) {
                    Ok(state) => state,
                    Err(storage::state::OpenError::Corrupt(what)) => {
                        return Err(StateFault::Damaged(what));
                    }
                    Err(error) => return Err(StateFault::failed(&error)),
                }
            }
        };
        let store = restore(config, &mut state)?;
        Ok((state, store))
    }

    /// What a compaction needs in order to give space back is the copy of one table: it has to fit
    /// into the reserve.
    fn state_options(&self) -> StateOptions {
        let mut options = StateOptions::default();
        let reserved = self.gauge.as_ref().map_or(0, Gauge::reserved);
        if reserved > 0 {
            options.table_bytes = options.table_bytes.min((reserved / 2).max(LEAST_TABLE));
        }
        options
    }

    /// Puts a damaged state aside and begins with an empty one: the log, or a leader, has all.
    fn begin_state_anew(
        &self,
        config: &Config,
        fault: StartError,
    ) -> Result<(State, Store), StartError> {
        let Some(directory) = &self.directory else { return Err(fault) };
        let aside = directory.set_state_aside()?;
        tracing::warn!(
            "{fault}. It was put aside as {}, and is rebuilt from the log and from other members; \
             remove it when nobody wants to look at it",
            aside.display()
        );
        self.open_state(config).map_err(why)
    }
}

fn why(fault: StateFault) -> StartError {
    match fault {
        StateFault::Damaged(what) => StartError::State(format!("it is damaged: {what}")),
        StateFault::Condemned { why, .. } => StartError::State(format!("it is wrong: {why}")),
        StateFault::Failed(error) => error,
    }
}

fn log_error(error: impl std::fmt::Display) -> StartError {
    StartError::Log(error.to_string())
}

/// What helps a member that does not know whom to ask.
pub(super) const STRANDED: &str = "who the other members are stood in what is damaged: put the \
                                    data directory aside, and start this member with \
                                    --initial-cluster naming itself and the others and \
                                    --initial-cluster-state existing; they take it in again. \
                                    Nothing was changed";

/// What is lost, and nobody else has, or nobody who is known. `met`: there are others. An old copy
/// of the directory is just what must not come back to them.
fn lost_alone(salvage: &Salvage<AnyDisk>, state: Option<StateFault>, met: bool) -> StartError {
    const ALONE: &str = "this member is alone, so nobody else has it: restore the data directory \
                         from a backup. Nothing in it was changed";
    let remedy = if met { STRANDED } else { ALONE };
    if let Some(fault) = state {
        let why = why(fault);
        return StartError::State(format!("{why}, and the log no longer has all of it; {remedy}"));
    }
    let damage = salvage.damage().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    StartError::Log(format!("it lacks what it had acknowledged: {damage}; {remedy}"))
}

/// Dismisses the doubt if an operator says so, else tells of it.
fn heed_doubt(
    config: &Config,
    log: &mut Log<AnyDisk>,
    recovered: &mut Recovered,
) -> Result<(), StartError> {
    let Some(doubt) = recovered.doubt else { return Ok(()) };
    if config.dismiss_doubt {
        log.dismiss_doubt().map_err(log_error)?;
        recovered.doubt = None;
        tracing::warn!("the doubt about entries up to {doubt} is dismissed by the operator");
    } else {
        tracing::warn!(
            "entries up to {doubt} are damaged and may have been acknowledged: this member does \
             not vote until a leader has sent them again. If there is none and nobody was told \
             that they were written, start it once with --dismiss-doubt"
        );
    }
    Ok(())
}

/// Tells at every start what this data has come through; the last recovery may be in the log only.
fn tell_recoveries(store: &Store, entries: &[raft::Entry]) {
    let in_log = entries.iter().filter_map(|entry| match &entry.payload {
        Payload::Command(bytes) => {
            let envelope = Envelope::open(bytes.clone()).ok()?;
            match Command::decode(envelope.command).ok()? {
                Command::Recovered(recovery) => Some((entry.position.index, recovery)),
                _ => None,
            }
        }
        Payload::Empty | Payload::Membership(_) => None,
    });
    let applied = store.recoveries().map(|(at, recovery)| (at, recovery.clone()));
    for (at, recovery) in applied.chain(in_log) {
        let Recovery { cluster, survivor, last, commit, given_up, .. } = recovery;
        let taken_at = Stamp::of_ms(recovery.at_ms);
        let given_up: Vec<String> =
            given_up.iter().map(|(id, name)| format!("{name} ({id})")).collect();
        tracing::warn!(
            "this cluster was recovered at {taken_at} from member {survivor} of cluster \
             {:016x}, with its log up to {last} (known to be committed: {commit}), without {} \
             (entry {at})",
            cluster.0,
            given_up.join(", ")
        );
    }
}

/// The members of a configuration, with their addresses.
fn seats(store: Option<&Store>, membership: &raft::Membership) -> Vec<Peer> {
    let seats = MemberTable::of(membership).unwrap_or_default().seats.into_iter();
    let peers = seats.filter_map(|(id, seat)| {
        let address = seat.peer_urls.first().and_then(|url| address_of(url))?.to_owned();
        let told = store.and_then(|store| store.members().find(|member| member.id == id));
        let name = told.map_or_else(|| id.to_string(), |member| member.name.clone());
        Some(Peer { id, name, address })
    });
    peers.collect()
}

/// Rebuilds the index by reading every record once.
fn restore(config: &Config, state: &mut State) -> Result<Store, StateFault> {
    let damaged = |error: &dyn std::fmt::Display| StateFault::Damaged(error.to_string());
    let meta = state.meta()?;
    let restoring = Store::restore(limits(config), meta.clone());
    let mut restoring = restoring.map_err(|error| match error {
        RestoreError::Differs(applied) => {
            let membership = store::membership(&meta).map(Box::new);
            StateFault::Condemned { why: error.to_string(), applied, membership }
        }
        error => damaged(&error),
    })?;
    let (view, mut from) = (state.view(), Revision::default());
    loop {
        let records = view.part(from, SCAN, SCAN_BYTES)?;
        let Some((last, _)) = records.last() else { break };
        from = Revision::new(last.main, last.sub + 1);
        for (revision, record) in &records {
            restoring.record(*revision, record);
        }
    }
    drop(view);
    let (store, dead) = restoring.finish().map_err(|error| damaged(&error))?;
    state.discard(&dead)?;
    Ok(store)
}

fn log_disk(
    directory: Option<&DataDir>,
    identity: Identity,
    config: &Config,
) -> Result<(AnyDisk, LogOptions), StartError> {
    let mut options = LogOptions::new(identity);
    // The largest request, with room for its envelope, must fit into one segment.
    let least = (config.max_request_bytes as u64 * 2).next_multiple_of(1 << 20);
    let disk = match directory {
        Some(directory) => {
            options.segment_bytes = options.segment_bytes.max(least);
            AnyDisk::Real(RealDisk::open(directory.log()).map_err(log_error)?)
        }
        None => {
            options.segment_bytes = MEMORY_SEGMENT.max(least);
            AnyDisk::Memory(FaultyDisk::new(FaultPlan::default()))
        }
    };
    Ok((disk, options))
}

/// Makes the first segment that is to come.
fn prepare(log: &mut Log<AnyDisk>) -> Result<(), StartError> {
    match log.prepare() {
        // What is in the log can be served, and what gives space back has room in its last segment.
        Err(LogError::NoSpare { cause }) => {
            tracing::warn!(%cause, "the log has no room to grow: free some space");
            Ok(())
        }
        prepared => prepared.map_err(log_error),
    }
}

fn open_gauge(config: &Config) -> Result<Option<Gauge>, StartError> {
    let Some(path) = &config.data_dir else { return Ok(None) };
    let gauge = Gauge::new(path, config.disk_reserved);
    gauge.map(Some).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => {
            StartError::Config(format!("--disk-reserved is too much for this disk: {error}"))
        }
        _ => StartError::State(format!("cannot measure the disk of {}: {error}", path.display())),
    })
}

fn report(damage: &Damage) {
    if damage.is_corruption() {
        tracing::warn!("the log is damaged where the state has all of it: {damage}");
    } else {
        tracing::warn!("the log was mended: {damage}");
    }
}
