//! One who stands in a group of agents, and runs a command while its agent leads.
//!
//! The agent tells until when the command may act, by a clock that all processes of a machine have
//! in common. So a line that comes late promises no more than one that comes at once, and an agent
//! that says nothing any more, whatever has become of it, needs no answer: the command ends before
//! that time.

use std::ffi::OsString;
use std::time::Duration;

use protocol::Time;
use serde_json::{Value, json};
use server::elections::{GroupSettings, Wish, boot_time};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::child::Child;
use super::signals::Signals;
use super::{Ended, Terms, notice};
use crate::cli::http::{Http, Lines};
use crate::cli::output::{self, Format, Output};
use crate::failure::{Failure, Result};

/// How often clocks are compared: a timer stands still while the machine is suspended.
const LOOK: Duration = Duration::from_millis(250);
/// How long before the end of the lease the command is killed at the latest.
const MARGIN: Duration = Duration::from_millis(50);
/// How long it may take to tell the agent that the command has stopped.
const PARTING: Duration = Duration::from_secs(2);
/// Lines that may wait to be read.
const LINES: usize = 64;

/// One who stands.
#[derive(Debug)]
pub(in crate::cli) struct Candidate<'a> {
    pub(in crate::cli) http: &'a Http,
    pub(in crate::cli) group: &'a str,
    /// What is said of the group.
    pub(in crate::cli) wish: Vec<String>,
    pub(in crate::cli) terms: &'a Terms,
    pub(in crate::cli) output: Output,
}

/// A term of office. Both are `None` in the classic mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Office {
    fence: Option<u64>,
    until: Option<Time>,
}

impl Office {
    /// What is left of it; for ever, where nothing is promised.
    fn left(&self) -> Duration {
        self.until.map_or(Duration::MAX, |until| until.since(boot_time()))
    }
}

/// What the agent says, by a task that reads nothing else: half a line read is lost when whoever
/// reads it turns to something else.
type Incoming = mpsc::Receiver<Result<Value>>;

fn incoming(mut lines: Lines) -> Incoming {
    let (told, incoming) = mpsc::channel(LINES);
    tokio::spawn(async move {
        while let Some(line) = lines.next().await.transpose() {
            if told.send(line).await.is_err() {
                return;
            }
        }
    });
    incoming
}

impl Candidate<'_> {
    /// From standing to the end of the command.
    pub(in crate::cli) async fn run(self) -> Result {
        let is_json = self.output.format == Format::Json;
        if is_json && !self.terms.command.is_empty() {
            return Err(Failure::usage("-o says how what is held is printed, which CMD is not"));
        }
        let mut signals = Signals::listen()?;
        let mut wish = self.wish.clone();
        wish.extend(self.terms.ttl.map(|ttl| format!("ttl={ttl}s")));
        let body = json!({ "group": self.group, "settings": wish.join(",") });
        let begin = async {
            let asked = boot_time();
            let mut lines = incoming(self.http.lines_of("elections/stand", &body).await?);
            let grace = self.grace(asked, &mut lines).await?;
            Ok::<_, Failure>((lines, grace))
        };
        let (mut lines, grace) = tokio::select! {
            begun = begin => begun?,
            signal = signals.end() => return Err(Failure::ended_by(signal)),
        };
        let mut office = tokio::select! {
            office = self.wait(&mut lines, grace) => office?,
            signal = signals.end() => return Err(Failure::ended_by(signal)),
        };
        if self.terms.command.is_empty() {
            return self.hold(office, &mut lines, &mut signals).await;
        }
        let facts: Vec<(&str, OsString)> = [("CONCLAVE_GROUP", self.group.to_owned())]
            .into_iter()
            .chain(office.fence.map(|fence| ("CONCLAVE_FENCE", fence.to_string())))
            .map(|(name, value)| (name, value.into()))
            .collect();
        let child = match Child::start(&self.terms.command, &facts) {
            Ok(child) => child,
            Err(failure) => {
                self.stopped(office).await;
                return Err(failure);
            }
        };
        let ended = self.attend(child, &mut office, grace, (&mut lines, &mut signals)).await;
        self.stopped(office).await;
        match ended? {
            Ended::ByItself(0) => Ok(()),
            Ended::ByItself(code) => Err(Failure::ended(code)),
            Ended::With(lost) => Err(Failure::new(format!("{} was lost: {lost}", self.what()))),
        }
    }

    fn what(&self) -> String {
        format!("the leadership of {}", self.group)
    }

    /// The first line says how long a lease is in this group, and what time it is for the agent.
    async fn grace(&self, asked: Time, lines: &mut Incoming) -> Result<Duration> {
        let line = next(lines).await?;
        if !line["now"].as_u64().is_some_and(|now| (asked.0..=boot_time().0).contains(&now)) {
            let text = "the agent has another time since its machine's start than this process: \
                        stand at the agent of this machine, outside of time namespaces, since its \
                        leases end by that time";
            return Err(Failure::new(text));
        }
        let settings = line["settings"].as_str().unwrap_or_default();
        let settings = Wish::parse(settings).and_then(|wish| GroupSettings::of(&wish));
        self.terms.grace_of(settings.map_err(Failure::new)?.ttl)
    }

    /// Waits for an office that lasts longer than the grace of a command: what was said while this
    /// process stood still may be over.
    async fn wait(&self, lines: &mut Incoming, grace: Duration) -> Result<Office> {
        let mut current = None;
        loop {
            let line = next(lines).await?;
            if line["event"] == "elected" {
                current = Some(office(&line));
            } else if let Some(known) = &mut current {
                let is_over = lost(Some(Ok(line)), known).is_some();
                current = current.filter(|_| !is_over);
            } else {
                self.waits(&line);
            }
            if let Some(office) = current.filter(|office| office.left() > grace) {
                return Ok(office);
            }
        }
    }

    /// Whoever waits is told whom for.
    fn waits(&self, line: &Value) {
        warn(line);
        if let Some(name) = line["leader"]["name"].as_str().filter(|_| line["event"] == "leader") {
            notice(format!("{} leads {}: this one waits", name.escape_debug(), self.group));
        }
    }

    /// Waits for the end of the command, and sees to it that it comes in time.
    async fn attend(
        &self,
        mut child: Child,
        office: &mut Office,
        grace: Duration,
        (lines, signals): (&mut Incoming, &mut Signals),
    ) -> Result<Ended<String>> {
        let lost = loop {
            let Some(left) = office.left().checked_sub(grace).filter(|left| !left.is_zero()) else {
                break "it could not be renewed in time".to_owned();
            };
            tokio::select! {
                code = child.end() => return Ok(Ended::ByItself(code?)),
                line = lines.recv() => if let Some(lost) = lost(line, office) { break lost },
                signal = signals.next() => child.pass_on(signal),
                () = sleep(left.min(LOOK)) => {}
            }
        };
        let told = told(office);
        notice(format!("{} is lost: {lost}; its command is told to end", self.what()));
        let end = boot_time() + grace.min(office.left().saturating_sub(MARGIN));
        child.finish(|| end.since(boot_time())).await?;
        Ok(Ended::With(format!("{lost}; its command was ended{told}")))
    }

    /// Without a command: prints what is held, and holds it until a signal comes.
    async fn hold(
        &self,
        mut office: Office,
        lines: &mut Incoming,
        signals: &mut Signals,
    ) -> Result {
        match self.output.format {
            Format::Json => output::json(&json!({ "group": self.group, "fence": office.fence }))?,
            Format::Plain => match office.fence {
                Some(fence) => output::line(format!("{}\nfence {fence}", self.group))?,
                None => output::line(self.group)?,
            },
        }
        let lost = loop {
            let left = office.left();
            if left.is_zero() {
                break Some("it could not be renewed in time".to_owned());
            }
            tokio::select! {
                _ = signals.end() => break None,
                line = lines.recv() => if let Some(lost) = lost(line, &mut office) {
                    break Some(lost);
                },
                () = sleep(left.min(LOOK)) => {}
            }
        };
        self.stopped(office).await;
        let failure = |lost| Failure::new(format!("{} was lost: {lost}", self.what()));
        lost.map_or(Ok(()), |lost| Err(failure(lost)))
    }

    /// Lets the agent release the lease. Where that fails, it runs out.
    async fn stopped(&self, office: Office) {
        let Some(epoch) = office.fence else { return };
        let body = json!({ "group": self.group, "epoch": epoch });
        let _late = timeout(PARTING, self.http.post("elections/stopped", &body)).await;
    }
}

