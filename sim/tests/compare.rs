//! tmp
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use sim::compare::{Contender, Scenario, tally, flaps};
#[test]
fn look() {
    for n in [3, 4, 5, 7, 9] {
        for s in Scenario::ALL {
            for c in Contender::FIVE {
                let started = std::time::Instant::now();
                let t = tally::measure(c, n, s, (20, 1));
                println!("{n} {} {}: {:?} det {:?} dec {:?} srv {:?} open {} hops {:?} {:?} sync {:?}/{:?} msgs {:?} once {:?} again {} opening {:?} rec {:?} {:?} {:?}", s.name(), c.name(), started.elapsed(), t.detect.p50, t.decide.p50, t.serve.p50, t.serve.open, t.hops_decide, t.hops_serve, t.chain_syncs, t.syncs, t.messages, t.messages_at_once, t.again, t.opening, t.recovery, t.kinds, t.recovery_kinds);
                println!("    fault {:?}\n    healed {:?}", t.fault, t.healed);
            }
        }
    }
}
#[test]
fn flap() {
    for c in Contender::ALL {
        for p in flaps::PERIODS { println!("{:?}", flaps::measure(c, p, 1)); }
    }
}
