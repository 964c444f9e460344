//! Who is there: the first bytes of a link in both directions.

use std::io;

use protocol::{ClusterId, NodeId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MAGIC: [u8; 8] = *b"CNCLPEER";
const VERSION: u32 = 2;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) version: u32,
    pub(crate) from: Identity,
    pub(crate) to: NodeId,
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
}

impl Verdict {
    /// What an operator should read.
    pub(crate) fn explain(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Version => "it speaks another version of the peer protocol; run one version",
            Self::Cluster => {
                "it belongs to another cluster; check --initial-cluster and --cluster-token \
                 on both sides"
            }
            Self::NotMe => {
                "another member answers at that address; check the addresses in --initial-cluster"
            }
            Self::Stranger => "it does not know this member; check --initial-cluster there",
            Self::Duplicate => {
                "another process already runs as this member; stop one of the two, or give it \
                 a name and an address of its own"
            }
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
            _ => return None,
        })
    }
}

/// Shows this member to the one it dialled.
pub(crate) async fn greet(
    stream: &mut TcpStream,
    from: Identity,
    to: NodeId,
) -> io::Result<Verdict> {
    let mut hello = Vec::with_capacity(44);
    hello.extend_from_slice(&MAGIC);
    hello.extend_from_slice(&VERSION.to_le_bytes());
    hello.extend_from_slice(&from.cluster.0.to_le_bytes());
    hello.extend_from_slice(&from.id.0.to_le_bytes());
    hello.extend_from_slice(&to.0.to_le_bytes());
    hello.extend_from_slice(&from.incarnation.to_le_bytes());
    stream.write_all(&hello).await?;
    expect_magic(stream).await?;
    let _version = stream.read_u32_le().await?;
    let _cluster = stream.read_u64_le().await?;
    let _id = stream.read_u64_le().await?;
    let verdict = stream.read_u8().await?;
    Verdict::from_byte(verdict)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unknown verdict"))
}

/// Reads who dialled.
pub(crate) async fn hear(stream: &mut TcpStream) -> io::Result<Hello> {
    expect_magic(stream).await?;
    let version = stream.read_u32_le().await?;
    let cluster = ClusterId(stream.read_u64_le().await?);
    let id = NodeId(stream.read_u64_le().await?);
    let to = NodeId(stream.read_u64_le().await?);
    let incarnation = stream.read_u64_le().await?;
    Ok(Hello { version, from: Identity { cluster, id, incarnation }, to })
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

/// Judges a hello; whether the id is taken is known only to the caller.
pub(crate) fn judge(hello: &Hello, me: Identity, is_member: bool) -> Verdict {
    if hello.version != VERSION {
        Verdict::Version
    } else if hello.from.cluster != me.cluster {
        Verdict::Cluster
    } else if hello.to != me.id {
        Verdict::NotMe
    } else if hello.from.id == me.id {
        Verdict::Duplicate
    } else if !is_member {
        Verdict::Stranger
    } else {
        Verdict::Welcome
    }
}

async fn expect_magic(stream: &mut TcpStream) -> io::Result<()> {
    let mut magic = [0; 8];
    stream.read_exact(&mut magic).await?;
    if magic == MAGIC {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the other side is no Conclave peer port"))
}
