//! Whether a transaction is within the limits that every engine has.

use std::collections::HashSet;

use super::{
    Condition, KEY_BYTES_MAX, OPERATIONS_MAX, Operation, StoreError, TRANSACTION_BYTES_MAX,
    Transaction, VALUE_BYTES_MAX,
};

impl Condition {
    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Absent(key) | Self::Unchanged(key, _) => key,
        }
    }
}

impl Operation {
    /// The key that it changes.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }

    fn value_bytes(&self) -> usize {
        match self {
            Self::Put(_, value) => value.len(),
            Self::Delete(_) => 0,
        }
    }
}

impl Transaction {
    /// Refuses what no engine takes.
    ///
    /// # Errors
    /// `Refused`, with the limit that is exceeded.
    pub fn check(&self) -> Result<(), StoreError> {
        check_count("conditions", self.conditions.len())?;
        check_count("operations", self.operations.len())?;
        for condition in &self.conditions {
            check_key(condition.key())?;
        }
        let mut seen = HashSet::with_capacity(self.operations.len());
        let mut total = 0_usize;
        for operation in &self.operations {
            let (key, len) = (operation.key(), operation.value_bytes());
            check_key(key)?;
            if len > VALUE_BYTES_MAX {
                return refuse(format!(
                    "the value of {key} has {len} bytes; {VALUE_BYTES_MAX} at most"
                ));
            }
            if !seen.insert(key) {
                return refuse(format!("{key} occurs twice in one transaction"));
            }
            total = total.saturating_add(key.len()).saturating_add(len);
        }
        if total > TRANSACTION_BYTES_MAX {
            return refuse(format!(
                "the transaction has {total} bytes; {TRANSACTION_BYTES_MAX} at most"
            ));
        }
        Ok(())
    }
}

fn check_count(what: &str, count: usize) -> Result<(), StoreError> {
    if count > OPERATIONS_MAX {
        return refuse(format!(
            "the transaction has {count} {what}; {OPERATIONS_MAX} at most"
        ));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), StoreError> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        let len = key.len();
        return refuse(format!("a key of {len} bytes; 1 to {KEY_BYTES_MAX}"));
    }
    Ok(())
}

fn refuse(what: String) -> Result<(), StoreError> {
    Err(StoreError::Refused { what })
}
