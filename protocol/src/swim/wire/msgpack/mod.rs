//! As much of msgpack as the gossip wire needs, written in its old specification and read in any.
//!
//! The old specification knows one kind of byte string, "raw", with lengths below 32, of 16 bits
//! and of 32. The new one added strings with a length of 8 bits and made a kind of their own of
//! bytes; old peers refuse both in many places, so neither is written.

mod head;
mod reader;
mod writer;

pub(in crate::swim) use head::Scan;
pub(in crate::swim) use reader::Reader;
pub(in crate::swim) use writer::{
    Length, Sink, array, boolean, field, map, nil, number, raw, raw_or_nil, signed,
};
