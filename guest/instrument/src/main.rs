//! `instrument IN.wasm OUT.wasm`: the loop countdown.
//!
//! QuickJS asks the host whether to stop between JavaScript instructions, but a native loop (`indexOf` of an array-like of
//! length 2^53, say) runs on for hours without ever asking, and ten thousand instructions that each fill 100 MB take
//! minutes. Wasmtime's epochs would stop both and cost 25-40%. Instead one counter goes down by every iteration of every
//! native loop and by every 64 bytes that an instruction moves; at zero it asks the host by the guest's own
//! `vm_countdown_expired`, which has the interpreter stop at its next step. The host traps there once its hard deadline
//! has passed.
//!
//! Left alone are the interpreter's loop and the regular expression matcher's, which ask by themselves. What may run
//! while the component must not call out (`cabi_realloc`, the post-return) counts as well; the guest knows not to ask then.
mod analysis;

use analysis::{Analysis, Count};
use std::process::ExitCode;
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, Function, GlobalSection, GlobalType, Instruction, Module, ValType,
};
use wasmparser::{FunctionBody, Operator, Parser};

/// Counts between two questions to the host: a millisecond at most when they are tight loops' iterations, some more when
/// each iteration holds a short loop that does not count.
const EVERY: i32 = 1 << 14;
/// Tight loops count in steps of so many iterations; a power of two.
const STEP: i32 = 1 << 10;
/// Moving 64 bytes takes about as long as an iteration.
const BYTES_SHIFT: i32 = 6;

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
    let mut countdown = Countdown { next_function: analysis.imported_functions, loops: 0, moves: 0, analysis };
    let mut module = Module::new();
    countdown.parse_core_module(&mut module, Parser::new(0), &wasm).map_err(|error| format!("{input}: {error}"))?;
    let counted = module.finish();
    wasmparser::validate(&counted).map_err(|error| format!("the result is invalid: {error}"))?;
    println!(
        "{} loops and {} memory instructions count, {} functions are left alone, {} -> {} bytes",
        countdown.loops,
        countdown.moves,
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
    moves: u32,
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
        let counts = analysis::loops(&body)?;
        let moves = analysis::moves_memory(&body)?;
        if self.analysis.left_alone.contains(&index) || (counts.is_empty() && !moves) {
            return reencode::utils::parse_function_body(self, code, body);
        }
        let mut locals = Vec::new();
        let mut scratch = self.analysis.parameters[(index - self.analysis.imported_functions) as usize];
        for local in body.get_locals_reader()? {
            let (count, ty) = local?;
            scratch += count;
            locals.push((count, self.val_type(ty)?));
        }
        // one counts tight loops, the next remembers a length
        locals.push((2, ValType::I32));
        let mut function = Function::new(locals);
        let mut operators = body.get_operators_reader()?;
        let mut counts = counts.into_iter();
        while !operators.eof() {
            let operator = operators.read()?;
            let is_loop = matches!(operator, Operator::Loop { .. });
            let is_move = matches!(operator, Operator::MemoryCopy { .. } | Operator::MemoryFill { .. });
            if is_move {
                function.instruction(&Instruction::LocalTee(scratch + 1));
            }
            function.instruction(&self.instruction(operator)?);
            if is_move {
                self.moves += 1;
                self.count_bytes(&mut function, scratch + 1);
            }
            if is_loop {
                self.loops += 1;
                match counts.next() {
                    Some(Count::Thousands) => self.count_thousands(&mut function, scratch),
                    _ => self.count(&mut function, &[Instruction::I32Const(-1)]),
                }
            }
        }
        code.function(&function);
        Ok(())
    }
}

impl Countdown {
    /// Adds what `amount` leaves on the stack, which is negative, to the counter, and asks the host at its end.
    fn count(&self, function: &mut Function, amount: &[Instruction<'_>]) {
        let counter = self.analysis.globals;
        function.instruction(&Instruction::GlobalGet(counter));
        for instruction in amount {
            function.instruction(instruction);
        }
        for instruction in [
            Instruction::I32Add,
            Instruction::GlobalSet(counter),
            Instruction::GlobalGet(counter),
            Instruction::I32Const(0),
            Instruction::I32LeS,
            Instruction::If(BlockType::Empty),
            Instruction::I32Const(EVERY),
            Instruction::GlobalSet(counter),
            Instruction::Call(self.analysis.expired),
            Instruction::End,
        ] {
            function.instruction(&instruction);
        }
    }

    fn count_thousands(&self, function: &mut Function, local: u32) {
        for instruction in [
            Instruction::LocalGet(local),
            Instruction::I32Const(1),
            Instruction::I32Add,
            Instruction::LocalTee(local),
            Instruction::I32Const(STEP - 1),
            Instruction::I32And,
            Instruction::I32Eqz,
            Instruction::If(BlockType::Empty),
        ] {
            function.instruction(&instruction);
        }
        self.count(function, &[Instruction::I32Const(-STEP)]);
        function.instruction(&Instruction::End);
    }

    fn count_bytes(&self, function: &mut Function, length: u32) {
        self.count(
            function,
            &[
                Instruction::I32Const(0),
                Instruction::LocalGet(length),
                Instruction::I32Const(BYTES_SHIFT),
                Instruction::I32ShrU,
                Instruction::I32Sub,
            ],
        );
    }
}
