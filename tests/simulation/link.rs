//! Nodes and servers speak: the steps of the real follower, as messages.

use std::sync::Arc;
use std::time::Duration;

use dariet_gateway::domain::Uptime;
use dariet_gateway::revocation::{Heard, Step};
use dariet_gateway::store::{Beat, Entry, ServerId};

use super::flaw::Flaw;
use super::server::{Op, store_id};
use super::store::{Ask, Linked};
use super::world::{Address, Event, MILLI, TIMEOUT, Time, WaitingBeat, WaitingRead, Work, World};

#[derive(Clone)]
pub(crate) enum LinkAsk {
    Connect,
    Beat,
    Read { after: u64, wait: Time },
    SendAgain(Vec<Entry>),
    Nothing,
}

/// How long a primary waits for its replicas to acknowledge a beat.
const WAIT: Time = 20 * MILLI;

impl World {
    /// Carries out what the node's follower wants until it waits for an answer.
    pub(crate) fn go_on(&mut self, node: usize) {
        loop {
            let step = self.nodes[node].follower.next_step();
            self.tell(|| format!("node {node}: {step:?}"));
            match step {
                Step::Connect { pause } => {
                    self.nodes[node].is_open = false;
                    self.nodes[node].session = None;
                    let pause = micros(pause);
                    let pause = pause / 2 + self.chance.within(0, pause / 2 + 1);
                    return self.send(node, LinkAsk::Connect, pause, TIMEOUT);
                }
                Step::Wait(span) => return self.send(node, LinkAsk::Nothing, 0, micros(span)),
                Step::Beat => return self.send(node, LinkAsk::Beat, 0, TIMEOUT),
                Step::Read { after, wait } => {
                    let wait = micros(wait);
                    return self.send(node, LinkAsk::Read { after, wait }, 0, wait + TIMEOUT);
                }
                Step::SendAgain(entries) => {
                    self.tally.sent_again += u64::try_from(entries.len()).unwrap();
                    if !self.has(Flaw::NothingIsSentAgain) {
                        return self.send(node, LinkAsk::SendAgain(entries), 0, TIMEOUT);
                    }
                    self.nodes[node].follower.heard(Heard::Done);
                }
                Step::Recheck if self.has(Flaw::NothingIsChecked) => {
                    self.nodes[node].follower.heard(Heard::Done);
                }
                Step::Recheck => return self.recheck(node),
                Step::Doubt(_) => self.doubt(node),
                Step::Open => self.nodes[node].is_open = true,
                Step::Apply(entries) => {
                    let node = &mut self.nodes[node];
                    let _ = node.applier.apply(&entries);
                    node.applied = entries.last().unwrap().number;
                    node.knows.extend(entries);
                }
                Step::Confirm { since } => self.confirm(node, since),
                Step::Replace => {
                    self.tally.replaced += 1;
                    let node = &mut self.nodes[node];
                    node.applier.freshness.replace();
                    node.is_replaced = true;
                }
            }
        }
    }

    fn doubt(&mut self, node: usize) {
        self.tally.doubts += 1;
        let leaves = self.has(Flaw::DoubtLeavesAdmissions);
        let node = &mut self.nodes[node];
        node.applied = node.promised;
        let again = if leaves {
            node.applier.freshness.doubt();
            node.applier.recent.next_era()
        } else {
            node.applier.doubt()
        };
        node.follower.heard(Heard::ToSendAgain(again));
    }

    fn recheck(&mut self, node: usize) {
        let parts = &mut self.nodes[node];
        parts.attempt += 1;
        let (attempt, store) = (parts.attempt, Arc::<Linked>::clone(&parts.linked));
        let authenticator = Arc::clone(&parts.authenticator);
        let work = async move { authenticator.recheck(&*store).await };
        self.start_task(node, Work::Recheck(attempt, Box::pin(work)));
    }

    fn confirm(&mut self, node: usize, since: Duration) {
        let parts = &mut self.nodes[node];
        parts.applier.freshness.confirm(since);
        parts.store = parts.store.or(parts.heard_of);
        parts.is_replaced = false;
        self.check_sent_again(node);
    }

    /// Sends a step of the link after `pause`; without an answer in `patience` it is lost.
    fn send(&mut self, node: usize, ask: LinkAsk, pause: Time, patience: Time) {
        self.nodes[node].attempt += 1;
        let to = self.address_of(node, self.nodes[node].attempt);
        let connections = self.nodes[node].session.map_or(0, |(_, own)| own);
        let heard = match ask {
            LinkAsk::Nothing => Heard::Done,
            _ => Heard::Lost,
        };
        let from = None;
        self.after(pause + patience, Event::Heard { to, from, heard });
        let arrives = pause + self.transit(node);
        let sent_at = self.uptime.elapsed();
        let event = Event::Link {
            to,
            connections,
            ask,
            sent_at,
        };
        self.after(arrives, event);
    }

