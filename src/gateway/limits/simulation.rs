//! Several nodes that count together, in a time of their own: whoever sends, wherever to and however late
//! the nodes hear of each other, no more comes through than is promised.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::Environment;
use crate::store::{LimitKey, Spent};

const MILLI: u64 = 1_000_000;

/// What the script does that counts for all, in nanoseconds.
#[derive(Default)]
struct Counts(HashMap<LimitKey, u64>);

impl Counts {
    fn settle(&mut self, spent: &[Spent], now: u64) -> Vec<Option<Duration>> {
        let one = |spent: &Spent| {
            let at = self.0.entry(spent.limit.key).or_default();
            let since = now.saturating_sub(nanos(spent.age));
            *at = (*at).max(since) + u64::from(spent.count) * nanos(spent.limit.every);
            Some(Duration::from_nanos(at.saturating_sub(now)))
        };
        spent.iter().map(one).collect()
    }
}

/// One node, and what it is telling.
struct Node {
    limits: Limits,
    telling: Option<Telling>,
}

struct Telling {
    due: Vec<Due>,
    spent: Vec<Spent>,
    /// When it is counted, and when the answer is back.
    arrives: [u64; 2],
    answer: Option<Vec<Option<Duration>>>,
}

impl Node {
    fn new(rate: &str, burst: u32) -> Self {
        let text = format!(
            "[store]\nurl = 'redis://127.0.0.1'\n[sessions]\nissuer = 'https://a.example'\n\
             [[sessions.signing_keys]]\nfile = 'key.pem'\n\
             [upstreams.a]\nservers = ['http://a']\n[[routes]]\npath = '/'\nupstream = 'a'\n\
             limits = [{{ per = 'address', rate = '{rate}', burst = {burst} }}]"
        );
        let config = Config::parse(&text, "gateway.toml", Path::new(""), &Environment::new());
        let limits = Limits::new(&config.unwrap_or_else(|mistakes| panic!("{mistakes}")));
        std::mem::forget(limits.desk.as_ref().unwrap().open());
        Self {
            limits,
            telling: None,
        }
    }

    /// Whether a request comes through at once.
    fn request(&self, now: u64) -> bool {
        let subject = |_| Some(Subject::Address([7; 16]));
        let limits = &self.limits.by_route[0].before;
        let fields = &mut RateFields::default();
        self.limits.attempt(limits, &subject, now, fields).is_ok()
    }

    /// Tells what is due, and hears what comes back, as far as the time has come.
    fn tell(&mut self, counts: &mut Counts, now: u64, delays: [u64; 2]) {
        if let Some(telling) = &mut self.telling {
            let [counted_at, back_at] = telling.arrives;
            if now >= counted_at && telling.answer.is_none() {
                telling.answer = Some(counts.settle(&telling.spent, counted_at));
            }
            if now < back_at {
                return;
            }
        }
        if let Some(telling) = self.telling.take() {
            let answer = telling.answer.unwrap_or_default();
            let at = telling.arrives[1];
            let is_known = self
                .limits
                .settle(&telling.due, &telling.spent, &answer, at);
            assert!(is_known);
        }
        let mut due = self.limits.desk.as_ref().unwrap().draw();
        if due.is_empty() {
            return;
        }
        let spent = self.limits.spent(&mut due, now);
        self.telling = Some(Telling {
            due,
            spent,
            arrives: [now + delays[0], now + delays[0] + delays[1]],
            answer: None,
        });
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap()
}

#[derive(Debug, Clone)]
struct Step {
    /// In milliseconds after the one before.
    after: u64,
    node: usize,
    requests: u32,
    delays: [u64; 2],
}

fn steps(nodes: usize, most_delay: u64) -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![4 => 0..5_u64, 2 => 5..60_u64, 1 => 60..3000_u64];
    let delay = 0..=most_delay;
    let step = (after, 0..nodes, 1..30_u32, delay.clone(), delay);
    let step = step.prop_map(|(after, node, requests, there, back)| Step {
        after,
        node,
        requests,
        delays: [there * MILLI, back * MILLI],
    });
    prop::collection::vec(step, 1..150)
}

