//! Values that cross the border.
use wasmtime::component::{ComponentType, Lift, Lower, flags};

use super::beneath::Opening;
use super::text;
use crate::modules::{Store, Traffic};

#[derive(ComponentType, Lower, Lift, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Kind {
    #[component(name = "file")]
    File,
    #[component(name = "directory")]
    Directory,
    #[component(name = "symlink")]
    Symlink,
    #[component(name = "fifo")]
    Fifo,
    #[component(name = "socket")]
    Socket,
    #[component(name = "character-device")]
    CharacterDevice,
    #[component(name = "block-device")]
    BlockDevice,
    #[component(name = "unknown")]
    Unknown,
}

#[derive(ComponentType, Lower, Lift, Clone, Copy, Debug)]
#[component(record)]
pub(super) struct Stats {
    pub(super) kind: Kind,
    pub(super) size: f64,
    pub(super) mode: u32,
    pub(super) accessed: f64,
    pub(super) modified: f64,
    pub(super) changed: f64,
    pub(super) born: f64,
}

#[derive(ComponentType, Lower, Lift, Clone, Debug, PartialEq, Eq)]
#[component(record)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(ComponentType, Lower, Lift, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "made by lifting what the guest passes")]
pub(super) enum Encoding {
    #[component(name = "utf8")]
    Utf8,
    #[component(name = "latin1")]
    Latin1,
    #[component(name = "ascii")]
    Ascii,
    #[component(name = "utf16le")]
    Utf16le,
    #[component(name = "base64")]
    Base64,
    #[component(name = "base64url")]
    Base64url,
    #[component(name = "hex")]
    Hex,
}

#[derive(ComponentType, Lower, Lift, Clone, Debug)]
#[component(record)]
pub(super) struct Text {
    text: String,
    encoding: Encoding,
}

#[derive(ComponentType, Lower, Lift, Clone, Debug)]
#[component(variant)]
pub(super) enum Content {
    #[component(name = "bytes")]
    Bytes(Vec<u8>),
    #[component(name = "text")]
    Text(Text),
}

impl Content {
    pub(super) fn bytes(self) -> Vec<u8> {
        match self {
            Content::Bytes(bytes) => bytes,
            Content::Text(Text { text, encoding }) => text::encode(text, encoding),
        }
    }
}

flags! {
    How {
        #[component(name = "read")]
        const READ;
        #[component(name = "write")]
        const WRITE;
        #[component(name = "append")]
        const APPEND;
        #[component(name = "create")]
        const CREATE;
        #[component(name = "exclusive")]
        const EXCLUSIVE;
        #[component(name = "truncate")]
        const TRUNCATE;
    }
}

impl How {
    pub(super) fn opening(self) -> Opening {
        let says = |flag| self & flag == flag;
        let how = Opening {
            read: says(How::READ),
            write: says(How::WRITE),
            append: says(How::APPEND),
            create: says(How::CREATE),
            exclusive: says(How::EXCLUSIVE),
            truncate: says(How::TRUNCATE),
        };
        // Nothing asked for is reading, and only what may write makes or empties anything.
        let writes = how.write || how.append;
        Opening {
            read: how.read || !writes,
            create: how.create && writes,
            exclusive: how.exclusive && how.create && writes,
            truncate: how.truncate && how.write,
            ..how
        }
    }
}

#[derive(ComponentType, Lower, Lift, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "made by lifting what the guest passes")]
pub(super) enum Removal {
    #[component(name = "file")]
    File,
    #[component(name = "directory")]
    Directory,
    #[component(name = "tree")]
    Tree,
}

/// A path, or the number of what is open.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum Target {
    #[component(name = "path")]
    Path(String),
    #[component(name = "handle")]
    Handle(u32),
}

/// What directory is made.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[expect(dead_code, reason = "made by lifting what the guest passes")]
#[repr(u8)]
pub(super) enum Making {
    #[component(name = "one")]
    One,
    #[component(name = "all")]
    All,
    #[component(name = "temporary")]
    Temporary,
}

/// What is done to a path.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum Change {
    #[component(name = "remove")]
    Remove((Removal, bool)),
    #[component(name = "rename")]
    Rename(String),
    #[component(name = "copy")]
    Copy((String, bool)),
    #[component(name = "link")]
    Link(String),
    #[component(name = "times")]
    Times((f64, f64)),
}

impl Traffic for Kind {}
impl Traffic for Stats {}
impl Traffic for Encoding {}
impl Traffic for How {}
impl Traffic for Removal {}
impl Traffic for Making {
    fn verb(&self) -> Option<&'static str> {
        matches!(self, Making::Temporary).then_some("make-temporary")
    }
}

impl Traffic for Change {
    fn bytes(&self, store: &Store<'_>) -> usize {
        match self {
            Change::Rename(to) | Change::Copy((to, _)) | Change::Link(to) => to.bytes(store),
            Change::Remove(_) | Change::Times(_) => 0,
        }
    }

    fn kept(&self) -> usize {
        match self {
            Change::Rename(to) | Change::Copy((to, _)) | Change::Link(to) => to.capacity(),
            Change::Remove(_) | Change::Times(_) => 0,
        }
    }

    /// Of a link what it leads to, as in Node's errors.
    fn subject(&self, store: &Store<'_>) -> Option<String> {
        if let Change::Link(to) = self { to.subject(store) } else { None }
    }

    fn verb(&self) -> Option<&'static str> {
        Some(match self {
            Change::Remove(_) => "remove",
            Change::Rename(_) => "rename",
            Change::Copy(_) => "copy-file",
            Change::Link(_) => "make-link",
            Change::Times(_) => "set-times",
        })
    }
}

impl Traffic for Target {
    fn bytes(&self, store: &Store<'_>) -> usize {
        match self {
            Target::Path(path) => path.bytes(store),
            Target::Handle(_) => 0,
        }
    }

    fn kept(&self) -> usize {
        match self {
            Target::Path(path) => path.capacity(),
            Target::Handle(_) => 0,
        }
    }

    fn subject(&self, store: &Store<'_>) -> Option<String> {
        match self {
            Target::Path(path) => path.subject(store),
            Target::Handle(_) => None,
        }
    }
}

impl Traffic for Content {
    fn bytes(&self, _: &Store<'_>) -> usize {
        match self {
            Content::Bytes(bytes) => bytes.len(),
            Content::Text(Text { text, .. }) => text.len(),
        }
    }
}

impl Traffic for Vec<Entry> {
    fn bytes(&self, _: &Store<'_>) -> usize {
        self.iter().map(|entry| entry.name.len()).sum()
    }

    fn kept(&self) -> usize {
        self.iter().map(|entry| size_of::<Entry>() + entry.name.len()).sum()
    }
}
