//! A response of an origin, as it is kept and sent: prepared when it is stored, so that a hit only copies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::eviction::UseCount;
use super::responses::own_weight;
use crate::http::etag;
use crate::http::fields::{FieldLines, Fields};
use crate::http::message;
use crate::policy::settings::CacheRule;
use crate::policy::stored::Stored;
use crate::store::body::BodyState;
use crate::store::{Object, SIZE_UNKNOWN};
use crate::units::UnixSeconds;

/// A response.
#[derive(Debug)]
pub struct Response {
    /// The cache key that it is stored under; empty for one that is not stored.
    pub key: Box<[u8]>,
    /// The request fields that it was selected by, as `policy::vary` writes them; empty where it does not vary.
    pub variant: Box<[u8]>,
    /// What decisions need.
    pub stored: Stored,
    /// Its fields, without those that each answer has of its own: Age, Cache-Status, Connection, Content-Length, Content-Range of
    /// a stored part, Transfer-Encoding.
    pub fields: Fields,
    /// The Cache-Status list of caches behind this one, which ours is appended to.
    pub upstream_status: Box<[u8]>,
    /// Its body.
    pub object: Arc<Object>,
    /// The size that the origin told of a body that it did not send: an answer to HEAD.
    pub told_size: Option<u64>,
    /// The rule of its URL.
    pub rule: Arc<CacheRule>,
    /// What it can be purged by.
    pub tags: Box<[Box<[u8]>]>,
    /// The body's size in bytes, where it was known when the response was made; its head goes by this.
    size: Option<u64>,
    /// See [`shares_body`](Self::shares_body).
    shares_body: bool,
    /// See [`head`](Self::head).
    head: Box<[u8]>,
    is_refreshing: AtomicBool,
    uses: UseCount,
    weight: u64,
}

/// What a response is made of; see the fields of [`Response`].
#[derive(Debug)]
pub struct Making {
    /// The cache key.
    pub key: Box<[u8]>,
    /// The request fields that it was selected by.
    pub variant: Box<[u8]>,
    /// What decisions need.
    pub stored: Stored,
    /// Its fields.
    pub fields: Fields,
    /// The Cache-Status list of caches behind this one.
    pub upstream_status: Box<[u8]>,
    /// Its body.
    pub object: Arc<Object>,
    /// The size that the origin told of a body that it did not send.
    pub told_size: Option<u64>,
    /// The rule of its URL.
    pub rule: Arc<CacheRule>,
    /// What it can be purged by.
    pub tags: Box<[Box<[u8]>]>,
}

impl Response {
    /// A response.
    #[must_use]
    pub fn new(making: Making) -> Self {
        let size = making.object.size();
        let body_bytes = making.object.memory_bytes();
        let mut response = Self {
            size: (size != SIZE_UNKNOWN).then_some(size),
            key: making.key,
            variant: making.variant,
            stored: making.stored,
            fields: making.fields,
            upstream_status: making.upstream_status,
            object: making.object,
            told_size: making.told_size,
            rule: making.rule,
            tags: making.tags,
            shares_body: false,
            head: Box::default(),
            is_refreshing: AtomicBool::new(false),
            uses: UseCount::new(),
            weight: 0,
        };
        response.head = response.write_head();
        response.weight = own_weight(&response).saturating_add(body_bytes);
        response
    }

    /// The bytes of memory that it takes, with its body where that stands in memory.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// How often it was hit, as far as eviction cares.
    #[must_use]
    pub fn use_count(&self) -> &UseCount {
        &self.uses
    }

    /// The same response with another body of the same bytes.
    #[must_use]
    pub fn with_object(&self, object: Arc<Object>) -> Self {
        self.with(self.stored.clone(), self.fields.clone(), object)
    }

    /// The same body with other facts and fields: a freshened response (RFC 9111 s4.3.4).
    #[must_use]
    pub fn freshened(&self, stored: Stored, fields: Fields) -> Self {
        self.with(stored, fields, Arc::clone(&self.object))
    }

