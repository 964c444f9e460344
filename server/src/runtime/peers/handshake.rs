//! Who is there: the first bytes of a link in both directions.

use std::io;

use node::{Acquaintances, Life};
use protocol::{ClusterId, Index, NodeId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(super) const MAGIC: [u8; 8] = *b"CNCLPEER";
const VERSION: u32 = 4;
/// The longest address, in bytes: a host name has at most 253.
pub(super) const MAX_ADDRESS: usize = 300;
/// The longest life, in bytes.
const MAX_LIFE: usize = 4_096;
/// The longest list of those whom somebody has met, in bytes.
const MAX_KNOWN: usize = 32 << 10;

/// Who a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its cluster.
    pub(crate) cluster: ClusterId,
    /// Its id.
    pub(crate) id: NodeId,
    /// Which run of its process.
    pub(crate) incarnation: u64,
}

/// What a dialler says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) from: Identity,
    pub(crate) to: NodeId,
    /// The index of the configuration that is in force there.
    pub(crate) configuration: Index,
    /// Where the dialler is reached itself: `host:port`.
    pub(crate) address: String,
    /// The life of its data directory.
    pub(crate) life: Life,
    /// Whom the dialler has met.
    pub(crate) known: Acquaintances,
}

/// What the acceptor makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Verdict {
    /// Go on.
    Welcome = 0,
    /// Another version of this protocol.
    Version = 1,
    /// Another cluster.
    Cluster = 2,
    /// The dialler looked for somebody else.
    NotMe = 3,
    /// The dialler is no member.
    Stranger = 4,
    /// Another process claims the same id.
    Duplicate = 5,
    /// The dialler was removed from the cluster.
    Removed = 6,
    /// The dialler's data directory is an old copy.
    Outdated = 7,
    /// The dialler's data directory is not the one that this member had.
    Forgotten = 8,
}

impl Verdict {
    /// What an operator should read.
    pub(crate) fn explain(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Version => "it speaks another version of the peer protocol; run one version",
            Self::Cluster => {
                "it belongs to another cluster. Check --initial-cluster, --cluster-token and \
                 --consensus on both sides. If one of the two was added with `member add`, and \
                 started without --initial-cluster-state existing, start that one again with that \
                 flag"
            }
            Self::NotMe => {
                "another member answers at that address; check the addresses in --initial-cluster"
            }
            Self::Stranger => "it does not know this member; check --initial-cluster there",
            Self::Duplicate => {
                "another process already runs as this member; stop one of the two, or give it \
                 a name and an address of its own"
            }
            Self::Removed => "this member was removed from the cluster",
            Self::Outdated => {
                "the data directory of this member is an old copy, which lacks what it has \
                 promised since"
            }
            Self::Forgotten => {
                "the data directory of this member is not the one that it had, and lacks what it \
                 has promised"
            }
        }
    }

    /// The same, for those who read the log of the member that refuses.
    pub(super) const fn explain_here(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Version => "it speaks another version of the peer protocol",
            Self::Cluster => "it belongs to another cluster, and its own log says what to do",
            Self::NotMe => "it looks for another member at this address",
            Self::Stranger => "it is no member of this cluster; check its --initial-cluster",
            Self::Duplicate => "another process already runs as this member",
            Self::Removed => "it was removed from the cluster",
            Self::Outdated => "its data directory is an old copy",
            Self::Forgotten => "its data directory is not the one that it had",
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Welcome,
            1 => Self::Version,
            2 => Self::Cluster,
            3 => Self::NotMe,
            4 => Self::Stranger,
            5 => Self::Duplicate,
            6 => Self::Removed,
            7 => Self::Outdated,
            8 => Self::Forgotten,
            _ => return None,
        })
    }
}

/// Shows this member to the one it dialled.
pub(super) async fn greet(stream: &mut TcpStream, hello: &Hello) -> io::Result<Verdict> {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&hello.from.cluster.0.to_le_bytes());
    bytes.extend_from_slice(&hello.from.id.0.to_le_bytes());
    bytes.extend_from_slice(&hello.to.0.to_le_bytes());
    bytes.extend_from_slice(&hello.from.incarnation.to_le_bytes());
    bytes.extend_from_slice(&hello.configuration.0.to_le_bytes());
    write_address(&mut bytes, &hello.address);
    write_life(&mut bytes, Some(&hello.life));
    write_part(&mut bytes, &hello.known.encode());
    stream.write_all(&bytes).await?;
    if hear_magic(stream).await? != MAGIC {
        return Err(no_peer());
    }
    let _version = stream.read_u32_le().await?;
    let _cluster = stream.read_u64_le().await?;
    let _id = stream.read_u64_le().await?;
    let verdict = stream.read_u8().await?;
    Verdict::from_byte(verdict)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unknown verdict"))
}