    pub(crate) fn serve_link(
        &mut self,
        to: Address,
        connections: u64,
        ask: LinkAsk,
        sent_at: Duration,
    ) {
        if !self.is_awaited(to) || matches!(ask, LinkAsk::Nothing) {
            return;
        }
        let index = self.server_of(to.node);
        if !self.reaches(to.node, index) {
            return;
        }
        let server = &mut self.servers[index];
        let is_connecting = matches!(ask, LinkAsk::Connect);
        // A replica takes no writes, and each of these but reading the log is one.
        let is_reading = matches!(ask, LinkAsk::Read { .. });
        if !server.is_up
            || (!is_connecting && server.connections != connections)
            || (!is_reading && !server.is_master)
        {
            return self.reply(to, index, Heard::Lost);
        }
        match ask {
            LinkAsk::Connect => {
                self.nodes[to.node].session = Some((index, server.connections));
                let beat = server.beat(true);
                self.reply(to, index, Heard::Connected(beat));
            }
            LinkAsk::Beat => self.serve_beat(to, index, sent_at),
            LinkAsk::Read { after, wait } => {
                let run = server.run;
                self.reads.push(WaitingRead {
                    server: index,
                    run,
                    to,
                    after,
                });
                self.after(wait, Event::ReadEnds(to));
                self.answer_reads(index);
            }
            LinkAsk::SendAgain(entries) => {
                for entry in entries {
                    self.write_at(index, Op::SendAgain(entry));
                }
                self.reply(to, index, Heard::Done);
            }
            LinkAsk::Nothing => {}
        }
    }

    fn serve_beat(&mut self, to: Address, index: usize, sent_at: Duration) {
        let beat = self.servers[index].beat(true);
        self.write_at(index, Op::Mark);
        let server = &self.servers[index];
        self.beats.push(WaitingBeat {
            server: index,
            run: server.run,
            to,
            offset: server.ops.len(),
            beat,
            sent_at,
        });
        self.after(WAIT, Event::BeatEnds(to));
        self.answer_beats(index);
    }

    /// Answers the beats of a primary that enough replicas have acknowledged: all that could become
    /// primary in its place.
    pub(crate) fn answer_beats(&mut self, index: usize) {
        let others = self.servers.len() - 1;
        let needed = if self.has(Flaw::OneReplicaOfTwo) {
            others.min(1)
        } else {
            others
        };
        let server = &self.servers[index];
        let is_sure = |beat: &WaitingBeat| {
            let acked = server.acked.iter().filter(|acked| **acked >= beat.offset);
            beat.server == index && beat.run == server.run && acked.count() >= needed
        };
        let sure: Vec<_> = self.beats.extract_if(.., |beat| is_sure(beat)).collect();
        for waiting in sure {
            self.reply_beat(waiting, true);
        }
    }

    pub(crate) fn end_beat(&mut self, to: Address) {
        let ended: Vec<_> = self.beats.extract_if(.., |beat| beat.to == to).collect();
        for waiting in ended {
            self.reply_beat(waiting, false);
        }
    }

    fn reply_beat(&mut self, waiting: WaitingBeat, is_sure: bool) {
        let beat = Beat {
            is_sure,
            ..waiting.beat
        };
        let sent_at = waiting.sent_at;
        self.reply(waiting.to, waiting.server, Heard::Beat { beat, sent_at });
    }

    pub(crate) fn answer_reads(&mut self, index: usize) {
        let server = &self.servers[index];
        let is_met = |read: &WaitingRead| {
            read.server == index
                && read.run == server.run
                && !server.data.entries(read.after, 1).is_empty()
        };
        let met: Vec<_> = self.reads.extract_if(.., |read| is_met(read)).collect();
        for read in met {
            let most = 1 + self.chance.index(8);
            let entries = self.servers[index].data.entries(read.after, most);
            self.reply_entries(read.to, index, entries);
        }
    }

    pub(crate) fn end_read(&mut self, to: Address) {
        let ended: Vec<_> = self.reads.extract_if(.., |read| read.to == to).collect();
        for read in ended {
            if self.servers[read.server].run == read.run {
                self.reply_entries(read.to, read.server, Vec::new());
            }
        }
    }

    fn reply_entries(&mut self, to: Address, server: usize, entries: Vec<Entry>) {
        let at = self.uptime.elapsed();
        self.reply(to, server, Heard::Entries { entries, at });
    }

