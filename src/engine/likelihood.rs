//! The likelihood-ratio test of two shares (Wilks 1938): whether more failed since a moment than before it.

use super::window::Sum;

/// The 98 % quantile of the chi-squared distribution with one degree of freedom: 99 % one-sided, because only "more since" counts. It is
/// asked again in every pass, so that 95 % would be wrong more often than it says.
pub const CHI_SQUARED_98: f64 = 5.411_894_431_054_342;

/// Twice the logarithm of how much likelier two shares are than one for both; nothing where less failed since.
pub fn likelihood_ratio(before: Sum, since: Sum) -> f64 {
    if before.total <= 0.0 || since.total <= 0.0 || since.bad * before.total <= before.bad * since.total {
        return 0.0;
    }
    let both = Sum { bad: before.bad + since.bad, total: before.total + since.total };
    2.0 * (log_likelihood(before) + log_likelihood(since) - log_likelihood(both))
}

/// Of the sum, at its own share.
fn log_likelihood(sum: Sum) -> f64 {
    let part = |events: f64| if events > 0.0 { events * (events / sum.total).ln() } else { 0.0 };
    part(sum.bad) + part(sum.total - sum.bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(bad: f64, total: f64) -> Sum {
        Sum { bad, total }
    }

    #[test]
    fn it_agrees_with_values_computed_elsewhere() {
        // 2 (2 ln ¼ + 6 ln ¾ − 2 ln (2 ⁄ 128) − 126 ln (126 ⁄ 128)).
        assert!((likelihood_ratio(sum(0.0, 120.0), sum(2.0, 8.0)) - 11.606).abs() < 0.01);
        assert_eq!(likelihood_ratio(sum(10.0, 20.0), sum(1.0, 20.0)), 0.0, "less since");
        assert_eq!(likelihood_ratio(sum(0.0, 0.0), sum(1.0, 1.0)), 0.0, "nothing before");
    }
}
