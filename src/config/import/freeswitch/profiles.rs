//! `<profiles>`: credentials for private buckets, and the hosts that they are for. Secrets are printed only when asked for.

use super::super::page::{Block, Entry, Fate, Note, list, seconds, text};
use super::document::{Document, Element};
use super::sections::{PROFILE, profile};
use super::settings::Shared;

/// The `[[profile]]` tables, and lines on what is none.
pub(super) fn tables(
    document: &Document,
    shared: &Shared,
    with_secrets: bool,
) -> (Vec<Block>, Vec<String>) {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = document.undone.clone();
    let all: Vec<&Element> = document
        .root
        .all("profiles")
        .flat_map(|profiles| profiles.all("profile"))
        .collect();
    for (at, element) in all.iter().enumerate() {
        let name = element.attribute("name");
        let place = document.place(element);
        let said = format!("{place}: profile {name:?}");
        if name.is_empty() {
            lines.push(format!(
                "{said} has no name, so FreeSWITCH does not know it either"
            ));
            continue;
        }
        if all
            .iter()
            .skip(at + 1)
            .any(|later| later.attribute("name") == name)
        {
            lines.push(format!("{said} is said again below, which counts"));
            continue;
        }
        let maker = Maker {
            document,
            element,
            shared,
            with_secrets,
        };
        match maker.block(&all[at + 1..]) {
            Ok(block) => blocks.push(block),
            Err(why) => lines.push(format!("{said}: {why}")),
        }
    }
    (blocks, lines)
}

/// Makes a table of one profile.
struct Maker<'p> {
    document: &'p Document,
    element: &'p Element,
    shared: &'p Shared,
    with_secrets: bool,
}

