//! Reads the JSON of the Prometheus HTTP API: pure, strict about what is used and blind to the rest.
//!
//! Source of the format: the Prometheus documentation, "HTTP API", sections "Format overview" and "Expression query result formats".

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Evaluated, Evaluations, LabelledEvaluations, QueryError, Series};
use crate::engine::time::Timestamp;

/// An answer to a query.
#[derive(Debug)]
pub(super) enum Decoded {
    /// At one time: a vector, a scalar or a string.
    Instant(Evaluated),
    /// At several times: a matrix.
    Range(Evaluations),
}

#[derive(Deserialize)]
struct Envelope {
    status: Status,
    data: Option<Data>,
    #[serde(default, rename = "errorType")]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
    /// VictoriaMetrics says here what Thanos says as a warning.
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Success,
    Error,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<VectorSeries>),
    Matrix(Vec<MatrixSeries>),
    Scalar(Point),
    String(IgnoredAny),
}

/// A time in seconds, and a number as text.
#[derive(Deserialize)]
struct Point(f64, String);

#[derive(Deserialize)]
struct VectorSeries {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    value: Option<Point>,
    histogram: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct MatrixSeries {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<Point>,
    #[serde(default)]
    histograms: Vec<(f64, IgnoredAny)>,
}

/// One series at one time.
enum Sample {
    Number(f64),
    Histogram,
}

/// Reads an answer.
///
/// # Errors
/// The server reported an error or a warning, or the answer is not what the API describes.
pub(super) fn decode(status: u16, body: &[u8]) -> Result<Decoded, QueryError> {
    match data(status, body)? {
        Data::Vector(series) => {
            let samples: Vec<Sample> = series.into_iter().map(VectorSeries::sample).collect::<Result<_, _>>()?;
            Ok(Decoded::Instant(evaluated(&samples)))
        }
        Data::Scalar(point) => Ok(Decoded::Instant(Evaluated::Number(point.number()?))),
        Data::String(_) => Ok(Decoded::Instant(Evaluated::Unusable("a string".into()))),
        Data::Matrix(series) => Ok(Decoded::Range(by_time(series)?)),
    }
}

/// Reads an answer as series with their labels.
///
/// # Errors
/// As [`decode`]; and an answer that is no vector, or a series that is no number.
pub(super) fn decode_series(status: u16, body: &[u8]) -> Result<Vec<Series>, QueryError> {
    let Data::Vector(series) = data(status, body)? else {
        return Err(QueryError::Unreadable { detail: "the query does not give series with labels".into() });
    };
    let labelled = |mut series: VectorSeries| {
        let labels = std::mem::take(&mut series.metric);
        match series.sample()? {
            Sample::Number(value) => Ok(Series { labels, value }),
            Sample::Histogram => Err(QueryError::Unreadable { detail: "a series is a histogram".into() }),
        }
    };
    series.into_iter().map(labelled).collect()
}

/// Reads the answer to a range query as series with their labels, and when each was there.
///
/// # Errors
/// As [`decode`]; and an answer that is no matrix.
pub(super) fn decode_ranges(status: u16, body: &[u8]) -> Result<Vec<LabelledEvaluations>, QueryError> {
    let Data::Matrix(series) = data(status, body)? else {
        return Err(QueryError::Unreadable { detail: "a range query was not answered with a matrix".into() });
    };
    let labelled = |series: MatrixSeries| {
        let numbers = series.values.iter().map(|point| time(point.0));
        let times = numbers.chain(series.histograms.iter().map(|(at, _)| time(*at))).collect();
        LabelledEvaluations { labels: series.metric, times }
    };
    Ok(series.into_iter().map(labelled).collect())
}

/// What a complete answer holds.
fn data(status: u16, body: &[u8]) -> Result<Data, QueryError> {
    let envelope: Envelope = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(_) if status != 200 => return Err(QueryError::Rejected { detail: format!("HTTP status {status}") }),
        Err(error) => return Err(QueryError::Unreadable { detail: error.to_string() }),
    };
    if status != 200 || matches!(envelope.status, Status::Error) {
        let Envelope { error_type, error, .. } = envelope;
        return Err(QueryError::Rejected { detail: format!("HTTP status {status}, {error_type}: {error}") });
    }
    if !envelope.warnings.is_empty() {
        return Err(QueryError::Partial { detail: envelope.warnings.join("; ") });
    }
    if envelope.is_partial {
        return Err(QueryError::Partial { detail: "the server says so".into() });
    }
    envelope.data.ok_or_else(|| QueryError::Unreadable { detail: "`data` is missing".into() })
}

