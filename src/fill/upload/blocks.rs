//! Large files to Azure: blocks first, then the list that makes a blob of them in one step.
//!
//! What has come is kept while the process lives: the next attempt goes on with the block that failed. Blocks that no list names are
//! removed by the service after a week, or when somebody else writes the blob; their names are the upload's own, so that no list of
//! another names them, and the same in each attempt, which replaces what is left of them after a restart.

use reqsign_core::hash::{base64_encode, hex_sha256};

use super::bytes::{self, Contents};
use super::counts::UploadCount;
use super::exchange::{Answered, Asking, Road};
use super::multipart::{Progress, encoded};
use super::record::Record;
use super::transfer::{Success, part_size};
use super::verdict::Failure;
use crate::fill::profile::fault::code_of;

/// Most blocks of a blob.
const BLOCKS_MAX: u64 = 50_000;

/// Sends the file.
pub(super) async fn upload(
    road: &Road<'_>,
    record: &Record,
    contents: &Contents,
    asked_size: u64,
    progress: &mut Progress,
) -> Result<Success, Failure> {
    let size = part_size(contents.size, asked_size, BLOCKS_MAX);
    if !progress.is_begun() {
        *progress = Progress::of(contents, size).await?;
    }
    let goes_on = !progress.tags.is_empty();
    let mark = mark_of(record);
    while let Some((number, (first, length), sum)) = progress.next(contents, size) {
        let id = name_of(mark, number);
        let asking = Asking {
            method: "PUT",
            query: format!("comp=block&blockid={}", encoded(&id)),
            fields: &[],
            body: &|| contents.part(first, length, sum),
        };
        let answer = road.ask(&asking).await?;
        if answer.status != 201 {
            return Err(answer.failure());
        }
        progress.tags.push(id);
        contents.counts.bump(UploadCount::Parts);
    }
    let answer = list(road, record, &progress.tags).await?;
    if answer.status == 201 {
        *progress = Progress::default();
        return Ok(Success::of(&answer));
    }
    let code = code_of(&answer.fields, &answer.body);
    if goes_on && code.as_deref() == Some("InvalidBlockList") {
        // The blocks of earlier attempts are gone, the file is not: from the start.
        *progress = Progress::default();
        return Err(Failure {
            is_permanent: false,
            ..answer.failure()
        });
    }
    Err(answer.failure())
}

/// Makes a blob of the blocks of these names.
async fn list(road: &Road<'_>, record: &Record, names: &[String]) -> Result<Answered, Failure> {
    let mut list = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for name in names {
        list.push_str(&format!("<Latest>{name}</Latest>"));
    }
    list.push_str("</BlockList>");
    let asking = Asking {
        method: "PUT",
        query: "comp=blocklist".to_owned(),
        fields: &[
            ("Content-Type", "application/xml"),
            ("x-ms-blob-content-type", record.content_type.as_str()),
        ],
        body: &|| bytes::text(list.clone()),
    };
    road.ask(&asking).await
}

/// What tells the blocks of an upload from those of others to the same blob, of this spool or of another: 48 bits.
fn mark_of(record: &Record) -> u64 {
    let Record {
        id,
        accepted_at,
        size,
        sum,
        url,
        ..
    } = record;
    let hash = hex_sha256(format!("{id} {accepted_at} {size} {sum} {url}").as_bytes());
    u64::from_str_radix(hash.get(..12).unwrap_or_default(), 16).unwrap_or_default()
}

/// A block's name: all have the same length, as the service wants it, in base64.
fn name_of(mark: u64, number: u32) -> String {
    let bytes = ((u128::from(mark) << 24) | u128::from(number)).to_be_bytes();
    base64_encode(bytes.get(7..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_blocks_have_one_length_and_are_different() {
        let marks = [0, 1, (1 << 48) - 1];
        let names: std::collections::HashSet<String> = marks
            .into_iter()
            .flat_map(|mark| (0..50_000).map(move |number| name_of(mark, number)))
            .collect();
        assert_eq!(names.len(), 150_000);
        assert!(names.iter().all(|name| name.len() == 12));
    }
}
