//! Large files to S3: begun, sent part by part, and completed in one step, so that nobody ever sees half of it.
//!
//! What has come is kept while the process lives: the next attempt goes on with the part that failed. After a restart the old
//! upload is broken off, and a new one begun.

use super::bytes::{self, Contents};
use super::counts::UploadCount;
use super::exchange::{Asking, Road};
use super::record::Record;
use super::transfer::{Success, etag, part_size};
use super::verdict::Failure;
use crate::fill::origin::RequestBody;

/// Most parts that S3 takes.
const PARTS_MAX: u64 = 10_000;

/// Longest identifier of an upload.
const ID_BYTES_MAX: usize = 2048;

/// An upload that the origin knows of.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Its identifier; none before it was begun.
    id: Option<String>,
    /// The entity tags of the parts that are there, in their order.
    etags: Vec<String>,
}

impl Progress {
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
    if progress.id.is_none() {
        if !contents.is_sound().await {
            return Err(Failure::of_fault(crate::fill::origin::OriginFault::Body));
        }
        let id = begin(road, record).await?;
        keep(Some(&id));
        *progress = Progress {
            id: Some(id),
            etags: Vec::new(),
        };
    }
    let id = progress.id.clone().unwrap_or_default();
    let sent = send_and_complete(road, contents, asked_size, &id, &mut progress.etags).await;
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
    asked_size: u64,
    id: &str,
    etags: &mut Vec<String>,
) -> Result<Success, Failure> {
    let size = part_size(contents.size, asked_size, PARTS_MAX);
    let id = encoded(id);
    let mut first = size.saturating_mul(etags.len() as u64);
    while first < contents.size {
        let length = size.min(contents.size - first);
        let number = etags.len() + 1;
        let asking = Asking {
            method: "PUT",
            query: format!("partNumber={number}&uploadId={id}"),
            fields: &[],
            body: &|| contents.part(first, length),
        };
        let answer = road.ask(&asking).await?;
        if answer.status != 200 {
            return Err(answer.failure());
        }
        let tag = etag(&answer.fields)
            .ok_or_else(|| Failure::transient("the origin took a part without naming it"))?;
        etags.push(tag);
        contents.counts.bump(UploadCount::Parts);
        first += length;
    }
    complete(road, &id, etags).await
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
