//! Members.

use etcdpb::etcdserverpb as pb;
use node::MemberInfo;

/// A member.
pub(in crate::api::etcd) fn member_to_pb(info: MemberInfo) -> pb::Member {
    pb::Member {
        id: info.member.id.0,
        name: info.member.name,
        peer_ur_ls: info.member.peer_urls,
        client_ur_ls: info.member.client_urls,
        is_learner: info.learner,
    }
}
