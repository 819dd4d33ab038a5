//! Bodies of answers: read as the script takes them, unpacked, counted, and without the secrets that were sent.
use std::collections::VecDeque;
use std::io::Write as _;
use std::time::Duration;

use flate2::write::MultiGzDecoder;
use futures_util::FutureExt as _;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Bytes, Incoming};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::secrets::Sent;
use crate::modules::{Answer, Failure};

/// Largest piece that a script is handed at once, bytes.
pub(super) const CHUNK_BYTES_MAX: usize = 64 << 10;
/// Packed bytes that are unpacked at once: they come to a thousand times as much at most.
const UNPACKED_AT_ONCE: usize = 1 << 10;
/// How long the head of an answer waits for the rest of it, so that a short one is handed over whole.
const TOGETHER: Duration = Duration::from_millis(5);

/// What bounds a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) bytes_max: u64,
    pub(super) deadline: Instant,
    /// For the message.
    pub(super) timeout_ms: u32,
}

impl Bounds {
    pub(super) fn late(&self) -> Failure {
        let message = format!(
            "the answer was not complete within {} ms (`timeout`, or `timeout_ms` of the grant)",
            self.timeout_ms
        );
        Failure::new("ETIMEDOUT", message)
    }

    fn too_large(&self) -> Failure {
        let message = format!("the answer is larger than {} KiB: `max_response_kb` of the grant", self.bytes_max >> 10);
        Failure::new("EMSGSIZE", message)
    }
}

/// A body that is being read. It holds its place among the requests that may be under way.
pub(super) struct Body {
    incoming: Option<Incoming>,
    unpack: Option<MultiGzDecoder<Vec<u8>>>,
    ready: VecDeque<Bytes>,
    sent: Sent,
    bounds: Bounds,
    left: u64,
    _place: OwnedSemaphorePermit,
}

impl Body {
    pub(super) fn new(
        incoming: Incoming,
        packed: bool,
        sent: Sent,
        bounds: Bounds,
        place: OwnedSemaphorePermit,
    ) -> Answer<Body> {
        if incoming.size_hint().lower() > bounds.bytes_max {
            return Err(bounds.too_large());
        }
        Ok(Body {
            incoming: Some(incoming),
            unpack: packed.then(|| MultiGzDecoder::new(Vec::new())),
            ready: VecDeque::new(),
            sent,
            bounds,
            left: bounds.bytes_max,
            _place: place,
        })
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// All of it, if it is short and there; else what came so far is kept for [`Body::chunk`].
    pub(super) async fn whole(&mut self) -> Answer<Option<Vec<u8>>> {
        {
            let mut gather = std::pin::pin!(self.gather());
            // Most come in one piece with their head: whoever reads the connection goes first, and no clock is set.
            let mut gathered = gather.as_mut().now_or_never();
            if gathered.is_none() {
                tokio::task::yield_now().await;
                gathered = gather.as_mut().now_or_never();
            }
            match gathered {
                Some(gathered) => gathered?,
                None => tokio::time::timeout(TOGETHER, gather).await.unwrap_or(Ok(()))?,
            }
        }
        let bytes: usize = self.ready.iter().map(Bytes::len).sum();
        Ok((self.incoming.is_none() && bytes <= CHUNK_BYTES_MAX)
            .then(|| self.ready.drain(..).collect::<Vec<_>>().concat()))
    }

    /// Everything, or as much as is handed over at once.
    async fn gather(&mut self) -> Answer<()> {
        while self.incoming.is_some() && self.ready.iter().map(Bytes::len).sum::<usize>() <= CHUNK_BYTES_MAX {
            self.advance().await?;
        }
        Ok(())
    }

    /// The next piece; None at the end.
    pub(super) async fn chunk(&mut self) -> Answer<Option<Vec<u8>>> {
        loop {
            if let Some(mut first) = self.ready.pop_front() {
                if first.len() > CHUNK_BYTES_MAX {
                    self.ready.push_front(first.split_off(CHUNK_BYTES_MAX));
                }
                return Ok(Some(first.to_vec()));
            }
            if self.incoming.is_none() {
                return Ok(None);
            }
            match tokio::time::timeout_at(self.bounds.deadline, self.advance()).await {
                Ok(advanced) => advanced?,
                Err(_) => return Err(self.bounds.late()),
            }
        }
    }

    /// Takes what comes next from the network. Nothing is lost when it is dropped while it waits.
    async fn advance(&mut self) -> Answer<()> {
        let Some(incoming) = &mut self.incoming else { return Ok(()) };
        match incoming.frame().await {
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { return Ok(()) };
                self.take(data)
            }
            Some(Err(_)) => Err(Failure::new("ECONNRESET", "the connection was closed before the answer was complete")),
            None => {
                self.incoming = None;
                self.end()
            }
        }
    }

    fn take(&mut self, data: Bytes) -> Answer<()> {
        let Some(mut unpack) = self.unpack.take() else { return self.keep(data) };
        for part in data.chunks(UNPACKED_AT_ONCE) {
            unpack.write_all(part).map_err(|_| broken())?;
            let unpacked = std::mem::take(unpack.get_mut());
            self.keep(unpacked.into())?;
        }
        self.unpack = Some(unpack);
        Ok(())
    }

    fn end(&mut self) -> Answer<()> {
        if let Some(unpack) = self.unpack.take() {
            let rest = unpack.finish().map_err(|_| broken())?;
            self.keep(rest.into())?;
        }
        let rest = self.sent.rest();
        self.push(rest);
        Ok(())
    }

    fn keep(&mut self, data: Bytes) -> Answer<()> {
        self.left = self.left.checked_sub(data.len() as u64).ok_or_else(|| self.bounds.too_large())?;
        let data = self.sent.without(data);
        self.push(data);
        Ok(())
    }

    fn push(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.ready.push_back(data);
        }
    }
}

fn broken() -> Failure {
    Failure::new("EBADMSG", "the answer says that it is gzip, and is not")
}
