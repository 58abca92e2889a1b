//! Large files to S3: begun, sent part by part, and completed in one step, so that nobody ever sees half of it.
//!
//! What has come is kept while the process lives: the next attempt goes on with the part that failed. After a restart the old
//! upload is broken off, and a new one begun. Each part is compared with its checksum as it is sent: the disk may have damaged it since
//! the upload was begun.

use super::bytes::{self, Contents};
use super::counts::UploadCount;
use super::exchange::{Asking, Road};
use super::record::Record;
use super::transfer::{Success, etag, part_size};
use super::verdict::Failure;
use crate::fill::origin::{OriginFault, RequestBody};

/// Most parts that S3 takes.
const PARTS_MAX: u64 = 10_000;

/// Longest identifier of an upload.
const ID_BYTES_MAX: usize = 2048;

/// How far an upload in parts has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Its identifier, where the origin gave one.
    id: Option<String>,
    /// What the parts that are there are named by in the end, in their order: entity tags, or names of blocks.
    pub(super) tags: Vec<String>,
    /// The checksums of all parts, of a file that was what was accepted.
    sums: Vec<u32>,
}

impl Progress {
    /// That of an upload in parts of `size` bytes which begins.
    pub(super) async fn of(contents: &Contents, size: u64) -> Result<Self, Failure> {
        let sums = contents.sums(size).await;
        Ok(Self {
            sums: sums.ok_or_else(|| Failure::of_fault(OriginFault::Body))?,
            ..Self::default()
        })
    }

    /// Whether there is anything to go on with.
    pub(super) fn is_begun(&self) -> bool {
        !self.sums.is_empty()
    }

    /// The part that goes next: its number, 0-based, its first byte and its length, and its checksum.
    pub(super) fn next(&self, contents: &Contents, size: u64) -> Option<(u32, (u64, u64), u32)> {
        let sum = *self.sums.get(self.tags.len())?;
        let first = size.saturating_mul(self.tags.len() as u64);
        let length = size.min(contents.size.checked_sub(first)?);
        let number = u32::try_from(self.tags.len()).ok()?;
        Some((number, (first, length), sum))
    }

    /// The identifier of what the origin knows of.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// Sends the file. `keep` is told the identifier as soon as there is one, and when it is of no more use.
pub(super) async fn upload(
    road: &Road<'_>,
    record: &Record,
    contents: &Contents,
    asked_size: u64,
    progress: &mut Progress,
    keep: &dyn Fn(Option<&str>),
) -> Result<Success, Failure> {
    let size = part_size(contents.size, asked_size, PARTS_MAX);
    if !progress.is_begun() {
        *progress = Progress::of(contents, size).await?;
    }
    if progress.id.is_none() {
        let id = begin(road, record).await?;
        keep(Some(&id));
        progress.id = Some(id);
    }
    let id = progress.id.clone().unwrap_or_default();
    let sent = send_and_complete(road, contents, size, &id, progress).await;
    match &sent {
        Ok(_) => {
            *progress = Progress::default();
            keep(None);
        }
        // The origin has forgotten it, or it will never be completed.
        Err(failure) if failure.status == Some(404) || failure.is_permanent => {
            if failure.status != Some(404) {
                abort(road, &id).await;
            }
            *progress = Progress::default();
            keep(None);
        }
        Err(_) => {}
    }
    sent.map_err(|failure| match failure.status {
        // Its parts are gone, the file is not: from the start.
        Some(404) => Failure {
            is_permanent: false,
            ..failure
        },
        _ => failure,
    })
}

async fn begin(road: &Road<'_>, record: &Record) -> Result<String, Failure> {
    let asking = Asking {
        method: "POST",
        query: "uploads=".to_owned(),
        fields: &[("Content-Type", record.content_type.as_str())],
        body: &|| RequestBody::None,
    };
    let answer = road.ask(&asking).await?;
    if answer.status != 200 {
        return Err(answer.failure());
    }
    let id = element(&answer.body, "UploadId");
    id.filter(|id| !id.is_empty() && id.len() <= ID_BYTES_MAX)
        .ok_or_else(|| Failure::transient("the origin began an upload in parts without naming it"))
}

async fn send_and_complete(
    road: &Road<'_>,
    contents: &Contents,
    size: u64,
    id: &str,
    progress: &mut Progress,
) -> Result<Success, Failure> {
    let id = encoded(id);
    while let Some((number, (first, length), sum)) = progress.next(contents, size) {
        let number = number + 1;
        let asking = Asking {
            method: "PUT",
            query: format!("partNumber={number}&uploadId={id}"),
            fields: &[],
            body: &|| contents.part(first, length, sum),
        };
        let answer = road.ask(&asking).await?;
        if answer.status != 200 {
            return Err(answer.failure());
        }
        let tag = etag(&answer.fields)
            .ok_or_else(|| Failure::transient("the origin took a part without naming it"))?;
        progress.tags.push(tag);
        contents.counts.bump(UploadCount::Parts);
    }
    complete(road, &id, &progress.tags).await
}

async fn complete(road: &Road<'_>, id: &str, etags: &[String]) -> Result<Success, Failure> {
    let mut xml =
        String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (number, tag) in (1..).zip(etags) {
        let tag = escaped(tag);
        xml.push_str(&format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
        ));
    }
    xml.push_str("</CompleteMultipartUpload>");
    let asking = Asking {
        method: "POST",
        query: format!("uploadId={id}"),
        fields: &[("Content-Type", "application/xml")],
        body: &|| bytes::text(xml.clone()),
    };
    let answer = road.ask(&asking).await?;
    if answer.status != 200 {
        return Err(answer.failure());
    }
    // It begins to answer before it knows: an error may come in the body of a 200.
    if let Some(code) = element(&answer.body, "Code") {
        let reason = format!(
            "the origin could not put the parts together ({})",
            plain(&code)
        );
        return Err(Failure::transient(reason));
    }
    Ok(Success {
        etag: element(&answer.body, "ETag").map(|tag| tag.replace("&quot;", "\"")),
        ..Success::of(&answer)
    })
}

/// Breaks an upload off, so that its parts cost nothing. Where that fails, the bucket's own rule has to do it.
pub(super) async fn abort(road: &Road<'_>, id: &str) {
    let asking = Asking {
        method: "DELETE",
        query: format!("uploadId={}", encoded(id)),
        fields: &[],
        body: &|| RequestBody::None,
    };
    if let Err(failure) = road.ask(&asking).await {
        tracing::warn!("parts of an upload stay at the origin: {}", failure.reason);
    }
}

/// The text of the first element of this name.
fn element(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    Some(value.trim().to_owned())
}

fn plain(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    letters.take(64).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A value for a query.
pub(super) fn encoded(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            value.push(char::from(octet));
        } else {
            value.push_str(&format!("%{octet:02X}"));
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn element_is_found_in_an_answer() {
        let body = b"<?xml?><R><Bucket>b</Bucket><UploadId> a+b/c= </UploadId></R>";
        assert_eq!(element(body, "UploadId").as_deref(), Some("a+b/c="));
        assert_eq!(element(body, "Code"), None);
        assert_eq!(element(b"<Code>x", "Code"), None);
    }

    #[test]
    fn identifier_goes_into_a_query() {
        assert_eq!(encoded("a+b/c=~"), "a%2Bb%2Fc%3D~");
        assert_eq!(escaped("\"a&b\""), "\"a&amp;b\"");
    }
}
