//! The APIs.

pub mod etcd;
pub mod metrics;
