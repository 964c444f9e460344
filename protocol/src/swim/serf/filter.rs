//! Who is to answer a query.
//!
//! ```text
//! 00 | [name, …]               one of these
//! 01 | {Expr, Tag}             whose tag matches an expression
//! ```

use alloc::vec::Vec;

use bytes::Bytes;

use super::limit;
use crate::swim::message::Name;
use crate::swim::wire::Error;
use crate::swim::wire::msgpack::{Reader, array, field, map, raw};

const NODES: u8 = 0;
const TAG: u8 = 1;

/// Who is to answer a query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// One of these members.
    Nodes(Vec<Name>),
    /// Whoever has a tag that matches.
    Tag {
        /// The name of the tag.
        tag: Bytes,
        /// A regular expression (RE2).
        expression: Bytes,
    },
}

impl Filter {
    /// This filter as bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(32);
        match self {
            Self::Nodes(names) => {
                out.push(NODES);
                array(&mut out, names.len());
                names.iter().for_each(|name| raw(&mut out, name.as_bytes()));
            }
            Self::Tag { tag, expression } => {
                out.push(TAG);
                map(&mut out, 2);
                field(&mut out, "Expr");
                raw(&mut out, expression);
                field(&mut out, "Tag");
                raw(&mut out, tag);
            }
        }
        out.into()
    }

    /// Reads a filter.
    ///
    /// # Errors
    /// Why it cannot be applied: who cannot apply a filter does not answer.
    pub fn decode(bytes: &Bytes) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, 1);
        match *bytes.first().ok_or(Error::Short)? {
            NODES => {
                let count = reader.array(limit::FILTERS)?;
                (0..count).map(|_| reader.name()).collect::<Result<_, _>>().map(Self::Nodes)
            }
            TAG => {
                let (mut tag, mut expression) = (Bytes::new(), Bytes::new());
                reader.record(&["Tag", "Expr"], |reader, field| {
                    match field {
                        0 => tag = reader.shared()?,
                        _ => expression = reader.shared()?,
                    }
                    Ok(())
                })?;
                Ok(Self::Tag { tag, expression })
            }
            _ => Err(Error::Kind),
        }
    }
}
