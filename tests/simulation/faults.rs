//! What goes wrong.

use std::time::Duration;

use super::link::micros;
use super::node::{BOUND, Node};
use super::server::{Data, Op, store_id};
use super::world::{Event, FAULTS_END, MILLI, Time, World};

/// One thing that goes wrong, or is mended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Something goes wrong; which, chance says.
    Any,
    /// The server process begins anew.
    Restart { server: usize, with: With },
    /// A server that was primary learns that it is not any more.
    Demote(usize),
    /// The Sentinels make a replica the primary.
    Failover,
    /// The network is whole again.
    Rejoin,
    /// Everything is mended.
    MendAll,
}

/// What a server process begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum With {
    /// Everything it had.
    All,
    /// What it had saved a while ago.
    Saved,
    /// Nothing, or another store.
    Nothing,
    Other,
}

impl World {
    pub(crate) fn fail(&mut self, fault: Fault) {
        self.tell(|| format!("{fault:?}, primary {}", self.primary));
        match fault {
            Fault::Any => self.fail_somehow(),
            Fault::Restart { server, with } => self.restart(server, with),
            Fault::Demote(server) => self.demote(server),
            Fault::Failover => self.fail_over(),
            Fault::Rejoin => self.rejoin(),
            Fault::MendAll => self.mend_all(),
        }
    }

    fn fail_somehow(&mut self) {
        let pause = self.chance.within(60 * MILLI, 400 * MILLI) * self.calm;
        if self.now + pause < FAULTS_END {
            self.after(pause, Event::Fault(Fault::Any));
        }
        self.tally.faults += 1;
        let node = self.chance.index(self.nodes.len());
        let until = self.now + self.chance.within(30 * MILLI, 900 * MILLI);
        let which = self.chance.index(14);
        self.tell(|| format!("fault {which}, node {node}, until {until}"));
        match which {
            0 => {
                self.nodes[node].paused_until = until;
                self.burst(node, until, until + 6 * MILLI);
            }
            1 => self.restart_node(node),
            2 | 3 => {
                self.nodes[node].cut_until = until;
                let bound = self.now + micros(BOUND);
                self.burst(node, bound - 100 * MILLI, bound + 150 * MILLI);
            }
            4 | 5 => self.nodes[node].slow_until = until,
            6 => self.servers[self.primary].paused_until = until,
            7 | 8 => self.kill_primary(),
            9 => self.fail_over(),
            10 | 11 => self.part(),
            12 => self.lag_until = until,
            _ => self.trim_or_save(),
        }
    }

    fn restart_node(&mut self, index: usize) {
        let process = self.id();
        let (uptime, side) = (self.uptime.clone(), self.nodes[index].side);
        let mut node = Node::start(process, skew(index), &uptime);
        node.side = side;
        self.nodes[index] = node;
        self.tasks.retain(|_, task| task.node != index);
        self.go_on(index);
    }

    fn kill_primary(&mut self) {
        let server = self.primary;
        self.servers[server].is_up = false;
        let with = match self.chance.index(8) {
            0 => With::Nothing,
            1 => With::Other,
            2..=4 => With::Saved,
            _ => With::All,
        };
        let back = self.chance.within(20 * MILLI, 700 * MILLI);
        self.after(back, Event::Fault(Fault::Restart { server, with }));
        if self.chance.percent(60) {
            let failover = self.chance.within(10 * MILLI, 600 * MILLI);
            self.after(failover, Event::Fault(Fault::Failover));
        }
    }

    fn restart(&mut self, index: usize, with: With) {
        if self.servers[index].is_up {
            return;
        }
        let run = self.id();
        let is_primary = self.primary == index;
        let server = &self.servers[index];
        let data = match with {
            With::All => server.data.clone(),
            With::Saved => server.saved.clone(),
            With::Nothing => Data::default(),
            With::Other => Data::of(store_id(run)),
        };
        if is_primary && data.store == Some(store_id(0)) {
            self.before_loss = None;
        } else if is_primary && self.before_loss.is_none() {
            self.before_loss = Some(server.data.clone());
        }
        let server = &mut self.servers[index];
        server.restart(run, data);
        server.is_master = is_primary;
        self.replicate_soon();
        self.weigh();
    }

    /// A replica takes over; the old primary may go on to think that it is one.
    fn fail_over(&mut self) {
        let is_candidate = |index: &usize| {
            let server = &self.servers[*index];
            let is_whole = server.data.store == Some(store_id(0));
            *index != self.primary && server.is_up && is_whole && server.side == self.main_side
        };
        let candidates: Vec<_> = (0..self.servers.len()).filter(is_candidate).collect();
        if candidates.is_empty() || self.before_loss.is_some() {
            return;
        }
        let old = self.primary;
        self.primary = candidates[self.chance.index(candidates.len())];
        let history = self.id();
        self.servers[self.primary].promote(history);
        if self.servers[old].side == self.main_side {
            self.left_primary = self.primary;
            let later = self.chance.within(0, 300 * MILLI);
            self.after(later, Event::Fault(Fault::Demote(old)));
        }
        self.replicate_soon();
        self.weigh();
    }

