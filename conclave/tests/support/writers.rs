//! Clients that write all the time and remember what was acknowledged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client::{Client, Options};

/// What one writer knows of its own key.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The last number acknowledged, and its revision.
    acknowledged: u64,
    revision: i64,
    /// How many were acknowledged in all.
    count: u64,
    /// The last number sent.
    sent: u64,
}

/// Writers under way. Each owns one key and puts ascending numbers into it, one at a time.
#[derive(Debug)]
pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    known: Arc<Mutex<BTreeMap<usize, Known>>>,
    last: Arc<Mutex<Instant>>,
    /// The longest time between two acknowledgements, whoever got them.
    gap: Arc<Mutex<Duration>>,
    /// What writers were told instead of an acknowledgement.
    failures: Arc<Mutex<Vec<String>>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Writers {
    /// Starts `count` writers over all of `endpoints`.
    pub(crate) fn start(
        runtime: &tokio::runtime::Runtime,
        endpoints: &[String],
        count: usize,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let known = Arc::new(Mutex::new(BTreeMap::new()));
        let last = Arc::new(Mutex::new(Instant::now()));
        let gap = Arc::new(Mutex::new(Duration::ZERO));
        let failures = Arc::new(Mutex::new(Vec::new()));
        let tasks = (0..count)
            .map(|writer| {
                let mut endpoints = endpoints.to_vec();
                let first = writer % endpoints.len();
                endpoints.rotate_left(first);
                let client = Client::new(Options::to(endpoints)).unwrap();
                let (stop, known, last) = (stop.clone(), known.clone(), last.clone());
                let (gap, failures) = (gap.clone(), failures.clone());
                runtime.spawn(async move {
                    for number in 1.. {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        known.lock().unwrap().entry(writer).or_insert_with(Known::default).sent =
                            number;
                        let put = client.put(format!("w/{writer:04}"), format!("{number}"));
                        let put = tokio::time::timeout(Duration::from_secs(10), put).await;
                        if let Ok(Err(error)) = &put {
                            failures.lock().unwrap().push(error.to_string());
                        }
                        if put.is_err() {
                            failures.lock().unwrap().push("no answer at all".to_owned());
                        }
                        if let Ok(Ok(answer)) = put {
                            let mut known = known.lock().unwrap();
                            let mine = known.entry(writer).or_insert_with(Known::default);
                            mine.acknowledged = number;
                            mine.count += 1;
                            mine.revision = answer.header.unwrap_or_default().revision;
                            let mut last = last.lock().unwrap();
                            let mut gap = gap.lock().unwrap();
                            *gap = gap.max(last.elapsed());
                            *last = Instant::now();
                        }
                    }
                })
            })
            .collect();
        Self { stop, known, last, gap, failures, tasks }
    }

    /// When the last write was acknowledged.
    pub(crate) fn last_acknowledged(&self) -> Instant {
        *self.last.lock().unwrap()
    }

    /// The longest time between two acknowledgements since this was last asked.
    pub(crate) fn longest_gap(&self) -> Duration {
        std::mem::take(&mut *self.gap.lock().unwrap())
    }

    /// What writers were told instead of an acknowledgement.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap().clone()
    }

    /// How many writes have been acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.known.lock().unwrap().values().map(|known| known.count).sum()
    }

    /// Ends the writers and checks that nothing that was acknowledged is lost.
    pub(crate) fn finish(self, runtime: &tokio::runtime::Runtime, client: &Client) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            runtime.block_on(task).unwrap();
        }
        let known = self.known.lock().unwrap().clone();
        let mut total = 0;
        for (writer, known) in known {
            total += known.count;
            if known.acknowledged == 0 {
                continue;
            }
            let kv = runtime.block_on(client.get(format!("w/{writer:04}"))).unwrap();
            let kv = kv.unwrap_or_else(|| panic!("writer {writer}: the key is lost"));
            let value: u64 = String::from_utf8_lossy(&kv.value).parse().unwrap();
            assert!(
                (known.acknowledged..=known.sent).contains(&value),
                "writer {writer}: {value} is stored, {} was acknowledged, {} was sent",
                known.acknowledged,
                known.sent
            );
            assert!(kv.mod_revision >= known.revision, "writer {writer}: an older revision");
            // One writer, one write at a time: each acknowledged put made one version, and a put
            // whose outcome is unknown at most one. So a lost write shows even when a later one
            // went over it.
            let version = u64::try_from(kv.version).unwrap();
            assert!(version >= known.count, "writer {writer}: an acknowledged write is lost");
            assert!(version <= known.sent, "writer {writer}: something was applied twice");
        }
        total
    }
}
