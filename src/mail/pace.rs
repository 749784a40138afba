use std::time::Duration;

/// How patiently mails are sent.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Mails that are being sent at once.
    pub in_flight: usize,
    /// Attempts a mail gets.
    pub tries: u32,
    /// From the first failed attempt to the second; each later pause is four times the one before.
    pub first_pause: Duration,
    /// From the queue to giving up; less where the mail's own life is shorter.
    pub give_up_after: Duration,
    /// From looking up the server's name to being let in.
    pub connect_timeout: Duration,
    /// From offering a mail to the server's word that it has it.
    pub send_timeout: Duration,
}

impl Default for Pace {
    /// Five attempts within ten minutes: after 5 s, 20 s, 80 s and 320 s. The last lies beyond the
    /// five minutes for which servers that greylist turn a stranger away.
    fn default() -> Self {
        Self {
            in_flight: 4,
            tries: 5,
            first_pause: Duration::from_secs(5),
            give_up_after: Duration::from_secs(600),
            connect_timeout: Duration::from_secs(30),
            send_timeout: Duration::from_secs(60),
        }
    }
}

impl Pace {
    /// The pause after this many failed attempts, three to five quarters of the plain one, so that
    /// mails which failed together do not come back together.
    pub(super) fn pause(&self, failed: u32) -> Duration {
        let mut byte = [0];
        // Without randomness the pause is only less well spread.
        let _ = aws_lc_rs::rand::fill(&mut byte);
        self.pause_with(failed, byte[0])
    }

    fn pause_with(&self, failed: u32, chance: u8) -> Duration {
        let plain = self
            .first_pause
            .saturating_mul(4_u32.saturating_pow(failed.saturating_sub(1)));
        let spread = 0.75 + f64::from(chance) / 510.0;
        plain.min(self.give_up_after).mul_f64(spread)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn five_attempts_lie_within_ten_minutes_and_outlast_greylisting() {
        let pace = Pace::default();
        let all = |chance| -> Duration {
            (1..pace.tries)
                .map(|failed| pace.pause_with(failed, chance))
                .sum()
        };
        assert!(all(u8::MAX) < pace.give_up_after);
        assert!(all(0) > Duration::from_secs(300));
    }

    proptest! {
        #[test]
        fn no_pause_overflows(failed: u32, chance: u8) {
            let pace = Pace::default();
            prop_assert!(pace.pause_with(failed, chance) <= pace.give_up_after.mul_f64(1.25));
        }
    }
}
