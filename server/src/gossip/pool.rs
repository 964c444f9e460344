//! A member of the pool from start to end, on a thread of its own.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use protocol::swim::Identity;
use protocol::swim::message::{Facts, Name, Vsn};
use protocol::swim::serf::{Serf, Tags};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{broadcast, mpsc, watch};

use super::complaints::Complaints;
use super::driver::{Driver, Parts, PoolEnd};
use super::envelope::Envelope;
use super::error::PoolError;
use super::handle::PoolHandle;
use super::keyring::Keyring;
use super::keys::Keeper;
use super::notebook::Notebook;
use super::rejoin::join_for_ever;
use super::settings::Settings;
use super::sockets::{Sockets, to_wire};
use super::streams::Streams;
use super::traffic::Traffic;
use crate::elections::{self, Elections, Office};

/// Bytes of a name, as Serf has it.
const NAME_MAX: usize = 128;
/// Calls that may wait. More make their callers wait.
const CALLS: usize = 1_024;
/// Arrivals on streams that may wait. More make the streams wait.
const ARRIVALS: usize = 256;
/// Events that a subscriber may fall behind.
const EVENTS: usize = 1_024;

/// How long what still runs may take once the member has left.
const SHUTDOWN: Duration = Duration::from_millis(500);

/// A running member of the pool.
#[derive(Debug)]
pub struct Pool {
    handle: PoolHandle,
    ended: watch::Receiver<bool>,
    thread: JoinHandle<PoolEnd>,
}

impl Pool {
    /// Opens sockets and files, and starts. The member leaves the pool, and the thread ends, once
    /// `stop` turns true. It ends by itself when its name is found to be another member's.
    ///
    /// # Errors
    /// [`PoolError`], each with what to do about it.
    pub fn start(settings: Settings, stop: watch::Receiver<bool>) -> Result<Self, PoolError> {
        let profile = settings.profile;
        let (name, data_dir) = (settings.name.clone(), settings.data_dir.clone());
        let groups = settings.groups.clone();
        let newborn = Newborn::open(settings)?;
        // The folder is this process's from here on.
        let office = Office::open(&name, data_dir.as_deref(), profile, &groups);
        let office = office.map_err(PoolError::Elections)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(PoolError::Thread)?;
        let life = {
            let _inside = runtime.enter();
            newborn.into_life()?.with_elections(office)
        };
        let handle = life.handle.clone();
        let (end, ended) = watch::channel(false);
        let thread = Builder::new().name("gossip".to_owned()).spawn(move || {
            let ended = runtime.block_on(life.live(stop));
            end.send_replace(true);
            // Files that are being written are written; names that are being resolved are not
            // waited for.
            runtime.shutdown_timeout(SHUTDOWN);
            ended
        });
        Ok(Self { handle, ended, thread: thread.map_err(PoolError::Thread)? })
    }

    /// The pool, for the rest of the process.
    #[must_use]
    pub const fn handle(&self) -> &PoolHandle {
        &self.handle
    }

    /// Turns true, or loses its sender, once the member has ended.
    #[must_use]
    pub fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }

    /// Waits until the member has ended, and says how; `None` when that was by a bug.
    pub fn finish(self) -> Option<PoolEnd> {
        self.thread.join().ok()
    }
}

fn notebook(data_dir: PathBuf) -> Result<Notebook, PoolError> {
    Notebook::open(&data_dir).map_err(|source| match source.kind() {
        ErrorKind::WouldBlock => PoolError::Locked(data_dir),
        _ => PoolError::Folder { path: data_dir, source },
    })
}

/// A member that has sockets and files, and does not live yet.
pub(super) struct Newborn {
    pub(super) serf: Serf,
    pub(super) facts: Facts,
    sockets: Sockets,
    advertised: SocketAddr,
    envelope: Arc<Envelope>,
    notebook: Option<Notebook>,
    budget: usize,
    patience: Duration,
    join: Vec<String>,
}

impl Newborn {
    /// Opens sockets and files.
    pub(super) fn open(settings: Settings) -> Result<Self, PoolError> {
        let Settings {
            name, listen, advertise, data_dir, profile, tags, policy, key, join, ..
        } = settings;
        let notebook = data_dir.map(notebook).transpose()?;
        let envelope = Arc::new(Envelope::new(policy, keyring(notebook.as_ref(), key)?));
        let sockets = Sockets::open(listen)?;
        let advertised = advertised(advertise, sockets.address)?;
        let mut config = profile.config();
        // What a packet carries: the least that an Ethernet passes, without what wraps it.
        config.swim.packet_bytes -= envelope.overhead();
        let facts = facts(&name, advertised, tags, config.swim.meta_bytes)?;
        let incarnation = notebook.as_ref().and_then(Notebook::incarnation);
        let (budget, patience) = (config.swim.packet_bytes, config.swim.stream_timeout);
        let identity = Identity { facts: facts.clone(), incarnation };
        let serf = Serf::new(config, identity, crate::runtime::random());
        Ok(Self { serf, facts, sockets, advertised, envelope, notebook, budget, patience, join })
    }

