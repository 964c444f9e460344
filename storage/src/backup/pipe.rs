//! A backup that is read while it is written, and is never a file.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};

use super::BackupWriter;
use crate::state::Files;

/// The bytes of a backup, for a [`BackupReader`](super::BackupReader) on the other side.
#[derive(Debug)]
pub struct Pipe<F> {
    writer: BackupWriter<F>,
    /// Handed out by the writer and not yet read.
    block: Bytes,
}

impl<F: Files> Pipe<F> {
    /// The other end of a writer that has not begun.
    #[must_use]
    pub const fn new(writer: BackupWriter<F>) -> Self {
        Self { writer, block: Bytes::new() }
    }
}

impl<F: Files> Read for Pipe<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() {
            let next = self.writer.block().map_err(io::Error::other)?;
            self.block = next.unwrap_or_default();
        }
        let count = self.block.len().min(into.len());
        self.block.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}
