//! Between the wire's messages and the store's types: one noun a file.
//!
//! `from_pb` checks what the store's types cannot hold, in etcd's order and with etcd's errors:
//! conflicting switches, unknown enum numbers, operations without content. Everything else is
//! checked by the store. `to_pb` cannot fail. Keys and values are shared, never copied.

mod alarm;
mod compare;
mod key_value;
mod member;
mod range;
mod txn;
mod watch;
mod write;

pub(super) use alarm::{alarm_from_pb, alarm_text, alarm_to_pb, member_alarm_to_pb};
pub(super) use key_value::{key_value_to_pb, record_value};
pub(super) use member::member_to_pb;
pub(super) use range::{range_from_pb, range_to_pb};
pub(super) use txn::{read_only, txn_from_pb, txn_to_pb};
pub(super) use watch::{event_to_pb, watch_create_from_pb};
pub(super) use write::{delete_from_pb, delete_to_pb, put_from_pb, put_to_pb};

#[cfg(test)]
mod tests;
