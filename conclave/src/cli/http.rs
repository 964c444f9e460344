//! The agent's own API, as a command speaks to it: one request a connection, and the answer until
//! the connection ends (HTTP/1.0: nothing to take apart).

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::failure::{Failure, Result};

/// The most of an answer that is read, in bytes: a table of a hundred thousand members.
const ANSWER_MAX: u64 = 64 << 20;
/// The longest line of a stream, in bytes.
const LINE_MAX: u64 = 64 << 20;
/// How long an answer may take: a question to the pool takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Which agent to ask.
#[derive(Clone, Debug, Args)]
pub(super) struct Http {
    /// Where the agent's own API listens.
    #[arg(long, env = "CONCLAVE_HTTP", default_value = "127.0.0.1:8500", value_name = "HOST:PORT")]
    #[arg(global = true, help_heading = "Connection")]
    http: String,
}

impl Http {
    /// The agent whose API listens there.
    pub(super) fn at(place: SocketAddr) -> Self {
        Self { http: place.to_string() }
    }

    pub(super) async fn get(&self, name: &str) -> Result<Value> {
        self.whole("GET", name, "").await
    }

    pub(super) async fn post(&self, name: &str, body: &Value) -> Result<Value> {
        self.whole("POST", name, &body.to_string()).await
    }

    async fn whole(&self, method: &str, name: &str, body: &str) -> Result<Value> {
        let answer = async {
            let (status, answer) = self.ask(method, name, body).await?;
            let mut text = String::new();
            answer.take(ANSWER_MAX).read_to_string(&mut text).await?;
            parse(status, &text)
        };
        match timeout(PATIENCE, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::new(format!(
                "the agent at {} did not answer within {} s; its log may say why",
                self.http,
                PATIENCE.as_secs()
            ))),
        }
    }

    /// The lines of a stream.
    pub(super) async fn lines(&self, name: &str) -> Result<Lines> {
        self.stream("GET", name, "").await
    }

    /// The lines of a stream that something is said for.
    pub(super) async fn lines_of(&self, name: &str, body: &Value) -> Result<Lines> {
        self.stream("POST", name, &body.to_string()).await
    }

    async fn stream(&self, method: &str, name: &str, body: &str) -> Result<Lines> {
        let (status, mut answer) = self.ask(method, name, body).await?;
        if status != 200 {
            let mut text = String::new();
            (&mut answer).take(ANSWER_MAX).read_to_string(&mut text).await?;
            parse(status, &text)?;
        }
        Ok(Lines { answer, agent: self.http.clone() })
    }

    async fn ask(
        &self,
        method: &str,
        name: &str,
        body: &str,
    ) -> Result<(u16, BufReader<TcpStream>)> {
        let at = self.http.strip_prefix("http://").unwrap_or(&self.http).trim_end_matches('/');
        if at
            .rsplit_once(':')
            .is_none_or(|(host, port)| host.is_empty() || port.parse::<u16>().is_err())
        {
            let text = "is no place of an agent's own API; write host:port, such as 127.0.0.1:8500";
            return Err(Failure::usage(format!("--http {at} {text}")));
        }
        let nobody = |why: String| {
            Failure::new(format!(
                "no agent answers at {at}: {why}; start one with `conclave dev` or `conclave \
                 agent`, or say with --http where its --listen-http is. A server has none until it \
                 is told --listen-gossip, --join or --bootstrap-expect"
            ))
        };
        let stream = match timeout(CONNECT, TcpStream::connect(at)).await {
            Ok(stream) => stream.map_err(|error| nobody(error.to_string()))?,
            Err(_) => return Err(nobody("it took too long".to_owned())),
        };
        let mut stream = BufReader::new(stream);
        let head = format!(
            "{method} /v1/conclave/{name} HTTP/1.0\r\nHost: {at}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut status = None;
        loop {
            let mut line = String::new();
            let read = (&mut stream).take(64 << 10).read_line(&mut line).await?;
            if read == 0 {
                return Err(nobody("it closed the connection".to_owned()));
            }
            if line.trim_end().is_empty() {
                break;
            }
            if status.is_none() {
                status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
            }
        }
        let status = status.ok_or_else(|| nobody("this is no HTTP".to_owned()))?;
        Ok((status, stream))
    }
}

/// The lines of a stream.
pub(super) struct Lines {
    answer: BufReader<TcpStream>,
    agent: String,
}

impl Lines {
    /// The next one; `None` when the agent has ended.
    pub(super) async fn next(&mut self) -> Result<Option<Value>> {
        let mut line = String::new();
        if (&mut self.answer).take(LINE_MAX).read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let wrong = |error| Failure::new(format!("{} says no JSON: {error}", self.agent));
        serde_json::from_str(&line).map(Some).map_err(wrong)
    }
}

fn parse(status: u16, text: &str) -> Result<Value> {
    let value: Option<Value> = serde_json::from_str(text).ok();
    match value {
        Some(value) if status == 200 => Ok(value),
        Some(Value::Object(mut fields)) if fields.contains_key("error") => {
            let error = fields.remove("error").unwrap_or_default();
            let error = error.as_str().unwrap_or("the agent refuses");
            Err(if status == 400 { Failure::usage(error) } else { Failure::new(error) })
        }
        Some(_) | None => Err(Failure::new(format!(
            "what answers with {status} is no agent's own API: say with --http where its \
                 --listen-http is, by default at port 8500"
        ))),
    }
}
