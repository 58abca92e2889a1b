//! `hotplate import` from end to end: configs of the other programs through the built binary, its pages compared byte for byte,
//! checked by `hotplate check`, and served.
//!
//! `HOTPLATE_WRITE_EXPECTED=1` writes the pages anew; what changed shows in the commit.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod debian;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod safety;
#[cfg(test)]
mod served;
