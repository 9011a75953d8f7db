//! Objects over the API: read one, read all pages of a list, change.

use std::time::Duration;

use indicatif::ProgressBar;
use inlay_api::objects::{Applied, Kind, List};
use serde_json::Value;
use ureq::http::{HeaderMap, Method};

use super::{
    address::{self, Place},
    connection::Connection,
    failure::Failure,
    http::{Http, Request},
    mutation::How,
};

/// Objects that are asked for at a time.
const PAGE_LIMIT: usize = 500;
/// Pages of one list that are read: 5,000,000 objects.
const PAGES_MAX: usize = 10_000;
/// The frames of the spinner follow each other so fast.
const SPINNER_TICK: Duration = Duration::from_millis(100);

/// The API of one manager.
#[derive(Debug)]
pub(crate) struct Api {
    http: Http,
    /// What it connects to.
    pub(crate) connection: Connection,
}

/// What came of a change.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The object; of a dry run the plan.
    pub(crate) body: Value,
    /// Whether the hosts have it, where that was waited for.
    pub(crate) applied: Option<Applied>,
}

impl Answer {
    /// Fails where not every host has it in time.
    pub(crate) fn check_applied(&self) -> Result<(), Failure> {
        match &self.applied {
            Some(applied) if !applied.complete => Err(Failure::NotApplied(applied.clone())),
            _ => Ok(()),
        }
    }
}

impl Api {
    /// Of the context of this name, or of the current one.
    pub(crate) fn connect(context: Option<&str>) -> anyhow::Result<Self> {
        let connection = Connection::find(context)?;
        Ok(Self {
            http: Http::new(&connection)?,
            connection,
        })
    }

    /// Reads a path with these parameters.
    pub(crate) fn read(
        &self,
        path: String,
        query: Vec<(String, String)>,
    ) -> Result<Value, Failure> {
        let mut request = Request::get(path);
        request.query = query;
        Ok(self.http.send(&request)?.body)
    }

    /// One object.
    pub(crate) fn get(&self, kind: Kind, place: &Place, name: &str) -> Result<Value, Failure> {
        self.read(address::object(kind, place, name), Vec::new())
    }

    /// All objects of a list that have these labels.
    pub(crate) fn list(
        &self,
        kind: Kind,
        place: &Place,
        labels: &[String],
    ) -> Result<Vec<Value>, Failure> {
        let filter = labels
            .iter()
            .map(|label| ("label".to_owned(), label.clone()));
        self.pages(
            &address::collection(kind, place),
            &filter.collect::<Vec<_>>(),
        )
    }

    /// All pages of a path.
    pub(crate) fn pages(
        &self,
        path: &str,
        query: &[(String, String)],
    ) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut query = query.to_vec();
            query.push(("limit".to_owned(), PAGE_LIMIT.to_string()));
            query.extend(token.take().map(|token| ("page_token".to_owned(), token)));
            let page = self.read(path.to_owned(), query)?;
            let page: List<Value> = serde_json::from_value(page)
                .map_err(|error| Failure::NoAnswer(format!("{path} is no list: {error}")))?;
            items.extend(page.items);
            match page.next_page_token {
                Some(next) => token = Some(next),
                None => return Ok(items),
            }
        }
        Err(Failure::NoAnswer(format!(
            "{path} has more than {PAGES_MAX} pages; filter it by --label"
        )))
    }

    /// Makes an object. `query` is what its kind has besides, like a node's count.
    pub(crate) fn create(
        &self,
        kind: Kind,
        place: &Place,
        body: Value,
        query: Vec<(String, String)>,
        how: How,
    ) -> Result<Answer, Failure> {
        let mut request = Request::new(Method::POST, address::collection(kind, place));
        request.query = query;
        request.body = Some(body);
        self.change(request, how)
    }

    /// Replaces labels and spec of an object that is at this revision.
    pub(crate) fn replace(
        &self,
        kind: Kind,
        place: &Place,
        object: Value,
        how: How,
    ) -> Result<Answer, Failure> {
        let name = address::text(&object, "/metadata/name");
        let mut request = Request::new(Method::PUT, address::object(kind, place, name));
        request.if_match = address::revision(&object);
        request.body = Some(object);
        self.change(request, how)
    }

    /// Deletes an object, if a revision is given only at that one.
    pub(crate) fn delete(
        &self,
        kind: Kind,
        place: &Place,
        name: &str,
        revision: Option<u64>,
        how: How,
    ) -> Result<Answer, Failure> {
        let mut request = Request::new(Method::DELETE, address::object(kind, place, name));
        request.if_match = revision;
        self.change(request, how)
    }

    /// Does what has its own path below an object's, like moving a node.
    pub(crate) fn act(
        &self,
        (kind, place, name): (Kind, &Place, &str),
        action: &str,
        body: Option<Value>,
        how: How,
    ) -> Result<Answer, Failure> {
        let path = format!("{}/{action}", address::object(kind, place, name));
        let mut request = Request::new(Method::POST, path);
        request.body = body;
        self.change(request, how)
    }

    fn change(&self, mut request: Request, how: How) -> Result<Answer, Failure> {
        if how.is_dry_run {
            request
                .query
                .push(("dry_run".to_owned(), "true".to_owned()));
        }
        if let Some(timeout) = how.wait {
            request.patience = timeout;
            request
                .query
                .push(("wait".to_owned(), "applied".to_owned()));
            let timeout = format!("{}s", timeout.as_secs());
            request.query.push(("timeout".to_owned(), timeout));
        }
        // Drawn where standard error is a terminal.
        let spinner = how.wait.filter(|_| !how.is_quiet).map(|_| {
            let spinner = ProgressBar::new_spinner()
                .with_message("waiting until the hosts concerned have it in their maps");
            spinner.enable_steady_tick(SPINNER_TICK);
            spinner
        });
        let answer = self.http.send(&request);
        if let Some(spinner) = spinner {
            spinner.finish_and_clear();
        }
        let mut answer = answer?;
        Ok(Answer {
            applied: applied(&answer.headers, &mut answer.body),
            body: answer.body,
        })
    }
}

/// What the manager says of a change that was waited for. Where hosts have not applied it, the body names them beside
/// the object, from which that is taken out.
fn applied(headers: &HeaderMap, body: &mut Value) -> Option<Applied> {
    if headers.get("inlay-applied")? == "complete" {
        return Some(Applied {
            complete: true,
            ..Applied::default()
        });
    }
    let told = body.as_object_mut().and_then(|body| body.remove("applied"));
    let told = told.and_then(|told| serde_json::from_value(told).ok());
    Some(told.unwrap_or_default())
}
