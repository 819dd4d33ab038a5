//! Which pages of a range of memory were written since they were mapped: the kernel knows, so that a snapshot need not look
//! at the others. And giving them back to it.
use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::OnceLock;

/// Ranges that one call tells of.
const REGIONS: usize = 256;

const PAGE_IS_FILE: u64 = 1 << 2;
const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;
const PAGE_IS_PFNZERO: u64 = 1 << 5;

/// `struct page_region` of `linux/fs.h`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg` of `linux/fs.h`.
#[repr(C)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `PAGEMAP_SCAN`: `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: libc::Ioctl = ((3 << 30) | ((size_of::<Scan>() as u64) << 16) | ((b'f' as u64) << 8) | 16) as _;

/// The ranges of `memory`, bytes from its start, whose pages are no longer those of the file that was mapped, in order. None
/// where the kernel (before Linux 6.7) can't tell.
pub(crate) fn written(memory: &[u8]) -> Option<Vec<Range<usize>>> {
    static PAGEMAP: OnceLock<Option<File>> = OnceLock::new();
    let pagemap = PAGEMAP.get_or_init(|| File::open("/proc/self/pagemap").ok()).as_ref()?;
    let base = memory.as_ptr() as u64;
    let end = base + memory.len() as u64;
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut regions = [Region::default(); REGIONS];
    let mut start = base;
    while start < end {
        let mut scan = Scan {
            size: size_of::<Scan>() as u64,
            flags: 0,
            start,
            end,
            walk_end: 0,
            vec: regions.as_mut_ptr() as u64,
            vec_len: REGIONS as u64,
            max_pages: 0,
            // There, and neither the file's nor the zero page.
            category_inverted: PAGE_IS_FILE | PAGE_IS_PFNZERO,
            category_mask: PAGE_IS_FILE | PAGE_IS_PFNZERO,
            category_anyof_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
            return_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        };
        // SAFETY: the kernel writes at most `vec_len` regions, and `walk_end`.
        let count = unsafe { libc::ioctl(pagemap.as_raw_fd(), PAGEMAP_SCAN, &raw mut scan) };
        let count = usize::try_from(count).ok()?;
        for region in &regions[..count.min(REGIONS)] {
            let range = (region.start - base) as usize..(region.end - base) as usize;
            match found.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => found.push(range),
            }
        }
        if scan.walk_end <= start {
            break;
        }
        start = scan.walk_end;
    }
    Some(found)
}

/// Gives back what was written of a private mapping: it reads as when it was mapped again. Nothing happens if the kernel refuses.
///
/// # Safety
/// Nothing may rely on what is in the mapping, nor refer to it; address and length are those of whole pages.
pub(crate) unsafe fn give_back(memory: std::ptr::NonNull<u8>, len: usize) {
    // SAFETY: see above.
    let given = unsafe { rustix::mm::madvise(memory.as_ptr().cast(), len, rustix::mm::Advice::LinuxDontNeed) };
    if let Err(error) = given {
        tracing::warn!(%error, "a heap's memory was not given back");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_told_and_nothing_else() {
        const PAGE: usize = 4096;
        let file = tempfile::tempfile().unwrap();
        file.set_len(64 * PAGE as u64).unwrap();
        // SAFETY: a new private mapping of a file that nobody else has.
        let memory = unsafe {
            let address = libc::mmap(
                std::ptr::null_mut(),
                64 * PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            );
            assert_ne!(address, libc::MAP_FAILED);
            std::slice::from_raw_parts_mut(address.cast::<u8>(), 64 * PAGE)
        };
        let Some(before) = written(memory) else { return };
        assert_eq!(before, []);
        let read: u64 = memory.iter().map(|byte| u64::from(*byte)).sum();
        assert_eq!(read, 0);
        for page in [3, 4, 63] {
            memory[page * PAGE] = 1;
        }
        assert_eq!(written(memory).unwrap(), [3 * PAGE..5 * PAGE, 63 * PAGE..64 * PAGE]);
        // More ranges than one call tells of need a larger map; every second page here is the most that fits.
        for page in (0..64).step_by(2) {
            memory[page * PAGE] = 1;
        }
        let pages: usize = written(memory).unwrap().iter().map(|range| range.len() / PAGE).sum();
        assert_eq!(pages, 32 + 2);
    }
}
