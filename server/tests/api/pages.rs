//! The plain HTTP pages, and gRPC's own services.

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::TestServer;

#[tokio::test]
async fn health_version_and_probes_are_etcds() {
    let server = TestServer::start().await;
    let (code, head, body) = server.http("GET", "/health").await;
    assert_eq!((code, body.as_str()), (200, "{\"health\":\"true\",\"reason\":\"\"}"));
    assert!(head.contains("content-type: text/plain"), "{head}");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(server.http("GET", "/health?serializable=true").await.0, 200);
    let (code, head, body) = server.http("GET", "/version").await;
    assert_eq!(code, 200);
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(body.starts_with(r#"{"etcdserver":"3.6.4","etcdcluster":"3.6.0""#), "{body}");
    assert_eq!(server.http("GET", "/livez").await.2, "ok\n");
    assert_eq!(server.http("GET", "/readyz").await.2, "ok\n");
    let (code, _, body) = server.http("GET", "/readyz?verbose").await;
    let list = "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n\
                [+]non_learner ok\nok\n";
    assert_eq!((code, body.as_str()), (200, list));
    assert_eq!(server.http("GET", "/readyz/linearizable_read").await.2, "ok\n");
    let (_, _, body) = server.http("GET", "/readyz?verbose&exclude=non_learner").await;
    assert!(!body.contains("non_learner"));
}

#[tokio::test]
async fn pages_are_read_only_and_others_are_not_there() {
    let server = TestServer::start().await;
    for path in ["/health", "/version", "/metrics", "/livez", "/readyz"] {
        let (code, head, body) = server.http("POST", path).await;
        assert_eq!((code, body.as_str()), (405, "Method Not Allowed\n"), "{path}");
        assert!(head.contains("allow: get"), "{head}");
    }
    let (code, _, body) = server.http("GET", "/v2/keys").await;
    assert_eq!((code, body.as_str()), (404, "404 page not found\n"));
    assert_eq!(server.http("GET", "/livez/unknown").await.0, 404);
}

#[tokio::test]
async fn metrics_show_what_happened() {
    let server = TestServer::start().await;
    server.put("k", "v").await;
    let (code, head, body) = server.http("GET", "/metrics").await;
    assert_eq!(code, 200);
    assert!(head.contains("content-type: application/openmetrics-text"), "{head}");
    for line in [
        "etcd_server_has_leader 1",
        "etcd_debugging_mvcc_keys_total 1",
        "etcd_debugging_mvcc_current_revision 2",
        concat!(
            r#"grpc_server_handled_total{grpc_type="unary",grpc_service="etcdserverpb.KV","#,
            r#"grpc_method="Put",grpc_code="OK"} 1"#,
        ),
    ] {
        assert!(body.lines().any(|known| known == line), "{line}:\n{body}");
    }
    assert!(body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn grpc_health_says_serving() {
    let server = TestServer::start().await;
    let mut health = HealthClient::new(server.channel.clone());
    let request = HealthCheckRequest { service: String::new() };
    let answer = health.check(request).await.unwrap().into_inner();
    assert_eq!(answer.status, 1);
}
