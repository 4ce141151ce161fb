//! Work that doesn't fit a reconcile: supervised, keyed by resource, attempt and kind, and ended with the leadership.
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::task::JoinHandle;

use crate::error::Error;

/// What a task is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Writes a marker row into every stream at a fixed interval.
    Markers,
    /// ANALYZE and VACUUM on the upgraded clone.
    Maintenance,
    /// Compares both sides while the application writes.
    Comparison,
    /// Compares both sides as of the fence.
    Proof,
    /// Compares both sides in the reverse direction while the application writes on the new one.
    ReverseComparison,
}

/// Names one task: a second start with the same key finds the first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The resource's uid.
    pub uid: String,
    /// The attempt that the task works for.
    pub attempt: i32,
    /// What it does.
    pub kind: Kind,
}

/// What has become of a task.
#[derive(Debug)]
pub enum Progress {
    /// Still at work.
    Running,
    /// Ended well. The task is forgotten.
    Done,
    /// Ended with an error. The task is forgotten, so that the next start tries again.
    Failed(Error),
}

/// The tasks of this process. Dropping it ends them all.
#[derive(Debug, Default)]
pub struct Tasks {
    running: Mutex<HashMap<Key, JoinHandle<Result<(), Error>>>>,
}

impl Tasks {
    /// Starts the work unless a task of this key is there already.
    pub fn start(&self, key: Key, work: impl Future<Output = Result<(), Error>> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.entry(key).or_insert_with(|| tokio::spawn(work));
    }

    /// Whether a task of this key has been started and not been collected.
    #[must_use]
    pub fn has(&self, key: &Key) -> bool {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(key)
    }

    /// What has become of the task; `None` if there is no such task (a new process knows none).
    pub async fn collect(&self, key: &Key) -> Option<Progress> {
        let handle = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            match running.get(key) {
                None => return None,
                Some(handle) if !handle.is_finished() => return Some(Progress::Running),
                Some(_) => running.remove(key)?,
            }
        };
        Some(match handle.await {
            Ok(Ok(())) => Progress::Done,
            Ok(Err(error)) => Progress::Failed(error),
            Err(join) => Progress::Failed(Error::Task(join.to_string())),
        })
    }

    /// Ends the task and waits until it is gone.
    pub async fn stop(&self, key: &Key) {
        let handle = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        if let Some(handle) = handle {
            handle.abort();
            drop(handle.await);
        }
    }

    /// Ends every task of a resource.
    pub async fn stop_all_of(&self, uid: &str) {
        let keys: Vec<Key> = {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.keys().filter(|key| key.uid == uid).cloned().collect()
        };
        for key in keys {
            self.stop(&key).await;
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for handle in self.running.get_mut().unwrap_or_else(PoisonError::into_inner).values() {
            handle.abort();
        }
    }
}
