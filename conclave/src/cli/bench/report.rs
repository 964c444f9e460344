//! What a run came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::gaps::{Gap, Gaps};

/// Latencies above this count as this: 10 minutes, in nanoseconds.
const LATENCY_MAX_NS: u64 = 600_000_000_000;
/// How many different error texts are kept apart.
const ERRORS_KEPT: usize = 100;
/// How many gaps are printed for people.
const GAPS_PRINTED: usize = 20;

/// The measurements of a run.
#[derive(Debug)]
pub(crate) struct Report {
    what: &'static str,
    start: Instant,
    warmup: Duration,
    /// Nanoseconds, to three digits.
    latency: Histogram<u64>,
    errors: BTreeMap<String, u64>,
    gaps: Gaps,
    /// Requests acknowledged, warm-up included.
    acknowledged: u64,
    /// When the last measured request was answered.
    end: Instant,
}

impl Report {
    pub(crate) fn new(what: &'static str, start: Instant, warmup: Duration) -> Report {
        let latency = Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3)
            .expect("the bounds are right: 1 is below the maximum, and 3 digits are allowed");
        Report {
            what,
            start,
            warmup,
            latency,
            errors: BTreeMap::new(),
            gaps: Gaps::new(start),
            acknowledged: 0,
            end: start + warmup,
        }
    }

    /// A request that was due at `due` is answered.
    pub(crate) fn success(&mut self, due: Instant, now: Instant) {
        self.acknowledged += 1;
        self.gaps.acknowledged(now);
        if now.saturating_duration_since(self.start) < self.warmup {
            return;
        }
        let latency = now.saturating_duration_since(due).as_nanos();
        let bounded = u64::try_from(latency).unwrap_or(u64::MAX).clamp(1, LATENCY_MAX_NS);
        self.latency.saturating_record(bounded);
        self.end = now;
    }

    /// A request has failed.
    pub(crate) fn failure(&mut self, text: &str) {
        let known = self.errors.len() < ERRORS_KEPT || self.errors.contains_key(text);
        let text = if known { text } else { "others" };
        *self.errors.entry(text.to_owned()).or_default() += 1;
    }

    /// How many requests have failed.
    pub(crate) fn failures(&self) -> u64 {
        self.errors.values().sum()
    }

    fn measured(&self) -> Duration {
        self.end.saturating_duration_since(self.start + self.warmup)
    }

    /// Measured requests a second.
    fn rate(&self) -> f64 {
        let seconds = self.measured().as_secs_f64();
        if seconds > 0.0 { self.latency.len() as f64 / seconds } else { 0.0 }
    }

    fn quantile_ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e6
    }

    /// For people. Gaps are part of it when they were asked for.
    pub(crate) fn text(&self, gaps: bool) -> String {
        let mut text = format!(
            "{} {}s in {:.2} s: {:.0} per second\n",
            self.latency.len(),
            self.what,
            self.measured().as_secs_f64(),
            self.rate()
        );
        let quantiles = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];
        for (name, quantile) in quantiles {
            let _ = writeln!(text, "  {name:<6}{:>10.3} ms", self.quantile_ms(quantile));
        }
        let _ = writeln!(text, "  {:<6}{:>10.3} ms", "max", self.latency.max() as f64 / 1e6);
        for (error, count) in &self.errors {
            let _ = writeln!(text, "  {count} failed: {error}");
        }
        if gaps {
            self.gaps_text(&mut text);
        }
        text
    }

    fn gaps_text(&self, text: &mut String) {
        let longest = self.gaps.longest().as_secs_f64() * 1e3;
        let count = self.gaps.count();
        let _ = writeln!(text, "  longest gap {longest:.0} ms; {count} longer than 50 ms");
        for gap in self.gaps.kept().iter().take(GAPS_PRINTED) {
            let (since, length) = (gap.since_unix_ms, gap.length.as_millis());
            let _ = writeln!(text, "    from {since} (ms since 1970): {length} ms");
        }
        let more = self.gaps.kept().len().saturating_sub(GAPS_PRINTED);
        if more > 0 {
            let _ = writeln!(text, "    and {more} more; -o json lists them");
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let gap = |gap: &Gap| {
            json!({
                "since_unix_ms": u64::try_from(gap.since_unix_ms).unwrap_or(u64::MAX),
                "ms": gap.length.as_secs_f64() * 1e3,
            })
        };
        json!({
            "what": self.what,
            "measured": self.latency.len(),
            "acknowledged": self.acknowledged,
            "seconds": self.measured().as_secs_f64(),
            "per_second": self.rate(),
            "latency_ms": {
                "mean": self.latency.mean() / 1e6,
                "p50": self.quantile_ms(0.5),
                "p90": self.quantile_ms(0.9),
                "p99": self.quantile_ms(0.99),
                "p99.9": self.quantile_ms(0.999),
                "max": self.latency.max() as f64 / 1e6,
            },
            "failed": self.failures(),
            "errors": self.errors,
            "longest_gap_ms": self.gaps.longest().as_secs_f64() * 1e3,
            "gaps": self.gaps.kept().iter().map(gap).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn rates_and_quantiles_are_those_of_the_measured_part() {
        let start = Instant::now();
        let mut report = Report::new("put", start, 100 * MS);
        for number in 1..=200 {
            let now = start + number * MS;
            report.success(now - MS, now);
        }
        let json = report.json();
        assert_eq!((&json["acknowledged"], &json["measured"]), (&json!(200), &json!(101)));
        assert_eq!(json["per_second"].as_f64().unwrap().round(), 1010.0);
        let p50 = json["latency_ms"]["p50"].as_f64().unwrap();
        assert!((p50 - 1.0).abs() < 0.01, "{p50}");
    }

    #[test]
    fn errors_are_counted_by_text() {
        let mut report = Report::new("put", Instant::now(), Duration::ZERO);
        for text in ["a", "b", "a"] {
            report.failure(text);
        }
        assert_eq!(report.failures(), 3);
        assert!(report.text(false).contains("2 failed: a"));
        for number in 0..1_000 {
            report.failure(&number.to_string());
        }
        assert!(report.errors.len() <= ERRORS_KEPT + 1);
        assert_eq!(report.failures(), 1_003);
    }

    #[test]
    fn a_run_without_an_answer_has_a_rate_of_zero() {
        let report = Report::new("put", Instant::now(), Duration::ZERO);
        assert_eq!(report.json()["per_second"], 0.0);
        assert!(report.text(true).contains("0 puts"));
    }
}
