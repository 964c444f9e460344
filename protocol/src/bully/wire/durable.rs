//! What a member keeps, as bytes. Checksums, and where it is kept, are for whoever keeps it.
//!
//! ```text
//! ballot: flag, epoch u64, holder u64, lease in ns u64 │ electorate │ pledge: count u8, ids
//! ```

use alloc::vec::Vec;

use super::read::Read;
use super::write::Write;
use crate::NodeId;
use crate::bully::{Ballot, Durable};

/// Appends it; `None` when its electorate has too many members.
#[must_use]
pub fn encode_durable(durable: &Durable, out: &mut Vec<u8>) -> Option<()> {
    out.flag(durable.ballot.is_some());
    if let Some(ballot) = durable.ballot {
        out.number(ballot.epoch.0);
        out.number(ballot.holder.0);
        out.duration(ballot.lease);
    }
    out.electorate(durable.electorate.as_ref())?;
    out.pledge(durable.pledge.as_ref());
    Some(())
}

/// What these bytes hold, all of them; `None` when that is nothing that was written here.
#[must_use]
pub fn decode_durable(bytes: &[u8]) -> Option<Durable> {
    let mut read = Read(bytes);
    let ballot = match read.flag()? {
        false => None,
        true => {
            let (epoch, holder) = (read.epoch()?, NodeId(read.number()?));
            Some(Ballot { epoch, holder, lease: read.duration()? })
        }
    };
    let (electorate, pledge) = (read.electorate()?, read.pledge()?);
    read.0.is_empty().then_some(Durable { ballot, electorate, pledge })
}
