//! Members of a pool on loopback: what one does, the others see.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::time::Duration;

use bytes::Bytes;
use protocol::swim::message::Name;
use protocol::swim::serf::{Event, KeyOperation, Question, Topic};
use server::gossip::{
    Answer, CallError, Key, Notice, Pool, PoolHandle, Profile, Settings, Standing, Subscription,
    tags_of,
};
use tokio::sync::watch;
use tokio::time::timeout;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Agent {
    pool: Pool,
    stop: watch::Sender<bool>,
}

impl Agent {
    fn start(name: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::single(name);
        settings.listen.set_port(0);
        settings.profile = Profile::Local;
        change(&mut settings);
        let (stop, stopping) = watch::channel(false);
        Self { pool: Pool::start(settings, stopping).unwrap(), stop }
    }

    fn handle(&self) -> PoolHandle {
        self.pool.handle().clone()
    }

    fn address(&self) -> String {
        self.pool.handle().advertised().to_string()
    }

    fn stop(self) {
        self.stop.send_replace(true);
        assert!(self.pool.finish().is_some(), "the thread did not panic");
    }
}

/// Waits until a member is believed to be that.
async fn becomes(at: &PoolHandle, name: &str, standing: Standing) {
    let seen = timeout(PATIENCE, async {
        loop {
            let members = at.members().await.unwrap();
            let found = members.iter().find(|member| *member.name() == Name::from(name));
            if found.is_some_and(|member| member.standing == standing) {
                return;
            }
            // The deadline is PATIENCE.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    seen.await.unwrap_or_else(|_| panic!("{name} does not become {standing}"));
}

/// The next event that is of interest.
async fn next<T>(events: &mut Subscription, pick: impl Fn(&Event) -> Option<T>) -> T {
    let found = timeout(PATIENCE, async {
        loop {
            match events.next().await.unwrap() {
                Notice::Event(event) => {
                    if let Some(found) = pick(&event) {
                        return found;
                    }
                }
                Notice::Gap(lost) => panic!("{lost} events lost"),
            }
        }
    });
    found.await.unwrap()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

#[test]
fn members_join_speak_and_leave() {
    run(async {
        let one = Agent::start("one", |settings| {
            settings.tags.insert("role".into(), "web".into());
        });
        let place = one.address();
        let two = Agent::start("two", |settings| settings.join = vec![place]);
        becomes(&two.handle(), "one", Standing::Alive).await;
        becomes(&one.handle(), "two", Standing::Alive).await;
        let members = two.handle().members().await.unwrap();
        assert_eq!(tags_of(&members[0].facts), [("role".to_owned(), "web".to_owned())]);

        let mut events = two.handle().subscribe();
        let (name, payload) = (Bytes::from_static(b"deploy"), Bytes::from_static(b"\x00v7"));
        one.handle().event(name.clone(), payload.clone(), false).await.unwrap();
        let heard = next(&mut events, |event| match event {
            Event::User(event) => Some((event.name.clone(), event.payload.clone())),
            _ => None,
        });
        assert_eq!(heard.await, (name, payload));

        let topic =
            Topic::Named { name: Bytes::from_static(b"load"), payload: Bytes::from_static(b"?") };
        let question =
            Question { topic, filters: vec![], ack: true, relay_factor: 0, timeout: None };
        let mut answers = one.handle().query(question).await.unwrap();
        let id = next(&mut events, |event| match event {
            Event::Query { id, .. } => Some(*id),
            _ => None,
        });
        two.handle().respond(id.await, Bytes::from_static(b"1.0")).await.unwrap();
        let (mut arrived, mut answered) = (vec![], vec![]);
        while let Some(answer) = answers.recv().await {
            match answer {
                Answer::Arrived(from) => arrived.push(from.to_string()),
                Answer::Answered(from, payload) => answered.push((from.to_string(), payload)),
                Answer::Asked | Answer::Refused(_) => panic!("{answer:?}"),
            }
        }
        arrived.sort();
        assert_eq!(arrived, ["one", "two"]);
        assert_eq!(answered, [("two".to_owned(), Bytes::from_static(b"1.0"))]);

        two.stop();
        becomes(&one.handle(), "two", Standing::Left).await;
        one.stop();
    });
}

#[test]
fn a_member_that_has_left_comes_back_as_itself() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let one = Agent::start("one", |_| {});
        let place = one.address();
        let two = Agent::start("two", |settings| {
            settings.join = vec![place.clone()];
            settings.data_dir = Some(dir.path().to_owned());
        });
        becomes(&one.handle(), "two", Standing::Alive).await;
        let incarnation = two.handle().status().await.unwrap().swim.incarnation;
        two.handle().leave().await.unwrap();
        becomes(&one.handle(), "two", Standing::Left).await;
        assert_eq!(two.handle().members().await.unwrap_err(), CallError::Ended);
        two.stop();
        let again = Agent::start("two", |settings| {
            settings.join = vec![place];
            settings.data_dir = Some(dir.path().to_owned());
        });
        becomes(&one.handle(), "two", Standing::Alive).await;
        let later = again.handle().status().await.unwrap().swim.incarnation;
        assert!(later > incarnation, "{later} > {incarnation}: nobody takes it for who it was");
        let gone = one.handle().force_leave(Name::from("nobody"), false).await.unwrap_err();
        assert!(gone.to_string().contains("no member of this name"), "{gone}");
        again.stop();
        one.stop();
    });
}

#[test]
fn keys_go_round_and_whoever_has_none_stays_outside() {
    run(async {
        let key = |byte| Key::new(&[byte; 32]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let one = Agent::start("one", |settings| {
            settings.key = Some(key(1));
            settings.data_dir = Some(dir.path().to_owned());
        });
        let place = one.address();
        let two = Agent::start("two", |settings| {
            settings.key = Some(key(1));
            settings.join = vec![place.clone()];
        });
        becomes(&one.handle(), "two", Standing::Alive).await;
        for wrong in [None, Some(key(9))] {
            let three = Agent::start("three", |settings| settings.key = wrong);
            let refused = three.handle().join(&place).await.unwrap_err();
            assert!(matches!(refused, CallError::Join(_)), "{refused}");
            three.stop();
        }
        assert_eq!(one.handle().members().await.unwrap().len(), 2);
        assert_eq!(one.pool.handle().traffic().refusals.iter().count(), 2, "no key, wrong key");

        let raw = Bytes::from(vec![2; 32]);
        for operation in [KeyOperation::Install(raw.clone()), KeyOperation::Use(raw.clone())] {
            let report = two.handle().keys(operation).await.unwrap();
            assert!(report.is_done(), "{report:?}");
        }
        let old = KeyOperation::Remove(Bytes::from(vec![1; 32]));
        let report = one.handle().keys(old).await.unwrap();
        assert!(report.is_done(), "{report:?}");
        let primary = KeyOperation::Remove(raw);
        let report = one.handle().keys(primary).await.unwrap();
        assert_eq!(report.refused.len(), 2, "{report:?}");
        let report = two.handle().keys(KeyOperation::List).await.unwrap();
        assert_eq!(report.keys.into_iter().collect::<Vec<_>>(), [(key(2).to_base64(), 2)]);
        one.stop();
        let again = Agent::start("one", |settings| {
            settings.key = Some(key(1));
            settings.data_dir = Some(dir.path().to_owned());
        });
        let place = two.address();
        again.handle().join(&place).await.unwrap();
        becomes(&two.handle(), "one", Standing::Alive).await;
        again.stop();
        two.stop();
    });
}
