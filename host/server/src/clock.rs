//! The one place that asks what time it is, for rows and answers.
use std::time::SystemTime;

use model::Timestamp;

/// Now.
pub fn now() -> Timestamp {
    SystemTime::now().into()
}
