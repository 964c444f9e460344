//! What a member of a cluster shows in the pool, and whom it warns of.

use std::time::Duration;

use protocol::bootstrap::{self, Founding, Pledge, Restored};
use storage::Identity;
use tokio::sync::watch;

use super::note;
use super::observer::{Observer, Stuck};
use super::removal::Removal;
use super::tags::{Card, seat};
use crate::config::Config;
use crate::gossip::CallError;
use crate::runtime::cluster_id;

/// How often the pool is looked at, at most; more seldom only when members are removed late.
const LOOK: Duration = Duration::from_secs(5);

/// Shows this member in the pool for as long as it runs.
#[derive(Debug)]
pub(crate) struct Herald {
    observer: Observer,
    removal: Removal,
    stop: watch::Receiver<bool>,
}

impl Herald {
    /// A herald of the member with this identity; `None` when its agent is in no pool.
    pub(crate) fn new(
        config: &Config,
        (identity, client): (Identity, String),
        removal: Removal,
        stop: watch::Receiver<bool>,
    ) -> Option<Self> {
        let side = config.pool.clone()?;
        let token = config.token();
        let own = seat(&config.name, &config.own_address(), &token);
        let members = &config.initial_cluster;
        let pledge = pledge(config).filter(|_| cluster_id(members, &token) == identity.cluster);
        let expect = config.bootstrap_expect;
        let card = Card {
            others: side.tags.clone(),
            seat: own.clone(),
            known_as: side.pool.name().to_string(),
            client,
            expect,
            id: Some(identity.node),
        };
        // What it would expect is nothing to a server that has a cluster.
        let core = bootstrap::Config { own, expect: expect.unwrap_or(1) };
        let cluster = Some(identity.cluster);
        let core = Founding::new(core, Restored { pledge, cluster });
        let data_dir = config.data_dir.clone();
        let observer = Observer::new(side, (core, card), token, data_dir);
        Some(Self { observer, removal, stop })
    }

    /// Until the server or the pool ends.
    pub(crate) async fn run(mut self) {
        let period = (self.removal.after() / 8).clamp(Duration::from_millis(100), LOOK);
        loop {
            match self.observer.look().await {
                Ok(_) => self.removal.look(&self.observer.servers()).await,
                Err(Stuck::Pool(CallError::Ended)) => return,
                Err(Stuck::Pool(error)) => {
                    tracing::error!(%error, "the pool does not take this server's tags");
                }
                Err(Stuck::Disk(error)) => {
                    tracing::error!(%error, "what belongs to the pool cannot be written");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(period) => {}
                _ = self.stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

/// The pledge by which a member's cluster was founded, when it was one of the founders.
fn pledge(config: &Config) -> Option<Pledge> {
    let note = note::read(config.data_dir.as_deref()?).ok()??;
    note.founders()?;
    note.pledge()
}
