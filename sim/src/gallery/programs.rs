//! Programs that elect a leader of their own by the store.

use bytes::Bytes;
use node::{Request, RequestId};
use store::{
    Command, Compare, Comparison, Condition, KeyRange, LeaseId, Operation, Outcome, Put, Txn,
};

use super::Scenario;
use super::stage::{Stage, Step, Stop, claim, options};
use crate::history::{Ending, Told};
use crate::seen::Place;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    tag: "s2_11",
    title: "Programs that let the cluster elect their leader",
    story: "As the controllers of Kubernetes do with etcd: two programs want one of them to be \
            active. Each has a lease and puts the same key in its name, if nobody has yet; the \
            store decides whose was first, whatever becomes of its own leader meanwhile. The \
            active one dies and renews its lease no more. The key goes with the lease, and the \
            other one gets it, at a higher revision: whoever serves the active program can tell \
            the later one from one that was only slow.",
    routine: false,
    open: |seed| Stage::new(options(3), seed),
    play: s2_11,
}];

const KEY: &str = "controllers/leader";

/// A program has a lease for two seconds.
fn lease(stage: &mut Stage, at: Place, id: i64) -> Step {
    let grant = Command::LeaseGrant { id: LeaseId(id), ttl: 2 };
    let asked = stage.world.ask(at, Request::Write(grant));
    stage.done(asked)
}

/// A program puts the key in its name, if nobody has.
fn stand(stage: &mut Stage, at: Place, name: &'static str, lease: i64) -> RequestId {
    let key = Bytes::from_static(KEY.as_bytes());
    let compare = Compare {
        range: KeyRange::single(key.clone()),
        comparison: Comparison::Equal,
        condition: Condition::CreateRevision(0),
    };
    let put = Put {
        key,
        value: Some(Bytes::from_static(name.as_bytes())),
        lease: Some(Some(LeaseId(lease))),
        prev_kv: false,
    };
    let txn =
        Txn { compare: vec![compare], success: vec![Operation::Put(put)], failure: Vec::new() };
    stage.world.ask(at, Request::Write(Command::Txn(txn)))
}

/// Whether it was the first, and the revision at which that was decided.
fn decided(stage: &mut Stage, id: RequestId) -> Step<(bool, i64)> {
    stage.done(id)?;
    match stage.world.reply(id) {
        Some(Ending::Answered(answer)) => match &answer.told {
            Told::Outcome(Outcome::Txn { succeeded, .. }) => {
                Ok((*succeeded, answer.header.revision))
            }
            other => Err(Stop::Claim(format!("a transaction was answered with {other:?}"))),
        },
        other => Err(Stop::Claim(format!("a transaction ended as {other:?}"))),
    }
}

fn s2_11(stage: &mut Stage) -> Step {
    stage.led_by(1)?;
    lease(stage, 0, 11)?;
    lease(stage, 2, 12)?;
    let first = stand(stage, 0, "p", 11);
    let (won, fence) = decided(stage, first)?;
    claim(won, || "the first to ask did not get the key".into())?;
    stage.note("Program p asked node 1, and is active.");
    let second = stand(stage, 2, "q", 12);
    let (won, _) = decided(stage, second)?;
    claim(!won, || "two programs are active".into())?;
    stage.note("Program q asked node 3, and waits.");
    stage.world.crash(1);
    stage.another(1, &[0, 2])?;
    let read = stage.get(2, KEY, false);
    stage.done(read)?;
    stage.claim_value(read, "p")?;
    stage.note("The cluster has another leader, and p is active still. Now p dies.");
    let renewed = stage.world.ask(2, Request::LeaseRenew(LeaseId(12)));
    stage.done(renewed)?;
    loop {
        let read = stage.get(2, KEY, false);
        stage.done(read)?;
        if stage.value(read)?.is_none() {
            break;
        }
        stage.pass(std::time::Duration::from_millis(100));
        let renewed = stage.world.ask(2, Request::LeaseRenew(LeaseId(12)));
        stage.done(renewed)?;
    }
    stage.note("The lease of p is over, and the key with it.");
    let third = stand(stage, 2, "q", 12);
    let (won, later) = decided(stage, third)?;
    claim(won, || "q did not get the key".into())?;
    claim(later > fence, || format!("the fence fell from {fence} to {later}"))?;
    stage.note("Program q is active, at a higher revision than p ever was.");
    stage.claim_one_leader_a_term()
}
