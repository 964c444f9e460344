//! Bodies for fuzzers: any bytes are an answer, never a panic.

use protocol::{ClusterId, NodeId};

use super::batch::{self, Identifiers};
use super::bytes::Checksum;
use super::head::Head;
use super::record;
use crate::Identity;
use crate::disk::SECTOR;

/// Feeds any bytes to every decoder of the log's format, as they are and with a checksum that
/// holds, so that what lies behind the checksum is reached as well.
pub fn fuzz_records(data: &[u8]) {
    let checksum = Checksum::new(Identity { cluster: ClusterId(1), node: NodeId(2) });
    let mut forged = data.to_vec();
    if forged.len() > 4 {
        let sum = checksum.of(3, &forged[4..]);
        forged[..4].copy_from_slice(&sum.to_le_bytes());
    }
    for bytes in [data, &forged] {
        for at in (0..bytes.len()).step_by(8) {
            let rest = &bytes[at..];
            if let Some(found) = record::decode(rest, checksum, 3) {
                assert!(found.payload_bytes <= rest.len(), "a record lies within its bytes");
            }
            if let Some(found) = Identifiers::decode(rest, checksum, 3) {
                let _ = found.batch_bytes();
                assert!(found.records(rest, checksum).count() == found.list.len());
            }
        }
        let _ = Head::decode(bytes, 2 * SECTOR, checksum, 3);
        if let Some(walked) = batch::walk(bytes, checksum, 3, 1) {
            assert!(!walked.records.is_empty(), "a batch has a record");
        }
    }
}
