//! One group: its core, what it has seen of others, its file and its programs.

use std::collections::{BTreeMap, BTreeSet};

use protocol::bully::wire::{Group as Name, Letter, Says};
use protocol::bully::{
    Bully, ChangeRefusal, Config, Durable, Electorate, Epoch, Input, Leader, Output, Shown,
    Standing, Warning, WriteId,
};
use protocol::{NodeId, Time};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::calls::Reply;
use super::clock::boot_time;
use super::handle::{ElectionError, Told};
use super::settings::{GroupSettings, Mode};
use super::words;

/// Lines that may wait for a program. One that reads more slowly is taken for gone.
pub(super) const LINES: usize = 64;

/// What a group wants done.
#[derive(Debug)]
pub(super) enum Effect {
    /// Send this to one.
    Send(NodeId, Letter),
    /// Send this to all of the group.
    Show(Letter),
    /// Make this durable; one write at a time.
    Write(WriteId, Durable),
    /// Tell programs that this one leads.
    Leader(Option<Leader>),
    /// Tell programs, and the log.
    Warn(Warning),
}

/// A program that is connected.
#[derive(Debug)]
struct Attached {
    number: u64,
    lines: mpsc::Sender<Told>,
}

/// One group. Laws:
///
/// - at most one write is under way, and what waits is newer;
/// - once a write has failed, nothing is handed to the core any more: nobody knows what is durable.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: Name,
    pub(super) settings: GroupSettings,
    core: Bully,
    /// What it shows of itself.
    shown: Option<Shown>,
    /// What others show, and what the pool thought of them when the core was told.
    seen: BTreeMap<NodeId, (Shown, Option<Standing>)>,
    writing: bool,
    waiting: Option<(WriteId, Durable)>,
    broken: bool,
    candidate: Option<Attached>,
    observers: Vec<Attached>,
    /// Whoever waits for a change of the electorate.
    changing: Option<Reply<()>>,
    effects: Vec<Effect>,
    /// Whose turn it is to hear again what this one shows.
    turn: usize,
    /// The program that stood does not read, and was left.
    left: bool,
}

impl Group {
    /// A member of this group, whose program has not come yet.
    pub(super) fn new(
        name: Name,
        settings: GroupSettings,
        config: Config,
        durable: Durable,
        now: Time,
    ) -> Self {
        let core = Bully::new(config, durable, crate::runtime::random());
        let mut group = Self {
            name,
            settings,
            core,
            shown: None,
            seen: BTreeMap::new(),
            writing: false,
            waiting: None,
            broken: false,
            candidate: None,
            observers: Vec::new(),
            changing: None,
            effects: Vec::new(),
            turn: 0,
            left: false,
        };
        if group.settings.mode == Mode::Safe {
            group.handle(now, Input::Stand(false));
        }
        group
    }

    pub(super) fn core(&self) -> &Bully {
        &self.core
    }

    pub(super) fn due(&self) -> Option<Time> {
        self.core.poll_timeout().filter(|_| !self.broken)
    }

    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    pub(super) const fn observers(&self) -> usize {
        self.observers.len()
    }

    pub(super) const fn stands(&self) -> bool {
        self.candidate.is_some()
    }

    /// Something has happened. What follows is among the effects.
    pub(super) fn handle(&mut self, now: Time, input: Input) {
        if self.broken {
            return;
        }
        self.core.handle(now, input);
        while let Some(output) = self.core.poll_output() {
            self.carry_out(output);
        }
        if std::mem::take(&mut self.left) {
            self.handle(now, Input::Stand(false));
        }
    }

