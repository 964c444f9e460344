//! An agent: a member of the pool, with its API, and perhaps a server.

use std::io;
use std::net::SocketAddr;
use std::thread::Builder;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use thiserror::Error;
use tokio::sync::watch;

use crate::PoolSide;
use crate::api::admin::{Admin, AdminError, Door};
use crate::config::Config;
use crate::gossip::{Pool, PoolEnd, PoolError, Settings};
use crate::runtime::{ServerError, run};

/// The settings of an agent.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its server; `None`: it is none.
    pub server: Option<Config>,
    /// Its part in the pool; `None`: it takes none, and has no API of its own.
    pub pool: Option<Settings>,
    /// Where its API listens; on loopback.
    pub listen_http: SocketAddr,
}

/// Why an agent ended other than by being told to.
#[derive(Debug, Error)]
pub enum AgentError {
    /// Its server did.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// It could not be a member of the pool.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// Another member of the pool has its name. It has ended without a word under it, and its
    /// server, if there is one, in good order: start it with another name, or end the other one.
    #[error(
        "another agent of the pool has the name {name:?}, at {at}, and the pool takes that one for \
         it: this one has ended, and said nothing there under that name. Start it with another \
         --name, or stop the other agent first. (An agent that was killed and now has another \
         address is itself the other one: its name is free half a minute after the pool has found \
         it gone)"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Where the other one is.
        at: String,
    },
    /// Its API did not start.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A thread panicked; the log says where.
    #[error("the agent stopped because of a bug; the log says where")]
    Bug,
}

impl Agent {
    /// The port of the API, which is Consul's.
    pub const HTTP_PORT: u16 = 8500;

    /// Lives on this thread and some others until `stop` turns true, or somebody lets it leave the
    /// pool; then its server stops in good order, and the pool is told. When the pool says that its
    /// name is another's, its server stops in good order, too, and the pool is told nothing.
    ///
    /// # Errors
    /// [`AgentError`], each with what to do about it.
    pub fn run(self, stop: watch::Receiver<bool>) -> Result<(), AgentError> {
        let Some(pool) = self.pool else {
            return self.server.map_or(Ok(()), |config| Ok(run(config, stop)?));
        };
        // Whatever ends first takes the rest along.
        let (end, ending) = watch::channel(false);
        let (tags, name) = (pool.tags.clone(), pool.name.clone());
        let door = Door::open(self.listen_http)?;
        let pool = Pool::start(pool, ending.clone())?;
        let admin = match Admin::start(door, pool.handle().clone(), ending.clone()) {
            Ok(admin) => admin,
            Err(error) => {
                end.send_replace(true);
                pool.finish();
                return Err(error.into());
            }
        };
        let waiting = until([stop, pool.ended(), ending.clone()]).map_err(PoolError::Thread)?;
        let served = match self.server {
            None => {
                waiting();
                end.send_replace(true);
                Ok(())
            }
            Some(mut config) => {
                config.pool = Some(PoolSide { pool: pool.handle().clone(), tags });
                let told = end.clone();
                let thread = Builder::new().name("agent".to_owned());
                let thread = thread.spawn(move || {
                    waiting();
                    told.send_replace(true);
                });
                let thread = thread.map_err(PoolError::Thread)?;
                let served = run(config, ending);
                end.send_replace(true);
                thread.join().map_err(|_| AgentError::Bug)?;
                served
            }
        };
        let (pool, admin) = (pool.finish(), admin.finish());
        if let Some(PoolEnd::NameLost { to }) = pool {
            if let Err(error) = served {
                tracing::error!("{error}");
            }
            return Err(AgentError::NameTaken { name, at: to.to_string() });
        }
        served?;
        if pool.is_some() && admin { Ok(()) } else { Err(AgentError::Bug) }
    }
}

/// What waits until one of these turns true, or can no longer do so.
fn until<const N: usize>(signals: [watch::Receiver<bool>; N]) -> io::Result<impl FnOnce() + Send> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(move || {
        runtime.block_on(async move {
            let mut waits = FuturesUnordered::new();
            for mut signal in signals {
                waits.push(async move {
                    let _ended = signal.wait_for(|signal| *signal).await;
                });
            }
            waits.next().await;
        });
    })
}
