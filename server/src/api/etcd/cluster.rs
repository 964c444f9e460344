//! The service `Cluster`: who belongs to it, and who shall.
//!
//! Two methods are Conclave's own, in the service `conclavepb.Members`, with messages of etcd's:
//! `Demote` (`MemberPromoteRequest`, `MemberPromoteResponse`) and `Replace`
//! (`MemberUpdateRequest` with the id of the one who goes, `MemberAddResponse` with the new one).

use std::hash::{BuildHasher, Hasher, RandomState};

use etcdpb::etcdserverpb as pb;
use node::{Body, Header, MemberInfo, Request};
use protocol::NodeId;
use store::MemberChange;
use tonic::Status;

use super::Api;
use super::convert::member_to_pb;
use super::errors::{EtcdError, unexpected};
use crate::runtime::{address_of, new_member_id};

/// `MemberList`. The headers of this service have no revision.
pub(super) async fn member_list(
    api: &Api,
    request: pb::MemberListRequest,
) -> Result<pb::MemberListResponse, Status> {
    let ask = Request::Members { linearizable: request.linearizable };
    let (header, Body::Members(members)) = api.ask(ask).await? else {
        return Err(unexpected("MemberList"));
    };
    let header = api.headers.without_revision(header);
    Ok(pb::MemberListResponse { header, members: list(members) })
}

/// `MemberAdd`. Whatever is asked for, the new member is a learner at first; one that was not meant
/// to be is told of as what it will be.
pub(super) async fn member_add(
    api: &Api,
    request: pb::MemberAddRequest,
) -> Result<pb::MemberAddResponse, Status> {
    let peer_urls = urls(request.peer_ur_ls)?;
    let id = new_member_id(&peer_urls, random());
    let voter = !request.is_learner;
    let (header, members) = change(api, MemberChange::Add { id, peer_urls, voter }).await?;
    let member = members.iter().find(|info| info.member.id == id).cloned();
    let member = member.map(|info| MemberInfo { learner: !voter, ..info }).map(member_to_pb);
    let header = api.headers.without_revision(header);
    Ok(pb::MemberAddResponse { header, member, members: list(members) })
}

/// `MemberRemove`.
pub(super) async fn member_remove(
    api: &Api,
    request: pb::MemberRemoveRequest,
) -> Result<pb::MemberRemoveResponse, Status> {
    let id = NodeId(request.id);
    let (header, members) = change(api, MemberChange::Remove { id }).await?;
    let header = api.headers.without_revision(header);
    Ok(pb::MemberRemoveResponse { header, members: list(members) })
}

/// `MemberUpdate`: another address.
pub(super) async fn member_update(
    api: &Api,
    request: pb::MemberUpdateRequest,
) -> Result<pb::MemberUpdateResponse, Status> {
    let (id, peer_urls) = (NodeId(request.id), urls(request.peer_ur_ls)?);
    let (header, members) = change(api, MemberChange::Update { id, peer_urls }).await?;
    let header = api.headers.without_revision(header);
    Ok(pb::MemberUpdateResponse { header, members: list(members) })
}

/// `MemberPromote`: a learner becomes a voter, if it has caught up.
pub(super) async fn member_promote(
    api: &Api,
    request: pb::MemberPromoteRequest,
) -> Result<pb::MemberPromoteResponse, Status> {
    let id = NodeId(request.id);
    let (header, members) = change(api, MemberChange::Promote { id }).await?;
    let header = api.headers.without_revision(header);
    Ok(pb::MemberPromoteResponse { header, members: list(members) })
}

/// `Demote`: a voter becomes a learner, and stays one.
pub(super) async fn member_demote(
    api: &Api,
    request: pb::MemberPromoteRequest,
) -> Result<pb::MemberPromoteResponse, Status> {
    let id = NodeId(request.id);
    let (header, members) = change(api, MemberChange::Demote { id }).await?;
    let header = api.headers.without_revision(header);
    Ok(pb::MemberPromoteResponse { header, members: list(members) })
}

/// `Replace`: somebody new takes a member's place.
pub(super) async fn member_replace(
    api: &Api,
    request: pb::MemberUpdateRequest,
) -> Result<pb::MemberAddResponse, Status> {
    let (old, peer_urls) = (NodeId(request.id), urls(request.peer_ur_ls)?);
    let id = new_member_id(&peer_urls, random());
    let (header, members) = change(api, MemberChange::Replace { old, id, peer_urls }).await?;
    let member = members.iter().find(|info| info.member.id == id).cloned().map(member_to_pb);
    let header = api.headers.without_revision(header);
    Ok(pb::MemberAddResponse { header, member, members: list(members) })
}

/// Asks for other members, and waits until it is so.
async fn change(api: &Api, change: MemberChange) -> Result<(Header, Vec<MemberInfo>), Status> {
    match api.ask(Request::MemberChange(change)).await? {
        (header, Body::Members(members)) => Ok((header, members)),
        _ => Err(unexpected("a change of the members")),
    }
}

fn list(members: Vec<MemberInfo>) -> Vec<pb::Member> {
    members.into_iter().map(member_to_pb).collect()
}

/// Peer URLs as they are kept: checked as etcd does, sorted, without a slash at the end.
fn urls(urls: Vec<String>) -> Result<Vec<String>, Status> {
    let kept = |url: &String| Some(format!("http://{}", address_of(url.trim())?));
    let kept: Option<Vec<String>> = urls.iter().map(kept).collect();
    let mut kept = kept.filter(|kept| !kept.is_empty()).ok_or(EtcdError::MemberBadUrls)?;
    kept.sort_unstable();
    kept.dedup();
    Ok(kept)
}

/// A number that nobody draws twice.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    #[test]
    fn urls_are_checked_and_sorted() {
        let given = |urls: &[&str]| super::urls(urls.iter().map(ToString::to_string).collect());
        let kept = given(&["http://b:2/", " http://a:1", "http://b:2"]).unwrap();
        assert_eq!(kept, ["http://a:1", "http://b:2"]);
        for wrong in [&[][..], &["a:1"], &["http://a"], &["ftp://a:1"], &["http://a:1/path"]] {
            let status = given(wrong).unwrap_err();
            assert_eq!(status.message(), "etcdserver: given member URLs are invalid", "{wrong:?}");
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
        }
    }
}
