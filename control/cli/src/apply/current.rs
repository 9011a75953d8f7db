//! What is there: each list is read once.

use std::collections::{BTreeMap, btree_map::Entry};

use inlay_api::objects::Kind;
use serde_json::Value;

use crate::client::{
    address::{self, Place},
    api::Api,
    failure::Failure,
};

/// Objects by their names.
pub(crate) type Named = BTreeMap<String, Value>;

/// What is there, as far as it was asked for.
#[derive(Debug)]
pub(crate) struct Current<'a> {
    pub(crate) api: &'a Api,
    lists: BTreeMap<(Kind, Place), Named>,
}

impl<'a> Current<'a> {
    pub(crate) fn new(api: &'a Api) -> Self {
        Self {
            api,
            lists: BTreeMap::new(),
        }
    }

    /// The objects of a list; none where what it is part of is not there.
    pub(crate) fn list(&mut self, kind: Kind, place: &Place) -> Result<&Named, Failure> {
        match self.lists.entry((kind, place.clone())) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let objects = match self.api.list(kind, place, &[]) {
                    Err(failure) if failure.is_not_found() => Vec::new(),
                    objects => objects?,
                };
                let named = objects
                    .into_iter()
                    .map(|object| (address::text(&object, "/metadata/name").to_owned(), object));
                Ok(entry.insert(named.collect()))
            }
        }
    }
}
