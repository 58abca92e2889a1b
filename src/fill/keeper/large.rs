//! Responses whose bodies are too large for memory, or come in parts: they get a body that an attendant brings.

use std::rc::Rc;
use std::sync::Arc;

use super::attend::{Attendant, Attended, FirstRun};
use super::pen::{Ink, Pen};
use super::shelf::leave_memory;
use super::source::Source;
use super::{Keeper, KeeperCount};
use crate::cache::order::Fetch;
use crate::fill::disk::{DiskTier, Loaded, LoadedBody, extension_of, unless_purged};
use crate::fill::origin::Origin;
use crate::index::cached::{Epoch, Outcome as Inserted};
use crate::index::record;
use crate::index::response::{Making, Response};
use crate::policy::settings::{CacheRule, Tier};
use crate::store::body::Body;
use crate::store::body_fault::BodyFault;
use crate::store::body_file::BodyFile;
use crate::store::budget::Charge;
use crate::store::disk::{DiskError, Label, ObjectId};
use crate::store::ranges::RangeSet;
use crate::store::sparse::SparseWriter;
use crate::store::{Held, Object};

/// A large body at its beginning.
pub(super) struct Begun {
    pub(super) object: Arc<Object>,
    pub(super) body: SparseWriter,
    ink: Ink,
    on_disk: Option<(Arc<DiskTier>, ObjectId)>,
}

impl Begun {
    /// Whether it does not go to the disk store.
    pub(super) fn is_in_memory(&self) -> bool {
        matches!(self.ink, Ink::Memory)
    }
}

impl Keeper {
    /// The disk tier, where the rule lets responses live there and it works.
    pub(super) fn disk_for(&self, rule: &CacheRule) -> Option<&Arc<DiskTier>> {
        let disk = self.disk.as_ref()?;
        (rule.tiers.contains(&Tier::Disk) && disk.works()).then_some(disk)
    }

    /// What it means for a body that the disk store did not take its bytes.
    pub(super) fn fault_of(&self, error: &DiskError) -> BodyFault {
        let disk = self.disk.as_ref();
        disk.map_or(BodyFault::StoreFailed, |disk| disk.fault_of(error))
    }

    /// The largest body that can be stored by a rule.
    pub(super) fn size_max(&self, rule: &CacheRule) -> u64 {
        let disk = self.disk_for(rule).map_or(0, |_| self.disk_max);
        let memory = if rule.tiers.contains(&Tier::Memory) {
            self.object_max
        } else {
            0
        };
        disk.max(memory)
    }

    /// Begins a body of `size` bytes in a file: in the disk store where the rule and the store allow, else in memory. `parts`
    /// tells whether what comes of it is worth keeping before it is whole. None where there is no room.
    pub(super) async fn begin_large(
        &self,
        making: &Making,
        size: u64,
        parts: bool,
        began: Epoch,
    ) -> Option<Begun> {
        let charge = self.shelf.room()?;
        if size <= self.disk_max
            && let Some(disk) = self.disk_for(&making.rule)
        {
            let label = label_of(making);
            let may_publish = unless_purged(&self.responses, &label, began);
            let extension = extension_of(&making.key, &making.fields);
            match disk
                .begin(label, Some(size), extension, may_publish, parts)
                .await
            {
                Ok((writer, file)) => {
                    let on_disk = parts.then(|| (Arc::clone(disk), writer.id()));
                    let (body, sparse) = Body::sparse(
                        BodyFile::Disk(file),
                        size,
                        RangeSet::default(),
                        RangeSet::default(),
                    );
                    let object = object_of(body, charge);
                    object.set_on_disk(on_disk.as_ref().map(|(_, id)| *id));
                    return Some(Begun {
                        object,
                        body: sparse,
                        ink: Ink::Writer(Box::new(writer)),
                        on_disk,
                    });
                }
                Err(error) => tracing::debug!("a body does not go to disk: {error}"),
            }
        }
        if size > self.object_max {
            return None;
        }
        let file = BodyFile::memory().ok()?;
        let (body, sparse) = Body::sparse(file, size, RangeSet::default(), RangeSet::default());
        Some(Begun {
            object: object_of(body, charge),
            body: sparse,
            ink: Ink::Memory,
            on_disk: None,
        })
    }

    /// Has a body brought, beginning with the answer that it came with.
    pub(super) fn attend(
        self: &Rc<Self>,
        begun: Begun,
        response: &Arc<Response>,
        source: Option<Source>,
        first: FirstRun,
    ) {
        let Begun {
            object,
            body,
            ink,
            on_disk,
        } = begun;
        self.shelf.put(&response.key, &object);
        let attended = Attended {
            key: response.key.clone(),
            size: response.size().unwrap_or(0),
            pen: Pen::new(self, body, ink, None),
            object,
            source,
            on_disk,
        };
        Attendant::begin(self, attended, Some(first));
    }

