//! tmp
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use sim::compare::{Contender, Scenario, tally};
#[test]
fn look() {
    for n in [3, 4, 5, 9] {
        for s in Scenario::ALL {
            for c in Contender::FIVE {
                if n == 9 && s != Scenario::ColdStart && s != Scenario::LeaderCrash {
                    continue;
                }
                let t = tally::measure(c, n, s, (if n == 9 { 40 } else { 6 }, 1));
                println!(
                    "{n} {} {}: det {:?} dec {:?} srv {:?} open {} hops {:?} {:?} sync {:?}/{:?} msgs {:?} once {:?} again {} misled {} opening {:?} rec {:?} {:?} {:?}",
                    s.name(),
                    c.name(),
                    t.detect.p50,
                    t.decide.p50,
                    t.serve.p50,
                    t.serve.open,
                    t.hops_decide,
                    t.hops_serve,
                    t.chain_syncs,
                    t.syncs,
                    t.messages,
                    t.messages_at_once,
                    t.again,
                    t.misled,
                    t.opening,
                    t.recovery,
                    t.kinds,
                    t.recovery_kinds
                );
                let p = |c: &tally::Course| {
                    format!(
                        "changes {:?} burnt {:?} L{} A{} unav {:?}",
                        c.changes, c.burnt, c.most_leaders, c.most_acting, c.unavailable.p50
                    )
                };
                println!("    fault {}", p(&t.fault));
                if let Some(h) = &t.healed {
                    println!("    healed {}", p(h));
                }
            }
        }
    }
}
