//! What is known of the state at each applied index, whoever has shown it first.

use protocol::Index;

use crate::seen::View;

/// The state at an index, in short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    pub(crate) revision: i64,
    pub(crate) compact_revision: i64,
    pub(crate) digest: Option<u64>,
}

/// One summary for each index at which a node has been seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct States {
    known: Vec<Option<Summary>>,
}

impl States {
    pub(crate) fn at(&self, index: Index) -> Option<&Summary> {
        self.known.get(usize::try_from(index.0).ok()?)?.as_ref()
    }

    /// Notes what a node shows, where nothing is known yet.
    pub(crate) fn note(&mut self, view: &View) {
        let Ok(place) = usize::try_from(view.applied.index.0) else { return };
        if self.known.len() <= place {
            self.known.resize(place + 1, None);
        }
        let View { revision, compact_revision, digest, .. } = *view;
        let new = Summary { revision, compact_revision, digest };
        let known = self.known[place].get_or_insert(new);
        known.digest = known.digest.or(digest);
    }
}
