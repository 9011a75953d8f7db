//! Tokens: who may call the API, and for what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Kind, Object, ObjectKind};

/// A bearer token (RFC 6750). The store has its hash alone. The operator makes tokens of all roles; an editor makes
/// those of its own project, of role editor or reader. Names are unique among the tokens of all projects.
pub type Token = Object<TokenSpec, TokenStatus>;

/// What is wanted of a token. Cannot be changed; make another one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// For people; at most 255 bytes of one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it may do.
    pub role: Role,
    /// The one project that it is for; needed unless the role is `admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// When it ends, RFC 3339; never if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// What a token may do.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read one project.
    #[default]
    Reader,
    /// Read and change one project.
    Editor,
    /// Everything, as the operator.
    Admin,
}

/// What is known of a token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TokenStatus {
    /// Its first characters, to tell it by.
    pub hint: String,
}

/// A token as it is made: the only time that it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IssuedToken {
    /// The object.
    #[serde(flatten)]
    pub token: Token,
    /// What goes into `Authorization: Bearer …`.
    pub secret: String,
}

impl ObjectKind for TokenSpec {
    const KIND: Kind = Kind::Token;
    type Status = TokenStatus;
}
