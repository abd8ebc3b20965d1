//! Records every event for the services, and checks the deliveries. Each key belongs to one frontend, which gives its events numbers.

use super::plan::{SERVICES, Service, tag};
use crate::tally::{Count, Tally};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Mutex,
    time::{Duration, Instant},
};

/// For this time after a fault, the store may still lose what it accepted.
const GRACE: Duration = Duration::from_secs(3);

/// How an event is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// As a call. It is repeated until it is accepted, with the same idempotency key.
    RepeatedCall,
    /// As a call, once.
    Call,
    /// As a message without an answer, over the connection with this number.
    Message(u32),
}

/// An event that no consumer processes. It becomes a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Poison {
    /// The service refuses it for good.
    Refused,
    /// Every try fails.
    Failing,
}

impl Poison {
    /// Its name in the data of the event.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Failing => "failing",
        }
    }

    /// The poison with this name.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        [Self::Refused, Self::Failing].into_iter().find(|poison| poison.name() == name)
    }
}

/// Names an event: its key, and its number there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EventName {
    pub(crate) key: String,
    pub(crate) number: u32,
}

/// All events.
#[derive(Default)]
pub(crate) struct Events(Mutex<Ledger>);

#[derive(Default)]
struct Ledger {
    keys: HashMap<String, Key>,
    /// Of each hash tag, what the store may have lost.
    risks: HashMap<String, Risk>,
    counts: BTreeMap<&'static str, ServiceCounts>,
}

/// What the store may have lost of a partition.
#[derive(Clone, Copy, Debug, Default)]
struct Risk {
    /// Events that were accepted before this time.
    accepted_until: Option<Instant>,
    /// Events that were sent before this time, together with their idempotency keys, before they were accepted. A consumer may have got them. A repeat of
    /// the call is another event then.
    sent_until: Option<Instant>,
}

/// What became of the events of one service.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ServiceCounts {
    /// Calls that were answered with the id of an event.
    pub(crate) accepted: u64,
    /// Accepted events that a consumer processed.
    pub(crate) processed: u64,
    /// Messages without an answer, and how many of them were processed.
    pub(crate) messages: u64,
    pub(crate) messages_processed: u64,
    /// Deliveries of events that were delivered before.
    pub(crate) repeats: u64,
    /// Deliveries after a failed try.
    pub(crate) tries: u64,
    /// Dead letters. All are planted.
    pub(crate) dead: u64,
    /// Accepted events that the store lost in a fault that may lose them.
    pub(crate) lost: u64,
}

/// The events of one key.
struct Key {
    service: &'static Service,
    partition: u16,
    records: Vec<Record>,
    /// Events that were accepted and are not processed.
    open: BTreeSet<u32>,
    /// The newest message that was delivered, of each connection.
    newest: HashMap<u32, u32>,
}

struct Record {
    how: How,
    poison: Option<Poison>,
    /// When it was sent for the first time.
    sent: Instant,
    answer: Answer,
    /// The id with which it was delivered.
    id: Option<Box<str>>,
    processed: bool,
    dead: bool,
}

/// What the sender knows.
#[derive(Debug, Default)]
enum Answer {
    #[default]
    None,
    Accepted(Instant, Box<str>),
    Refused,
}

/// A delivery of an event to a consumer.
pub(crate) struct Delivered<'a> {
    pub(crate) service: &'static Service,
    pub(crate) name: &'a EventName,
    pub(crate) id: &'a str,
    pub(crate) partition: Option<u64>,
    pub(crate) attempt: Option<u64>,
}

/// Marks partitions of which the store may lose accepted events, until this is dropped.
pub(crate) struct AtRisk<'a> {
    events: &'a Events,
    tags: Vec<String>,
    loses_accepted: bool,
}

impl Drop for AtRisk<'_> {
    fn drop(&mut self) {
        self.events.set_at_risk(&self.tags, self.loses_accepted, GRACE);
    }
}

impl Events {
    /// Registers a key. Returns its name.
    pub(crate) fn add_key(&self, service: &'static Service) -> String {
        let mut ledger = self.lock();
        let key = format!("{}-{}", service.name, ledger.keys.len());
        let partition = service.partition_of(&key);
        let entry = Key { service, partition, records: Vec::new(), open: BTreeSet::new(), newest: HashMap::new() };
        ledger.keys.insert(key.clone(), entry);
        key
    }

    /// Gives the next event of a key its number.
    pub(crate) fn next(&self, key: &str, how: How, poison: Option<Poison>) -> EventName {
        let mut ledger = self.lock();
        let of = ledger.keys.get_mut(key).expect("the key is registered");
        let (number, service) = (of.records.len() as u32, of.service.name);
        of.records.push(Record { how, poison, sent: Instant::now(), answer: Answer::None, id: None, processed: false, dead: false });
        if matches!(how, How::Message(_)) {
            ledger.counts.entry(service).or_default().messages += 1;
        }
        EventName { key: key.to_owned(), number }
    }

