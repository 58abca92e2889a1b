//! `<settings>`: the cache's folder, its lifetimes, time-outs and certificates.

use std::path::Path;

use super::super::apache::stores::beside;
use super::super::fault::ImportError;
use super::super::page::{Block, Entry, Fate, Note, list, seconds, text};
use super::document::{Document, Element};
use super::sections::{
    EVERY_HOST, LIBRARY, UPLOAD, UPLOAD_CACHE, UPLOAD_FILES, UPLOAD_HOSTS, library,
};

/// Longest time-out in seconds.
const TIMEOUT_MAX: u64 = 3600;

/// What profiles need to know of the settings: the keys that both have.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Certificates, and whether they are verified.
    pub(super) ca_file: Option<(String, Note)>,
    /// Whether hosts must prove who they are.
    pub(super) verify_peer: Option<(bool, Note)>,
    /// Whether certificates must be for the host's name.
    pub(super) verify_host: Option<(bool, Note)>,
    /// Longest time to connect, in seconds.
    pub(super) connect_timeout: Option<(u64, Note)>,
    /// Longest time of a request, in seconds.
    pub(super) total_timeout: Option<(u64, Note)>,
}

/// Collects the tables.
struct Tables<'d> {
    document: &'d Document,
    shared: Shared,
    disk: Block,
    library: Block,
    upload: Block,
    has_default: bool,
}

/// `[disk]`, `[library]` and `[upload]`.
pub(super) fn tables(document: &Document) -> Result<(Shared, Vec<Block>), ImportError> {
    let mut tables = Tables {
        document,
        shared: Shared::default(),
        disk: Block::new("[disk]"),
        library: Block::new(LIBRARY),
        upload: Block::new(UPLOAD),
        has_default: false,
    };
    let inside = document
        .root
        .all("settings")
        .flat_map(|settings| settings.all("param"));
    let outside = document.root.all("param");
    for (parameter, is_inside) in inside
        .map(|found| (found, true))
        .chain(outside.map(|found| (found, false)))
    {
        tables.parameter(parameter, is_inside)?;
    }
    tables.unsaid();
    tables.in_common();
    let Tables {
        shared,
        disk,
        library,
        upload,
        ..
    } = tables;
    let mut blocks = vec![disk, library, upload];
    blocks.retain(|block| !block.is_empty());
    Ok((shared, blocks))
}