    /// The same response for requests of another selection too: a 304 said that it answers them (RFC 9111 s4.3.4).
    #[must_use]
    pub fn adopted(&self, variant: Box<[u8]>) -> Self {
        let mut adopted = self.with_object(Arc::clone(&self.object));
        adopted.variant = variant;
        adopted.shares_body = true;
        adopted.weight = own_weight(&adopted).saturating_add(adopted.object.memory_bytes());
        adopted
    }

    /// Whether its body is that of another variant, which alone is on disk with it.
    #[must_use]
    pub fn shares_body(&self) -> bool {
        self.shares_body
    }

    /// The same response with other tags, and behind another list of caches' statuses.
    #[must_use]
    pub fn labelled(self, tags: Box<[Box<[u8]>]>, upstream_status: Box<[u8]>) -> Self {
        let shares_body = self.shares_body;
        let mut labelled = Self::new(Making {
            key: self.key,
            variant: self.variant,
            stored: self.stored,
            fields: self.fields,
            upstream_status,
            object: self.object,
            told_size: self.told_size,
            rule: self.rule,
            tags,
        });
        labelled.shares_body = shares_body;
        labelled
    }

    fn with(&self, stored: Stored, fields: Fields, object: Arc<Object>) -> Self {
        let mut response = Self::new(Making {
            key: self.key.clone(),
            variant: self.variant.clone(),
            stored,
            fields,
            upstream_status: self.upstream_status.clone(),
            object,
            told_size: self.told_size,
            rule: Arc::clone(&self.rule),
            tags: self.tags.clone(),
        });
        response.shares_body = self.shares_body;
        response
    }

    /// The status line and the fields of the whole response up to, but without, those that each answer has of its own.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    fn write_head(&self) -> Box<[u8]> {
        let mut head = Vec::with_capacity(32 + self.fields.as_bytes().len() + 32);
        message::append_status_line(&mut head, self.stored.status);
        head.extend_from_slice(self.fields.as_bytes());
        if let Some(size) = self.size
            && message::has_content(self.stored.status)
            && self.told_size.is_none()
        {
            message::append_content_length(&mut head, size);
        }
        head.into()
    }

    /// Whether the caller is the one who has it refreshed: true once, until [`end_refresh`](Self::end_refresh).
    #[must_use]
    pub fn begin_refresh(&self) -> bool {
        !self.is_refreshing.swap(true, Ordering::Relaxed)
    }

    /// The refresh has come to nothing: somebody else may try.
    pub fn end_refresh(&self) {
        self.is_refreshing.store(false, Ordering::Relaxed);
    }

    /// Whether all of the body is stored, or can be brought under its strong validator (RFC 9111 s3.4), so that a validation of
    /// the response is one of the whole.
    #[must_use]
    pub fn has_whole_body(&self) -> bool {
        let is_brought = || {
            let body = self.object.growing();
            let is_open =
                body.is_some_and(|body| body.is_sparse() && body.state() == BodyState::Open);
            is_open && self.stored.is_strong()
        };
        self.object.is_sound() && (self.object.is_complete() || is_brought())
    }

    /// The body's size in bytes, where it was known when the response was made.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The entity-tag as a valid one; empty where there is none.
    #[must_use]
    pub fn etag(&self) -> &[u8] {
        self.stored
            .etag
            .as_deref()
            .filter(|tag| etag::is_entity_tag(tag))
            .unwrap_or_default()
    }

    /// Last-Modified, where it is a valid date.
    #[must_use]
    pub fn last_modified(&self) -> Option<UnixSeconds> {
        self.stored.last_modified
    }

    /// The Content-Type; the default of RFC 9110 s8.3 where it has none.
    #[must_use]
    pub fn content_type(&self) -> &[u8] {
        self.fields
            .value("Content-Type")
            .unwrap_or(b"application/octet-stream")
    }
}
