//! etcd's API as a client sees it: one server in memory, gRPC's own client, plain sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cluster;
mod kv;
mod leaderless;
mod lease;
mod limits;
mod once;
mod pages;
mod range_stream;
mod shutdown;
mod snapshot;
mod support;
mod txn;
mod watch;
