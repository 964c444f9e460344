//! A member that the others do not take for what it was comes back as a new one.
//!
//! Its replica has ended by then, and nothing else is done with its data directory: it is neither
//! read nor written until the others have given this process another seat, under the same address.
//! Then all there was is put aside, and a fresh directory is the new member's. Whatever ends this
//! in the middle, the next start comes to the same: the old directory is refused again, or the new
//! member's is there.

use std::io;
use std::net::TcpListener as StdListener;

use node::Life;
use storage::Identity;
use storage::datadir::DataDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::StartError;
use super::driver::RunError;
use super::identity::token_hash;
use super::peers::{Ask, Disowned, join};
use super::server::ServerError;
use crate::api::etcd::attend;
use crate::config::{Config, Consensus};

/// Asks the members of the cluster who this new one is, until one of them knows.
pub(super) async fn taken_in(
    config: &Config,
    stop: watch::Receiver<bool>,
) -> Result<Identity, StartError> {
    let others = others(config);
    if others.is_empty() {
        let text = "to join a cluster that exists, --initial-cluster must name its members, too";
        return Err(StartError::Config(text.to_owned()));
    }
    tracing::info!(own = config.own_address(), members = others.join(","), "asking to join");
    let identity = asked(config, &others, None, stop).await?;
    tracing::info!(node = %identity.node, "taken in");
    Ok(identity)
}

/// Asks the members who this one is, whose directory was made and has nothing in it: it may have
/// founded a cluster of its own, because it was first started without being told that there is one.
///
/// To put such a directory aside loses nothing. It has no entry, so nothing that it holds was ever
/// acknowledged; and the member that it names runs no more, whatever that one may have voted for.
pub(super) async fn taken_up(
    config: &Config,
    was: Identity,
    life: Life,
    stop: watch::Receiver<bool>,
) -> Result<Identity, StartError> {
    let others = others(config);
    tracing::info!(
        own = config.own_address(),
        members = others.join(","),
        "the data directory holds nothing yet: asking to join"
    );
    let identity = asked(config, &others, Some(life), stop).await?;
    if let Some(path) = config.data_dir.as_ref().filter(|_| identity != was) {
        let aside = DataDir::hand_over(path, identity)?;
        tracing::warn!(
            "the data directory was made for another cluster and never held anything: it is put \
             aside as {}, and this member joins as {}",
            aside.display(),
            identity.node
        );
    }
    Ok(identity)
}

/// Comes back as a new member. Clients and peers are turned away meanwhile.
pub(super) async fn taken_back(
    config: &Config,
    disowned: &Disowned,
    life: Life,
    (client, peer): (&StdListener, Option<&StdListener>),
    stop: watch::Receiver<bool>,
) -> Result<Identity, ServerError> {
    let Disowned { by, why } = disowned;
    tracing::warn!("{by} says: {why}. This member asks to be taken in again, as a new one");
    turn_all_away([Some(client), peer].into_iter().flatten())?;
    let mut members = others(config);
    if !members.contains(by) {
        members.push(by.clone());
    }
    let identity = asked(config, &members, Some(life), stop).await?;
    if let Some(path) = &config.data_dir {
        let aside = DataDir::hand_over(path, identity).map_err(StartError::DataDir)?;
        tracing::warn!(
            "what was in the data directory was put aside as {}; remove it when nobody wants to \
             look at it",
            aside.display()
        );
    }
    tracing::info!(node = %identity.node, "taken in again, as a new member");
    Ok(identity)
}

/// What an operator reads who does not want members to come back by themselves.
pub(super) fn refused(config: &Config, disowned: &Disowned) -> RunError {
    let Disowned { by, why } = disowned;
    let by = by.clone();
    match config.consensus {
        Consensus::Raft => RunError::Disowned { by, why, own: config.own_address() },
        Consensus::Zab => RunError::Lost { by, why },
    }
}

/// Whether the settings name anybody who could be asked.
pub(super) fn knows_others(config: &Config) -> bool {
    !others(config).is_empty()
}

fn others(config: &Config) -> Vec<String> {
    let own = config.own_address();
    let others = config.initial_cluster.iter().map(|member| member.peer.clone());
    others.filter(|address| *address != own).collect()
}

async fn asked(
    config: &Config,
    members: &[String],
    life: Option<Life>,
    mut stop: watch::Receiver<bool>,
) -> Result<Identity, StartError> {
    let token = token_hash(&config.token());
    let may_be_added = config.bootstrap_expect.is_some();
    let (address, may_replace) = (config.own_address(), config.rejoin);
    let ask = Ask { token, address, may_replace, may_be_added, life };
    tokio::select! {
        joined = join(members, &ask) => {
            let (cluster, node) = joined?;
            Ok(Identity { cluster, node })
        }
        _ = stop.wait_for(|stop| *stop) => Err(StartError::Stopped),
    }
}

/// Ends all connections at once, for as long as the runtime lives.
pub(super) fn turn_all_away<'a>(
    listeners: impl IntoIterator<Item = &'a StdListener>,
) -> Result<(), StartError> {
    for listener in listeners {
        let listener = listener.try_clone().and_then(TcpListener::from_std);
        tokio::spawn(turn_away(listener.map_err(StartError::Thread)?));
    }
    Ok(())
}

/// Tells clients what this server waits for, for as long as `work` takes.
pub(super) async fn attended<T>(
    client: &StdListener,
    reason: watch::Receiver<String>,
    work: impl Future<Output = Result<T, StartError>>,
) -> Result<T, StartError> {
    let listener = client.try_clone().and_then(TcpListener::from_std);
    let lobby = attend(listener.map_err(StartError::Thread)?, reason);
    tokio::select! {
        done = work => done,
        never = lobby => match never {},
    }
}

/// Ends connections at once, so that whoever dials tries another member.
pub(super) async fn turn_away(listener: TcpListener) -> io::Result<()> {
    loop {
        drop(listener.accept().await?);
    }
}
