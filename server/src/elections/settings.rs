//! What is said of a group, in the settings of an agent, by a program, and in the group's file.
//!
//! ```text
//! expect=3,rank=10,mode=safe,rank-by=priority,ttl=10s,preempt=never
//! electors=web-1+web-2+web-3
//! mode=classic,rank=5
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use protocol::NodeId;
use protocol::bootstrap::Pledge;
use protocol::bully::{self, Config, Damped, Electors, Preemption, Ranking, Safety, Timing};

use super::candidate;

/// By how many millionths one machine's clock may run faster than another's: far more than the
/// clocks of machines that work do.
const DRIFT_PPM: u32 = 10_000;
/// A leader renews its lease so often in each.
const RENEWALS: u32 = 5;
/// Members that a list may have; while one follows another, there are two.
pub(super) const NAMED_MOST: usize = 32;
/// The shortest lease and the longest.
const TTL: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
const TTL_DEFAULT: Duration = Duration::from_secs(10);
/// What steadiness takes, where leaders yield to steady ones only.
const DAMPED: Damped = Damped {
    stable: Duration::from_secs(30),
    hold_down: Duration::from_secs(60),
    half_life: Duration::from_secs(600),
    suppress: 6,
};
const NAMES: [&str; 7] = ["mode", "expect", "electors", "rank", "rank-by", "ttl", "preempt"];

/// How much an election promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// A majority of a durable electorate grants each term of office.
    #[default]
    Safe,
    /// The textbook's: two leaders in a split network.
    Classic,
}

/// Who decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The first so many that meet.
    Expect(usize),
    /// The agents of these names.
    Named(BTreeSet<String>),
}

/// What somebody says of a group, all of it or a part, as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish(BTreeMap<String, String>);

/// What an agent goes by in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// How much an election promises.
    pub mode: Mode,
    /// Who decides; `None` in the classic mode.
    pub who: Option<Who>,
    /// The agent's priority.
    pub rank: u64,
    /// What ranks go by.
    pub ranking: Ranking,
    /// How long a lease is.
    pub ttl: Duration,
    /// When a leader yields to a better candidate.
    pub preempt: Preemption,
}

impl Who {
    /// The names that are given.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::Expect(_) => None,
            Self::Named(names) => Some(names),
        };
        names.into_iter().flatten().map(String::as_str)
    }
}

impl Wish {
    /// Reads `name=value,…`.
    ///
    /// # Errors
    /// A sentence about what makes no sense.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut wish = Self::default();
        for pair in text.split(',').filter(|pair| !pair.is_empty()) {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(format!("{pair:?} is no setting of a group such as expect=3"));
            };
            wish.set(name, value)?;
        }
        Ok(wish)
    }

    /// Says one thing more.
    ///
    /// # Errors
    /// There is no such thing, or it was said already.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if !NAMES.contains(&name) {
            let known = NAMES.join(", ");
            return Err(format!("a group has no setting {name:?}; it has {known}"));
        }
        match self.0.insert(name.to_owned(), value.to_owned()) {
            None => Ok(()),
            Some(_) => Err(format!("{name} is given twice")),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> =
            self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        f.write_str(&pairs.join(","))
    }
}

