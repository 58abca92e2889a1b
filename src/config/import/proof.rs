//! The last step of an import: what the page says is checked as `hotplate check` would, and what is refused becomes a comment
//! with the reason. So a page that is printed can always be served, whatever files are there.

use std::path::Path;

use super::page::{Page, Target};
use crate::config::mistake::Mistake;

/// The name that the page has while it is checked; all paths in it are absolute.
const NAME: &str = "hotplate.toml";

/// The page's text, after all that `hotplate check` refuses was made a comment.
pub(super) fn proven(page: &mut Page) -> String {
    loop {
        let printed = page.print();
        let Err(mistakes) = crate::config::parse(&printed.text, Path::new(NAME)) else {
            return printed.text;
        };
        let mut is_mended = false;
        for mistake in &mistakes {
            let line = mistake.at.map_or(0, |at| at.line.saturating_sub(1));
            // A mistake may come from one that stands before it and goes now.
            if let Some(Some(target)) = printed.targets.get(line)
                && !is_mended
            {
                take_out(page, *target, mistake);
                is_mended = true;
            }
        }
        if !is_mended {
            // No line is to blame. Nothing of what was translated can be trusted then, so nothing is in force.
            let reason = mistakes
                .first()
                .map(|mistake| mistake.cause.to_string())
                .unwrap_or_default();
            for block in &mut page.blocks {
                block.out.push(reason.clone());
            }
            return page.print().text;
        }
    }
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
