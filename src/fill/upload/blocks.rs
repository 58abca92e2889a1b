//! Large files to Azure: blocks first, then the list that makes a blob of them in one step.
//!
//! Blocks that no list names are removed by the service after a week; those of an attempt that failed have the same names as
//! those of the next, and are replaced.

use super::bytes::{self, Contents};
use super::counts::UploadCount;
use super::exchange::{Asking, Road};
use super::multipart::encoded;
use super::record::Record;
use super::transfer::{Success, part_size};
use super::verdict::Failure;
use crate::fill::origin::OriginFault;

/// Most blocks of a blob.
const BLOCKS_MAX: u64 = 50_000;

/// Sends the file.
pub(super) async fn upload(
    road: &Road<'_>,
    record: &Record,
    contents: &Contents,
    asked_size: u64,
) -> Result<Success, Failure> {
    if !contents.is_sound().await {
        return Err(Failure::of_fault(OriginFault::Body));
    }
    let size = part_size(contents.size, asked_size, BLOCKS_MAX);
    let mut list = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    let mut number = 0_u32;
    let mut first = 0;
    while first < contents.size {
        let length = size.min(contents.size - first);
        let id = name_of(number);
        let asking = Asking {
            method: "PUT",
            query: format!("comp=block&blockid={}", encoded(&id)),
            fields: &[],
            body: &|| contents.part(first, length),
        };
        let answer = road.ask(&asking).await?;
        if answer.status != 201 {
            return Err(answer.failure());
        }
        list.push_str(&format!("<Latest>{id}</Latest>"));
        contents.counts.bump(UploadCount::Parts);
        first += length;
        number += 1;
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
    let answer = road.ask(&asking).await?;
    if answer.status != 201 {
        return Err(answer.failure());
    }
    Ok(Success::of(&answer))
}

/// A block's name: all have the same length, as the service wants it, in base64.
fn name_of(number: u32) -> String {
    reqsign_core::hash::base64_encode(format!("{number:09}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_blocks_have_one_length_and_are_different() {
        let names: std::collections::HashSet<String> = (0..50_000).map(name_of).collect();
        assert_eq!(names.len(), 50_000);
        assert!(names.iter().all(|name| name.len() == 12));
    }
}