    fn reply(&mut self, to: Address, server: usize, heard: Heard) {
        let transit = self.transit(to.node);
        let from = Some(server);
        self.after(transit, Event::Heard { to, from, heard });
    }

    /// What came of a step comes to the node.
    pub(crate) fn hear(&mut self, to: Address, from: Option<usize>, heard: Heard) {
        let is_lost = from.is_some_and(|server| !self.reaches(to.node, server));
        if is_lost || !self.is_awaited(to) {
            return;
        }
        if let Heard::Connected(beat) | Heard::Beat { beat, .. } = &heard {
            let node = &mut self.nodes[to.node];
            node.follows = Some(beat.server.clone());
            node.heard_of = beat.store;
        }
        let heard = self.bent(to.node, heard);
        self.tell(|| format!("node {}: heard {heard:?}", to.node));
        let node = &mut self.nodes[to.node];
        node.attempt += 1;
        node.follower.heard(heard);
        self.go_on(to.node);
    }

    /// What the node is told, where a rule is broken on purpose.
    fn bent(&mut self, node: usize, heard: Heard) -> Heard {
        let now = self.uptime.elapsed();
        match heard {
            Heard::Connected(beat) => Heard::Connected(self.bent_beat(node, beat)),
            Heard::Beat { beat, sent_at } => Heard::Beat {
                beat: self.bent_beat(node, beat),
                sent_at: if self.has(Flaw::CountsFromTheAnswer) {
                    now
                } else {
                    sent_at
                },
            },
            Heard::Entries { mut entries, at } if self.has(Flaw::GapIsNotSeen) => {
                if let Step::Read { after, .. } = self.nodes[node].follower.next_step() {
                    for (entry, number) in entries.iter_mut().zip(after + 1..) {
                        entry.number = number;
                    }
                }
                Heard::Entries { entries, at }
            }
            other => other,
        }
    }

    fn bent_beat(&mut self, node: usize, mut beat: Beat) -> Beat {
        if self.has(Flaw::UnsureBeatsCount) {
            beat.is_sure = true;
        }
        if self.has(Flaw::ServerIsNotSeen) {
            beat.server = ServerId("any".to_owned());
        }
        if self.has(Flaw::StoreIsNotSeen) {
            beat.store = Some(store_id(0));
        }
        if self.has(Flaw::GapIsNotSeen) {
            beat.trimmed_to = 0;
        }
        if self.has(Flaw::BeatOutrunsTheLog) {
            let node = &mut self.nodes[node];
            // Before the first change it is where the node began.
            node.promised = beat.last;
            node.applied = node.applied.max(u64::from(node.applied == 0) * beat.last);
            beat.last = beat.last.min(node.applied);
        }
        beat
    }

    fn is_awaited(&self, to: Address) -> bool {
        let node = &self.nodes[to.node];
        node.process == to.process && node.attempt == to.attempt
    }

    /// Sends a read of a task; false when the store is closed, and the read is refused.
    pub(crate) fn send_ask(&mut self, task: u64, node: usize, ask: Ask) -> bool {
        let node_parts = &self.nodes[node];
        let Some((server, connections)) = node_parts.session.filter(|_| node_parts.is_open) else {
            return false;
        };
        let transit = self.transit(node);
        let event = Event::Ask {
            task,
            server,
            connections,
            ask,
        };
        self.after(transit, event);
        true
    }

    /// A server answers a read, a replica too, and also one whose node has closed the store meanwhile.
    pub(crate) fn serve_ask(&mut self, task: u64, index: usize, connections: u64, ask: Ask) {
        let Some(node) = self.tasks.get(&task).map(|task| task.node) else {
            return;
        };
        let server = &self.servers[index];
        if !self.reaches(node, index) || !server.is_up || server.connections != connections {
            let give = Box::new(move || drop(ask));
            return self.after(TIMEOUT, Event::Answer { task, give });
        }
        let data = &server.data;
        let give: Box<dyn FnOnce()> = match ask {
            Ask::Session(session, user, to) => {
                let view = data.session(session, user);
                Box::new(move || drop(to.send(view)))
            }
            Ask::OwnedKey(digest, to) => {
                let key = data.owned_key(digest);
                Box::new(move || drop(to.send(key)))
            }
            Ask::User(id, to) => {
                let user = data.users.get(&id).cloned();
                Box::new(move || drop(to.send(user)))
            }
            Ask::Key(id, to) => {
                let key = data.keys.get(&id).cloned();
                Box::new(move || drop(to.send(key)))
            }
        };
        let transit = self.transit(node);
        self.after(transit, Event::Answer { task, give });
    }
}

pub(crate) fn micros(span: Duration) -> Time {
    u64::try_from(span.as_micros()).unwrap()
}