    fn demote(&mut self, index: usize) {
        if index != self.primary && self.servers[index].is_up {
            self.servers[index].is_master = false;
            self.servers[index].connections = self.id();
            self.replicate_soon();
        }
    }

    /// The network falls into two parts; where the primary is on the wrong one, another takes over.
    fn part(&mut self) {
        for node in &mut self.nodes {
            node.side = self.chance.percent(50);
        }
        for server in &mut self.servers {
            server.side = self.chance.percent(50);
        }
        self.main_side = self.chance.percent(50);
        self.left_primary = self.primary;
        if self.servers[self.primary].side != self.main_side {
            let failover = self.chance.within(10 * MILLI, 500 * MILLI);
            self.after(failover, Event::Fault(Fault::Failover));
        }
        let rejoin = self.chance.within(200 * MILLI, 1200 * MILLI);
        self.after(rejoin, Event::Fault(Fault::Rejoin));
    }

    fn rejoin(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.side = true);
        self.servers
            .iter_mut()
            .for_each(|server| server.side = true);
        self.main_side = true;
        self.left_primary = self.primary;
        for index in 0..self.servers.len() {
            if index != self.primary {
                let later = self.chance.within(0, 200 * MILLI);
                self.after(later, Event::Fault(Fault::Demote(index)));
            }
        }
    }

    fn trim_or_save(&mut self) {
        let primary = self.primary;
        if self.chance.percent(50) && self.servers[primary].is_up {
            let keep = self.chance.index(3);
            self.write_at(primary, Op::Trim(keep));
        } else {
            for server in &mut self.servers {
                server.saved = server.data.clone();
            }
        }
    }

    fn mend_all(&mut self) {
        self.lag_until = 0;
        for node in &mut self.nodes {
            (node.paused_until, node.cut_until, node.slow_until) = (0, 0, 0);
        }
        for index in 0..self.servers.len() {
            self.servers[index].paused_until = 0;
            self.restart(index, With::All);
        }
        if let Some(data) = self.before_loss.take() {
            let run = self.id();
            self.servers[self.primary].restart(run, data);
            self.weigh();
        }
        // A node that began with another store than the right one needs an operator; its answers may be on
        // their way.
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            let began = node.store.or(node.heard_of);
            if began.is_some_and(|store| store != store_id(0)) {
                self.restart_node(index);
            }
        }
        self.rejoin();
    }

    /// Writes to a server, and passes it on.
    pub(crate) fn write_at(
        &mut self,
        index: usize,
        op: Op,
    ) -> Option<dariet_gateway::store::Entry> {
        let is_change = !matches!(op, Op::Mark | Op::Trim(_));
        if let Op::Reread(id) = op
            && index != self.primary
        {
            let user = self.users.iter().position(|user| *user == id).unwrap();
            self.roles[user].lost_at = self.now;
        }
        let entry = self.servers[index].write(op);
        self.replicate_soon();
        if is_change {
            self.answer_reads(index);
            if index == self.primary {
                self.weigh();
            }
        }
        entry
    }

    fn replicate_soon(&mut self) {
        let servers = self.servers.len();
        for from in 0..servers {
            for to in 0..servers {
                if self.servers[from].is_master && !self.servers[to].is_master {
                    let lag = if self.lag_until > self.now { 300 } else { 5 };
                    let delay = self.chance.within(300, lag * MILLI);
                    self.after(delay, Event::Replicate { from, to });
                }
            }
        }
    }

    /// A replica takes over what its primary has written, and acknowledges it. Each follows the
    /// primary that its side knows.
    pub(crate) fn replicate(&mut self, from: usize, to: usize) {
        let [primary, replica] = self.servers.get_disjoint_mut([from, to]).unwrap();
        let known = if replica.side == self.main_side {
            self.primary
        } else {
            self.left_primary
        };
        let is_linked = primary.is_up && replica.is_up && primary.side == replica.side;
        if !is_linked || !primary.is_master || replica.is_master || known != from {
            return;
        }
        let is_behind =
            replica.history == primary.history && replica.ops.len() <= primary.ops.len();
        if is_behind {
            for op in &primary.ops[replica.ops.len()..] {
                let _ = replica.data.write(op);
            }
        } else {
            replica.data = primary.data.clone();
            replica.history = primary.history;
        }
        replica.ops.clone_from(&primary.ops);
        primary.acked[to] = primary.ops.len();
        self.answer_reads(to);
        self.answer_beats(from);
    }
}

/// The clocks of nodes are up to a minute wrong.
pub(crate) fn skew(node: usize) -> Duration {
    Duration::from_secs([0, 60, 30, 45][node % 4])
}

pub(crate) const fn faults_begin() -> Time {
    300 * MILLI
}
