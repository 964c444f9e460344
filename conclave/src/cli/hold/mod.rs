//! What `lock` and `elect` share: to wait for a place, and to run a command while it is held.
//!
//! The command lives no longer than the place. It is told to end as soon as the place is lost, or
//! so long before it may be another's that its grace ends first, and is killed at the end of that.
//! When this process dies it dies, too. What nothing here can prevent: that a process which is
//! stopped, or a machine that sleeps, goes on with a place that was lost meanwhile. The fence is
//! for that: whoever the command writes to refuses a smaller one than it has seen.

mod child;
mod gossip;
mod signals;
pub(super) mod tether;

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

use clap::Args;
use client::{Code, Election, Lost, Mutex, Outcome, Place};
use serde_json::json;

use self::child::Child;
pub(super) use self::gossip::Candidate;
use self::signals::Signals;
use super::json;
use super::output::{self, Format, Output};
use crate::advice;
use crate::config::duration;
use crate::failure::{Failure, Result};

/// The command's grace, unless it is given: this share of the time to live.
const GRACES_PER_TTL: u32 = 5;
/// How long somebody who ends the command may wait for a place that is just being taken.
const PARTING: Duration = Duration::from_secs(2);
/// How long is waited for the turn before that is said.
const SILENT: Duration = Duration::from_secs(1);
/// The time to live, unless it is given, in seconds.
const TTL: i64 = 10;
/// The longest time to live, in seconds: a day.
const TTL_MAX: i64 = 86_400;

/// How a place is held.
#[derive(Debug, Args)]
pub(super) struct Terms {
    /// How many seconds after the last sign of life another may take over: 2 to 86400, by gossip
    /// (--algorithm bully) to 3600 [default: 10].
    #[arg(long, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(i64).range(2..=TTL_MAX))]
    ttl: Option<i64>,
    /// How long CMD may take to end when it is told to, before it is killed [default: a fifth of
    /// the time to live].
    #[arg(long, value_parser = duration, value_name = "TIME")]
    grace: Option<Duration>,
    /// What runs while it is held. Without it, it is held until Ctrl-C.
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// What is waited for.
#[derive(Debug)]
pub(super) enum Contest {
    Lock(Mutex),
    Election { election: Election, value: String },
}

/// One who waits, and then holds.
#[derive(Debug)]
pub(super) struct Contender<'a> {
    pub(super) contest: Contest,
    /// What it is called in sentences.
    pub(super) what: String,
    pub(super) terms: &'a Terms,
    pub(super) output: Output,
}

/// How waiting ended.
enum Turn {
    Held(Place),
    /// A signal came first.
    Stopped(i32),
}

