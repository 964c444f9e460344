//! The part of a URL after the question mark, as far as the pages need it.

/// Names with their values, in order. Nothing that the pages look for needs percent-decoding.
#[derive(Clone, Debug)]
pub(super) struct Query<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Query<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect())
    }

    /// Whether the name is there, whatever its value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == name)
    }

    /// Whether one of the name's values is this.
    pub(super) fn says(&self, name: &str, value: &str) -> bool {
        self.0.contains(&(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn names_and_values() {
        let query = Query::of("verbose&exclude=NOSPACE&exclude=CORRUPT&&x=");
        assert!(query.has("verbose") && query.has("x") && !query.has(""));
        assert!(query.says("exclude", "NOSPACE") && query.says("exclude", "CORRUPT"));
        assert!(!query.says("exclude", "") && !query.has("NOSPACE"));
        assert!(!Query::of("").has("verbose"));
    }
}
