use std::cell::{OnceCell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

use super::standing::WHOLE;
use super::{Lane, Member, Upstream};
use crate::config::Balance;
use crate::proxy::retry::Attempts;

/// A worker's copy of the list of servers, made for picking one quickly.
#[derive(Debug, Default)]
pub(super) struct Members {
    members: Vec<Rc<Member>>,
    /// The sum of the weights up to each, to draw by weight.
    sums: Vec<u64>,
    /// How much each has waited for its turn (nginx's smooth weighted round robin).
    turns: RefCell<Vec<i64>>,
}

/// Why no server was picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotPicked {
    /// Each that could be has as many connections in use as it may have.
    Full,
    /// None is well, or all that are were tried.
    NoneLeft,
}

/// What a pick looks at.
struct Look<'a> {
    upstream: &'a Upstream,
    attempts: &'a Attempts,
    /// Read where a server has a past: most have none.
    now: OnceCell<u64>,
}

/// How often a draw is repeated that met a server which takes nothing now, before all are looked at.
const DRAWS: usize = 4;

impl Members {
    pub(super) fn new(members: Vec<Rc<Member>>) -> Self {
        let mut sum = 0;
        let weights = members.iter().map(|member| u64::from(member.server.weight));
        let sums = weights.map(|weight| {
            sum += weight;
            sum
        });
        Self {
            sums: sums.collect(),
            turns: RefCell::new(vec![0; members.len()]),
            members,
        }
    }

    /// Picks one and takes a connection's place with it.
    pub(super) fn pick(&self, lane: &Lane, attempts: &Attempts) -> Result<Rc<Member>, NotPicked> {
        let look = Look::new(lane.upstream(), attempts);
        let picked = match look.upstream.config.balance {
            Balance::LeastBusy => self.less_busy(lane, &look),
            Balance::RoundRobin => self.in_turn(&look),
        };
        let max = look.upstream.config.max_connections;
        match picked {
            Some(member) if member.server.take(max) => Ok(Rc::clone(member)),
            Some(_) => Err(NotPicked::Full),
            None if self.any(&look) => Err(NotPicked::Full),
            None => self.on_trial(&look).ok_or(NotPicked::NoneLeft),
        }
    }

    /// Whether one is left that could take the request.
    pub(super) fn has_other(&self, upstream: &Upstream, attempts: &Attempts) -> bool {
        self.any(&Look::new(upstream, attempts))
    }

    /// The less busy of two that were drawn by weight, for its weight; the first where they are even, so
    /// that idle servers too take their shares. (nginx: `random two least_conn`.)
    fn less_busy(&self, lane: &Lane, look: &Look<'_>) -> Option<&Rc<Member>> {
        let Some(one) = self.draw(lane, look, None) else {
            return self.least_busy(look);
        };
        let Some(other) = self.draw(lane, look, Some(one)) else {
            return Some(one);
        };
        let (mine, theirs) = (look.share(one), look.share(other));
        let busy = |member: &Member| u64::try_from(member.server.in_flight()).unwrap_or(u64::MAX);
        // busy / share, without dividing.
        let is_busier = busy(one).saturating_mul(theirs) > busy(other).saturating_mul(mine);
        Some(if is_busier { other } else { one })
    }

    /// Draws one by weight that takes requests now; the next one where it drew `but`.
    fn draw(&self, lane: &Lane, look: &Look<'_>, but: Option<&Rc<Member>>) -> Option<&Rc<Member>> {
        let sum = *self.sums.last()?;
        (0..DRAWS).find_map(|_| {
            let drawn = lane.chance.below(sum);
            let at = self.sums.partition_point(|&sum| sum <= drawn);
            let mut member = self.members.get(at)?;
            if but.is_some_and(|but| Rc::ptr_eq(but, member)) {
                let next = self.members.get(at + 1).or(self.members.first());
                member = next.filter(|next| !Rc::ptr_eq(next, member))?;
            }
            let fitness = look.fitness(member);
            let takes_it = fitness == WHOLE || lane.chance.below(WHOLE) < fitness;
            (takes_it && look.has_room(member)).then_some(member)
        })
    }

    fn least_busy(&self, look: &Look<'_>) -> Option<&Rc<Member>> {
        let fit = self
            .iter()
            .filter(|member| look.is_fit(member) && look.has_room(member));
        fit.min_by_key(|member| {
            let busy = u64::try_from(member.server.in_flight()).unwrap_or(u64::MAX);
            busy.saturating_mul(WHOLE * WHOLE) / look.share(member).max(1)
        })
    }

    /// Each as often as its weight says, and never one often in a row.
    fn in_turn(&self, look: &Look<'_>) -> Option<&Rc<Member>> {
        let mut turns = self.turns.borrow_mut();
        let mut all = 0;
        let mut first: Option<(&Rc<Member>, &mut i64)> = None;
        for (member, turn) in self.iter().zip(turns.iter_mut()) {
            let share = i64::try_from(look.share(member)).unwrap_or(i64::MAX);
            if share == 0 || !look.has_room(member) {
                continue;
            }
            all += share;
            *turn += share;
            if first.as_ref().is_none_or(|(_, most)| *turn > **most) {
                first = Some((member, turn));
            }
        }
        let (member, turn) = first?;
        *turn -= all;
        Some(member)
    }

    fn any(&self, look: &Look<'_>) -> bool {
        self.iter().any(|member| look.is_fit(member))
    }

    /// Where none is left: one request at a time tries one that was left alone.
    fn on_trial(&self, look: &Look<'_>) -> Option<Rc<Member>> {
        let config = &look.upstream.config;
        let mut untried = self
            .iter()
            .filter(|member| !look.attempts.has_tried(member));
        let member = untried.find(|member| {
            let standing = &member.server.standing;
            standing.is_out(look.now()) && standing.claim_trial(look.now(), config.ejection.time)
        })?;
        member.server.take(usize::MAX);
        Some(Rc::clone(member))
    }
}

impl Deref for Members {
    type Target = [Rc<Member>];

    fn deref(&self) -> &[Rc<Member>] {
        &self.members
    }
}

impl<'a> Look<'a> {
    fn new(upstream: &'a Upstream, attempts: &'a Attempts) -> Self {
        Self {
            upstream,
            attempts,
            now: OnceCell::new(),
        }
    }

    /// 0 for those that were tried.
    fn fitness(&self, member: &Member) -> u64 {
        if self.attempts.has_tried(member) {
            return 0;
        }
        let slow_start = self.upstream.config.slow_start;
        let standing = &member.server.standing;
        if standing.has_no_past() {
            return WHOLE;
        }
        standing.fitness(self.now(), slow_start)
    }

    fn now(&self) -> u64 {
        *self.now.get_or_init(|| self.upstream.now())
    }

    fn is_fit(&self, member: &Member) -> bool {
        self.fitness(member) > 0
    }

    /// Weight times fitness.
    fn share(&self, member: &Member) -> u64 {
        u64::from(member.server.weight) * self.fitness(member)
    }

    fn has_room(&self, member: &Member) -> bool {
        member.server.in_flight() < self.upstream.config.max_connections
    }
}