    /// What is to be done now.
    pub(super) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { to, message } => {
                let letter = self.letter(Says::Message(message));
                self.effects.push(Effect::Send(to, letter));
            }
            Output::Persist { id, durable } => {
                if self.writing {
                    self.waiting = Some((id, durable));
                } else {
                    self.writing = true;
                    self.effects.push(Effect::Write(id, durable));
                }
            }
            Output::Show(shown) => {
                self.shown = Some(shown.clone());
                let letter = self.letter(Says::Shown(shown));
                self.effects.push(Effect::Show(letter));
            }
            Output::Elected(lease) => {
                let epoch = lease.map(|lease| lease.epoch);
                let until = lease.map(|lease| lease.until.0);
                let number = epoch.map(|epoch| epoch.0);
                tracing::info!(group = %self.name, epoch = number, "leads the group");
                self.tell_candidate(Told::Elected { epoch, until });
            }
            Output::Extended(lease) => {
                self.tell_candidate(Told::Extended { epoch: lease.epoch, until: lease.until.0 });
            }
            Output::Lost { epoch, why } => {
                let (number, reason) = (epoch.map(|epoch| epoch.0), words::loss(why));
                let lease = self.core.status().lease;
                let left = lease.map(|lease| lease.until.since(boot_time()).as_secs_f64());
                let text = "leads the group no more; others may once its program has stopped, or \
                            the lease has run out";
                tracing::info!(group = %self.name, epoch = number, why = reason,
                    lease_left_s = left, "{text}");
                self.answer_change(Err(ElectionError::Conflict(words::unfinished())));
                self.tell_candidate(Told::Lost { epoch, why });
            }
            Output::Leader(leader) => self.effects.push(Effect::Leader(leader)),
            Output::Electorate(electorate) => self.note(&electorate, "goes by this electorate"),
            Output::Settled(electorate) => {
                self.note(&electorate, "its electorate has settled");
                self.answer_change(Ok(()));
            }
            Output::ChangeRefused(refusal) => {
                self.answer_change(Err(ElectionError::Conflict(words::refusal(refusal))));
            }
            Output::Warn(warning) => self.effects.push(Effect::Warn(warning)),
        }
    }

    fn note(&self, electorate: &Electorate, what: &str) {
        let (version, members) = (electorate.version, electorate.everybody().count());
        tracing::debug!(group = %self.name, ?version, members, "{what}");
    }

    fn answer_change(&mut self, result: Result<(), ElectionError>) {
        if let Some(reply) = self.changing.take() {
            // Whoever asked may have gone since.
            drop(reply.send(result));
        }
    }

    /// Lets these decide from now on; the answer comes when it is done.
    pub(super) fn change(&mut self, now: Time, electors: BTreeSet<NodeId>, reply: Reply<()>) {
        if self.changing.is_some() {
            let text = words::refusal(ChangeRefusal::UnderWay);
            return drop(reply.send(Err(ElectionError::Conflict(text))));
        }
        self.changing = Some(reply);
        self.handle(now, Input::Change(electors));
    }

    pub(super) fn warn(&mut self, text: &str) {
        tracing::warn!(group = %self.name, "{text}");
        self.tell_candidate(Told::Warning(text.to_owned()));
        self.tell_observers(&Told::Warning(text.to_owned()));
    }

    fn letter(&self, says: Says) -> Letter {
        Letter { group: self.name.clone(), says }
    }

    /// What this member shows of itself, for one that may not know it.
    pub(super) fn shown(&self) -> Option<Letter> {
        self.shown.clone().map(|shown| self.letter(Says::Shown(shown)))
    }

    /// The farewell of a member that is none any more.
    pub(super) fn farewell(&self, own: NodeId) -> Letter {
        self.letter(Says::Gone(own))
    }

    /// The next few of these to tell again.
    pub(super) fn turn<'a>(&mut self, of: &'a [NodeId], count: usize) -> Vec<&'a NodeId> {
        let from = if of.is_empty() { 0 } else { self.turn % of.len() };
        self.turn = from + count;
        of.iter().cycle().skip(from).take(count.min(of.len())).collect()
    }

    /// Somebody shows itself; `true` when it is new here, and should be shown this one.
    pub(super) fn shows(&mut self, now: Time, shown: Shown, standing: Option<Standing>) -> bool {
        let id = shown.rank.id;
        let before = self.seen.insert(id, (shown.clone(), standing));
        if before.as_ref() != Some(&(shown.clone(), standing))
            && let Some(standing) = standing
        {
            self.handle(now, Input::Saw { shown, standing });
        }
        before.is_none()
    }

    /// What the pool thinks of those who are in the group. Whoever is not there any more is
    /// forgotten.
    pub(super) fn look(&mut self, now: Time, standings: &BTreeMap<NodeId, Standing>) {
        let gone: Vec<NodeId> =
            self.seen.keys().filter(|id| !standings.contains_key(id)).copied().collect();
        for id in gone {
            self.forgets(now, id);
        }
        let changed: Vec<(Shown, Standing)> = self
            .seen
            .iter_mut()
            .filter_map(|(id, (shown, known))| {
                let standing = *standings.get(id)?;
                let is_news = known.replace(standing) != Some(standing);
                is_news.then(|| (shown.clone(), standing))
            })
            .collect();
        for (shown, standing) in changed {
            self.handle(now, Input::Saw { shown, standing });
        }
    }

    pub(super) fn forgets(&mut self, now: Time, id: NodeId) {
        if self.seen.remove(&id).is_some() {
            self.handle(now, Input::Forgotten(id));
        }
    }

    /// A write has ended. After one that failed this member says nothing any more: what it grants
    /// could be forgotten.
    pub(super) fn written(&mut self, now: Time, id: WriteId, result: std::io::Result<()>) {
        self.writing = false;
        if let Err(error) = result {
            self.warn(&format!(
                "what this agent grants cannot be written ({error}); it takes no part any more: \
                 see to the disk and start it again"
            ));
            self.broken = true;
            self.answer_change(Err(ElectionError::Conflict(words::broken())));
            self.candidate = None;
            self.observers.clear();
            return;
        }
        if let Some((id, durable)) = self.waiting.take() {
            self.writing = true;
            self.effects.push(Effect::Write(id, durable));
        }
        self.handle(now, Input::Persisted(id));
    }

    /// A program stands from now on.
    pub(super) fn attach(&mut self, now: Time, number: u64, lines: mpsc::Sender<Told>) {
        self.candidate = Some(Attached { number, lines });
        self.handle(now, Input::Priority(self.settings.rank));
        self.handle(now, Input::Stand(true));
    }

    pub(super) fn observe(&mut self, number: u64, lines: mpsc::Sender<Told>) {
        self.observers.push(Attached { number, lines });
    }

    /// A program has gone.
    pub(super) fn detach(&mut self, now: Time, number: u64) {
        self.observers.retain(|program| program.number != number);
        let stood = self.candidate.take_if(|program| program.number == number).is_some();
        if stood {
            self.handle(now, Input::Stand(false));
        }
    }

    pub(super) fn stopped(&mut self, now: Time, epoch: Epoch) {
        self.handle(now, Input::Stopped(epoch));
    }

    /// Tells programs who leads.
    pub(super) fn tell_leader(&mut self, leader: Option<(String, Option<Epoch>)>) {
        self.tell_candidate(Told::Leader(leader.clone()));
        self.tell_observers(&Told::Leader(leader));
    }

    /// Who leads, as far as is known here: nothing, once this member says nothing any more.
    pub(super) fn leader(&self) -> Option<Leader> {
        self.core.status().leader.filter(|_| !self.broken)
    }

    /// A program that does not read must not be waited for: the channel closes, and that is noticed
    /// as when it goes by itself.
    fn tell_candidate(&mut self, told: Told) {
        let Some(candidate) = &self.candidate else { return };
        match candidate.lines.try_send(told) {
            Ok(()) => return,
            // It has gone, and that is on its way.
            Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => {
                let text = "the program that stands does not read: it is left";
                tracing::warn!(group = %self.name, "{text}");
            }
        }
        self.candidate = None;
        self.left = true;
    }

    fn tell_observers(&mut self, told: &Told) {
        self.observers.retain(|program| program.lines.try_send(told.clone()).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use protocol::bully::Timing;

    use super::*;
    use crate::elections::settings::Wish;

    const OWN: NodeId = NodeId(7);
    const START: Time = Time(1_000_000_000);

    /// A group whose only elector is this agent.
    fn alone() -> Group {
        let settings = GroupSettings::of(&Wish::parse("expect=1,ttl=10s").unwrap()).unwrap();
        let ms = Duration::from_millis;
        let timing = Timing { alive: ms(500), victory: ms(1_500) };
        let config = settings.config(OWN, timing);
        Group::new(Name::new("g").unwrap(), settings, config, Durable::default(), START)
    }

    fn write(group: &mut Group) -> Option<WriteId> {
        group.effects().into_iter().find_map(|effect| match effect {
            Effect::Write(id, _) => Some(id),
            Effect::Send(..) | Effect::Show(_) | Effect::Leader(_) | Effect::Warn(_) => None,
        })
    }

    /// Its timers, and all that it writes, until it wants no more; gives the time.
    fn goes_on(group: &mut Group, mut now: Time, until: Time) -> Time {
        loop {
            while let Some(id) = write(group) {
                group.written(now, id, Ok(()));
            }
            match group.due().filter(|due| *due <= until) {
                Some(due) => now = now.max(due),
                None => return until,
            }
            group.handle(now, Input::Timeout);
        }
    }

    fn told(lines: &mut mpsc::Receiver<Told>) -> Vec<Told> {
        std::iter::from_fn(|| lines.try_recv().ok()).collect()
    }

    #[test]
    fn a_program_leads_once_what_was_granted_is_durable_and_loses_when_it_goes() {
        let mut group = alone();
        let (lines, mut coming) = mpsc::channel(LINES);
        let second = START + Duration::from_secs(1);
        let now = goes_on(&mut group, START, second);
        group.attach(now, 1, lines);
        // Until the write is reported, nobody leads, however long that takes.
        let id = loop {
            match write(&mut group) {
                Some(id) => break id,
                None => group.handle(group.due().unwrap(), Input::Timeout),
            }
        };
        group.handle(now + Duration::from_millis(900), Input::Timeout);
        assert!(told(&mut coming).is_empty());
        group.written(now + Duration::from_millis(900), id, Ok(()));
        let now = goes_on(&mut group, now, now + Duration::from_secs(5));
        let lines = told(&mut coming);
        assert!(matches!(lines[0], Told::Elected { epoch: Some(_), until: Some(_) }), "{lines:?}");
        assert!(group.stands());
        group.detach(now, 1);
        assert!(!group.stands());
    }

    #[test]
    fn a_write_that_failed_ends_its_part_and_tells_the_program() {
        let mut group = alone();
        let (lines, mut coming) = mpsc::channel(LINES);
        group.attach(START, 1, lines);
        let id = loop {
            match write(&mut group) {
                Some(id) => break id,
                None => group.handle(group.due().unwrap(), Input::Timeout),
            }
        };
        group.written(START, id, Err(io::Error::other("the disk is gone")));
        let lines = told(&mut coming);
        assert!(matches!(&lines[..], [Told::Warning(text)] if text.contains("the disk is gone")));
        assert!(coming.is_closed() && group.is_broken() && group.due().is_none());
        group.handle(START + Duration::from_secs(60), Input::Timeout);
        assert!(group.effects().is_empty());
    }

    #[test]
    fn a_program_that_does_not_read_is_left_and_its_office_resigned() {
        let mut group = alone();
        let (lines, mut coming) = mpsc::channel(2);
        group.attach(START, 1, lines);
        goes_on(&mut group, START, START + Duration::from_secs(60));
        assert!(!group.stands());
        assert_eq!(told(&mut coming).len(), 2);
        assert!(coming.is_closed());
        assert_eq!(group.core().status().lease, None, "nothing is renewed for it");
    }
}
