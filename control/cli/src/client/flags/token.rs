//! What may be said of a token.

use clap::Args;
use inlay_api::objects::{Role, TokenSpec};
use jiff::{Span, Timestamp, tz::TimeZone};

use super::{Flags, Nothing, Write, set};
use crate::client::{failure::Failure, scope::SystemScope};

/// Tokens.
#[derive(Debug)]
pub(crate) struct TokenFlags;

impl Flags for TokenFlags {
    type Spec = TokenSpec;
    type Scope = SystemScope;
    type Create = Create;
    type Update = Nothing;
    const CONCERNS_HOSTS: bool = false;
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Create {
    /// reader or editor of one project; admin: everything, as the operator
    #[arg(long, value_parser = role)]
    role: Role,
    /// The one project that it is for; needed unless the role is admin
    #[arg(long)]
    project: Option<String>,
    /// When it ends: a time like 2027-01-01T00:00:00Z, or from now on, like 90d or 12h
    #[arg(long, value_name = "TIME", value_parser = end)]
    expires: Option<String>,
    /// A line for people
    #[arg(long)]
    description: Option<String>,
}

impl Write<TokenSpec> for Create {
    fn write(&self, spec: &mut TokenSpec) -> Result<(), Failure> {
        if self.role != Role::Admin && self.project.is_none() {
            let what = "of which project? Say --project NAME; only an admin's token is of none";
            return Err(Failure::Usage(what.to_owned()));
        }
        spec.role = self.role;
        spec.project.clone_from(&self.project);
        spec.expires_at.clone_from(&self.expires);
        set(&mut spec.description, self.description.as_ref());
        Ok(())
    }
}

fn role(text: &str) -> Result<Role, String> {
    match text {
        "reader" => Ok(Role::Reader),
        "editor" => Ok(Role::Editor),
        "admin" => Ok(Role::Admin),
        _ => Err("write reader, editor or admin".to_owned()),
    }
}

/// RFC 3339 of what was typed.
fn end(text: &str) -> Result<String, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.to_string());
    }
    let invalid = || "write a time like 2027-01-01T00:00:00Z, or 90d, or 12h".to_owned();
    let span: Span = text.parse().map_err(|_| invalid())?;
    if !span.is_positive() {
        return Err(invalid());
    }
    let end = Timestamp::now().to_zoned(TimeZone::UTC).checked_add(span);
    // A second is exact enough for people, and shorter.
    let end = end.map_err(|_| invalid())?.timestamp().as_second();
    let end = Timestamp::from_second(end).map_err(|_| invalid())?;
    Ok(end.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_from_now_on() {
        assert_eq!(end("2027-01-01T00:00:00Z").unwrap(), "2027-01-01T00:00:00Z");
        let in_90_days: Timestamp = end("90d").unwrap().parse().unwrap();
        let days = in_90_days.duration_since(Timestamp::now()).as_hours() / 24;
        assert!((89..=90).contains(&days), "{days}");
        for text in ["", "soon", "-1d", "2027-13-01T00:00:00Z"] {
            assert!(end(text).is_err(), "{text}");
        }
    }
}
