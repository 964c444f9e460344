//! A server from start to end: which work runs on which thread.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use socket2::{Domain, Socket, Type};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

use super::StartError;
use super::backups::Backups;
use super::clock::Clock;
use super::driver::{Driver, End, Queues, RunError, Waiting};
use super::handle::{Call, NodeHandle};
use super::identity::{member_id, token_hash};
use super::members::Members;
use super::mending::{Treated, Ward, treat};
use super::open::{Doubt, Ground, Opened, Opening};
use super::peers::{Acceptor, FromPeers, Identity, Links, Peer, Roster, listen};
use super::rebuilding::{Rebuilding, Wrong};
use super::register::Register;
use super::rejoin::{self, attended, taken_in, taken_up};
use super::ways::Ways;
use super::who::{Who, identify, known};
use super::workers::{LogWorker, StateWorkers};
use crate::api::etcd::{self, ApiOptions};
use crate::api::metrics::Metrics;
use crate::bootstrap::{self, Herald, Met, Removal, WAITS};
use crate::config::{Config, Threads};
use crate::reserve::Gauge;

/// Calls that may wait for the node. More make the APIs wait.
const CALLS: usize = 16_384;
/// Batches of messages that may wait for the node. More stop the reading of links.
const BATCHES: usize = 1_024;
/// Connections that may wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 4_096;
/// Up to this many cores, one thread does everything that needs no disk.
const FEW_CORES: usize = 4;

/// Why a server ended other than by being told to.
#[derive(Debug, Error)]
pub enum ServerError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It had to end.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Runs a server on this thread until `stop` turns true: then leadership is handed over, calls
/// under way are answered, and everything is made durable. A state that is found wrong is put aside
/// and had anew, in the same process (`rebuilding.rs`).
///
/// # Errors
/// [`ServerError`], each with what to do about it.
pub fn run(config: Config, stop: watch::Receiver<bool>) -> Result<(), ServerError> {
    let client = bind(config.listen_client, "clients", "--listen-client")?;
    let meets = config.bootstrap_expect.is_some() && !config.keeps_to_itself();
    let peer =
        match config.initial_cluster.len() > 1 || config.expects_peers || config.join || meets {
            true => Some(bind(config.listen_peer, "peers", "--listen-peer")?),
            false => None,
        };
    let doors = Doors { client, peer };
    let mut config = config;
    if !found(&mut config, &doors, &stop)? {
        return Ok(());
    }
    let config = config;
    let mut who = identify(&config)?;
    let mut rebuilding = Rebuilding::default();
    loop {
        match live(&config, who, rebuilding.wrong.take(), &doors, stop.clone())? {
            Departure::Stopped => return Ok(()),
            Departure::Replaced(identity) => who = Who::Told(identity),
            Departure::Condemned(identity, wrong) => {
                rebuilding.begin(wrong);
                let Doors { client, .. } = doors.double().map_err(StartError::Thread)?;
                if !runtime()?.block_on(rebuilding.pause(client, stop.clone()))? {
                    return Ok(());
                }
                who = Who::Told(identity);
            }
        }
    }
}

/// Finds out whom a server that is to meet others begins with, unless its data directory says it.
/// `false` when it was told to end.
fn found(
    config: &mut Config,
    doors: &Doors,
    stop: &watch::Receiver<bool>,
) -> Result<bool, ServerError> {
    let Some(expect) = config.bootstrap_expect else { return Ok(true) };
    if let Some(identity) = known(config)? {
        bootstrap::recall(config, identity);
        return Ok(true);
    }
    let Some(side) = config.pool.clone() else {
        let text = "--bootstrap-expect needs a pool to meet in";
        return Err(StartError::Config(text.to_owned()).into());
    };
    let url = client_url(config, doors)?;
    let meeting = async {
        rejoin::turn_all_away(doors.peer.as_ref())?;
        let (say, reason) = watch::channel(WAITS.to_owned());
        let meeting = bootstrap::meet(config, (side, expect), url, say, stop.clone());
        attended(&doors.client, reason, meeting).await
    };
    let met = match runtime()?.block_on(meeting) {
        Err(StartError::Stopped) => return Ok(false),
        met => met?,
    };
    match met {
        Met::Founders(founders) => config.initial_cluster = founders,
        Met::Cluster(members) => {
            config.join = true;
            config.initial_cluster.extend(members);
        }
    }
    Ok(true)
}