/// Reads who dialled, after the magic; `None` when it speaks another version.
pub(super) async fn hear(stream: &mut TcpStream) -> io::Result<Option<Hello>> {
    let version = stream.read_u32_le().await?;
    if version != VERSION {
        return Ok(None);
    }
    let cluster = ClusterId(stream.read_u64_le().await?);
    let id = NodeId(stream.read_u64_le().await?);
    let to = NodeId(stream.read_u64_le().await?);
    let incarnation = stream.read_u64_le().await?;
    let configuration = Index(stream.read_u64_le().await?);
    let address = hear_address(stream).await?;
    let Some(life) = hear_life(stream).await? else { return Err(invalid("no life")) };
    let known = hear_part(stream, MAX_KNOWN).await?;
    let known = match known.is_empty() {
        true => Some(Acquaintances::default()),
        false => Acquaintances::decode(&known),
    };
    let known = known.ok_or_else(|| invalid("acquaintances of nobody"))?;
    let from = Identity { cluster, id, incarnation };
    Ok(Some(Hello { from, to, configuration, address, life, known }))
}

/// Appends a life behind its length; 0 for none.
pub(super) fn write_life(out: &mut Vec<u8>, life: Option<&Life>) {
    write_part(out, &life.map(Life::encode).unwrap_or_default());
}

/// Appends a part behind its length. One that is too long is left out.
fn write_part(out: &mut Vec<u8>, part: &[u8]) {
    let part = if part.len() <= MAX_KNOWN { part } else { &[] };
    let length = u16::try_from(part.len()).unwrap_or(0);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(part);
}

/// Reads a part.
async fn hear_part(stream: &mut TcpStream, most: usize) -> io::Result<Vec<u8>> {
    let length = usize::from(stream.read_u16_le().await?);
    if length > most {
        return Err(invalid("a part of a greeting that is too long"));
    }
    let mut part = vec![0; length];
    stream.read_exact(&mut part).await?;
    Ok(part)
}

/// Reads a life, if there is one.
pub(super) async fn hear_life(stream: &mut TcpStream) -> io::Result<Option<Life>> {
    let bytes = hear_part(stream, MAX_LIFE).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    Life::decode(&bytes).map(Some).ok_or_else(|| invalid("a life that is none"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Appends an address behind its length. One that is too long is left out: it leads nowhere.
pub(super) fn write_address(out: &mut Vec<u8>, address: &str) {
    let address = if address.len() <= MAX_ADDRESS { address } else { "" };
    let length = u16::try_from(address.len()).unwrap_or(0);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(address.as_bytes());
}

/// Reads an address.
pub(super) async fn hear_address(stream: &mut TcpStream) -> io::Result<String> {
    let length = usize::from(stream.read_u16_le().await?);
    if length > MAX_ADDRESS {
        return Err(invalid("an address that is too long"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    String::from_utf8(bytes).map_err(|_| invalid("an address that is no text"))
}

/// Answers a dialler.
pub(crate) async fn answer(
    stream: &mut TcpStream,
    me: Identity,
    verdict: Verdict,
) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(29);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&me.cluster.0.to_le_bytes());
    bytes.extend_from_slice(&me.id.0.to_le_bytes());
    bytes.push(verdict as u8);
    stream.write_all(&bytes).await
}

/// Judges a hello by what it says; whether the dialler is a member is known only to the caller.
pub(super) fn judge(hello: &Hello, me: Identity) -> Verdict {
    if hello.from.cluster != me.cluster {
        Verdict::Cluster
    } else if hello.to != me.id {
        Verdict::NotMe
    } else if hello.from.id == me.id {
        Verdict::Duplicate
    } else {
        Verdict::Welcome
    }
}

/// Reads what a connection is for.
pub(super) async fn hear_magic(stream: &mut TcpStream) -> io::Result<[u8; 8]> {
    let mut magic = [0; 8];
    stream.read_exact(&mut magic).await?;
    Ok(magic)
}

/// The other side is something else.
pub(super) fn no_peer() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the other side is no Conclave peer port")
}
