//! This member's own life, and the lives of the members it has met; see `node::Life`.
//!
//! Laws:
//!
//! - a boot is durable before anybody is told of it;
//! - whoever is new, or has counted on, is heard only once that is durable.
//!
//! A server without a data directory keeps both in memory: when it starts again, it is a new one.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use node::{Acquaintances, Judgement, Life};
use protocol::NodeId;
use storage::datadir::{DataDirError, Note, Notes};
use storage::disk::RealDisk;
use tokio::sync::{Mutex as AsyncMutex, watch};

/// How often a running process counts on: a copy of its directory that is older than this can be
/// told from it.
const RAISE: Duration = Duration::from_secs(600);

/// The lives, shared by all links.
#[derive(Clone, Debug)]
pub(crate) struct Register {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    notes: Option<Arc<Mutex<Notes<RealDisk>>>>,
    /// The directory had no life before.
    is_first: bool,
    life: Mutex<Life>,
    known: Mutex<Acquaintances>,
    /// One note is written at a time.
    writing: AsyncMutex<()>,
    /// Grows when there is something new to tell.
    news: watch::Sender<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Register {
    /// Reads what is known, and counts this start, which is durable with [`Register::count`] only.
    /// `fresh` gives numbers that nobody draws twice; `nonce` is this process's.
    pub(crate) fn open(
        mut notes: Option<Notes<RealDisk>>,
        nonce: u64,
        fresh: impl FnOnce() -> u64,
    ) -> Result<Self, DataDirError> {
        let mut life = notes.as_mut().map(read_life).transpose()?.flatten();
        let is_first = life.is_none();
        let mut life = life.take().unwrap_or_else(|| Life::new(fresh()));
        life.start(nonce);
        let mut known = Acquaintances::default();
        if let Some(notes) = &mut notes {
            known = read_known(notes, is_first)?.unwrap_or_default();
        }
        let notes = notes.map(|notes| Arc::new(Mutex::new(notes)));
        let news = watch::Sender::new(0);
        let (life, known) = (Mutex::new(life), Mutex::new(known));
        let inner = Inner { notes, is_first, life, known, writing: AsyncMutex::default(), news };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes this start durable: from here on others may be told of it. Of the two notes, which are
    /// both made at the first start, the life is the last one.
    ///
    /// # Errors
    /// [`DataDirError`]: it does not count.
    pub(crate) fn count(&self) -> Result<(), DataDirError> {
        let Some(notes) = &self.inner.notes else { return Ok(()) };
        let mut notes = lock(notes);
        if self.inner.is_first {
            notes.write(Note::Acquaintances, &self.known().encode())?;
        }
        notes.write(Note::Life, &self.life().encode())
    }

    /// This member's life, as it may be told.
    pub(crate) fn life(&self) -> Life {
        lock(&self.inner.life).clone()
    }

    /// Changes when there is something new to tell.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.inner.news.subscribe()
    }

    /// Whom this member has met.
    pub(super) fn known(&self) -> Acquaintances {
        lock(&self.inner.known).clone()
    }

    /// These were removed for good.
    pub(crate) fn forget(&self, removed: &BTreeSet<NodeId>) {
        lock(&self.inner.known).forget(|who| removed.contains(&who));
    }

    /// Whether anybody but this member was ever met.
    pub(crate) fn has_met_others(&self, own: NodeId) -> bool {
        lock(&self.inner.known).anybody_but(own)
    }

    /// Whether this life is known not to be that of the member that was met. Nothing at all cannot
    /// be the life of anybody who was met.
    pub(crate) fn refutes(&self, who: NodeId, life: Option<&Life>) -> bool {
        let known = lock(&self.inner.known);
        match life {
            None => known.knows(who),
            Some(life) => match known.judge(who, life) {
                Judgement::Welcome { .. } => false,
                Judgement::Outdated | Judgement::Forgotten => true,
            },
        }
    }

    /// Whether this process is the one that is known as a member: it was welcomed here, or by
    /// somebody who has told so.
    pub(super) fn is_run(&self, who: NodeId, nonce: u64) -> bool {
        lock(&self.inner.known).is_run(who, nonce)
    }

    /// Judges whoever shows this life as the member `who`. One that is welcome is known durably,
    /// with all that it has told of others.
    pub(super) async fn meet(
        &self,
        who: NodeId,
        life: &Life,
        told: &Acquaintances,
    ) -> io::Result<Judgement> {
        let _writing = self.inner.writing.lock().await;
        let mut next = lock(&self.inner.known).clone();
        let judged = next.judge(who, life);
        let Judgement::Welcome { news } = judged else { return Ok(judged) };
        if news {
            next.note(who, life);
        }
        if next.learn(told) || news {
            self.write(Note::Acquaintances, next.encode()).await?;
            *lock(&self.inner.known) = next;
            self.tell();
        }
        Ok(judged)
    }

    /// Counts on, now and then, for as long as the process runs.
    pub(crate) async fn keep_counting(self) {
        loop {
            tokio::time::sleep(RAISE).await;
            if let Err(error) = self.raise().await {
                tracing::warn!(%error, "cannot count on in the file LIFE; trying again later");
            }
        }
    }

    async fn raise(&self) -> io::Result<()> {
        let _writing = self.inner.writing.lock().await;
        let mut next = self.life();
        next.raise();
        self.write(Note::Life, next.encode()).await?;
        *lock(&self.inner.life) = next;
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        self.inner.news.send_modify(|news| *news += 1);
    }

    async fn write(&self, note: Note, content: Vec<u8>) -> io::Result<()> {
        let Some(notes) = self.inner.notes.clone() else { return Ok(()) };
        let written = tokio::task::spawn_blocking(move || lock(&notes).write(note, &content));
        written.await.map_err(io::Error::other)?.map_err(io::Error::other)
    }
}

/// The life of a directory. A damaged one proves nothing any more: the directory begins another,
/// and whoever has met it will not take it for what it was.
fn read_life(notes: &mut Notes<RealDisk>) -> Result<Option<Life>, DataDirError> {
    let read = match notes.read(Note::Life) {
        Err(DataDirError::DamagedNote(path)) => Err(path),
        other => Ok(other?),
    };
    let life = match read {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => Life::decode(&bytes),
        Err(_) => None,
    };
    if life.is_none() {
        tracing::warn!(
            "the file LIFE is damaged: this member cannot show that it is what it was, and has to \
             be taken in anew"
        );
    }
    Ok(life)
}

/// Whom a directory has met. One that has a life has met nobody only if it says so; `None`: it says
/// nothing, and has no life.
fn read_known(
    notes: &mut Notes<RealDisk>,
    is_first: bool,
) -> Result<Option<Acquaintances>, DataDirError> {
    let known = match notes.read(Note::Acquaintances)? {
        Some(bytes) => Acquaintances::decode(&bytes),
        None if is_first => return Ok(None),
        None => None,
    };
    known.map(Some).ok_or_else(|| notes.damaged(Note::Acquaintances))
}

#[cfg(test)]
mod tests {
    use protocol::ClusterId;
    use storage::Identity;
    use storage::datadir::DataDir;

