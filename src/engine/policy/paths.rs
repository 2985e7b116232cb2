//! Which paths a service owns.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

/// Globs for the paths of a service: `include` less `exclude`, separators literal, matched against the old and the new path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PathSet {
    /// At least one glob.
    pub include: Vec<String>,
    /// Globs that take paths out again.
    pub exclude: Vec<String>,
}

thread_local! {
    /// Compiling globs takes a thousand times as long as matching them, and every pass asks for those of every policy.
    static COMPILED: RefCell<HashMap<PathSet, Rc<PathMatcher>>> = RefCell::new(HashMap::new());
}

/// So many compiled sets are kept by a thread.
const COMPILED_KEPT: usize = 4096;

/// A compiled `PathSet`.
pub struct PathMatcher {
    include: GlobSet,
    exclude: GlobSet,
}

impl PathSet {
    /// Compiles the globs.
    ///
    /// # Errors
    /// A glob that does not parse; `config/` has refused those, so this happens for hand-made values only.
    pub fn matcher(&self) -> Result<Rc<PathMatcher>, globset::Error> {
        COMPILED.with_borrow_mut(|compiled| {
            if let Some(matcher) = compiled.get(self) {
                return Ok(matcher.clone());
            }
            if compiled.len() >= COMPILED_KEPT {
                compiled.clear();
            }
            let matcher = Rc::new(PathMatcher { include: glob_set(&self.include)?, exclude: glob_set(&self.exclude)? });
            compiled.insert(self.clone(), matcher.clone());
            Ok(matcher)
        })
    }
}

impl PathMatcher {
    /// Whether the service owns the path.
    pub fn owns(&self, path: &str) -> bool {
        self.include.is_match(path) && !self.exclude.is_match(path)
    }
}

fn glob_set(globs: &[String]) -> Result<GlobSet, globset::Error> {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(GlobBuilder::new(glob).literal_separator(true).build()?);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_does_not_cross_a_separator_and_exclude_wins() {
        let paths =
            PathSet { include: vec!["apps/*/deployment.yaml".into(), "apps/checkout/**".into()], exclude: vec!["**/README.md".into()] };
        let matcher = paths.matcher().unwrap();
        assert!(matcher.owns("apps/payments/deployment.yaml"));
        assert!(!matcher.owns("apps/payments/base/deployment.yaml"));
        assert!(matcher.owns("apps/checkout/base/deployment.yaml"));
        assert!(!matcher.owns("apps/checkout/README.md"));
    }
}
