use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How much time has passed, so that tests own it.
///
/// It never jumps, and it goes on while the machine sleeps: what must not be older than a second must
/// not be so after a night in suspend either.
pub trait Uptime: Send + Sync + fmt::Debug {
    /// The time since some fixed moment before this process began.
    fn elapsed(&self) -> Duration;
}

/// The machine's own count since it was started, suspended time included.
#[derive(Debug, Clone, Copy, Default)]
pub struct BootUptime;

impl Uptime for BootUptime {
    fn elapsed(&self) -> Duration {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}

/// A count that stands still until it is moved.
#[derive(Debug, Default)]
pub struct ManualUptime(AtomicU64);

impl ManualUptime {
    /// Lets `by` pass.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(nanos(by), Ordering::SeqCst);
    }
}

impl Uptime for ManualUptime {
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::SeqCst))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_count_goes_on() {
        let before = BootUptime.elapsed();
        let begin = std::time::Instant::now();
        while begin.elapsed() < Duration::from_micros(50) {
            std::hint::spin_loop();
        }
        assert!(BootUptime.elapsed() >= before + Duration::from_micros(50));
    }
}
