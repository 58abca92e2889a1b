//! One attempt to upload a file: in one request, or in parts where it is large and the origin can.

use super::bytes::Contents;
use super::exchange::{Asking, Road};
use super::record::Record;
use super::verdict::{Failure, is_success};
use super::{blocks, multipart};
use crate::fill::profile::ProfileKind;

/// What came of an attempt that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Success {
    /// The origin's status.
    pub(super) status: u16,
    /// The entity tag that it gave.
    pub(super) etag: Option<String>,
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
            blocks::upload(road, record, contents, part_size).await
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
        Ok(Success {
            status: answer.status,
            etag: etag(&answer.fields),
        })
    } else {
        Err(answer.failure())
    }
}

/// The entity tag of an answer, where it is text.
pub(super) fn etag(fields: &crate::http::fields::Fields) -> Option<String> {
    use crate::http::fields::FieldLines as _;
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
    fn parts_grow_where_there_would_be_too_many() {
        assert_eq!(part_size(5 << 30, 16 << 20, 10_000), 16 << 20);
        let tebibytes = 5 << 40;
        let size = part_size(tebibytes, 16 << 20, 10_000);
        assert!(tebibytes.div_ceil(size) <= 10_000);
        assert_eq!(part_size(0, 0, 10), 1);
    }
}
