//! `CODEOWNERS`: who owns a path, by GitHub's rules. Pure: the text comes as an argument, and whether a person belongs to a team is asked
//! elsewhere.
//!
//! The last pattern that matches a path counts, also when it names nobody. Patterns are those of `.gitignore`, without `!`, `[ ]` and `\#`,
//! which GitHub skips as well. Lines of another forge's sections (`[Section]`) are such lines.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Where GitHub looks, in this order; the first one counts.
pub const PLACES: [&str; 3] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"];
/// GitHub does not read a larger file, in bytes.
pub const LARGEST: usize = 3 << 20;

/// Somebody who owns a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// An account, by its login.
    User(String),
    /// A team, `organisation/team`.
    Team(String),
    /// An account by its address, which is not told to everybody: nobody is known to be it.
    Email(String),
}

/// The rules of one file.
#[derive(Debug)]
pub struct Owners {
    patterns: GlobSet,
    /// Those of each pattern, in the order of the file.
    owners: Vec<BTreeSet<Owner>>,
}

impl Owners {
    /// Reads a file. A line that GitHub would skip is skipped.
    ///
    /// # Errors
    /// The patterns together are too large to be compiled.
    pub fn parse(text: &str) -> Result<Self, globset::Error> {
        let mut patterns = GlobSetBuilder::new();
        let mut owners = Vec::new();
        for line in text.lines() {
            let Some((pattern, names)) = rule(line) else { continue };
            let globs: Vec<_> =
                globs(pattern).iter().filter_map(|glob| GlobBuilder::new(glob).literal_separator(true).build().ok()).collect();
            for glob in globs {
                patterns.add(glob);
                owners.push(names.clone());
            }
        }
        Ok(Self { patterns: patterns.build()?, owners })
    }

    /// Who owns a path; nobody where no pattern matches, or the last one that does names nobody.
    pub fn of(&self, path: &str) -> BTreeSet<Owner> {
        let last = self.patterns.matches(path).into_iter().max();
        last.and_then(|last| self.owners.get(last)).cloned().unwrap_or_default()
    }
}

/// A line's pattern and owners.
fn rule(line: &str) -> Option<(&str, BTreeSet<Owner>)> {
    let line = line.split_once('#').map_or(line, |(before, _)| before).trim();
    let mut words = line.split_whitespace();
    let pattern = words.next().filter(|pattern| !pattern.starts_with('!') && !pattern.contains(['[', ']', '\\', '{', '}']))?;
    let mut owners = BTreeSet::new();
    for word in words {
        // One word that is no owner makes GitHub skip the line.
        owners.insert(owner(word)?);
    }
    Some((pattern, owners))
}

fn owner(word: &str) -> Option<Owner> {
    let part =
        |text: &str| !text.is_empty() && text.chars().all(|character| character.is_ascii_alphanumeric() || "-_.".contains(character));
    match word.strip_prefix('@') {
        Some(name) => match name.split_once('/') {
            Some((organization, team)) if part(organization) && part(team) => Some(Owner::Team(name.to_owned())),
            None if part(name) => Some(Owner::User(name.to_owned())),
            _ => None,
        },
        None => {
            word.split_once('@').is_some_and(|(local, host)| !local.is_empty() && host.contains('.')).then(|| Owner::Email(word.to_owned()))
        }
    }
}

/// A pattern as globs over whole paths: the file of that name, and everything below the directory of that name.
fn globs(pattern: &str) -> Vec<String> {
    let directory = pattern.ends_with('/');
    let bare = pattern.trim_start_matches('/').trim_end_matches('/');
    if bare.is_empty() {
        return Vec::new();
    }
    // A slash at the beginning or in the middle ties the pattern to the root.
    let tied = pattern.starts_with('/') || bare.contains('/');
    let rooted = if tied || bare.starts_with("**") { bare.to_owned() } else { format!("**/{bare}") };
    let below = format!("{rooted}/**");
    // `docs/*` means the files of that directory and not those of the directories in it.
    let shallow = tied && bare.ends_with("/*");
    match (directory, shallow) {
        (true, _) => vec![below],
        (false, true) => vec![rooted],
        (false, false) => vec![rooted, below],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(text: &str, path: &str) -> Vec<String> {
        let word = |owner: Owner| match owner {
            Owner::User(name) | Owner::Team(name) => format!("@{name}"),
            Owner::Email(address) => address,
        };
        Owners::parse(text).unwrap().of(path).into_iter().map(word).collect()
    }

    #[test]
    fn patterns_match_as_on_github() {
        // Pattern, path, whether it matches; after the examples of GitHub's documentation.
        for (pattern, path, matches) in [
            ("*", "a/b/c.yaml", true),
            ("*.js", "src/app.js", true),
            ("*.js", "app.jsx", false),
            ("/build/logs/", "build/logs/today/x.log", true),
            ("/build/logs/", "deep/build/logs/x.log", false),
            ("docs/*", "docs/getting-started.md", true),
            ("docs/*", "docs/build-app/troubleshooting.md", false),
            ("apps/", "apps/a.yaml", true),
            ("apps/", "deep/apps/a.yaml", true),
            ("apps/", "apps", false),
            ("/docs/", "docs/a", true),
            ("/scripts/", "other/scripts/a", false),
            ("**/logs", "build/logs/x", true),
            ("**/logs", "logs", true),
            ("/apps/checkout", "apps/checkout/deploy.yaml", true),
            ("apps/checkout", "apps/checkout/deploy.yaml", true),
            ("apps/checkout", "deep/apps/checkout/deploy.yaml", false),
            ("apps/check", "apps/checkout/deploy.yaml", false),
            ("Apps/", "apps/a", false),
            ("apps/?", "apps/a", true),
            ("apps/[ab]", "apps/a", false),
            ("!apps", "apps", false),
        ] {
            assert_eq!(!owned(&format!("{pattern} @dana"), path).is_empty(), matches, "{pattern} {path}");
        }
    }

    #[test]
    fn the_last_match_counts_also_when_it_names_nobody() {
        let text = "# who owns what\n* @acme/platform\n/apps/ @dana robin@acme.example # the shop\n/apps/checkout/ @robin @acme/shop\n/apps/open/\n";
        assert_eq!(owned(text, "README.md"), ["@acme/platform"]);
        assert_eq!(owned(text, "apps/a.yaml"), ["@dana", "robin@acme.example"]);
        assert_eq!(owned(text, "apps/checkout/a.yaml"), ["@robin", "@acme/shop"]);
        assert_eq!(owned(text, "apps/open/a.yaml"), Vec::<String>::new());
    }

    #[test]
    fn a_line_that_github_skips_gives_nobody_anything() {
        let text = "* @acme/platform\n/apps/ dana\n[Shop] @dana\n^[Optional]\n/apps/ @dana/\n/apps/ @acme/a/b\n";
        assert_eq!(owned(text, "apps/a.yaml"), ["@acme/platform"]);
    }
}
