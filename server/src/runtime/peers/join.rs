//! How a new member learns who it is: from those it was told to ask, before it has an identity.
//!
//! ```text
//! newcomer: "CNCLJOIN" | version u32 | token u64 | address length u16 | address
//!           | what it may u8 | life length u16 | life
//! member:   "CNCLJOIN" | version u32 | verdict u8 | cluster u64 | id u64
//! ```
//!
//! The token is a hash of `--cluster-token`; the address is the newcomer's own, and by it the
//! member finds the seat that `member add` has made. To ask for a seat that is free changes
//! nothing, so it may be asked for ever; the newcomer then waits to be dialled.
//!
//! The seat may be that of a member which has lost its disk, or was given an old copy of it, and
//! now asks under the same address. The life that it shows (none, when it has nothing) is not the
//! one that was met there: that is the evidence on which the member asked wishes for a replacement
//! on its behalf, and the newcomer is told to wait for it. Several members may wish so, and only
//! one is granted: the second finds the address taken. So it is with a newcomer that nobody has
//! made a seat for, when it comes from the pool and the cluster grows by those who do.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use node::Life;
use protocol::{ClusterId, NodeId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::handshake::{hear_address, hear_life, hear_magic, no_peer, write_address, write_life};

pub(super) const MAGIC: [u8; 8] = *b"CNCLJOIN";
const VERSION: u32 = 2;

/// The longest time that one member is asked.
const ASK: Duration = Duration::from_secs(2);
/// The pause between two rounds.
const PAUSE: Duration = Duration::from_millis(300);
/// While all who answer refuse, it is asked for so long before that is believed: they may not have
/// heard yet.
const DOUBT: Duration = Duration::from_secs(10);
/// How often whoever looks into the log file is told that it is still so.
const REMINDER: Duration = Duration::from_secs(10);

/// What a newcomer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// A hash of its token.
    pub(crate) token: u64,
    /// Where it is reached: `host:port`.
    pub(crate) address: String,
    /// Whether the member that was there before may be replaced by it.
    pub(crate) may_replace: bool,
    /// Whether it may be given a seat of its own, when there is none for it.
    pub(crate) may_be_added: bool,
    /// The life of the data directory with which it was refused; `None` when it has none.
    pub(crate) life: Option<Life>,
}

/// What a newcomer may, in the byte for it.
const MAY_REPLACE: u8 = 1;
const MAY_BE_ADDED: u8 = 2;

/// A newcomer's question, on its way to the node.
#[derive(Debug)]
pub(crate) struct JoinRequest {
    /// What it says.
    pub(crate) ask: Ask,
    /// The members that are heard now.
    pub(crate) present: BTreeSet<NodeId>,
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
    /// The member with this address is there, and heard.
    Taken,
    /// The newcomer is to have a seat, its own or that of the member with this address, once a
    /// majority agrees.
    Waiting,
}

