//! One line of a log.

use core::fmt;

/// An event of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) process: u64,
    pub(super) kind: Kind,
    pub(super) function: Function,
    pub(super) value: Value,
    /// Whether the event names a time-out, as its value or behind it.
    pub(super) timed_out: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Read,
    Write,
    Cas,
}

/// What stands behind the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing, or a keyword that says why there is none.
    Absent,
    /// `nil` or a number.
    One(Option<i64>),
    /// `[expected new]`.
    Two(Option<i64>, i64),
}

/// A line that cannot be understood. Nothing was judged; whoever wrote the log must mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    /// The file, if the caller named one.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: usize,
    /// What could have stood there.
    pub expected: String,
    /// What does.
    pub found: String,
}

/// How much of a line an error repeats, in characters.
const FOUND_CHARS: usize = 80;

impl ParseError {
    pub(super) fn new(line: usize, expected: impl Into<String>, found: &str) -> Self {
        Self {
            file: None,
            line,
            expected: expected.into(),
            found: found.trim().chars().take(FOUND_CHARS).collect(),
        }
    }

    /// The same error, with the name of the file in front.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, expected, found } = self;
        match file {
            Some(file) => write!(f, "{file}:{line}: ")?,
            None => write!(f, "line {line}: ")?,
        }
        write!(f, "expected {expected}, found `{found}`")
    }
}

/// Reads a line: an event, or `None` for known noise. The error is what was expected.
pub(super) fn read(line: &str) -> Result<Option<Event>, &'static str> {
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.is_empty() || ["#", ";", "//"].iter().any(|mark| line.starts_with(mark)) {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let mut process = "";
    let kind = loop {
        let Some(word) = words.next() else {
            return noise(line);
        };
        if let Some(kind) = kind(word) {
            break kind;
        }
        process = word;
    };
    if process == ":nemesis" {
        return Ok(None);
    }
    let process =
        process.parse().map_err(|_| "the number of a process before the kind of event")?;
    let function = match words.next() {
        Some(":read") => Function::Read,
        Some(":write") => Function::Write,
        Some(":cas") => Function::Cas,
        _ => return Err(":read, :write or :cas"),
    };
    let rest: Vec<&str> = words.collect();
    let (value, timed_out) = read_value(&rest.join(" "))?;
    Ok(Some(Event { process, kind, function, value, timed_out }))
}

fn kind(word: &str) -> Option<Kind> {
    match word {
        ":invoke" => Some(Kind::Invoke),
        ":ok" => Some(Kind::Ok),
        ":fail" => Some(Kind::Fail),
        ":info" => Some(Kind::Info),
        _ => None,
    }
}

/// A line without a kind of event: noise when another logger wrote it, otherwise damaged.
fn noise(line: &str) -> Result<Option<Event>, &'static str> {
    const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    let mut words = line.split_whitespace();
    let leveled = words.next().is_some_and(|word| LEVELS.contains(&word));
    // A process number behind the logger of events is where an event begins.
    let damaged = words
        .skip_while(|word| *word != "jepsen.util")
        .skip(1)
        .find(|word| *word != "-")
        .is_some_and(|word| word.parse::<u64>().is_ok());
    if leveled && !damaged {
        Ok(None)
    } else {
        Err("an event (process, :invoke|:ok|:fail|:info, :read|:write|:cas, value), a comment \
             or a line of another logger")
    }
}

/// Reads a value and whether a time-out stands in its place or behind it.
fn read_value(text: &str) -> Result<(Value, bool), &'static str> {
    const NUMBER: &str = "nil, a number, [expected new] or a keyword as the value";
    let (value, reason) = if let Some(pair) = text.strip_prefix('[') {
        let (pair, reason) = pair.split_once(']').ok_or("`]` behind a pair")?;
        let mut items = pair.split([' ', ',']).filter(|item| !item.is_empty());
        let (Some(expected), Some(new), None) = (items.next(), items.next(), items.next()) else {
            return Err("two values between `[` and `]`");
        };
        let new = new.parse().map_err(|_| "a number to set")?;
        (Value::Two(read_one(expected).ok_or(NUMBER)?, new), reason)
    } else if text.is_empty() || text.starts_with(':') {
        (Value::Absent, text)
    } else {
        let (one, reason) = text.split_once(' ').unwrap_or((text, ""));
        (Value::One(read_one(one).ok_or(NUMBER)?), reason)
    };
    // Clients add why a call failed as a keyword, a string, a map or a list; a further number
    // would be a second value.
    let reason = reason.trim_start();
    if reason.is_empty() || reason.starts_with([':', '"', '{', '[', '(', '#', ';']) {
        Ok((value, reason.contains("timed-out") || reason.contains("timeout")))
    } else {
        Err("nothing behind the value but a reason (keyword, string, map, list or comment)")
    }
}

fn read_one(word: &str) -> Option<Option<i64>> {
    if word == "nil" {
        return Some(None);
    }
    word.parse().ok().map(Some)
}
