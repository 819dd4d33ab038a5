//! Events of executions, in chunks.
use std::fmt::Write;

use model::{Event, EventKind, ExecutionId, Payload, TenantId, Timestamp};
use rusqlite::{Connection, params};

use crate::{Error, Store, executions, rows};

/// Where a chunk ends: far below SQLite's limits, far above the cost of a row.
const CHUNK_BYTES: usize = 32 << 10;

/// The events of one execution as they happen, encoded right away: the thread that makes them pays for it, and the
/// one that writes the database only binds a few long texts.
#[derive(Debug, Default)]
pub struct EventLog {
    chunks: Vec<Chunk>,
    last_seq: i64,
}

#[derive(Debug)]
struct Chunk {
    first_seq: i64,
    last_seq: i64,
    body: String,
}

impl EventLog {
    /// Appends the next event.
    pub fn push(&mut self, at: Timestamp, payload: &Payload) {
        self.last_seq += 1;
        // Strings, numbers and ready JSON: there is nothing that could fail.
        let json = serde_json::to_string(payload).unwrap_or_else(|_| "null".to_owned());
        if self.chunks.last().is_none_or(|chunk| chunk.body.len() + json.len() > CHUNK_BYTES) {
            self.chunks.push(Chunk { first_seq: self.last_seq, last_seq: self.last_seq, body: String::new() });
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.last_seq = self.last_seq;
            let _ = writeln!(chunk.body, "{} {} {json}", at.as_micros(), payload.kind());
        }
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.last_seq.unsigned_abs()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.last_seq == 0
    }
}

/// A part of an execution's events.
#[derive(Clone, Debug, Default)]
pub struct EventPage {
    /// Them, by sequence.
    pub events: Vec<Event>,
    /// Whether there are more, within the limit that was asked for.
    pub more: bool,
}

/// A page of events ends after the one that brings it here: what one answer holds in memory.
const PAGE_BYTES: usize = 1 << 20;

impl EventPage {
    fn is_full(&self, bytes: usize, limit: usize) -> bool {
        self.events.len() >= limit || bytes >= PAGE_BYTES
    }

    /// Takes what `lines` has after `after`, until the page is full.
    fn take(
        &mut self,
        id: ExecutionId,
        (first, body): (i64, &str),
        after: i64,
        limit: usize,
        bytes: &mut usize,
    ) -> Result<(), Error> {
        for (seq, line) in (first..).zip(body.lines()).filter(|(seq, _)| *seq > after) {
            if self.is_full(*bytes, limit) {
                self.more = self.events.len() < limit;
                break;
            }
            *bytes += line.len() + 128;
            self.events.push(decode(id, seq.unsigned_abs(), line)?);
        }
        Ok(())
    }
}

impl EventLog {
    /// The events after `after_seq` that there are so far: at most `limit`, and about a megabyte.
    pub fn page(&self, id: ExecutionId, after_seq: u64, limit: usize) -> Result<EventPage, Error> {
        let after = i64::try_from(after_seq).unwrap_or(i64::MAX);
        let (mut page, mut bytes) = (EventPage::default(), 0);
        let begin = self.chunks.partition_point(|chunk| chunk.last_seq <= after);
        for chunk in self.chunks.iter().skip(begin) {
            if page.more || page.is_full(bytes, limit) {
                page.more = page.events.len() < limit;
                break;
            }
            page.take(id, (chunk.first_seq, &chunk.body), after, limit, &mut bytes)?;
        }
        Ok(page)
    }
}

impl Store {
    /// The events after `after_seq`: at most `limit`, and about a megabyte. None when there is no such execution.
    pub async fn events(
        &self,
        tenant: TenantId,
        execution: ExecutionId,
        after_seq: u64,
        limit: usize,
    ) -> Result<Option<EventPage>, Error> {
        let query = move |c: &Connection| {
            let Some(key) = executions::key(c, tenant, execution)? else { return Ok(None) };
            read(c, tenant, key, execution, after_seq, limit).map(Some)
        };
        self.0.readers.read(query).await
    }
}

pub(crate) fn insert(c: &Connection, tenant: TenantId, execution: i64, log: &EventLog) -> Result<(), Error> {
    let mut statement = c.prepare_cached(
        "INSERT INTO event_chunks (tenant, execution, first_seq, last_seq, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for chunk in &log.chunks {
        let tenant = tenant.as_uuid().as_bytes();
        statement.execute(params![tenant, execution, chunk.first_seq, chunk.last_seq, chunk.body])?;
    }
    Ok(())
}

fn read(
    c: &Connection,
    tenant: TenantId,
    execution: i64,
    id: ExecutionId,
    after_seq: u64,
    limit: usize,
) -> Result<EventPage, Error> {
    let after = i64::try_from(after_seq).unwrap_or(i64::MAX);
    let mut statement = c.prepare_cached(
        "SELECT first_seq, body FROM event_chunks
         WHERE tenant = ?1 AND execution = ?2 AND last_seq > ?3 ORDER BY first_seq",
    )?;
    let mut rows = statement.query(params![tenant.as_uuid().as_bytes(), execution, after])?;
    let (mut page, mut bytes) = (EventPage::default(), 0);
    while let Some(row) = rows.next()? {
        if page.more || page.is_full(bytes, limit) {
            page.more = page.events.len() < limit;
            break;
        }
        let body = row.get_ref(1)?.as_str().map_err(|e| Error::Corrupt(format!("event chunk: {e}")))?;
        page.take(id, (row.get(0)?, body), after, limit, &mut bytes)?;
    }
    Ok(page)
}

fn decode(execution_id: ExecutionId, seq: u64, line: &str) -> Result<Event, Error> {
    let mut parts = line.splitn(3, ' ');
    let mut part = || parts.next().ok_or_else(|| Error::Corrupt("short event line".to_owned()));
    let (micros, kind, payload) = (part()?, part()?, part()?);
    let micros = micros.parse().map_err(|_| Error::Corrupt(format!("event time {micros:?}")))?;
    let kind = EventKind::parse(kind).ok_or_else(|| Error::Corrupt(format!("event kind {kind:?}")))?;
    Ok(Event { execution_id, seq, ts: Timestamp::from_micros(micros), kind, payload: rows::raw(payload.to_owned())? })
}
