//! What the operator should know of a file although it is served.

use std::path::{Path, PathBuf};

use super::slot::Place;
use crate::fill::siblings::{ENDINGS, Family};
use crate::http::accept_encoding::Coding;
use crate::store::Object;
use crate::store::pinned::OnChange;
use crate::sys::file::FileIdentity;

/// The contents that a kept pin is to keep, by the place of their endings, and which of them it could not keep.
#[derive(Debug, Default)]
pub(super) struct Kept {
    first: [Option<FileIdentity>; ENDINGS.len()],
    is_lost: [bool; ENDINGS.len()],
}

impl Kept {
    /// Takes note of what is about to be served under a rule that keeps, and tells of the first time that a content is
    /// not the kept one.
    pub(super) fn note(&mut self, family: &Family, place: &Place<'_>) {
        if place.rule.on_change != OnChange::Keep {
            return;
        }
        for (at, object) in members(family) {
            let now = object.identity();
            let first = self.first[at].get_or_insert(*now);
            if !is_same_content(first, now) && !std::mem::replace(&mut self.is_lost[at], true) {
                let path = with_ending(place.path, ENDINGS[at].0);
                tracing::warn!(path = %path.display(), "a kept file was edited in place");
            }
        }
    }
}

/// Remarks on a family that is about to be served.
pub(super) fn remarks_on(family: &Family, kept: &Kept, place: &Place<'_>) -> Vec<String> {
    let name = |ending: &str| {
        let path = with_ending(place.path, ending);
        let name = path.file_name().unwrap_or(path.as_os_str());
        name.display().to_string()
    };
    let mut remarks = Vec::new();
    for (at, _) in members(family) {
        let ending = ENDINGS[at].0;
        if let Some(target) = target_outside(&with_ending(place.path, ending), place.base) {
            remarks.push(format!(
                "{} is a link to {}, outside the folder that is pinned: see that it is meant to be served",
                name(ending),
                target.display()
            ));
        }
        if kept.is_lost[at] {
            remarks.push(format!(
                "on_change = \"keep\", but {} was edited in place: its new content is served, under new validators (a \
                 reload takes kept files anew)",
                name(ending)
            ));
        }
    }
    for ending in &family.older {
        remarks.push(format!(
            "{} is older than {}: left out",
            name(ending),
            name("")
        ));
    }
    remarks
}

/// The path of a file or of its sibling.
pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// The objects of a family, with the places of their endings.
fn members(family: &Family) -> impl Iterator<Item = (usize, &Object)> {
    let place_of = |coding: Coding| ENDINGS.iter().position(|(_, other)| *other == coding);
    let siblings = family.siblings.iter();
    let siblings =
        siblings.filter_map(move |(coding, one)| Some((place_of(*coding)?, &*one.object)));
    std::iter::once((0, &*family.identity.object)).chain(siblings)
}

/// Whether only what is not content, such as a name or a permission, can have changed.
fn is_same_content(one: &FileIdentity, other: &FileIdentity) -> bool {
    let content = |file: &FileIdentity| (file.device, file.inode, file.size, file.modified);
    content(one) == content(other)
}

/// Where the link `path` leads to, if that is not below `base`. Only the last name can be a link that matters: links to
/// folders are not followed.
fn target_outside(path: &Path, base: Option<&Path>) -> Option<PathBuf> {
    let base = base.filter(|_| path.is_symlink())?;
    let target = path.canonicalize().ok()?;
    (!target.starts_with(base.canonicalize().ok()?)).then_some(target)
}
