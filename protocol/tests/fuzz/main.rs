//! Bytes that resemble messages and are none: `EXECUTIONS=10000000 cargo test --profile gate -p
//! protocol --test fuzz`. Without coverage as a guide, but with every assertion, on any toolchain.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod bodies;
mod corpus;

use protocol::Rng;

/// Executions of each body among the other tests.
const FEW: u64 = 20_000;
/// Bytes that one member hears before another takes its place.
const LIFE: u64 = 1000;

/// Runs a body on harmed bytes. What fails is printed by seed, which gives the same bytes again.
fn run(corpus: &[Vec<u8>], mut body: impl FnMut(&[u8])) {
    let executions = std::env::var("EXECUTIONS").map_or(FEW, |text| text.parse().unwrap());
    for seed in 0..executions {
        let bytes = corpus::harmed(corpus, &mut Rng::new(seed));
        let told = Told { seed, bytes: &bytes };
        body(&bytes);
        std::mem::forget(told);
    }
    println!("{executions} executions");
}

/// Tells of what is under way when it fails.
struct Told<'a> {
    seed: u64,
    bytes: &'a [u8],
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        eprintln!("seed {}: {:02x?}", self.seed, self.bytes);
    }
}

#[test]
fn packets() {
    run(&corpus::packets(), bodies::packet);
}

#[test]
fn streams() {
    run(&corpus::streams(), bodies::stream);
}

#[test]
fn serf() {
    run(&corpus::serfs(), bodies::serf);
}

#[test]
fn letters_of_candidates() {
    run(&corpus::letters(), bodies::letter);
}

#[test]
fn a_member_that_hears_anything_keeps_its_laws() {
    let mut corpus = corpus::packets();
    corpus.extend(corpus::streams().into_iter().map(|stream| stream[1..].to_vec()));
    let mut victim = bodies::Victim::new(0);
    let mut heard = 0;
    run(&corpus, |bytes| {
        heard += 1;
        if heard % LIFE == 0 {
            victim = bodies::Victim::new(heard);
        }
        victim.hears(bytes);
    });
}
