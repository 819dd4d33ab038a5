//! `zlib`: compression of bytes that are at hand. What comes out is bounded while it comes out, and the script's clock is asked
//! after every piece of it.
use std::io::{self, Read, Write};

use brotli::enc::StandardAlloc;
use brotli::{BrotliResult, BrotliState};
use flate2::read::{DeflateDecoder, ZlibDecoder};
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compression, Crc, Decompress, FlushDecompress, Status, bufread};
use wasmtime::component::{ComponentType, Lift, WasmList, WasmStr};

use super::{Answer, Facade, Failure, Interface, Linking, Module, NO_GRANT_SCHEMA, NoGrant, Store, Traffic, grant_of};
use crate::limits::{Verdict, host_text_bytes};

/// Bytes between two looks at the clock.
const STEP: usize = 64 << 10;
/// Checksum and length behind a member of gzip.
const GZIP_TRAILER_BYTES: usize = 8;
/// Node's windows: brotli may name larger ones.
const BROTLI_WINDOW_BITS: u32 = 22;

pub(super) static MODULE: Module = Module {
    name: "zlib",
    version: "0.2.0",
    docs: "gzip, zlib, raw deflate and brotli as in Node. What is inflated is bounded while it is inflated.",
    interface: Some(Interface { name: "vm:zlib/zlib@0.2.0", wit: include_str!("../../../../wit/zlib/zlib.wit"), link }),
    before: &[("vm:zlib/zlib@0.1.0", link_before)],
    facade: Some(Facade {
        source: concat!(include_str!("checks.js"), include_str!("zlib.js")),
        types: include_str!("zlib.d.ts"),
    }),
    grant_schema: NO_GRANT_SCHEMA,
    check_grant: grant_of::<NoGrant>,
    limits: &[("window_bits_max", 24, "a stream of brotli with a larger window is refused with Z_DATA_ERROR")],
    ..Module::BASE
};

/// What is compressed, in the guest's memory.
#[derive(ComponentType, Lift)]
#[component(variant)]
enum Piece {
    #[component(name = "text")]
    Text(WasmStr),
    #[component(name = "bytes")]
    Bytes(WasmList<u8>),
}

impl Piece {
    /// A copy: while the work goes on the store is asked for the time.
    fn to_vec(&self, store: &Store<'_>) -> wasmtime::Result<Vec<u8>> {
        Ok(match self {
            Piece::Text(text) => text.to_str(store)?.into_owned().into_bytes(),
            Piece::Bytes(bytes) => bytes.as_le_slice(store).to_vec(),
        })
    }
}

impl Traffic for Piece {
    fn bytes(&self, store: &Store<'_>) -> usize {
        match self {
            Piece::Text(text) => text.bytes(store),
            Piece::Bytes(bytes) => bytes.len(),
        }
    }
}

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[expect(dead_code, reason = "the guest makes them")]
#[repr(u8)]
enum Format {
    #[component(name = "gzip")]
    Gzip,
    #[component(name = "zlib")]
    Zlib,
    #[component(name = "raw")]
    Raw,
    #[component(name = "unzip")]
    Unzip,
    #[component(name = "brotli")]
    Brotli,
}

impl Traffic for Format {}

fn link(zlib: &mut Linking<'_>) -> wasmtime::Result<()> {
    zlib.function("decompress", |store, (format, data, max, begun): (Format, Piece, u32, bool)| {
        answer(store, format, &data, max, begun)
    })?;
    common(zlib)
}

/// Version 0.1.0, for heaps that were stored with it.
fn link_before(zlib: &mut Linking<'_>) -> wasmtime::Result<()> {
    for (name, begun) in [("decompress", false), ("decompress-begun", true)] {
        zlib.function(name, move |store, (format, data, max): (Format, Piece, u32)| {
            answer(store, format, &data, max, begun)
        })?;
    }
    common(zlib)
}

fn answer(
    store: &mut Store<'_>,
    format: Format,
    data: &Piece,
    max: u32,
    begun: bool,
) -> wasmtime::Result<(Answer<Vec<u8>>,)> {
    let data = data.to_vec(store)?;
    let mut out = Bounded::new(store, max);
    let written = match decompress(format, &data, &mut out) {
        Err(error) if begun && error.kind() == io::ErrorKind::UnexpectedEof => incomplete(format, &data, &mut out),
        written => written,
    };
    Ok((out.answer(written),))
}

