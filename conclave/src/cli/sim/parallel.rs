//! Independent work on all cores, its results in order.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many threads there are to use.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Does each job; `done` hears how many are, after each. Results stand in the order of the jobs.
///
/// # Panics
/// When a job does.
pub(super) fn each<J, T>(
    jobs: &[J],
    work: impl Fn(&J) -> T + Sync,
    done: impl FnMut(usize) + Send,
) -> Vec<T>
where
    J: Sync,
    T: Send,
{
    let next = AtomicUsize::new(0);
    let results: Mutex<(Vec<Option<T>>, usize)> =
        Mutex::new((jobs.iter().map(|_| None).collect(), 0));
    let done = Mutex::new(done);
    thread::scope(|scope| {
        for _ in 0..cores().min(jobs.len()) {
            scope.spawn(|| {
                while let Some((place, job)) = take(&next, jobs) {
                    let result = work(job);
                    let mut results = results.lock().expect(POISONED);
                    results.0[place] = Some(result);
                    results.1 += 1;
                    (done.lock().expect(POISONED))(results.1);
                }
            });
        }
    });
    let (results, _) = results.into_inner().expect(POISONED);
    results.into_iter().map(|result| result.expect("invariant: every job was taken")).collect()
}

const POISONED: &str = "invariant: nothing panics while it holds the lock";

fn take<'a, J>(next: &AtomicUsize, jobs: &'a [J]) -> Option<(usize, &'a J)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    jobs.get(place).map(|job| (place, job))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_their_jobs() {
        let jobs: Vec<u64> = (0..100).collect();
        let mut heard = 0;
        let squares = each(&jobs, |job| job * job, |done| heard = done);
        assert!(squares.iter().zip(&jobs).all(|(square, job)| *square == job * job));
        assert_eq!((squares.len(), heard), (100, 100));
        assert!(each(&[] as &[u64], |job| *job, |_| {}).is_empty());
    }
}
