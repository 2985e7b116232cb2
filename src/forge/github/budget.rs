//! The limits on requests: what is left of the hour, what a secondary limit holds back, and who may still ask (catalogue of failures F7).
//!
//! The figures are those that every answer carries. A fifth of the hourly budget is kept for acting, so that a busy day of polling never
//! stops a revert. GitHub asks that a client wait as long as `retry-after` says, else until the hour is over, else a minute and then
//! ever longer.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::engine::time::Timestamp;
use crate::forge::{Call, ForgeError, Purpose, Rate};

/// The part of the hourly budget that is kept for acting: one in this many.
const KEPT_FOR_ACTING: u64 = 5;

/// The first wait after a secondary limit that names no time. It doubles with each one that follows.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// The longest wait that is believed. GitHub's own windows are an hour.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Which of GitHub's budgets a request is paid from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bucket {
    /// REST.
    Core,
    /// GraphQL.
    Graph,
}

/// What is known of the limits.
#[derive(Debug, Default)]
pub(super) struct Budget {
    core: Option<Rate>,
    graph: Option<Rate>,
    /// Nothing at all may be sent before then.
    held_until: Option<Timestamp>,
    /// Secondary limits in a row that named no time.
    strikes: u32,
}

impl Budget {
    /// Whether a request may be sent now.
    pub(super) fn admit(&self, bucket: Bucket, call: Call) -> Result<(), ForgeError> {
        self.admit_any(call.now)?;
        let Some(rate) = self.of(bucket).filter(|rate| call.now < rate.reset) else {
            return Ok(());
        };
        let short = match call.purpose {
            Purpose::Poll => rate.remaining.saturating_mul(KEPT_FOR_ACTING) < rate.limit,
            Purpose::Act => rate.remaining == 0,
        };
        if short { Err(ForgeError::RateLimited { until: rate.reset }) } else { Ok(()) }
    }

    /// Whether anything may be sent now, whatever budget it is paid from.
    pub(super) fn admit_any(&self, now: Timestamp) -> Result<(), ForgeError> {
        match self.held_until.filter(|until| now < *until) {
            Some(until) => Err(ForgeError::RateLimited { until }),
            None => Ok(()),
        }
    }

    /// What was left of REST's hour at the last answer.
    pub(super) fn rate(&self) -> Option<Rate> {
        self.core
    }

    /// Reads the figures of an answer.
    pub(super) fn note(&mut self, bucket: Bucket, headers: &HeaderMap) {
        let figure = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
        let (Some(limit), Some(remaining), Some(reset)) =
            (figure("x-ratelimit-limit"), figure("x-ratelimit-remaining"), figure("x-ratelimit-reset"))
        else {
            return;
        };
        let rate = Rate { remaining, limit, reset: Timestamp::from_secs(i64::try_from(reset).unwrap_or(i64::MAX)) };
        match bucket {
            Bucket::Core => self.core = Some(rate),
            Bucket::Graph => self.graph = Some(rate),
        }
    }

    /// An answer that is no limit: the waits start small again.
    pub(super) fn passed(&mut self) {
        self.strikes = 0;
    }

