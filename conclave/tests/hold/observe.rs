//! Following who leads.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client::{Client, Election, Options, Place};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::PATIENCE;
use crate::support::cluster::Cluster;
use crate::worker::{Desk, command, send};

/// `conclave elect --observe`. Dropped, it is killed.
struct Observer {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Observer {
    fn start(cluster: &Cluster, desk: &Desk) -> Observer {
        let words = ["elect", "g", "--observe", "-o", "json"];
        let mut child = command(cluster, desk, &words).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Observer { child, lines }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    fn signal(&self, signal: &str) {
        send(u64::from(self.child.id()), signal);
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// An election that one process stands in for all.
struct Candidates {
    runtime: Runtime,
    election: Election,
}

impl Candidates {
    fn of(cluster: &Cluster) -> Candidates {
        let mut options = Options::to(cluster.endpoints());
        options.request_timeout = PATIENCE;
        let election = Election::new(&Client::new(options).unwrap(), "g").unwrap();
        Candidates { runtime: Runtime::new().unwrap(), election }
    }

    /// Somebody stands, with a lease that outlives the test.
    fn stand(&self, value: &'static str) -> Place {
        self.runtime.block_on(self.election.campaign(value, 3_600)).unwrap()
    }

    fn proclaim(&self, place: &Place, value: &'static str) {
        self.runtime.block_on(place.proclaim(value)).unwrap();
    }

    /// Forgets all of history.
    fn compact(&self, cluster: &Cluster) {
        let client = cluster.client(0);
        self.runtime.block_on(async {
            let revision = client.put("else", "x").await.unwrap().header.unwrap().revision;
            client.compact(revision, true).await.unwrap();
        });
    }

    fn resign(&self, place: Place) {
        self.runtime.block_on(place.leave()).unwrap();
    }
}

fn leads(place: &Place, value: &str) -> Value {
    let text = |bytes: &[u8]| STANDARD.encode(bytes);
    let (key, value) = (text(place.key()), text(value.as_bytes()));
    let (fence, lease) = (place.fence(), place.lease());
    let leader = json!({ "key": key, "value": value, "fence": fence, "lease": lease });
    json!({ "leader": leader, "gap": false })
}

fn nobody() -> Value {
    json!({ "leader": null, "gap": false })
}

#[test]
fn an_observer_sees_every_change_once_whichever_server_dies() {
    let mut cluster = Cluster::start(3);
    let desk = Desk::new();
    let mut observer = Observer::start(&cluster, &desk);
    assert_eq!(observer.next(), nobody());
    let candidates = Candidates::of(&cluster);
    let mut first = candidates.stand("a0");
    assert_eq!(observer.next(), leads(&first, "a0"));
    candidates.runtime.block_on(first.wait()).unwrap();
    // One after the other is killed and comes back, also the one that the observer talks to; what
    // happens meanwhile happens while it does not look, too.
    for at in 0..3 {
        cluster.kill(at);
        observer.signal("STOP");
        candidates.proclaim(&first, "a1");
        let second = candidates.stand("b0");
        let third = candidates.stand("c0");
        candidates.proclaim(&third, "c1");
        let expected = [leads(&first, "a1"), leads(&second, "b0"), leads(&third, "c1")];
        candidates.resign(first);
        candidates.resign(second);
        first = third;
        observer.signal("CONT");
        for change in expected {
            assert_eq!(observer.next(), change);
        }
        cluster.run(at);
        cluster.await_healthy();
    }
    candidates.resign(first);
    assert_eq!(observer.next(), nobody());
}

#[test]
fn an_observer_says_where_changes_can_be_missing_and_nowhere_else() {
    let mut cluster = Cluster::start(1);
    let desk = Desk::new();
    let mut observer = Observer::start(&cluster, &desk);
    assert_eq!(observer.next(), nobody());
    let candidates = Candidates::of(&cluster);
    let first = candidates.stand("a0");
    assert_eq!(observer.next(), leads(&first, "a0"));

    // The leader's fence and version tell that it has led all the time and said one thing more.
    observer.signal("STOP");
    restart(&mut cluster);
    candidates.proclaim(&first, "a1");
    candidates.compact(&cluster);
    observer.signal("CONT");
    assert_eq!(observer.next(), leads(&first, "a1"));

    // Of two things that it has said one is lost.
    observer.signal("STOP");
    restart(&mut cluster);
    let second = candidates.stand("b0");
    candidates.proclaim(&first, "a2");
    candidates.proclaim(&first, "a3");
    candidates.compact(&cluster);
    observer.signal("CONT");
    let expected = json!({ "leader": leads(&first, "a3")["leader"], "gap": true });
    assert_eq!(observer.next(), expected);
    candidates.resign(first);
    assert_eq!(observer.next(), leads(&second, "b0"));
}

/// Breaks every connection to a cluster of one.
fn restart(cluster: &mut Cluster) {
    cluster.kill(0);
    cluster.run(0);
    cluster.await_healthy();
}
