//! Who a server is: what its data directory says, its settings, or the members it asks.

use protocol::raft::{self, Payload};
use protocol::{ClusterId, NodeId};
use storage::Identity;
use storage::datadir::{DataDir, DataDirError};
use store::Store;

use super::StartError;
use super::identity::{cluster_id, member_id};
use super::server::founders;
use crate::config::{Config, Reads};

/// Who a server is, before it opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whom its data directory names, or one of those that a new cluster starts with.
    Known(Identity),
    /// Whom the members have named just now.
    Told(Identity),
    /// Somebody who has to ask the members first.
    Newcomer,
}

/// Whom the data directory names.
pub(super) fn known(config: &Config) -> Result<Option<Identity>, StartError> {
    Ok(match &config.data_dir {
        Some(path) => DataDir::identity(path)?,
        None => None,
    })
}

/// Finds out who this server is.
pub(crate) fn identify(config: &Config) -> Result<Who, StartError> {
    check(config)?;
    match known(config)? {
        Some(identity) => Ok(Who::Known(identity)),
        None if config.join => Ok(Who::Newcomer),
        None => founder(config).map(Who::Known),
    }
}

/// Who the settings say that a founding member is, when they are sound.
pub(super) fn founder_of(config: &Config) -> Result<Identity, StartError> {
    check(config)?;
    founder(config)
}

/// Who the settings say that a founding member is.
fn founder(config: &Config) -> Result<Identity, StartError> {
    let members = &config.initial_cluster;
    let Some(me) = members.iter().find(|member| member.name == config.name) else {
        return Err(StartError::Config(format!(
            "--initial-cluster does not name this member: add {}=HOST:PORT, or correct --name",
            config.name
        )));
    };
    let token = &config.token();
    Ok(Identity { cluster: cluster_id(members, token), node: member_id(me, token) })
}

/// Whether the settings, as they are, found the cluster that this is a member of.
pub(super) fn is_founder(config: &Config, identity: Identity) -> bool {
    founder(config).ok() == Some(identity)
}

/// Whether this member starts with the members that the settings name. Not when log or state say
/// who the members are, or when it waits to be told by them; the settings may be stale then.
pub(super) fn founds(
    config: &Config,
    identity: Identity,
    store: &Store,
    restored: &raft::Restored,
) -> Result<bool, StartError> {
    let told = restored.entries.iter().any(|it| matches!(it.payload, Payload::Membership(_)));
    claim(config, identity, store, told)
}

/// The same, where it is known whether the log has told who the members are.
///
/// # Errors
/// [`DataDirError::Foreign`]: the directory is not that of the member that the settings name.
pub(super) fn claim(
    config: &Config,
    identity: Identity,
    store: &Store,
    told: bool,
) -> Result<bool, StartError> {
    let wanted = founder(config).ok();
    if wanted == Some(identity) {
        return Ok(true);
    }
    let told = told || store.membership().is_some();
    let ours = wanted.is_some_and(|wanted| wanted.cluster == identity.cluster);
    let founder = founders(config).iter().any(|peer| peer.id == identity.node);
    // It was taken in later, whatever the settings say that it begins with.
    let told = told || (ours && !founder);
    let known_as = store.members().find(|member| member.id == identity.node);
    let misnamed = known_as.is_some_and(|known| known.name != config.name);
    if (told || config.join) && !misnamed {
        return Ok(false);
    }
    let path = config.data_dir.clone().unwrap_or_default();
    let wanted = wanted.unwrap_or(Identity { cluster: ClusterId(0), node: NodeId(0) });
    Err(DataDirError::Foreign { path, found: identity, wanted }.into())
}

/// Checks what no single flag can.
fn check(config: &Config) -> Result<(), StartError> {
    let refuse = |message: String| Err(StartError::Config(message));
    let members = &config.initial_cluster;
    for (at, member) in members.iter().enumerate() {
        for other in &members[..at] {
            if other.name == member.name || other.peer == member.peer {
                return refuse(format!(
                    "--initial-cluster gives {}={} and {}={}: names and addresses must differ",
                    other.name, other.peer, member.name, member.peer
                ));
            }
        }
    }
    if config.heartbeat.is_zero() || config.heartbeat * 2 > config.election_timeout {
        return refuse(
            "--election-timeout must be at least twice --heartbeat-interval, which must not be 0"
                .into(),
        );
    }
    if config.election_timeout_max.is_some_and(|max| max < config.election_timeout) {
        return refuse("the longest election timeout is below the shortest".into());
    }
    // An entry that no frame has room for would never reach another member.
    let most = node::codec::MAX_FRAME / 4;
    if config.max_request_bytes > most {
        return refuse(format!("--max-request-bytes must be at most {} MiB", most >> 20));
    }
    if matches!(config.reads, Reads::Lease { .. }) && !(config.check_quorum && config.stickiness) {
        return refuse("lease reads need check-quorum and stickiness".into());
    }
    Ok(())
}
