//! Process groups and sessions.
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::tree::{self, Tree, TreeCell};
use super::{Process, Tid, signal};

/// A process group: what the shell calls a job.
pub struct Group {
    /// Its number: the process that made it, dead perhaps.
    pub id: Tid,
    /// The session it belongs to, for good.
    pub session: Arc<Session>,
    members: TreeCell<Vec<Arc<Process>>>,
}

/// A session: the groups that may share a terminal.
pub struct Session {
    /// Its number: the process that made it, dead perhaps.
    pub id: Tid,
    groups: TreeCell<usize>,
}

impl Group {
    /// A group without members in `session`; it enters the tree with its first member.
    pub(super) fn new(id: Tid, session: Arc<Session>) -> Arc<Self> {
        Arc::new(Self { id, session, members: TreeCell::new(Vec::new()) })
    }

    /// Its members, zombies included.
    pub fn members<'a>(&'a self, tree: &'a Tree) -> &'a [Arc<Process>] {
        self.members.get(tree)
    }

    /// The group with this number, if it exists.
    pub fn find(pgid: Tid) -> Option<Arc<Self>> {
        tree::lock().group(pgid).cloned()
    }

    /// Adds a member; the caller sets the member's own pointer.
    pub(super) fn join(self: &Arc<Self>, member: Arc<Process>, tree: &mut Tree) {
        if self.members.get(tree).is_empty() {
            if *self.session.groups.get(tree) == 0 {
                tree.set_session(self.session.id, Some(self.session.clone()));
            }
            *self.session.groups.get_mut(tree) += 1;
            tree.set_group(self.id, Some(self.clone()));
        }
        self.members.get_mut(tree).push(member);
    }

    /// Takes a member off; without members the group's number is free, and with its last group the session's.
    pub(super) fn leave(&self, member: &Process, tree: &mut Tree) {
        let members = self.members.get_mut(tree);
        if let Some(at) = members.iter().position(|m| core::ptr::eq(&**m, member)) {
            members.swap_remove(at);
        }
        if members.is_empty() {
            tree.set_group(self.id, None);
            let groups = self.session.groups.get_mut(tree);
            *groups -= 1;
            if *groups == 0 {
                tree.set_session(self.session.id, None);
            }
        }
    }

    /// Whether no member has a living parent outside the group but in the session: then nobody can continue the group
    /// once it has stopped. `without` counts as gone already.
    fn is_orphaned(&self, without: Option<&Process>, tree: &Tree) -> bool {
        !self.members(tree).iter().any(|member| {
            if without.is_some_and(|gone| core::ptr::eq(&**member, gone)) || member.is_zombie(tree) {
                return false;
            }
            let family = member.family.get(tree);
            let Some(parent) = &family.parent else { return false };
            if parent.pid == 1 {
                return false;
            }
            let parent_group = &parent.family.get(tree).group;
            parent_group.id != self.id && Arc::ptr_eq(&parent_group.session, &self.session)
        })
    }

    /// Whether the group is orphaned (the terminal refuses such groups rather than stop them).
    pub fn is_orphan(&self) -> bool {
        self.is_orphaned(None, &tree::lock())
    }

    fn has_stopped(&self, tree: &Tree) -> bool {
        self.members(tree).iter().any(|member| signal::is_stopped(member))
    }

    /// When the group just became orphaned by the exit (or move) of `leaver`, or of a parent, and a member is stopped:
    /// SIGHUP and SIGCONT to all, for nobody else would wake them.
    pub(super) fn check_newly_orphaned(&self, leaver: Option<&Process>, tree: &Tree) {
        if self.is_orphaned(leaver, tree) && self.has_stopped(tree) {
            for member in self.members(tree) {
                signal::send_kernel(member, signal::Signal::SIGHUP);
                signal::send_kernel(member, signal::Signal::SIGCONT);
            }
        }
    }
}

impl Session {
    /// A session without groups.
    pub(super) fn new(id: Tid) -> Arc<Self> {
        Arc::new(Self { id, groups: TreeCell::new(0) })
    }
}
