//! `Cluster`, `Maintenance`, `Auth`, and what is not there.

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::auth_client::AuthClient;
use etcdpb::etcdserverpb::cluster_client::ClusterClient;
use etcdpb::etcdserverpb::maintenance_client::MaintenanceClient;
use tonic::{Code, Request};

use crate::support::{TestServer, get, put, refusal, refused};

#[tokio::test]
async fn the_member_lists_itself_without_a_revision() {
    let server = TestServer::start().await;
    let mut cluster = ClusterClient::new(server.channel.clone());
    for linearizable in [false, true] {
        let request = pb::MemberListRequest { linearizable };
        let answer = cluster.member_list(request).await.unwrap().into_inner();
        let header = answer.header.unwrap();
        assert_eq!(header.revision, 0);
        assert_eq!(answer.members.len(), 1);
        let member = &answer.members[0];
        assert_eq!((member.id, member.name.as_str()), (header.member_id, "test"));
        assert_eq!(member.client_ur_ls, [format!("http://{}", server.address)]);
        assert!(!member.peer_ur_ls.is_empty() && !member.is_learner);
    }
}

#[tokio::test]
async fn members_are_added_moved_and_removed_with_etcds_answers() {
    let server = TestServer::start().await;
    let mut cluster = ClusterClient::new(server.channel.clone());
    let nowhere = cluster.member_add(pb::MemberAddRequest::default()).await;
    let bad_urls = refused(Code::InvalidArgument, "given member URLs are invalid");
    assert_eq!(refusal(nowhere), bad_urls);
    let add = |is_learner| pb::MemberAddRequest {
        peer_ur_ls: vec!["http://127.0.0.1:1".into()],
        is_learner,
    };
    let added = cluster.member_add(add(false)).await.unwrap().into_inner();
    let member = added.member.unwrap();
    assert_eq!((added.header.unwrap().revision, added.members.len()), (0, 2));
    assert!(member.name.is_empty() && !member.is_learner, "it was meant to vote");
    let listed = added.members.iter().find(|listed| listed.id == member.id).unwrap();
    assert!(listed.is_learner, "and does not yet");
    let again = refusal(cluster.member_add(add(true)).await);
    assert_eq!(again, refused(Code::FailedPrecondition, "Peer URLs already exists"));

    let id = member.id;
    let promoted = cluster.member_promote(pb::MemberPromoteRequest { id }).await;
    let text = "can only promote a learner member which is in sync with leader";
    assert_eq!(refusal(promoted), refused(Code::FailedPrecondition, text));
    let peer_ur_ls = vec!["http://127.0.0.1:2".to_owned()];
    let update = pb::MemberUpdateRequest { id, peer_ur_ls: peer_ur_ls.clone() };
    let updated = cluster.member_update(update).await.unwrap().into_inner();
    assert!(updated.members.iter().any(|it| it.id == id && it.peer_ur_ls == peer_ur_ls));
    let unknown = cluster.member_remove(pb::MemberRemoveRequest { id: 77 }).await;
    assert_eq!(refusal(unknown), refused(Code::NotFound, "member not found"));
    let own = updated.members.iter().find(|it| it.id != id).unwrap().id;
    let last = cluster.member_remove(pb::MemberRemoveRequest { id: own }).await;
    let text = "re-configuration failed due to not enough started members";
    assert_eq!(refusal(last), refused(Code::FailedPrecondition, text));
    let voter = cluster.member_promote(pb::MemberPromoteRequest { id: own }).await;
    let text = "can only promote a learner member";
    assert_eq!(refusal(voter), refused(Code::FailedPrecondition, text));
    let rest = cluster.member_remove(pb::MemberRemoveRequest { id }).await.unwrap();
    assert_eq!(rest.into_inner().members.len(), 1);
    server.put("k", "v").await;
}

