//! Waiting for any of several files.
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::sync::WaitQueue;
use crate::task::Task;

/// The queues one poll waits on. Looking without waiting uses [`PollTable::none`].
pub struct PollTable<'a> {
    task: Option<&'a Arc<Task>>,
    queues: Vec<Queue>,
}

enum Queue {
    Shared(Arc<WaitQueue>),
    Static(&'static WaitQueue),
}

impl<'a> PollTable<'a> {
    /// For looking only.
    pub const fn none() -> Self {
        Self { task: None, queues: Vec::new() }
    }

    /// For `task` to wait.
    pub const fn new(task: &'a Arc<Task>) -> Self {
        Self { task: Some(task), queues: Vec::new() }
    }

    /// Enters the task in `queue`. To be called before looking at the state whose changes wake the queue.
    pub fn wait_on(&mut self, queue: &Arc<WaitQueue>) {
        if let Some(task) = self.task {
            queue.register(task, false);
            self.queues.push(Queue::Shared(queue.clone()));
        }
    }

    /// As [`Self::wait_on`], for a queue that is always there.
    pub fn wait_on_static(&mut self, queue: &'static WaitQueue) {
        if let Some(task) = self.task {
            queue.register(task, false);
            self.queues.push(Queue::Static(queue));
        }
    }

    /// Takes the task out of all the queues.
    pub fn clear(&mut self) {
        if let Some(task) = self.task {
            for queue in self.queues.drain(..) {
                match queue {
                    Queue::Shared(queue) => queue.unregister(task),
                    Queue::Static(queue) => queue.unregister(task),
                };
            }
        }
    }
}

impl Drop for PollTable<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}
