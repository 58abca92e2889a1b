//! Which of the conditional sections hold: `<IfModule>`, `<IfDefine>`, `<IfVersion>`, `<IfFile>`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The version that `<IfVersion>` is asked about: the newest of the line that the directives are those of.
const VERSION: [u32; 3] = [2, 4, 65];

/// Modules that are in every httpd, whether a `LoadModule` names them or not.
const BUILT_IN: [&str; 10] = [
    "core.c",
    "core_module",
    "http_core.c",
    "http_module",
    "mod_so.c",
    "so_module",
    "mod_version.c",
    "version_module",
    "mod_unixd.c",
    "unixd_module",
];

/// What conditions are about, as far as the config has been read.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Modules by both of their names, in lower case.
    modules: BTreeSet<String>,
    /// Whether any module was loaded by the config.
    loads: bool,
    /// What is defined, with its value.
    defines: BTreeMap<String, String>,
}

/// Whether a condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// It does; why, where that isn't plain.
    Yes(&'static str),
    /// It doesn't, because.
    No(String),
}

impl Known {
    /// Adds what the command line says: definitions, and modules that are compiled in.
    pub(super) fn new(defines: &[(String, String)], modules: &[String]) -> Self {
        let mut known = Self::default();
        for (name, value) in defines {
            known.define(name, value);
        }
        for module in modules {
            known.add_module(module, "");
        }
        known
    }

    /// Heeds a `LoadModule`.
    pub(super) fn load(&mut self, name: &str, file: &str) {
        self.loads = true;
        self.add_module(name, file);
    }

    fn add_module(&mut self, name: &str, file: &str) {
        let name = name.to_ascii_lowercase();
        let stem = Path::new(file)
            .file_stem()
            .map(|stem| stem.to_string_lossy().to_ascii_lowercase());
        if let Some(stem) = stem {
            // The source of mod_mpm_event.so is event.c.
            if let Some(mpm) = stem.strip_prefix("mod_mpm_") {
                self.modules.insert(format!("{mpm}.c"));
            }
            self.modules.insert(format!("{stem}.c"));
        } else if let Some(base) = name.strip_suffix("_module") {
            self.modules.insert(format!("mod_{base}.c"));
        } else if let Some(base) = name
            .strip_prefix("mod_")
            .and_then(|rest| rest.strip_suffix(".c"))
        {
            self.modules.insert(format!("{base}_module"));
        }
        self.modules.insert(name);
    }

    /// Heeds a `Define`.
    pub(super) fn define(&mut self, name: &str, value: &str) {
        self.defines.insert(name.to_owned(), value.to_owned());
    }

    /// Heeds an `UnDefine`.
    pub(super) fn undefine(&mut self, name: &str) {
        self.defines.remove(name);
    }

    /// The value of a variable.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.defines.get(name).map(String::as_str)
    }

    /// Whether the section `name` with `words` is a condition, and whether it holds. Relative files are below `root`.
    pub(super) fn holds(&self, name: &str, words: &[String], root: &Path) -> Option<Holds> {
        let first = words.first().map_or("", String::as_str);
        let (is_negated, asked) = match first.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, first),
        };
        let found = match name {
            "ifmodule" => self.module(asked),
            "ifdefine" => match self.defines.contains_key(asked) {
                true => Holds::Yes(""),
                false => Holds::No(format!(
                    "{asked} is not defined; if httpd is started with it, pass -D {asked}"
                )),
            },
            "iffile" => match root.join(asked).exists() {
                true => Holds::Yes(""),
                false => Holds::No("the file isn't there".to_owned()),
            },
            "ifdirective" | "ifsection" => Holds::Yes("what it asks for is taken to be there"),
            // Here the `!` belongs to the operator.
            "ifversion" => return Some(version(first, words.get(1).map(String::as_str))),
            _ => return None,
        };
        Some(match (found, is_negated) {
            (found, false) => found,
            (Holds::Yes(_), true) => Holds::No("what it asks for is there".to_owned()),
            (Holds::No(_), true) => Holds::Yes(""),
        })
    }

    fn module(&self, asked: &str) -> Holds {
        let lower = asked.to_ascii_lowercase();
        if self.modules.contains(&lower) || BUILT_IN.contains(&lower.as_str()) {
            Holds::Yes("")
        } else if self.loads {
            Holds::No(format!(
                "no LoadModule before it loads the module; if it is compiled in, pass --module {asked}"
            ))
        } else {
            Holds::Yes("no module is loaded before it, so it is taken to be there")
        }
    }
}

/// Compares [`VERSION`] with what is asked: an operator, `=` where there is none, and a version.
fn version(first: &str, second: Option<&str>) -> Holds {
    let (operator, asked) = match second {
        Some(second) => (first, second),
        None => ("=", first),
    };
    let (is_negated, operator) = match operator.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, operator),
    };
    let mut numbers = [0; 3];
    let mut parts = asked.split('.');
    for number in &mut numbers {
        let part = parts.next().unwrap_or("0");
        let Ok(read) = part.parse() else {
            return Holds::No("patterns of versions are not compared".to_owned());
        };
        *number = read;
    }
    let holds = match operator {
        "=" | "==" => VERSION == numbers,
        ">" => VERSION > numbers,
        ">=" => VERSION >= numbers,
        "<" => VERSION < numbers,
        "<=" => VERSION <= numbers,
        _ => return Holds::No("patterns of versions are not compared".to_owned()),
    };
    if holds != is_negated {
        Holds::Yes("the version is taken to be 2.4")
    } else {
        Holds::No("the version is taken to be 2.4".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(known: &Known, section: &str) -> bool {
        let mut words = section.split(' ').map(str::to_owned);
        let name = words.next().unwrap();
        let words: Vec<String> = words.collect();
        matches!(
            known.holds(&name, &words, Path::new("/")),
            Some(Holds::Yes(_))
        )
    }

    #[test]
    fn module_is_known_by_both_names_once_one_is_loaded() {
        let mut known = Known::new(&[], &["mod_file_cache.c".to_owned()]);
        assert!(
            holds(&known, "ifmodule mod_cache.c"),
            "nothing says what is loaded"
        );
        known.load("cache_module", "modules/mod_cache.so");
        known.load("mpm_event_module", "modules/mod_mpm_event.so");
        for present in [
            "mod_cache.c",
            "cache_module",
            "event.c",
            "mod_so.c",
            "file_cache_module",
            "!mod_mem_cache.c",
        ] {
            assert!(holds(&known, &format!("ifmodule {present}")), "{present}");
        }
        for absent in ["mod_disk_cache.c", "!cache_module"] {
            assert!(!holds(&known, &format!("ifmodule {absent}")), "{absent}");
        }
    }

    #[test]
    fn define_and_version_and_file_are_conditions() {
        let mut known = Known::new(&[("A".to_owned(), "a".to_owned())], &[]);
        for section in [
            "ifdefine A",
            "ifdefine !B",
            "ifversion >= 2.4",
            "ifversion < 2.5",
            "ifversion !< 2.4.1",
            "ifversion 2.4.65",
            "iffile /",
        ] {
            assert!(holds(&known, section), "{section}");
        }
        for section in [
            "ifdefine B",
            "ifdefine !A",
            "ifversion < 2.4",
            "ifversion 2.2",
            "ifversion ~ ^2",
            "iffile /nonexistent",
        ] {
            assert!(!holds(&known, section), "{section}");
        }
        known.undefine("A");
        assert!(!holds(&known, "ifdefine A"));
        assert_eq!(known.holds("directory", &[], Path::new("/")), None);
    }
}
