//! What has to be known of the module before it is rewritten.
use std::collections::HashSet;
use wasmparser::{BinaryReaderError, FunctionBody, KnownCustom, Name, Operator, Parser, Payload, TypeRef};

/// They ask the host by themselves, and often: the interpreter's loop and the regular expression matcher's.
const SELF_POLLING: [&str; 2] = ["JS_CallInternal", "lre_exec"];
/// The matcher's loop when the compiler didn't fold it into `lre_exec`.
const MATCHER: &str = "lre_exec_backtrack";
/// Exported by the guest: asks the host whether to stop, and has the interpreter stop at its next step.
const EXPIRED: &str = "vm_countdown_expired";

pub struct Analysis {
    pub imported_functions: u32,
    /// How many globals there are, and so the index of one that is added.
    pub globals: u32,
    /// Index of the function to call when the countdown is at its end.
    pub expired: u32,
    pub left_alone: HashSet<u32>,
    /// How many parameters each function of the module's own has.
    pub parameters: Vec<u32>,
}

impl Analysis {
    pub fn of(wasm: &[u8]) -> Result<Analysis, String> {
        let mut found = Analysis {
            imported_functions: 0,
            globals: 0,
            expired: u32::MAX,
            left_alone: HashSet::new(),
            parameters: Vec::new(),
        };
        let mut types = Vec::new();
        let text = |error: BinaryReaderError| error.to_string();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(text)? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        found.import(import.map_err(text)?);
                    }
                }
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        types.push(ty.map_err(text)?.params().len() as u32);
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        found.parameters.push(types[ty.map_err(text)? as usize]);
                    }
                }
                Payload::GlobalSection(section) => found.globals += section.count(),
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.map_err(text)?;
                        if export.name == EXPIRED {
                            found.expired = export.index;
                        }
                    }
                }
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(names) = section.as_known() {
                        found.named(names).map_err(text)?;
                    }
                }
                _ => {}
            }
        }
        if found.expired == u32::MAX {
            return Err(format!("the module exports no function `{EXPIRED}`"));
        }
        if found.left_alone.len() < SELF_POLLING.len() {
            return Err(format!("not all of {SELF_POLLING:?} are named: was the name section stripped?"));
        }
        found.left_alone.insert(found.expired);
        Ok(found)
    }

    fn import(&mut self, import: wasmparser::Import<'_>) {
        match import.ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => self.imported_functions += 1,
            TypeRef::Global(_) => self.globals += 1,
            _ => {}
        }
    }

    fn named(&mut self, names: wasmparser::NameSectionReader<'_>) -> Result<(), BinaryReaderError> {
        for subsection in names {
            if let Name::Function(functions) = subsection? {
                for naming in functions {
                    let naming = naming?;
                    if SELF_POLLING.contains(&naming.name) || naming.name == MATCHER {
                        self.left_alone.insert(naming.index);
                    }
                }
            }
        }
        Ok(())
    }
}

/// How a loop is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// It calls something or holds another loop: every iteration, in the shared counter.
    Each,
    /// A tight loop: in a local of its function, and by the thousand in the shared counter. Short scans stay as fast as
    /// they were, and a scan of a whole heap is noticed.
    Thousands,
}

/// For each loop of a function, in order, how it is counted.
pub fn loops(body: &FunctionBody<'_>) -> Result<Vec<Count>, BinaryReaderError> {
    let mut counts = Vec::new();
    // for each open block, the loop that it is
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        match operators.read()? {
            Operator::Loop { .. } => {
                mark(&open, &mut counts);
                open.push(Some(counts.len()));
                counts.push(Count::Thousands);
            }
            Operator::Block { .. } | Operator::If { .. } => open.push(None),
            Operator::End => {
                open.pop();
            }
            Operator::Call { .. } | Operator::CallIndirect { .. } => mark(&open, &mut counts),
            _ => {}
        }
    }
    Ok(counts)
}

fn mark(open: &[Option<usize>], counts: &mut [Count]) {
    for index in open.iter().flatten() {
        counts[*index] = Count::Each;
    }
}

/// Whether a function copies or fills memory by an instruction, which is a loop of the machine's.
pub fn moves_memory(body: &FunctionBody<'_>) -> Result<bool, BinaryReaderError> {
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        if matches!(operators.read()?, Operator::MemoryCopy { .. } | Operator::MemoryFill { .. }) {
            return Ok(true);
        }
    }
    Ok(false)
}
