//! From an empty data directory to a group: the first servers that meet found it, others follow.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use protocol::bootstrap::{self, Founding, Pledge, Restored, Status};
use storage::datadir::DataDirError;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::observer::{Observer, Outcome, Stuck};
use super::tags::{Card, seat};
use super::{PoolSide, note, read};
use crate::config::{Config, InitialMember};
use crate::runtime::StartError;

/// How long a look at the pool waits for something to happen there.
const LOOK: Duration = Duration::from_millis(500);
/// What happens together is looked at together.
const BREATH: Duration = Duration::from_millis(20);
/// How often whoever looks into the log is told what is waited for.
const REMINDER: Duration = Duration::from_secs(10);

/// How what clients are told begins, before a server has a group. Part of the API: a client that
/// reads it knows that nothing was done, and that it may come again.
pub(crate) const WAITS: &str = "this server waits for its group";

/// What came of meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// These found a group, this server with them.
    Founders(Vec<InitialMember>),
    /// There is a cluster; these are to be asked, in this order.
    Cluster(Vec<InitialMember>),
}

/// Meets others in the pool until there is a group to found or to follow. `say` has at any time
/// what is waited for.
///
/// # Errors
/// [`StartError`]: nothing has been founded. [`StartError::Stopped`] when `stop` turned true.
pub(crate) async fn meet(
    config: &Config,
    (side, expect): (PoolSide, usize),
    client: String,
    say: watch::Sender<String>,
    mut stop: watch::Receiver<bool>,
) -> Result<Met, StartError> {
    let _lock = config.data_dir.as_deref().map(lock).transpose()?;
    let mut observer = observer(config, (side, expect), client)?;
    if config.keeps_to_itself()
        && let Some(outcome) = observer.carry_out().await.map_err(stuck)?
    {
        // Before anybody was seen: a cluster in the pool must not get a voter that is in memory.
        return Ok(met(&observer, outcome));
    }
    let mut events = observer.side.pool.subscribe();
    let mut remind_at = Instant::now();
    tracing::info!(expect, "meets other servers in the pool");
    loop {
        if let Some(outcome) = observer.look().await.map_err(stuck)? {
            return Ok(met(&observer, outcome));
        }
        say.send_replace(waits(&observer.core.status()));
        if Instant::now() >= remind_at {
            remind_at = Instant::now() + REMINDER;
            remind(&observer.core.status());
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Err(StartError::Stopped),
            _ = timeout(LOOK, events.next()) => {}
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// Nobody else meets with this directory.
fn lock(path: &Path) -> Result<File, StartError> {
    let open = || {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options.open(path.join("LOCK"))
    };
    let io = |source| DataDirError::Io { path: path.to_owned(), source };
    let file = open().map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(DataDirError::Locked(path.into()).into()),
        Err(std::fs::TryLockError::Error(error)) => Err(io(error).into()),
    }
}

fn observer(
    config: &Config,
    (side, expect): (PoolSide, usize),
    client: String,
) -> Result<Observer, StartError> {
    let own = seat(&config.name, &config.own_address(), &config.token());
    let note = match &config.data_dir {
        Some(path) => read(path)?,
        None => None,
    };
    let pledge = note.and_then(|note| note.pledge());
    if let Some(pledge) = &pledge {
        check(pledge, &own, expect, config)?;
    }
    let card = Card {
        others: side.tags.clone(),
        seat: own.clone(),
        known_as: side.pool.name().to_string(),
        client,
        expect: Some(expect),
        id: None,
    };
    let core = bootstrap::Config { own, expect };
    let core = Founding::new(core, Restored { pledge, cluster: None });
    let token = config.token();
    Ok(Observer::new(side, (core, card), token, config.data_dir.clone()))
}

/// What was pledged holds, whatever the settings say now.
fn check(
    pledge: &Pledge,
    own: &bootstrap::Seat,
    expect: usize,
    config: &Config,
) -> Result<(), StartError> {
    let path = note::path(config.data_dir.as_deref().unwrap_or(Path::new("")));
    let path = path.display();
    if !pledge.names(own.id) {
        return Err(StartError::Config(format!(
            "{path} is the pledge of another server: --name, --advertise-peer or --cluster-token \
             have changed since. Start this one with those it had, or choose another --data-dir"
        )));
    }
    if pledge.size() != expect {
        return Err(StartError::Config(format!(
            "this server has pledged ({path}) to found a group of {}: start it with \
             --bootstrap-expect {0}",
            pledge.size()
        )));
    }
    Ok(())
}

fn met(observer: &Observer, outcome: Outcome) -> Met {
    let member = |seat: bootstrap::Seat| InitialMember { name: seat.name, peer: seat.peer };
    match outcome {
        Outcome::Form(seats) => {
            let names: Vec<&str> = seats.iter().map(|seat| seat.name.as_str()).collect();
            tracing::info!(founders = ?names, "all have pledged: the group is founded");
            Met::Founders(seats.into_iter().map(member).collect())
        }
        Outcome::Follow(cluster) => {
            tracing::info!(%cluster, "there is a cluster; asks to be taken in");
            let members = observer.core.askable(cluster);
            Met::Cluster(members.into_iter().map(member).collect())
        }
    }
}

fn stuck(stuck: Stuck) -> StartError {
    match stuck {
        Stuck::Pool(crate::gossip::CallError::Ended) => StartError::Stopped,
        Stuck::Pool(error) => {
            StartError::Config(format!("the pool does not take the tags: {error}"))
        }
        Stuck::Disk(error) => StartError::State(format!("the pledge cannot be written: {error}")),
    }
}

/// What is waited for, for clients: in few words, since it comes with every call.
fn waits(status: &Status) -> String {
    match status {
        Status::Meeting { met, expect } => format!("{WAITS}: {met} of {expect} servers have met"),
        Status::Watching => format!("{WAITS}: others are about to found it"),
        Status::Pledged { missing, .. } => {
            format!("{WAITS}: it has pledged to found it, and {} has not yet", missing.join(", "))
        }
        Status::Barred => {
            format!("{WAITS}: there is a cluster in the pool of which nobody answers, or two")
        }
        Status::Forming => format!("{WAITS}: it is being founded"),
        Status::Following(_) | Status::Settled(_) => {
            format!("{WAITS}: it has asked to be taken in")
        }
    }
}

fn remind(status: &Status) {
    match status {
        Status::Meeting { met, expect } => {
            tracing::info!("{met} of {expect} servers have met; a group takes {expect}");
        }
        Status::Watching => tracing::info!("others are about to found a group; waiting for that"),
        Status::Pledged { missing, .. } => tracing::warn!(
            "has pledged to found a group, and waits for the pledge of {}. Start what is not up, \
             with the name and the peer address it had. If one can never come back: stop all \
             servers that wait, remove the file PLEDGE from each one's data directory, and start \
             them again",
            missing.join(", ")
        ),
        Status::Barred => tracing::warn!(
            "there is a cluster in the pool, and none of its members is alive; or there are two. \
             No other group is founded beside it. Start its members. If it is gone for good, let \
             the pool forget them: `conclave members force-leave --prune NAME`"
        ),
        Status::Forming | Status::Following(_) | Status::Settled(_) => {}
    }
}
