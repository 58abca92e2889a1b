//! The house rules that a compiler cannot hold; `docs/contributing.md` gives the reason for each.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const LINES_MAX: usize = 700;
/// Folders that hold no source of ours.
const SKIPPED_FOLDERS: [&str; 5] = ["target", "corpus", "artifacts", "coverage", "results"];
const FORBIDDEN_NAMES: [&str; 14] = [
    "util",
    "utils",
    "helper",
    "helpers",
    "common",
    "misc",
    "types",
    "manager",
    "handler",
    "processor",
    "context",
    "data",
    "info",
    "stuff",
];

/// A text file of the project.
struct Source {
    /// Its path below the root, with `/` between folders.
    path: String,
    text: String,
}

impl Source {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The room whose code this is; `None` outside `src` and for the crate's own roots.
    fn room(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let room = below.split(['/', '.']).next()?;
        (room != "lib" && room != "main").then_some(room)
    }
}

/// Every text file of the project that we wrote: code, scripts, documents.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    collect(Path::new(ROOT), &mut found);
    assert!(
        found.len() > 20,
        "the walk over {ROOT} found next to nothing"
    );
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_symlink() || SKIPPED_FOLDERS.contains(&name.as_ref()) {
            continue;
        }
        if path.is_dir() {
            let is_hidden = name.starts_with('.') && name != ".ci";
            if !is_hidden {
                collect(&path, found);
            }
        } else if is_ours(&name, &path)
            && let Ok(text) = fs::read_to_string(&path)
        {
            let below = path.strip_prefix(ROOT).unwrap_or(&path);
            let path = below.to_string_lossy().into_owned();
            found.push(Source { path, text });
        }
    }
}

/// Whether a file holds text that the rules speak of: by extension, and scripts, which have none.
fn is_ours(name: &str, path: &Path) -> bool {
    let known = ["rs", "toml", "md", "py", "lua", "sh"];
    match path.extension() {
        Some(extension) => known.contains(&extension.to_string_lossy().as_ref()),
        None => !name.starts_with("LICENSE") && !name.starts_with('.'),
    }
}

/// The lines of Rust code with their numbers, without comments and without what stands in literals of text.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    let lines: Vec<String> = code_of(text).lines().map(str::to_owned).collect();
    (1..).zip(lines)
}

/// A file's code as [`code_lines`] gives it, in one string.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = non_code_length(rest, code.chars().last());
        if length == 0 {
            code.push(letter);
            rest = &rest[letter.len_utf8()..];
        } else {
            // What is left out may run over lines, which still count.
            let (out, after) = rest.split_at(length);
            code.extend(out.matches('\n'));
            rest = after;
        }
    }
    code
}

/// The length of the comment or literal of text that `rest` starts with, 0 where it starts with code.
fn non_code_length(rest: &str, before: Option<char>) -> usize {
    let through = |at: Option<usize>, end: &str| at.map_or(rest.len(), |at| at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return through(rest.find("*/"), "*/");
    }
    let is_name = before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    let is_raw = |prefix: &str| {
        let marks = rest
            .strip_prefix(prefix)
            .map(|rest| rest.trim_start_matches('#'));
        !is_name && marks.is_some_and(|rest| rest.starts_with('"'))
    };
    if is_raw("r") || is_raw("br") {
        let open = rest.find('"').unwrap_or(0) + 1;
        let end = format!("\"{}", "#".repeat(rest[..open].matches('#').count()));
        return through(rest[open..].find(&end).map(|at| open + at), &end);
    }
    if rest.starts_with('"') {
        return quoted_length(rest, '"');
    }
    // A letter in quotes, or the name of a lifetime.
    let mut letters = rest.chars();
    match (letters.next(), letters.next(), letters.next()) {
        (Some('\''), Some('\\'), _) | (Some('\''), Some(_), Some('\'')) => {
            quoted_length(rest, '\'')
        }
        _ => 0,
    }
}

/// The length of the literal that `rest` starts with, up to the quote that ends it.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' {
            letters.next();
        } else if letter == quote {
            return at + 1;
        }
    }
    rest.len()
}

#[test]
fn code_is_told_from_comments_and_text() {
    let text = concat!(
        "a(\"b // \\\" c\n d\") // e\n",
        "f('\"', '\\'', 'g') /* h\n */ i::<'j>(r#\"k\" l\n\"#)\n",
        "for_r \"m\"; b'n'; br\"o\\\"; p",
    );
    let code: Vec<(usize, String)> = code_lines(text).collect();
    let expected = [
        (1, "a("),
        (2, ") "),
        (3, "f(, , ) "),
        (4, " i::<'j>("),
        (5, ")"),
        (6, "for_r ; b; ; p"),
    ];
    assert_eq!(
        code,
        expected.map(|(number, line)| (number, line.to_owned()))
    );
}

/// The words of a line: runs of letters, digits and `_`.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
}