async fn next(lines: &mut Incoming) -> Result<Value> {
    let ended = || Err(Failure::new("the agent has ended, or takes no part in the group any more"));
    lines.recv().await.unwrap_or_else(ended)
}

fn office(line: &Value) -> Office {
    Office { fence: line["epoch"].as_u64(), until: line["until"].as_u64().map(Time) }
}

/// What a line says of the office: why it is lost, if it is.
fn lost(line: Option<Result<Value>>, office: &mut Office) -> Option<String> {
    let line = match line {
        Some(Ok(line)) => line,
        Some(Err(error)) => return Some(error.text().to_owned()),
        None => return Some("the agent has ended".to_owned()),
    };
    match line["event"].as_str() {
        Some("extended") if line["epoch"].as_u64() == office.fence => {
            office.until = office.until.max(line["until"].as_u64().map(Time));
            None
        }
        Some("lost") => Some(line["why"].as_str().unwrap_or("nobody says why").to_owned()),
        _ => {
            warn(&line);
            None
        }
    }
}

fn warn(line: &Value) {
    if line["event"] == "warning" {
        notice(line["text"].as_str().unwrap_or_default().to_owned());
    }
}

/// Nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// What to compare with what others say of the same time.
fn told(office: &Office) -> String {
    match (office.fence, office.until) {
        (Some(fence), Some(until)) => {
            let (seconds, rest) = (until.0 / SECOND, until.0 % SECOND);
            let left = office.left().as_secs_f64();
            format!(
                " (fence {fence}, lease for {left:.1} s more: until {seconds}.{rest:09} s after \
                 the machine's start)"
            )
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_office_is_extended_by_its_own_epoch_and_never_shortened() {
        let elected = json!({ "event": "elected", "epoch": 7, "until": 1_000 });
        let mut office = office(&elected);
        let mut hears = |line: Value| (lost(Some(Ok(line)), &mut office), office.until);
        let extended =
            |epoch: u64, until: u64| json!({ "event": "extended", "epoch": epoch, "until": until });
        assert_eq!(hears(extended(7, 2_000)), (None, Some(Time(2_000))));
        assert_eq!(hears(extended(7, 1_500)), (None, Some(Time(2_000))));
        assert_eq!(hears(extended(8, 9_000)), (None, Some(Time(2_000))));
        let (why, _) = hears(json!({ "event": "lost", "epoch": 7, "why": "x" }));
        assert_eq!(why.as_deref(), Some("x"));
        assert_eq!(lost(None, &mut office).as_deref(), Some("the agent has ended"));
        assert_eq!(office.left(), Duration::ZERO);
    }
}