/// Plays the steps; when each request came, and whether it came through.
fn play(nodes: &mut [Node], steps: &[Step]) -> Vec<(u64, bool)> {
    let (mut counts, mut now, mut came) = (Counts::default(), 0, Vec::new());
    for step in steps {
        for _ in 0..step.after.min(100) {
            now += step.after.div_ceil(100) * MILLI;
            for node in &mut *nodes {
                node.tell(&mut counts, now, step.delays);
            }
        }
        for _ in 0..step.requests {
            came.push((now, nodes[step.node].request(now)));
            if step.delays == [0, 0] {
                nodes[step.node].tell(&mut counts, now, step.delays);
                nodes[step.node].tell(&mut counts, now, step.delays);
            }
        }
    }
    came
}

/// By how many the limit was passed, in whatever span that was most.
fn excess(came: &[(u64, bool)], burst: u32, every: u64) -> i64 {
    let passed = came.iter().filter(|(_, is_through)| *is_through);
    let passed: Vec<_> = passed.map(|(at, _)| *at).collect();
    let mut most = 0;
    for (first, from) in passed.iter().enumerate() {
        for (last, to) in passed.iter().enumerate().skip(first) {
            let came = i64::try_from(last - first + 1).unwrap();
            let may = i64::from(burst) + i64::try_from((to - from) / every).unwrap();
            most = most.max(came - may);
        }
    }
    most
}

/// How many were left at the most when one was refused.
fn shortfall(came: &[(u64, bool)], burst: u32, every: u64) -> i64 {
    let (mut free_at, mut most) = (0, 0);
    for (at, is_through) in came {
        free_at = free_at.max(*at);
        if *is_through {
            free_at += every;
        } else {
            let left = i64::from(burst) - i64::try_from((free_at - at).div_ceil(every)).unwrap();
            most = most.max(left);
        }
    }
    most
}

fn world(nodes: usize, count: u32, burst: u32) -> Vec<Node> {
    let node = |_| Node::new(&format!("{count} per 1s"), burst);
    (0..nodes).map(node).collect()
}

fn of_all(nodes: usize, burst: u32) -> i64 {
    i64::try_from(nodes).unwrap() * i64::from(debt::batch(burst))
}

fn among(nodes: usize, steps: &[Step]) -> Vec<Step> {
    let mut steps = steps.to_vec();
    for step in &mut steps {
        step.node %= nodes;
    }
    steps
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_limit_is_passed_by_no_more_than_a_batch_of_each_node(
        nodes in 1..6_usize, count in 1..200_u32, burst in 1..120_u32, steps in steps(5, 40),
    ) {
        let mut world = world(nodes, count, burst);
        let came = play(&mut world, &among(nodes, &steps));

        let over = excess(&came, burst, 1_000_000_000 / u64::from(count));
        let most = of_all(nodes, burst);
        prop_assert!(over <= most, "{over} of {most}");
    }

    #[test]
    fn nobody_is_refused_who_keeps_a_batch_of_each_node_below(
        nodes in 2..6_usize, count in 1..200_u32, burst in 1..120_u32, steps in steps(5, 0),
    ) {
        let mut world = world(nodes, count, burst);
        let came = play(&mut world, &among(nodes, &steps));

        let left = shortfall(&came, burst, 1_000_000_000 / u64::from(count));
        let most = of_all(nodes, burst);
        prop_assert!(left <= most, "{left} of {most}");
    }

    #[test]
    fn one_node_keeps_a_limit_to_the_request(
        count in 1..200_u32, burst in 1..120_u32, steps in steps(1, 0),
    ) {
        let came = play(&mut world(1, count, burst), &steps);

        let every = 1_000_000_000 / u64::from(count);
        prop_assert_eq!((excess(&came, burst, every), shortfall(&came, burst, every)), (0, 0));
    }
}

#[test]
fn a_node_without_the_others_keeps_the_limit_by_itself() {
    for _ in 0..3 {
        let node = Node::new("1 per 1h", 50);
        drop(node.limits.desk.as_deref().map(Desk::open));
        let passed = (0..200).filter(|_| node.request(0)).count();
        assert_eq!(passed, 50);
    }
}
