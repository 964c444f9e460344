//! Alarms.

use etcdpb::etcdserverpb as pb;
use protocol::NodeId;
use store::Alarm;
use tonic::Status;

/// A kind of alarm; `None` for all of them.
pub(in crate::api::etcd) fn alarm_from_pb(number: i32) -> Result<Option<Alarm>, Status> {
    match pb::AlarmType::try_from(number) {
        Ok(pb::AlarmType::None) => Ok(None),
        Ok(pb::AlarmType::Nospace) => Ok(Some(Alarm::NoSpace)),
        Ok(pb::AlarmType::Corrupt) => Ok(Some(Alarm::Corrupt)),
        Err(_) => Err(Status::invalid_argument(format!("etcdserver: unknown alarm type {number}"))),
    }
}

/// A kind of alarm on the wire.
pub(in crate::api::etcd) fn alarm_to_pb(alarm: Alarm) -> pb::AlarmType {
    match alarm {
        Alarm::NoSpace => pb::AlarmType::Nospace,
        Alarm::Corrupt => pb::AlarmType::Corrupt,
    }
}

/// Whose alarm.
pub(in crate::api::etcd) fn member_alarm_to_pb(
    (member, alarm): (NodeId, Alarm),
) -> pb::AlarmMember {
    pb::AlarmMember { member_id: member.0, alarm: alarm_to_pb(alarm).into() }
}

/// An alarm as `Status` lists it among the errors: the text form of the message, with the space
/// that ends it.
pub(in crate::api::etcd) fn alarm_text((member, alarm): (NodeId, Alarm)) -> String {
    format!("memberID:{} alarm:{} ", member.0, alarm_to_pb(alarm).as_str_name())
}
