//! Server-sent events, as far as this API sends them: lines end with LF, CRLF or CR, as the standard has it.
use std::io::{self, BufRead};

/// One event of the stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// Its type; `message` unless the server said otherwise.
    pub event: String,
    /// Its data, lines joined with LF.
    pub data: String,
}

/// Reads messages off a stream.
#[derive(Debug)]
pub struct Messages<R> {
    from: R,
    bytes_max: usize,
    /// The last line ended with a CR. An LF right behind it belongs to it, but is not waited for: it may never come.
    after_cr: bool,
}

impl<R: BufRead> Messages<R> {
    /// A message whose lines together are longer than `bytes_max` is an error.
    pub fn new(from: R, bytes_max: usize) -> Messages<R> {
        Messages { from, bytes_max, after_cr: false }
    }

    /// The next message; None at the end. One that the end cuts off is none.
    pub fn next(&mut self) -> io::Result<Option<Message>> {
        let (mut event, mut data) = (String::new(), None::<String>);
        let mut left = self.bytes_max;
        loop {
            let Some(line) = self.line(left)? else { return Ok(None) };
            left = left.saturating_sub(line.len());
            if line.is_empty() {
                if let Some(data) = data {
                    let event = if event.is_empty() { "message".to_owned() } else { event };
                    return Ok(Some(Message { event, data }));
                }
                // Comments that keep the connection alive are no message, however many there are.
                (event, left) = (String::new(), self.bytes_max);
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match (field, &mut data) {
                ("event", _) => event = value.to_owned(),
                ("data", Some(data)) => {
                    data.push('\n');
                    data.push_str(value);
                }
                ("data", none) => *none = Some(value.to_owned()),
                // Comments, ids (they are in the data as well) and fields of the future.
                _ => {}
            }
        }
    }

    fn line(&mut self, bytes_max: usize) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        loop {
            let read = match self.from.fill_buf() {
                Ok([]) => return Ok(None),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if std::mem::take(&mut self.after_cr) && read[0] == b'\n' {
                self.from.consume(1);
                continue;
            }
            let end = read.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let piece = &read[..end.unwrap_or(read.len())];
            if line.len() + piece.len() > bytes_max {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "an event is too long"));
            }
            line.extend_from_slice(piece);
            self.after_cr = end.is_some_and(|end| read[end] == b'\r');
            let used = piece.len() + usize::from(end.is_some());
            self.from.consume(used);
            if end.is_some() {
                let invalid = |_| io::Error::new(io::ErrorKind::InvalidData, "an event is not UTF-8");
                return String::from_utf8(line).map(Some).map_err(invalid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, bytes_max: usize) -> io::Result<Vec<(String, String)>> {
        let mut messages = Messages::new(text.as_bytes(), bytes_max);
        let mut all = Vec::new();
        while let Some(message) = messages.next()? {
            all.push((message.event, message.data));
        }
        Ok(all)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(event, data)| ((*event).to_owned(), (*data).to_owned())).collect()
    }

    #[test]
    fn messages() {
        let text = ": hello\n\nid: 1\nevent: console\ndata: {\"a\": 1}\n\ndata:x\r\ndata:  y\r\nunknown: z\r\n\r\n";
        assert_eq!(read(text, 100).unwrap(), pairs(&[("console", "{\"a\": 1}"), ("message", "x\n y")]));
        assert_eq!(read("event: end\n\ndata\n\n", 100).unwrap(), pairs(&[("message", "")]));
        assert_eq!(read("", 100).unwrap(), []);
    }

    /// However the stream is cut into chunks, each chunk a read.
    #[test]
    fn lines_end_with_lf_cr_or_crlf() {
        for end in ["\n", "\r", "\r\n"] {
            let text = "event: a\ndata: 1\ndata: 2\n\n: x\ndata: 3\n\n".replace('\n', end);
            for size in 1..=text.len() {
                let reader = io::BufReader::with_capacity(size, text.as_bytes());
                let mut messages = Messages::new(reader, 100);
                let mut all = Vec::new();
                while let Some(message) = messages.next().unwrap() {
                    all.push((message.event, message.data));
                }
                assert_eq!(all, pairs(&[("a", "1\n2"), ("message", "3")]), "{end:?} in chunks of {size}");
            }
        }
        // Each kind behind each other: LF CR are two ends, CR LF one.
        assert_eq!(read("data: 1\n\rdata: 2\r\n\rdata: 3\r\n\n", 100).unwrap().len(), 3);
        assert_eq!(read("data: 1\r\ndata: 2\n\n", 100).unwrap(), pairs(&[("message", "1\n2")]));
    }

    /// A message that ends with CR is there at once: whether an LF follows is not waited for.
    #[test]
    fn no_line_waits_for_what_comes_after_it() {
        struct Stuck;
        impl io::Read for Stuck {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("this read would wait");
            }
        }
        let stream = io::Read::chain(&b"data: 1\r\r"[..], io::BufReader::new(Stuck));
        let message = Messages::new(stream, 100).next().unwrap().unwrap();
        assert_eq!(message.data, "1");
    }

    #[test]
    fn what_is_cut_off_is_no_message() {
        assert_eq!(read("data: x\n\ndata: y\n", 100).unwrap(), pairs(&[("message", "x")]));
        assert_eq!(read("data: x\n\ndata: y", 100).unwrap(), pairs(&[("message", "x")]));
    }

    #[test]
    fn lines_are_bounded() {
        let line = |length: usize| format!("data:{}\n\n", "x".repeat(length - 5));
        assert_eq!(read(&line(100), 100).unwrap().len(), 1);
        assert_eq!(read(&line(102), 100).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(read(&"x".repeat(10_000), 100).unwrap_err().kind(), io::ErrorKind::InvalidData);
        // Together as well, but not from message to message.
        assert!(read(&"data:xxxxx\n".repeat(12), 100).is_err());
        assert_eq!(read(&"data:xxxxx\n\n".repeat(100), 100).unwrap().len(), 100);
        assert_eq!(read(&":xxxxx\n\n".repeat(100), 100).unwrap().len(), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), any::<u8>()], 0..400)) {
            let mut messages = Messages::new(&bytes[..], 64);
            while let Ok(Some(message)) = messages.next() {
                prop_assert!(message.data.len() <= 66);
            }
        }
    }
}
