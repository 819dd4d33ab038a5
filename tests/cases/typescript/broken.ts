// exit: 1
// expect-error: broken.ts:6:10
// expect-error: SyntaxError: Unexpected token
console.log('never');
let fine: number = 1;
let bad: = 2;
