//! How much is done at a time: beyond it requests wait, and beyond that they are refused before anything is done.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::http::{HeaderValue, StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problems::{Failure, failure, overloaded};

/// Limits of what the API does at a time.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Requests that are worked on. Each holds its body, 1 MiB at most.
    pub running_max: usize,
    /// Requests that wait to be worked on.
    pub queued_max: usize,
    /// How long they wait.
    pub queue_time: Duration,
    /// Mutations that wait until the hosts have applied them (`wait=applied`). They are not among the running ones.
    pub waits_max: usize,
    /// Requests of one project that are worked on or wait for it: one client leaves room for others. The operator's
    /// own are not counted.
    pub per_project_max: usize,
    /// How long a body may take.
    pub body_time: Duration,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            running_max: 128,
            queued_max: 1_024,
            queue_time: Duration::from_secs(5),
            waits_max: 1_024,
            per_project_max: 64,
            body_time: Duration::from_secs(10),
        }
    }
}

/// What is being done.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: RequestLimits,
    running: Arc<Semaphore>,
    queued: Semaphore,
    waits: Arc<Semaphore>,
    projects: Arc<Mutex<HashMap<String, usize>>>,
}

impl Admission {
    pub(crate) fn new(limits: RequestLimits) -> Self {
        Self {
            limits,
            running: Arc::new(Semaphore::new(limits.running_max)),
            queued: Semaphore::new(limits.queued_max),
            waits: Arc::new(Semaphore::new(limits.waits_max)),
            projects: Arc::default(),
        }
    }

    pub(crate) fn limits(&self) -> &RequestLimits {
        &self.limits
    }

    /// Room to work on a request.
    ///
    /// # Errors
    /// 503: too many wait already, or there was none in time.
    pub(crate) async fn run(&self) -> Result<OwnedSemaphorePermit, Failure> {
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(permit);
        }
        let busy = || overloaded("too many requests are being worked on; try again", 1);
        let _queued = self.queued.try_acquire().map_err(|_| busy())?;
        let acquire = Arc::clone(&self.running).acquire_owned();
        match tokio::time::timeout(self.limits.queue_time, acquire).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(busy()),
        }
    }

    /// Room to wait for hosts, taken before anything is changed.
    ///
    /// # Errors
    /// 503: too many wait already.
    pub(crate) fn wait(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let permit = Arc::clone(&self.waits).try_acquire_owned();
        permit.map_err(|_| {
            overloaded(
                "too many requests wait for hosts; leave out wait=applied",
                5,
            )
        })
    }

    /// A request of a project, while what is returned is held.
    ///
    /// # Errors
    /// 429: it has too many.
    pub(crate) fn count(&self, project: &str) -> Result<ProjectRequest, Failure> {
        let mut projects = lock(&self.projects);
        let count = projects.entry(project.to_owned()).or_default();
        if *count >= self.limits.per_project_max {
            return Err(too_many(self.limits.per_project_max));
        }
        *count += 1;
        Ok(ProjectRequest {
            projects: Arc::clone(&self.projects),
            project: project.to_owned(),
        })
    }
}

fn too_many(limit: usize) -> Failure {
    failure(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-requests",
        "Too many requests at a time",
        format!("{limit} requests of this project are being worked on; wait for their answers"),
    )
    .with_header(header::RETRY_AFTER, HeaderValue::from(1))
}

/// A request of a project that is being worked on.
#[derive(Debug)]
pub(crate) struct ProjectRequest {
    projects: Arc<Mutex<HashMap<String, usize>>>,
    project: String,
}

impl Drop for ProjectRequest {
    fn drop(&mut self) {
        let mut projects = lock(&self.projects);
        if let Some(count) = projects.get_mut(&self.project) {
            *count -= 1;
            if *count == 0 {
                projects.remove(&self.project);
            }
        }
    }
}

fn lock(counts: &Mutex<HashMap<String, usize>>) -> MutexGuard<'_, HashMap<String, usize>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Admission {
        Admission::new(RequestLimits {
            running_max: 1,
            queued_max: 1,
            waits_max: 1,
            per_project_max: 1,
            queue_time: Duration::from_mins(1),
            ..RequestLimits::default()
        })
    }

    #[tokio::test]
    async fn one_runs_one_waits_and_the_next_is_refused() {
        let admission = Arc::new(small());
        let first = admission.run().await.unwrap();
        let waiting = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.run().await.is_ok() }
        });
        while admission.queued.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(admission.run().await.is_err());
        drop(first);
        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn who_waits_too_long_is_refused() {
        let admission = Admission::new(RequestLimits {
            queue_time: Duration::from_millis(10),
            ..*small().limits()
        });
        let _first = admission.run().await.unwrap();
        assert!(admission.run().await.is_err());
    }

    #[test]
    fn a_project_has_room_again_when_its_request_is_over() {
        let admission = small();
        let first = admission.count("a").unwrap();
        assert!(admission.count("a").is_err());
        assert!(admission.count("b").is_ok());
        drop(first);
        assert!(admission.count("a").is_ok());
        assert!(lock(&admission.projects).is_empty());
    }

    #[test]
    fn waits_are_counted_apart() {
        let admission = small();
        let _first = admission.wait().unwrap();
        assert!(admission.wait().is_err());
    }
}
