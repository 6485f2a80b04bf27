//! Systems without `openat2`: a path cannot be confined there, so nothing is opened.

use super::{Entry, Key, Place};
use crate::failure::Failure;

fn unsupported(place: &Place) -> Failure {
    place.failure("fs/unsupported", "files can be confined to folders only on Linux")
}

pub(super) fn read(place: &Place) -> Result<Vec<u8>, Failure> {
    Err(unsupported(place))
}

pub(super) fn write(place: &Place, _: &[u8]) -> Result<(), Failure> {
    Err(unsupported(place))
}

pub(super) fn list(place: &Place) -> Result<Vec<Entry>, Failure> {
    Err(unsupported(place))
}

pub(super) fn append(place: &Place, _: &[u8], _: Option<&Key>) -> Result<(), Failure> {
    Err(unsupported(place))
}
