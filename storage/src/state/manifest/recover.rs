//! Finding the last flush after a restart.

use super::super::error::OpenError;
use super::super::files::Files;
use super::super::table;
use super::copy::{self, HEADER, Valid, Which};
use super::edit::Contents;
use super::{Heal, Manifest, Unconfirmed};
use crate::Identity;

/// One file that claims to be a copy of a manifest.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) generation: u64,
    pub(super) which: Which,
    pub(super) bytes: Vec<u8>,
    pub(super) valid: Option<Valid>,
}

impl Candidate {
    /// Nothing but zeros stands after the last whole record.
    pub(super) fn is_clean(&self) -> bool {
        let end = self.valid.as_ref().map_or(0, |valid| valid.end);
        self.bytes[end..].iter().all(|byte| *byte == 0)
    }

    fn is_blank(&self) -> bool {
        self.valid.is_none() && self.is_clean()
    }
}

pub(super) fn candidates<F: Files>(
    files: &F,
    identity: Identity,
) -> Result<Vec<Candidate>, OpenError> {
    let list = files.list().map_err(|e| OpenError::io("list the state's files", &e))?;
    let mut found = Vec::new();
    for info in list {
        let Some((generation, which)) = Which::of_file_name(&info.name) else { continue };
        let length = usize::try_from(info.bytes)
            .map_err(|_| OpenError::Corrupt(format!("{} has {} bytes", info.name, info.bytes)))?;
        let mut bytes = vec![0; length];
        files
            .read(&info.name, 0, &mut bytes)
            .map_err(|e| OpenError::io(&format!("read {}", info.name), &e))?;
        let valid = copy::parse(&bytes, identity, generation, which)?;
        found.push(Candidate { name: info.name, generation, which, bytes, valid });
    }
    Ok(found)
}

/// The copy that tells the last flush: the highest sequence, and of these the newest generation.
pub(super) fn winner(candidates: &[Candidate]) -> Option<(&Candidate, &Valid)> {
    candidates
        .iter()
        .filter_map(|candidate| Some((candidate, candidate.valid.as_ref()?)))
        .max_by_key(|(candidate, valid)| (valid.sequence, candidate.generation))
}

/// Reads the manifest; `None` when there is no state here. What it says must not be believed before
/// [`Manifest::confirm`] has returned.
pub(in super::super) fn recover<F: Files>(
    files: &F,
    identity: Identity,
) -> Result<Option<(Manifest, Contents)>, OpenError> {
    let candidates = candidates(files, identity)?;
    let Some((best, valid)) = winner(&candidates) else {
        return refuse_unless_new(files, &candidates).map(|()| None);
    };
    let next_generation =
        candidates.iter().map(|candidate| candidate.generation).max().map_or(1, |last| last + 1);
    let names = Which::BOTH.map(|which| which.file_name(best.generation));
    let stale = candidates.iter().filter(|c| !names.contains(&c.name));
    let stale = stale.map(|candidate| candidate.name.clone()).collect();
    let manifest = Manifest {
        identity,
        generation: best.generation,
        next_generation,
        capacity: best.bytes.len() as u64,
        end: valid.end as u64,
        chain: valid.chain,
        sequence: valid.sequence,
        heal: Some(heal(&candidates, best, valid)),
        stale,
    };
    Ok(Some((manifest, valid.contents.clone())))
}

/// Both copies are to be written anew, however whole they look. The copy that won comes last: until
/// then it may be the only whole one.
fn heal(candidates: &[Candidate], best: &Candidate, valid: &Valid) -> Heal {
    let copies = [best.which.other(), best.which].map(|which| {
        let found = candidates.iter().find(|c| c.generation == best.generation && c.which == which);
        let fits = found.is_some_and(|c| c.bytes.len() == best.bytes.len());
        Unconfirmed { which, exists: found.is_some(), fits }
    });
    Heal { records: best.bytes[HEADER..valid.end].to_vec(), copies: copies.to_vec() }
}

/// Without any whole copy the directory is new, or a crash ended the making of its first manifest:
/// then there is no table, and the second copy, which is written after the first is durable, is
/// still blank.
fn refuse_unless_new<F: Files>(files: &F, candidates: &[Candidate]) -> Result<(), OpenError> {
    let list = files.list().map_err(|e| OpenError::io("list the state's files", &e))?;
    if let Some(info) = list.iter().find(|info| table::is_file_name(&info.name)) {
        return Err(OpenError::Corrupt(format!("{} stands there without a manifest", info.name)));
    }
    let touched = candidates.iter().find(|c| {
        c.generation != super::FIRST_GENERATION || (c.which == Which::B && !c.is_blank())
    });
    match touched {
        Some(found) => Err(OpenError::Corrupt(format!("{} has no whole record", found.name))),
        None => Ok(()),
    }
}
