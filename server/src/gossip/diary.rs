//! What the log says of events.

use protocol::swim::serf::Event;

use super::complaints::Complaints;

/// Writes an event into the log, if anybody should look at it.
pub(super) fn log(event: &Event, complaints: &Complaints) {
    match event {
        Event::Joined(member) => tracing::info!(member = %member.name, "joined the pool"),
        Event::Left(member) => tracing::info!(member = %member.name, "left the pool"),
        Event::Failed(member) => {
            tracing::warn!(member = %member.name, "is gone: it answers nobody in the pool");
        }
        Event::Updated(member) => tracing::debug!(member = %member.name, "says something new"),
        Event::Reaped(member) => tracing::info!(member = %member.name, "forgotten"),
        Event::Suspected { member, by } => {
            tracing::debug!(member = %member.name, %by, "does not answer");
        }
        Event::Refuted { incarnation } => {
            tracing::warn!(
                incarnation,
                "the pool believed this agent to be gone; it has said that it is not. If that \
                 comes again and again, packets to {} or from it are lost",
                "its gossip port"
            );
        }
        Event::Conflict { held, other } => tracing::warn!(
            name = %held.name,
            "two members have one name: {}:{} keeps it, {}:{} is ignored; give one of them another \
             name",
            held.addr, held.port, other.addr, other.port
        ),
        Event::ConflictVote { matching, responses, kept: true } => {
            tracing::info!(matching, responses, "the pool says that this agent's name is its own")
        }
        Event::ConflictVote { matching, responses, kept: false } => tracing::error!(
            matching,
            responses,
            "another agent has this agent's name, and the pool takes that one for it: this agent \
             ends, without a word to the pool"
        ),
        Event::Refused { member, reason } => complaints.disbelieved(member, *reason),
        Event::Link { member, link: Some(link) } => tracing::warn!(
            member = %member.name, ?link,
            "the way to a member is broken for packets: look at firewalls for UDP"
        ),
        Event::Link { member, link: None } => {
            tracing::info!(member = %member.name, "the way to a member is whole again");
        }
        Event::Stalled(lost) => tracing::warn!(
            lost_ms = lost.as_millis(),
            "this process stood still; its deadlines in the pool moved"
        ),
        Event::User(_) | Event::Query { .. } => {}
    }
}
