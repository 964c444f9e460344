//! Where to cut a response that is too large.

use std::ops::Range;

/// Cuts a response whose head takes `head` bytes and whose events take `sizes` into stretches of
/// events that stay within `limit` together with a head each. A single event may be larger than
/// that: it goes alone, whole. Every event is in exactly one stretch, in order.
pub(super) fn stretches(head: usize, sizes: &[usize], limit: usize) -> Vec<Range<usize>> {
    let mut stretches = Vec::with_capacity(1);
    let mut start = 0;
    let mut bytes = head;
    for (place, size) in sizes.iter().enumerate() {
        let with = bytes.saturating_add(*size);
        if with > limit && place > start {
            stretches.push(start..place);
            start = place;
            bytes = head.saturating_add(*size);
        } else {
            bytes = with;
        }
    }
    stretches.push(start..sizes.len());
    stretches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::stretches;

    #[test]
    fn a_small_response_stays_whole() {
        assert_eq!(stretches(10, &[1, 2, 3], 100), vec![0..3]);
    }

    #[test]
    fn a_large_event_goes_alone() {
        assert_eq!(stretches(10, &[5, 500, 5, 5], 100), vec![0..1, 1..2, 2..4]);
        assert_eq!(stretches(10, &[500], 100), vec![0..1]);
    }

    #[test]
    fn exactly_the_limit_fits() {
        assert_eq!(stretches(10, &[45, 45], 100), vec![0..2]);
        assert_eq!(stretches(10, &[45, 46], 100), vec![0..1, 1..2]);
    }

    proptest! {
        #[test]
        fn together_the_stretches_are_the_whole_and_each_fits(
            head in 0_usize..100,
            sizes in prop::collection::vec(0_usize..300, 1..60),
            limit in 1_usize..1000,
        ) {
            let cut = stretches(head, &sizes, limit);
            let joined: Vec<usize> = cut.iter().cloned().flatten().collect();
            prop_assert_eq!(joined, (0..sizes.len()).collect::<Vec<_>>());
            for (place, stretch) in cut.iter().enumerate() {
                let bytes = head + sizes[stretch.clone()].iter().sum::<usize>();
                prop_assert!(!stretch.is_empty());
                prop_assert!(bytes <= limit || stretch.len() == 1);
                // Greedy: the next event would not have fitted.
                if let Some(next) = cut.get(place + 1) {
                    prop_assert!(bytes + sizes[next.start] > limit);
                }
            }
        }
    }
}
