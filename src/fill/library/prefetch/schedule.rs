//! `[[prefetch]]`: what is warmed at start, and from time to time.
//!
//! Each table has a task of its own on the library's thread. A reload ends those whose table has gone or changed, begins new ones, and
//! leaves the others to their times.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::Library;
use super::super::settings::PrefetchRule;
use super::PrefetchOrder;

/// Largest file of URLs.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The tables, as they are to be from now on.
#[derive(Debug)]
pub(in crate::fill::library) struct Schedule(watch::Sender<Arc<[PrefetchRule]>>);

impl Schedule {
    pub(in crate::fill::library) fn new(rules: Vec<PrefetchRule>) -> Self {
        Self(watch::Sender::new(rules.into()))
    }

    /// Goes by other tables from now on.
    pub(in crate::fill::library) fn set(&self, rules: Vec<PrefetchRule>) {
        self.0.send_replace(rules.into());
    }

    /// Follows the tables; ends with its task.
    pub(in crate::fill::library) async fn follow(&self, library: &Arc<Library>) {
        let mut rules = self.0.subscribe();
        let mut running: Vec<(PrefetchRule, JoinHandle<()>)> = Vec::new();
        loop {
            let wanted = Arc::clone(&rules.borrow_and_update());
            running.retain(|(rule, task)| {
                let stays = wanted.iter().any(|wanted| is_same(wanted, rule));
                if !stays {
                    task.abort();
                }
                stays
            });
            for rule in wanted.iter() {
                if !running.iter().any(|(known, _)| is_same(known, rule)) {
                    let task = tokio::spawn(warm(Arc::clone(library), rule.clone()));
                    running.push((rule.clone(), task));
                }
            }
            if rules.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Whether two tables say the same, wherever they stand.
fn is_same(one: &PrefetchRule, other: &PrefetchRule) -> bool {
    let other = PrefetchRule {
        line: one.line,
        ..other.clone()
    };
    *one == other
}

/// Orders what a table says, now and after each interval.
async fn warm(library: Arc<Library>, rule: PrefetchRule) {
    loop {
        let urls = match &rule.file {
            Some(file) => {
                let file = file.clone();
                let read = tokio::task::spawn_blocking(move || urls_of(&file)).await;
                read.unwrap_or_default()
            }
            None => Vec::new(),
        };
        for url in rule.urls.iter().chain(&urls) {
            let order = PrefetchOrder {
                url: url.clone(),
                profile: Some(rule.profile.clone()).filter(|name| !name.is_empty()),
                refresh: rule.refresh,
                priority: i32::try_from(rule.priority).unwrap_or(i32::MAX),
            };
            library.prefetch_when_there_is_room(&order).await;
        }
        if rule.interval.is_zero() {
            return;
        }
        tokio::time::sleep(rule.interval).await;
    }
}

/// The URLs of a file: one a line, but for empty lines and those that begin with `#`.
fn urls_of(file: &Path) -> Vec<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let read = std::fs::File::open(file)
        .and_then(|opened| opened.take(FILE_BYTES_MAX).read_to_string(&mut text));
    if let Err(error) = read {
        tracing::warn!("{} can't be read for [[prefetch]]: {error}", file.display());
        return Vec::new();
    }
    lines(&text).map(str::to_owned).collect()
}

/// The URLs of a text.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_has_a_url_on_each_line_but_comments() {
        let text = "# prompts\nhttp://a/1\n\n  http://a/2  \r\n#http://a/3\n";
        assert_eq!(
            lines(text).collect::<Vec<_>>(),
            ["http://a/1", "http://a/2"]
        );
    }

    #[test]
    fn table_that_moved_in_the_file_is_the_same() {
        let rule = PrefetchRule {
            urls: vec!["http://a/".to_owned()],
            line: 1,
            ..PrefetchRule::default()
        };
        let moved = PrefetchRule {
            line: 9,
            ..rule.clone()
        };
        let other = PrefetchRule {
            priority: 1,
            ..rule.clone()
        };
        assert!(is_same(&rule, &moved) && !is_same(&rule, &other));
    }
}
