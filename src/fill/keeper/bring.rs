//! Brings the body of a response whose size is not known, or that fits in memory: it begins there, goes on in a file where it
//! outgrows it, and as a pass where it outgrows what may be stored (`outgrown`).

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::outgrown::Outgrown;
use super::pen::CHARGE;
use super::shelf::{leave_memory, responses_of};
use super::{Keeper, KeeperCount};
use crate::fill::disk::{extension_of, label_of, unless_purged};
use crate::fill::origin::OriginBody;
use crate::index::cached::Epoch;
use crate::index::response::Response;
use crate::store::body::BodyWriter;
use crate::store::body_fault::BodyFault;
use crate::store::body_file::BodyFile;
use crate::store::budget::Charge;
use crate::store::disk::{DiskError, Writer};
use crate::store::{Held, Object};

/// A response on its way into memory.
pub(super) struct Filling {
    pub(super) response: Arc<Response>,
    pub(super) began: Epoch,
    /// What it took the place of.
    pub(super) replaced: Option<Arc<Response>>,
}

/// The file of a body whose size is not known.
pub(super) struct Large {
    pub(super) pen: LargePen,
    /// Why the disk store does not have it, where it was to.
    refused: Option<BodyFault>,
}

pub(super) enum LargePen {
    Disk(Box<Writer>),
    Memory,
}

impl Keeper {
    /// Brings a body into the store while others read it.
    pub(super) async fn bring(
        self: Rc<Self>,
        mut writer: BodyWriter,
        mut body: OriginBody,
        rest: Option<Bytes>,
        filling: Filling,
    ) {
        let response = &filling.response;
        let mut large = None;
        let mut early = rest;
        let ended = loop {
            let next = match early.take() {
                Some(bytes) => Ok(Some(bytes)),
                None => body.next().await,
            };
            match next {
                Ok(Some(bytes)) => {
                    let appended = self.append(&mut writer, &mut large, &bytes, &filling).await;
                    if let Err(why) = appended {
                        let outgrown = Outgrown {
                            writer,
                            large,
                            body,
                            rest: bytes,
                            why,
                        };
                        return self.pass_to_readers(outgrown, response).await;
                    }
                    self.wake(writer.wakers());
                }
                Ok(None) => {
                    self.take_trailers(writer.body().tail(), &body);
                    break writer
                        .settle_size()
                        .then_some(())
                        .ok_or(BodyFault::BrokenOff);
                }
                Err(_) => {
                    self.counts.bump(KeeperCount::BodyBrokenOff);
                    break Err(BodyFault::BrokenOff);
                }
            }
            // What is small comes to its end anyway.
            let own = usize::from(!self.is_indexed(response));
            if large.is_some() && !self.has_readers(&response.key, &response.object, own) {
                self.counts.bump(KeeperCount::BodyUnwanted);
                break Err(BodyFault::Unwanted);
            }
        };
        match ended {
            Ok(()) => self.keep_whole(&mut writer, large, &filling).await,
            Err(fault) => {
                // First of all nobody finds it any more: who is reset comes back at once.
                leave_memory(&self.responses, &response.key, &response.object);
                writer.fail(fault);
                self.wake(writer.wakers());
            }
        }
    }

    /// All of the body is there: from now on its head has a length, and it takes no more room than its bytes. Those who come for
    /// it find it so before anybody sees the end.
    async fn keep_whole(&self, writer: &mut BodyWriter, large: Option<Large>, filling: &Filling) {
        let response = &filling.response;
        let body = Arc::clone(writer.body());
        let is_small = large.is_none();
        let on_disk = large.and_then(|large| match large.pen {
            LargePen::Disk(disk) => Some(disk),
            LargePen::Memory => None,
        });
        let object = match body.memory_from(0) {
            Some(bytes) if is_small => {
                Object::of_response(Held::Heap(bytes.into()), bytes.len() as u64)
            }
            None if is_small => Object::of_response(Held::Heap(Box::default()), 0),
            _ => Object::of_response(Held::Growing(Arc::clone(&body)), 0),
        };
        let whole = Arc::new(response.with_object(Arc::new(object)));
        // What had to go on in memory beside its file is for those who read it.
        let is_kept = body.is_kept_in_its_file();
        let is_stored = is_kept && self.responses.replace(response, &whole).is_stored();
        if is_stored && !is_small {
            self.shelf.put(&whole.key, &whole.object);
        }
        if !is_kept {
            leave_memory(&self.responses, &response.key, &response.object);
        }
        self.counts.bump(match writer.complete() {
            true => KeeperCount::BodyComplete,
            false => KeeperCount::BodyBrokenOff,
        });
        self.wake(writer.wakers());
        if let Some(disk) = on_disk {
            let completed = tokio::task::spawn_blocking(move || disk.complete()).await;
            if let Ok(Ok(id)) = completed {
                whole.object.set_on_disk(Some(id));
            }
        }
        if is_stored && is_small {
            let replaced = filling.replaced.as_ref();
            self.to_disk(&whole, filling.began, replaced).await;
        } else if is_stored && whole.object.on_disk().is_none() {
            self.forget_replaced(filling.replaced.as_ref(), &whole.object);
        }
    }

