//! `instrument IN.wasm OUT.wasm`: the loop countdown.
//!
//! QuickJS asks the host whether to stop between JavaScript instructions, but a native loop (`indexOf` of an array-like of
//! length 2^53, say) runs on for hours without ever asking. Wasmtime's epochs would stop it and cost 25-40%. Instead one
//! counter, decremented in every loop that calls something or holds another loop, calls the imported `poll` when it
//! reaches zero; the host traps there once its hard deadline has passed. The cost is 0-7%.
//!
//! Left alone are the interpreter's loop and the regular expression matcher's, which ask by themselves, and every
//! function that may run while the component must not call out: what `cabi_realloc` and the post-return call.
mod analysis;

use analysis::Analysis;
use std::process::ExitCode;
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, Function, GlobalSection, GlobalType, Instruction, Module, ValType,
};
use wasmparser::{FunctionBody, Operator, Parser};

/// Iterations between two calls of `poll`: 20-80 ms apart.
const EVERY: i32 = 1 << 16;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output] = arguments.as_slice() else {
        eprintln!("usage: instrument IN.wasm OUT.wasm");
        return ExitCode::from(2);
    };
    match run(input, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("instrument: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(input: &str, output: &str) -> Result<(), String> {
    let wasm = std::fs::read(input).map_err(|error| format!("{input}: {error}"))?;
    let analysis = Analysis::of(&wasm)?;
    let mut countdown = Countdown { next_function: analysis.imported_functions, loops: 0, analysis };
    let mut module = Module::new();
    countdown.parse_core_module(&mut module, Parser::new(0), &wasm).map_err(|error| format!("{input}: {error}"))?;
    let counted = module.finish();
    wasmparser::validate(&counted).map_err(|error| format!("the result is invalid: {error}"))?;
    println!(
        "{} loops count, {} functions are left alone, {} -> {} bytes",
        countdown.loops,
        countdown.analysis.left_alone.len(),
        wasm.len(),
        counted.len()
    );
    std::fs::write(output, counted).map_err(|error| format!("{output}: {error}"))
}

struct Countdown {
    analysis: Analysis,
    /// Index of the function whose body comes next.
    next_function: u32,
    loops: u32,
}

impl Reencode for Countdown {
    type Error = std::convert::Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        reencode::utils::parse_global_section(self, globals, section)?;
        globals
            .global(GlobalType { val_type: ValType::I32, mutable: true, shared: false }, &ConstExpr::i32_const(EVERY));
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Result<(), reencode::Error> {
        let index = self.next_function;
        self.next_function += 1;
        let counted = analysis::loops_worth_counting(&body)?;
        if self.analysis.left_alone.contains(&index) || !counted.contains(&true) {
            return reencode::utils::parse_function_body(self, code, body);
        }
        let mut locals = Vec::new();
        for local in body.get_locals_reader()? {
            let (count, ty) = local?;
            locals.push((count, self.val_type(ty)?));
        }
        let mut function = Function::new(locals);
        let mut operators = body.get_operators_reader()?;
        let mut counted = counted.into_iter();
        while !operators.eof() {
            let operator = operators.read()?;
            let is_loop = matches!(operator, Operator::Loop { .. });
            function.instruction(&self.instruction(operator)?);
            if is_loop && counted.next() == Some(true) {
                self.loops += 1;
                self.count(&mut function);
            }
        }
        code.function(&function);
        Ok(())
    }
}

impl Countdown {
    fn count(&self, function: &mut Function) {
        let counter = self.analysis.globals;
        for instruction in [
            Instruction::GlobalGet(counter),
            Instruction::I32Const(-1),
            Instruction::I32Add,
            Instruction::GlobalSet(counter),
            Instruction::GlobalGet(counter),
            Instruction::I32Eqz,
            Instruction::If(BlockType::Empty),
            Instruction::I32Const(EVERY),
            Instruction::GlobalSet(counter),
            Instruction::Call(self.analysis.poll),
            Instruction::Drop,
            Instruction::End,
        ] {
            function.instruction(&instruction);
        }
    }
}