/// The rooms in their order, as `src/lib.rs` declares them.
fn rooms(sources: &[Source]) -> Vec<String> {
    let root = sources.iter().find(|source| source.path == "src/lib.rs");
    let declared = root.map(|source| source.text.as_str()).unwrap_or_default();
    declared
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

/// The rooms named after each `crate::` in `code`, those in braces too. `code` is a whole file's code in one string,
/// because an import may run over several lines.
fn imported_rooms(code: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0_usize;
            let mut is_first = true;
            for piece in group.split_inclusive(['{', '}', ',']) {
                if depth == 0 && is_first {
                    found.extend(words(piece).next());
                }
                is_first = piece.ends_with(',') && depth == 0;
                match piece.chars().last() {
                    Some('{') => depth += 1,
                    Some('}') if depth == 0 => break,
                    Some('}') => {
                        depth -= 1;
                    }
                    _ => {}
                }
            }
        } else {
            found.extend(words(rest).next());
        }
    }
    found
}

fn report(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn rooms_import_only_rooms_before_them() {
    let sources = sources();
    let rooms = rooms(&sources);
    assert!(rooms.len() > 10, "src/lib.rs declares the rooms: {rooms:?}");
    let place = |name: &str| rooms.iter().position(|room| room == name);
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        let Some(own) = source.room() else { continue };
        for imported in imported_rooms(&code_of(&source.text)) {
            match (place(imported), place(own)) {
                (Some(imported_at), Some(own_at)) if imported_at > own_at => {
                    wrong.push(format!(
                        "{} imports {imported}, which lies further out",
                        source.path
                    ));
                }
                (_, None) => wrong.push(format!("{} lies in no room", source.path)),
                _ => {}
            }
        }
    }
    report("a room imports only rooms above it in src/lib.rs", &wrong);
}

#[test]
fn imports_are_found_in_all_their_forms() {
    let code = "use crate::http::{head, crate_x};\nuse crate::{units::{A, server}, stats,\n  sys::ring};crate::cli::f()";
    let found: Vec<&str> = imported_rooms(code).into_iter().collect();
    assert_eq!(found, ["cli", "http", "stats", "sys", "units"]);
}

#[test]
fn modules_begin_with_a_header() {
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|source| source.is_rust())
        .filter(|source| !source.text.trim_start().starts_with("//! "))
        .map(|source| source.path.clone())
        .collect();
    report(
        "every module begins with a `//!` header that says what it is for",
        &wrong,
    );
}

#[test]
fn unsafe_stays_in_sys() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.is_rust()) {
        let Some(room) = source.room() else { continue };
        if room == "sys" {
            continue;
        }
        for (number, line) in code_lines(&source.text) {
            if words(&line).any(|word| word == "unsafe") {
                wrong.push(format!("{}:{number}", source.path));
            }
        }
        let is_root = source.path == format!("src/{room}/mod.rs");
        if is_root && !source.text.contains("#![forbid(unsafe_code)]") {
            wrong.push(format!(
                "{} does not open with #![forbid(unsafe_code)]",
                source.path
            ));
        }
    }
    report("`unsafe` stands in src/sys only", &wrong);
}

/// What stands behind a pinned hit, from the head's first byte to the answer's last: rooms, and parts of the server.
const HIT_PATH: [&str; 10] = [
    "src/http/",
    "src/policy/",
    "src/index/",
    "src/cache/",
    "src/server/conn.rs",
    "src/server/respond.rs",
    "src/server/transfer.rs",
    "src/server/pump.rs",
    "src/server/sending.rs",
    "src/server/deadlines.rs",
];

/// Parts of those rooms that only fill and admin threads run: what keeps writers apart, where no reader comes.
const WRITERS: [&str; 1] = ["src/index/cached/writer.rs"];

/// Locks, and writes to memory that several cores write: on a hit they would make one core wait for another.
const SHARED_BETWEEN_CORES: [&str; 16] = [
    "Mutex",
    "RwLock",
    "Condvar",
    "Once",
    "OnceLock",
    "LazyLock",
    "fetch_add",
    "fetch_sub",
    "fetch_and",
    "fetch_or",
    "fetch_xor",
    "fetch_max",
    "fetch_min",
    "fetch_update",
    "compare_exchange",
    "compare_exchange_weak",
];

/// The functions in which a worker reads the clock, once each a turn.
const CLOCK_READERS: [&str; 2] = ["begin_turn", "end_turn"];

/// The code lines before a file's unit tests; none of a file that is only tests.
fn product_lines(source: &Source) -> impl Iterator<Item = (usize, String)> {
    let is_tests = source.path.contains("/tests/") || source.path.ends_with("tests.rs");
    code_lines(&source.text)
        .take_while(move |(_, line)| !is_tests && !line.starts_with("#[cfg(test)]"))
}

