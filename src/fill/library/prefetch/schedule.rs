//! `[[prefetch]]`: what is warmed at start, and from time to time.
//!
//! Each table has a task of its own on the library's thread. A reload ends those whose table has gone or changed, begins new ones, and
//! leaves the others to their times. What could not be fetched for a reason that may pass, such as an origin that is down when this machine
//! starts, is ordered again until it is there, or until the next round.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::Library;
use super::super::again::may_pass;
use super::super::counts::LibraryCount;
use super::super::settings::PrefetchRule;
use super::{JobState, PrefetchOrder};
use crate::fill::upload::delay;

/// Largest file of URLs.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The wait before what failed is ordered again; it doubles with each further time.
const AGAIN_MIN: Duration = Duration::from_secs(2);
/// The longest such wait.
const AGAIN_MAX: Duration = Duration::from_secs(300);

/// Jobs that a table has before those that have ended are sorted out.
const UNDER_WAY_MAX: usize = 256;

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
        let mut urls = rule.urls.clone();
        if let Some(file) = &rule.file {
            let file = file.clone();
            let read = tokio::task::spawn_blocking(move || urls_of(&file)).await;
            urls.extend(read.unwrap_or_default());
        }
        let mut round = Round::default();
        round.order(&library, &rule, urls).await;
        if rule.interval.is_zero() {
            round.finish(&library, &rule).await;
            return;
        }
        let mut next = pin!(tokio::time::sleep(rule.interval));
        tokio::select! {
            () = round.finish(&library, &rule) => next.await,
            () = &mut next => {}
        }
    }
}

/// What a table had fetched, and what has become of it.
#[derive(Default)]
struct Round {
    /// Jobs that may not have ended.
    under_way: Vec<(u64, String)>,
    /// URLs that could not be fetched for a reason that may pass.
    failed: Vec<String>,
}

impl Round {
    /// Orders URLs, as fast as there is room for them.
    async fn order(&mut self, library: &Library, rule: &PrefetchRule, urls: Vec<String>) {
        let mut look_at = UNDER_WAY_MAX;
        for url in urls {
            let order = PrefetchOrder {
                url,
                profile: Some(rule.profile.clone()).filter(|name| !name.is_empty()),
                refresh: rule.refresh,
                priority: i32::try_from(rule.priority).unwrap_or(i32::MAX),
            };
            if let Some(id) = library.prefetch_when_there_is_room(&order).await {
                self.under_way.push((id, order.url));
            }
            // Long before they are forgotten.
            if self.under_way.len() >= look_at {
                self.look(library);
                look_at = UNDER_WAY_MAX.max(self.under_way.len() * 2);
            }
        }
    }

    /// Waits for their ends, and has those that failed fetched again, less and less often, until none does.
    async fn finish(&mut self, library: &Library, rule: &PrefetchRule) {
        for failures in 1.. {
            let ids: Vec<u64> = self.under_way.iter().map(|(id, _)| *id).collect();
            library.all_end(&ids).await;
            self.look(library);
            if self.failed.is_empty() {
                return;
            }
            let wait = delay(failures, AGAIN_MIN, AGAIN_MAX, (library.chance)());
            tracing::warn!(
                "{} URLs of the [[prefetch]] on line {} could not be fetched; they are tried again in {:.1} s",
                self.failed.len(),
                rule.line,
                wait.as_secs_f64(),
            );
            tokio::time::sleep(wait).await;
            let failed = std::mem::take(&mut self.failed);
            for _ in &failed {
                library.counts.bump(LibraryCount::ScheduledAgain);
            }
            self.order(library, rule, failed).await;
        }
    }

    /// Sorts out what has ended.
    fn look(&mut self, library: &Library) {
        let Self { under_way, failed } = self;
        under_way.retain_mut(|(id, url)| match library.job(*id).map(|job| job.state) {
            Ok(state) if !state.is_end() => true,
            Ok(JobState::Failed(failure)) if may_pass(&failure) => {
                failed.push(std::mem::take(url));
                false
            }
            _ => false,
        });
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
