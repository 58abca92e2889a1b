//! The commands as a script sees them.

#[cfg(test)]
mod exit_codes;