impl Contender<'_> {
    /// From the queue to the end of the command.
    pub(super) async fn run(self) -> Result {
        let is_json = self.output.format == Format::Json;
        if is_json && !self.terms.command.is_empty() {
            return Err(Failure::usage("-o says how what is held is printed, which CMD is not"));
        }
        let grace = self.terms.grace()?;
        let mut signals = Signals::listen()?;
        let mut place = match self.wait(&mut signals).await? {
            Turn::Held(place) => place,
            Turn::Stopped(signal) => return Err(Failure::ended_by(signal)),
        };
        if self.terms.command.is_empty() {
            return self.hold(place, &mut signals).await;
        }
        let child = match Child::start(&self.terms.command, &facts(&place)) {
            Ok(child) => child,
            Err(failure) => {
                self.leave(place).await;
                return Err(failure);
            }
        };
        match self.attend(child, &mut place, grace, &mut signals).await? {
            Ended::ByItself(code) => {
                self.leave(place).await;
                if code == 0 { Ok(()) } else { Err(Failure::ended(code)) }
            }
            Ended::With(lost) => {
                let failure = self.failure(&lost, "its command was ended");
                self.leave(place).await;
                Err(failure)
            }
        }
    }

    /// Waits for the turn. A place that is lost meanwhile was nobody's harm: another one is taken.
    async fn wait(&self, signals: &mut Signals) -> Result<Turn> {
        loop {
            let mut enter = std::pin::pin!(self.enter());
            let mut place = tokio::select! {
                place = &mut enter => place?,
                signal = signals.end() => {
                    // What it has put into the queue should not stand there until its lease ends.
                    if let Ok(Ok(place)) = tokio::time::timeout(PARTING, enter).await {
                        self.leave(place).await;
                    }
                    return Ok(Turn::Stopped(signal));
                }
            };
            let lost = tokio::select! {
                turn = self.turn(&mut place) => match turn {
                    Ok(()) => return Ok(Turn::Held(place)),
                    Err(lost) => lost,
                },
                signal = signals.end() => {
                    self.leave(place).await;
                    return Ok(Turn::Stopped(signal));
                }
            };
            if let Lost::Refused(error) = lost {
                self.leave(place).await;
                return Err(error.into());
            }
            eprintln!("conclave: {}: lost its place in the queue: {lost}; queues anew", self.what);
            self.leave(place).await;
        }
    }

    /// Waits for the turn, and says so when that takes a while.
    async fn turn(&self, place: &mut Place) -> Result<(), Lost> {
        let mut turn = std::pin::pin!(place.wait());
        if let Ok(turn) = tokio::time::timeout(SILENT, &mut turn).await {
            return turn;
        }
        notice(format!("{} is another's: this one waits", self.what));
        turn.await
    }

    async fn enter(&self) -> Result<Place> {
        let ttl = self.terms.ttl.unwrap_or(TTL);
        let entered = match &self.contest {
            Contest::Lock(mutex) => mutex.enter(ttl).await,
            Contest::Election { election, value } => election.campaign(value.clone(), ttl).await,
        };
        entered.map_err(|error| self.refusal(error))
    }

    fn refusal(&self, error: client::Error) -> Failure {
        let what = format!("cannot wait for {}", self.what);
        let is_silence = matches!(error.code(), Code::Unavailable | Code::DeadlineExceeded);
        if is_silence && error.outcome() == Outcome::Unknown {
            let advice = advice::QUORUM;
            return Failure::new(format!("{what}: {error}{advice}"));
        }
        Failure::from(error).within(&what)
    }

    /// Without a command: prints what is held, and holds it until a signal comes.
    async fn hold(&self, mut place: Place, signals: &mut Signals) -> Result {
        if let Err(failure) = self.print(&place) {
            self.leave(place).await;
            return Err(failure);
        }
        let lost = tokio::select! {
            _ = signals.end() => None,
            lost = place.lost(Duration::ZERO) => Some(lost),
        };
        let failure = lost.map(|lost| self.failure(&lost, "it is held no longer"));
        self.leave(place).await;
        failure.map_or(Ok(()), Err)
    }

    fn print(&self, place: &Place) -> Result {
        match self.output.format {
            Format::Json => output::json(&json!({
                "key": json::base64(place.key()),
                "fence": place.fence(),
                "lease": place.lease(),
            })),
            Format::Plain => {
                let fence = format!("\nfence {}\n", place.fence());
                output::bytes(&[place.key(), fence.as_bytes()].concat())
            }
        }
    }

    /// Waits for the end of the command, and sees to it that it comes in time.
    async fn attend(
        &self,
        mut child: Child,
        place: &mut Place,
        grace: Duration,
        signals: &mut Signals,
    ) -> Result<Ended<Lost>> {
        let lost = {
            let mut lost = std::pin::pin!(place.lost(grace));
            loop {
                tokio::select! {
                    code = child.end() => return Ok(Ended::ByItself(code?)),
                    lost = &mut lost => break lost,
                    signal = signals.next() => child.pass_on(signal),
                }
            }
        };
        notice(format!("{} is lost: {lost}; its command is told to end", self.what));
        let deadline = (Instant::now() + grace).min(place.expires_at());
        child.finish(|| deadline.saturating_duration_since(Instant::now())).await?;
        Ok(Ended::With(lost))
    }

    fn failure(&self, lost: &Lost, so: &str) -> Failure {
        Failure::new(format!("{} was lost: {lost}; {so}", self.what))
    }

    /// Gives the place up; where that fails, says how long the next one has to wait.
    async fn leave(&self, place: Place) {
        let left = place.expires_at().saturating_duration_since(Instant::now()).as_secs();
        if let Err(error) = place.leave().await {
            let what = &self.what;
            let ends = match left {
                0 => "it has ended by now".to_owned(),
                left => format!("it ends within {left} s"),
            };
            eprintln!("conclave: {what} could not be given up ({error}); {ends}");
        }
    }
}

/// Says something while a command runs, and waits for nobody who reads it: a pipe that stands still
/// must not keep a command alive, nor one that is broken end it.
fn notice(text: String) {
    std::thread::spawn(move || {
        let _unread = writeln!(std::io::stderr(), "conclave: {text}");
    });
}

/// What the command is told of the place.
fn facts(place: &Place) -> [(&'static str, OsString); 3] {
    [
        ("CONCLAVE_FENCE", place.fence().to_string().into()),
        ("CONCLAVE_KEY", OsStr::from_bytes(place.key()).to_owned()),
        ("CONCLAVE_LEASE", format!("{:016x}", place.lease()).into()),
    ]
}

/// How the command ended.
enum Ended<L> {
    ByItself(u8),
    With(L),
}

impl Terms {
    fn grace(&self) -> Result<Duration> {
        self.grace_of(Duration::from_secs(self.ttl.unwrap_or(TTL).unsigned_abs()))
    }

    /// The grace of a command that is told to end, where this is the time to live.
    fn grace_of(&self, ttl: Duration) -> Result<Duration> {
        let grace = self.grace.unwrap_or(ttl / GRACES_PER_TTL);
        if grace > ttl / 2 {
            let text = "--grace is more than half of --ttl: the command would be told to end \
                        before a renewal can be late";
            return Err(Failure::usage(text));
        }
        Ok(grace)
    }
}

/// Reads the name of a lock or a group.
pub(super) fn name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a name has at least one character".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("a name has no control characters".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(ttl: i64, grace_ms: Option<u64>) -> Terms {
        Terms { ttl: Some(ttl), grace: grace_ms.map(Duration::from_millis), command: Vec::new() }
    }

    #[test]
    fn grace_is_a_fifth_of_the_time_to_live_and_at_most_half_of_it() {
        assert_eq!(terms(10, None).grace(), Ok(Duration::from_secs(2)));
        assert_eq!(terms(10, Some(5_000)).grace(), Ok(Duration::from_secs(5)));
        assert!(terms(10, Some(5_001)).grace().is_err());
    }

    #[test]
    fn a_name_is_something_that_can_be_printed() {
        assert_eq!(name("a b/c").as_deref(), Ok("a b/c"));
        assert!(name("").is_err());
        assert!(name("a\nb").is_err());
    }
}
