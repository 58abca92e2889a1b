//! A folder with a copy of the configs, in which the built binary imports them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What stands for the test's folder in the configs, and in the pages that are compared.
const ROOT_MARK: &str = "@ROOT@";

/// A folder with configs and the files that they name.
pub(crate) struct Bench {
    directory: tempfile::TempDir,
}

/// A page that was printed.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) code: Option<i32>,
    /// Standard output, with [`ROOT_MARK`] for the folder.
    pub(crate) text: String,
    /// Standard error.
    pub(crate) said: String,
}

impl Bench {
    /// A folder with what lies in `tests/import/NAME`, and some files to serve.
    pub(crate) fn new(name: &str) -> Self {
        let bench = Self::empty();
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/import")
            .join(name);
        bench.copy(&from, Path::new(""));
        bench.place("htdocs/index.html", "<p>hello</p>\n");
        bench.place("htdocs/hold.wav", "RIFF");
        bench.place("htdocs/private/a.txt", "secret");
        bench.place("htdocs/local/a.txt", "local");
        fs::create_dir_all(bench.path("cache")).unwrap();
        bench.place(
            "freeswitch/conf/cacert.pem",
            "-----BEGIN CERTIFICATE-----\n",
        );
        bench
    }

    /// A folder with nothing in it.
    pub(crate) fn empty() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("hotplate-import-")
            .tempdir()
            .unwrap();
        Self { directory }
    }

    fn copy(&self, from: &Path, below: &Path) {
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let name = below.join(entry.file_name());
            if entry.path().is_dir() {
                self.copy(&entry.path(), &name);
            } else {
                let text = fs::read_to_string(entry.path()).unwrap();
                self.place(&name, &text.replace(ROOT_MARK, &self.root()));
            }
        }
    }

    fn root(&self) -> String {
        self.directory.path().display().to_string()
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn place(&self, name: impl AsRef<Path>, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hotplate"))
            .args(words)
            .current_dir(self.directory.path())
            .output()
            .unwrap()
    }

    /// Imports with these arguments.
    pub(crate) fn import(&self, words: &[&str]) -> Page {
        let output = self.run(&[&["import"], words].concat());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Page {
            code: output.status.code(),
            text: text(output.stdout).replace(&self.root(), ROOT_MARK),
            said: text(output.stderr),
        }
    }

    /// Imports, and has the page checked; returns it and what the check said.
    #[track_caller]
    pub(crate) fn checked(&self, words: &[&str]) -> (String, String) {
        let page = self.import(words);
        assert_eq!(page.code, Some(0), "{}", page.said);
        assert_eq!(self.import(words).text, page.text, "the same bytes again");
        let said = self.check(&page.text);
        (page.text, said)
    }

    /// Has a page checked, which must be right; what the check said.
    #[track_caller]
    pub(crate) fn check(&self, page: &str) -> String {
        self.place("hotplate.toml", &page.replace(ROOT_MARK, &self.root()));
        let output = self.run(&["check", "--config", "hotplate.toml"]);
        let said =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}\n{page}");
        said.trim().to_owned()
    }
}

/// Compares a page with the one in `tests/import/expected`.
#[track_caller]
pub(crate) fn compare(name: &str, page: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/import/expected")
        .join(name);
    if std::env::var_os("HOTPLATE_WRITE_EXPECTED").is_some() {
        fs::write(&file, page).unwrap();
        return;
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    let lines = page.lines().zip(expected.lines()).enumerate();
    if let Some((at, (found, expected))) = lines
        .into_iter()
        .find(|(_, (found, expected))| found != expected)
    {
        panic!("{name}:{}: expected\n{expected}\nfound\n{found}", at + 1);
    }
    assert_eq!(page, expected, "{name}");
}