/// What the series at one time come to. The same for instant and range queries, so that a round asked again is the same round.
fn evaluated(samples: &[Sample]) -> Evaluated {
    match samples {
        [] => Evaluated::Nothing,
        [Sample::Number(number)] => Evaluated::Number(*number),
        [Sample::Histogram] => Evaluated::Unusable("a histogram".into()),
        several => Evaluated::Unusable(format!("{} series where one is meant", several.len())),
    }
}

fn by_time(series: Vec<MatrixSeries>) -> Result<Evaluations, QueryError> {
    let mut samples: BTreeMap<Timestamp, Vec<Sample>> = BTreeMap::new();
    for one in series {
        for point in one.values {
            samples.entry(time(point.0)).or_default().push(Sample::Number(point.number()?));
        }
        for (at, _) in one.histograms {
            samples.entry(time(at)).or_default().push(Sample::Histogram);
        }
    }
    Ok(samples.into_iter().map(|(at, samples)| (at, evaluated(&samples))).collect())
}

fn time(seconds: f64) -> Timestamp {
    // A float cast saturates, and NaN, which JSON cannot write, becomes 0.
    Timestamp((seconds * 1000.0).round() as i64)
}

impl VectorSeries {
    fn sample(self) -> Result<Sample, QueryError> {
        match (self.value, self.histogram) {
            (Some(point), _) => Ok(Sample::Number(point.number()?)),
            (None, Some(_)) => Ok(Sample::Histogram),
            (None, None) => Err(QueryError::Unreadable { detail: "a series has neither `value` nor `histogram`".into() }),
        }
    }
}

