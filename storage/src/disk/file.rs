//! A file of a [`FaultyDisk`](super::FaultyDisk): what reads show, and what else a crash may leave.
//!
//! Kept once is what reads show. Beside it stands only what differs from it: what a sector held
//! before each write that no sync has confirmed yet, and what is durable of sectors that a failed
//! sync forgot.

use std::collections::BTreeMap;

use protocol::Rng;

use super::SECTOR;
use super::faulty::{Moment, pick};
use super::image::Image;

type Sector = [u8; SECTOR];

/// One file. A clone is an independent copy.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// What reads show.
    live: Image,
    /// What a sector held before each write since the last sync, in the order of the writes.
    before: Vec<(usize, Sector)>,
    /// What is durable of sectors of which reads show something else, which no sync will write.
    forgotten: BTreeMap<usize, Sector>,
}

impl File {
    /// A file whose content is durable.
    pub(super) fn new(content: Image) -> Self {
        Self { live: content, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        self.live.to_vec()
    }

    /// Fills `into` from `offset`; false when the file ends before.
    pub(super) fn read(&self, offset: usize, into: &mut [u8]) -> bool {
        self.live.read(offset, into)
    }

    /// A write within the length of the file.
    pub(super) fn put(&mut self, offset: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let sectors = offset / SECTOR..=(offset + bytes.len() - 1) / SECTOR;
        self.before.reserve(sectors.end() - sectors.start() + 1);
        for sector in sectors {
            let held = self.sector(sector);
            self.before.push((sector, held));
        }
        self.live.write(offset, bytes);
    }

    fn sector(&self, sector: usize) -> Sector {
        let mut held = [0; SECTOR];
        let room = self.room(sector);
        assert!(self.live.read(sector * SECTOR, &mut held[..room]), "a sector of the file");
        held
    }

    /// Bytes of a sector that belong to the file: the last one may be cut short.
    fn room(&self, sector: usize) -> usize {
        self.live.len().min((sector + 1) * SECTOR) - sector * SECTOR
    }

    /// Decides what of the unsynced sectors is durable. Reads show what they showed.
    pub(super) fn resolve(&mut self, moment: Moment, rng: &mut Rng) {
        let before = std::mem::take(&mut self.before);
        if moment == Moment::After {
            if !self.forgotten.is_empty() {
                before.iter().for_each(|(sector, _)| _ = self.forgotten.remove(sector));
            }
            return;
        }
        let mut versions: BTreeMap<usize, Vec<Sector>> = BTreeMap::new();
        for (sector, held) in before {
            versions.entry(sector).or_default().push(held);
        }
        for (sector, versions) in versions {
            // Each version but the last was replaced by the next one; the last is what reads show.
            let chosen = if moment == Moment::Torn { pick(rng, versions.len() + 1) } else { 0 };
            match versions.get(chosen) {
                None => _ = self.forgotten.remove(&sector),
                Some(held) if chosen == 0 => _ = self.forgotten.entry(sector).or_insert(*held),
                Some(held) => _ = self.forgotten.insert(sector, *held),
            }
        }
    }

    /// A crash: `moment` says what of the unsynced sectors survives, and reads show just that.
    pub(super) fn settle(&mut self, moment: Moment, rng: &mut Rng) {
        self.resolve(moment, rng);
        for (sector, durable) in std::mem::take(&mut self.forgotten) {
            let room = self.room(sector);
            self.live.write(sector * SECTOR, &durable[..room]);
        }
    }

    /// Flips the bits of `mask` in every version of a byte; false when there is no such byte.
    pub(super) fn flip(&mut self, offset: usize, mask: u8) -> bool {
        let there = self.live.flip(offset, mask);
        if there {
            let within = self.before.iter_mut().filter(|(sector, _)| *sector == offset / SECTOR);
            within.for_each(|(_, held)| held[offset % SECTOR] ^= mask);
            if let Some(durable) = self.forgotten.get_mut(&(offset / SECTOR)) {
                durable[offset % SECTOR] ^= mask;
            }
        }
        there
    }

    /// Cuts the file to this many bytes, durably. Of a sector that is cut nothing is unsynced.
    pub(super) fn cut(&mut self, bytes: usize) {
        self.live.truncate(bytes);
        let whole = |sector: usize| (sector + 1) * SECTOR <= bytes;
        self.before.retain(|(sector, _)| whole(*sector));
        self.forgotten.retain(|sector, _| whole(*sector));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: usize = 3 * SECTOR + 100;

    /// The same, dumb: both images whole, and every version of each unsynced sector.
    struct Twin {
        live: Vec<u8>,
        durable: Vec<u8>,
        pending: BTreeMap<usize, Vec<Vec<u8>>>,
    }

    impl Twin {
        fn put(&mut self, offset: usize, bytes: &[u8]) {
            self.live[offset..offset + bytes.len()].copy_from_slice(bytes);
            for sector in offset / SECTOR..=(offset + bytes.len() - 1) / SECTOR {
                let end = LENGTH.min((sector + 1) * SECTOR);
                let version = self.live[sector * SECTOR..end].to_vec();
                self.pending.entry(sector).or_default().push(version);
            }
        }

        fn resolve(&mut self, moment: Moment, rng: &mut Rng) {
            for (sector, versions) in std::mem::take(&mut self.pending) {
                let chosen = match moment {
                    Moment::Before => 0,
                    Moment::Torn => pick(rng, versions.len() + 1),
                    Moment::After => versions.len(),
                };
                if let Some(version) = chosen.checked_sub(1).map(|place| &versions[place]) {
                    self.durable[sector * SECTOR..][..version.len()].copy_from_slice(version);
                }
            }
        }
    }

    #[test]
    fn differences_say_what_two_whole_images_say() {
        let mut rng = Rng::new(7);
        let mut file = File::new(Image::zeros(LENGTH));
        let zeros = vec![0; LENGTH];
        let mut twin = Twin { live: zeros.clone(), durable: zeros, pending: BTreeMap::new() };
        for step in 0..20_000_u32 {
            let moment = [Moment::Before, Moment::Torn, Moment::After][pick(&mut rng, 3)];
            let seed = rng.next();
            match rng.below(8) {
                0 => {
                    file.resolve(Moment::After, &mut Rng::new(seed));
                    twin.resolve(Moment::After, &mut Rng::new(seed));
                }
                1 => {
                    file.resolve(Moment::Torn, &mut Rng::new(seed));
                    twin.resolve(Moment::Torn, &mut Rng::new(seed));
                }
                2 => {
                    file.settle(moment, &mut Rng::new(seed));
                    twin.resolve(moment, &mut Rng::new(seed));
                    twin.live.clone_from(&twin.durable);
                }
                _ => {
                    let offset = pick(&mut rng, LENGTH);
                    let bytes = vec![step.to_le_bytes()[0]; 1 + pick(&mut rng, LENGTH - offset)];
                    file.put(offset, &bytes);
                    twin.put(offset, &bytes);
                }
            }
            assert_eq!(file.to_vec(), twin.live, "after step {step}");
        }
    }
}
