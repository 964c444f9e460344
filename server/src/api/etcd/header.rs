//! What stands above every response.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use etcdpb::etcdserverpb::ResponseHeader;
use node::Header;
use protocol::{ClusterId, NodeId, Term};

/// Makes headers: knows who answers, and the highest term that any answer has shown.
///
/// Watch responses come without a term; they carry the latest one seen.
#[derive(Clone, Debug)]
pub(super) struct Headers {
    cluster: ClusterId,
    member: NodeId,
    term: Arc<AtomicU64>,
}

impl Headers {
    pub(super) fn new(cluster: ClusterId, member: NodeId) -> Self {
        Self { cluster, member, term: Arc::default() }
    }

    pub(super) fn member(&self) -> NodeId {
        self.member
    }

    /// Takes note of a term.
    pub(super) fn observe(&self, term: Term) {
        self.term.fetch_max(term.0, Ordering::Relaxed);
    }

    /// The header of an answer of the node.
    #[expect(clippy::unnecessary_wraps, reason = "header fields are optional on the wire")]
    pub(super) fn of(&self, header: Header) -> Option<ResponseHeader> {
        self.observe(header.term);
        Some(ResponseHeader {
            cluster_id: self.cluster.0,
            member_id: self.member.0,
            revision: header.revision,
            raft_term: header.term.0,
        })
    }

    /// The header of answers about the membership: without a revision, as etcd sends it.
    pub(super) fn without_revision(&self, header: Header) -> Option<ResponseHeader> {
        self.of(Header { revision: 0, term: header.term })
    }

    /// The header of a watch response; revision 0 leaves the revision out.
    pub(super) fn of_watch(&self, revision: i64) -> ResponseHeader {
        ResponseHeader {
            cluster_id: self.cluster.0,
            member_id: self.member.0,
            revision,
            raft_term: self.term.load(Ordering::Relaxed),
        }
    }
}

/// The header of an operation inside a transaction: a revision and nothing else.
#[expect(clippy::unnecessary_wraps, reason = "header fields are optional on the wire")]
pub(super) fn inner(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { revision, ..ResponseHeader::default() })
}
