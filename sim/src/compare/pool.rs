//! How candidates of Bully hear of each other: gossip about who has been alive when.
//!
//! Each candidate tells each other one, once a beat, when it has last known whom alive. So news
//! goes around a cut way wherever there is a way around. Whoever has not been news for longer than
//! a silence drawn for it is suspected, and given up after as long again. These rounds are what
//! heartbeats are to Raft, so they are not counted either.

use std::time::Duration;

use protocol::bully::{Shown, Standing};
use protocol::{Rng, Time};

use super::member::Input;
use super::settings::Settings;
use crate::draw::Draw;

/// What a candidate tells: of each when it was alive, by its own word, and what it shows.
pub(super) type News = Vec<Option<(Time, Shown)>>;

#[derive(Clone, Debug)]
struct Heard {
    alive: Time,
    at: Time,
    silence: Duration,
    shown: Shown,
    standing: Standing,
}

/// What each candidate has heard of each.
#[derive(Debug)]
pub(super) struct Pool {
    settings: Settings,
    shown: Vec<Option<Shown>>,
    heard: Vec<Vec<Option<Heard>>>,
}

impl Pool {
    pub(super) fn new(nodes: usize, settings: &Settings) -> Self {
        let (settings, shown) = (settings.clone(), vec![None; nodes]);
        Self { settings, shown, heard: vec![vec![None; nodes]; nodes] }
    }

    pub(super) fn show(&mut self, who: usize, shown: Shown) {
        self.shown[who] = Some(shown);
    }

    /// A candidate that starts again knows nobody.
    pub(super) fn forget(&mut self, who: usize) {
        self.shown[who] = None;
        self.heard[who].iter_mut().for_each(|heard| *heard = None);
    }

    pub(super) fn tells(&self, who: usize, now: Time) -> News {
        let own = self.shown[who].clone().map(|shown| (now, shown));
        let of = |heard: &Option<Heard>| heard.as_ref().map(|it| (it.alive, it.shown.clone()));
        let mut news: News = self.heard[who].iter().map(of).collect();
        news[who] = own;
        news
    }

    /// What a candidate makes of such news.
    pub(super) fn hears(&mut self, who: usize, news: News, now: Time, rng: &mut Rng) -> Vec<Input> {
        let mut inputs = Vec::new();
        for (of, (alive, shown)) in
            news.into_iter().enumerate().filter_map(|(of, it)| Some((of, it?)))
        {
            let known = self.heard[who][of].as_ref();
            if of == who || known.is_some_and(|known| known.alive >= alive) {
                continue;
            }
            let same = known.is_some_and(|it| it.standing == Standing::Alive && it.shown == shown);
            let silence = rng.between(&self.settings.silence);
            let standing = Standing::Alive;
            if !same {
                inputs.push(Input::Saw { shown: shown.clone(), standing });
            }
            self.heard[who][of] = Some(Heard { alive, at: now, silence, shown, standing });
        }
        inputs
    }

    /// Whom a candidate suspects or gives up by now.
    pub(super) fn misses(&mut self, who: usize, now: Time) -> Vec<Input> {
        let mut inputs = Vec::new();
        for heard in self.heard[who].iter_mut().flatten() {
            let silent = now.since(heard.at);
            let standing = match heard.standing {
                Standing::Alive if silent >= heard.silence => Standing::Suspect,
                Standing::Suspect if silent >= heard.silence * 2 => Standing::Failed,
                Standing::Alive | Standing::Suspect | Standing::Failed => continue,
            };
            heard.standing = standing;
            inputs.push(Input::Saw { shown: heard.shown.clone(), standing });
        }
        inputs
    }

    /// When a candidate suspects somebody next, if it hears nothing.
    pub(super) fn timeout(&self, who: usize) -> Option<Time> {
        let due = |heard: &Heard| match heard.standing {
            Standing::Alive => Some(heard.at + heard.silence),
            Standing::Suspect => Some(heard.at + heard.silence * 2),
            Standing::Failed => None,
        };
        self.heard[who].iter().flatten().filter_map(due).min()
    }
}
