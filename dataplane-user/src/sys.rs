//! Commands of bpf(2) that aya keeps to itself or has no call for: batches of map entries, and links
//! whose creation never falls back to what cannot be pinned.

use std::{
    ffi::CString,
    fs, io, mem,
    os::{
        fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
    ptr,
};

use aya_obj::generated::{
    bpf_attach_type, bpf_attr, bpf_cmd, bpf_link_info, bpf_map_info, bpf_prog_info,
};

use crate::Error;

/// A new attribute: all zeros, which the kernel takes for "not given".
fn blank() -> bpf_attr {
    // SAFETY: `bpf_attr` is a union of structures of integers, for which zeros are values.
    unsafe { mem::zeroed() }
}

fn call(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<i64> {
    // SAFETY: the attribute is whole; the callers below say why its pointers hold.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            libc::c_long::from(command as u32),
            ptr::from_mut(attr),
            size_of::<bpf_attr>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn call_for_fd(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<OwnedFd> {
    let fd = i32::try_from(call(command, attr)?).map_err(io::Error::other)?;
    // SAFETY: the command returned a descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

fn path_string(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

/// How a pin is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    /// Nothing can be written through it.
    Read,
    /// Everything.
    ReadWrite,
}

const READ_ONLY: u32 = 1 << 3;

/// Opens what is pinned at `path`.
pub(crate) fn open_pin(path: &Path, access: Access) -> io::Result<OwnedFd> {
    let path = path_string(path)?;
    let mut attr = blank();
    attr.__bindgen_anon_4.pathname = path.as_ptr() as u64;
    attr.__bindgen_anon_4.file_flags = match access {
        Access::Read => READ_ONLY,
        Access::ReadWrite => 0,
    };
    // The string outlives the call.
    call_for_fd(bpf_cmd::BPF_OBJ_GET, &mut attr)
}

/// Pins `fd` at `path`.
pub(crate) fn pin(fd: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = path_string(path)?;
    let mut attr = blank();
    attr.__bindgen_anon_4.pathname = path.as_ptr() as u64;
    attr.__bindgen_anon_4.bpf_fd = number(fd);
    // The string outlives the call.
    call(bpf_cmd::BPF_OBJ_PIN, &mut attr).map(drop)
}

/// Attaches an XDP program to an interface of this network namespace. `flags` are netlink's `XDP_FLAGS_…`.
pub(crate) fn create_link(
    program: BorrowedFd<'_>,
    interface_index: u32,
    flags: u32,
) -> io::Result<OwnedFd> {
    let mut attr = blank();
    attr.link_create.__bindgen_anon_1.prog_fd = number(program);
    attr.link_create.__bindgen_anon_2.target_ifindex = interface_index;
    attr.link_create.attach_type = bpf_attach_type::BPF_XDP as u32;
    attr.link_create.flags = flags;
    call_for_fd(bpf_cmd::BPF_LINK_CREATE, &mut attr)
}

/// Gives a link another program, atomically.
pub(crate) fn update_link(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = blank();
    attr.link_update.link_fd = number(link);
    attr.link_update.__bindgen_anon_1.new_prog_fd = number(program);
    call(bpf_cmd::BPF_LINK_UPDATE, &mut attr).map(drop)
}

/// Detaches a link at once; the kernel takes its time over one whose last holder goes.
pub(crate) fn detach_link(link: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = blank();
    attr.link_detach.link_fd = number(link);
    call(bpf_cmd::BPF_LINK_DETACH, &mut attr).map(drop)
}

/// An XDP link, as the kernel tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LinkInfo {
    /// The program's number.
    pub(crate) program: u32,
    /// The interface; 0 where it is gone.
    pub(crate) interface_index: u32,
}

/// What a link is.
pub(crate) fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    // SAFETY: as for `blank`.
    let mut info: bpf_link_info = unsafe { mem::zeroed() };
    let mut attr = blank();
    attr.info.bpf_fd = number(link);
    attr.info.info_len = u32::try_from(size_of::<bpf_link_info>()).map_err(io::Error::other)?;
    attr.info.info = ptr::from_mut(&mut info) as u64;
    // The kernel writes at most `info_len` bytes to `info`, which outlives the call.
    call(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr)?;
    // SAFETY: every bit pattern is a value of the union's integers; only XDP links are asked for.
    let interface_index = unsafe { info.__bindgen_anon_1.xdp.ifindex };
    Ok(LinkInfo {
        program: info.prog_id,
        interface_index,
    })
}

/// How long a program ran, as the kernel counts it while `kernel.bpf_stats_enabled` is 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Runs {
    /// How often.
    pub(crate) count: u64,
    /// How long, in nanoseconds, all together.
    pub(crate) time_ns: u64,
}

/// What was counted of a program.
pub(crate) fn program_runs(program: BorrowedFd<'_>) -> io::Result<Runs> {
    // SAFETY: as for `blank`; zeros are no pointers that the kernel would write through.
    let mut info: bpf_prog_info = unsafe { mem::zeroed() };
    let mut attr = blank();
    attr.info.bpf_fd = number(program);
    attr.info.info_len = u32::try_from(size_of::<bpf_prog_info>()).map_err(io::Error::other)?;
    attr.info.info = ptr::from_mut(&mut info) as u64;
    // The kernel writes at most `info_len` bytes to `info`, which outlives the call.
    call(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr)?;
    Ok(Runs {
        count: info.run_cnt,
        time_ns: info.run_time_ns,
    })
}

/// What must be known of a map before memory is handed to the kernel for its keys and values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Sizes {
    pub(crate) key_bytes: u32,
    pub(crate) value_bytes: u32,
    pub(crate) entries_max: u32,
}

/// The sizes of a map.
pub(crate) fn sizes(map: BorrowedFd<'_>) -> io::Result<Sizes> {
    // SAFETY: as for `blank`.
    let mut info: bpf_map_info = unsafe { mem::zeroed() };
    let mut attr = blank();
    attr.info.bpf_fd = number(map);
    attr.info.info_len = u32::try_from(size_of::<bpf_map_info>()).map_err(io::Error::other)?;
    attr.info.info = ptr::from_mut(&mut info) as u64;
    // The kernel writes at most `info_len` bytes to `info`, which outlives the call.
    call(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr)?;
    let bpf_map_info {
        key_size: key_bytes,
        value_size: value_bytes,
        max_entries,
        ..
    } = info;
    Ok(Sizes {
        key_bytes,
        value_bytes,
        entries_max: max_entries,
    })
}

/// Bytes of kernel memory of a map, as the kernel accounts them.
pub(crate) fn memory_bytes(map: &OwnedFd) -> Result<u64, Error> {
    let path = format!("/proc/self/fdinfo/{}", map.as_raw_fd());
    let text = fs::read_to_string(&path).map_err(Error::file("read", path))?;
    let bytes = text.lines().find_map(|line| line.strip_prefix("memlock:"));
    Ok(bytes
        .and_then(|bytes| bytes.trim().parse().ok())
        .unwrap_or(0))
}

/// Keys and values in memory, for one command on a map. The caller vouches for their sizes.
pub(crate) struct Batch<'a> {
    /// The map.
    pub(crate) map: BorrowedFd<'a>,
    /// The first key.
    pub(crate) keys: *mut u8,
    /// The first value; null where the command takes none.
    pub(crate) values: *mut u8,
    /// How many of each there are.
    pub(crate) count: usize,
}

