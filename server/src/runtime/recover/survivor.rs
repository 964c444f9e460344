//! Which of several survivors has the most.
//!
//! The later term wins, then the longer log (Raft §5.4.1: what makes a log up to date). A log whose
//! last term is later has all that was committed in terms before, as far as any survivor has it.

use std::path::{Path, PathBuf};

use protocol::{NodeId, Position};
use storage::datadir::Reading;
use storage::disk::RealDisk;

use super::RecoverError;

/// A directory that was looked at.
#[derive(Clone, Debug)]
pub struct Looked {
    /// The directory.
    pub path: PathBuf,
    /// Whose it is.
    pub identity: storage::Identity,
    /// The last entry that log or state have.
    pub last: Position,
}

/// A member that does not run, with its directory locked.
#[derive(Debug)]
pub(super) struct Survivor {
    pub(super) directory: Reading,
}

/// Looks at all and gives the one with the most; of equals the first.
pub(super) fn best(paths: &[PathBuf]) -> Result<(Survivor, Vec<Looked>), RecoverError> {
    let mut found: Vec<(Survivor, Looked)> = Vec::new();
    for path in paths {
        let next = look(path)?;
        if let Some((_, first)) = found.first()
            && first.identity.cluster != next.1.identity.cluster
        {
            let of = |it: &Looked| (it.path.clone(), it.identity.cluster);
            return Err(RecoverError::Mixed(Box::new([of(first), of(&next.1)])));
        }
        found.push(next);
    }
    // Stable: of equals the first stays first.
    found.sort_by_key(|(_, looked)| std::cmp::Reverse((looked.last.term, looked.last.index)));
    let (survivors, looked): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let nothing = || RecoverError::Nothing(PathBuf::new());
    Ok((survivors.into_iter().next().ok_or_else(nothing)?, looked))
}

fn look(path: &Path) -> Result<(Survivor, Looked), RecoverError> {
    let directory = Reading::open(path).map_err(|source| RecoverError::Survivor { source })?;
    let directory = directory.ok_or_else(|| RecoverError::Nothing(path.to_owned()))?;
    let identity = directory.identity();
    let damaged = |what: String| RecoverError::Damaged { path: path.to_owned(), what };
    let disk = RealDisk::open_read_only(directory.log())
        .map_err(|error| damaged(format!("its log cannot be read: {error}")))?;
    let log = storage::log::inspect(&disk).map_err(|error| damaged(error.to_string()))?;
    // A damaged state says nothing; the log may make up for it.
    let state = storage::state::inspect(&directory.state(), identity, false).ok();
    let ends = [log.map(|log| log.last), state.and_then(|state| state.applied)];
    let last = ends.into_iter().flatten().max_by_key(|last| (last.term, last.index));
    let Some(last) = last.filter(|last| last.index.0 > 0) else {
        return Err(damaged("neither its log nor its state has an entry that can be read".into()));
    };
    Ok((Survivor { directory }, Looked { path: path.to_owned(), identity, last }))
}

impl Looked {
    /// The member.
    #[must_use]
    pub fn member(&self) -> NodeId {
        self.identity.node
    }
}