#[test]
fn hit_path_reads_no_clock_and_shares_nothing_between_cores() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for source in sources().iter().filter(|source| source.is_rust()) {
        let is_writer = WRITERS.contains(&source.path.as_str());
        if is_writer || !HIT_PATH.iter().any(|path| source.path.starts_with(path)) {
            continue;
        }
        seen += 1;
        for (number, line) in product_lines(source) {
            // The turn's time, which a worker keeps, is no reading.
            let line = line.replace("self.clock.", "");
            let found =
                words(&line).find(|word| *word == "clock" || SHARED_BETWEEN_CORES.contains(word));
            wrong.extend(found.map(|word| format!("{}:{number}: {word}", source.path)));
        }
    }
    assert!(seen > 20, "{HIT_PATH:?} name only {seen} files");
    report(
        "a hit reads no clock, takes no lock and shares no counter",
        &wrong,
    );
}

#[test]
fn worker_reads_the_clock_where_a_turn_begins_and_ends() {
    let sources = sources();
    let worker = sources
        .iter()
        .find(|source| source.path == "src/server/worker.rs");
    let mut wrong = Vec::new();
    let mut function = String::new();
    let mut count = 0;
    for (number, line) in worker.into_iter().flat_map(product_lines) {
        let mut names = words(&line).skip_while(|word| *word != "fn").skip(1);
        if let Some(name) = names.next() {
            name.clone_into(&mut function);
        }
        if line.contains("clock::") && !line.starts_with("use ") {
            count += 1;
            if !CLOCK_READERS.contains(&function.as_str()) {
                wrong.push(format!("src/server/worker.rs:{number}: in {function}"));
            }
        }
    }
    assert!(
        count > 0,
        "the worker reads its clock somewhere else by now"
    );
    report(
        "a worker reads the clock once at each end of a turn",
        &wrong,
    );
}

#[test]
fn nothing_is_left_to_do() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("to", "do!"),
        concat!("unimpl", "emented!"),
    ];
    let mut wrong = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| source.path != "tests/tidy.rs")
    {
        let is_document = source.path.ends_with(".md") || source.path.ends_with("Cargo.toml");
        for (number, line) in (1..).zip(source.text.lines()) {
            if !is_document && marks.iter().any(|mark| line.contains(mark)) {
                wrong.push(format!("{}:{number}", source.path));
            }
        }
    }
    report("open ends belong in the issue tracker", &wrong);
}

#[test]
fn files_are_short_and_named_after_what_they_hold() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        let is_code = !source.path.ends_with(".md") && !source.path.ends_with(".toml");
        if is_code && lines > LINES_MAX {
            wrong.push(format!(
                "{}: {lines} lines, at most {LINES_MAX}",
                source.path
            ));
        }
        for part in source.path.split('/') {
            let stem = part.split('.').next().unwrap_or_default();
            let is_number = stem
                .strip_prefix("rfc")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            if FORBIDDEN_NAMES.contains(&stem) || is_number {
                wrong.push(format!(
                    "{}: {stem} says nothing of what is inside",
                    source.path
                ));
            }
        }
    }
    report("one concept a file, named in the field's words", &wrong);
}

#[test]
fn dependencies_have_their_reason_beside_them() {
    let mut wrong = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| source.path.ends_with("Cargo.toml"))
    {
        let mut in_dependencies = false;
        let mut above = "";
        for line in source.text.lines() {
            if line.starts_with('[') {
                in_dependencies = line.contains("dependencies");
            } else if in_dependencies && line.contains(" = ") && !line.starts_with([' ', '#', '}'])
            {
                let name = line.split([' ', '.']).next().unwrap_or_default();
                // serde_json below serde, hyper-util below hyper: one reason for both.
                let family = above.split([' ', '.', '-', '_']).next().unwrap_or_default();
                let is_sibling = !family.is_empty() && family != "#" && name.starts_with(family);
                if !above.starts_with('#') && !is_sibling {
                    wrong.push(format!("{}: {name}", source.path));
                }
            }
            above = line;
        }
    }
    report(
        "a comment above each dependency says what it is for",
        &wrong,
    );
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| source.path.ends_with(".md"))
    {
        let folder = Path::new(ROOT)
            .join(&source.path)
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_default();
        for (at, _) in source.text.match_indices("](") {
            let target = source.text[at + 2..]
                .split([')', '#', ' '])
                .next()
                .unwrap_or_default();
            let is_elsewhere =
                target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !is_elsewhere && !folder.join(target).exists() {
                wrong.push(format!("{}: {target}", source.path));
            }
        }
    }
    report("links lead to files that exist", &wrong);
}

#[test]
fn architecture_names_the_rooms_in_their_order() {
    let sources = sources();
    let page = sources
        .iter()
        .find(|source| source.path == "docs/architecture.md");
    let page = page.map(|source| source.text.as_str()).unwrap_or_default();
    let rooms = rooms(&sources);
    let listed: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| rooms.iter().any(|room| room == name))
        .collect();
    assert_eq!(
        listed, rooms,
        "the table of rooms in docs/architecture.md follows src/lib.rs"
    );
}
