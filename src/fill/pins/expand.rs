//! What a pin rule matches, by name: a file, the files below a folder, or those of a glob.
//!
//! Below a folder or a glob's fixed part no name that begins with a dot is matched, and links to folders are not
//! followed; links to files are. A file's precompressed sibling gets no URL of its own unless the rule names its ending.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use crate::fill::siblings::sibling_of;
use crate::http::target::encode_path;
use crate::store::pinned::PinRule;
use crate::store::pinned::rule::has_wildcard;
use crate::sys::file::look;

/// A pin rule that is ready to match paths.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) rule: PinRule,
    /// The folder that is searched; of a single file its parent.
    base: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    File,
    Folder,
    Glob {
        matcher: GlobMatcher,
        /// How many folders below the base a match can lie; none without a limit (`**`).
        depth_max: Option<usize>,
    },
    /// The glob is malformed: matches nothing, and says why.
    Malformed(String),
}

impl Pattern {
    /// Reads the rule's path. Whether it is a folder is looked up here, once.
    pub(super) fn new(rule: PinRule) -> Self {
        let is_glob = has_wildcard(&rule.path) && !rule.path.exists();
        if is_glob {
            return Self::glob(rule);
        }
        let ends_with_slash = rule.path.as_os_str().as_bytes().ends_with(b"/");
        if ends_with_slash || rule.path.is_dir() {
            // Through the components, which forget a final slash.
            let base = rule.path.components().collect();
            return Self {
                rule,
                base,
                kind: Kind::Folder,
            };
        }
        let base = rule.path.parent().unwrap_or(Path::new("/")).to_owned();
        Self {
            rule,
            base,
            kind: Kind::File,
        }
    }

    fn glob(rule: PinRule) -> Self {
        let is_fixed = |part: &Component<'_>| !has_wildcard(part.as_ref());
        let base: PathBuf = rule.path.components().take_while(is_fixed).collect();
        let rest: Vec<_> = rule.path.components().skip_while(is_fixed).collect();
        let has_any_depth = rest.iter().any(|part| {
            part.as_os_str()
                .as_bytes()
                .windows(2)
                .any(|two| two == b"**")
        });
        let made = GlobBuilder::new(&rule.path.to_string_lossy())
            .literal_separator(true)
            .build();
        let kind = match made {
            Ok(glob) => Kind::Glob {
                matcher: glob.compile_matcher(),
                depth_max: (!has_any_depth).then_some(rest.len().saturating_sub(1)),
            },
            Err(error) => Kind::Malformed(error.to_string()),
        };
        Self { rule, base, kind }
    }

    /// The folder that is searched; of a single file its parent.
    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// The file that the rule names itself, if it is not to be searched for.
    pub(super) fn single(&self) -> Option<&Path> {
        matches!(self.kind, Kind::File).then_some(self.rule.path.as_path())
    }

    /// What is wrong with the rule's path.
    pub(super) fn mistake(&self) -> Option<&str> {
        match &self.kind {
            Kind::Malformed(mistake) => Some(mistake),
            _ => None,
        }
    }

    /// Whether files of the folder `path` can match.
    pub(super) fn searches(&self, path: &Path) -> bool {
        let Some(depth) = self.depth_of(path) else {
            return false;
        };
        match &self.kind {
            Kind::File | Kind::Malformed(_) => false,
            Kind::Folder => true,
            Kind::Glob { depth_max, .. } => depth_max.is_none_or(|depth_max| depth <= depth_max),
        }
    }

    /// Whether the rule pins the file `path`, by its name. Asks the file system about the file whose sibling this would
    /// be.
    pub(super) fn admits(&self, path: &Path) -> bool {
        let is_below = || self.depth_of(path).is_some_and(|depth| depth > 0);
        match &self.kind {
            Kind::File => path == self.rule.path,
            Kind::Malformed(_) => false,
            Kind::Folder => is_below() && !self.is_mere_sibling(path),
            Kind::Glob { matcher, .. } => {
                is_below() && matcher.is_match(path) && !self.is_mere_sibling(path)
            }
        }
    }

