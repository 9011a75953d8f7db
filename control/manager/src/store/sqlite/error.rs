//! SQLite's errors, with what to do about them.

use rusqlite::{Error, ErrorCode};

use crate::store::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        failed(describe(&error))
    }
}

pub(super) fn describe(error: &Error) -> String {
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "; free space on its disk",
        Some(ErrorCode::SystemIoFailure) => "; check its disk",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "; restore a backup",
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            "; check the rights on the file and on its directory"
        }
        _ => "",
    };
    format!("{error}{advice}")
}

pub(super) fn failed(what: String) -> StoreError {
    StoreError::Engine { what }
}

pub(super) fn stopped() -> StoreError {
    failed(
        "it is closed, or has stopped after an error of its disk; start the manager again"
            .to_owned(),
    )
}