    /// Appends to memory, or to a file once it is more than that takes.
    ///
    /// # Errors
    /// Nothing takes it, and nothing of it was appended; why not.
    async fn append(
        &self,
        writer: &mut BodyWriter,
        large: &mut Option<Large>,
        bytes: &Bytes,
        filling: &Filling,
    ) -> Result<(), BodyFault> {
        if large.is_none() && writer.body().file().is_none() && bytes.len() <= writer.memory_room()
        {
            return writer.append(bytes).map_err(|_| BodyFault::Busy);
        }
        let end = writer.appended() + bytes.len() as u64;
        if end > self.size_max(&filling.response.rule) {
            self.counts.bump(KeeperCount::BodyTooLarge);
            return Err(BodyFault::TooLarge);
        }
        let large = match large {
            Some(large) => large,
            None => large.insert(self.spill(writer, filling).await?),
        };
        self.append_to_file(writer, large, bytes).await
    }

    /// Moves a body that has outgrown memory to a file: in the disk store where its rule and the store allow.
    async fn spill(&self, writer: &mut BodyWriter, filling: &Filling) -> Result<Large, BodyFault> {
        let response = &filling.response;
        writer.hold_descriptor(self.descriptor()?);
        let mut refused = None;
        if let Some(disk) = self.disk_for(&response.rule) {
            let label = label_of(response);
            let may_publish = unless_purged(&self.responses, &label, filling.began);
            let extension = extension_of(&response.key, &response.fields);
            let begun = disk.begin(label, None, extension, may_publish, false).await;
            let begun = match begun {
                Ok((mut writing, file)) => {
                    let body = Arc::clone(writer.body());
                    let written = tokio::task::spawn_blocking(move || {
                        let bytes = body.memory_from(0).unwrap_or_default();
                        writing.write_at(0, bytes).map(|()| writing)
                    });
                    let written = written.await.unwrap_or(Err(DiskError::StoodDown));
                    written.map(|writing| (writing, file))
                }
                Err(error) => Err(error),
            };
            match begun {
                Ok((writing, file)) => {
                    writer.go_on_in(BodyFile::Disk(file));
                    return Ok(Large {
                        pen: LargePen::Disk(Box::new(writing)),
                        refused,
                    });
                }
                Err(error) => refused = Some(disk.fault_of(&error)),
            }
        }
        if writer.spill_to_memory().is_err() {
            self.counts.bump(KeeperCount::BodyNoMemory);
            return Err(refused.unwrap_or(BodyFault::Busy));
        }
        Ok(Large {
            pen: LargePen::Memory,
            refused,
        })
    }

    /// Room for one more descriptor of a body.
    pub(super) fn descriptor(&self) -> Result<Charge, BodyFault> {
        self.shelf.room().ok_or_else(|| {
            self.counts.bump(KeeperCount::BodyNoDescriptor);
            BodyFault::Busy
        })
    }

    async fn append_to_file(
        &self,
        writer: &mut BodyWriter,
        large: &mut Large,
        bytes: &Bytes,
    ) -> Result<(), BodyFault> {
        let first = writer.appended();
        let end = first + bytes.len() as u64;
        match std::mem::replace(&mut large.pen, LargePen::Memory) {
            LargePen::Disk(mut disk) => {
                let piece = bytes.clone();
                let written = tokio::task::spawn_blocking(move || {
                    disk.write_at(first, &piece).map(|()| disk)
                });
                match written.await.unwrap_or(Err(DiskError::StoodDown)) {
                    Ok(disk) => {
                        large.pen = LargePen::Disk(disk);
                        writer.wrote(first, end);
                        return Ok(());
                    }
                    // Those who read it get the rest from memory.
                    Err(error) => {
                        self.counts.bump(KeeperCount::BodySpilled);
                        let fault = self.fault_of(&error);
                        large.refused = Some(fault);
                        let descriptor = self.descriptor().map_err(|_| fault)?;
                        writer.turn_to_memory(descriptor).map_err(|_| fault)?;
                    }
                }
            }
            LargePen::Memory => {}
        }
        if end > self.object_max {
            self.counts.bump(KeeperCount::BodyTooLarge);
            return Err(large.refused.unwrap_or(BodyFault::TooLarge));
        }
        let no_memory = large.refused.unwrap_or(BodyFault::Busy);
        while writer.charged() < end {
            match self.memory.take(CHARGE) {
                Some(charge) => writer.charge(charge, CHARGE),
                None => {
                    self.counts.bump(KeeperCount::BodyNoMemory);
                    return Err(no_memory);
                }
            }
        }
        writer.append(bytes).map_err(|_| no_memory)
    }

    /// Whether the response is in memory.
    fn is_indexed(&self, response: &Arc<Response>) -> bool {
        let stored = responses_of(&self.responses, &response.key, &response.object);
        stored.iter().any(|other| Arc::ptr_eq(other, response))
    }

    /// Whether anybody reads a body, beside the responses in memory that have it and `own` others.
    pub(super) fn has_readers(&self, key: &[u8], object: &Arc<Object>, own: usize) -> bool {
        let stored = responses_of(&self.responses, key, object).len();
        Arc::strong_count(object) > own + stored
    }
}
