//! Samples: one line for each request, in a file that others read while the run goes on.
//!
//! ```text
//! 1763820000123456 1834      answered at this moment (µs since 1970), after so many µs
//! 1763820000125001 -         failed at this moment
//! ```
//!
//! A summary says how a whole run went; these say what a run met while something else happened.
//! Lines come in the order of the answers, each with a write of its own: a run that is killed has
//! told all but its last one.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::failure::{Failure, Result};

/// A file of samples that is being written.
#[derive(Debug)]
pub(crate) struct Samples {
    path: PathBuf,
    file: File,
}

impl Samples {
    /// A new file, or an old one emptied.
    pub(crate) fn create(path: &Path) -> Result<Samples> {
        let file = File::create(path).map_err(|error| refuse(path, &error))?;
        Ok(Samples { path: path.to_owned(), file })
    }

    /// A request is answered just now, or has failed where it has no latency.
    pub(crate) fn add(&mut self, latency: Option<Duration>) -> Result {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let line = match latency {
            Some(latency) => format!("{now} {}\n", latency.as_micros()),
            None => format!("{now} -\n"),
        };
        self.file.write_all(line.as_bytes()).map_err(|error| refuse(&self.path, &error))
    }
}

fn refuse(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_when_and_how_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("samples");
        let mut samples = Samples::create(&path).unwrap();
        samples.add(Some(Duration::from_millis(3))).unwrap();
        samples.add(None).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let words: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
        assert_eq!((words.len(), words[0][1], words[1][1]), (2, "3000", "-"));
        assert!(words[0][0].parse::<u128>().unwrap() <= words[1][0].parse::<u128>().unwrap());
        let refused = Samples::create(dir.path()).unwrap_err();
        assert!(refused.text().contains(dir.path().to_str().unwrap()));
    }
}