impl GroupSettings {
    /// All that is said, and the default for what is not.
    ///
    /// # Errors
    /// A sentence about what makes no sense, or is missing.
    pub fn of(wish: &Wish) -> Result<Self, String> {
        let mode = match wish.get("mode") {
            None | Some("safe") => Mode::Safe,
            Some("classic") => Mode::Classic,
            Some(other) => return Err(format!("the mode {other:?} is neither safe nor classic")),
        };
        let who = who(wish)?;
        if mode == Mode::Classic && (who.is_some() || wish.get("preempt").is_some()) {
            let text = "the classic mode counts nobody: no expect, electors or preempt";
            return Err(text.to_owned());
        }
        if mode == Mode::Safe && who.is_none() {
            let text = "who decides in this group is not said: how many agents are expected \
                        (--expect N, 1 to 16), or which ones (--electors A,B,C); in --groups, \
                        expect=N or electors=A+B+C";
            return Err(text.to_owned());
        }
        let rank = match wish.get("rank") {
            None => 0,
            Some(text) => text.parse().map_err(|_| format!("the rank {text:?} is no number"))?,
        };
        let ranking = match wish.get("rank-by") {
            None | Some("priority") => Ranking::Priority,
            Some("id") => Ranking::Id,
            Some("freshness") => Ranking::Freshness,
            Some(other) => {
                return Err(format!("rank-by is id, priority or freshness, not {other:?}"));
            }
        };
        let preempt = match wish.get("preempt") {
            None | Some("never") => Preemption::Never,
            Some("eager") => Preemption::Eager,
            Some("damped") => Preemption::Damped(DAMPED),
            Some(other) => {
                return Err(format!("preempt is never, eager or damped, not {other:?}"));
            }
        };
        Ok(Self { mode, who, rank, ranking, ttl: ttl(wish)?, preempt })
    }

    /// These settings, with another rank if there is one in what somebody says.
    ///
    /// # Errors
    /// It says anything else than they do.
    pub fn with(&self, wish: &Wish) -> Result<Self, String> {
        let told = self.and(wish).filter(|told| Self { rank: self.rank, ..told.clone() } == *self);
        told.ok_or_else(|| {
            let alone = |(name, value): (&String, &String)| {
                let wish = Wish(BTreeMap::from([(name.clone(), value.clone())]));
                let told = self.and(&wish).map(|told| Self { rank: self.rank, ..told });
                (told.as_ref() != Some(self)).then(|| name.clone())
            };
            let names: Vec<String> = wish.0.iter().filter_map(alone).collect();
            let names = names.join(", ");
            format!(
                "this agent goes by {self} in this group already, and that differs in {names}; say \
                 the same, or nothing"
            )
        })
    }

    /// These settings with others in their place, if that makes sense.
    fn and(&self, wish: &Wish) -> Option<Self> {
        let mut both = Wish::parse(&self.to_string()).ok()?;
        both.0.extend(wish.0.clone());
        // Saying it the other way is saying something else.
        for (one, other) in [("expect", "electors"), ("electors", "expect")] {
            if wish.get(one).is_some() {
                both.0.remove(other);
            }
        }
        Self::of(&both).ok()
    }

    /// The core's configuration.
    pub(super) fn config(&self, id: NodeId, timing: Timing) -> Config {
        let mode = match &self.who {
            None => bully::Mode::Classic,
            Some(who) => bully::Mode::Safe(Safety {
                electors: match who {
                    Who::Expect(expect) => Electors::Expect(*expect),
                    Who::Named(names) => {
                        Electors::Named(names.iter().map(|name| candidate(name)).collect())
                    }
                },
                lease: self.ttl,
                renew: self.ttl / RENEWALS,
                drift_ppm: DRIFT_PPM,
                preemption: self.preempt,
            }),
        };
        Config { id, priority: self.rank, ranking: self.ranking, timing, mode }
    }
}

fn who(wish: &Wish) -> Result<Option<Who>, String> {
    match (wish.get("expect"), wish.get("electors")) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err("expect and electors are two ways to say who decides".to_owned()),
        (Some(text), None) => {
            let most = Pledge::MOST;
            let number = text.parse().ok().filter(|number| (1..=most).contains(number));
            let number = number.ok_or_else(|| {
                format!("expect={text} is no number from 1 to {most}; a list may have more")
            })?;
            Ok(Some(Who::Expect(number)))
        }
        (None, Some(text)) => {
            let names: BTreeSet<String> =
                text.split('+').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            if !(1..=NAMED_MOST).contains(&names.len()) {
                return Err(format!("electors names 1 to {NAMED_MOST} agents"));
            }
            Ok(Some(Who::Named(names)))
        }
    }
}

