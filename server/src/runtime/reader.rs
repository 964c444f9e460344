//! The state beside the node: connections read values from it themselves, and the node hears of
//! what they find damaged.

use bytes::Bytes;
use node::Input;
use protocol::Position;
use storage::state::Reader;
use store::{BackendError, BackendRead, Record, Revision, Size};
use tokio::sync::mpsc;

use super::handle::Call;

/// A reader of a node's state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NodeReader {
    reader: Reader,
    calls: mpsc::Sender<Call>,
}

impl NodeReader {
    pub(super) fn new(reader: Reader, calls: mpsc::Sender<Call>) -> Self {
        Self { reader, calls }
    }

    /// Passes a result on; the node hears of damage.
    fn checked<T>(&self, result: Result<T, BackendError>) -> Result<T, BackendError> {
        if let Err(error @ BackendError::Corrupt(_)) = &result {
            // A queue that is full now is not when the next reader comes across it.
            let _ = self.calls.try_send(Call::Input(Input::Damaged(error.clone())));
        }
        result
    }
}

impl BackendRead for NodeReader {
    fn get(&self, revision: Revision) -> Result<Option<Record>, BackendError> {
        self.checked(self.reader.get(revision))
    }

    fn scan(
        &self,
        from: Revision,
        to: Revision,
        limit: usize,
    ) -> Result<Vec<(Revision, Record)>, BackendError> {
        self.checked(self.reader.scan(from, to, limit))
    }

    fn meta(&self) -> Result<Vec<(Bytes, Bytes)>, BackendError> {
        self.checked(self.reader.meta())
    }

    fn applied(&self) -> Position {
        self.reader.applied()
    }

    fn size(&self) -> Size {
        self.reader.size()
    }
}
