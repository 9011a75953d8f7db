//! `inlay token`: who may call the API.

use super::object::FixedVerb;
use crate::client::flags::token::TokenFlags;

pub(crate) type Verb = FixedVerb<TokenFlags>;
