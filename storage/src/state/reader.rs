//! Reading a state beside its owner.

use std::sync::Arc;

use bytes::Bytes;
use protocol::Position;
use store::{BackendError, BackendRead, Record, Revision, Size};

use super::files::Files;
use super::verify::{Verified, verify};
use super::version::{Most, Shared};

/// A reader of a state on disk, for any thread. Clones are cheap.
///
/// Every record that it gives was verified by its checksum just then; nothing is cached here.
#[derive(Debug)]
pub struct DiskReader<F> {
    shared: Arc<Shared<F>>,
}

impl<F> Clone for DiskReader<F> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<F: Files> DiskReader<F> {
    pub(super) fn new(shared: Arc<Shared<F>>) -> Self {
        Self { shared }
    }

    /// Reads everything and compares it with its checksums. Takes as long as the disk does, and
    /// holds up nobody.
    #[must_use]
    pub fn verify(&self) -> Verified {
        verify(&*self.shared.files, self.shared.identity, &self.shared.version())
    }
}

impl<F: Files> BackendRead for DiskReader<F> {
    fn get(&self, revision: Revision) -> Result<Option<Record>, BackendError> {
        self.shared.version().get(&*self.shared.files, revision)
    }

    fn scan(
        &self,
        from: Revision,
        to: Revision,
        limit: usize,
    ) -> Result<Vec<(Revision, Record)>, BackendError> {
        let most = Most { records: limit, bytes: usize::MAX };
        self.shared.version().scan(&*self.shared.files, from, to, most)
    }

    fn meta(&self) -> Result<Vec<(Bytes, Bytes)>, BackendError> {
        Ok(self.shared.contents.read().all_meta())
    }

    fn applied(&self) -> Position {
        self.shared.contents.read().applied
    }

    fn size(&self) -> Size {
        self.shared.size.read()
    }
}
