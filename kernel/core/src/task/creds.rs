//! Credentials: who a task acts for.
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use tollgate_abi::Result;

use super::current;
use crate::sync::{Rank, SpinLock};

/// Most supplementary groups (NGROUPS_MAX).
pub const MAX_GROUPS: usize = 65536;

/// User and group identities of a task; immutable once a task has them (changes make new ones).
#[derive(Clone)]
/// The fields are those of credentials(7).
pub struct Creds {
    pub uid: u32,
    pub euid: u32,
    pub suid: u32,
    pub fsuid: u32,
    pub gid: u32,
    pub egid: u32,
    pub sgid: u32,
    pub fsgid: u32,
    /// Supplementary groups, sorted.
    pub groups: Arc<[u32]>,
    /// The account of the real user, for limits per user.
    pub user: Arc<User>,
}

impl Creds {
    /// The superuser's.
    pub fn root() -> Arc<Self> {
        Arc::new(Self {
            uid: 0,
            euid: 0,
            suid: 0,
            fsuid: 0,
            gid: 0,
            egid: 0,
            sgid: 0,
            fsgid: 0,
            groups: Arc::new([]),
            user: User::of(0),
        })
    }

    /// Whether rules do not hold for this task: the effective user is the superuser. (Tollgate has no finer
    /// capabilities.)
    pub fn is_privileged(&self) -> bool {
        self.euid == 0
    }

    /// Whether `gid` is the file system group or a supplementary one.
    pub fn in_group(&self, gid: u32) -> bool {
        gid == self.fsgid || self.groups.binary_search(&gid).is_ok()
    }

    /// Whether a task with these credentials may act on one with `target`'s as if on its own: real or effective user
    /// is the target's real or saved one (the rule of kill(2)).
    pub fn may_signal(&self, target: &Self) -> bool {
        self.is_privileged() || [self.uid, self.euid].iter().any(|&id| id == target.uid || id == target.suid)
    }
}

/// Replaces the current task's credentials by what `change` makes of them. When an effective identity changes the
/// process is no longer dumpable and forgets its parent-death signal.
///
/// # Errors
/// `change`'s.
pub fn change(change: impl FnOnce(&mut Creds) -> Result<()>) -> Result<()> {
    let me = current();
    let old = me.creds();
    let mut new = (*old).clone();
    change(&mut new)?;
    if new.uid != old.uid {
        new.user = User::of(new.uid);
    }
    let new = Arc::new(new);
    {
        let mut slot = me.creds.lock();
        if new.uid != old.uid {
            old.user.remove_task();
            new.user.add_task();
        }
        *slot = new.clone();
    }
    let effective = |creds: &Creds| (creds.euid, creds.egid, creds.fsuid, creds.fsgid);
    if effective(&old) != effective(&new) {
        me.process.dumpable.store(0, Ordering::Relaxed);
        me.parent_death_signal.store(0, Ordering::Relaxed);
    }
    Ok(())
}

/// Sorts supplementary groups as [`Creds::groups`] wants them.
pub fn group_list(mut groups: Vec<u32>) -> Arc<[u32]> {
    groups.sort_unstable();
    groups.into()
}

/// What is counted per user.
pub struct User {
    uid: u32,
    tasks: AtomicUsize,
    /// Queued signals (RLIMIT_SIGPENDING).
    pub pending_signals: AtomicUsize,
}

static USERS: SpinLock<BTreeMap<u32, Weak<User>>> = SpinLock::new(Rank::Accounts, BTreeMap::new());

impl User {
    /// The account of user `uid`.
    pub fn of(uid: u32) -> Arc<Self> {
        let mut users = USERS.lock();
        if let Some(user) = users.get(&uid).and_then(Weak::upgrade) {
            return user;
        }
        let user = Arc::new(Self { uid, tasks: AtomicUsize::new(0), pending_signals: AtomicUsize::new(0) });
        users.insert(uid, Arc::downgrade(&user));
        user
    }

    /// Tasks of this user.
    pub fn tasks(&self) -> usize {
        self.tasks.load(Ordering::Relaxed)
    }

    /// Counts one task more.
    pub(super) fn add_task(&self) {
        self.tasks.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one task less.
    pub(super) fn remove_task(&self) {
        self.tasks.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let mut users = USERS.lock();
        // A new account of the same number may have taken the place already.
        if users.get(&self.uid).is_some_and(|user| user.strong_count() == 0) {
            users.remove(&self.uid);
        }
    }
}
