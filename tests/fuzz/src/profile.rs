//! What faults of an origin name of the credentials that it was asked with.

#[path = "../../../src/fill/profile/fault.rs"]
mod fault;

pub use self::fault::CredentialFault;
