//! The write-ahead log, looked at before SQLite reads it: SQLite takes it up to the first frame that does not fit, as after a power
//! cut, and says nothing of what lies behind.
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

const MAGIC: u32 = 0x377f_0682;
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const PAGE_MAX: usize = 65_536;

/// SQLite's sum over pairs of words, which goes on from one frame to the next.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    fn add(&mut self, bytes: &[u8], big_endian: bool) {
        let word = |bytes: [u8; 4]| if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let (words, _) = bytes.as_chunks::<4>();
        for pair in words.chunks_exact(2) {
            self.0 = self.0.wrapping_add(word(pair[0])).wrapping_add(self.1);
            self.1 = self.1.wrapping_add(word(pair[1])).wrapping_add(self.0);
        }
    }
}

/// The big-endian word at a place of a header.
fn word(header: &[u8], at: usize) -> u32 {
    header.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Whether all of it could be read; what follows the last whole frame counts for nothing.
fn fill(from: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<bool> {
    match from.read_exact(bytes) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

/// Whether commits lie behind a place that does not fit. One alone may be the last, torn by a power cut before anybody was told
/// of it; two are damage, since each was on the disk before the next began.
pub(crate) fn lost_commits(path: &Path) -> std::io::Result<bool> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        file => BufReader::with_capacity(1 << 20, file?),
    };
    let mut header = [0; HEADER];
    if !fill(&mut file, &mut header)? {
        return Ok(false);
    }
    let (magic, page) = (word(&header, 0), word(&header, 8) as usize);
    let big_endian = magic & 1 == 1;
    let mut sum = Sum::default();
    sum.add(&header[..24], big_endian);
    // In one sector, and so never torn.
    let fits = magic & !1 == MAGIC && (512..=PAGE_MAX).contains(&page) && page.is_power_of_two();
    if !fits || sum != Sum(word(&header, 24), word(&header, 28)) {
        return Ok(true);
    }
    let mut frame = vec![0; FRAME_HEADER + page];
    let (mut whole, mut lost) = (true, 0);
    while fill(&mut file, &mut frame)? {
        let ours = frame[8..16] == header[16..24];
        if whole {
            sum.add(&frame[..8], big_endian);
            sum.add(&frame[FRAME_HEADER..], big_endian);
            whole = ours && sum == Sum(word(&frame, 16), word(&frame, 20));
        }
        // Frames of an earlier round are marked otherwise.
        if !whole && ours && word(&frame, 4) != 0 {
            lost += 1;
        }
    }
    Ok(lost > 1)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn damage_is_told_from_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let (db, path) = (dir.path().join("a.db"), dir.path().join("a.db-wal"));
        assert!(!lost_commits(&path).unwrap(), "there is none");
        let connection = Connection::open(&db).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1); PRAGMA wal_checkpoint").unwrap();
        for n in 0..6 {
            connection.execute("INSERT INTO t VALUES (randomblob(?1))", [n * 3_000]).unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        let frames = (bytes.len() - HEADER) / (FRAME_HEADER + 4_096);
        assert!(frames > 6 && !lost_commits(&path).unwrap());
        let frame_at = |n: usize| HEADER + n * (FRAME_HEADER + 4_096);
        let commits: Vec<_> = (0..frames).filter(|n| word(&bytes, frame_at(*n) + 4) != 0).collect();
        let [.., before, last, _] = commits[..] else { panic!("{commits:?}") };
        let flipped = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            lost_commits(&path).unwrap()
        };
        // Behind all of these are two commits at least; those of the earlier round behind them are none.
        for at in (0..24).chain((HEADER..frame_at(before + 1)).step_by(97)) {
            assert!(flipped(at), "{at}");
        }
        for at in [frame_at(last + 1), frame_at(last + 1) + 9, frame_at(last + 1) + 99] {
            assert!(!flipped(at), "the last one may be torn: {at}");
        }
        for len in [0, 20, HEADER, frame_at(last + 1) + 9] {
            std::fs::write(&path, &bytes[..len]).unwrap();
            assert!(!lost_commits(&path).unwrap(), "{len}");
        }
    }
}