impl Maker<'_> {
    fn block(&self, later: &[&Element]) -> Result<Block, &'static str> {
        let mut block = Block::new(PROFILE);
        let name = self.element.attribute("name");
        let note = self.note(self.element, format!("profile {name:?}"), Fate::Changed, "what is fetched with it is stored apart: nobody gets it who did not name or match the profile");
        block.notes.push(note);
        block
            .entries
            .push(Entry::needed(profile::NAME, text(name), Vec::new()));
        if let Some(bucket) = self.element.child("aws-s3") {
            block.entries.push(Entry::needed(
                profile::KIND,
                text(profile::KIND_S3),
                Vec::new(),
            ));
            self.domains(&mut block, later);
            self.s3(&mut block, bucket);
        } else if let Some(blob) = self.element.child("azure-blob") {
            block.entries.push(Entry::needed(
                profile::KIND,
                text(profile::KIND_AZURE),
                Vec::new(),
            ));
            self.own_domains(&mut block, later);
            self.azure(&mut block, blob);
        } else if let Some(fields) = self.element.child("default") {
            block.entries.push(Entry::needed(
                profile::KIND,
                text(profile::KIND_HEADERS),
                Vec::new(),
            ));
            self.own_domains(&mut block, later);
            self.headers(&mut block, fields)?;
        } else if self.element.child("credential_file").is_some()
            || self.element.child("gcs").is_some()
        {
            return Err(
                "Google's own signatures are not made here; its S3 interface takes those of an s3 profile",
            );
        } else {
            return Err("it has no credentials of a kind that FreeSWITCH knows");
        }
        self.shared(&mut block);
        Ok(block)
    }

    fn note(&self, element: &Element, what: String, fate: Fate, why: &str) -> Note {
        self.document.note(element, what, fate, why)
    }

    /// The domains of a profile that may be named for them alone.
    fn own_domains(&self, block: &mut Block, later: &[&Element]) {
        if !self.domains(block, later) {
            let what = "no domain".to_owned();
            let why = "who receives what it shows could use that: it may be named for hosts of its domains only, so give it those";
            let note = self.note(self.element, what, Fate::Changed, why);
            block.notes.push(note);
        }
    }

    /// The hosts that the profile is for without being named; of two profiles for one host FreeSWITCH takes the last. Whether there
    /// are any.
    fn domains(&self, block: &mut Block, later: &[&Element]) -> bool {
        let of = |element: &Element| -> Vec<String> {
            let names = element
                .all("domains")
                .flat_map(|domains| domains.all("domain"));
            names
                .map(|domain| domain.attribute("name").to_ascii_lowercase())
                .collect()
        };
        let taken: Vec<String> = later.iter().flat_map(|element| of(element)).collect();
        let mut names: Vec<String> = Vec::new();
        let mut notes = Vec::new();
        for domains in self.element.all("domains") {
            for domain in domains.all("domain") {
                let name = domain.attribute("name").to_ascii_lowercase();
                let what = format!("domain {name:?}");
                let (fate, why) = match () {
                    () if name.is_empty() => (Fate::Dropped, "it has no name"),
                    () if !domain.unknown.is_empty() => (
                        Fate::Dropped,
                        "a variable in it is not defined in this file; pass it with -D",
                    ),
                    () if taken.contains(&name) => (
                        Fate::Dropped,
                        "a profile below has it too, and the last one counts",
                    ),
                    () if names.contains(&name) => (Fate::Dropped, "it is said already"),
                    () => {
                        names.push(name);
                        (Fate::Translated, "")
                    }
                };
                notes.push(self.note(domain, what, fate, why));
            }
        }
        if names.is_empty() {
            block.notes.append(&mut notes);
        } else {
            block
                .entries
                .push(Entry::new(profile::DOMAINS, list(&names), notes));
        }
        !names.is_empty()
    }

    fn s3(&self, block: &mut Block, bucket: &Element) {
        for child in &bucket.children {
            let value = child.text.as_str();
            let what = format!("{}={value:?}", child.name);
            match child.name.as_str() {
                "region" if !value.is_empty() => {
                    let note = self.note(child, what, Fate::Translated, "");
                    block
                        .entries
                        .push(Entry::new(profile::REGION, text(value), vec![note]));
                }
                "base-domain" => self.base_domain(block, child),
                "base-url" => {
                    let why = "requests go to the host of their URL, whatever it is, and are signed for it; endpoint and path_style are \
                         for MinIO and its like";
                    block.notes.push(self.note(child, what, Fate::Dropped, why));
                }
                "expires" => block.notes.push(self.note(
                    child,
                    what,
                    Fate::Dropped,
                    "the signature is in the request's fields and holds for that request",
                )),
                "access-key-id" | "secret-access-key" => {}
                _ => block.notes.push(self.note(
                    child,
                    child.name.clone(),
                    Fate::Dropped,
                    "FreeSWITCH knows no such element either",
                )),
            }
        }
        for (name, key, file, variable) in [
            (
                "access-key-id",
                profile::ACCESS_KEY_ID,
                profile::ACCESS_KEY_ID_FILE,
                "AWS_ACCESS_KEY_ID",
            ),
            (
                "secret-access-key",
                profile::SECRET_ACCESS_KEY,
                profile::SECRET_ACCESS_KEY_FILE,
                "AWS_SECRET_ACCESS_KEY",
            ),
        ] {
            self.secret(block, bucket.child(name), key, (file, Some(variable)));
        }
    }

    /// What stands behind the bucket, or the account, in the names of its hosts.
    fn base_domain(&self, block: &mut Block, child: &Element) {
        let value = child.text.as_str();
        let what = format!("{}={value:?}", child.name);
        let is_host = !value.is_empty()
            && value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if is_host {
            let why = "gets need to know the bucket, since what names none would list it";
            let note = self.note(child, what, Fate::Translated, why);
            let value = text(&value.to_ascii_lowercase());
            block
                .entries
                .push(Entry::new(profile::BASE_DOMAIN, value, vec![note]));
        } else {
            let why = "it is no part of a host's name; base_domain is the key for it";
            block.notes.push(self.note(child, what, Fate::Dropped, why));
        }
    }

    fn azure(&self, block: &mut Block, blob: &Element) {
        for child in &blob.children {
            let what = child.name.clone();
            match child.name.as_str() {
                "secret-access-key" => {}
                "base-domain" => self.base_domain(block, child),
                _ => block.notes.push(self.note(
                    child,
                    what,
                    Fate::Dropped,
                    "FreeSWITCH knows no such element either",
                )),
            }
        }
        let key = blob.child("secret-access-key");
        self.secret(
            block,
            key,
            profile::ACCOUNT_KEY,
            (profile::ACCOUNT_KEY_FILE, Some("AZURE_STORAGE_ACCESS_KEY")),
        );
    }

    /// A key: as a value where secrets are to be printed, else where to put it.
    fn secret(
        &self,
        block: &mut Block,
        element: Option<&Element>,
        key: &'static str,
        elsewhere: (&'static str, Option<&str>),
    ) {
        let Some(element) = element.filter(|element| !element.text.is_empty()) else {
            return;
        };
        let value: String = element
            .text
            .chars()
            .filter(|c| !c.is_whitespace())
            .collect();
        self.put(
            block,
            element,
            Entry::secret(key, text(&value), Vec::new()),
            elsewhere,
        );
    }

    fn put(
        &self,
        block: &mut Block,
        element: &Element,
        mut entry: Entry,
        (file, variable): (&'static str, Option<&str>),
    ) {
        let what = element.name.clone();
        if self.with_secrets {
            entry.notes.push(self.note(
                element,
                what,
                Fate::Translated,
                "FreeSWITCH lets the environment go first; here what the file says does",
            ));
            block.entries.push(entry);
            return;
        }
        let in_variable = variable.map_or_else(String::new, |name| {
            format!(" or, for all profiles that have none, in the environment variable {name}")
        });
        let why = format!(
            "a secret, which is not printed without --with-secrets: put it in a file for {file}, below{in_variable}"
        );
        block
            .notes
            .push(self.note(element, what, Fate::Dropped, &why));
        let path = format!(
            "/etc/hotplate/{}.{}",
            safe(self.element.attribute("name")),
            entry.name
        );
        block.entries.push(Entry::advice(file, text(&path), "write the secret into such a file that only Hotplate's user can read, and delete the \"# \""));
    }

    /// Fixed request fields, which may be credentials.
    fn headers(&self, block: &mut Block, fields: &Element) -> Result<(), &'static str> {
        let mut found = Vec::new();
        collect(fields, &mut found);
        if found.is_empty() {
            return Err("it has no fields");
        }
        let entry = Entry::secret(profile::REQUEST_HEADERS, list(&found), Vec::new());
        self.put(block, fields, entry, (profile::REQUEST_HEADERS_FILE, None));
        Ok(())
    }

    /// What the settings say about all transfers.
    fn shared(&self, block: &mut Block) {
        let shared = self.shared;
        let is_verified = shared.verify_peer.as_ref().is_none_or(|(is_on, _)| *is_on);
        if let (Some((path, note)), true) = (&shared.ca_file, is_verified) {
            block
                .entries
                .push(Entry::new(profile::CA_FILE, text(path), vec![note.clone()]));
        }
        for (key, said) in [
            (profile::VERIFY_PEER, &shared.verify_peer),
            (profile::VERIFY_HOST, &shared.verify_host),
        ] {
            if let Some((is_on, note)) = said {
                block
                    .entries
                    .push(Entry::new(key, is_on.to_string(), vec![note.clone()]));
            }
        }
        for (key, said) in [
            (profile::CONNECT_TIMEOUT, &shared.connect_timeout),
            (profile::TOTAL_TIMEOUT, &shared.total_timeout),
        ] {
            if let Some((time, note)) = said {
                block
                    .entries
                    .push(Entry::new(key, seconds(*time), vec![note.clone()]));
            }
        }
    }
}

/// The fields in an element: `<header name="..." value="..."/>`, with `key` for `name`, or a text `Name: value`.
fn collect(element: &Element, found: &mut Vec<String>) {
    for child in &element.children {
        let name = match child.attribute("name") {
            "" => child.attribute("key"),
            name => name,
        };
        let value = match child.attribute("value") {
            "" => child.text.as_str(),
            value => value,
        };
        match name {
            "" if child.children.is_empty() && child.text.contains(':') => {
                found.push(child.text.clone())
            }
            "" => {}
            name => found.push(format!("{name}: {value}")),
        }
        collect(child, found);
    }
}

/// A name as a part of a file's name.
fn safe(name: &str) -> String {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    name.chars()
        .map(|c| if known(c) { c } else { '_' })
        .collect()
}
