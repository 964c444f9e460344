//! Figures of the state on disk: `cargo run --release -p storage --example state_figures DIR`.
//!
//! One million records of 256 bytes in 20 flushes; opening, a whole scan, random reads; then 81 %
//! of them die and the space comes back. The figures stand in `docs/state-backend.md`.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use protocol::{ClusterId, Index, NodeId, Position, Rng, Term};
use storage::Identity;
use storage::state::{State, StateOptions};
use store::{Backend, BackendRead, Flush, KeyValue, Record, Revision};

const RECORDS: i64 = 1_000_000;
const FLUSH: i64 = 50_000;
const OWNER: Identity = Identity { cluster: ClusterId(1), node: NodeId(1) };

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("usage: state_figures EMPTY_DIRECTORY")?;
    let directory = Path::new(&directory);
    let mut state = State::open(directory, OWNER, StateOptions::default())?;
    fill(&mut state)?;
    drop(state);
    let start = Instant::now();
    let mut state = State::open(directory, OWNER, StateOptions::default())?;
    println!("open: {:?}", start.elapsed());
    scan(&state)?;
    gets(&state)?;
    reclaim(&mut state)
}

fn record(main: i64, rng: &mut Rng) -> Record {
    let value: Vec<u8> = (0..32).flat_map(|_| rng.next().to_le_bytes()).collect();
    let key = Bytes::from(format!("/registry/pods/default/{main:08}"));
    Record::Put(KeyValue {
        key,
        value: value.into(),
        create_revision: main,
        mod_revision: main,
        version: 1,
        lease: None,
    })
}

fn fill(state: &mut State) -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::new(1);
    let (mut spent, mut slowest) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
    for first in (2..RECORDS + 2).step_by(usize::try_from(FLUSH)?) {
        let mains = first..first + FLUSH;
        let records = mains.map(|main| (Revision::new(main, 0), record(main, &mut rng)));
        let applied = Position::new(Term(1), Index(u64::try_from(first + FLUSH)?));
        let flush = Flush { records: records.collect(), applied, ..Flush::default() };
        let start = Instant::now();
        state.flush(&flush)?;
        spent += start.elapsed();
        slowest = slowest.max(start.elapsed());
    }
    println!("20 flushes of {FLUSH}: {spent:?}, slowest {slowest:?}, {:?}", state.size());
    Ok(())
}

fn scan(state: &State) -> Result<(), Box<dyn Error>> {
    for limit in [1000, 10_000] {
        let start = Instant::now();
        let (mut from, mut records, mut bytes) = (Revision::default(), 0, 0);
        loop {
            let found = state.scan(from, Revision::new(i64::MAX, 0), limit)?;
            let Some((last, _)) = found.last() else { break };
            from = Revision::new(last.main, last.sub + 1);
            records += found.len();
            for (_, record) in &found {
                if let Record::Put(kv) = record {
                    bytes += kv.value.len();
                }
            }
        }
        let spent = start.elapsed();
        println!("scan of {records} records by {limit} ({bytes} bytes of values): {spent:?}");
    }
    Ok(())
}

fn gets(state: &State) -> Result<(), Box<dyn Error>> {
    let mut rng = Rng::new(2);
    let start = Instant::now();
    for _ in 0..200_000 {
        let main = 2 + i64::try_from(rng.next() % u64::try_from(RECORDS)?)?;
        state.get(Revision::new(main, 0))?.ok_or("a record is missing")?;
    }
    println!("200,000 random reads: {:?}", start.elapsed());
    Ok(())
}

fn reclaim(state: &mut State) -> Result<(), Box<dyn Error>> {
    let dead: Vec<_> =
        (2..900_002).filter(|main| main % 10 != 0).map(|main| Revision::new(main, 0)).collect();
    let start = Instant::now();
    state.discard(&dead)?;
    println!("discard of {}: {:?}, {:?}", dead.len(), start.elapsed(), state.size());
    let (start, mut slowest, mut steps) = (Instant::now(), std::time::Duration::ZERO, 0);
    loop {
        let step = Instant::now();
        let more = state.maintain()?;
        slowest = slowest.max(step.elapsed());
        steps += 1;
        if !more {
            break;
        }
    }
    let spent = start.elapsed();
    println!("{steps} steps: {spent:?}, slowest {slowest:?}, {:?}", state.size());
    Ok(())
}