fn common(zlib: &mut Linking<'_>) -> wasmtime::Result<()> {
    zlib.function("compress", |store, (format, data, level, max): (Format, Piece, u32, u32)| {
        let data = data.to_vec(store)?;
        let mut out = Bounded::new(store, max);
        let written = compress(format, &data, level, &mut out);
        Ok((out.answer(written),))
    })?;
    zlib.function("crc32", |store, (data, value): (Piece, u32)| {
        let data = data.to_vec(store)?;
        let mut crc = Crc::new();
        crc.update(&data);
        // From another: as if its bytes had been in front of these.
        Ok((if value == 0 { crc.sum() } else { combined(value, &data) },))
    })
}

/// CRC-32 from where another ended, bit by bit: nobody goes on often.
fn combined(value: u32, data: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    let table: [u32; 256] = std::array::from_fn(|byte| (0..8).fold(byte as u32, |crc, _| step(crc)));
    !data.iter().fold(!value, |crc, byte| table[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ crc >> 8)
}

/// What comes out: bounded, and asked for the time.
struct Bounded<'a, 'b> {
    store: &'a mut Store<'b>,
    bytes: Vec<u8>,
    max: usize,
    /// What the caller asked for, for the error.
    asked: u32,
    full: bool,
}

impl<'a, 'b> Bounded<'a, 'b> {
    fn new(store: &'a mut Store<'b>, asked: u32) -> Bounded<'a, 'b> {
        let max = host_text_bytes(store.data().meter.limits().mem_mb).min(asked as usize);
        Bounded { store, bytes: Vec::new(), max, asked, full: false }
    }

    /// Whether the script may still run.
    fn time_is_left(&mut self) -> io::Result<()> {
        match self.store.data_mut().meter.poll() {
            Verdict::Go => Ok(()),
            _ => Err(io::Error::other("stopped")),
        }
    }

    fn answer(self, written: io::Result<()>) -> Answer<Vec<u8>> {
        if self.full {
            let max = self.max.min(self.asked as usize);
            return Err(Failure::new(
                "ERR_BUFFER_TOO_LARGE",
                format!("Cannot create a Buffer larger than {max} bytes"),
            ));
        }
        match written {
            Ok(()) => Ok(self.bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Failure::new("Z_BUF_ERROR", "unexpected end of file"))
            }
            Err(error) => Err(Failure::new("Z_DATA_ERROR", in_words(&error.to_string()))),
        }
    }
}

/// As zlib says it.
fn in_words(message: &str) -> &str {
    match message {
        "invalid gzip header" => "incorrect header check",
        "corrupt gzip stream does not have a matching checksum" => "incorrect data check",
        "corrupt deflate stream" => "invalid stored block lengths, code or distance",
        other => other,
    }
}

impl Write for Bounded<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.max - self.bytes.len() {
            self.full = true;
            return Err(io::Error::other("too much"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn compress(format: Format, data: &[u8], level: u32, out: &mut Bounded<'_, '_>) -> io::Result<()> {
    let deflate = Compression::new(level.min(9));
    // Encoders write into a buffer of their own, so that `out` can be asked for the time in between.
    macro_rules! steps {
        ($encoder:expr) => {{
            let mut encoder = $encoder;
            for step in data.chunks(STEP) {
                encoder.write_all(step)?;
                let made = std::mem::take(encoder.get_mut());
                out.write_all(&made)?;
                out.time_is_left()?;
            }
            encoder
        }};
    }
    let rest = match format {
        Format::Gzip | Format::Unzip => steps!(GzEncoder::new(Vec::new(), deflate)).finish()?,
        Format::Zlib => steps!(ZlibEncoder::new(Vec::new(), deflate)).finish()?,
        Format::Raw => steps!(DeflateEncoder::new(Vec::new(), deflate)).finish()?,
        Format::Brotli => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), STEP, level.min(11), BROTLI_WINDOW_BITS);
            for step in data.chunks(STEP) {
                encoder.write_all(step)?;
                let made = std::mem::take(encoder.get_mut());
                out.write_all(&made)?;
                out.time_is_left()?;
            }
            encoder.into_inner()
        }
    };
    out.write_all(&rest)
}

