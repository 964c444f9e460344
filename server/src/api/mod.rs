//! The APIs.

pub mod admin;
pub mod etcd;
pub mod metrics;