#[tokio::test]
async fn status_and_hashes_tell_of_this_member() {
    let server = TestServer::start().await;
    server.put("k", "v").await;
    let mut maintenance = MaintenanceClient::new(server.channel.clone());
    let status = maintenance.status(pb::StatusRequest {}).await.unwrap().into_inner();
    let header = status.header.unwrap();
    assert_eq!((header.revision, status.leader), (2, header.member_id));
    assert_eq!((status.version.as_str(), status.storage_version.as_str()), ("3.6.4", "3.6.0"));
    assert!(status.raft_index >= status.raft_applied_index && status.raft_applied_index > 0);
    assert_eq!(status.raft_term, header.raft_term);
    assert!(status.db_size > 0 && status.errors.is_empty());

    let all = maintenance.hash_kv(pb::HashKvRequest { revision: 0 }).await.unwrap().into_inner();
    let same = maintenance.hash_kv(pb::HashKvRequest { revision: 2 }).await.unwrap().into_inner();
    assert_eq!((all.hash, all.hash_revision), (same.hash, 2));
    server.put("k", "w").await;
    let later = maintenance.hash_kv(pb::HashKvRequest { revision: 0 }).await.unwrap().into_inner();
    assert_ne!(later.hash, all.hash);
    let hash = maintenance.hash(pb::HashRequest {}).await.unwrap().into_inner();
    assert_eq!(hash.hash, later.hash);
    let future = maintenance.hash_kv(pb::HashKvRequest { revision: 99 }).await;
    assert_eq!(refusal(future).0, Code::OutOfRange);

    let defragmented = maintenance.defragment(pb::DefragmentRequest {}).await.unwrap();
    assert!(defragmented.into_inner().header.is_none());
    let target = pb::MoveLeaderRequest { target_id: 77 };
    let moved = maintenance.move_leader(target).await;
    assert_eq!(refusal(moved), refused(Code::FailedPrecondition, "bad leader transferee"));
}

#[tokio::test]
async fn an_alarm_is_raised_felt_listed_and_cleared() {
    let server = TestServer::start().await;
    let mut maintenance = MaintenanceClient::new(server.channel.clone());
    let raise = pb::AlarmRequest { action: 1, member_id: 5, alarm: 1 };
    let raised = maintenance.alarm(raise).await.unwrap().into_inner();
    assert_eq!(raised.alarms, [pb::AlarmMember { member_id: 5, alarm: 1 }]);
    let text = "mvcc: database space exceeded";
    let full = server.kv().put(put("k")).await;
    assert_eq!(refusal(full), refused(Code::ResourceExhausted, text));
    server.kv().range(get("k")).await.unwrap();
    let list = pb::AlarmRequest::default();
    assert_eq!(maintenance.alarm(list).await.unwrap().into_inner().alarms.len(), 1);
    let corrupt = pb::AlarmRequest { alarm: 2, ..list };
    assert_eq!(maintenance.alarm(corrupt).await.unwrap().into_inner().alarms, []);
    let status = maintenance.status(pb::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.errors, ["memberID:5 alarm:NOSPACE "]);
    let (code, _, body) = server.http("GET", "/health").await;
    assert_eq!(
        (code, body.as_str()),
        (503, "{\"health\":\"false\",\"reason\":\"ALARM NOSPACE\"}\n")
    );
    assert_eq!(server.http("GET", "/health?exclude=NOSPACE").await.0, 200);

    let clear = pb::AlarmRequest { action: 2, ..raise };
    let cleared = maintenance.alarm(clear).await.unwrap().into_inner();
    assert_eq!(cleared.alarms, raised.alarms);
    server.kv().put(put("k")).await.unwrap();
}

#[tokio::test]
async fn authentication_is_off_and_cannot_be_turned_on() {
    let server = TestServer::start().await;
    let mut auth = AuthClient::new(server.channel.clone());
    let status = auth.auth_status(pb::AuthStatusRequest {}).await.unwrap().into_inner();
    assert!(!status.enabled);
    let (code, text) = refusal(auth.auth_enable(pb::AuthEnableRequest {}).await);
    assert_eq!(code, Code::Unimplemented);
    assert!(text.contains("authentication is not supported"), "{text}");
}

#[tokio::test]
async fn calls_that_insist_on_a_leader_are_served_while_there_is_one() {
    let server = TestServer::start().await;
    let mut request = Request::new(get("k"));
    request.metadata_mut().insert("hasleader", "true".parse().unwrap());
    server.kv().range(request).await.unwrap();
}
