//! The client of both systems: `conclave bench` and its neighbours, run as programs.
//!
//! One client for both, so that what it costs and how it counts is the same for both.

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::options::Kind;
use super::system;

/// What the keys begin with.
const KEY_PREFIX: &str = "bench/";

#[derive(Clone, Debug)]
pub(crate) struct Client {
    program: PathBuf,
    /// What each load is told beside its size.
    words: Vec<&'static str>,
}

/// What one run of load came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) acknowledged: u64,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// A run of load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) kind: Kind,
    pub(crate) clients: u32,
    pub(crate) until: Until,
}

/// When a run ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Seconds(u64),
    /// After as many requests, spread over so many keys.
    Requests {
        total: u64,
        key_space: u64,
    },
}

impl Client {
    pub(crate) fn new(program: PathBuf) -> Self {
        Self { program, words: Vec::new() }
    }

    /// One that tells each load this, too.
    pub(crate) fn with(&self, word: &'static str) -> Self {
        let words = self.words.iter().copied().chain([word]).collect();
        Self { program: self.program.clone(), words }
    }

    /// Its program with these words, to be started.
    pub(crate) fn command(&self, endpoints: &str, words: &[&str]) -> Command {
        let mut command = system::clean(&self.program);
        command.args(words).args(["--endpoints", endpoints, "-o", "json"]);
        command
    }

    /// Loads a cluster. A request that fails is an error: half of a measurement is none.
    pub(crate) fn load(&self, endpoints: &str, work: Work) -> Result<Outcome, Box<dyn Error>> {
        let clients = work.clients.to_string();
        let mut words = vec!["bench", work.kind.word(), "--clients", &clients];
        let (first, second);
        match work.until {
            Until::Seconds(seconds) => {
                first = format!("{seconds}s");
                words.extend(["--duration", &first]);
            }
            Until::Requests { total, key_space } => {
                (first, second) = (total.to_string(), key_space.to_string());
                words.extend(["--total", &first, "--key-space", &second]);
                // Here the end counts, and not how long one request took.
                words.extend(["--timeout", "60s"]);
            }
        }
        words.extend(["--key-prefix", KEY_PREFIX]);
        words.extend(&self.words);
        let said = self.ask(endpoints, &words)?;
        Ok(outcome(&said).ok_or_else(|| format!("`bench` says what we do not read: {said}"))?)
    }

    /// How many keys a cluster holds.
    pub(crate) fn count(&self, endpoints: &str) -> Result<u64, Box<dyn Error>> {
        let words = ["kv", "get", KEY_PREFIX, "--prefix", "--count-only", "--timeout", "60s"];
        let said = self.ask(endpoints, &words)?;
        let count = said.get("count").and_then(Value::as_u64);
        Ok(count.ok_or_else(|| format!("`kv get` says what we do not read: {said}"))?)
    }

    /// Who leads, by the words of the members themselves. None while that is open.
    pub(crate) fn leader(&self, endpoints: &str) -> Result<Option<usize>, Box<dyn Error>> {
        Ok(leader(&self.ask(endpoints, &["status"])?, endpoints))
    }

    /// What the program answers.
    pub(crate) fn ask(&self, endpoints: &str, words: &[&str]) -> Result<Value, Box<dyn Error>> {
        let mut command = self.command(endpoints, words);
        let shown = self.program.display();
        let output = command.output().map_err(|error| format!("cannot run {shown}: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let what = words.join(" ");
            return Err(format!("conclave {what}: {}: {}", output.status, said.trim()).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// Reads the report of `conclave bench -o json`.
fn outcome(report: &Value) -> Option<Outcome> {
    let latency = report.get("latency_ms")?;
    Some(Outcome {
        acknowledged: report.get("acknowledged")?.as_u64().filter(|count| *count > 0)?,
        per_second: report.get("per_second")?.as_f64()?,
        p50_ms: latency.get("p50")?.as_f64()?,
        p99_ms: latency.get("p99")?.as_f64()?,
    })
}

/// Reads the report of `conclave status -o json`: the place of the leader among the endpoints.
fn leader(rows: &Value, endpoints: &str) -> Option<usize> {
    let mut leaders = rows.as_array()?.iter().filter(|row| row["role"] == "leader");
    let (one, another) = (leaders.next()?, leaders.next());
    let endpoint = one["endpoint"].as_str().filter(|_| another.is_none())?;
    endpoints.split(',').position(|given| given == endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_is_read_whole_or_not_at_all() {
        let report = json!({
            "acknowledged": 3, "per_second": 1.5, "latency_ms": {"p50": 0.5, "p99": 2.0},
        });
        let expected = Outcome { acknowledged: 3, per_second: 1.5, p50_ms: 0.5, p99_ms: 2.0 };
        assert_eq!(outcome(&report), Some(expected));
        for name in ["acknowledged", "per_second", "latency_ms"] {
            let mut part = report.clone();
            part.as_object_mut().unwrap().remove(name);
            assert_eq!(outcome(&part), None, "{name}");
        }
        let mut nothing = report;
        nothing["acknowledged"] = 0.into();
        assert_eq!(outcome(&nothing), None);
    }

    #[test]
    fn a_leader_is_the_only_one_that_says_so() {
        let row = |endpoint: &str, role: &str| json!({"endpoint": endpoint, "role": role});
        let rows = |roles: [&str; 2]| json!([row("h:1", roles[0]), row("h:2", roles[1])]);
        assert_eq!(leader(&rows(["follower", "leader"]), "h:1,h:2"), Some(1));
        assert_eq!(leader(&rows(["follower", "follower"]), "h:1,h:2"), None);
        assert_eq!(leader(&rows(["leader", "leader"]), "h:1,h:2"), None);
        assert_eq!(leader(&rows(["leader", "follower"]), "h:3"), None);
    }
}