/// A batch that was not carried out to its end.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// Entries that were done.
    pub(crate) done: usize,
    /// Why the next was not.
    pub(crate) error: io::Error,
}

impl Batch<'_> {
    fn attr(&self) -> bpf_attr {
        let mut attr = blank();
        attr.batch.map_fd = number(self.map);
        attr.batch.keys = self.keys as u64;
        attr.batch.values = self.values as u64;
        attr.batch.count = u32::try_from(self.count).unwrap_or(u32::MAX);
        attr
    }

    /// Runs the command.
    ///
    /// # Safety
    /// `keys` and `values` are good for `count` entries of the map's key and value size.
    unsafe fn run(command: bpf_cmd, attr: &mut bpf_attr) -> Result<usize, Stopped> {
        let result = call(command, attr);
        // SAFETY: the member that `attr` was filled as.
        let done = unsafe { attr.batch.count } as usize;
        match result {
            Ok(_) => Ok(done),
            // Refused as a whole, the count is as it was given.
            Err(error) if error.raw_os_error() == Some(libc::EFAULT) => {
                Err(Stopped { done: 0, error })
            }
            Err(error) => Err(Stopped { done, error }),
        }
    }

    /// Writes all entries.
    ///
    /// # Safety
    /// As for `run`.
    pub(crate) unsafe fn update(&self) -> Result<usize, Stopped> {
        // SAFETY: the caller's promise.
        unsafe { Self::run(bpf_cmd::BPF_MAP_UPDATE_BATCH, &mut self.attr()) }
    }

    /// Removes entries up to the first that is not there.
    ///
    /// # Safety
    /// As for `run`, for the keys.
    pub(crate) unsafe fn delete(&self) -> Result<usize, Stopped> {
        // SAFETY: the caller's promise.
        unsafe { Self::run(bpf_cmd::BPF_MAP_DELETE_BATCH, &mut self.attr()) }
    }

    /// Reads up to `count` entries behind `position` (from the start where there is none), which becomes the
    /// position behind them. `Stopped` with ENOENT at the map's end.
    ///
    /// # Safety
    /// As for `run`, for writing; and a position is of four bytes: true of arrays and hashes.
    pub(crate) unsafe fn lookup(&self, position: &mut Option<u32>) -> Result<usize, Stopped> {
        let mut attr = self.attr();
        let mut next = 0u32;
        let from = *position;
        attr.batch.in_batch = from.as_ref().map_or(0, |from| ptr::from_ref(from) as u64);
        attr.batch.out_batch = ptr::from_mut(&mut next) as u64;
        // SAFETY: the caller's promise; both positions outlive the call.
        let result = unsafe { Self::run(bpf_cmd::BPF_MAP_LOOKUP_BATCH, &mut attr) };
        *position = Some(next);
        result
    }
}

