//! How a new member learns who it is: from those it was told to ask, before it has an identity.
//!
//! ```text
//! newcomer: "CNCLJOIN" | version u32 | token u64 | address length u16 | address
//! member:   "CNCLJOIN" | version u32 | verdict u8 | cluster u64 | id u64
//! ```
//!
//! The token is a hash of `--cluster-token`; the address is the newcomer's own, and by it the
//! member finds the seat that `member add` has made. Nothing is changed by asking, so it may be
//! asked for ever; the newcomer then waits to be dialled.

use std::io;
use std::time::Duration;

use protocol::{ClusterId, NodeId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::handshake::{hear_address, hear_magic, no_peer, write_address};

pub(super) const MAGIC: [u8; 8] = *b"CNCLJOIN";
const VERSION: u32 = 1;

/// The longest time that one member is asked.
const ASK: Duration = Duration::from_secs(2);
/// The pause between two rounds.
const PAUSE: Duration = Duration::from_millis(300);
/// While all who answer refuse, it is asked for so long before that is believed: they may not have
/// heard yet.
const DOUBT: Duration = Duration::from_secs(10);

/// A newcomer's question, on its way to the node.
#[derive(Debug)]
pub(crate) struct JoinRequest {
    /// A hash of its token.
    pub(crate) token: u64,
    /// Where it is reached: `host:port`.
    pub(crate) address: String,
    /// Where the answer goes.
    pub(crate) answer: oneshot::Sender<Admission>,
}

/// What a member says to a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// This is its id.
    Welcome(ClusterId, NodeId),
    /// It speaks another version of this protocol.
    Version,
    /// It was given another cluster's token.
    Token,
    /// No member has this address.
    Unknown,
    /// The member with this address has started before, and its disk knows who it is.
    Started,
}

impl Admission {
    /// What an operator should read.
    fn explain(self, own: &str) -> String {
        match self {
            Self::Welcome(..) => "welcome".into(),
            Self::Version => "it speaks another version; run the version of the members".into(),
            Self::Token => "it belongs to a cluster with another --cluster-token".into(),
            Self::Unknown => format!(
                "no member has the peer address {own}; first run `conclave member add http://{own}`"
            ),
            Self::Started => format!(
                "the member at {own} has started before: start it with its data directory, or, if \
                 that is lost, run `conclave member replace ID http://{own}` first"
            ),
        }
    }
}

/// Why a newcomer could not join. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("cannot join the cluster: {address} says: {says}")]
pub(crate) struct Refused {
    address: String,
    says: String,
}

/// Asks the members in turn until one of them knows this newcomer, or all who answer have refused
/// it for a while.
pub(crate) async fn join(
    members: &[String],
    token: u64,
    own: &str,
) -> Result<(ClusterId, NodeId), Refused> {
    let mut refused_since = None;
    loop {
        let mut refusal = None;
        for address in members {
            match timeout(ASK, ask(address, token, own)).await {
                Ok(Ok(Admission::Welcome(cluster, id))) => return Ok((cluster, id)),
                Ok(Ok(admission)) => {
                    refusal =
                        Some(Refused { address: address.clone(), says: admission.explain(own) });
                }
                Ok(Err(error)) => tracing::debug!(address, %error, "cannot ask to join"),
                Err(_) => tracing::debug!(address, "cannot ask to join: no answer in time"),
            }
        }
        match refusal {
            Some(refusal) => {
                if refused_since.is_none() {
                    tracing::warn!("{refusal}; asking again for a while");
                }
                let since = *refused_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= DOUBT {
                    return Err(refusal);
                }
            }
            None => {
                if refused_since.take().is_none() {
                    tracing::debug!("no member answers yet; asking again");
                }
            }
        }
        sleep(PAUSE).await;
    }
}

async fn ask(address: &str, token: u64, own: &str) -> io::Result<Admission> {
    let mut stream = TcpStream::connect(address).await?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&token.to_le_bytes());
    write_address(&mut bytes, own);
    stream.write_all(&bytes).await?;
    if hear_magic(&mut stream).await? != MAGIC {
        return Err(no_peer());
    }
    let _version = stream.read_u32_le().await?;
    let verdict = stream.read_u8().await?;
    let cluster = ClusterId(stream.read_u64_le().await?);
    let id = NodeId(stream.read_u64_le().await?);
    Ok(match verdict {
        0 => Admission::Welcome(cluster, id),
        1 => Admission::Version,
        2 => Admission::Token,
        3 => Admission::Unknown,
        4 => Admission::Started,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "unknown verdict")),
    })
}

/// Reads a newcomer's question, after the magic; `None` when it speaks another version.
pub(super) async fn hear(stream: &mut TcpStream) -> io::Result<Option<(u64, String)>> {
    if stream.read_u32_le().await? != VERSION {
        return Ok(None);
    }
    let token = stream.read_u64_le().await?;
    Ok(Some((token, hear_address(stream).await?)))
}

/// Answers a newcomer.
pub(super) async fn answer(stream: &mut TcpStream, admission: Admission) -> io::Result<()> {
    let (verdict, cluster, id) = match admission {
        Admission::Welcome(cluster, id) => (0, cluster, id),
        Admission::Version => (1, ClusterId(0), NodeId(0)),
        Admission::Token => (2, ClusterId(0), NodeId(0)),
        Admission::Unknown => (3, ClusterId(0), NodeId(0)),
        Admission::Started => (4, ClusterId(0), NodeId(0)),
    };
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.push(verdict);
    bytes.extend_from_slice(&cluster.0.to_le_bytes());
    bytes.extend_from_slice(&id.0.to_le_bytes());
    stream.write_all(&bytes).await
}
