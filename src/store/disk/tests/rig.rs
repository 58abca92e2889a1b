//! A medium that fails on demand, and keeps a log of what was written, synced, made and removed.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use super::super::latch::Latch;
use super::super::medium::{Folder, Medium, MetaFile};
use super::super::naming::FileName;
use super::super::{Disk, DiskError, DiskSettings, OpenReport};

/// A call that may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Enter,
    Create,
    Open,
    Read,
    Write,
    Sync,
    MetaRead,
    MetaWrite,
    MetaSync,
}

/// The file that an operation is on; `None`: the metadata.
pub(super) type Target = Option<PathBuf>;

/// Something that a crash may undo.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Create(PathBuf),
    Unlink(PathBuf),
    Write(Target, u64, Vec<u8>),
    SetLength(u64),
    Sync(Target),
}

#[derive(Debug, Default)]
struct State {
    /// Calls that fail, how, and how often.
    failing: Vec<(Call, Errno, usize)>,
    log: Vec<Op>,
    is_logging: bool,
    calls: Vec<(Call, u64)>,
}

/// What the media of a store share.
#[derive(Debug, Default)]
pub(super) struct Rig {
    state: Latch<State>,
}

impl Rig {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn logging() -> Arc<Self> {
        let rig = Self::new();
        rig.state.lock().is_logging = true;
        rig
    }

    pub(super) fn open(
        self: &Arc<Self>,
        settings: DiskSettings,
    ) -> Result<(Disk, OpenReport), DiskError> {
        let rig = Arc::clone(self);
        let enter = move |path: &Path| {
            rig.call(Call::Enter)?;
            let folder = Folder::open(path)?;
            let rig = Arc::clone(&rig);
            Ok(Arc::new(Rigged { folder, rig }) as Arc<dyn Medium>)
        };
        Disk::open_on(settings, Box::new(enter))
    }

    /// Lets the next `count` of these calls fail.
    pub(super) fn fail(&self, call: Call, errno: Errno, count: usize) {
        self.state.lock().failing.push((call, errno, count));
    }

    pub(super) fn heal(&self) {
        self.state.lock().failing.clear();
    }

    pub(super) fn log_length(&self) -> usize {
        self.state.lock().log.len()
    }

    pub(super) fn log(&self) -> Vec<Op> {
        self.state.lock().log.clone()
    }

    /// How often a call was made.
    pub(super) fn count(&self, call: Call) -> u64 {
        let state = self.state.lock();
        let counts = state.calls.iter().filter(|(known, _)| *known == call);
        counts.map(|(_, count)| count).sum()
    }

    fn call(&self, call: Call) -> io::Result<()> {
        let mut state = self.state.lock();
        match state.calls.iter_mut().find(|(known, _)| *known == call) {
            Some((_, count)) => *count += 1,
            None => state.calls.push((call, 1)),
        }
        let mut failing = state.failing.iter_mut();
        if let Some((_, errno, count)) =
            failing.find(|(known, _, count)| *known == call && *count > 0)
        {
            *count -= 1;
            return Err((*errno).into());
        }
        Ok(())
    }

    /// Does `work` and logs it, as one step.
    fn logged<T>(
        &self,
        op: impl FnOnce() -> Op,
        work: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state.lock();
        let done = work()?;
        if state.is_logging {
            state.log.push(op());
        }
        Ok(done)
    }
}

#[derive(Debug)]
struct Rigged {
    folder: Folder,
    rig: Arc<Rig>,
}

#[derive(Debug)]
struct RiggedMeta {
    file: Box<dyn MetaFile>,
    rig: Arc<Rig>,
}

impl Medium for Rigged {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn meta(&self) -> io::Result<Box<dyn MetaFile>> {
        let (file, rig) = (self.folder.meta()?, Arc::clone(&self.rig));
        Ok(Box::new(RiggedMeta { file, rig }))
    }

    fn set_meta_aside(&self) -> io::Result<String> {
        self.folder.set_meta_aside()
    }

    fn create(&self, name: &FileName) -> io::Result<OwnedFd> {
        self.rig.call(Call::Create)?;
        self.rig
            .logged(|| Op::Create(name.path()), || self.folder.create(name))
    }

    fn open(&self, name: &FileName) -> io::Result<OwnedFd> {
        self.rig.call(Call::Open)?;
        self.folder.open(name)
    }

    fn write(
        &self,
        name: &FileName,
        file: BorrowedFd<'_>,
        offset: u64,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.rig.call(Call::Write)?;
        let op = || Op::Write(Some(name.path()), offset, bytes.to_vec());
        self.rig
            .logged(op, || self.folder.write(name, file, offset, bytes))
    }

    fn read(&self, file: BorrowedFd<'_>, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.rig.call(Call::Read)?;
        self.folder.read(file, offset, buffer)
    }

    fn sync(&self, name: &FileName, file: BorrowedFd<'_>) -> io::Result<()> {
        self.rig.call(Call::Sync)?;
        self.rig.logged(
            || Op::Sync(Some(name.path())),
            || self.folder.sync(name, file),
        )
    }

    fn unlink(&self, name: &FileName) -> io::Result<()> {
        self.rig
            .logged(|| Op::Unlink(name.path()), || self.folder.unlink(name))
    }

    fn names(&self, shelf: u8, each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.folder.names(shelf, each)
    }

    fn remove_odd(&self, shelf: u8, name: &[u8]) -> io::Result<()> {
        self.folder.remove_odd(shelf, name)
    }

    fn probe(&self) -> io::Result<()> {
        self.rig.call(Call::Write)?;
        self.rig.call(Call::Sync)?;
        self.folder.probe()
    }
}

impl MetaFile for RiggedMeta {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.rig.call(Call::MetaRead)?;
        self.file.read(offset, buffer)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.rig.call(Call::MetaWrite)?;
        let op = || Op::Write(None, offset, bytes.to_vec());
        self.rig.logged(op, || self.file.write(offset, bytes))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.rig.call(Call::MetaWrite)?;
        self.rig
            .logged(|| Op::SetLength(length), || self.file.set_length(length))
    }

    fn sync(&self) -> io::Result<()> {
        self.rig.call(Call::MetaSync)?;
        self.rig.logged(|| Op::Sync(None), || self.file.sync())
    }

    fn held(&self) -> io::Result<u64> {
        self.file.held()
    }
}
