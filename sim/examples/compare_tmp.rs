use sim::compare::{comparison::{jobs, Comparison}, picture};
use std::sync::{Mutex, atomic::{AtomicUsize, Ordering}};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let seeds: u32 = args[1].parse().unwrap();
    let nodes: Vec<usize> = args[2].split(',').map(|n| n.parse().unwrap()).collect();
    let all = jobs(&nodes);
    let started = std::time::Instant::now();
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<_>>> = Mutex::new(all.iter().map(|_| None).collect());
    std::thread::scope(|s| for _ in 0..2 { s.spawn(|| loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(job) = all.get(at) else { break };
        let done = job.run(seeds, 1);
        results.lock().unwrap()[at] = Some(done);
    }); });
    let c = Comparison::of(&nodes, seeds, results.into_inner().unwrap().into_iter().map(Option::unwrap).collect());
    eprintln!("{:?}", started.elapsed());
    for (name, svg) in picture::NAMES.iter().zip(c.pictures()) { std::fs::write(format!("{}/compare-{name}.svg", args[3]), svg).unwrap(); }
    println!("{}", c.to_string().trim_end());
    if let Some(f) = args.get(4) { std::fs::write(f, serde_json::to_string(&c).unwrap()).unwrap(); }
}
