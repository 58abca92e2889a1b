//! What is looked up in the disk store: objects as they come into memory, and what of them an operator or the library wants to know.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use super::{DiskTier, TierCount};
use crate::index::cached::VARIANTS_MAX;
use crate::index::record;
use crate::index::response::{Making, Response};
use crate::policy::key;
use crate::policy::settings::CacheRule;
use crate::store::body as memory;
use crate::store::body_file::BodyFile as BodyPlace;
use crate::store::disk::{BlockMap, Body, BodyFile, DiskError, Label, ObjectId, Record};
use crate::store::ranges::RangeSet;
use crate::store::{Held, Object};
use crate::units::UnixSeconds;

/// A stored response as the store has it.
#[derive(Debug)]
pub(in crate::fill) struct Loaded {
    pub(in crate::fill) id: ObjectId,
    pub(in crate::fill) label: Label,
    pub(in crate::fill) size: u64,
    /// Whether all of the body is there.
    pub(in crate::fill) is_complete: bool,
    pub(in crate::fill) body: LoadedBody,
}

/// Its body.
#[derive(Debug)]
pub(in crate::fill) enum LoadedBody {
    /// Read, whole and verified.
    Heap(Box<[u8]>),
    /// In its data file.
    File(Arc<BodyFile>, StoredBlocks),
}

/// Which blocks of a data file are there.
#[derive(Clone, Debug)]
pub(in crate::fill) struct StoredBlocks {
    pub(in crate::fill) map: BlockMap,
    /// In bytes.
    pub(in crate::fill) block: u64,
    /// The whole body's size in bytes.
    pub(in crate::fill) size: u64,
}

impl StoredBlocks {
    /// The bytes of block `number`: first, and the byte behind the last.
    pub(in crate::fill) fn stretch(&self, number: u64) -> (u64, u64) {
        let first = number.saturating_mul(self.block);
        (first, first.saturating_add(self.block).min(self.size))
    }

    /// The parts of the bytes from `first` to before `end` that lie in blocks that are not there.
    pub(in crate::fill) fn outside(&self, first: u64, end: u64) -> Vec<(u64, u64)> {
        let mut parts: Vec<(u64, u64)> = Vec::new();
        for number in first / self.block..end.div_ceil(self.block) {
            let (from, to) = self.stretch(number);
            let (from, to) = (from.max(first), to.min(end));
            if self.map.is_present(number) || from >= to {
                continue;
            }
            match parts.last_mut() {
                Some(last) if last.1 == from => last.1 = to,
                _ => parts.push((from, to)),
            }
        }
        parts
    }
}

impl DiskTier {
    /// What is stored under `key`. Small bodies are read where they may be in memory; of the others the block with the byte
    /// `wanted` is verified.
    pub(in crate::fill) async fn load(
        self: &Arc<Self>,
        key: &[u8],
        may_be_in_memory: bool,
        wanted: u64,
    ) -> Vec<Loaded> {
        if !self.works() {
            return Vec::new();
        }
        if !self.disk.may_have(key) {
            self.counts.bump(TierCount::LoadAbsent);
            return Vec::new();
        }
        // Never closed.
        let Ok(_turn) = self.loads.acquire().await else {
            return Vec::new();
        };
        let (tier, key) = (Arc::clone(self), Box::<[u8]>::from(key));
        let load = move || tier.load_now(&key, may_be_in_memory, wanted);
        let loaded = tokio::task::spawn_blocking(load).await;
        let loaded = loaded.unwrap_or(Err(DiskError::StoodDown));
        self.counts.bump(match &loaded {
            Ok(found) if found.is_empty() => TierCount::LoadAbsent,
            Ok(_) => TierCount::LoadFound,
            Err(_) => TierCount::LoadFailed,
        });
        loaded.unwrap_or_default()
    }

    fn load_now(
        &self,
        key: &[u8],
        may_be_in_memory: bool,
        wanted: u64,
    ) -> Result<Vec<Loaded>, DiskError> {
        let mut loaded = Vec::new();
        for record in self.newest_variants(key)? {
            let (id, label, is_complete) = (record.id, record.label.clone(), record.is_complete);
            let Some(size) = record.size else { continue };
            if let Some(body) = self.body_of(record, size, may_be_in_memory, wanted)? {
                self.disk.touch(id);
                loaded.push(Loaded {
                    id,
                    label,
                    size,
                    is_complete,
                    body,
                });
            }
        }
        Ok(loaded)
    }

    /// What is stored under `key`: as many variants as memory has of a URL at most. Those received longest ago go.
    fn newest_variants(&self, key: &[u8]) -> Result<Vec<Record>, DiskError> {
        let mut records = self.disk.find(key)?;
        if records.len() <= VARIANTS_MAX {
            return Ok(records);
        }
        let received = |record: &Record| {
            let remembered = record::decode(&record.label.meta);
            let second = remembered.map_or(UnixSeconds(0), |known| known.stored.response_time);
            // Within a second the later has the larger number.
            (second, record.id)
        };
        records.sort_by_cached_key(|record| Reverse(received(record)));
        for old in records.split_off(VARIANTS_MAX) {
            self.disk.remove(old.id)?;
        }
        Ok(records)
    }

