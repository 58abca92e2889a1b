//! Decisions as pure functions: the request and what is stored go in, a verdict and the rule behind it come out.
#![forbid(unsafe_code)]

pub mod cache_status;
pub mod forwarding;
pub mod freshness;
pub mod groups;
pub mod invalidation;
pub mod key;
pub mod origin_rule;
pub mod public_address;
pub mod request;
pub mod reuse;
pub mod rule;
pub mod rules;
pub mod selection;
pub mod settings;
pub mod status;
pub mod storability;
pub mod stored;
pub mod stored_fields;
pub mod tags;
pub mod trailers;
pub mod upgrade;
pub mod validation;
pub mod vary;
