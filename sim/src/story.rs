//! What the stories of all galleries share: why a script stops before its end, and how often it is
//! begun again.
//!
//! Some stories need luck: that two nodes campaign at the same time, whose vote arrives first. Such
//! a script says so with [`dice`], and is played with the seeds 1, 2, … until they fall right. A
//! [`claim`] that does not hold ends the story for good.

/// Why a script stops before its end.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// The dice did not fall as the story needs: says what it needs.
    Dice(&'static str),
    /// What was to be shown did not happen.
    Claim(String),
}

/// What a script's step gives.
pub(crate) type Step<T = ()> = Result<T, Stop>;

/// What must hold, or what is said `otherwise`.
pub(crate) fn claim(holds: bool, otherwise: impl FnOnce() -> String) -> Step {
    if holds { Ok(()) } else { Err(Stop::Claim(otherwise())) }
}

/// The dice must have fallen such that `luck`.
pub(crate) const fn dice(holds: bool, luck: &'static str) -> Step {
    if holds { Ok(()) } else { Err(Stop::Dice(luck)) }
}

/// A story as it was played in the end.
#[derive(Debug)]
pub(crate) struct Told<S> {
    /// What it was played on.
    pub(crate) stage: S,
    /// What was expected and did not happen.
    pub(crate) verdict: Result<(), String>,
    /// The seed with which the dice fell right.
    pub(crate) seed: u64,
}

/// Plays a story with one seed after the other, at most `seeds`, until its dice fall right.
pub(crate) fn tell<S>(seeds: u64, play: impl Fn(u64) -> (S, Step)) -> Told<S> {
    let mut seed = 1;
    loop {
        let (stage, ended) = play(seed);
        let verdict = match ended {
            Ok(()) => Ok(()),
            Err(Stop::Claim(what)) => Err(what),
            Err(Stop::Dice(_)) if seed < seeds => {
                seed += 1;
                continue;
            }
            Err(Stop::Dice(luck)) => Err(format!("in {seeds} seeds there was none where {luck}")),
        };
        return Told { stage, verdict, seed };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luck_at(wanted: u64) -> impl Fn(u64) -> (u64, Step) {
        move |seed| (seed, dice(seed >= wanted, "it is late"))
    }

    #[test]
    fn the_first_seed_with_luck_tells_the_story() {
        let told = tell(5, luck_at(3));
        assert_eq!((told.stage, told.seed, told.verdict), (3, 3, Ok(())));
    }

    #[test]
    fn without_luck_it_is_said_what_was_missing() {
        let told = tell(5, luck_at(6));
        let words = "in 5 seeds there was none where it is late".to_owned();
        assert_eq!((told.seed, told.verdict), (5, Err(words)));
    }

    #[test]
    fn a_claim_that_fails_is_not_tried_again() {
        let told = tell(5, |seed| (seed, claim(false, || "no".to_owned())));
        assert_eq!((told.seed, told.verdict), (1, Err("no".to_owned())));
    }
}