impl Point {
    fn number(&self) -> Result<f64, QueryError> {
        self.1
            .parse()
            .map_err(|_| QueryError::Unreadable { detail: format!("`{}` is no number", self.1.chars().take(40).collect::<String>()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(result: &str) -> Result<Evaluated, QueryError> {
        match decode(200, format!(r#"{{"status":"success","data":{result}}}"#).as_bytes())? {
            Decoded::Instant(value) => Ok(value),
            Decoded::Range(_) => Ok(Evaluated::Unusable("a matrix".into())),
        }
    }

    #[test]
    fn one_series_is_a_number_and_none_is_nothing() {
        let value =
            |text| instant(&format!(r#"{{"resultType":"vector","result":[{{"metric":{{"a":"b"}},"value":[1.5,"{text}"]}}]}}"#)).unwrap();
        assert_eq!(value("0.25"), Evaluated::Number(0.25));
        assert_eq!(value("+Inf"), Evaluated::Number(f64::INFINITY));
        assert_eq!(value("-Inf"), Evaluated::Number(f64::NEG_INFINITY));
        assert!(matches!(value("NaN"), Evaluated::Number(number) if number.is_nan()));
        assert_eq!(instant(r#"{"resultType":"vector","result":[]}"#).unwrap(), Evaluated::Nothing);
        assert_eq!(instant(r#"{"resultType":"scalar","result":[1,"7"]}"#).unwrap(), Evaluated::Number(7.0));
        assert_eq!(instant(r#"{"result":[1,"7"],"resultType":"scalar","stats":{}}"#).unwrap(), Evaluated::Number(7.0));
    }

    #[test]
    fn what_is_no_single_number_is_unusable() {
        let cases = [
            (r#"{"resultType":"vector","result":[{"value":[1,"1"]},{"value":[1,"2"]}]}"#, "2 series where one is meant"),
            (r#"{"resultType":"vector","result":[{"histogram":[1,{"count":"3"}]}]}"#, "a histogram"),
            (r#"{"resultType":"string","result":[1,"text"]}"#, "a string"),
        ];
        for (result, words) in cases {
            assert_eq!(instant(result).unwrap(), Evaluated::Unusable(words.into()));
        }
    }

    #[test]
    fn series_are_read_with_their_labels() {
        let read = |result: &str| decode_series(200, format!(r#"{{"status":"success","data":{result}}}"#).as_bytes());
        let two = r#"{"resultType":"vector","result":[{"metric":{"revision":"a"},"value":[1,"2"]},{"value":[1,"0"]}]}"#;
        let labels = BTreeMap::from([("revision".to_owned(), "a".to_owned())]);
        assert_eq!(read(two).unwrap(), [Series { labels, value: 2.0 }, Series { labels: BTreeMap::new(), value: 0.0 }]);
        let cases = [
            (r#"{"resultType":"scalar","result":[1,"7"]}"#, "unreadable answer: the query does not give series with labels"),
            (r#"{"resultType":"vector","result":[{"histogram":[1,{}]}]}"#, "unreadable answer: a series is a histogram"),
        ];
        for (result, sentence) in cases {
            assert_eq!(read(result).unwrap_err().to_string(), sentence);
        }
    }

    #[test]
    fn a_range_is_read_by_time() {
        let body = br#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"pod":"a"},"values":[[60,"1"],[120.001,"2"]]},
            {"metric":{"pod":"b"},"values":[[60,"3"]],"histograms":[[180,{}]]}]}}"#;
        let range = match decode(200, body).unwrap() {
            Decoded::Range(range) => range,
            Decoded::Instant(_) => Evaluations::new(),
        };
        let expected = [
            (Timestamp(60_000), Evaluated::Unusable("2 series where one is meant".into())),
            (Timestamp(120_001), Evaluated::Number(2.0)),
            (Timestamp(180_000), Evaluated::Unusable("a histogram".into())),
        ];
        assert_eq!(range, expected.into());
    }

    #[test]
    fn everything_else_is_an_error_with_a_sentence() {
        let deep = format!(r#"{{"status":"success","data":{}"#, "[".repeat(100_000));
        let cases: &[(u16, &str, &str)] = &[
            (400, r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#, "HTTP status 400, bad_data: parse error"),
            (200, r#"{"status":"error","errorType":"timeout","error":"slow"}"#, "HTTP status 200, timeout: slow"),
            (503, "<html>upstream</html>", "HTTP status 503"),
            (302, "", "HTTP status 302"),
            (200, "", "unreadable answer: EOF while parsing a value at line 1 column 0"),
            (200, r#"{"status":"success"}"#, "unreadable answer: `data` is missing"),
            (
                200,
                r#"{"status":"perhaps"}"#,
                "unreadable answer: unknown variant `perhaps`, expected `success` or `error` at line 1 column 19",
            ),
            (
                200,
                r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]},"warnings":["no store"]}"#,
                "partial answer: no store",
            ),
            (
                200,
                r#"{"status":"success","isPartial":true,"data":{"resultType":"scalar","result":[1,"1"]}}"#,
                "partial answer: the server says so",
            ),
            (200, r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1x"]}}"#, "unreadable answer: `1x` is no number"),
            (
                200,
                r#"{"status":"success","data":{"resultType":"vector","result":[{}]}}"#,
                "unreadable answer: a series has neither `value` nor `histogram`",
            ),
            (200, r#"{"status":"success","status":"error"}"#, "unreadable answer: duplicate field `status` at line 1 column 28"),
        ];
        for (status, body, sentence) in cases {
            assert_eq!(decode(*status, body.as_bytes()).unwrap_err().to_string(), *sentence);
        }
        for body in [deep.as_str(), r#"{"status":"success","data":{"resultType":"scalar","result":[1e400,"1"]}}"#, r#"{"data":[]"#] {
            assert!(matches!(decode(200, body.as_bytes()), Err(QueryError::Unreadable { .. })));
        }
    }
}
