//! Brings bytes into the stores away from the workers: pins and their changes, files below a root, cold pages.
#![forbid(unsafe_code)]

pub mod delivery;
pub mod desk;
pub mod disk;
pub mod files;
pub mod keeper;
pub mod library;
pub mod origin;
pub mod origins;
mod pieces;
pub mod pins;
pub mod profile;
pub mod settings;
mod siblings;
mod table;
mod task_pool;
pub mod upload;
pub mod warm;
mod warm_ring;
