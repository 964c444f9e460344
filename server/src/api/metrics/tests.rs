use protocol::NodeId;
use store::Size;
use tonic::Code;

use super::{Metrics, code_label};
use crate::api::etcd::method::Method;

fn line<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines()
        .find(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("no {start}:\n{text}"))
}

#[test]
fn the_names_are_etcds() {
    let metrics = Metrics::default();
    metrics.observe(&crate::api::etcd::status_of_one(), Size { total: 10, in_use: 7 });
    let text = metrics.text();
    for (name, value) in [
        ("etcd_server_has_leader", "1"),
        ("etcd_server_is_leader", "1"),
        ("etcd_server_leader_changes_seen_total", "1"),
        ("etcd_server_proposals_committed_total", "7"),
        ("etcd_server_proposals_applied_total", "7"),
        ("etcd_server_proposals_pending", "0"),
        ("etcd_server_proposals_failed_total", "0"),
        ("etcd_mvcc_db_total_size_in_bytes", "10"),
        ("etcd_mvcc_db_total_size_in_use_in_bytes", "7"),
        ("etcd_debugging_mvcc_keys_total", "3"),
        ("etcd_debugging_mvcc_watcher_total", "2"),
    ] {
        assert_eq!(line(&text, &format!("{name} ")), format!("{name} {value}"));
    }
    for name in [
        "etcd_disk_wal_fsync_duration_seconds_count",
        "etcd_disk_backend_commit_duration_seconds_count",
    ] {
        line(&text, name);
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn calls_are_counted_by_how_they_end() {
    let metrics = Metrics::default();
    metrics.started(Method::Put).finished(Code::Ok);
    metrics.started(Method::Put).finished(Code::Unavailable);
    drop(metrics.started(Method::Put));
    let mut twice = metrics.started(Method::Watch);
    twice.finish(Code::Ok);
    twice.finish(Code::Internal);
    drop(twice);
    let text = metrics.text();
    let put = r#"grpc_type="unary",grpc_service="etcdserverpb.KV",grpc_method="Put""#;
    for (start, value) in [
        (format!("grpc_server_started_total{{{put}}}"), 3),
        (format!(r#"grpc_server_handled_total{{{put},grpc_code="OK"}}"#), 1),
        (format!(r#"grpc_server_handled_total{{{put},grpc_code="Unavailable"}}"#), 1),
        (format!(r#"grpc_server_handled_total{{{put},grpc_code="Canceled"}}"#), 1),
        (format!("grpc_server_handling_seconds_count{{{put}}}"), 3),
    ] {
        assert_eq!(line(&text, &start), format!("{start} {value}"));
    }
    let watch = r#"grpc_type="bidi_stream",grpc_service="etcdserverpb.Watch",grpc_method="Watch""#;
    let ended = format!("grpc_server_handling_seconds_count{{{watch}}} 1");
    assert_eq!(line(&text, &ended), ended);
    assert!(!text.contains("Internal"));
}

#[test]
fn links_are_counted_by_peer() {
    let metrics = Metrics::default();
    let link = metrics.peers().of(NodeId(0xab));
    link.sent.inc_by(5);
    metrics.peers().of(NodeId(0xab)).sent.inc_by(2);
    let start = r#"etcd_network_peer_sent_bytes_total{To="ab"}"#;
    assert_eq!(line(&metrics.text(), start), format!("{start} 7"));
}

#[test]
fn every_code_has_its_own_label() {
    let labels: std::collections::BTreeSet<_> =
        (0..17).map(|code| code_label(Code::from_i32(code))).collect();
    assert_eq!(labels.len(), 17);
}