    /// The URL path of a file that the rule admits, canonical.
    pub(super) fn url_of(&self, path: &Path) -> Vec<u8> {
        let mut url = self.rule.url.as_bytes().to_vec();
        if !url.ends_with(b"/") {
            return url;
        }
        let below = path.strip_prefix(&self.base).unwrap_or(path);
        let mut encoded = Vec::new();
        encode_path(below.as_os_str().as_bytes(), &mut encoded);
        url.append(&mut encoded);
        url
    }

    /// How many names lie between the base and `path`; none where it is not below the base or a name is hidden.
    fn depth_of(&self, path: &Path) -> Option<usize> {
        let below = path.strip_prefix(&self.base).ok()?;
        let mut depth = 0;
        for part in below.components() {
            if part.as_os_str().as_bytes().starts_with(b".") {
                return None;
            }
            depth += 1;
        }
        Some(depth)
    }

    fn is_mere_sibling(&self, path: &Path) -> bool {
        let Some(stem) = sibling_of(path) else {
            return false;
        };
        // `*.gz` asks for just these files.
        let is_asked_for = path
            .extension()
            .is_some_and(|extension| self.rule.path.extension() == Some(extension));
        !is_asked_for && self.admits(stem) && look(stem).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::pinned::{Hold, OnChange};

    fn pattern(path: impl Into<PathBuf>, url: &str) -> Pattern {
        Pattern::new(PinRule {
            path: path.into(),
            url: url.to_owned(),
            hosts: Vec::new(),
            hold: Hold::File,
            on_change: OnChange::Swap,
            cache_control: String::new(),
            content_type: String::new(),
            line: 1,
        })
    }

    #[test]
    fn glob_matches_below_its_fixed_part_without_hidden_names() {
        let every = pattern("/srv/prompts/**/*.wav", "/p/");
        assert_eq!(every.base(), Path::new("/srv/prompts"));
        for (path, admitted) in [
            ("/srv/prompts/a.wav", true),
            ("/srv/prompts/en/us/a.wav", true),
            ("/srv/prompts/en/a.mp3", false),
            ("/srv/prompts/.git/a.wav", false),
            ("/srv/prompts/en/.a.wav", false),
            ("/srv/other/a.wav", false),
        ] {
            assert_eq!(every.admits(Path::new(path)), admitted, "{path}");
        }
        assert_eq!(
            every.url_of(Path::new("/srv/prompts/en/a b.wav")),
            b"/p/en/a%20b.wav"
        );
        assert!(every.searches(Path::new("/srv/prompts/en/us")));
        assert!(!every.searches(Path::new("/srv/prompts/.git")));
    }

    #[test]
    fn star_stays_within_its_segment() {
        let one = pattern("/srv/*/a.wav", "/p/");
        assert!(one.admits(Path::new("/srv/en/a.wav")));
        assert!(!one.admits(Path::new("/srv/en/us/a.wav")));
        assert!(one.searches(Path::new("/srv/en")));
        assert!(!one.searches(Path::new("/srv/en/us")));
    }

    #[test]
    fn single_file_has_the_rules_url_or_its_name_appended() {
        assert_eq!(
            pattern("/srv/a.wav", "/x").url_of(Path::new("/srv/a.wav")),
            b"/x"
        );
        assert_eq!(
            pattern("/srv/a.wav", "/x/").url_of(Path::new("/srv/a.wav")),
            b"/x/a.wav"
        );
    }

    #[test]
    fn malformed_glob_matches_nothing_and_says_why() {
        let bad = pattern("/srv/[a", "/");
        assert!(bad.mistake().is_some());
        assert!(!bad.admits(Path::new("/srv/a")));
    }

    #[test]
    fn sibling_has_a_url_only_where_the_rule_asks_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let name = |name: &str| folder.path().join(name);
        for file in ["a.css", "a.css.gz", "b.gz"] {
            std::fs::write(name(file), b"x").unwrap();
        }
        let all = pattern(folder.path(), "/");
        assert!(all.admits(&name("a.css")));
        assert!(!all.admits(&name("a.css.gz")));
        assert!(all.admits(&name("b.gz")));
        assert!(pattern(name("*.gz"), "/").admits(&name("a.css.gz")));
        assert!(pattern(name("a.css.gz"), "/").admits(&name("a.css.gz")));
        assert!(!pattern(name("*"), "/").admits(&name("a.css.gz")));
    }
}