    /// The gateway answered that the event is stored under this id.
    pub(crate) fn accepted(&self, name: &EventName, id: &str, tally: &Tally) {
        let ledger = &mut *self.lock();
        let key = ledger.keys.get_mut(&name.key).expect("the key is registered");
        let risk = risk(&ledger.risks, key);
        let record = &mut key.records[name.number as usize];
        record.answer = Answer::Accepted(Instant::now(), id.into());
        ledger.counts.entry(key.service.name).or_default().accepted += 1;
        let may_come_again = risk.may_come_again(record);
        if let Some(delivered) = record.id.as_ref().filter(|delivered| ***delivered != *id && !may_come_again) {
            tally.violation(Count::Duplicates, 1, || format!("{name:?} was accepted as {id}, but delivered as {delivered}"));
        }
        if record.processed {
            ledger.counts.entry(key.service.name).or_default().processed += 1;
        } else {
            key.open.insert(name.number);
        }
    }

    /// It is certain that the event was not stored.
    pub(crate) fn refused(&self, name: &EventName) {
        self.lock().keys.get_mut(&name.key).expect("the key is registered").records[name.number as usize].answer = Answer::Refused;
    }

    /// A consumer got an event.
    pub(crate) fn delivered(&self, delivered: &Delivered<'_>, tally: &Tally) {
        let ledger = &mut *self.lock();
        let Delivered { service, name, id, .. } = delivered;
        let Some(key) = ledger.keys.get_mut(&name.key).filter(|key| (name.number as usize) < key.records.len()) else {
            tally.violation(Count::Other, 1, || format!("{}: {name:?} was never sent", service.name));
            return;
        };
        tally.add(Count::Deliveries, 1);
        let risk = risk(&ledger.risks, key);
        let counts = ledger.counts.entry(service.name).or_default();
        counts.tries += u64::from(delivered.attempt.is_some_and(|attempt| attempt > 1));
        let is_misplaced = delivered.partition.is_some_and(|partition| partition != u64::from(key.partition));
        if is_misplaced || *service != key.service {
            let case = || format!("{name:?} belongs to {}/{}, but arrived at {service:?}", key.service.name, key.partition);
            tally.violation(Count::Other, 1, case);
        }
        if let Some(first) = key.records[name.number as usize].id.clone() {
            counts.repeats += 1;
            tally.add(Count::Redelivered, 1);
            if *first != **id && !risk.may_come_again(&key.records[name.number as usize]) {
                tally.violation(Count::Duplicates, 1, || format!("{name:?} was delivered as {first}, and again as {id}"));
            }
            return;
        }
        key.check_first(name, id, risk, tally);
        key.records[name.number as usize].id = Some((*id).into());
    }

    /// A consumer has processed an event, or refused its poison.
    pub(crate) fn processed(&self, name: &EventName) {
        let ledger = &mut *self.lock();
        let Some(key) = ledger.keys.get_mut(&name.key) else { return };
        let Some(record) = key.records.get_mut(name.number as usize).filter(|record| !record.processed) else { return };
        record.processed = true;
        key.open.remove(&name.number);
        let counts = ledger.counts.entry(key.service.name).or_default();
        match (&record.answer, record.how) {
            (Answer::Accepted(..), _) => counts.processed += 1,
            (_, How::Message(_)) => counts.messages_processed += 1,
            _ => {}
        }
    }

    /// An operator sees this dead letter.
    pub(crate) fn is_dead(&self, service: &'static Service, name: &EventName, detail: &str, tally: &Tally) {
        let ledger = &mut *self.lock();
        let record = ledger.keys.get_mut(&name.key).and_then(|key| key.records.get_mut(name.number as usize));
        match record {
            Some(record) if record.poison.is_some() => {
                ledger.counts.entry(service.name).or_default().dead += u64::from(!record.dead);
                record.dead = true;
            }
            _ => tally.violation(Count::Other, 1, || format!("{}: {name:?} is a dead letter, but is no poison: {detail}", service.name)),
        }
    }