fn ttl(wish: &Wish) -> Result<Duration, String> {
    let Some(text) = wish.get("ttl") else { return Ok(TTL_DEFAULT) };
    let read = |number: &str, unit: u64| {
        let millis = number.parse::<u64>().ok()?.checked_mul(unit)?;
        Some(Duration::from_millis(millis)).filter(|ttl| TTL.contains(ttl))
    };
    let ttl = match text.strip_suffix("ms") {
        Some(number) => read(number, 1),
        None => text.strip_suffix('s').and_then(|number| read(number, 1_000)),
    };
    ttl.ok_or_else(|| format!("ttl={text} is no time such as 10s or 1500ms, of 1 s to 3600 s"))
}

impl fmt::Display for GroupSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            Mode::Safe => "safe",
            Mode::Classic => "classic",
        };
        write!(f, "mode={mode}")?;
        match &self.who {
            None => {}
            Some(Who::Expect(expect)) => write!(f, ",expect={expect}")?,
            Some(Who::Named(names)) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                write!(f, ",electors={}", names.join("+"))?;
            }
        }
        let ranking = match self.ranking {
            Ranking::Id => "id",
            Ranking::Priority => "priority",
            Ranking::Freshness => "freshness",
        };
        write!(f, ",rank={},rank-by={ranking},ttl={}ms", self.rank, self.ttl.as_millis())?;
        match (self.mode, self.preempt) {
            (Mode::Classic, _) => Ok(()),
            (Mode::Safe, Preemption::Never) => f.write_str(",preempt=never"),
            (Mode::Safe, Preemption::Eager) => f.write_str(",preempt=eager"),
            (Mode::Safe, Preemption::Damped(_)) => f.write_str(",preempt=damped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<GroupSettings, String> {
        GroupSettings::of(&Wish::parse(text)?)
    }

    #[test]
    fn settings_are_read_as_they_are_written() {
        for text in [
            "expect=3",
            "electors=a+b+c,rank=7,rank-by=freshness,ttl=1500ms,preempt=damped",
            "mode=classic,rank=1,rank-by=id",
            "mode=safe,expect=16,ttl=3600s,preempt=eager",
        ] {
            let settings = of(text).unwrap();
            assert_eq!(of(&settings.to_string()), Ok(settings), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_in_a_sentence() {
        for (text, part) in [
            ("", "is not said"),
            ("expect=0", "1 to 16"),
            ("expect=17", "1 to 16"),
            ("expect=3,electors=a", "two ways"),
            ("electors=+", "1 to 32"),
            ("mode=classic,expect=3", "counts nobody"),
            ("mode=fast,expect=3", "neither safe nor classic"),
            ("expect=3,ttl=10", "such as 10s"),
            ("expect=3,ttl=0s", "such as 10s"),
            ("expect=3,rank=-1", "no number"),
            ("expect=3,rank-by=age", "not \"age\""),
            ("expect=3,preempt=often", "not \"often\""),
            ("expect=3,expect=3", "twice"),
            ("size=3", "no setting \"size\""),
            ("three", "no setting of a group"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn only_the_rank_may_be_another_one_later() {
        let settings = of("expect=3,rank=1,ttl=5s").unwrap();
        let with = |text: &str| settings.with(&Wish::parse(text).unwrap());
        assert_eq!(with(""), Ok(settings.clone()));
        assert_eq!(with("expect=3,ttl=5000ms"), Ok(settings.clone()));
        assert_eq!(with("rank=9").unwrap().rank, 9);
        for other in ["expect=5", "ttl=6s", "electors=a+b+c", "mode=classic", "rank-by=id"] {
            let error = with(other).unwrap_err();
            let (name, _) = other.split_once('=').unwrap();
            assert!(error.contains("expect=3"), "{error}");
            assert!(error.contains(&format!("differs in {name};")), "{error}");
        }
    }
}