impl Admission {
    /// What an operator should read.
    pub(crate) fn explain(self, own: &str) -> String {
        match self {
            Self::Welcome(_, id) => format!("welcome as {id}"),
            Self::Version => "it speaks another version; run the version of the members".into(),
            Self::Token => "it belongs to a cluster with another --cluster-token".into(),
            Self::Unknown => format!(
                "no member has the peer address {own}; first run `conclave member add http://{own}`"
            ),
            Self::Started => format!(
                "the member at {own} has started before: start it with its data directory, or, if \
                 that is lost, run `conclave member replace ID http://{own}` first"
            ),
            Self::Taken => format!(
                "another process runs as the member at {own}: stop one of the two, or give this \
                 one an address of its own"
            ),
            Self::Waiting => "a majority of the members has yet to agree".into(),
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

/// One round of asking everybody.
enum Round {
    Welcome(ClusterId, NodeId),
    /// Somebody is seeing to it.
    Waiting,
    Refused(Admission, Refused),
    Silence,
}

/// Asks the members in turn until one of them knows this newcomer, or all who answer have refused
/// it for a while. Whoever was a member is not turned away by those who know nothing against it:
/// somebody does.
pub(crate) async fn join(members: &[String], ask: &Ask) -> Result<(ClusterId, NodeId), Refused> {
    let mut refused_since = None;
    let mut remind_at = Instant::now();
    let was_member = ask.life.is_some();
    loop {
        let round = ask_all(members, ask).await;
        let remind = Instant::now() >= remind_at;
        if remind {
            remind_at = Instant::now() + REMINDER;
        }
        match round {
            Round::Welcome(cluster, id) => return Ok((cluster, id)),
            Round::Refused(admission, refusal)
                if !(was_member && admission == Admission::Started) =>
            {
                if refused_since.is_none() {
                    tracing::warn!("{refusal}; asking again for a while");
                }
                let since = *refused_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= DOUBT {
                    return Err(refusal);
                }
            }
            Round::Waiting | Round::Refused(..) => {
                refused_since = None;
                if remind {
                    tracing::warn!(
                        "waiting to be taken in again: a majority of the members has to be up, \
                         this one not counted"
                    );
                }
            }
            Round::Silence => {
                refused_since = None;
                if remind && was_member {
                    tracing::warn!(
                        "no member answers: start enough of the others. If none of them has its \
                         data any more, make a new cluster of a backup: `conclave snapshot \
                         restore`"
                    );
                }
            }
        }
        sleep(PAUSE).await;
    }
}

async fn ask_all(members: &[String], ask: &Ask) -> Round {
    let mut found = Round::Silence;
    for address in members {
        match timeout(ASK, ask_one(address, ask)).await {
            Ok(Ok(Admission::Welcome(cluster, id))) => return Round::Welcome(cluster, id),
            Ok(Ok(Admission::Waiting)) => found = Round::Waiting,
            Ok(Ok(_)) if matches!(found, Round::Waiting) => {}
            Ok(Ok(admission)) => {
                let says = admission.explain(&ask.address);
                found = Round::Refused(admission, Refused { address: address.clone(), says });
            }
            Ok(Err(error)) => tracing::debug!(address, %error, "cannot ask to join"),
            Err(_) => tracing::debug!(address, "cannot ask to join: no answer in time"),
        }
    }
    found
}

async fn ask_one(address: &str, ask: &Ask) -> io::Result<Admission> {
    let mut stream = TcpStream::connect(address).await?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&ask.token.to_le_bytes());
    write_address(&mut bytes, &ask.address);
    let may_replace = if ask.may_replace { MAY_REPLACE } else { 0 };
    let may_be_added = if ask.may_be_added { MAY_BE_ADDED } else { 0 };
    bytes.push(may_replace | may_be_added);
    write_life(&mut bytes, ask.life.as_ref());
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
        5 => Admission::Taken,
        6 => Admission::Waiting,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "unknown verdict")),
    })
}

/// Reads a newcomer's question, after the magic; `None` when it speaks another version.
pub(super) async fn hear(stream: &mut TcpStream) -> io::Result<Option<Ask>> {
    if stream.read_u32_le().await? != VERSION {
        return Ok(None);
    }
    let token = stream.read_u64_le().await?;
    let address = hear_address(stream).await?;
    let may = stream.read_u8().await?;
    let (may_replace, may_be_added) = (may & MAY_REPLACE != 0, may & MAY_BE_ADDED != 0);
    let life = hear_life(stream).await?;
    Ok(Some(Ask { token, address, may_replace, may_be_added, life }))
}

/// Answers a newcomer.
pub(super) async fn answer(stream: &mut TcpStream, admission: Admission) -> io::Result<()> {
    let (verdict, cluster, id) = match admission {
        Admission::Welcome(cluster, id) => (0, cluster, id),
        Admission::Version => (1, ClusterId(0), NodeId(0)),
        Admission::Token => (2, ClusterId(0), NodeId(0)),
        Admission::Unknown => (3, ClusterId(0), NodeId(0)),
        Admission::Started => (4, ClusterId(0), NodeId(0)),
        Admission::Taken => (5, ClusterId(0), NodeId(0)),
        Admission::Waiting => (6, ClusterId(0), NodeId(0)),
    };
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.push(verdict);
    bytes.extend_from_slice(&cluster.0.to_le_bytes());
    bytes.extend_from_slice(&id.0.to_le_bytes());
    stream.write_all(&bytes).await
}
