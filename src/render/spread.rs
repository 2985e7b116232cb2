//! What is said where a reverted change comes back by another way: the comment in the thread, with the setting that pins the automation.

use super::neutral::{self, Markdown};
use super::within_limit;
use crate::engine::id::{CommitId, ProposalKey};

/// The longest description of a commit status (GitHub: 140 characters).
const LONGEST_STATUS: usize = 140;

/// What pushes images into a repository by itself, each with how a version is kept out. `IMAGE` and `TAG` stand for the image's.
const AUTOMATIONS: [(&str, &str, &str); 5] = [
    (
        "Argo CD Image Updater",
        "image-updater",
        "# An annotation of the Application; `app` is the alias of the image in image-list.\nargocd-image-updater.argoproj.io/app.ignore-tags: \"TAG\"",
    ),
    (
        "Flux",
        "flux",
        "# In the ImagePolicy; or stop it: flux suspend image update NAME\nspec:\n  policy:\n    semver:\n      range: \">=0.0.0 !=TAG\"",
    ),
    ("Renovate", "renovate", "{\"packageRules\": [{\"matchPackageNames\": [\"IMAGE\"], \"allowedVersions\": \"!/^TAG$/\"}]}"),
    (
        "Kargo",
        "kargo",
        "# In the Warehouse; and switch auto-promotion of the stage off.\nspec:\n  subscriptions:\n  - image:\n      repoURL: IMAGE\n      ignoreTags: [\"TAG\"]",
    ),
    ("a CI job", "", "# Before the step that writes the tag.\ntest \"$TAG\" != \"TAG\" || { echo \"TAG was reverted\"; exit 1; }"),
];

/// The description of the failing status on somebody's head.
pub fn status(why: &str) -> String {
    let text = neutral::title(&why.replace('`', ""), LONGEST_STATUS - 1);
    format!("{text}.")
}

/// Marks the comment about one push. Forges do not show it.
pub fn mark(key: &ProposalKey, commit: CommitId) -> String {
    format!("<!-- revertd:spread {key} {commit} -->")
}

/// How often it was said before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// It is the first push.
    First,
    /// It happened before, and it is not said again.
    Last,
}

/// The comment about a push that brought back what was reverted. `by` and `why` are untrusted; `image` is what was taken away, where that is one.
pub fn pushed(commit: CommitId, by: &str, why: &str, image: Option<&str>, time: Time, mark: &str) -> String {
    let mut text = format!(
        "{commit} by {} was pushed to the watched branch: {}. Nobody has said yet that it may come back; `/revertd reland` with a reason says so.\n",
        neutral::plain(by).as_str(),
        neutral::sentence(why).as_str()
    );
    if time == Time::Last {
        text.push_str("\nIt is not the first time. revertd does not say it again: a person has to stop what pushes it.\n");
    }
    text.push_str(pins(by, image).as_str());
    within_limit(&format!("{text}\n{mark}\n"), mark)
}

/// How an automation is kept from an image: the one whose name is known, else all of them.
fn pins(by: &str, image: Option<&str>) -> Markdown {
    let Some((image, tag)) = image.and_then(|image| image.rsplit_once('@').or_else(|| image.rsplit_once(':'))) else {
        return Markdown::trusted("\nIf an automation pushed it, stop it there, or it comes back with its next run.\n");
    };
    let clean =
        |text: &str| text.chars().filter(|char| char.is_ascii_alphanumeric() || "._-:/".contains(*char)).take(200).collect::<String>();
    let (image, tag) = (clean(image), clean(tag));
    let by = by.to_ascii_lowercase();
    let known: Vec<_> = AUTOMATIONS.iter().filter(|(_, mark, _)| !mark.is_empty() && by.contains(mark)).collect();
    let named = if known.is_empty() { AUTOMATIONS.iter().collect() } else { known };
    let mut text = String::from("\nIf an automation pushed it, this keeps that version out:\n");
    for (name, _, snippet) in named {
        // `$TAG` is the job's own variable.
        let snippet = snippet.replace("$TAG", "\u{1}").replace("IMAGE", &image).replace("TAG", &tag).replace('\u{1}', "$TAG");
        text.push_str(&format!("\n{name}:\n\n{}\n", neutral::block(&snippet).as_str()));
    }
    Markdown::trusted(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::command::{Parsed, parse};

    const COMMIT: CommitId = CommitId([0xab; 20]);

    #[test]
    fn a_push_is_named_with_what_pins_the_automation() {
        let told = |by: &str, time| {
            pushed(COMMIT, by, "`a.yaml` brings the image `shop/checkout:1.5.0`", Some("shop/checkout:1.5.0"), time, "<!-- m -->")
        };
        let renovate = told("renovate[bot]", Time::First);
        assert!(renovate.contains("\"allowedVersions\": \"!/^1.5.0$/\"") && renovate.contains("[\"shop/checkout\"]"), "{renovate}");
        assert!(!renovate.contains("Kargo") && !renovate.contains("not the first time"), "{renovate}");
        let person = told("Robin", Time::Last);
        for (name, _, _) in AUTOMATIONS {
            assert!(person.contains(&format!("\n{name}:\n")), "{person}");
        }
        assert!(person.contains("test \"$TAG\" != \"1.5.0\"") && person.contains("does not say it again"), "{person}");
        assert_eq!(parse(&person), Parsed::None, "it is no command");
        assert!(person.trim_end().ends_with("<!-- m -->"));
    }

    #[test]
    fn what_others_wrote_has_no_effect_and_a_status_fits() {
        for hostile in neutral::tests::HOSTILE {
            let text = pushed(COMMIT, hostile, hostile, Some(hostile), Time::First, "");
            assert_eq!(neutral::tests::effects(&text), Vec::<String>::new(), "{text}");
            assert!(status(&hostile.repeat(50)).chars().count() <= LONGEST_STATUS);
        }
    }
}
