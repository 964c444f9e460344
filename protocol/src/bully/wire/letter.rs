//! Letters as bytes.
//!
//! ```text
//! c0 │ version u8 │ name: length u8, text │ kind u8 │ …
//!
//! kind 0      shown     rank │ flags u8 (1: expects, 2: has a group) │ expect u8? │ group u64?
//!                       │ pledge: count u8, ids
//! kind 1      gone      id u64
//! kind 16…26  message   rank │ electorate: flag, group, epoch, number, two counts and ids │ …
//! ```

use alloc::vec::Vec;

use super::read::Read;
use super::write::Write;
use super::{Group, KIND, LETTER_MAX, Letter, Says, VERSION};
use crate::bully::boundary::Shown;
use crate::bully::message::{Body, Message, Terms};
use crate::{ClusterId, NodeId, Time};

const SHOWN: u8 = 0;
const GONE: u8 = 1;
/// What a message's kind is counted from.
const MESSAGE: u8 = 16;

const EXPECTS: u8 = 1;
const HAS_GROUP: u8 = 2;

/// A letter as bytes; `None` when its electorate has too many members for the wire.
#[must_use]
pub fn encode(letter: &Letter) -> Option<Vec<u8>> {
    let name = letter.group.as_str();
    let mut out = Vec::from([KIND, VERSION, u8::try_from(name.len()).ok()?]);
    out.extend_from_slice(name.as_bytes());
    match &letter.says {
        Says::Shown(shown) => {
            out.byte(SHOWN);
            write_shown(&mut out, shown)?;
        }
        Says::Gone(id) => {
            out.byte(GONE);
            out.number(id.0);
        }
        Says::Message(message) => write_message(&mut out, message)?,
    }
    (out.len() <= LETTER_MAX).then_some(out)
}

/// What these bytes say; `None` when they are no letter that [`encode`] has written.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<Letter> {
    if bytes.len() > LETTER_MAX {
        return None;
    }
    let mut read = Read(bytes);
    if (read.byte()?, read.byte()?) != (KIND, VERSION) {
        return None;
    }
    let length = usize::from(read.byte()?);
    let group = Group::new(read.text(length)?)?;
    let says = match read.byte()? {
        SHOWN => Says::Shown(read_shown(&mut read)?),
        GONE => Says::Gone(NodeId(read.number()?)),
        kind => Says::Message(read_message(&mut read, kind.checked_sub(MESSAGE)?)?),
    };
    read.0.is_empty().then_some(Letter { group, says })
}

fn write_shown(out: &mut Vec<u8>, shown: &Shown) -> Option<()> {
    out.rank(&shown.rank);
    let expects = if shown.expect.is_some() { EXPECTS } else { 0 };
    out.byte(expects | if shown.group.is_some() { HAS_GROUP } else { 0 });
    if let Some(expect) = shown.expect {
        out.byte(u8::try_from(expect).ok()?);
    }
    if let Some(group) = shown.group {
        out.number(group.0);
    }
    out.pledge(shown.pledge.as_ref());
    Some(())
}

fn read_shown(read: &mut Read<'_>) -> Option<Shown> {
    let rank = read.rank()?;
    let flags = read.byte()?;
    if flags & !(EXPECTS | HAS_GROUP) != 0 {
        return None;
    }
    let expect = match flags & EXPECTS {
        0 => None,
        _ => Some(usize::from(read.byte()?)),
    };
    let group = match flags & HAS_GROUP {
        0 => None,
        _ => Some(ClusterId(read.number()?)),
    };
    Some(Shown { rank, expect, pledge: read.pledge()?, group })
}

const fn kind(body: &Body) -> u8 {
    let kind = match body {
        Body::Election => 0,
        Body::Alive => 1,
        Body::Victory => 2,
        Body::Ask => 3,
        Body::Answer { .. } => 4,
        Body::Claim(_) => 5,
        Body::Grant { .. } => 6,
        Body::Refuse { .. } => 7,
        Body::Renew(_) => 8,
        Body::Ack { .. } => 9,
        Body::Release { .. } => 10,
    };
    MESSAGE + kind
}

fn write_message(out: &mut Vec<u8>, message: &Message) -> Option<()> {
    out.byte(kind(&message.body));
    out.rank(&message.rank);
    out.electorate(message.electorate.as_ref())?;
    match message.body {
        Body::Election | Body::Alive | Body::Victory | Body::Ask => {}
        Body::Answer { free, stands, seen } => {
            out.flag(free);
            out.flag(stands);
            out.number(seen.0);
        }
        Body::Claim(terms) | Body::Renew(terms) => {
            out.number(terms.epoch.0);
            out.number(terms.sent.0);
            out.duration(terms.lease);
        }
        Body::Grant { epoch, sent } => {
            out.number(epoch.0);
            out.number(sent.0);
        }
        Body::Refuse { epoch, ballot } => {
            out.number(epoch.0);
            out.number(ballot.0);
        }
        Body::Ack { epoch, sent, up, stands } => {
            out.number(epoch.0);
            out.number(sent.0);
            out.duration(up);
            out.flag(stands);
        }
        Body::Release { epoch, successor } => {
            out.number(epoch.0);
            out.id(successor);
        }
    }
    Some(())
}

fn read_message(read: &mut Read<'_>, kind: u8) -> Option<Message> {
    let rank = read.rank()?;
    let electorate = read.electorate()?;
    let body = match kind {
        0 => Body::Election,
        1 => Body::Alive,
        2 => Body::Victory,
        3 => Body::Ask,
        4 => Body::Answer { free: read.flag()?, stands: read.flag()?, seen: read.epoch()? },
        5 => Body::Claim(read_terms(read)?),
        6 => Body::Grant { epoch: read.epoch()?, sent: Time(read.number()?) },
        7 => Body::Refuse { epoch: read.epoch()?, ballot: read.epoch()? },
        8 => Body::Renew(read_terms(read)?),
        9 => {
            let (epoch, sent) = (read.epoch()?, Time(read.number()?));
            Body::Ack { epoch, sent, up: read.duration()?, stands: read.flag()? }
        }
        10 => Body::Release { epoch: read.epoch()?, successor: read.id()? },
        _ => return None,
    };
    Some(Message { electorate, rank, body })
}

fn read_terms(read: &mut Read<'_>) -> Option<Terms> {
    let (epoch, sent) = (read.epoch()?, Time(read.number()?));
    Some(Terms { epoch, sent, lease: read.duration()? })
}
