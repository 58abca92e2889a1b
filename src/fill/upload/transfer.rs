//! One attempt to upload a file: in one request, or in parts where it is large and the origin can.

use super::bytes::Contents;
use super::exchange::{Answered, Asking, Road};
use super::record::Record;
use super::verdict::{Failure, is_success};
use super::{blocks, multipart};
use crate::fill::profile::ProfileKind;
use crate::http::date;
use crate::http::etag::EntityTag;
use crate::http::fields::{FieldLines as _, Fields};

/// What came of an attempt that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Success {
    /// The origin's status.
    pub(super) status: u16,
    /// The validators that it gave: the origin has what it was sent, unchanged (RFC 9110 s9.3.4).
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    /// Where it is, where that is not the URL that was asked for.
    pub(super) moved_to: Option<String>,
}

impl Success {
    pub(super) fn of(answer: &Answered) -> Self {
        let last_modified = answer.fields.value("last-modified");
        let last_modified = last_modified.filter(|value| date::parse(value).is_some());
        Self {
            status: answer.status,
            etag: etag(&answer.fields),
            last_modified: last_modified.and_then(|value| String::from_utf8(value.to_vec()).ok()),
            moved_to: answer.moved_to.clone(),
        }
    }

    /// Whether the URL stands for the file by now: it was not only taken to be worked on (RFC 9110 s15.3.3), nor moved elsewhere.
    pub(super) const fn is_at_its_url(&self) -> bool {
        self.status != 202 && self.moved_to.is_none()
    }

    /// The fields of the answer that a GET would get.
    pub(super) fn fields(&self, content_type: &str) -> Fields {
        let mut fields = Fields::new();
        fields.push(b"content-type", content_type.as_bytes());
        let etag = self.etag.as_deref().map(str::as_bytes);
        // What stands in the body of an answer may be anything.
        if let Some(etag) = etag.filter(|etag| EntityTag::parse(etag).is_some()) {
            fields.push(b"etag", etag);
        }
        if let Some(last_modified) = &self.last_modified {
            fields.push(b"last-modified", last_modified.as_bytes());
        }
        fields
    }
}

/// Uploads the file.
///
/// # Errors
/// The attempt failed; the file may be there nevertheless, but never half of it as a whole.
pub(super) async fn attempt(
    road: &Road<'_>,
    record: &Record,
    contents: &Contents,
    part_size: u64,
    parts: &mut multipart::Progress,
    keep: &dyn Fn(Option<&str>),
) -> Result<Success, Failure> {
    let is_large = record.size > part_size;
    match road.target.kind {
        Some(ProfileKind::S3) if is_large => {
            multipart::upload(road, record, contents, part_size, parts, keep).await
        }
        Some(ProfileKind::Azure) if is_large => {
            blocks::upload(road, record, contents, part_size, parts).await
        }
        kind => whole(road, record, contents, kind).await,
    }
}

/// The file in one request.
async fn whole(
    road: &Road<'_>,
    record: &Record,
    contents: &Contents,
    kind: Option<ProfileKind>,
) -> Result<Success, Failure> {
    let mut fields = vec![("Content-Type", record.content_type.as_str())];
    if kind == Some(ProfileKind::Azure) {
        fields.push(("x-ms-blob-type", "BlockBlob"));
    }
    let asking = Asking {
        method: "PUT",
        query: String::new(),
        fields: &fields,
        body: &|| contents.whole(),
    };
    let answer = road.ask(&asking).await?;
    if is_success(answer.status) {
        Ok(Success::of(&answer))
    } else {
        Err(answer.failure())
    }
}

/// The entity tag of an answer, where it is text.
pub(super) fn etag(fields: &Fields) -> Option<String> {
    let value = fields.value("etag")?;
    String::from_utf8(value.to_vec()).ok()
}

/// The size of parts for a file: the one asked for, or what keeps their number within `parts_max`.
pub(super) fn part_size(size: u64, asked: u64, parts_max: u64) -> u64 {
    asked.max(size.div_ceil(parts_max)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validators_of_an_answer_become_those_of_what_is_stored() {
        let success = |etag: &str, last_modified: &str| {
            let mut fields = Fields::new();
            fields.push(b"etag", etag.as_bytes());
            fields.push(b"last-modified", last_modified.as_bytes());
            Success::of(&Answered {
                status: 201,
                fields,
                body: Vec::new(),
                keys_may_change: false,
                moved_to: None,
            })
        };
        let stored = |success: Success| {
            let fields = success.fields("audio/wav");
            let text = |name| {
                let value = fields.value(name).unwrap_or(b"none");
                String::from_utf8_lossy(value).into_owned()
            };
            ["content-type", "etag", "last-modified"].map(text)
        };
        let time = "Tue, 02 Jan 2024 03:04:05 GMT";
        assert_eq!(stored(success("\"1\"", time)), ["audio/wav", "\"1\"", time]);
        assert_eq!(stored(success("1", "now")), ["audio/wav", "none", "none"]);
        let odd = Success {
            etag: Some("\"1\"\r\nSet-Cookie: a=b".to_owned()),
            ..success("", "")
        };
        assert_eq!(stored(odd), ["audio/wav", "none", "none"]);
        let later = Success {
            status: 202,
            ..success("\"1\"", time)
        };
        assert!(!later.is_at_its_url() && success("\"1\"", time).is_at_its_url());
    }

    #[test]
    fn parts_grow_where_there_would_be_too_many() {
        assert_eq!(part_size(5 << 30, 16 << 20, 10_000), 16 << 20);
        let tebibytes = 5 << 40;
        let size = part_size(tebibytes, 16 << 20, 10_000);
        assert!(tebibytes.div_ceil(size) <= 10_000);
        assert_eq!(part_size(0, 0, 10), 1);
    }
}