/// Where clients are told to connect.
fn client_url(config: &Config, doors: &Doors) -> Result<String, StartError> {
    let address = doors.client.local_addr().map_err(StartError::Thread)?;
    Ok(config.advertise_client.clone().unwrap_or_else(|| format!("http://{address}")))
}

/// How a member's life in this process ended.
enum Departure {
    /// It was told to end.
    Stopped,
    /// It goes on, in this very process, as whom the members have named.
    Replaced(storage::Identity),
    /// Its state was found wrong: it goes on with another one.
    Condemned(storage::Identity, Wrong),
}

/// One member from start to end. All that runs for it ends with the runtime that it is given.
fn live(
    config: &Config,
    who: Who,
    wrong: Option<Wrong>,
    doors: &Doors,
    stop: watch::Receiver<bool>,
) -> Result<Departure, ServerError> {
    let own = runtime()?;
    let identity = match who {
        Who::Known(identity) | Who::Told(identity) => identity,
        Who::Newcomer => {
            let taken = taken_in(config, stop.clone());
            own.block_on(attended(&doors.client, asks(), taken))?
        }
    };
    let url = client_url(config, doors)?;
    let ground = Ground::lay(config, identity, url, wrong)?;
    let opening = ground.open(config, Doubt::Open)?;
    let register = ground.register.clone();
    let founded_in_vain = matches!(who, Who::Known(_)) && config.join && ground.is_vain(&opening);
    // With nobody to ask it is a member that was added and has heard nothing yet: they will dial.
    if founded_in_vain && rejoin::knows_others(config) {
        // What follows has the directory to itself.
        drop((opening, ground));
        let taken = taken_up(config, identity, register.life(), stop);
        let taken = attended(&doors.client, asks(), taken);
        return Ok(Departure::Replaced(own.block_on(taken)?));
    }
    let Doors { client, peer } = doors.double().map_err(StartError::Thread)?;
    let setup =
        Setup { config: config.clone(), client, peer, ground, opening, stopping: stop.clone() };
    let ended = setup.run(&own);
    drop(own);
    let disowned = match ended {
        Ok(End::Disowned(disowned)) => disowned,
        Ok(End::Stopped) => return Ok(Departure::Stopped),
        Err(ServerError::Run(RunError::Condemned { why, applied }))
            if config.data_dir.is_some() =>
        {
            return Ok(Departure::Condemned(identity, Wrong { why, applied }));
        }
        Err(error) => return Err(error),
    };
    if !config.rejoin {
        let refused = rejoin::refused(config, &disowned);
        tracing::error!("{refused}");
        return Err(refused.into());
    }
    let taken = async {
        let doors = (&doors.client, doors.peer.as_ref());
        rejoin::taken_back(config, &disowned, register.life(), doors, stop).await
    };
    match runtime()?.block_on(taken) {
        Ok(identity) => Ok(Departure::Replaced(identity)),
        Err(ServerError::Start(StartError::Stopped)) => Ok(Departure::Stopped),
        Err(error) => Err(error),
    }
}

/// What clients are told of a server that asks to be taken in.
fn asks() -> watch::Receiver<String> {
    watch::channel(format!("{WAITS}: it has asked to be taken in")).1
}

/// What a life runs on: with it end all tasks of that life.
fn runtime() -> Result<Runtime, StartError> {
    Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)
}

/// The ports, which stay open for as long as the process runs.
struct Doors {
    client: StdListener,
    peer: Option<StdListener>,
}

impl Doors {
    fn double(&self) -> io::Result<Self> {
        let peer = self.peer.as_ref().map(StdListener::try_clone).transpose()?;
        Ok(Self { client: self.client.try_clone()?, peer })
    }
}

fn bind(
    address: SocketAddr,
    what: &'static str,
    flag: &'static str,
) -> Result<StdListener, StartError> {
    listener(address).map_err(|source| StartError::Listen { what, flag, address, source })
}

