//! The last step of an import: what the page says is checked as `hotplate check` would, and what is refused becomes a comment
//! with the reason. So a page that is printed can always be served, whatever files are there.

use std::path::Path;

use super::page::{Page, Target};
use crate::config::mistake::{Cause, Mistake};
use crate::config::{CacheContradiction, Contradiction, RuleContradiction};

/// The name that the page has while it is checked; all paths in it are absolute.
const NAME: &str = "hotplate.toml";

/// Rounds after which no more care is taken of which of two tables stays.
const CAREFUL_ROUNDS: usize = 256;

/// The page's text, after all that `hotplate check` refuses was made a comment.
pub(super) fn proven(page: &mut Page) -> String {
    for round in 0.. {
        let printed = page.print();
        let Err(mistakes) = crate::config::parse(&printed.text, Path::new(NAME)) else {
            return printed.text;
        };
        let is_careful = round < CAREFUL_ROUNDS;
        let mut is_mended = false;
        for mistake in to_mend(&mistakes, is_careful) {
            let line = mistake.at.map_or(0, |at| at.line.saturating_sub(1));
            if let Some(Some(target)) = printed.targets.get(line) {
                take_out(page, *target, mistake);
                is_mended = true;
            }
        }
        if !is_mended {
            break;
        }
    }
    // No line is to blame. Nothing of what was translated can be trusted then, so nothing is in force.
    for block in &mut page.blocks {
        block.out.push("the page as a whole is refused".to_owned());
    }
    page.print().text
}

/// The mistakes that are mended in one round: those that depend on nothing else; then what a table says by itself; then, one by
/// one as long as it `is_careful`, what two tables say, because one that goes may leave another right.
fn to_mend(mistakes: &[Mistake], is_careful: bool) -> Vec<&Mistake> {
    let reach = |mistake: &&Mistake| match &mistake.cause {
        Cause::Contradiction(found) if is_of_two(found) => 2,
        Cause::Contradiction(_) => 1,
        _ => 0,
    };
    let Some(first) = mistakes.iter().map(|mistake| reach(&mistake)).min() else {
        return Vec::new();
    };
    let found = mistakes.iter().filter(|mistake| reach(mistake) == first);
    let count = if first == 2 && is_careful {
        1
    } else {
        usize::MAX
    };
    found.take(count).collect()
}

/// Whether a contradiction is between two tables.
fn is_of_two(found: &Contradiction) -> bool {
    matches!(
        found,
        Contradiction::UrlTwice { .. }
            | Contradiction::HostTwice { .. }
            | Contradiction::DefaultSiteTwice { .. }
            | Contradiction::Cache(CacheContradiction::DiskInRoot { .. })
            | Contradiction::Rule(RuleContradiction::PathTwice { .. })
    )
}

/// Makes a comment of the key, or of its table where the key can't be missed.
fn take_out(page: &mut Page, target: Target, mistake: &Mistake) {
    let Some(block) = page.blocks.get_mut(target.block) else {
        return;
    };
    let block = match target.inner {
        None => block,
        Some(inner) => match block.inner.get_mut(inner) {
            Some(inner) => inner,
            None => return,
        },
    };
    if !block.out.is_empty() {
        return;
    }
    let reason = mistake.cause.to_string();
    match target.entry.and_then(|at| block.entries.get_mut(at)) {
        Some(entry) if !entry.is_needed => entry.out = Some(reason),
        Some(entry) => block.out.push(format!("{}: {reason}", entry.name)),
        None => block.out.push(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::{Block, Entry, text};
    use super::*;

    fn block(header: &'static str, entries: &[(&'static str, &str)]) -> Block {
        let entries = entries.iter();
        Block {
            entries: entries
                .map(|(name, value)| Entry::new(name, (*value).to_owned(), Vec::new()))
                .collect(),
            ..Block::new(header)
        }
    }

    #[test]
    fn what_check_refuses_becomes_a_comment_until_nothing_is_refused() {
        let mut site = block("[[site]]", &[("root", &text("/nonexistent/www"))]);
        site.inner = vec![block("[[site.rule]]", &[("path", "\"/\"")])];
        let mut page = Page {
            blocks: vec![
                block(
                    "[disk]",
                    &[("path", &text("/nonexistent/a/b")), ("size", "\"1GiB\"")],
                ),
                block(
                    "[[pin]]",
                    &[("path", &text("/nonexistent/a")), ("url", "\"/a\"")],
                ),
                site,
            ],
            ..Page::default()
        };
        let text = proven(&mut page);
        let settings = crate::config::parse(&text, Path::new("/a.toml")).unwrap();
        assert_eq!((settings.pins.len(), settings.sites.len()), (1, 0));
        assert!(settings.disk.is_none());
        for words in [
            "# [disk]",
            "# [[site]]",
            "# [[site.rule]]",
            "is no folder to serve",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
    }

    #[test]
    fn table_that_needs_the_refused_key_goes_whole() {
        let mut pin = block(
            "[[pin]]",
            &[
                ("path", "\"/a\""),
                ("url", "\"/a\""),
                ("hosts", "[\"a b\"]"),
            ],
        );
        for entry in &mut pin.entries {
            entry.is_needed = true;
        }
        let mut page = Page {
            blocks: vec![pin],
            ..Page::default()
        };
        let text = proven(&mut page);
        assert!(
            text.contains("# # left out: hosts: \"a b\": not a host name"),
            "{text}"
        );
        assert!(text.contains("# path = \"/a\""), "{text}");
    }

    #[test]
    fn table_that_is_not_known_is_a_comment() {
        let mut page = Page {
            blocks: vec![
                block("[[oven]]", &[("a", "1")]),
                block("[[oven]]", &[("a", "2")]),
            ],
            ..Page::default()
        };
        let text = proven(&mut page);
        assert_eq!(text.matches("# [[oven]]").count(), 2, "{text}");
    }
}
