//! Bytes at rest. Knows files, mappings and memory; never HTTP.
#![forbid(unsafe_code)]

pub mod body;
pub mod body_fault;
pub mod body_file;
pub mod budget;
pub mod demand;
pub mod disk;
pub mod guards;
pub mod object;
pub mod pinned;
pub mod pipe;
pub mod ranges;
pub mod sparse;
pub mod tail;
pub mod tiers;
pub mod window;

pub use object::{Held, Object, PipeReader, Reading, SIZE_UNKNOWN};
