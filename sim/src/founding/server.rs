//! One server of a founding: the process that may die, and the disk that may not.

use protocol::bootstrap::{
    Config, Founding, Input, Output, Pledge, Restored, Seat, Shown, Sighting, WriteId,
};
use protocol::{ClusterId, NodeId};

use super::laws::{Broken, Ledger};

/// What survives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Disk {
    pub(super) pledge: Option<Pledge>,
    pub(super) cluster: Option<ClusterId>,
}

/// What a server is about to do besides pledging.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Task {
    /// Make it durable that it has founded this group.
    Found(Pledge),
    /// Be taken in by the members of this cluster.
    Join(ClusterId),
}

/// A process. It ends with all that is here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) core: Founding,
    /// On its way to the disk.
    pub(super) writing: Option<(WriteId, Pledge)>,
    pub(super) task: Option<Task>,
    /// What it shows.
    pub(super) shown: Shown,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Server {
    pub(super) seat: Seat,
    pub(super) expect: usize,
    pub(super) disk: Disk,
    pub(super) process: Option<Process>,
}

/// What a step of a server meant for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// It shows something else.
    pub(super) shows: bool,
    /// It has told the operator something.
    pub(super) warns: bool,
}

/// The cluster that such a group becomes: an id that follows from whom it names.
pub(super) fn cluster(pledge: &Pledge) -> ClusterId {
    let mix = |id: u64, server: &NodeId| protocol::Rng::new(id ^ server.0).next();
    ClusterId(pledge.servers().iter().fold(1, mix) | 1)
}

impl Server {
    pub(super) fn new(id: u64, expect: usize) -> Self {
        let seat = Seat { id: NodeId(id), name: format!("s{id}"), peer: format!("h{id}:2380") };
        Self { seat, expect, disk: Disk::default(), process: None }
    }

    pub(super) fn sighting(&self, shown: Shown) -> Sighting {
        Sighting { seat: self.seat.clone(), expect: Some(self.expect), shown }
    }

    pub(super) fn start(&mut self, ledger: &mut Ledger, alone: bool) -> Result<News, Broken> {
        let config = Config { own: self.seat.clone(), expect: self.expect };
        let Disk { pledge, cluster: known } = self.disk.clone();
        let founder = |pledge: &Pledge| known.is_none_or(|known| known == cluster(pledge));
        let restored = Restored { pledge: pledge.filter(founder), cluster: known };
        let core = Founding::new(config, restored);
        let shown = Shown::default();
        self.process = Some(Process { core, writing: None, task: None, shown });
        self.drain(ledger, alone)
    }

    /// The process dies; what was on its way to the disk is there, or is not.
    pub(super) fn crash(&mut self, wrote: bool, ledger: &mut Ledger) -> Result<(), Broken> {
        match self.process.take().and_then(|process| process.writing) {
            Some((_, pledge)) if wrote => self.write(pledge, ledger),
            Some(_) | None => Ok(()),
        }
    }

    fn write(&mut self, pledge: Pledge, ledger: &mut Ledger) -> Result<(), Broken> {
        ledger.pledged(self.seat.id, &pledge)?;
        self.disk.pledge = Some(pledge);
        Ok(())
    }

    /// What is on its way to the disk arrives.
    pub(super) fn sync(&mut self, ledger: &mut Ledger, alone: bool) -> Result<News, Broken> {
        let writing = self.process.as_mut().and_then(|process| process.writing.take());
        let Some((id, pledge)) = writing else { return Ok(News::default()) };
        self.write(pledge, ledger)?;
        self.handle(Input::Persisted(id), ledger, alone)
    }

    /// The task is done.
    pub(super) fn settle(&mut self, ledger: &mut Ledger, alone: bool) -> Result<News, Broken> {
        let task = self.process.as_mut().and_then(|process| process.task.take());
        let joined = match task {
            None => return Ok(News::default()),
            Some(Task::Found(pledge)) => cluster(&pledge),
            Some(Task::Join(cluster)) => cluster,
        };
        self.disk.cluster = Some(joined);
        self.handle(Input::Settled(joined), ledger, alone)
    }

    pub(super) fn handle(
        &mut self,
        input: Input,
        ledger: &mut Ledger,
        alone: bool,
    ) -> Result<News, Broken> {
        if let Some(process) = &mut self.process {
            process.core.handle(input);
        }
        self.drain(ledger, alone)
    }

    fn drain(&mut self, ledger: &mut Ledger, alone: bool) -> Result<News, Broken> {
        let mut news = News::default();
        let Some(process) = &mut self.process else { return Ok(news) };
        let id = self.seat.id;
        while let Some(output) = process.core.poll_output() {
            match output {
                Output::Persist { id, pledge } => process.writing = Some((id, pledge)),
                Output::Show(shown) => {
                    ledger.showed(id, &shown)?;
                    news.shows |= process.shown != shown;
                    process.shown = shown;
                }
                Output::Form(seats) => {
                    let founded = ledger.founds(id, &seats, (self.expect, alone))?;
                    process.task = Some(Task::Found(founded));
                }
                Output::Follow(cluster) => process.task = Some(Task::Join(cluster)),
                Output::Warn(_) => news.warns = true,
            }
        }
        Ok(news)
    }
}
