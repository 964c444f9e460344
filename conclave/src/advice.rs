//! What to do about what a server refuses. The sentences are etcd's, which clients know by heart,
//! and which say little to somebody at a terminal.

/// What to add to a refusal; nothing where it says all there is.
pub(crate) fn on(message: &str) -> &'static str {
    let refusal = message.strip_prefix("etcdserver: ").unwrap_or_default();
    let found = ADVICE.iter().find(|(text, _)| *text == refusal);
    found.map_or("", |(_, advice)| advice)
}

/// Where no quorum answers.
pub(crate) const QUORUM: &str =
    "; a majority of the voters must be up: `conclave status` tells who does not answer";

/// Where an answer did not come in time.
pub(crate) const SLOW: &str = "; a majority of the voters must be up: `conclave status` tells who \
                               does not answer. --timeout gives it longer";

const ADVICE: [(&str, &str); 11] = [
    (
        "bad leader transferee",
        "; only a voter that is heard can lead: `conclave member list` tells learners, and \
         `conclave status` who answers",
    ),
    (
        "re-configuration failed due to not enough started members",
        "; start the members that have not started (`conclave member list`), or remove those first",
    ),
    (
        "unhealthy cluster",
        "; wait until enough of the other voters answer: `conclave status` tells who does not",
    ),
    (
        "can only promote a learner member which is in sync with leader",
        "; it lags, or has not started: try again when its LAG in `conclave status` is near 0",
    ),
    ("can only promote a learner member", "; this one votes already"),
    (
        "too many learner members in cluster",
        "; wait until one of them votes, or promote or remove one: `conclave member list`",
    ),
    (
        "Peer URLs already exists",
        "; a member has this address: `conclave member list`. To put another in its place, run \
         `conclave member replace`",
    ),
    (
        "mvcc: database space exceeded",
        "; too little is free on a member's disk: delete keys and compact, or free space there; \
         `conclave status` names the member",
    ),
    (
        "corrupt cluster",
        "; the state of the member that was asked is wrong, and it has it anew by itself: ask \
         another one meanwhile (--endpoints)",
    ),
    (
        "rpc not supported for learner",
        "; a learner serves no such request: ask a voter (--endpoints)",
    ),
    ("no leader", QUORUM),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_calls_for_something_comes_with_what_to_do() {
        assert!(on("etcdserver: bad leader transferee").contains("conclave member list"));
        assert_eq!(on("etcdserver: key is not provided"), "");
        assert_eq!(on("something else: no leader"), "");
    }
}