    /// The body of a record; none where its bytes turned out not to be those that were stored.
    fn body_of(
        &self,
        record: Record,
        size: u64,
        may_be_in_memory: bool,
        wanted: u64,
    ) -> Result<Option<LoadedBody>, DiskError> {
        let file = match record.body {
            Body::Inline(bytes) => return Ok(Some(LoadedBody::Heap((&*bytes).into()))),
            Body::File(file) => file,
        };
        let block = u64::from(record.block_size);
        let to_memory = may_be_in_memory && record.is_complete && size <= self.memory_max;
        for number in record.blocks.iter() {
            let is_needed = to_memory || number == wanted / block.max(1);
            if is_needed && !self.disk.verify_block(record.id, number)? {
                return Ok(None);
            }
        }
        if to_memory && let Some(bytes) = read(&file, size) {
            return Ok(Some(LoadedBody::Heap(bytes)));
        }
        let blocks = StoredBlocks {
            map: record.blocks,
            block,
            size,
        };
        Ok(Some(LoadedBody::File(file, blocks)))
    }

    /// What is stored under `key`, as it would come into memory by `rule`, for an operator to look at. May block.
    #[must_use]
    pub fn peek(&self, key: &[u8], rule: &Arc<CacheRule>) -> Vec<Arc<Response>> {
        let records = self.disk.find(key).unwrap_or_default();
        let response = |record: Record| {
            let remembered = record::decode(&record.label.meta)?;
            let size = record.size?;
            let object = match record.body {
                Body::Inline(bytes) => Object::of_response(Held::Heap((&*bytes).into()), size),
                Body::File(file) => {
                    let mut there = RangeSet::default();
                    let block = u64::from(record.block_size);
                    for number in record.blocks.iter() {
                        let first = number * block;
                        there.add(first, first.saturating_add(block).min(size));
                    }
                    let (body, _) = memory::Body::sparse(
                        BodyPlace::Disk(file),
                        size,
                        there,
                        RangeSet::default(),
                    );
                    Object::of_response(Held::Growing(body), 0)
                }
            };
            object.set_on_disk(Some(record.id));
            Some(Arc::new(Response::new(Making {
                key: record.label.key,
                variant: record.label.variant,
                stored: remembered.stored,
                fields: remembered.fields,
                upstream_status: remembered.upstream_status,
                object: Arc::new(object),
                told_size: None,
                rule: Arc::clone(rule),
                tags: record.label.tags.into(),
            })))
        };
        records.into_iter().filter_map(response).collect()
    }

    /// What is stored under `keys`, without the bodies.
    pub(in crate::fill) async fn labels(self: &Arc<Self>, keys: Vec<Box<[u8]>>) -> Vec<Label> {
        let tier = Arc::clone(self);
        let find = move || {
            let may_have = keys.iter().filter(|key| tier.disk.may_have(key));
            let found = may_have.filter_map(|key| tier.disk.find(key).ok());
            found.flatten().map(|record| record.label).collect()
        };
        tokio::task::spawn_blocking(find).await.unwrap_or_default()
    }

    /// The scopes of the keys that are stored. May block.
    ///
    /// # Errors
    /// `StoodDown`.
    pub fn scopes(&self) -> Result<BTreeSet<Box<[u8]>>, DiskError> {
        let mut found = BTreeSet::new();
        // Keys lie in their order, those of one scope side by side: one is looked at of each.
        let mut behind: Option<Vec<u8>> = None;
        loop {
            let after = behind.as_deref().map(|key| (key, &b""[..]));
            let page = self.disk.list(key::SCOPED, after, 1, &mut |_| true)?;
            let listed = page.objects.first().map(|listed| &listed.label.key);
            let Some(key) = listed.or(page.after.as_ref().map(|(key, _)| key)) else {
                return Ok(found);
            };
            let mut next = Vec::new();
            match key::split_scope(key) {
                (Some(scope), _) => {
                    key::append_scope(&mut next, scope);
                    found.insert(scope.into());
                }
                (None, _) => next.extend_from_slice(key),
            }
            // No URL begins so.
            next.push(u8::MAX);
            behind = Some(next);
        }
    }
}

/// All of a data file whose blocks were verified; none where it can't be read.
fn read(file: &BodyFile, size: u64) -> Option<Box<[u8]>> {
    let mut bytes = vec![0; usize::try_from(size).ok()?];
    let mut at = 0;
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(file.as_fd(), rest, at as u64) {
            Ok(0) => return None,
            Ok(count) => at += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    Some(bytes.into())
}
