// A syntax error names its line.
// exit: 1
// expect-error: SyntaxError
// expect-error: syntax.js:6
const ok = 1;
const broken = = 2;
