//! Loads configured files into objects, by the way their rule holds them.
#![forbid(unsafe_code)]

pub mod load;
pub mod packing;
pub mod rule;
pub mod trouble;

pub use load::{Loaded, Loader, Patience};
pub use rule::{Hold, OnChange, PinRule};
pub use trouble::{LoadError, Shortfall};
