//! A Prometheus query whose series carry the revision that runs as a label, such as
//! `count by (revision) (build_info{app="checkout"})`.
//!
//! It sees what runs and nothing of attempts: a change that is not there yet may be on its way. A series whose value is not above zero
//! does not run. While series of several revisions run, the roll-out goes on.

use super::{ReportFuture, SyncSource};
use crate::engine::sync::{AttemptShows, ReportedRevision, Rollout, SyncReport, SyncState, commit_of, one_line};
use crate::engine::time::Timestamp;
use crate::net::prometheus::{PrometheusClient, Series};

/// Asks one metrics server which revisions run.
#[derive(Clone, Debug)]
pub struct RevisionMetric {
    client: PrometheusClient,
    query: String,
    label: String,
}

// === impl RevisionMetric ===

impl RevisionMetric {
    /// The revisions are those in `label` of the series of `query`.
    pub fn new(client: PrometheusClient, query: impl Into<String>, label: impl Into<String>) -> Self {
        Self { client, query: query.into(), label: label.into() }
    }

    async fn ask(&self, now: Timestamp) -> SyncReport {
        let said = match self.client.series(&self.query, now).await {
            Ok(series) => report(now, &series, &self.label),
            Err(error) => Err(error.to_string()),
        };
        said.unwrap_or_else(|why| SyncReport::unknown(now, format!("the revision metric: {why}")))
    }
}

impl SyncSource for RevisionMetric {
    fn observe(&self, now: Timestamp) -> ReportFuture<'_> {
        Box::pin(self.ask(now))
    }
}

fn report(now: Timestamp, series: &[Series], label: &str) -> Result<SyncReport, String> {
    let mut applied: Vec<ReportedRevision> = Vec::new();
    for series in series.iter().filter(|series| series.value > 0.0) {
        let revision = series.labels.get(label).ok_or_else(|| format!("a series has no label `{label}`"))?;
        let commit = commit_of(revision)
            .ok_or_else(|| format!("the label `{label}` holds `{}`, which is no whole commit id", one_line(revision)))?;
        if applied.iter().all(|known| known.commit != commit) {
            applied.push(ReportedRevision::of(commit));
        }
    }
    let rollout = match applied.len() {
        0 => return Err("no series runs".into()),
        1 => Rollout::Complete,
        _ => Rollout::Progressing,
    };
    applied.sort_by_key(|revision| revision.commit);
    Ok(SyncReport { at: now, state: SyncState::Applied, shows: AttemptShows::AtEnd, attempted: None, applied, rollout })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{Api, NOW, commit, oid, token};
    use super::*;
    use crate::net::address::AddressRules;

    fn answer(series: &[(&str, &str)]) -> String {
        let series: Vec<serde_json::Value> = series
            .iter()
            .map(|(revision, value)| serde_json::json!({"metric": {"revision": revision, "app": "checkout"}, "value": [1, value]}))
            .collect();
        serde_json::json!({"status": "success", "data": {"resultType": "vector", "result": series}}).to_string()
    }

    fn why(report: &SyncReport) -> &str {
        assert!(report.applied.is_empty());
        let SyncState::Unknown { why } = &report.state else { return "it is known" };
        why
    }

    #[tokio::test]
    async fn the_label_of_every_series_that_runs_is_applied() {
        let (api, folder) = (Api::default(), tempfile::tempdir().unwrap());
        let url = api.serve().await;
        let client =
            PrometheusClient::new(&url, Vec::new(), Some(token(&folder)), AddressRules::for_operator(), Duration::from_secs(20)).unwrap();
        let source = RevisionMetric::new(client, "count by (revision) (build_info)", "revision");
        let (a, b) = (oid('a'), format!("main@sha1:{}", oid('b')));
        let ask = async |body: String| {
            api.answer("/api/v1/query", 200, body);
            source.observe(NOW).await
        };
        let one = ask(answer(&[(&a, "3"), (&b, "0"), (&b, "NaN"), (&a, "1")])).await;
        let running = |digit| ReportedRevision::of(commit(digit));
        let expected = SyncReport {
            at: NOW,
            state: SyncState::Applied,
            shows: AttemptShows::AtEnd,
            attempted: None,
            applied: vec![running('a')],
            rollout: Rollout::Complete,
        };
        assert_eq!(one, expected);
        let both = ask(answer(&[(&b, "1"), (&a, "2")])).await;
        assert_eq!((both.applied, both.rollout), (vec![running('a'), running('b')], Rollout::Progressing));
        let cases = [
            (answer(&[]), "the revision metric: no series runs"),
            (answer(&[(&a, "0")]), "the revision metric: no series runs"),
            (answer(&[("1.4.2", "1")]), "the revision metric: the label `revision` holds `1.4.2`, which is no whole commit id"),
            (
                answer(&[(&a, "1"), ("aaaaaaa", "1")]),
                "the revision metric: the label `revision` holds `aaaaaaa`, which is no whole commit id",
            ),
            (answer(&[(&a, "1")]).replace("\"revision\":", "\"version\":"), "the revision metric: a series has no label `revision`"),
            (
                r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#.into(),
                "the revision metric: unreadable answer: the query does not give series with labels",
            ),
            (
                r#"{"status":"error","errorType":"bad_data","error":"parse error near canary-7f3a"}"#.into(),
                "the revision metric: HTTP status 200, bad_data: parse error near [redacted]",
            ),
        ];
        for (body, sentence) in cases {
            assert_eq!(why(&ask(body).await), sentence);
        }
        assert!(!format!("{source:?}").contains("canary"));
        assert!(api.asked().iter().all(|asked| asked == "POST /api/v1/query Bearer canary-7f3a"));
    }
}