    /// Marks the partitions with these hash tags: what they hold now, and what they get until the result is dropped, may be lost. With `loses_accepted`
    /// that is also so for what they have accepted.
    pub(crate) fn at_risk(&self, has: impl Fn(&str) -> bool, loses_accepted: bool) -> AtRisk<'_> {
        let tags: Vec<_> = SERVICES.into_iter().flat_map(Service::tags).filter(|tag| has(tag)).collect();
        self.set_at_risk(&tags, loses_accepted, Duration::from_hours(1));
        AtRisk { events: self, tags, loses_accepted }
    }

    fn set_at_risk(&self, tags: &[String], loses_accepted: bool, time: Duration) {
        let until = Some(Instant::now() + time);
        let mut ledger = self.lock();
        for tag in tags {
            let risk = ledger.risks.entry(tag.clone()).or_default();
            risk.sent_until = until;
            if loses_accepted {
                risk.accepted_until = until;
            }
        }
    }

    /// The events that were accepted, and that the store must not lose, and that are not processed.
    pub(crate) fn open(&self) -> Vec<EventName> {
        let ledger = self.lock();
        let mut all = Vec::new();
        for (name, key) in &ledger.keys {
            let open = key.open.iter().filter(|number| !ledger.may_be_lost(key, **number));
            all.extend(open.map(|number| EventName { key: name.clone(), number: *number }));
        }
        all.sort();
        all
    }

    /// Describes an event, for people.
    pub(crate) fn describe(&self, name: &EventName) -> String {
        let ledger = self.lock();
        let Some(key) = ledger.keys.get(&name.key) else { return format!("{name:?}") };
        let Record { how, poison, answer, id, .. } = &key.records[name.number as usize];
        let answer = match answer {
            Answer::Accepted(at, id) => format!("accepted as {id} {:.1} s ago", at.elapsed().as_secs_f64()),
            other => format!("{other:?}"),
        };
        let delivered = if id.is_some() { "delivered" } else { "never delivered" };
        format!("{}/{} {} {} ({how:?}, {poison:?}): {answer}, {delivered}", key.service.name, key.partition, name.key, name.number)
    }

    /// At the end: counts the accepted events that the store lost, and returns the poisons that are no dead letters.
    pub(crate) fn close(&self) -> Vec<EventName> {
        let ledger = &mut *self.lock();
        let (mut alive, mut lost) = (Vec::new(), Vec::new());
        for (name, key) in &ledger.keys {
            for (number, record) in key.records.iter().enumerate() {
                let number = number as u32;
                let is_accepted = matches!(record.answer, Answer::Accepted(..));
                if is_accepted && !record.processed && ledger.may_be_lost(key, number) {
                    lost.push(key.service.name);
                }
                let must_be_dead = record.poison.is_some() && record.processed && is_accepted && !record.dead;
                if must_be_dead && !ledger.may_be_lost(key, number) {
                    alive.push(EventName { key: name.clone(), number });
                }
            }
        }
        for service in lost {
            ledger.counts.entry(service).or_default().lost += 1;
        }
        alive
    }

    /// What became of the events of each service.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, ServiceCounts> {
        self.lock().counts.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.0.lock().expect("no panic")
    }
}

fn risk(risks: &HashMap<String, Risk>, key: &Key) -> Risk {
    risks.get(&tag(key.service.name, key.partition)).copied().unwrap_or_default()
}

impl Risk {
    /// Whether the store may have lost this accepted event.
    fn may_be_lost(self, record: &Record) -> bool {
        match record.answer {
            Answer::Accepted(at, _) => self.accepted_until.is_some_and(|until| at < until),
            Answer::None | Answer::Refused => false,
        }
    }

    /// Whether the store may have lost what it knew of this event, so that it was stored once more, under another id.
    fn may_come_again(self, record: &Record) -> bool {
        self.sent_until.is_some_and(|until| record.sent < until)
    }
}

impl Ledger {
    /// Whether the store may have lost this accepted event.
    fn may_be_lost(&self, key: &Key, number: u32) -> bool {
        risk(&self.risks, key).may_be_lost(&key.records[number as usize])
    }
}

impl Key {
    /// Checks the first delivery of an event: all events that were accepted before it was sent are processed, and so it comes in order.
    fn check_first(&mut self, name: &EventName, id: &str, risk: Risk, tally: &Tally) {
        let number = name.number;
        let earlier = self.open.range(..number).find(|earlier| !risk.may_be_lost(&self.records[**earlier as usize]));
        if let Some(earlier) = earlier {
            tally.violation(Count::Disorder, 1, || format!("{name:?} was delivered before {earlier} was processed"));
        }
        let record = &self.records[number as usize];
        let may_come_again = risk.may_come_again(record);
        match &record.answer {
            Answer::Refused => tally.violation(Count::Other, 1, || format!("{name:?} was refused, but arrived")),
            Answer::Accepted(at, accepted) => {
                tally.record_delay(at.elapsed());
                if **accepted != *id && !may_come_again {
                    tally.violation(Count::Duplicates, 1, || format!("{name:?} was accepted as {accepted}, but delivered as {id}"));
                }
            }
            Answer::None => {}
        }
        if let How::Message(connection) = record.how {
            let newest = self.newest.entry(connection).or_insert(number);
            if *newest > number && !may_come_again {
                tally.violation(Count::Disorder, 1, || format!("{name:?} was delivered after {newest}, of the same connection"));
            }
            *newest = number.max(*newest);
        }
    }
}