    use super::*;

    const WHO: NodeId = NodeId(9);

    fn started(dir: &DataDir, nonce: u64, fresh: u64) -> Register {
        let register = Register::open(Some(dir.notes().unwrap()), nonce, || fresh).unwrap();
        register.count().unwrap();
        register
    }

    fn directory(path: &std::path::Path) -> DataDir {
        DataDir::open(path, Identity { cluster: ClusterId(1), node: NodeId(2) }).unwrap()
    }

    #[tokio::test]
    async fn whom_it_has_met_and_how_often_it_has_started_outlive_the_process() {
        let temp = tempfile::tempdir().unwrap();
        let dir = directory(temp.path());
        let mut other = Life::new(5);
        other.start(6);
        let register = started(&dir, 1, 77);
        assert_eq!(register.life().boot(), 1);
        assert!(!register.refutes(WHO, None));
        let nobody = Acquaintances::default();
        register.meet(WHO, &other, &nobody).await.unwrap();
        let mut watch = register.watch();
        register.raise().await.unwrap();
        assert!(watch.has_changed().unwrap());
        watch.mark_unchanged();
        assert_eq!(register.life().boot(), 2);

        let register = started(&dir, 2, 88);
        assert_eq!((register.life().incarnation(), register.life().boot()), (77, 3));
        assert!(register.refutes(WHO, None) && !register.refutes(WHO, Some(&other)));
        let stranger = Life::new(6);
        assert_eq!(register.meet(WHO, &stranger, &nobody).await.unwrap(), Judgement::Forgotten);
        assert!(register.refutes(WHO, Some(&stranger)));
    }

    #[tokio::test]
    async fn a_damaged_life_is_another_one_and_damaged_acquaintances_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let dir = directory(temp.path());
        started(&dir, 1, 77);
        std::fs::write(temp.path().join("LIFE"), b"noise").unwrap();
        let register = started(&dir, 1, 88);
        assert_eq!(register.life().incarnation(), 88);
        std::fs::write(temp.path().join("ACQUAINTANCES"), b"noise").unwrap();
        let refused = Register::open(Some(dir.notes().unwrap()), 1, || 99).unwrap_err();
        assert!(refused.to_string().contains("ACQUAINTANCES"), "{refused}");
    }
}
