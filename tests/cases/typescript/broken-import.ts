// flags: --root ROOT
// file: lib.ts let a: number = ; export { a }
// exit: 1
// expect-error: Module "lib.ts" is not TypeScript: Unexpected token (lib.ts:1:17)
import { a } from './lib.ts';
console.log(a);