impl Tables<'_> {
    fn note(&self, parameter: &Element, is_inside: bool, fate: Fate, why: &str) -> Note {
        let what = format!(
            "{}={:?}",
            parameter.attribute("name"),
            parameter.attribute("value")
        );
        let (fate, why) = match is_inside {
            true => (fate, why.to_owned()),
            // FreeSWITCH passes over it, which whoever wrote it did not mean.
            false => (
                fate.max(Fate::Changed),
                format!("not in <settings>, where FreeSWITCH reads it; taken as meant. {why}"),
            ),
        };
        self.document.note(parameter, what, fate, why)
    }

    fn parameter(&mut self, parameter: &Element, is_inside: bool) -> Result<(), ImportError> {
        let name = parameter.attribute("name").to_ascii_lowercase();
        let value = parameter.attribute("value").trim().to_owned();
        if !parameter.unknown.is_empty() {
            let advice = parameter
                .unknown
                .iter()
                .map(|name| format!("-D {name}=VALUE"))
                .collect::<Vec<_>>()
                .join(" ");
            let why = format!("a variable in it is not defined in this file; pass {advice}");
            let note = self.note(parameter, is_inside, Fate::Dropped, &why);
            match name.as_str() {
                "location" => self.disk.notes.push(note),
                _ => self.library.notes.push(note),
            }
            return Ok(());
        }
        match name.as_str() {
            "location" => self.location(parameter, &value, is_inside)?,
            "max-urls" => {
                self.positive(parameter, &value)?;
                let note = self.note(
                    parameter,
                    is_inside,
                    Fate::Dropped,
                    "the store is bounded by bytes, disk.size, not by a count",
                );
                self.disk.notes.push(note);
            }
            "default-max-age" => {
                let time = self.positive(parameter, &value)?;
                self.default_max_age(time, self.note(parameter, is_inside, Fate::Changed, "for what states no lifetime. What does is heeded in all of it (s-maxage, Expires, no-store, no-cache), not in max-age alone"));
            }
            "prefetch-thread-count" => {
                self.count(parameter, &value, is_inside, library::PREFETCH_CONCURRENCY)?
            }
            "prefetch-queue-size" => {
                self.count(parameter, &value, is_inside, library::PREFETCH_QUEUE)?
            }
            "ssl-cacert" => {
                let note = self.note(parameter, is_inside, Fate::Changed, "the system's certificates are trusted beside it; system_roots = false leaves them out");
                self.shared.ca_file = Some((value, note));
            }
            "ssl-verifypeer" => {
                let note = self.note(parameter, is_inside, Fate::Translated, "");
                self.shared.verify_peer = Some((!is_false(&value), note));
            }
            "ssl-verifyhost" => {
                let note = self.note(parameter, is_inside, Fate::Translated, "");
                self.shared.verify_host = Some((!is_false(&value), note));
            }
            "connect-timeout" | "download-timeout" => {
                self.timeout(parameter, &name, &value, is_inside)
            }
            "enable-file-formats" => {
                let note = self.note(
                    parameter,
                    is_inside,
                    Fate::Dropped,
                    "Hotplate is a process of its own and registers no formats in FreeSWITCH",
                );
                self.library.notes.push(note);
            }
            _ => {
                let note = self.note(
                    parameter,
                    is_inside,
                    Fate::Dropped,
                    "FreeSWITCH knows no such parameter either",
                );
                self.library.notes.push(note);
            }
        }
        Ok(())
    }

    /// A number that FreeSWITCH does not load the module without; it reads digits and passes over the rest.
    fn positive(&self, parameter: &Element, value: &str) -> Result<u64, ImportError> {
        let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
        match digits.parse() {
            Ok(count @ 1..) => Ok(count),
            _ => Err(self.document.wrong(
                parameter,
                "a number above 0, or FreeSWITCH does not load the module",
            )),
        }
    }

    fn location(
        &mut self,
        parameter: &Element,
        value: &str,
        is_inside: bool,
    ) -> Result<(), ImportError> {
        if value.is_empty() {
            return Err(self.document.wrong(
                parameter,
                "a folder, or FreeSWITCH does not load the module",
            ));
        }
        let why = "a folder of its own beside it, because FreeSWITCH deletes what is there whenever it loads mod_http_cache. Here what \
             is stored outlasts restarts; the folder is made at start where the one around it is there";
        let note = self.note(parameter, is_inside, Fate::Changed, why);
        let path = beside(Path::new(value));
        self.disk.entries.retain(|entry| entry.name != "path");
        self.disk.entries.insert(
            0,
            Entry::needed("path", text(&path.to_string_lossy()), vec![note]),
        );
        Ok(())
    }

    fn default_max_age(&mut self, time: u64, note: Note) {
        let value = seconds(time.min(365 * 24 * 3600));
        self.has_default = true;
        self.library
            .entries
            .retain(|entry| entry.name != library::DEFAULT_TTL);
        self.library
            .entries
            .push(Entry::new(library::DEFAULT_TTL, value, vec![note]));
    }

    fn count(
        &mut self,
        parameter: &Element,
        value: &str,
        is_inside: bool,
        key: &'static str,
    ) -> Result<(), ImportError> {
        let count = self.positive(parameter, value)?;
        let note = self.note(parameter, is_inside, Fate::Translated, "");
        self.library
            .entries
            .push(Entry::new(key, count.to_string(), vec![note]));
        Ok(())
    }

    fn timeout(&mut self, parameter: &Element, name: &str, value: &str, is_inside: bool) {
        let Ok(time @ 1..) = self.positive(parameter, value) else {
            let note = self.note(
                parameter,
                is_inside,
                Fate::Dropped,
                "FreeSWITCH passes over what is not above 0",
            );
            self.library.notes.push(note);
            return;
        };
        let kept = time.min(TIMEOUT_MAX);
        let (fate, why) = match (kept == time, name) {
            (false, _) => (Fate::Changed, "an hour is the longest there is"),
            (true, "download-timeout") => (
                Fate::Changed,
                "for uploads too, which FreeSWITCH gives no limit",
            ),
            (true, _) => (Fate::Translated, ""),
        };
        let note = self.note(parameter, is_inside, fate, why);
        match name {
            "connect-timeout" => self.shared.connect_timeout = Some((kept, note)),
            _ => self.shared.total_timeout = Some((kept, note)),
        }
    }

    /// What FreeSWITCH does without being told.
    fn unsaid(&mut self) {
        let unsaid = |what: &str, why: &str| Note {
            fate: Fate::Changed,
            place: String::new(),
            what: what.to_owned(),
            why: why.to_owned(),
        };
        if !self.disk.entries.is_empty() {
            let note = unsaid("no limit in bytes", "Hotplate's default; write yours");
            let size = Entry::new("size", text("20GiB"), vec![note]);
            self.disk.entries.insert(1, size);
        }
        let note = unsaid(
            "any URL is fetched",
            "every host with a public address, by http and https only; list those that yours are fetched from. \
             allow_private = true is for those with private addresses",
        );
        let hosts = Entry::new(library::HOSTS, list(&[EVERY_HOST]), vec![note]);
        self.library.entries.insert(0, hosts);
        let note = unsaid(
            "FreeSWITCH reads its own cache",
            "here the files are this server's: those who read them are members of a group, to which this server's user belongs \
             too, unless it is root",
        );
        let group = advised(
            Entry::advice(
                library::GROUP,
                text("freeswitch"),
                "it depends on FreeSWITCH's user on this machine; without it FreeSWITCH can't open a path that it is given",
            ),
            note,
        );
        self.library.entries.insert(1, group);
        let note = unsaid(
            "http_put sends to any URL",
            "every host with a public address, by http and https only; list those that yours are sent to, or leave this out \
             where nothing is",
        );
        let hosts = Entry::new(UPLOAD_HOSTS, list(&[EVERY_HOST]), vec![note]);
        self.upload.entries.push(hosts);
        let note = unsaid(
            "http_put sends any file that FreeSWITCH may read",
            "here those alone that everybody, or library.group, may read, or those that this names",
        );
        let files = advised(
            Entry::advice(
                UPLOAD_FILES,
                list(&["/var/lib/freeswitch/recordings/**/*.wav"]),
                "it depends on where FreeSWITCH's recordings are on this machine",
            ),
            note,
        );
        self.upload.entries.push(files);
        let note = unsaid(
            "what was recorded to http_cache://URL becomes the cached copy of its URL",
            "here what is uploaded becomes it where the call says so (cache of put and record), or always with this; else the next \
             get asks the origin",
        );
        let cache = advised(
            Entry::advice(
                UPLOAD_CACHE,
                "true".to_owned(),
                "right only where the origin keeps what it is sent as it is",
            ),
            note,
        );
        self.upload.entries.push(cache);
        if !self.has_default {
            let note = unsaid("default-max-age=\"86400\"", "FreeSWITCH's default");
            self.default_max_age(86_400, note);
        }
        let note = unsaid(
            "what has no validator is stored too",
            "so that default_ttl holds for it; what has one is validated when it is stale, not fetched whole",
        );
        let value = "true".to_owned();
        let lets_in = Entry::new(library::IGNORE_NO_LAST_MODIFIED, value, vec![note]);
        self.library.entries.push(lets_in);
    }

    /// What the library has in common with profiles.
    fn in_common(&mut self) {
        let shared = &self.shared;
        let times = [
            (library::CONNECT_TIMEOUT, &shared.connect_timeout),
            (library::GET_TIMEOUT, &shared.total_timeout),
        ];
        for (key, said) in times {
            if let Some((time, note)) = said {
                let entry = Entry::new(key, seconds(*time), vec![note.clone()]);
                self.library.entries.push(entry);
            }
        }
        let verify = shared.verify_peer.as_ref();
        if let Some((is_on, note)) = verify {
            let entry = Entry::new(library::VERIFY_PEER, is_on.to_string(), vec![note.clone()]);
            self.library.entries.push(entry);
        }
        let dropped = |note: &Note, why: &str| Note {
            fate: Fate::Dropped,
            why: why.to_owned(),
            ..note.clone()
        };
        if let Some((path, note)) = &shared.ca_file {
            if verify.is_none_or(|(is_on, _)| *is_on) {
                let entry = Entry::new(library::CA_FILE, text(path), vec![note.clone()]);
                self.library.entries.push(entry);
            } else {
                let note = dropped(note, "nothing is verified by it");
                self.library.notes.push(note);
            }
        }
        if let Some((is_on, note)) = &shared.verify_host {
            let note = match is_on {
                true => note.clone(),
                false => dropped(
                    note,
                    "profiles can do without it (verify_host); other hosts are verified with their names, or not at all (verify_peer)",
                ),
            };
            self.library.notes.push(note);
        }
    }
}

/// Advice with what it is about.
fn advised(entry: Entry, note: Note) -> Entry {
    Entry {
        notes: vec![note],
        ..entry
    }
}

/// The values that FreeSWITCH takes for false.
fn is_false(value: &str) -> bool {
    let known = [
        "no", "false", "disabled", "inactive", "disallow", "off", "0",
    ];
    known.iter().any(|word| value.eq_ignore_ascii_case(word))
}
