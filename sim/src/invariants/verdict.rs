//! How a law says that it was broken.

use protocol::Time;

use crate::seen::Violation;

/// A broken law: which, and what was seen.
#[derive(Debug)]
pub(crate) struct Broken {
    law: &'static str,
    what: String,
}

/// Nothing, or a broken law: one word wide, for it is asked at every event.
pub(crate) type Verdict = Result<(), Box<Broken>>;

/// The law was broken.
#[cold]
pub(crate) fn broken<T>(law: &'static str, what: String) -> Result<T, Box<Broken>> {
    Err(Box::new(Broken { law, what }))
}

impl Broken {
    pub(crate) fn at(self, at: Time) -> Violation {
        Violation { law: self.law, at, what: self.what }
    }
}
