//! How many agents are served at a time, and how patiently.

use std::time::Duration;

/// Report intervals after which a stream that says nothing is dead.
pub(super) const SILENT_INTERVALS: u32 = 3;
/// Complete updates that a host may have been sent and not acknowledged: what changes meanwhile is sent as one.
pub(super) const WINDOW_MAX: usize = 2;
/// Messages of a session that wait for its connection, each of about 16 KiB at most.
pub(super) const MESSAGES_MAX: usize = 2;
/// Bytes of the longest message of an agent.
pub(super) const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Rejections and degraded ports that are kept of a host, each.
pub(super) const COMPLAINTS_MAX: usize = 1_024;
/// Bytes of a reason that are kept.
pub(super) const REASON_BYTES_MAX: usize = 1_024;
/// Questions to a host that wait for an answer.
pub(super) const QUESTIONS_MAX: usize = 16;
/// How long an answer is waited for.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(3);
/// How long a host may take to be sent whole scopes, before its turn is somebody else's.
pub(super) const TRANSFER_TIME: Duration = Duration::from_mins(1);

/// What an operator, a test or a benchmark may choose.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How often agents report.
    pub report_interval: Duration,
    /// Streams at a time; further agents are told to come again.
    pub sessions_max: usize,
    /// Hosts at a time that are sent whole scopes; the others wait for their turn.
    pub transfers_max: usize,
    /// How long they wait, before they are told to come again.
    pub turn_time: Duration,
    /// After this time without a stream, a host is not waited for before a node's former host may forget it.
    pub patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            report_interval: Duration::from_secs(5),
            sessions_max: 4_096,
            transfers_max: 64,
            turn_time: Duration::from_secs(5),
            patience: Duration::from_secs(30),
        }
    }
}
