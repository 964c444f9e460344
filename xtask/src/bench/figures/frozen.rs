//! Disks that can be made to hang: each an ext4 of its own in a file, frozen by `fsfreeze`.
//!
//! A write to a frozen file system waits in the kernel until it is thawed, as one does to a disk
//! that has stopped answering; the rest of the process goes on. It takes the rights to mount.
//!
//! - Whoever holds the guard of a hang thaws the disk when it goes; the janitor does it when the
//!   run is killed, since a process that waits for a frozen disk cannot even be killed.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::cluster::Ground;

/// The size of the file; members write little while they are measured.
const BYTES: &str = "2G";

/// A mounted disk. Dropped, it is thawed and unmounted.
#[derive(Debug)]
pub(super) struct Disk {
    place: PathBuf,
}

/// A disk that hangs. Dropped, it answers again.
#[derive(Debug)]
pub(super) struct Hang<'a>(&'a Disk);

impl Disk {
    /// Makes one, and mounts it at a folder that is there.
    pub(super) fn mount(place: &Path, ground: &Ground) -> Result<Self, Box<dyn Error>> {
        let image = place.with_extension("ext4");
        run(Command::new("truncate").args(["--size", BYTES]).arg(&image))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(place))?;
        let disk = Self { place: place.to_path_buf() };
        ground.janitor().mounted(place)?;
        Ok(disk)
    }

    /// From here on nothing is written to it.
    pub(super) fn hang(&self) -> Result<Hang<'_>, Box<dyn Error>> {
        run(Command::new("fsfreeze").arg("--freeze").arg(&self.place))?;
        Ok(Hang(self))
    }
}

impl Drop for Hang<'_> {
    fn drop(&mut self) {
        let thawed = run(Command::new("fsfreeze").arg("--unfreeze").arg(&self.0.place));
        if let Err(error) = thawed {
            eprintln!("{error}");
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = run(Command::new("umount").arg(&self.place)) {
            eprintln!("{error}");
        }
    }
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{shown}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{shown}: {}: {}", output.status, said.trim()).into())
}