    /// Brings what the disk store has of the request's URL into memory, but for variants that are there already. Gives those that
    /// have no place in memory, for this request alone.
    pub(super) async fn bring_up(
        self: &Rc<Self>,
        fetch: &Fetch,
        origin: &Rc<Origin>,
    ) -> Vec<Arc<Response>> {
        let Some(disk) = self.disk_for(&fetch.rule) else {
            return Vec::new();
        };
        if self.has_selectable(fetch) {
            return Vec::new();
        }
        // Before the look: what is purged meanwhile must not come back by it.
        let began = self.responses.epoch();
        let to_memory = fetch.rule.tiers.contains(&Tier::Memory);
        let wanted = super::source::asked_range(fetch).map_or(0, |range| range.first());
        let disk = Arc::clone(disk);
        let loaded = disk.load(&fetch.key, to_memory, wanted).await;
        let mut alone = Vec::new();
        for one in loaded {
            let in_memory = self.variants(fetch);
            if in_memory
                .iter()
                .any(|known| known.variant == one.label.variant)
            {
                continue;
            }
            let Some((response, attended)) = self.revive(fetch, origin, &disk, one) else {
                continue;
            };
            let is_small = response.object.growing().is_none();
            let has_place = to_memory || !is_small;
            let inserted =
                has_place.then(|| self.responses.insert_since(Arc::clone(&response), began));
            let outcome = inserted.map(|inserted| inserted.outcome);
            if outcome == Some(Inserted::Purged) {
                continue;
            }
            if let Some(attended) = attended {
                self.shelf.put(&response.key, &attended.object);
                Attendant::begin(self, attended, None);
            }
            if outcome != Some(Inserted::Stored) {
                alone.push(response);
            }
        }
        alone
    }

    /// A response as it was stored, and who brings the bytes of its body that are not at hand.
    fn revive(
        self: &Rc<Self>,
        fetch: &Fetch,
        origin: &Rc<Origin>,
        disk: &Arc<DiskTier>,
        loaded: Loaded,
    ) -> Option<(Arc<Response>, Option<Attended>)> {
        let Loaded {
            id,
            label,
            size,
            is_complete,
            body,
        } = loaded;
        // Written by another version: as good as not stored.
        let remembered = record::decode(&label.meta)?;
        let source = Source::of(fetch, origin, &remembered.stored, false);
        if !is_complete && source.is_none() {
            // Nobody could bring the rest.
            return None;
        }
        let (object, brought) = match body {
            LoadedBody::Heap(bytes) => {
                let size = bytes.len() as u64;
                let object = Object::of_response(Held::Heap(bytes), size);
                (Arc::new(object), None)
            }
            LoadedBody::File(file, blocks) => {
                let mut present = RangeSet::default();
                let mut unverified = RangeSet::default();
                for number in blocks.map.iter() {
                    let (first, end) = blocks.stretch(number);
                    match file.is_verified(number) {
                        true => present.add(first, end),
                        false => unverified.add(first, end),
                    };
                }
                let charge = self.shelf.room()?;
                let (body, sparse) = Body::sparse(BodyFile::Disk(file), size, present, unverified);
                (object_of(body, charge), Some((sparse, blocks)))
            }
        };
        object.set_on_disk(Some(id));
        let response = Arc::new(Response::new(Making {
            key: label.key,
            variant: label.variant,
            stored: remembered.stored,
            fields: remembered.fields,
            upstream_status: remembered.upstream_status,
            object: Arc::clone(&object),
            told_size: None,
            rule: Arc::clone(&fetch.rule),
            tags: label.tags.into(),
        }));
        let attended = brought.map(|(body, blocks)| Attended {
            key: response.key.clone(),
            size,
            pen: Pen::new(self, body, Ink::Stored(Arc::clone(disk), id), Some(blocks)),
            object,
            source,
            on_disk: Some((Arc::clone(disk), id)),
        });
        Some((response, attended))
    }

    /// The file of a stored body can't be read: nobody finds it any more, and who asks has it fetched anew.
    pub(in crate::fill) async fn lose(&self, object: &Arc<Object>) {
        let Some(key) = self.shelf.key_of(object) else {
            return;
        };
        self.counts.bump(KeeperCount::BodiesLost);
        leave_memory(&self.responses, &key, object);
        if let (Some(disk), Some(id)) = (&self.disk, object.on_disk()) {
            let disk = Arc::clone(disk);
            let removed = tokio::task::spawn_blocking(move || disk.disk().remove(id)).await;
            if let Ok(Err(error)) = removed {
                // It is found unreadable again when it is looked for.
                tracing::debug!("a body that can't be read stays on disk: {error}");
            }
        }
    }

    /// Has the body of a response that was replaced let go of on disk, where the new one did not take its place there.
    pub(super) fn forget_replaced(&self, replaced: Option<&Arc<Response>>, new: &Arc<Object>) {
        let is_own = |old: &&Arc<Response>| !(Arc::ptr_eq(&old.object, new) || old.shares_body());
        let Some(old) = replaced.filter(is_own) else {
            return;
        };
        if let (Some(disk), Some(id)) = (&self.disk, old.object.on_disk()) {
            disk.forget(id);
        }
    }
}

fn object_of(body: Arc<Body>, charge: Charge) -> Arc<Object> {
    Arc::new(Object::of_response(Held::Growing(body), 0).charged([charge]))
}

/// What a response that is being made is stored under.
fn label_of(making: &Making) -> Label {
    Label {
        key: making.key.clone(),
        variant: making.variant.clone(),
        meta: record::encode(&making.stored, &making.fields, &making.upstream_status),
        tags: making.tags.to_vec(),
    }
}
