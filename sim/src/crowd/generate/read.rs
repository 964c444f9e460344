//! Reads.

use node::Request;
use store::{Filter, KeyRange, Range, SortOrder, SortTarget};

use super::Generator;
use super::keys::pick;
use crate::crowd::Kind;

/// A read of the newest revision, of everything there is to know.
pub(super) fn plain(keys: KeyRange) -> Range {
    Range {
        keys,
        revision: 0,
        limit: 0,
        target: SortTarget::Key,
        order: SortOrder::None,
        keys_only: false,
        count_only: false,
        filter: Filter::default(),
    }
}

const TARGETS: [SortTarget; 5] =
    [SortTarget::Key, SortTarget::Version, SortTarget::Create, SortTarget::Mod, SortTarget::Value];
const ORDERS: [SortOrder; 3] = [SortOrder::None, SortOrder::Ascend, SortOrder::Descend];

impl Generator {
    /// A read of a kind.
    pub(super) fn read(&mut self, kind: Kind) -> Request {
        let range = match kind {
            Kind::GetPrefix => plain(self.keys.prefix(&mut self.rng)),
            Kind::GetRange => plain(self.keys.range(&mut self.rng)),
            Kind::GetAll => plain(self.keys.everything()),
            Kind::GetLimit => Range { limit: self.limit(), ..self.many() },
            Kind::GetSorted => self.sorted(),
            Kind::Count => Range { count_only: true, ..self.many() },
            Kind::KeysOnly => Range { keys_only: true, revision: self.seldom_old(), ..self.many() },
            Kind::GetFiltered => Range { filter: self.filter(), ..self.many() },
            Kind::GetOld => {
                let keys = self.keys.any(&mut self.rng);
                Range { revision: self.knowledge.revision(&mut self.rng), ..plain(keys) }
            }
            _ => plain(KeyRange::single(self.keys.shared(&mut self.rng))),
        };
        Request::Range { range, serializable: kind == Kind::GetLocal }
    }

    fn many(&mut self) -> Range {
        plain(self.keys.any(&mut self.rng))
    }

    fn limit(&mut self) -> i64 {
        [1, 1, 2, 3, 5, 10][usize::try_from(self.rng.below(6)).unwrap_or(0)]
    }

    fn seldom_old(&mut self) -> i64 {
        if self.rng.below(5) == 0 { self.knowledge.revision(&mut self.rng).max(0) } else { 0 }
    }

    fn sorted(&mut self) -> Range {
        let limit = if self.rng.below(2) == 0 { self.limit() } else { 0 };
        Range {
            target: *pick(&mut self.rng, &TARGETS),
            order: *pick(&mut self.rng, &ORDERS),
            limit,
            keys_only: self.rng.below(6) == 0,
            revision: self.seldom_old(),
            ..self.many()
        }
    }

    fn filter(&mut self) -> Filter {
        let mut bound = || {
            if self.rng.below(2) == 0 { 0 } else { self.knowledge.revision(&mut self.rng).max(0) }
        };
        let (one, other) = (bound(), bound());
        let (min_mod, max_mod) = if other == 0 { (one, 0) } else { (one.min(other), other) };
        Filter { min_mod, max_mod, min_create: bound(), max_create: bound() }
    }
}