/// A port with a long queue: after a failover, all clients of another member come at once, and
/// whoever finds the queue full tries again only after a second.
fn listener(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Connections of the last run that are still being closed do not hold the port.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Everything that the node's thread starts from.
struct Setup {
    config: Config,
    client: StdListener,
    peer: Option<StdListener>,
    ground: Ground,
    opening: Opening,
    stopping: watch::Receiver<bool>,
}

impl Setup {
    fn run(self, runtime: &Runtime) -> Result<End, ServerError> {
        let failed = |error: io::Error| ServerError::Run(RunError::Thread(error.to_string()));
        runtime.block_on(async {
            let connections = self.connections();
            let Self { config, client, peer, ground, opening, stopping } = self;
            let metrics = Metrics::new(config.consensus);
            let network = Network::start(&config, peer, &ground, &metrics).map_err(failed)?;
            let mut ward =
                Ward { config: &config, ground: &ground, network, stop: stopping.clone() };
            let opened = match opening {
                Opening::Ready(opened) => opened,
                Opening::Wounded(wounded) => match treat(&mut ward, *wounded, &client).await? {
                    Treated::Opened(opened) => opened,
                    Treated::Stopped => return Ok(End::Stopped),
                    Treated::Disowned(by) => return Ok(End::Disowned(by)),
                },
            };
            let network = ward.network;
            let (calls, call_queue) = mpsc::channel(CALLS);
            let reader = opened.state.reader();
            let learner = Arc::new(AtomicBool::new(false));
            let ids = (opened.cluster, opened.id);
            let handle = NodeHandle::new(calls, reader, ids, Arc::clone(&learner));
            let removal = Removal::new(handle.clone(), &config);
            let shown = (handle.identity(), ground.client_url.clone());
            if let Some(herald) = Herald::new(&config, shown, removal, stopping.clone()) {
                tokio::spawn(herald.run());
            }
            let inputs = (call_queue, stopping.clone(), learner);
            let split = connections.is_some();
            let driver =
                driver(&config, network, *opened, inputs, split, &metrics).map_err(failed)?;
            if let Some(schedule) = config.backups.clone() {
                let (handle, metrics) = (handle.clone(), metrics.backups().clone());
                let backups = Backups { handle, schedule, metrics, stopping: stopping.clone() };
                tokio::spawn(backups.run(config.name.clone()));
            }
            let options = ApiOptions::new(&config, metrics);
            let (end, ended) = watch::channel(false);
            let serving = Serving { handle, options, stopping, ended };
            let apis = match connections {
                None => serving.here(client).map_err(failed)?,
                Some(count) => serving.on_threads(&client, count).map_err(failed)?,
            };
            let result = driver.run().await;
            if let Err(error) = &result {
                tracing::error!("{error}");
            }
            // A node that has ended by itself takes its clients along: they find another one.
            end.send_replace(true);
            apis.finished().await;
            drop(ground);
            Ok(result?)
        })
    }

    /// How many threads serve clients; `None`: the node's own.
    fn connections(&self) -> Option<usize> {
        match self.config.threads {
            Threads::Shared => None,
            Threads::Split { connections } => Some(connections.max(1)),
            Threads::Auto => {
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                (cores > FEW_CORES).then(|| (cores / 2).clamp(1, 8))
            }
        }
    }
}

/// The links to other members, and where what comes in from them waits.
pub(super) struct Network {
    pub(super) links: Links,
    pub(super) messages: mpsc::Receiver<FromPeers>,
    pub(super) events: mpsc::UnboundedReceiver<FromPeers>,
    roster: Roster,
    register: Register,
    me: Identity,
}

impl Network {
    /// Starts to dial and to listen; on the node's runtime.
    fn start(
        config: &Config,
        peer: Option<StdListener>,
        ground: &Ground,
        metrics: &Metrics,
    ) -> io::Result<Self> {
        let (messages, message_queue) = mpsc::channel(BATCHES);
        let (events, link_queue) = mpsc::unbounded_channel();
        let storage::Identity { cluster, node: id } = ground.identity();
        let me = Identity { cluster, id, incarnation: ground.incarnation };
        let known = founders(config).iter().map(|peer| peer.id).collect();
        let roster = Roster::new(id, config.own_address(), known);
        if let Some(peer) = peer {
            let silence = config.election_timeout * 3;
            let metrics = (metrics.peers().clone(), metrics.ways().refused.clone());
            let us = (me, roster.clone(), ground.register.clone());
            let acceptor = Acceptor::new(us, messages, silence, metrics);
            tokio::spawn(ground.register.clone().keep_counting());
            tokio::spawn(listen(TcpListener::from_std(peer)?, acceptor));
        }
        let register = ground.register.clone();
        let us = (me, roster.clone(), register.clone());
        let links = Links::new(us, events, metrics.peers());
        Ok(Self { links, messages: message_queue, events: link_queue, roster, register, me })
    }
}

/// Puts the driver and its workers together; on the node's runtime.
fn driver(
    config: &Config,
    network: Network,
    opened: Opened,
    (calls, stop, learner): (mpsc::Receiver<Call>, watch::Receiver<bool>, Arc<AtomicBool>),
    split: bool,
    metrics: &Metrics,
) -> io::Result<Driver> {
    let Opened { node, log, state, cluster, id, gauge, blank: _ } = opened;
    let (done, done_queue) = mpsc::unbounded_channel();
    let Network { links, messages, events, roster, register, me } = network;
    let ways = Ways::new(me, config.heartbeat, metrics.ways().clone());
    let token = token_hash(&config.token());
    let mut members =
        Members::new((cluster, id), token, founders(config), (roster, register), learner);
    members.is_open = config.bootstrap_expect.is_some();
    let reader = state.reader();
    let disk = metrics.disk();
    let surplus = gauge.as_ref().map(Gauge::surplus).unwrap_or_default();
    let commits = disk.backend_commit.clone();
    let state = StateWorkers::start(state, reader, done.clone(), commits, gauge)?;
    let syncs = disk.log_sync.clone();
    let log = match split {
        true => LogWorker::thread(log, done, syncs, surplus)?,
        false => LogWorker::inline(log, done, syncs, surplus),
    };
    let queues = Queues { calls, messages, links: events, done: done_queue, stop };
    let clock = Clock::start();
    let waiting = Waiting::default();
    let disowned = None;
    Ok(Driver { node, clock, links, ways, members, log, state, queues, waiting, disowned })
}

/// The members as the settings have them.
pub(super) fn founders(config: &Config) -> Vec<Peer> {
    let token = &config.token();
    let all = config.initial_cluster.iter().map(|member| Peer {
        id: member_id(member, token),
        name: member.name.clone(),
        address: member.peer.clone(),
    });
    all.collect()
}

/// What serves clients.
struct Serving {
    handle: NodeHandle,
    options: ApiOptions,
    stopping: watch::Receiver<bool>,
    /// Turns true when the node has ended.
    ended: watch::Receiver<bool>,
}

/// The APIs, wherever they run.
enum Apis {
    Here(tokio::task::JoinHandle<()>),
    Threads(Vec<JoinHandle<()>>),
}

impl Serving {
    async fn serve(self, listener: TcpListener) {
        let Self { handle, options, mut stopping, mut ended } = self;
        let stopped = async move {
            // The senders live as long as the server.
            tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => {}
                _ = ended.wait_for(|ended| *ended) => {}
            }
        };
        etcd::serve(listener, handle, options, stopped).await;
    }

    /// Serves on the node's own runtime.
    fn here(self, listener: StdListener) -> io::Result<Apis> {
        let listener = TcpListener::from_std(listener)?;
        Ok(Apis::Here(tokio::spawn(self.serve(listener))))
    }

    /// Serves on threads of their own, which share the port.
    fn on_threads(self, listener: &StdListener, count: usize) -> io::Result<Apis> {
        let threads = (0..count).map(|at| {
            let listener = listener.try_clone()?;
            let serving = Self {
                handle: self.handle.clone(),
                options: self.options.clone(),
                stopping: self.stopping.clone(),
                ended: self.ended.clone(),
            };
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new().name(format!("clients-{at}"));
            thread.spawn(move || {
                runtime.block_on(async {
                    match TcpListener::from_std(listener) {
                        Ok(listener) => serving.serve(listener).await,
                        Err(error) => tracing::error!(%error, "cannot serve clients"),
                    }
                });
            })
        });
        Ok(Apis::Threads(threads.collect::<io::Result<_>>()?))
    }
}

impl Apis {
    async fn finished(self) {
        match self {
            Self::Here(task) => {
                let _ = task.await;
            }
            Self::Threads(threads) => {
                let join = || threads.into_iter().for_each(|thread| drop(thread.join()));
                let _ = tokio::task::spawn_blocking(join).await;
            }
        }
    }
}