    /// Whether an answer says that a limit is reached, and then until when nothing is sent.
    pub(super) fn limited(
        &mut self,
        bucket: Bucket,
        status: StatusCode,
        headers: &HeaderMap,
        message: &str,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let retry_after = headers.get("retry-after").and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
        let exhausted = self.of(bucket).filter(|rate| rate.remaining == 0 && now < rate.reset).map(|rate| rate.reset);
        let lower = message.to_ascii_lowercase();
        let says_so = lower.contains("rate limit") || lower.contains("abuse detection");
        let limited = match status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::FORBIDDEN => retry_after.is_some() || exhausted.is_some() || says_so,
            // GraphQL answers 200 and says it in the errors, which the caller passes on.
            StatusCode::OK => bucket == Bucket::Graph && says_so,
            _ => false,
        };
        if !limited {
            return None;
        }
        let until = match (retry_after, exhausted) {
            (Some(seconds), _) => now + Duration::from_secs(seconds).min(LONGEST_WAIT),
            (None, Some(reset)) => reset.min(now + LONGEST_WAIT),
            (None, None) => {
                let wait = FIRST_WAIT.saturating_mul(1 << self.strikes.min(10)).min(LONGEST_WAIT);
                self.strikes = self.strikes.saturating_add(1);
                now + wait
            }
        };
        // The end of the hour holds back one budget, everything else all of them.
        if retry_after.is_some() || exhausted.is_none() {
            self.held_until = self.held_until.max(Some(until));
        }
        Some(until)
    }

    fn of(&self, bucket: Bucket) -> Option<Rate> {
        match bucket {
            Bucket::Core => self.core,
            Bucket::Graph => self.graph,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn left(remaining: &str) -> HeaderMap {
        headers(&[("x-ratelimit-limit", "5000"), ("x-ratelimit-remaining", remaining), ("x-ratelimit-reset", "1000600")])
    }

    #[test]
    fn polls_are_shed_first_and_only_until_the_hour_is_over() {
        let mut budget = Budget::default();
        assert!(budget.admit(Bucket::Core, Call::poll(NOW)).is_ok(), "nothing is known yet");
        budget.note(Bucket::Core, &left("1000"));
        assert!(budget.admit(Bucket::Core, Call::poll(NOW)).is_ok());
        budget.note(Bucket::Core, &left("999"));
        let reset = Timestamp::from_secs(1_000_600);
        assert_eq!(budget.admit(Bucket::Core, Call::poll(NOW)), Err(ForgeError::RateLimited { until: reset }));
        assert!(budget.admit(Bucket::Core, Call::act(NOW)).is_ok());
        assert!(budget.admit(Bucket::Graph, Call::poll(NOW)).is_ok(), "GraphQL has a budget of its own");
        assert!(budget.admit(Bucket::Core, Call::poll(reset)).is_ok());
        budget.note(Bucket::Core, &left("0"));
        assert_eq!(budget.admit(Bucket::Core, Call::act(NOW)), Err(ForgeError::RateLimited { until: reset }));
    }

    #[test]
    fn retry_after_holds_everything_back() {
        let mut budget = Budget::default();
        let until = budget.limited(Bucket::Core, StatusCode::FORBIDDEN, &headers(&[("retry-after", "30")]), "", NOW).unwrap();
        assert_eq!(until, NOW + Duration::from_secs(30));
        for bucket in [Bucket::Core, Bucket::Graph] {
            assert_eq!(budget.admit(bucket, Call::act(NOW)), Err(ForgeError::RateLimited { until }));
        }
        assert!(budget.admit(Bucket::Core, Call::act(until)).is_ok());
        let far = budget.limited(Bucket::Core, StatusCode::TOO_MANY_REQUESTS, &headers(&[("retry-after", "99999999")]), "", NOW);
        assert_eq!(far, Some(NOW + LONGEST_WAIT));
    }

    #[test]
    fn a_secondary_limit_without_a_time_waits_longer_each_time() {
        let mut budget = Budget::default();
        let mut wait = || {
            let until =
                budget.limited(Bucket::Core, StatusCode::FORBIDDEN, &HeaderMap::new(), "You have exceeded a secondary rate limit", NOW);
            until.unwrap().since(NOW).as_secs()
        };
        assert_eq!([wait(), wait(), wait()], [60, 120, 240]);
        budget.passed();
        let again = budget.limited(Bucket::Core, StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), "", NOW).unwrap();
        assert_eq!(again.since(NOW).as_secs(), 60);
    }

    #[test]
    fn a_refusal_is_no_limit() {
        let mut budget = Budget::default();
        budget.note(Bucket::Core, &left("10"));
        let told = budget.limited(Bucket::Core, StatusCode::FORBIDDEN, &left("10"), "Resource not accessible by integration", NOW);
        assert_eq!(told, None);
        budget.note(Bucket::Core, &left("0"));
        assert!(budget.limited(Bucket::Core, StatusCode::FORBIDDEN, &left("0"), "", NOW).is_some());
        assert!(budget.admit(Bucket::Graph, Call::act(NOW)).is_ok());
    }
}
