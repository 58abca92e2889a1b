//! What credential providers may see of the world: variables as they were at start, files, and HTTP by [`Fetcher`].

use std::collections::HashMap;
use std::path::PathBuf;

use reqsign_core::{Context, Error, FileRead, Result, StaticEnv};

use super::fetcher::Fetcher;

/// Longest file of credentials.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The variables of the environment that credentials are looked for in, as they were when the process started.
#[derive(Clone, Default)]
pub struct Environment {
    variables: HashMap<String, String>,
    home: Option<PathBuf>,
}

impl Environment {
    /// Keeps of `variables` those that are about credentials, and the home folder.
    #[must_use]
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut kept = Self::default();
        for (name, value) in variables {
            if name == "HOME" {
                kept.home = Some(PathBuf::from(value));
            } else if name.starts_with("AWS_")
                || name.starts_with("AZURE_")
                || name.starts_with("IDENTITY_")
            {
                kept.variables.insert(name, value);
            }
        }
        kept
    }

    /// The value of the first of `names` that is set to something.
    pub(super) fn first(&self, names: &[&str]) -> Option<&str> {
        let values = names.iter().filter_map(|name| self.variables.get(*name));
        values.map(String::as_str).find(|value| !value.is_empty())
    }

    /// What the library's providers see.
    pub(super) fn context(&self) -> Context {
        Context::new()
            .with_file_read(Files)
            .with_http_send(Fetcher::default())
            .with_env(StaticEnv {
                home_dir: self.home.clone(),
                envs: self.variables.clone(),
            })
    }
}

impl std::fmt::Debug for Environment {
    /// Names only: values are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut names: Vec<_> = self.variables.keys().collect();
        names.sort();
        f.debug_tuple("Environment").field(&names).finish()
    }
}

/// Reads files on a thread that may block.
#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> Result<Vec<u8>> {
        read(PathBuf::from(path))
            .await
            .ok_or_else(|| Error::config_invalid("a file of credentials can't be read"))
    }
}

/// A file's bytes; none where it can't be read or is too long to be credentials.
pub(super) async fn read(path: PathBuf) -> Option<Vec<u8>> {
    use std::io::Read as _;
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).ok()?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= FILE_BYTES_MAX).then_some(bytes)
    });
    reading.await.ok().flatten()
}

/// A file's text without white space at its ends.
pub(super) async fn read_text(path: PathBuf) -> Option<String> {
    let text = String::from_utf8(read(path).await?).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_shows_names_and_no_values() {
        let environment = Environment::of([
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "hidden".to_owned()),
            ("OTHER".to_owned(), "hidden too".to_owned()),
        ]);
        let shown = format!("{environment:?} {:?}", environment.context());
        assert!(shown.contains("AWS_SECRET_ACCESS_KEY"), "{shown}");
        assert_eq!(environment.first(&["OTHER"]), None);
        assert_eq!(
            environment.first(&["AWS_X", "AWS_SECRET_ACCESS_KEY"]),
            Some("hidden")
        );
        assert!(!format!("{environment:?}").contains("hidden"));
    }
}