/// One entry of a map. The caller vouches for the sizes.
pub(crate) struct Entry<'a> {
    /// The map.
    pub(crate) map: BorrowedFd<'a>,
    /// The key.
    pub(crate) key: *const u8,
    /// The value; null where the command takes none.
    pub(crate) value: *mut u8,
}

impl Entry<'_> {
    fn attr(&self) -> bpf_attr {
        let mut attr = blank();
        attr.__bindgen_anon_2.map_fd = number(self.map);
        attr.__bindgen_anon_2.key = self.key as u64;
        attr.__bindgen_anon_2.__bindgen_anon_1.value = self.value as u64;
        attr
    }

    /// Reads the value. False where there is none.
    ///
    /// # Safety
    /// Key and value are of the map's sizes, the value for every possible CPU where it is per CPU.
    pub(crate) unsafe fn lookup(&self) -> io::Result<bool> {
        found(call(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut self.attr()))
    }

    /// Writes the value.
    ///
    /// # Safety
    /// As for `lookup`.
    pub(crate) unsafe fn update(&self) -> io::Result<()> {
        call(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut self.attr()).map(drop)
    }

    /// Removes the entry. False where there is none.
    ///
    /// # Safety
    /// The key is of the map's size.
    pub(crate) unsafe fn delete(&self) -> io::Result<bool> {
        found(call(bpf_cmd::BPF_MAP_DELETE_ELEM, &mut self.attr()))
    }
}

fn found(result: io::Result<i64>) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}
