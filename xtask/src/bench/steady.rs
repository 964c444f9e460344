//! A load that goes on while something else happens, and what it met in each part of that time.
//!
//! It is `conclave bench put` with a rate, so that a stall makes requests late instead of few:
//! each counts from when it was due. It writes a line for each answer, and is ended by its guard.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::client::Client;
use super::cluster::Ground;
use super::process::Process;

/// How long the first answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// Puts a second, and from how many clients at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) per_second: u64,
    pub(crate) clients: u64,
}

/// A running load. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Steady<'a> {
    process: Process<'a>,
    samples: PathBuf,
}

/// A moment, in microseconds since 1970, as samples have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// What the load met between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Window {
    pub(crate) answers: usize,
    pub(crate) failures: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// The longest time without an answer.
    pub(crate) gap_ms: f64,
}

/// Answers in order, each with its latency; none for a failure.
#[derive(Clone, Debug)]
pub(crate) struct Samples(Vec<(u64, Option<u64>)>);

impl Moment {
    pub(crate) fn now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(now.as_micros()).unwrap_or(u64::MAX))
    }

    pub(crate) fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e6
    }

    pub(crate) fn before(self, time: Duration) -> Self {
        Self(self.0 - u64::try_from(time.as_micros()).unwrap_or(self.0).min(self.0))
    }
}

impl<'a> Steady<'a> {
    /// Starts it, and waits for its first answer.
    pub(crate) fn start(
        client: &Client,
        ground: &'a Ground,
        endpoints: &str,
        rate: Rate,
    ) -> Result<Self, Box<dyn Error>> {
        let samples = ground.path().join("samples");
        let (clients, per_second) = (rate.clients.to_string(), rate.per_second.to_string());
        let path = samples.to_string_lossy();
        let words = [
            "bench",
            "put",
            "--tolerate",
            "--duration",
            "24h",
            "--key-prefix",
            "steady/",
            "--timeout",
            "60s",
            "--clients",
            &clients,
            "--rate",
            &per_second,
            "--samples",
            &path,
        ];
        let _absent = fs::remove_file(&samples);
        let process = ground.start(&mut client.command(endpoints, &words), "steady.log")?;
        let mut steady = Self { process, samples };
        let deadline = Instant::now() + PATIENCE;
        while !steady.samples.exists() || steady.read()?.0.is_empty() {
            steady.process.assert_running()?;
            if Instant::now() >= deadline {
                return Err("the load gets no answer".into());
            }
            thread::sleep(PAUSE);
        }
        Ok(steady)
    }

    /// What it has met so far.
    pub(crate) fn read(&self) -> Result<Samples, Box<dyn Error>> {
        Ok(Samples::parse(&fs::read_to_string(&self.samples)?))
    }

    /// Lets it run for a time, and tells what it met.
    pub(crate) fn watch(&mut self, time: Duration) -> Result<Window, Box<dyn Error>> {
        self.during(|| {
            thread::sleep(time);
            Ok(())
        })
        .map(|((), window)| window)
    }

    /// Does something, and tells what the load met meanwhile.
    pub(crate) fn during<T>(
        &mut self,
        work: impl FnOnce() -> Result<T, Box<dyn Error>>,
    ) -> Result<(T, Window), Box<dyn Error>> {
        let from = Moment::now();
        let done = work()?;
        self.process.assert_running()?;
        let window = self.read()?.window(from, Moment::now());
        Ok((done, window))
    }
}

impl Samples {
    /// The last line may be half written.
    fn parse(text: &str) -> Self {
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let sample = |line: &str| {
            let (at, latency) = line.split_once(' ')?;
            Some((at.parse().ok()?, latency.parse().ok()))
        };
        Self(whole.lines().filter_map(sample).collect())
    }

    /// The part between two moments.
    pub(crate) fn window(&self, from: Moment, to: Moment) -> Window {
        let within = |(at, _): &&(u64, Option<u64>)| (from.0..to.0).contains(at);
        let all: Vec<_> = self.0.iter().filter(within).collect();
        let mut latencies: Vec<u64> = all.iter().filter_map(|(_, latency)| *latency).collect();
        latencies.sort_unstable();
        let ms = |per_cent: usize| {
            let place = (latencies.len() * per_cent).div_ceil(100).max(1) - 1;
            latencies.get(place).map_or(f64::NAN, |us| *us as f64 / 1e3)
        };
        Window {
            answers: latencies.len(),
            failures: all.len() - latencies.len(),
            p50_ms: ms(50),
            p99_ms: ms(99),
            max_ms: ms(100),
            gap_ms: self.gap_us(from, to) as f64 / 1e3,
        }
    }

    fn gap_us(&self, from: Moment, to: Moment) -> u64 {
        let answers = self.0.iter().filter(|(_, latency)| latency.is_some()).map(|(at, _)| *at);
        let within = answers.filter(|at| (from.0..to.0).contains(at));
        let marks: Vec<u64> = [from.0].into_iter().chain(within).chain([to.0]).collect();
        marks.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_its_own_quantiles_failures_and_longest_silence() {
        let mut text: String = (1..=100).map(|n| format!("{} {}\n", n * 1_000, n * 10)).collect();
        text += "100500 -\n400000 9000\n400";
        let samples = Samples::parse(&text);
        let first = samples.window(Moment(1_000), Moment(100_001));
        assert_eq!((first.answers, first.failures), (100, 0));
        assert_eq!((first.p50_ms, first.p99_ms, first.max_ms), (0.5, 0.99, 1.0));
        assert_eq!(first.gap_ms, 1.0);
        let second = samples.window(Moment(100_001), Moment(500_000));
        assert_eq!((second.answers, second.failures, second.p99_ms), (1, 1, 9.0));
        assert_eq!(second.gap_ms, 299.999);
        let nothing = samples.window(Moment(500_000), Moment(600_000));
        assert!(nothing.p99_ms.is_nan() && nothing.gap_ms == 100.0);
    }
}
