//! `inlay events`: who changed what.

use std::{collections::VecDeque, thread, time::Duration};

use clap::Args;
use inlay_api::objects::{AuditAction, AuditEntry, List};

use super::Session;
use crate::{
    client::{address::encode, failure::Failure, scope::ProjectScope},
    output::{self, Format},
};

/// With --follow the manager is asked so often.
const INTERVAL: Duration = Duration::from_secs(2);
/// Entries that are asked for at a time.
const PAGE_LIMIT: usize = 1_000;
/// Pages that are read at a time: more than the manager keeps entries.
const PAGES_MAX: usize = 10_000;
/// Entries between two questions that are shown, with --follow.
const FOLLOWED_MAX: usize = 100_000;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    scope: ProjectScope,
    /// Those of all projects and of the operator, which is the operator's to ask
    #[arg(short, long)]
    all_projects: bool,
    /// Shows so many of the latest
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Goes on with what happens from now on
    #[arg(long)]
    follow: bool,
}

const HEADINGS: [&str; 7] = ["at", "actor", "action", "kind", "network", "name", "detail"];

impl Arguments {
    /// The latest entry comes last.
    pub(crate) fn run(&self, session: &Session) -> anyhow::Result<()> {
        let mut log = Log::new(self.path(session)?);
        let mut entries = log.read(session, self.limit)?;
        if !self.follow {
            let entries = entries.make_contiguous();
            return output::print(session.format, "events", entries, &HEADINGS, row);
        }
        loop {
            for entry in &entries {
                match session.format {
                    Format::Table => output::line(&row(entry).join("  "))?,
                    format => output::record(format, entry)?,
                }
            }
            thread::sleep(INTERVAL);
            entries = log.read(session, FOLLOWED_MAX)?;
        }
    }

    fn path(&self, session: &Session) -> Result<String, Failure> {
        if self.all_projects {
            return Ok("/v1/events".to_owned());
        }
        let project = self.scope.project(&session.api.connection)?;
        Ok(format!("/v1/projects/{}/events", encode(&project)))
    }
}

/// The log, which the manager gives from its oldest entry on, and how far it was read.
struct Log {
    path: String,
    /// Where the last page that was read begins.
    page_token: Option<String>,
    /// Revision of the last entry that was read.
    seen: u64,
}

impl Log {
    fn new(path: String) -> Self {
        Self {
            path,
            page_token: None,
            seen: 0,
        }
    }

    /// The last `limit` of the entries that were not read yet.
    fn read(&mut self, session: &Session, limit: usize) -> Result<VecDeque<AuditEntry>, Failure> {
        let mut entries = VecDeque::new();
        // The first page is the last one of the time before, which may be longer by now.
        let known = self.seen;
        for page_number in 0..PAGES_MAX {
            let mut query = vec![("limit".to_owned(), PAGE_LIMIT.to_string())];
            let token = self.page_token.clone();
            query.extend(token.map(|token| ("page_token".to_owned(), token)));
            let page = session.api.read(self.path.clone(), query)?;
            let page: List<AuditEntry> = serde_json::from_value(page)
                .map_err(|error| Failure::NoAnswer(format!("those are no events: {error}")))?;
            for entry in page.items {
                if page_number > 0 || entry.revision > known {
                    self.seen = self.seen.max(entry.revision);
                    entries.push_back(entry);
                }
                if entries.len() > limit {
                    entries.pop_front();
                }
            }
            match page.next_page_token {
                Some(next) => self.page_token = Some(next),
                None => break,
            }
        }
        Ok(entries)
    }
}

fn row(entry: &AuditEntry) -> Vec<String> {
    let action = match entry.action {
        AuditAction::Created => "created",
        AuditAction::Updated => "updated",
        AuditAction::Deleted => "deleted",
        AuditAction::Event => "event",
    };
    let text = |text: &String| output::or_dash(Some(text).filter(|text| !text.is_empty()));
    vec![
        entry.at.clone(),
        entry.actor.clone(),
        action.to_owned(),
        entry.kind.clone(),
        text(&entry.network),
        entry.name.clone(),
        entry.detail.clone(),
    ]
}