    /// Puts its sockets into the runtime that this is called in.
    pub(super) fn into_life(self) -> Result<Life, PoolError> {
        let Self { serf, facts, sockets, advertised, envelope, notebook, budget, patience, join } =
            self;
        let name = facts.name;
        let traffic = Arc::new(Traffic::default());
        let complaints = Arc::new(Complaints::default());
        let (arrivals, arrived) = mpsc::channel(ARRIVALS);
        let (calls, called) = mpsc::channel(CALLS);
        let (events, _) = broadcast::channel(EVENTS);
        let (kept, to_keep) = watch::channel(None);
        let handle = PoolHandle {
            calls,
            events: events.clone(),
            traffic: Arc::clone(&traffic),
            name: name.clone(),
            advertised,
            encrypted: envelope.keyring().is_some(),
            elections: None,
        };
        let noted = (Arc::clone(&traffic), Arc::clone(&complaints));
        let streams = Streams::new(name, Arc::clone(&envelope), noted, arrivals, patience);
        let streams = Arc::new(streams);
        let Sockets { udp, tcp, address } = sockets;
        let parts = Parts {
            serf,
            udp: UdpSocket::from_std(udp).map_err(PoolError::Thread)?,
            listen: address,
            keeper: Arc::new(Keeper::new(Arc::clone(&envelope), notebook.clone())),
            envelope,
            traffic,
            complaints,
            streams: Arc::clone(&streams),
            arrivals: arrived,
            calls: called,
            letters: None,
            events,
            incarnation: kept,
            budget,
        };
        let tcp = TcpListener::from_std(tcp).map_err(PoolError::Thread)?;
        Ok(Life {
            handle,
            parts,
            streams,
            tcp,
            kept: notebook.map(|book| (book, to_keep)),
            join,
            office: None,
        })
    }
}

/// What runs on the thread.
pub(super) struct Life {
    pub(super) handle: PoolHandle,
    parts: Parts,
    streams: Arc<Streams>,
    tcp: TcpListener,
    kept: Option<(Notebook, watch::Receiver<Option<u32>>)>,
    join: Vec<String>,
    office: Option<(Office, mpsc::Receiver<Bytes>)>,
}

impl Life {
    /// The same member, with groups that it elects in.
    fn with_elections(mut self, (elections, office): (Elections, Office)) -> Self {
        let (letters, coming) = elections::letters();
        self.parts.letters = Some(letters);
        self.handle.elections = Some(elections);
        self.office = Some((office, coming));
        self
    }

    pub(super) async fn live(self, stop: watch::Receiver<bool>) -> PoolEnd {
        let Self { handle, parts, streams, tcp, kept, join, office } = self;
        tokio::spawn(streams.accept(tcp));
        if let Some((notebook, incarnations)) = kept {
            tokio::spawn(keep_incarnations(notebook, incarnations));
        }
        if let Some((office, letters)) = office {
            tokio::spawn(office.run(handle.clone(), letters));
        }
        if join.is_empty() {
            drop(handle);
        } else {
            tokio::spawn(join_for_ever(handle, join));
        }
        let ended = Driver::new(parts).run(stop).await;
        if ended == (PoolEnd::Left { told: false }) {
            tracing::warn!("left the pool before enough others can know of it");
        }
        ended
    }
}

/// The keys to begin with: those of the last life, else the one that was given.
fn keyring(
    notebook: Option<&Notebook>,
    given: Option<super::Key>,
) -> Result<Option<Keyring>, PoolError> {
    let kept = match notebook {
        None => None,
        Some(notebook) => notebook
            .keyring()
            .map_err(|source| PoolError::Keyring { path: notebook.keyring_path(), source })?,
    };
    match (kept, given) {
        (Some(ring), given) => {
            if given.is_some_and(|given| !ring.keys().any(|key| *key == given)) {
                tracing::warn!(
                    "the key given with --encrypt is not in the keyring that this agent has kept, \
                     and is not used: keys have gone round since"
                );
            }
            Ok(Some(ring))
        }
        (None, Some(key)) => {
            let ring = Keyring::new(key);
            if let Some(notebook) = notebook {
                notebook.keep_keyring(&ring).map_err(|source| PoolError::Keyring {
                    path: notebook.keyring_path(),
                    source,
                })?;
            }
            Ok(Some(ring))
        }
        (None, None) => Ok(None),
    }
}

fn advertised(given: Option<SocketAddr>, listens: SocketAddr) -> Result<SocketAddr, PoolError> {
    let address = given.unwrap_or(listens);
    if address.ip().is_unspecified() || address.port() == 0 {
        return Err(PoolError::Setting(format!(
            "{address} is no address that others can reach: say with --advertise-gossip where \
             this agent is reached"
        )));
    }
    Ok(address)
}

fn facts(
    name: &str,
    advertised: SocketAddr,
    tags: BTreeMap<String, String>,
    most: usize,
) -> Result<Facts, PoolError> {
    let pairs = tags.into_iter().map(|(name, value)| (Bytes::from(name), Bytes::from(value)));
    let meta = Tags(pairs.collect()).encode();
    if meta.len() > most {
        return Err(PoolError::Setting(format!(
            "the tags take {} bytes, and a member may say {most} of itself: shorten or remove some",
            meta.len()
        )));
    }
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(PoolError::Setting(format!(
            "--name {name:?} has {} bytes; a member of the pool has a name of 1 to {NAME_MAX}",
            name.len()
        )));
    }
    // Agents of Serf that are told to check names leave pools with others.
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if !name.chars().all(plain) {
        tracing::warn!(
            name,
            "agents of Serf that check names take letters, digits, - and . only; this one has more"
        );
    }
    let at = to_wire(advertised);
    let name = Name::from(name);
    Ok(Facts { name, addr: at.addr, port: at.port, meta, vsn: Vsn::SERF })
}

/// Keeps the newest incarnation; those in between are nothing to the next life.
async fn keep_incarnations(notebook: Notebook, mut incarnation: watch::Receiver<Option<u32>>) {
    while incarnation.changed().await.is_ok() {
        let Some(newest) = *incarnation.borrow_and_update() else { continue };
        let notebook = notebook.clone();
        let kept = tokio::task::spawn_blocking(move || notebook.keep_incarnation(newest)).await;
        if let Ok(Err(error)) = kept {
            tracing::warn!(%error, "cannot keep the incarnation for the next start");
        }
    }
}
