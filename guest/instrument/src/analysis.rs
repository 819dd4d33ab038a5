//! What has to be known of the module before it is rewritten.
use std::collections::HashSet;
use wasmparser::{BinaryReaderError, FunctionBody, KnownCustom, Name, Operator, Parser, Payload, TypeRef};

/// They ask the host by themselves, and often: the interpreter's loop and the regular expression matcher's.
const SELF_POLLING: [&str; 2] = ["JS_CallInternal", "lre_exec"];
/// The matcher's loop when the compiler didn't fold it into `lre_exec`.
const MATCHER: &str = "lre_exec_backtrack";
/// While these run, a component may not call its imports.
const CLOSED: [&str; 3] = ["cabi_realloc", "wit_dylib_export_finish", "wit_dylib_dealloc_bytes"];

pub struct Analysis {
    pub imported_functions: u32,
    /// How many globals there are, and so the index of one that is added.
    pub globals: u32,
    /// Index of the imported `poll`.
    pub poll: u32,
    pub left_alone: HashSet<u32>,
}

impl Analysis {
    pub fn of(wasm: &[u8]) -> Result<Analysis, String> {
        let mut found = Analysis { imported_functions: 0, globals: 0, poll: u32::MAX, left_alone: HashSet::new() };
        let mut closed = Vec::new();
        let mut calls = Vec::new();
        let text = |error: BinaryReaderError| error.to_string();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(text)? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        found.import(import.map_err(text)?);
                    }
                }
                Payload::GlobalSection(section) => found.globals += section.count(),
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.map_err(text)?;
                        if CLOSED.contains(&export.name) {
                            closed.push(export.index);
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => calls.push(callees(&body).map_err(text)?),
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(names) = section.as_known() {
                        found.named(names).map_err(text)?;
                    }
                }
                _ => {}
            }
        }
        if found.poll == u32::MAX {
            return Err("the module imports no function `poll`".into());
        }
        if closed.len() != CLOSED.len() {
            return Err(format!("not all of {CLOSED:?} are exported"));
        }
        if found.left_alone.len() < SELF_POLLING.len() {
            return Err(format!("not all of {SELF_POLLING:?} are named: was the name section stripped?"));
        }
        while let Some(function) = closed.pop() {
            if function >= found.imported_functions && found.left_alone.insert(function) {
                closed.extend(&calls[(function - found.imported_functions) as usize]);
            }
        }
        Ok(found)
    }

    fn import(&mut self, import: wasmparser::Import<'_>) {
        match import.ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => {
                if import.name == "poll" {
                    self.poll = self.imported_functions;
                }
                self.imported_functions += 1;
            }
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

fn callees(body: &FunctionBody<'_>) -> Result<Vec<u32>, BinaryReaderError> {
    let mut callees = Vec::new();
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        if let Operator::Call { function_index } = operators.read()? {
            callees.push(function_index);
        }
    }
    Ok(callees)
}

/// For each loop of a function, in order: whether it calls something or holds another loop. The others are short memory
/// scans, where counting would be most of the work.
pub fn loops_worth_counting(body: &FunctionBody<'_>) -> Result<Vec<bool>, BinaryReaderError> {
    let mut worth = Vec::new();
    // for each open block, the loop that it is
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        match operators.read()? {
            Operator::Loop { .. } => {
                mark(&open, &mut worth);
                open.push(Some(worth.len()));
                worth.push(false);
            }
            Operator::Block { .. } | Operator::If { .. } => open.push(None),
            Operator::End => {
                open.pop();
            }
            Operator::Call { .. } | Operator::CallIndirect { .. } => mark(&open, &mut worth),
            _ => {}
        }
    }
    Ok(worth)
}

fn mark(open: &[Option<usize>], worth: &mut [bool]) {
    for index in open.iter().flatten() {
        worth[*index] = true;
    }
}
