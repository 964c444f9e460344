//! How a place ends that nobody left.

use crate::error::Error;

/// Why a place is lost. It does not come back: who wants another one queues up anew.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Lost {
    /// No renewal was answered for so long that the lease may end: the place may soon be another's.
    #[error("its lease was not renewed for so long that it may end")]
    Late,
    /// A server says that the lease is gone, or nobody could be asked: the place may be another's.
    #[error("{0}")]
    Lease(Error),
    /// The key was deleted while its lease lived: the place is another's, if somebody waits.
    #[error("its key was deleted")]
    Deleted,
    /// The servers refuse what waiting needs; the key and the lease are there.
    #[error("{0}")]
    Refused(Error),
}
