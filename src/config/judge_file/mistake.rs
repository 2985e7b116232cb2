//! What is wrong with a line that could not be read, in one sentence that names the place.

use serde_json::error::Category;

use super::CaseLine;

/// The sentence. The line is read a second time to find the place, because to keep track of it slows the reading of good lines.
pub(super) fn sentence(line: &str, error: &serde_json::Error) -> String {
    let column = error.column();
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(before, _)| before);
    match error.classify() {
        Category::Eof => format!("the JSON ends too early, at byte {column}"),
        Category::Syntax | Category::Io => format!("this is no JSON: {text} at byte {column}"),
        Category::Data => {
            let reader = &mut serde_json::Deserializer::from_str(line);
            let place = serde_path_to_error::deserialize::<_, CaseLine>(reader).err().map(|error| error.path().to_string());
            let place = place.filter(|place| place != ".").map_or_else(String::new, |place| format!("`{place}`: "));
            format!("{place}{} (byte {column})", in_words(text))
        }
    }
}

/// The names of Rust's types say nothing to who wrote the line.
fn in_words(text: &str) -> String {
    let words = [
        ("expected f64", "expected a number"),
        ("expected a sequence", "expected a list"),
        ("invalid type: sequence", "invalid type: list"),
        ("invalid type: map", "invalid type: object"),
        ("unknown variant", "unknown value"),
        ("unknown field", "unknown key"),
        ("missing field", "missing key"),
        ("duplicate field", "twice the key"),
    ];
    words.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
