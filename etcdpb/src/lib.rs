//! The etcd v3 API as Rust types: messages, client stubs and service traits.
//!
//! `proto/` states the contract, `src/generated/` is made from it by `cargo xtask codegen` and
//! checked in, so that a build needs no protobuf compiler; `cargo xtask codegen --check` proves
//! that the two agree. Nothing here is written by hand but this file and the contract.
//!
//! Laws of the wire that the types do not show:
//!
//! - Package, service and method names are part of every request path: they never change.
//! - There is no presence: a zero number and an empty string or byte string mean "absent".
//! - Every `bytes` field is a `bytes::Bytes`: a decoded message shares the buffer it came in.
//! - Unknown fields are skipped, so that newer clients can talk to older servers.
//! - Enum fields are `i32`; a number without a name is kept, and the reader must refuse it.
//!
//! A service method that a server does not implement answers `UNIMPLEMENTED`.

/// Users, roles and permissions (`auth.proto`).
pub mod authpb {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::too_many_lines)]
    include!("generated/authpb.rs");
}

/// The services and their requests and responses (`rpc.proto`).
pub mod etcdserverpb {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::too_many_lines)]
    include!("generated/etcdserverpb.rs");
}

/// Keys and the events that change them (`kv.proto`).
pub mod mvccpb {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::too_many_lines)]
    include!("generated/mvccpb.rs");
}

/// The election service (`v3election.proto`).
pub mod v3electionpb {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::too_many_lines)]
    include!("generated/v3electionpb.rs");
}

/// The lock service (`v3lock.proto`).
pub mod v3lockpb {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::too_many_lines)]
    include!("generated/v3lockpb.rs");
}

/// The serialized `FileDescriptorSet` of all packages, without source locations: what gRPC
/// server reflection serves.
pub const DESCRIPTOR: &[u8] = include_bytes!("generated/descriptor.bin");
