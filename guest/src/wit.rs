//! The tables that wit-dylib puts into its bindings library: `wit_dylib.h` of wit-dylib 0.254, laid out by hand.
use core::ffi::{CStr, c_char, c_void};

/// `WIT_CURRENT_VERSION` of the header that this file mirrors.
pub const VERSION: u32 = 2;

/// A C array: length first, then the pointer.
#[repr(C)]
pub struct Array<T: 'static> {
    length: usize,
    items: *const T,
}

impl<T> Array<T> {
    pub fn slice(&self) -> &'static [T] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: wit-dylib's tables are valid, immutable and live for the whole program.
        unsafe { core::slice::from_raw_parts(self.items, self.length) }
    }
}

/// A C string that may be null.
#[repr(transparent)]
pub struct Name(*const c_char);

impl Name {
    /// The text; `None` for null (a function at the root of a world has no interface).
    pub fn get(&self) -> Option<&'static str> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: not null, so a NUL-terminated string of the tables, which live for the whole program.
        unsafe { CStr::from_ptr(self.0) }.to_str().ok()
    }

    pub fn text(&self) -> &'static str {
        self.get().unwrap_or("")
    }
}

/// A type: kind in the low byte, index into the kind's table above it.
pub type Type = u32;

/// No type. The header says 0xff; wit-dylib writes all ones.
pub const EMPTY: Type = u32::MAX;

pub mod kind {
    pub const U8: u32 = 0;
    pub const U16: u32 = 1;
    pub const U32: u32 = 2;
    pub const U64: u32 = 3;
    pub const S8: u32 = 4;
    pub const S16: u32 = 5;
    pub const S32: u32 = 6;
    pub const S64: u32 = 7;
    pub const BOOL: u32 = 8;
    pub const CHAR: u32 = 9;
    pub const F32: u32 = 10;
    pub const F64: u32 = 11;
    pub const STRING: u32 = 12;
    pub const RECORD: u32 = 14;
    pub const FLAGS: u32 = 17;
    pub const TUPLE: u32 = 18;
    pub const VARIANT: u32 = 19;
    pub const ENUM: u32 = 20;
    pub const OPTION: u32 = 21;
    pub const RESULT: u32 = 22;
    pub const LIST: u32 = 23;
    pub const ALIAS: u32 = 27;
}

/// Calls the host: pops the parameters from the context and pushes the result onto it.
pub type ImportCall = unsafe extern "C" fn(*mut c_void);

#[repr(C)]
pub struct ImportFunction {
    pub interface: Name,
    pub name: Name,
    /// Null for functions imported as async, which this guest has none of.
    pub call: Option<ImportCall>,
    _async_call: *const c_void,
    _async_lift: *const c_void,
    pub params: Array<Type>,
    pub result: Type,
    _async_area_size: usize,
    _async_area_align: usize,
}

#[repr(C)]
pub struct ExportFunction {
    pub interface: Name,
    pub name: Name,
    _task_return: *const c_void,
    pub params: Array<Type>,
    pub result: Type,
}

/// A field of a record or a case of a variant.
#[repr(C)]
pub struct Field {
    pub name: Name,
    pub ty: Type,
}

/// A type of the tables; `shape` depends on its kind.
#[repr(C)]
pub struct Defined<S: 'static> {
    _interface: Name,
    _name: Name,
    pub shape: S,
}

#[repr(C)]
pub struct ResultShape {
    pub ok: Type,
    pub err: Type,
}

/// `wit_t`.
#[repr(C)]
pub struct Wit {
    pub version: u32,
    pub imports: Array<ImportFunction>,
    pub exports: Array<ExportFunction>,
    _resources: Array<c_void>,
    pub records: Array<Defined<Array<Field>>>,
    pub flags: Array<Defined<Array<Name>>>,
    pub tuples: Array<Defined<Array<Type>>>,
    pub variants: Array<Defined<Array<Field>>>,
    pub enums: Array<Defined<Array<Name>>>,
    pub options: Array<Defined<Type>>,
    pub results: Array<Defined<ResultShape>>,
    pub lists: Array<Defined<Type>>,
    _fixed_length_lists: Array<c_void>,
    _futures: Array<c_void>,
    _streams: Array<c_void>,
    aliases: Array<Defined<Type>>,
}

impl Wit {
    /// Kind and index of a type, with aliases followed.
    pub fn resolve(&self, mut ty: Type) -> (u32, usize) {
        while ty & 0xff == kind::ALIAS {
            ty = self.aliases.slice()[(ty >> 8) as usize].shape;
        }
        (ty & 0xff, (ty >> 8) as usize)
    }

    /// Size and alignment in bytes of a value in linear memory, by the canonical ABI.
    pub fn layout(&self, ty: Type) -> (usize, usize) {
        if ty == EMPTY {
            return (0, 1);
        }
        let (kind, index) = self.resolve(ty);
        match kind {
            kind::BOOL | kind::U8 | kind::S8 => (1, 1),
            kind::U16 | kind::S16 => (2, 2),
            kind::U64 | kind::S64 | kind::F64 => (8, 8),
            kind::STRING | kind::LIST => (8, 4),
            kind::RECORD => self.sequence(self.records.slice()[index].shape.slice().iter().map(|field| field.ty)),
            kind::TUPLE => self.sequence(self.tuples.slice()[index].shape.slice().iter().copied()),
            kind::FLAGS => match self.flags.slice()[index].shape.slice().len() {
                0..=8 => (1, 1),
                9..=16 => (2, 2),
                _ => (4, 4),
            },
            kind::ENUM => discriminant(self.enums.slice()[index].shape.slice().len()),
            kind::OPTION => self.union(2, [self.options.slice()[index].shape].into_iter()),
            kind::RESULT => {
                let shape = &self.results.slice()[index].shape;
                self.union(2, [shape.ok, shape.err].into_iter())
            }
            kind::VARIANT => {
                let cases = self.variants.slice()[index].shape.slice();
                self.union(cases.len(), cases.iter().map(|case| case.ty))
            }
            _ => (4, 4),
        }
    }

    fn sequence(&self, types: impl Iterator<Item = Type>) -> (usize, usize) {
        let (mut size, mut widest) = (0usize, 1);
        for ty in types {
            let (field_size, align) = self.layout(ty);
            size = size.next_multiple_of(align) + field_size;
            widest = widest.max(align);
        }
        (size.next_multiple_of(widest), widest)
    }

    fn union(&self, cases: usize, types: impl Iterator<Item = Type>) -> (usize, usize) {
        let (tag_size, tag_align) = discriminant(cases);
        let (mut size, mut widest) = (0, 1);
        for ty in types {
            let (case_size, align) = self.layout(ty);
            size = size.max(case_size);
            widest = widest.max(align);
        }
        let align = widest.max(tag_align);
        ((tag_size.next_multiple_of(widest) + size).next_multiple_of(align), align)
    }
}

fn discriminant(cases: usize) -> (usize, usize) {
    match cases {
        0..=0x100 => (1, 1),
        0x101..=0x1_0000 => (2, 2),
        _ => (4, 4),
    }
}

/// `read-file-sync` as JavaScript writes it: `readFileSync`.
pub fn camel_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        if letter == '-' {
            upper = true;
        } else if upper {
            out.extend(letter.to_uppercase());
            upper = false;
        } else {
            out.push(letter);
        }
    }
    out
}