fn decompress(format: Format, data: &[u8], out: &mut Bounded<'_, '_>) -> io::Result<()> {
    let gzip = data.starts_with(&[0x1f, 0x8b]);
    match format {
        Format::Raw => copy(DeflateDecoder::new(data), out),
        Format::Zlib => copy(ZlibDecoder::new(data), out),
        Format::Unzip if !gzip => copy(ZlibDecoder::new(data), out),
        Format::Gzip | Format::Unzip => gunzip(data, out),
        Format::Brotli => unbrotli(data, out),
    }
}

/// What there is of data whose end is missing: the readers keep the last of it to themselves.
fn incomplete(format: Format, mut data: &[u8], out: &mut Bounded<'_, '_>) -> io::Result<()> {
    if matches!(format, Format::Brotli) {
        // Its own has written all of it.
        return Ok(());
    }
    out.bytes.clear();
    let gzip = data.starts_with(&[0x1f, 0x8b]);
    match format {
        Format::Raw => return inflated(data, false, out).map(drop),
        Format::Zlib => return inflated(data, true, out).map(drop),
        Format::Unzip if !gzip => return inflated(data, true, out).map(drop),
        _ => {}
    }
    loop {
        let member = bufread::GzDecoder::new(data);
        if member.header().is_none() {
            return Ok(());
        }
        let body = member.into_inner();
        let used = inflated(body, false, out)?;
        out.time_is_left()?;
        match body.get(used + GZIP_TRAILER_BYTES..) {
            Some(next) if !next.is_empty() => data = next,
            _ => return Ok(()),
        }
    }
}

/// As far as it goes; answers how many bytes of the data that were.
fn inflated(data: &[u8], header: bool, out: &mut Bounded<'_, '_>) -> io::Result<usize> {
    let mut inflate = Decompress::new(header);
    let mut step = vec![0; STEP];
    loop {
        let (read, made) = (inflate.total_in() as usize, inflate.total_out());
        let status = inflate.decompress(&data[read..], &mut step, FlushDecompress::Sync)?;
        let new = (inflate.total_out() - made) as usize;
        out.write_all(&step[..new])?;
        let now = inflate.total_in() as usize;
        if status == Status::StreamEnd || (new == 0 && now == read) {
            return Ok(now);
        }
        out.time_is_left()?;
    }
}

/// By hand: its reader does not tell bytes that are missing from bytes that are wrong.
fn unbrotli(data: &[u8], out: &mut Bounded<'_, '_>) -> io::Result<()> {
    let mut state = BrotliState::new(StandardAlloc::default(), StandardAlloc::default(), StandardAlloc::default());
    let mut step = vec![0; STEP];
    let (mut left, mut at, mut total) = (data.len(), 0, 0);
    loop {
        let (mut room, mut made) = (STEP, 0);
        let result = brotli::BrotliDecompressStream(
            &mut left, &mut at, data, &mut room, &mut made, &mut step, &mut total, &mut state,
        );
        out.write_all(&step[..made])?;
        match result {
            BrotliResult::ResultSuccess => return Ok(()),
            BrotliResult::NeedsMoreOutput => out.time_is_left()?,
            BrotliResult::NeedsMoreInput => return Err(io::ErrorKind::UnexpectedEof.into()),
            BrotliResult::ResultFailure => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "Decompression failed"));
            }
        }
    }
}

/// One member after another, as Node does; zeros after the last are padding.
fn gunzip(mut data: &[u8], out: &mut Bounded<'_, '_>) -> io::Result<()> {
    let mut members = 0;
    loop {
        if members > 0 && data.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let magic = &[0x1f, 0x8b][..data.len().min(2)];
        if !data.starts_with(magic) || (members > 0 && data.len() < 2) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "incorrect header check"));
        }
        let mut decoder = bufread::GzDecoder::new(data);
        copy(&mut decoder, out)?;
        // A million members may come to nothing, and each takes its time.
        out.time_is_left()?;
        data = decoder.into_inner();
        members += 1;
    }
}

fn copy(mut from: impl Read, out: &mut Bounded<'_, '_>) -> io::Result<()> {
    let mut step = vec![0; STEP];
    loop {
        match from.read(&mut step)? {
            0 => return Ok(()),
            read => out.write_all(&step[..read])?,
        }
        out.time_is_left()?;
    }
}
